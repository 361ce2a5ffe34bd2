"""`scheme`: which nodes compute on integers, which activations run inside the node before, which values need an encoding.

Decided from the structure alone, before any sample is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from edgekit.recipe import IoType, Precision, Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.undecided import undecided_reason
from edgekit_converters.quantize.lonely import lonely_products
from edgekit_converters.quantize.node_rules import integer_rule, rule_of
from edgekit_converters.quantize.params import QuantType
from edgekit_converters.quantize.quant_plan import Execution, Fusion, NodePlan
from edgekit_converters.quantize.recurrences import unrolled_recurrences
from edgekit_converters.quantize.recurrent import obstacle, roles_of, width_of
from edgekit_converters.quantize.spectra import keep_spectra_float
from edgekit_converters.quantize.tokens import float_stream, is_small_layer, is_table, products, works_on_tokens
from edgekit_converters.quantize.wide import widened
from edgekit_converters.rules import CLAMPS, PRODUCT, RECURRENT, RULES, Encoding, OpRule, Role

FLOAT_CLAMPS = ((0.0, None), (0.0, 6.0), (-1.0, 1.0))
"""Bounds that TFLite has a fused activation for: RELU, RELU6, RELU_N1_TO_1."""

_COUNTING = (ir.DataType.BOOL, ir.DataType.INT8, ir.DataType.INT16, ir.DataType.INT32, ir.DataType.INT64)

EXPONENTS = (2.0, 0.5, -0.5, -1.0)
"""Powers that are an operator of their own."""

RECURRENT_SCHEME = "int8 weights; its state needs more than 8 bits and stays float"
"""Why a recurrent layer does not compute on integers alone."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """``nodes`` and ``fusions`` as in `QuantPlan`, but ``implied`` is not decided yet. ``encoded``: values that need an
    encoding, in topological order. ``read_by_products``: values that products quantize for themselves. ``observed``: those of
    both whose range calibration has to find."""

    nodes: Mapping[str, NodePlan]
    fusions: Mapping[str, Fusion]
    encoded: tuple[str, ...]
    observed: tuple[str, ...]
    read_by_products: tuple[str, ...] = ()

    def integer(self, node: ir.Node) -> bool:
        return self.nodes[name_of(node)].execution is Execution.INTEGER

    def width(self, node: ir.Node) -> QuantType:
        """INT8 or INT16: the type of an integer node's activations."""
        return self.nodes[name_of(node)].activations

    def output_of(self, node: ir.Node) -> str:
        """Name of the value that leaves the node, or the fused activation behind it."""
        fusion = self.fusions.get(name_of(node))
        return fusion.output if fusion else value_name(node.outputs[0])

    def outputs_of(self, node: ir.Node) -> tuple[str, ...]:
        """Names of all values that leave the node, those that something reads."""
        if len(node.outputs) == 1:
            return (self.output_of(node),)
        return tuple(value.name for value in node.outputs if value.name)


def scheme(hub: Hub, recipe: Recipe, target: Target) -> Scheme:
    """Decide from the hub's structure what `plan` then fills with numbers."""
    nodes = list(hub.model.graph)
    planned = {name_of(node): _wish(node, recipe, target) for node in nodes}
    keep_spectra_float(nodes, planned, target)
    if target.integer_only:
        planned |= dict(widened(nodes, planned))
    elif works_on_tokens(nodes):
        planned |= dict(products(nodes, planned))
        planned |= dict(float_stream(nodes, planned))
    else:
        planned |= dict(unrolled_recurrences(nodes, planned))
    fusions = dict(_fusions(nodes, planned))
    for producer, fusion in fusions.items():
        planned[fusion.activation] = NodePlan(Execution.FUSED, f"runs inside {producer}")
    if not target.integer_only:
        unpaid = {name_of(node) for node in nodes if is_small_layer(node)} if _flows_in_float(nodes, recipe) else set()
        _detach_lonely(nodes, planned, fusions, unpaid)
        if recipe.io is IoType.FLOAT32:
            islands = _islands(nodes, planned, {fusion.activation: producer for producer, fusion in fusions.items()})
            planned |= dict(lonely_products(nodes, islands, fusions))
    for name in [name for name in fusions if not _can_fuse(fusions[name], planned[name], hub)]:
        planned[fusions.pop(name).activation] = NodePlan(Execution.FLOAT, "its bounds have no fused form in float")
    draft = Scheme(planned, fusions, (), ())
    encoded = tuple(_encoded(hub, draft))
    read = tuple(_read_by_products(hub, draft, encoded))
    return replace(draft, encoded=encoded, observed=(*_observed(hub, draft, encoded), *read), read_by_products=read)


def name_of(node: ir.Node) -> str:
    assert node.name, "hub nodes have names"
    return node.name


def value_name(value: ir.Value | None) -> str:
    assert value is not None
    assert value.name, "hub values have names"
    return value.name


def is_constant(value: ir.Value | None) -> bool:
    return value is not None and value.const_value is not None


def touches_floats(node: ir.Node) -> bool:
    """Whether anything that the node computes is float; sizes, indices and masks are not."""
    computed = (value for value in node.inputs if value is not None and not is_constant(value))
    return any(value.dtype == ir.DataType.FLOAT for value in (*computed, *node.outputs))


def clamp_bounds(node: ir.Node) -> tuple[float | None, float | None] | None:
    """(low, high) of a Relu or of a Clip with constant bounds; None for anything else."""
    if node.op_type == "Relu":
        return 0.0, None
    if node.op_type != "Clip":
        return None
    bounds: list[float | None] = [None, None]
    for index, value in enumerate(node.inputs[1:3]):
        if value is None:
            continue
        if value.const_value is None:
            return None
        bounds[index] = float(value.const_value.numpy())
    return bounds[0], bounds[1]


def data_inputs(node: ir.Node, rule: OpRule) -> Iterator[tuple[int, ir.Value]]:
    """(index, value) of the inputs that carry quantized numbers, constants among them, weights not."""
    for index in rule.data_inputs(len(node.inputs)):
        value = node.inputs[index]
        if value is not None and index != rule.weight:
            yield index, value


def _wish(node: ir.Node, recipe: Recipe, target: Target) -> NodePlan:
    """How the node would compute if it stood alone."""
    asked = recipe.precision_of(name_of(node))
    if node.op_type in RECURRENT and asked is not Precision.FLOAT32:
        return _recurrent_wish(node, asked, target)
    if node.op_type == "If" and asked is not Precision.FLOAT32:
        return NodePlan(Execution.FLOAT, undecided_reason(node))
    rule = rule_of(node)
    weighted = rule is not None and rule.weight is not None and _has_constant_weight(node, rule)
    if asked is Precision.FLOAT16:
        return NodePlan(Execution.WEIGHT_ONLY if weighted else Execution.FLOAT)
    if asked is Precision.FLOAT32:
        return NodePlan(Execution.FLOAT, "" if recipe.precision is asked else "kept float by the recipe")
    if is_table(node) and not target.integer_only:
        return NodePlan(Execution.WEIGHT_ONLY)
    if asked is Precision.INT8_DYNAMIC:
        return NodePlan(_without_samples(node) if weighted else Execution.FLOAT)
    reason = _obstacle(node, rule, recipe, target)
    return NodePlan(Execution.FLOAT, reason) if reason else NodePlan(Execution.INTEGER)


def _recurrent_wish(node: ir.Node, asked: Precision, target: Target) -> NodePlan:
    """Int8 weights beside a state in float; no sample is needed for it. Without float operators the state has 16 bits."""
    if not all(is_constant(node.inputs[index]) for index in RECURRENT[node.op_type]):
        return NodePlan(Execution.FLOAT, "its weights are not constants")
    if asked is Precision.FLOAT16:
        return NodePlan(Execution.WEIGHT_ONLY)
    if target.integer_only and asked is Precision.INT8:
        reason = obstacle(node)
        return NodePlan(Execution.FLOAT, reason) if reason else NodePlan(Execution.INTEGER, activations=width_of(node))
    # No gate of a plain RNN lets an error fade: with input and state quantized per call it loses 5 dB more.
    execution = Execution.WEIGHT_ONLY if node.op_type == "RNN" else Execution.DYNAMIC
    return NodePlan(execution, RECURRENT_SCHEME if asked is Precision.INT8 else "")


def _without_samples(node: ir.Node) -> Execution:
    """Dense layers are quantized per call; convolutions would be slowed down by it three to ten times, so only their weights
    are stored as int8."""
    return Execution.DYNAMIC if node.op_type in ("Gemm", "MatMul") else Execution.WEIGHT_ONLY


def _obstacle(node: ir.Node, rule: OpRule | None, recipe: Recipe, target: Target) -> str:
    """Why the node can't compute on integers; empty when it can."""
    if rule is None:
        return f"{node.op_type} has no int8 form"
    if rule is PRODUCT and not target.integer_only:
        return "its weight is not a constant of rank 2 or more"
    if rule.integer_only and not (target.integer_only or _leaves_as_integers(node, recipe)):
        return f"{node.op_type} is more accurate in float and costs little"
    if rule.weight is not None and not _has_constant_weight(node, rule):
        return "its weight is not a constant of rank 2 or more"
    if node.op_type == "Gemm" and not _plain_gemm(node):
        return "Gemm with alpha, beta, transA or without a constant bias vector"
    if rule.bias is not None and len(node.inputs) > rule.bias and not is_constant(node.inputs[rule.bias]):
        return "its bias is not a constant"
    for _, value in data_inputs(node, rule):
        if value.dtype != ir.DataType.FLOAT:
            return f"it works on {str(value.dtype).lower()}"
    if all(is_constant(value) for _, value in data_inputs(node, rule)) and not (
        target.integer_only and _brings_values(node)
    ):
        return "all its inputs are constants"
    if node.op_type == "Clip" and clamp_bounds(node) is None:
        return "its bounds are not constants"
    if node.op_type == "Pow" and _exponent(node) not in EXPONENTS:
        return f"its exponent is not one of {', '.join(map(str, EXPONENTS))}"
    if node.op_type in ("Max", "Min") and len(node.inputs) < 2:
        return "it has one input"
    return ""


def _brings_values(node: ir.Node) -> bool:
    """Whether the node makes numbers of computed integers: rows of a table, a mask."""
    computed = not is_constant(node.inputs[-1])
    return computed and (node.op_type == "Gather" or (node.op_type == "Cast" and _gives_float(node)))


def _gives_float(node: ir.Node) -> bool:
    value = node.inputs[0]
    return node.outputs[0].dtype == ir.DataType.FLOAT and value is not None and value.dtype in _COUNTING


def _exponent(node: ir.Node) -> float | None:
    value = node.inputs[1]
    single = value is not None and value.const_value is not None and value.const_value.size == 1
    return float(constant_array(value).reshape(())) if single and value is not None else None


def _leaves_as_integers(node: ir.Node, recipe: Recipe) -> bool:
    """Whether the node's output is the model's own, and integers are asked for there."""
    return recipe.io is not IoType.FLOAT32 and any(value.is_graph_output() for value in node.outputs)


def _has_constant_weight(node: ir.Node, rule: OpRule) -> bool:
    assert rule.weight is not None
    value = node.inputs[rule.weight] if len(node.inputs) > rule.weight else None
    if value is None or value.const_value is None or value.dtype != ir.DataType.FLOAT:
        return False
    rank = len(value.const_value.shape)
    return rank == 2 if node.op_type in ("MatMul", "Gemm") else rank >= 3


def _plain_gemm(node: ir.Node) -> bool:
    scaled = any(node.attributes.get_float(name, 1.0) != 1.0 for name in ("alpha", "beta"))
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    vector = bias is None or (
        bias.const_value is not None and len([dim for dim in bias.const_value.numpy().shape if dim != 1]) <= 1
    )
    return vector and not scaled and node.attributes.get_int("transA", 0) == 0


def _fusions(nodes: list[ir.Node], planned: Mapping[str, NodePlan]) -> Iterator[tuple[str, Fusion]]:
    """Producers whose only reader is a clamp of the same precision."""
    for node in nodes:
        rule = RULES.get(node.op_type)
        if rule is None or not rule.fuses or len(node.outputs) != 1 or node.outputs[0].is_graph_output():
            continue
        readers = list(node.outputs[0].uses())
        if len(readers) != 1:
            continue
        activation = readers[0].node
        if activation.op_type not in CLAMPS or clamp_bounds(activation) is None or readers[0].idx != 0:
            continue
        if _same_side(planned[name_of(node)], planned[name_of(activation)]):
            yield name_of(node), Fusion(name_of(activation), value_name(activation.outputs[0]), implied=False)


def _same_side(producer: NodePlan, activation: NodePlan) -> bool:
    return (producer.execution is Execution.INTEGER) == (activation.execution is Execution.INTEGER)


def _can_fuse(fusion: Fusion, producer: NodePlan, hub: Hub) -> bool:
    """Integer encodings perform any clamp; TFLite's float kernels only three."""
    if producer.execution is Execution.INTEGER:
        return True
    activation = next(node for node in hub.model.graph if node.name == fusion.activation)
    return clamp_bounds(activation) in FLOAT_CLAMPS


def _flows_in_float(nodes: list[ir.Node], recipe: Recipe) -> bool:
    """Whether float numbers flow between the layers, as those of Transformers and recurrent networks, and may leave as such."""
    if recipe.io is not IoType.FLOAT32:
        return False
    return works_on_tokens(nodes) or any(node.op_type in RECURRENT for node in nodes)


def _detach_lonely(
    nodes: list[ir.Node], planned: dict[str, NodePlan], fusions: Mapping[str, Fusion], unpaid: Set[str]
) -> None:
    """Keep nodes float until every one that is left has an integer neighbour that pays by itself, as ``unpaid`` do not."""
    compute = {name_of(node) for node in nodes if _role(node) is Role.COMPUTE} - unpaid
    fused_into = {fusion.activation: producer for producer, fusion in fusions.items()}
    islands = _islands(nodes, planned, fused_into)
    for island in islands:
        if island & compute:
            continue
        for name in island:
            small = "its few outputs cost little in float"
            lonely = "no convolution or dense layer beside it computes on integers"
            planned[name] = NodePlan(Execution.FLOAT, small if name in unpaid else lonely)


def _role(node: ir.Node) -> Role | None:
    rule = RULES.get(node.op_type)
    return rule.role if rule else None


def _islands(nodes: list[ir.Node], planned: Mapping[str, NodePlan], fused_into: Mapping[str, str]) -> list[set[str]]:
    """Connected sets of integer nodes (an edge is a value that both touch as data)."""
    parent: dict[str, str] = {}

    def find(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    integer = [node for node in nodes if planned[name_of(node)].execution is Execution.INTEGER]
    parent.update({name_of(node): name_of(node) for node in integer})
    for node in integer:
        for _, value in data_inputs(node, integer_rule(node)):
            producer = value.producer()
            if producer is None:
                continue
            name = fused_into.get(name_of(producer), name_of(producer))
            if name in parent:
                parent[find(name_of(node))] = find(name)
    islands: dict[str, set[str]] = {}
    for node in integer:
        islands.setdefault(find(name_of(node)), set()).add(name_of(node))
    return list(islands.values())


def _read_by_products(hub: Hub, draft: Scheme, encoded: tuple[str, ...]) -> Iterator[str]:
    """Inputs of products that no integer node reads or writes, each once."""
    products = (node for node in hub.model.graph if draft.nodes[name_of(node)].execution is Execution.PRODUCT)
    names = dict.fromkeys(value_name(node.inputs[0]) for node in products)
    return (name for name in names if name not in encoded)


def _encoded(hub: Hub, draft: Scheme) -> Iterator[str]:
    seen: set[str] = set()
    for node in hub.model.graph:
        if not draft.integer(node):
            continue
        inputs = [value_name(v) for _, v in data_inputs(node, integer_rule(node)) if not is_constant(v)]
        inside = roles_of(node) if node.op_type in RECURRENT else ()
        for name in (*inputs, *inside, *draft.outputs_of(node)):
            if name not in seen:
                seen.add(name)
                yield name


def _observed(hub: Hub, draft: Scheme, encoded: tuple[str, ...]) -> Iterator[str]:
    """Encoded values whose range does not follow from other values."""
    derived: set[str] = set()
    for node in hub.model.graph:
        if (
            draft.integer(node)
            and node.op_type != "Cast"
            and integer_rule(node).output in (Encoding.SHARED, Encoding.FIXED)
        ):
            derived.update(value_name(value) for value in node.outputs)
        if draft.integer(node) and node.op_type in RECURRENT:
            derived.update(draft.outputs_of(node))
    return (name for name in encoded if name not in derived)


def constant_array(value: ir.Value) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The numbers of a constant, float32, in its hub layout."""
    assert value.const_value is not None
    return np.asarray(value.const_value.numpy(), dtype=np.float32)

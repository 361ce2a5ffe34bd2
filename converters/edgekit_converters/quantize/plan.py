"""`plan`: scheme and ranges become the `QuantPlan` that both writers obey."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import onnx_ir as ir

from edgekit.errors import ConversionError
from edgekit.recipe import Precision, Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.encodings import Encodings, Range, encode, encodings
from edgekit_converters.quantize.node_rules import integer_rule
from edgekit_converters.quantize.params import QuantParams, QuantType
from edgekit_converters.quantize.quant_plan import Execution, QuantizedConstant, QuantPlan, Use
from edgekit_converters.quantize.recurrent import is_fused
from edgekit_converters.quantize.scheme import Scheme, name_of, touches_floats, value_name
from edgekit_converters.quantize.tokens import is_table
from edgekit_converters.quantize.weights import (
    constant_operands,
    quantized_bias,
    quantized_product,
    quantized_table,
    quantized_weight,
    recurrent_weights,
)
from edgekit_converters.rules import RECURRENT

_INT8_WEIGHTS = (Execution.DYNAMIC, Execution.WEIGHT_ONLY)
_INT8 = (Precision.INT8, Precision.INT8_DYNAMIC)


def plan(hub: Hub, recipe: Recipe, target: Target, scheme: Scheme, ranges: Mapping[str, Range]) -> QuantPlan:
    """Numbers for everything ``scheme`` decided: encodings from ``ranges``, integers by nearest rounding.

    Raises ConversionError when the target computes on integers only and a node would stay float.
    """
    if target.integer_only and recipe.precision.calibrated:
        _demand_integers(hub, scheme, target)
    symmetric = target.activations == "symmetric"
    found = encodings(hub, scheme, ranges, symmetric=symmetric)
    uses = {**found.uses, **dict(_product_inputs(hub, scheme, found, ranges, symmetric))}
    fusions = {name: replace(fusion, implied=name in found.implied) for name, fusion in scheme.fusions.items()}
    return QuantPlan(
        precision=recipe.precision,
        values=found.values,
        uses=uses,
        constants=dict(_constants(hub, scheme, replace(found, uses=uses), recipe, symmetric)),
        fusions=fusions,
        nodes=scheme.nodes,
        float_ends=frozenset() if target.integer_only else _states(hub),
        ends=dict(_ends(hub, found, ranges)),
    )


def _states(hub: Hub) -> frozenset[str]:
    """The inputs and outputs that are carried from call to call."""
    return frozenset(name for state in hub.states for name in (state.input, state.output))


def _ends(hub: Hub, found: Encodings, ranges: Mapping[str, Range]) -> Iterator[tuple[str, QuantParams]]:
    """Int8 encodings of inputs and outputs of the model that are int16 inside."""
    for value in (*hub.model.graph.inputs, *hub.model.graph.outputs):
        name = value_name(value)
        params = found.values.get(name)
        if params is not None and params.dtype is QuantType.INT16:
            yield name, encode(*(ranges.get(name) or params.real_range()), symmetric=False)


def _constants(
    hub: Hub, scheme: Scheme, found: Encodings, recipe: Recipe, symmetric: bool
) -> Iterator[tuple[Use, QuantizedConstant]]:
    for node in hub.model.graph:
        execution = scheme.nodes[name_of(node)].execution
        stores_int8 = execution in _INT8_WEIGHTS and recipe.precision_of(name_of(node)) in _INT8
        if execution is Execution.INTEGER:
            yield from _integer_constants(node, scheme, found, symmetric)
        elif node.op_type in RECURRENT and stores_int8:
            yield from recurrent_weights(node, by_gate=False)
        elif execution is Execution.PRODUCT:
            yield from quantized_product(node, float(found.uses[Use(name_of(node), 0)].scale))
        elif execution is Execution.WEIGHT_ONLY and is_table(node):
            yield quantized_table(node)
        elif stores_int8:
            yield quantized_weight(node, None)


def _product_inputs(
    hub: Hub, scheme: Scheme, found: Encodings, ranges: Mapping[str, Range], symmetric: bool
) -> Iterator[tuple[Use, QuantParams]]:
    """The encoding in which each product reads: that of the value where it has one."""
    for node in hub.model.graph:
        if scheme.nodes[name_of(node)].execution is Execution.PRODUCT:
            name = value_name(node.inputs[0])
            yield Use(name_of(node), 0), found.values.get(name) or encode(*ranges[name], symmetric=symmetric)


def _integer_constants(
    node: ir.Node, scheme: Scheme, found: Encodings, symmetric: bool
) -> Iterator[tuple[Use, QuantizedConstant]]:
    if node.op_type in RECURRENT:
        yield from recurrent_weights(node, by_gate=is_fused(node))
        return
    if integer_rule(node).weight is None:
        yield from constant_operands(node, found.values[scheme.output_of(node)], symmetric=symmetric)
        return
    data = Use(name_of(node), 0)
    source = found.uses.get(data) or found.values[value_name(node.inputs[0])]
    input_scale = float(source.scale)
    use, weight = quantized_weight(node, input_scale)
    yield use, weight
    bias = quantized_bias(node, weight.params, input_scale, wide=scheme.width(node) is QuantType.INT16)
    if bias is not None:
        yield bias


def _demand_integers(hub: Hub, scheme: Scheme, target: Target) -> None:
    floats = [
        node
        for node in hub.model.graph
        if scheme.nodes[name_of(node)].execution is Execution.FLOAT and touches_floats(node)
    ]
    if not floats:
        return
    listed = "; ".join(f"{name_of(node)} ({scheme.nodes[name_of(node)].reason})" for node in floats[:5])
    more = f" and {len(floats) - 5} more" if len(floats) > 5 else ""
    raise ConversionError(
        f"the file for target {target.name} may hold no float operators, but {len(floats)} nodes would stay float: "
        f"{listed}{more}. Cut them off the model and compute them in the application, replace them, leave --integer-only out, "
        "or convert for another target."
    )

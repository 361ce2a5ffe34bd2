"""Compute what depends on constants alone, and choose the branch of an If whose condition is constant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import Editor, constant, scalar, static_shape
from edgekit_converters.hub.model import IR_VERSION
from edgekit_converters.hub.run import runtime_errors


def fold_constants(model: ir.Model) -> int:
    """Replace every subexpression of constants by its value, as ONNX Runtime computes it.

    Ensures: no Constant node; no If with a constant condition; no node with constant inputs only, except random ones and
    those whose result would be much larger than what they read. Returns the number of nodes removed.
    """
    changes = lift_constants(model)
    edit = Editor(model)
    foldable = _foldable(model.graph)
    if foldable:
        for value, array in _compute(foldable, model.graph).items():
            _replace(value, array, edit)
            changes += 1
        _remove_unused(model.graph, foldable)
    for node in [node for node in model.graph if node.op_type == "If" and scalar(node.inputs[0]) is not None]:
        _choose_branch(node, edit)
        changes += 1
    return changes


def _replace(value: ir.Value, array: NDArray[Any], edit: Editor) -> None:
    """Let a constant stand for ``value`` under its name, by which a plan may know it; a model's output keeps its own."""
    made = edit.constant(array, value.name or "folded")
    edit.replace(value, made)
    if value.name and not (value.is_graph_output() or made.is_graph_output()):
        name, free = value.name, made.name
        value.name = f"{free}_replaced"
        made.name = name
        value.name = free


def lift_constants(model: ir.Model) -> int:
    """Turn Constant nodes, those of subgraphs included, into initializers of the main graph."""
    found = [
        node
        for node in ir.traversal.RecursiveGraphIterator(model.graph)
        if node.op_type == "Constant" and node.domain == ""
    ]
    if not found:
        return 0
    edit = Editor(model)
    for node in found:
        value = node.outputs[0]
        graph = node.graph
        assert graph is not None
        edit.replace(value, edit.constant(_constant_array(node), value.name or "constant"))
        graph.remove(node, safe=True)
    return len(found)


def _constant_array(node: ir.Node) -> NDArray[Any]:
    (attribute,) = node.attributes.values()
    if attribute.name == "value":
        return attribute.as_tensor().numpy()
    if attribute.name in ("value_string", "value_strings"):
        return np.asarray(attribute.value, object)
    if attribute.name == "sparse_value":
        raise ValueError(f"the sparse constant {node.outputs[0].name!r} can't be read")
    return np.asarray(attribute.value, np.float32 if attribute.name.startswith("value_float") else np.int64)


def _foldable(graph: ir.Graph) -> list[ir.Node]:
    """Nodes that depend on constants alone, in order."""
    known: set[ir.Value] = set()
    found = []
    for node in graph:
        reads = [value for value in (*node.inputs, *_captured(node)) if value is not None]
        if node.op_type in _NEVER_FOLDED or node.domain != "" or not node.outputs:
            continue
        if all(value in known or constant(value) is not None for value in reads) and _is_small(node, reads):
            found.append(node)
            known.update(node.outputs)
    return found


def _captured(node: ir.Node) -> Iterable[ir.Value]:
    """Values of the outer graph that the node's subgraphs read."""
    for attribute in node.attributes.values():
        if attribute.type not in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS):
            continue
        graphs = [attribute.as_graph()] if attribute.type is ir.AttributeType.GRAPH else attribute.as_graphs()
        for graph in graphs:
            inner: set[ir.Value] = {*graph.inputs, *graph.initializers.values()}
            for child in ir.traversal.RecursiveGraphIterator(graph):
                inner.update(child.outputs)
                yield from (value for value in child.inputs if value is not None and value not in inner)
            yield from (value for value in graph.outputs if value not in inner)


def _is_small(node: ir.Node, reads: Sequence[ir.Value]) -> bool:
    """False when the result would blow the model up (a huge ConstantOfShape, say)."""
    size = 0
    for value in node.outputs:
        shape = static_shape(value)
        if shape is None:
            if node.op_type in _GROWING:
                return False
            continue
        size += int(np.prod(shape, dtype=np.int64))
    known = sum(int(np.prod(static_shape(value) or (0,), dtype=np.int64)) for value in reads)
    return size <= max(_LARGEST_GROWN_TENSOR, known)


def _compute(nodes: list[ir.Node], graph: ir.Graph) -> dict[ir.Value, NDArray[Any]]:
    """Values of ``nodes`` that anything else needs; those that ONNX Runtime can't compute are left out."""
    inside = set(nodes)
    wanted = [
        value
        for node in nodes
        for value in node.outputs
        if value.is_graph_output() or any(use.node not in inside for use in value.uses())
    ]
    try:
        return _run(nodes, wanted, graph)
    except runtime_errors():
        return _compute_one_by_one(nodes, graph)


def _compute_one_by_one(nodes: list[ir.Node], graph: ir.Graph) -> dict[ir.Value, NDArray[Any]]:
    """For graphs in which a node has no kernel: only nodes whose inputs are constants now; the next round does more."""
    found: dict[ir.Value, NDArray[Any]] = {}
    for node in nodes:
        if all(value is None or constant(value) is not None for value in node.inputs):
            try:
                found.update(_run([node], [value for value in node.outputs if value.uses()], graph))
            except runtime_errors():
                continue
    return found


def _run(nodes: list[ir.Node], wanted: list[ir.Value], graph: ir.Graph) -> dict[ir.Value, NDArray[Any]]:
    import onnxruntime as ort

    if not wanted:
        return {}
    proto = onnx.ModelProto(ir_version=IR_VERSION)
    for domain, version in graph.opset_imports.items():
        proto.opset_import.add(domain=domain, version=version)
    proto.graph.name = "constants"
    feeds: dict[str, NDArray[Any]] = {}
    reads = dict.fromkeys(value for node in nodes for value in (*node.inputs, *_captured(node)) if value is not None)
    for value in reads:
        if (array := constant(value)) is not None:
            _give(proto.graph, value, array, feeds)
    for node in nodes:
        ir.serde.serialize_node_into(proto.graph.node.add(), node)
    for value in wanted:
        proto.graph.output.add(name=value.name)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(wanted, session.run([value.name for value in wanted], feeds), strict=True))


def _give(graph: onnx.GraphProto, value: ir.Value, array: NDArray[Any], feeds: dict[str, NDArray[Any]]) -> None:
    """Large constants are fed, which copies nothing; small ones stand in the graph, where shape inference sees them."""
    assert value.name is not None
    assert value.const_value is not None
    if array.size > _LARGEST_INLINE_TENSOR and array.dtype.kind in "fiub":
        ir.serde.serialize_value_into(graph.input.add(), value)
        feeds[value.name] = array
    else:
        ir.serde.serialize_tensor_into(graph.initializer.add(), value.const_value)
        graph.initializer[-1].name = value.name


def _remove_unused(graph: ir.Graph, nodes: list[ir.Node]) -> None:
    for node in reversed(nodes):
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            graph.remove(node, safe=True)


def _choose_branch(node: ir.Node, edit: Editor) -> None:
    """Move the nodes of the branch that is taken in front of the If, and remove it."""
    graph = node.graph
    assert graph is not None
    branch = node.attributes["then_branch" if scalar(node.inputs[0]) else "else_branch"].as_graph()
    for value in list(branch.initializers.values()):
        branch.initializers.pop(value.name or "")
        value.name = edit.unique(value.name or "constant")
        graph.register_initializer(value)
    results = list(branch.outputs)
    branch.outputs.clear()
    moved = list(branch)
    branch.remove(moved)
    graph.insert_before(node, moved)
    for child in moved:
        child.name = edit.unique(child.name or child.op_type)
        for value in child.outputs:
            if value.name:
                value.name = edit.unique(value.name)
    for old, new in zip(node.outputs, results, strict=True):
        edit.replace(old, new)
    graph.remove(node, safe=True)


_NEVER_FOLDED = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Identity"}
)
_GROWING = frozenset({"ConstantOfShape", "Expand", "EyeLike", "OneHot", "Pad", "Range", "Resize", "Tile"})
_LARGEST_GROWN_TENSOR = 1 << 20
_LARGEST_INLINE_TENSOR = 256

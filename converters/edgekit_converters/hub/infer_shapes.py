"""Give every value the dtype and shape that follow from the model's inputs."""

from __future__ import annotations

from collections.abc import Set

import onnx
import onnx_ir as ir

from edgekit_converters.hub.inferable import SHAPED_AS_INPUT, inferable
from edgekit_converters.hub.loop_shapes import loop_types
from edgekit_converters.hub.model import IR_VERSION


def infer_shapes(model: ir.Model) -> int:
    """Infer dtype and shape of every value of the main graph anew; what was written there before is forgotten.

    Requires: constants are initializers. Ensures: shapes hold nothing stale. Only where nothing can be inferred does a
    model output keep the shape it declared. Large constants are shown to the inference by shape alone, at no cost in memory.

    Returns 1 when a shape or dtype changed, else 0.
    """
    for graph in model.graph.subgraphs():
        _forget(graph)
    inferred = _infer(model)
    changed = 0
    outputs = set(model.graph.outputs)
    symbols = {str(dim) for value in model.graph.inputs for dim in value.shape or () if not isinstance(dim, int)}
    for node in model.graph:
        for value in () if _is_typed(node) else node.outputs:
            found = inferred.get(value.name or "")
            changed |= _update(value, found, value.shape if value in outputs else None, symbols)
    return changed


def _is_typed(node: ir.Node) -> bool:
    """Whether the node's outputs say themselves what they are."""
    return node.domain == OWN_DOMAIN and node.op_type not in SHAPED_AS_INPUT


def _forget(graph: ir.Graph) -> None:
    """What a subgraph gives back keeps its shape: inference can't always find it."""
    for node in graph:
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape = None


def _infer(model: ir.Model) -> dict[str, onnx.TypeProto]:
    proto = onnx.ModelProto(ir_version=IR_VERSION)
    for domain, version in model.graph.opset_imports.items():
        proto.opset_import.add(domain=domain, version=version)
    graph = proto.graph
    graph.name = "shapes"
    for value in model.graph.inputs:
        ir.serde.serialize_value_into(graph.input.add(), value)
    for value in model.graph.initializers.values():
        _declare_constant(graph, value)
    for node in model.graph:
        if _is_typed(node):
            for value in node.outputs:
                ir.serde.serialize_value_into(graph.input.add(), value)
        else:
            graph.node.append(inferable(ir.to_proto(node)))
    for value in model.graph.outputs:
        if value.producer() is not None:
            graph.output.add(name=value.name)
    inferred = _inferred(proto)
    loops = [node for node in model.graph if node.op_type == "Loop" and node.domain == ""]
    for _ in loops:  # one may read what another gives
        added = sum(_declare_results(proto.graph, node, inferred) for node in loops)
        if not added:
            break
        inferred = _inferred(proto)
    return inferred


def _inferred(proto: onnx.ModelProto) -> dict[str, onnx.TypeProto]:
    result = onnx.shape_inference.infer_shapes(proto, check_type=False, strict_mode=False, data_prop=True).graph
    return {info.name: info.type for info in (*result.input, *result.value_info, *result.output)}


def _declare_results(graph: onnx.GraphProto, node: ir.Node, inferred: dict[str, onnx.TypeProto]) -> int:
    """Enter what ONNX's inference does not say of a Loop; returns how many outputs are new."""
    known = {info.name for info in graph.value_info}
    types = loop_types(node, inferred) or []
    new = [(value, kind) for value, kind in zip(node.outputs, types, strict=False) if value.name not in known]
    outputs = {info.name: info for info in graph.output}
    for value, kind in new:
        graph.value_info.add(name=value.name).type.CopyFrom(kind)
        if value.name in outputs:
            outputs[value.name].type.CopyFrom(kind)
    return len(new)


def _declare_constant(graph: onnx.GraphProto, value: ir.Value) -> None:
    tensor = value.const_value
    if tensor is None or value.is_graph_input():
        return
    if tensor.size <= _LARGEST_SHAPE_TENSOR:
        ir.serde.serialize_tensor_into(graph.initializer.add(), tensor)
        graph.initializer[-1].name = value.name or ""
    else:
        ir.serde.serialize_value_into(graph.input.add(), value)


def _update(value: ir.Value, found: onnx.TypeProto | None, declared: ir.Shape | None, symbols: Set[str]) -> int:
    before = (value.type, value.shape)
    shape = None
    if found is not None and found.WhichOneof("value") is not None:
        value.type = ir.serde.deserialize_type_proto_for_type(found) or value.type
        shape = ir.serde.deserialize_type_proto_for_shape(found)
    value.shape = shape if declared is None else _merged(shape, declared, symbols)
    return int((value.type, value.shape) != before)


def _merged(inferred: ir.Shape | None, declared: ir.Shape, symbols: Set[str]) -> ir.Shape:
    """The inferred shape; where inference only made up a name, the declared dimension."""
    if inferred is None or len(inferred) != len(declared):
        return inferred if inferred is not None else declared
    return ir.Shape(
        [
            new if isinstance(new, int) or str(new) in symbols or not _is_made_up(new) else old
            for new, old in zip(inferred, declared, strict=True)
        ]
    )


def _is_made_up(dim: ir.SymbolicDim) -> bool:
    return dim.value is None or str(dim.value).startswith("unk__")


OWN_DOMAIN = "edgekit"
"""Of operators that are no ONNX; a writer may put them into its copy of a hub, with the types of what they give."""
_LARGEST_SHAPE_TENSOR = 1024

"""Take functions apart: those that the model brings along, and operators newer than the project's opset, which ONNX
defines by a body of older ones."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import onnx.inliner
import onnx_ir as ir
import onnx_ir.passes.common as common_passes

from edgekit.errors import UnsupportedLayerError
from edgekit_converters.hub.edit import Editor
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.model import IR_VERSION, OPSET


def inline_functions(model: ir.Model, changed_between: Callable[[str, int, int], bool]) -> None:
    """Replace every call of the model's own functions by the function's body, in place.

    ``changed_between(op, one, other)`` says whether an operator means something else in another opset. Raises
    UnsupportedLayerError for a function whose opset differs from the model's in a way that matters.
    """
    if not model.functions:
        return
    opset = model.graph.opset_imports.get("", OPSET)
    for function in model.functions.values():
        own = function.opset_imports.get("", opset)
        for node in function.all_nodes():
            if own != opset and node.domain == "" and changed_between(node.op_type, own, opset):
                raise UnsupportedLayerError(
                    f"the function {function.name!r} uses {node.op_type} of opset {own} in a model of opset {opset}, where it "
                    "means something else. Export the model with one opset."
                )
        for domain, version in model.graph.opset_imports.items():
            if domain in function.opset_imports:
                function.opset_imports[domain] = version
    common_passes.InlinePass()(model)


def expand_newer_operators(model: ir.Model) -> None:
    """Replace operators that `OPSET` doesn't have by their definition, in place.

    Raises UnsupportedLayerError for one that has none.
    """
    opset = model.graph.opset_imports[""]
    for _ in range(_DEEPEST):
        newer = [node for node in ir.traversal.RecursiveGraphIterator(model.graph) if _is_newer(node)]
        if not newer:
            return
        infer_shapes(model)
        edit = Editor(model)
        for node in newer:
            _expand(node, opset, edit)


def _is_newer(node: ir.Node) -> bool:
    return node.domain == "" and not onnx.defs.has(node.op_type, OPSET, "") and onnx.defs.has(node.op_type)


def _expand(node: ir.Node, opset: int, edit: Editor) -> None:
    body = _definition(node, opset)
    if body is None:
        raise UnsupportedLayerError(
            f"node {node.name!r} uses {node.op_type}, which is newer than opset {OPSET} and has no definition in older "
            f"operators. Export the model with opset {OPSET}."
        )
    graph = node.graph
    assert graph is not None
    given = {value.name: value for value in node.inputs if value is not None}
    results = list(body.outputs)
    children = list(body)
    for child in children:
        for index, value in enumerate(child.inputs):
            if value is not None and value.name in given and value.producer() is None:
                child.replace_input_with(index, given[value.name])
    body.outputs.clear()
    body.remove(children)
    graph.insert_before(node, children)
    for child in children:
        child.name = edit.unique(f"{node.name or node.op_type}/{child.op_type}")
        for value in child.outputs:
            value.name = edit.unique(f"{child.name}_{value.name or 'out'}")
    for old, new in zip(_read(node), results, strict=True):
        edit.replace(old, new)
    graph.remove(node, safe=True)


def _read(node: ir.Node) -> list[ir.Value]:
    """The outputs that anybody uses."""
    return [value for value in node.outputs if value.uses() or value.is_graph_output()]


def _definition(node: ir.Node, opset: int) -> ir.Graph | None:
    """A graph of older operators that computes the node, with the node's own value names at its border."""
    proto = onnx.ModelProto(ir_version=IR_VERSION)
    proto.opset_import.add(domain="", version=opset)
    proto.graph.name = node.op_type
    ir.serde.serialize_node_into(proto.graph.node.add(), node)
    proto.graph.node[0].domain = ""
    _state_defaults(proto.graph.node[0], opset)
    for value in dict.fromkeys(value for value in node.inputs if value is not None):
        ir.serde.serialize_value_into(proto.graph.input.add(), value)
    for value in _read(node):
        proto.graph.output.add(name=value.name)
    try:
        inlined = onnx.inliner.inline_selected_functions(proto, [("", node.op_type)], inline_schema_functions=True)
    except RuntimeError:  # the inliner can't handle some omitted inputs
        return None
    if any(child.op_type == node.op_type for child in inlined.graph.node):
        return None
    return ir.serde.deserialize_graph(inlined.graph)


def _state_defaults(node: onnx.NodeProto, opset: int) -> None:
    """Write the default of every omitted attribute into the node: the inliner would leave references to nothing."""
    given = {attribute.name for attribute in node.attribute}
    for name, attribute in onnx.defs.get_schema(node.op_type, opset, "").attributes.items():
        if name not in given and attribute.default_value.type != onnx.AttributeProto.UNDEFINED:
            node.attribute.append(attribute.default_value)


_DEEPEST = 8

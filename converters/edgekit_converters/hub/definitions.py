"""Operators by ONNX's own definition: many are functions of simpler ones, with a body that the specification gives."""

from __future__ import annotations

from typing import Any

import onnx
import onnx.inliner
import onnx_ir as ir

from edgekit_converters.hub.edit import Editor
from edgekit_converters.hub.model import IR_VERSION, OPSET


def expand(node: ir.Node, opset: int, edit: Editor) -> bool:
    """Put the definition of ``node`` in its place; False, and nothing changed, for an operator that has none in `OPSET`.

    The values that it made keep their names. Requires: the dtypes of the node's inputs are known.
    """
    body = _definition(node, opset)
    if body is None:
        return False
    graph = node.graph
    assert graph is not None
    given = {value.name: value for value in node.inputs if value is not None}
    results, children = list(body.outputs), list(body)
    _read_from_outside(children, given)
    body.outputs.clear()
    body.remove(children)
    graph.insert_before(node, children)
    _rename(children, node, edit)
    for old, new in zip(_read(node), results, strict=True):
        edit.replace(old, given.get(new.name, new) if new.producer() is None else new)
    graph.remove(node, safe=True)
    return True


def _read_from_outside(children: list[ir.Node], given: dict[str | None, ir.Value]) -> None:
    for child in children:
        for index, value in enumerate(child.inputs):
            if value is not None and value.name in given and value.producer() is None:
                child.replace_input_with(index, given[value.name])
        for entry in child.attributes.values():
            if entry.type is ir.AttributeType.GRAPH:
                _read_from_outside(list(entry.as_graph()), given)


def _rename(children: list[ir.Node], node: ir.Node, edit: Editor) -> None:
    for child in children:
        child.name = edit.unique(f"{node.name or node.op_type}/{child.op_type}")
        for value in child.outputs:
            if value.name:
                value.name = edit.unique(f"{child.name}_{value.name}")


def _read(node: ir.Node) -> list[ir.Value]:
    """The outputs that anybody uses."""
    return [value for value in node.outputs if value.uses() or value.is_graph_output()]


def _definition(node: ir.Node, opset: int) -> ir.Graph | None:
    """A graph of operators of `OPSET` that computes the node, with the node's own value names at its border."""
    call = ir.serde.serialize_node(node)
    call.domain = ""
    for entry in call.attribute:
        entry.ClearField("doc_string")
    function = _function(call, node, opset)
    if function is None:
        return None
    function.domain = call.domain = _DOMAIN
    proto = onnx.ModelProto(ir_version=IR_VERSION, functions=[function])
    proto.opset_import.add(domain="", version=function.opset_import[0].version)
    proto.opset_import.add(domain=_DOMAIN, version=1)
    proto.graph.name = node.op_type
    proto.graph.node.append(call)
    for value in dict.fromkeys(value for value in node.inputs if value is not None):
        ir.serde.serialize_value_into(proto.graph.input.add(), value)
    for value in _read(node):
        proto.graph.output.add(name=value.name)
    inlined = onnx.inliner.inline_local_functions(proto).graph
    return ir.serde.deserialize_graph(inlined) if _is_of_opset(inlined) else None


def _function(call: onnx.NodeProto, node: ir.Node, opset: int) -> onnx.FunctionProto | None:
    schema: Any = onnx.defs.get_schema(call.op_type, opset, "")  # onnx declares no types for functions
    _state_defaults(call, schema)
    if schema.has_function:
        function = onnx.FunctionProto()
        function.CopyFrom(schema.function_body)
    elif schema.has_context_dependent_function:
        types = [_type(value) for value in node.inputs]
        function = onnx.FunctionProto.FromString(schema.get_context_dependent_function(call.SerializeToString(), types))
    else:
        return None
    return function if function.node and function.opset_import else None


def _type(value: ir.Value | None) -> bytes:
    """The type of an input; an omitted one has none."""
    proto = onnx.TypeProto() if value is None else ir.serde.serialize_value(value).type
    serialized: bytes = proto.SerializeToString()
    return serialized


def _is_of_opset(graph: onnx.GraphProto) -> bool:
    """Whether `OPSET` knows every node with these attributes: some definitions are written in older or newer operators."""
    for node in graph.node:
        if not onnx.defs.has(node.op_type, OPSET, "") and onnx.defs.has(node.op_type):
            continue  # newer, and to be expanded in its turn
        known = onnx.defs.get_schema(node.op_type, OPSET, "").attributes
        for entry in node.attribute:
            if entry.name not in known or (entry.HasField("g") and not _is_of_opset(entry.g)):
                return False
    return True


def _state_defaults(node: onnx.NodeProto, schema: onnx.defs.OpSchema) -> None:
    """Write the default of every omitted attribute into the node: the inliner would leave references to nothing."""
    given = {attribute.name for attribute in node.attribute}
    for name, attribute in schema.attributes.items():
        if name not in given and attribute.default_value.type != onnx.AttributeProto.UNDEFINED:
            node.attribute.append(attribute.default_value)


_DOMAIN = "edgekit.definition"

"""Take functions apart: those that the model brings along, and operators newer than the project's opset, which ONNX
defines by a body of older ones."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common_passes

from edgekit.errors import UnsupportedLayerError
from edgekit_converters.hub.definitions import expand
from edgekit_converters.hub.edit import Editor
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.model import OPSET
from edgekit_converters.sources.onnx.newer import RULES, has_newer_form


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
    if opset > OPSET:
        infer_shapes(model)  # the types tell operators that are newer only for some of them
    for _ in range(_DEEPEST):
        newer = [node for node in ir.traversal.RecursiveGraphIterator(model.graph) if _is_newer(node)]
        if not newer:
            return
        infer_shapes(model)
        edit = Editor(model)
        for node in newer:
            _expand(node, opset, edit)


def _is_newer(node: ir.Node) -> bool:
    if node.domain != "":
        return False
    absent = not onnx.defs.has(node.op_type, OPSET, "") and onnx.defs.has(node.op_type)
    return absent or has_newer_form(node)


def _expand(node: ir.Node, opset: int, edit: Editor) -> None:
    rule = RULES.get(node.op_type)
    if rule is not None:
        edit.replace_node(node, rule(node, edit))
    elif not expand(node, opset, edit):
        raise UnsupportedLayerError(
            f"node {node.name!r} uses {node.op_type}, which is newer than opset {OPSET} and has no definition in older "
            f"operators. Export the model with opset {OPSET}."
        )


_DEEPEST = 8

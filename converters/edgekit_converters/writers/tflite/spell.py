"""`spell`: write nodes that TFLite has no kernels for in operators that it has, on the hub, before the file is written."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgekit_converters.hub.decompose import decompose
from edgekit_converters.hub.definitions import expand
from edgekit_converters.hub.edit import Editor
from edgekit_converters.hub.fold_constants import fold_constants
from edgekit_converters.hub.fold_shapes import fold_shapes
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.model import OPSET
from edgekit_converters.hub.passes import until_settled
from edgekit_converters.hub.remove_no_ops import remove_dead_code
from edgekit_converters.hub.single_precision import make_single_precision
from edgekit_converters.hub.tidy import give_names
from edgekit_converters.writers.tflite import spellings
from edgekit_converters.writers.tflite.spelling import Spelling, spelling_of

DEFINED = (
    "AffineGrid",
    "BlackmanWindow",
    "CenterCropPad",
    "DynamicQuantizeLinear",
    "HammingWindow",
    "HannWindow",
    "NegativeLogLikelihoodLoss",
    "SoftmaxCrossEntropyLoss",
)
"""Operators that are written by ONNX's own definition of them."""


def spell(model: ir.Model) -> int:
    """Replace, in place, every node that has a spelling or whose op is one of `DEFINED`; returns how many.

    Values that remain keep their names, so that a plan holds for the result. Requires: static shapes. Raises UnsupportedOpError.
    """
    spellings.load()
    total = 0
    while changes := _spell_once(model):
        total += changes
        make_single_precision(model)
        settle(model)
    return total


def settle(model: ir.Model) -> None:
    """Infer and fold what nodes that are new brought with them."""
    until_settled(model, (infer_shapes, decompose, fold_constants, fold_shapes, remove_dead_code))
    give_names(model)


def _spell_once(model: ir.Model) -> int:
    edit = Editor(model)
    changes = 0
    for node in list(model.graph):
        if node.op_type in DEFINED:
            changes += expand(node, OPSET, edit)
        elif (rule := spelling_of(node.op_type)) is not None and (found := rule(Spelling(node, edit))) is not None:
            _replace(node, (found,) if isinstance(found, ir.Value) else found, edit)
            changes += 1
    return changes


def _replace(node: ir.Node, results: Sequence[ir.Value], edit: Editor) -> None:
    for old, new in zip(node.outputs, results, strict=False):
        name = old.name
        edit.replace(old, new)
        if not old.is_graph_output() and not new.is_graph_output() and new.producer() is not None:
            old.name = edit.unique(f"{name}_replaced")
            new.name = name
    graph = node.graph
    assert graph is not None
    graph.remove(node, safe=True)

"""Spell operators for a file without float operators, where an ordinary int8 file would keep them float."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import Editor, constant, consumers, nodes_of, scalar
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.model import Hub
from edgekit_converters.hub.passes import until_settled
from edgekit_converters.hub.remove_no_ops import remove_dead_code
from edgekit_converters.hub.spell_normalizations import spell_normalizations

DEEPEST_MASK = -100.0
"""What a masked score is lowered by: exp(-100) is 0 in any kernel, and the range of scores stays one that 16 bits resolve."""


SMALLEST_COLUMN = 1e-20
"""Scale of a column of zeros."""


def integer_only_forms(hub: Hub) -> Hub:
    """A hub that computes the same (but for the last bits of float32) with ops that have integer kernels."""
    result = hub.clone()
    model = result.model
    spell_normalizations(model)
    _roots(model)
    _scale_tables(model)
    _masks(model)
    remove_dead_code(model)
    until_settled(model, (infer_shapes,))
    return result


def _roots(model: ir.Model) -> None:
    """A reciprocal is a power, whose kernel reads integers."""
    edit = Editor(model)
    for node in nodes_of(model, "Reciprocal"):
        edit.replace_node(node, edit.node("Pow", [node.inputs[0], edit.floats(-1.0)], node, node.outputs[0]))


def _scale_tables(model: ir.Model) -> None:
    """Scale the columns of an embedding behind the look-up: its integers then have one scale, as GATHER demands."""
    edit = Editor(model)
    for node in nodes_of(model, "Gather"):
        table = constant(node.inputs[0])
        if table is None or table.dtype != np.float32 or table.ndim != 2 or node.attributes.get_int("axis", 0) != 0:
            continue
        columns = np.maximum(np.abs(table).max(axis=0), SMALLEST_COLUMN).astype(np.float32)
        rows = edit.constant(table / columns, f"{node.name}/rows")
        found = edit.node("Gather", [rows, node.inputs[1]], node, node.outputs[0], axis=0)
        scaled = edit.node("Mul", [found, edit.constant(columns, f"{node.name}/columns")], node, node.outputs[0])
        edit.replace_node(node, scaled)


def _masks(model: ir.Model) -> None:
    """Raise the numbers that stand for minus infinity to what an encoding of finite steps can hold."""
    edit = Editor(model)
    for node in nodes_of(model, "Add", "Where"):
        for index, value in enumerate(node.inputs):
            array = constant(value)
            if array is not None and array.dtype == np.float32 and _is_mask(array):
                node.replace_input_with(index, edit.constant(np.maximum(array, np.float32(DEEPEST_MASK)), "mask"))
    for node in nodes_of(model, "Mul"):
        readers = consumers(node.outputs[0])
        for index, value in enumerate(node.inputs):
            factor = scalar(value)
            if factor is not None and abs(factor) >= -_DEEP and all(each.op_type in _PASSING for each in readers):
                node.replace_input_with(index, edit.floats(math.copysign(DEEPEST_MASK, factor), "mask"))


def _is_mask(array: NDArray[np.float32]) -> bool:
    """Nothing but 0 and numbers of no meaning but to be far below everything."""
    return bool((array <= _DEEP).any() and ((array == 0) | (array <= _DEEP)).all())


_DEEP = -1e3
_PASSING = ("Add", "Unsqueeze", "Expand", "Reshape")

"""Selections whose size the data decides, in a file of fixed shapes: as many rows as there may be, and a mask of those that
count.

A NonMaxSuppression gives room for every box it may choose. What is computed from it row by row stays as it is; a TopK over the
rows puts those that do not count last; at the model's outputs the rows that count are gathered, whose number the run decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from edgekit.errors import UnsupportedOpError
from edgekit_converters.hub.edit import Editor, attribute, integers, nodes_of, static_shape
from edgekit_converters.hub.infer_shapes import OWN_DOMAIN

MOST_SUPPRESSIONS = 256
SUPPRESSION, SELECTED = "BoundedNonMaxSuppression", "SelectedRows"


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The axis along which a value has bounded rows, the mask of those that count, and, for indices from a TopK, the mask of the
    rows that they count in."""

    axis: int
    mask: ir.Value
    within: ir.Value | None = None


def bound_selections(model: ir.Model) -> int:
    """Give every NonMaxSuppression a fixed size, in place; returns how many there are. Requires: inferred shapes.

    Raises UnsupportedOpError where its rows are used otherwise than row by row.
    """
    edit = Editor(model)
    found = nodes_of(model, "NonMaxSuppression")
    rows = {}
    for node in found:
        made = _bounded(node, edit)
        rows[made.outputs[0]] = _Rows(0, made.outputs[1])
    if found:
        _follow(model, rows, edit)
    return len(found)


def _bounded(node: ir.Node, edit: Editor) -> ir.Node:
    boxes, scores = static_shape(node.inputs[0]), static_shape(node.inputs[1])
    most = integers(node.inputs[2]) if len(node.inputs) > 2 else None
    if boxes is None or scores is None or most is None:
        raise _refusal(node, "the shapes of its inputs or its number of results are not constant")
    if scores[0] * scores[1] > MOST_SUPPRESSIONS:
        raise _refusal(node, f"it has {scores[0] * scores[1]} pictures x classes; expected at most {MOST_SUPPRESSIONS}")
    kept = min(most[0], boxes[1])
    if kept < 1:
        raise _refusal(node, "it selects nothing")
    settings = {"center_point_box": attribute(node, "center_point_box", 0), "kept": kept}
    made = _own_node(node, SUPPRESSION, list(node.inputs), 2, edit, settings)
    count = scores[0] * scores[1] * kept
    for value, shape, dtype in zip(
        made.outputs, ((count, 3), (count,)), (ir.DataType.INT64, ir.DataType.BOOL), strict=True
    ):
        value.type, value.shape = ir.TensorType(dtype), ir.Shape(shape)
    edit.replace(node.outputs[0], made.outputs[0])
    graph = node.graph
    assert graph is not None
    graph.remove(node, safe=True)
    return made


def _own_node(
    before: ir.Node, op: str, inputs: list[ir.Value | None], outputs: int, edit: Editor, settings: Mapping[str, Any]
) -> ir.Node:
    first = edit.node(op, inputs, before=before, outputs=outputs, **settings)
    made = first.producer()
    assert made is not None
    made.domain = OWN_DOMAIN
    return made


def _follow(model: ir.Model, rows: dict[ir.Value, _Rows], edit: Editor) -> None:
    counts: set[ir.Value] = set()
    for node in list(model.graph):
        reads = [value for value in node.inputs if value is not None]
        if any(value in counts for value in reads):
            _follow_count(node, counts)
        if not any(value in rows for value in reads):
            continue
        if node.op_type == "Shape":
            counts.update(node.outputs)
            continue
        rule = _RULES.get(node.op_type)
        made = {} if rule is None else rule(node, rows, edit)
        if not made:
            raise _refusal(node, "it computes over the rows of a NonMaxSuppression, whose number only the data decides")
        rows.update(made if isinstance(made, dict) else dict.fromkeys(node.outputs, made))
    for place, value in enumerate(model.graph.outputs):
        if value in counts or (value in rows and rows[value].within is not None):
            raise _refusal(value.producer(), "it gives the number or the places of the rows of a NonMaxSuppression")
        if value in rows:
            _select(model, place, rows[value], edit)


def _follow_count(node: ir.Node, counts: set[ir.Value]) -> None:
    """The number of rows may decide shapes, which are those of all rows then."""
    if node.op_type in _OF_SHAPES:
        counts.update(node.outputs)
    elif node.op_type not in _SHAPED or node.inputs[0] in counts:
        raise _refusal(node, "it computes with the number of rows of a NonMaxSuppression")


def _select(model: ir.Model, place: int, rows: _Rows, edit: Editor) -> None:
    """Only the rows that count, as the model's output."""
    graph, value = model.graph, model.graph.outputs[place]
    last = list(graph)[-1]
    made = ir.node(SELECTED, [value, rows.mask], {"axis": rows.axis}, domain=OWN_DOMAIN, name=edit.unique(SELECTED))
    graph.insert_after(last, made)
    output = made.outputs[0]
    output.name, value.name = value.name, edit.unique(f"{value.name}_rows")
    output.type = value.type
    graph.outputs[place] = output


def _refusal(node: ir.Node | None, why: str) -> UnsupportedOpError:
    assert node is not None
    return UnsupportedOpError(node.op_type, node.name or "", "TFLite", why)


def _rank(value: ir.Value | None) -> int:
    assert value is not None
    assert value.shape is not None
    return len(value.shape)


_Rule = Callable[[ir.Node, dict[ir.Value, _Rows], Editor], "_Rows | dict[ir.Value, _Rows] | None"]
"""The rows of the node's outputs, alike or by output; None where they are not computed row by row."""


def _rows_of(node: ir.Node, index: int, rows: dict[ir.Value, _Rows]) -> _Rows | None:
    value = node.inputs[index]
    return None if value is None else rows.get(value)


def _same(node: ir.Node, rows: dict[ir.Value, _Rows], edit: Editor) -> _Rows | None:
    found = _rows_of(node, 0, rows)
    return found if node.op_type in ("Cast", "Identity") else _plain(found)


def _plain(found: _Rows | None) -> _Rows | None:
    return None if found is None or found.within is not None else found


def _elementwise(node: ir.Node, rows: dict[ir.Value, _Rows], edit: Editor) -> _Rows | None:
    """All that are bounded count the same rows."""
    rank = _rank(node.outputs[0])
    found = [(_plain(rows[value]), rank - _rank(value)) for value in node.inputs if value is not None and value in rows]
    places = {(None if one is None else one.mask, None if one is None else one.axis + lead) for one, lead in found}
    if len(places) != 1 or found[0][0] is None:
        return None
    return _Rows(found[0][0].axis + found[0][1], found[0][0].mask)


def _gather(node: ir.Node, rows: dict[ir.Value, _Rows], edit: Editor) -> _Rows | None:
    data, indices = (_rows_of(node, index, rows) for index in range(2))
    axis = attribute(node, "axis", 0) % _rank(node.inputs[0])
    if data is None and indices is not None and indices.within is None:
        return _Rows(axis + indices.axis, indices.mask)
    if data is not None and indices is not None:
        fits = data.axis == axis and data.within is None and indices.within is data.mask
        return _Rows(axis + indices.axis, indices.mask) if fits else None
    if data is None or data.axis == axis:
        return None
    return _Rows(data.axis + (_rank(node.inputs[1]) - 1 if data.axis > axis else 0), data.mask, data.within)


def _gather_nd(node: ir.Node, rows: dict[ir.Value, _Rows], edit: Editor) -> _Rows | None:
    indices = _rows_of(node, 1, rows)
    fits = node.inputs[0] not in rows and not attribute(node, "batch_dims", 0) and indices is not None
    return indices if fits and indices is not None and indices.axis < _rank(node.inputs[1]) - 1 else None


def _other_axes(node: ir.Node, rows: dict[ir.Value, _Rows], edit: Editor) -> _Rows | None:
    """Slice, Split, Softmax, reductions: along other axes."""
    found = _rows_of(node, 0, rows)
    rank = _rank(node.inputs[0])
    if node.op_type == "Slice":
        axes = integers(node.inputs[3]) if len(node.inputs) > 3 else tuple(range(len(integers(node.inputs[1]) or ())))
    elif node.op_type.startswith("Reduce"):
        axes = integers(node.inputs[1]) if len(node.inputs) > 1 else tuple(range(rank))
    else:
        axes = (attribute(node, "axis", -1 if "Softmax" in node.op_type else 0),)
    if found is None or axes is None or found.axis in (touched := [axis % rank for axis in axes]):
        return None
    drops = node.op_type.startswith(("Reduce", "Arg")) and not attribute(node, "keepdims", 1)
    before = sum(axis < found.axis for axis in touched) if drops else 0
    return _Rows(found.axis - before, found.mask, found.within)


def _concat(node: ir.Node, rows: dict[ir.Value, _Rows], edit: Editor) -> _Rows | None:
    found = _elementwise(node, rows, edit)
    every = all(value in rows for value in node.inputs)
    return (
        found
        if every and found is not None and found.axis != attribute(node, "axis") % _rank(node.outputs[0])
        else None
    )


def _reshape(node: ir.Node, rows: dict[ir.Value, _Rows], edit: Editor) -> _Rows | None:
    """The rows stay the first axis."""
    found = _rows_of(node, 0, rows)
    shapes = [value.shape for value in (node.inputs[0], node.outputs[0]) if value is not None]
    rests = []
    for shape in shapes:
        assert shape is not None
        rests.append([dim for dim in shape[1:] if isinstance(dim, int)])
    whole = all(shape is not None and len(rest) == len(shape) - 1 for rest, shape in zip(rests, shapes, strict=True))
    same = found is not None and found.axis == 0 and whole and np.prod(rests[0]) == np.prod(rests[1])
    return found if same else None


def _squeeze(node: ir.Node, rows: dict[ir.Value, _Rows], edit: Editor) -> _Rows | None:
    found, axes = _rows_of(node, 0, rows), integers(node.inputs[1]) if len(node.inputs) > 1 else None
    if found is None or axes is None:
        return None
    if node.op_type == "Squeeze":
        gone = [axis % _rank(node.inputs[0]) for axis in axes]
        return (
            None
            if found.axis in gone
            else _Rows(found.axis - sum(axis < found.axis for axis in gone), found.mask, found.within)
        )
    new = {axis % _rank(node.outputs[0]) for axis in axes}
    kept = [axis for axis in range(_rank(node.outputs[0])) if axis not in new]
    return _Rows(kept[found.axis], found.mask, found.within)


def _transpose(node: ir.Node, rows: dict[ir.Value, _Rows], edit: Editor) -> _Rows | None:
    found = _rows_of(node, 0, rows)
    order = attribute(node, "perm", tuple(reversed(range(_rank(node.inputs[0])))))
    return None if found is None else _Rows(order.index(found.axis), found.mask, found.within)


def _product(node: ir.Node, rows: dict[ir.Value, _Rows], edit: Editor) -> _Rows | None:
    found = _plain(_rows_of(node, 0, rows))
    alone = not any(value in rows for value in node.inputs[1:]) and not attribute(node, "transA", 0)
    return found if alone and found is not None and found.axis == _rank(node.inputs[0]) - 2 else None


def _top_k(node: ir.Node, rows: dict[ir.Value, _Rows], edit: Editor) -> _Rows | dict[ir.Value, _Rows] | None:
    """Over the rows: those that do not count get the worst score, and are marked behind it."""
    value = node.inputs[0]
    found = _plain(_rows_of(node, 0, rows))
    if found is None or value is None or value.dtype != ir.DataType.FLOAT:
        return None
    if found.axis != attribute(node, "axis", -1) % _rank(value):
        return found
    if _rank(value) != 1:
        return None
    worst = edit.floats(-3.4e38 if attribute(node, "largest", 1) else 3.4e38, "worst")
    node.replace_input_with(0, edit.node("Where", [found.mask, value, worst], before=node, like=value))
    most = static_shape(found.mask)
    assert most is not None
    count = edit.node("Min", [node.inputs[1], edit.index([most[0]])], before=node)
    node.replace_input_with(1, count)
    after = _next(node)
    mask = edit.node("Gather", [found.mask, node.outputs[1]], before=after, axis=0)
    mask.type = ir.TensorType(ir.DataType.BOOL)
    return {node.outputs[0]: _Rows(0, mask), node.outputs[1]: _Rows(0, mask, within=found.mask)}


def _next(node: ir.Node) -> ir.Node:
    graph = node.graph
    assert graph is not None
    nodes = list(graph)
    return nodes[nodes.index(node) + 1]


_OF_SHAPES = frozenset(
    {"Cast", "Concat", "Gather", "Identity", "Max", "Min", "Reshape", "Slice", "Squeeze", "Unsqueeze", "Where"}
)
_SHAPED = frozenset({"Expand", "Reshape", "TopK", "ConstantOfShape", "Range"})
_BY_ELEMENT = ("Abs", "Cast", "Ceil", "Clip", "Exp", "Floor", "Identity", "Log", "Neg", "Not", "Relu", "Round")
_TOGETHER = (
    "Add",
    "And",
    "Div",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Max",
    "Min",
    "Mod",
    "Mul",
)
_ALONG = ("ArgMax", "ArgMin", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Slice", "Softmax", "Split")
_RULES: dict[str, _Rule] = {
    **dict.fromkeys((*_BY_ELEMENT, "Sigmoid", "Sqrt", "Tanh"), _same),
    **dict.fromkeys((*_TOGETHER, "Or", "Pow", "Sub", "Where"), _elementwise),
    **dict.fromkeys(_ALONG, _other_axes),
    "Concat": _concat,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "Gemm": _product,
    "MatMul": _product,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _squeeze,
}

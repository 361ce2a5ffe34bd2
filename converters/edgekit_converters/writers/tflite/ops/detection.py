"""Boxes that suppress one another."""

from __future__ import annotations

import numpy as np

from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import identity
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.tape import Tape

_NO_THRESHOLD = -3.4e38


@lowers("BoundedNonMaxSuppression")
def non_max_suppression(node: HubNode, out: FlatGraph) -> None:
    """A NON_MAX_SUPPRESSION_V4 a picture and class: rows (picture, class, box), and a mask of those that were chosen. It
    suppresses from the threshold on, ONNX above it: the threshold is the next larger number."""
    tape = out.tape
    overlap = _number(node, 3, 0.0)
    if overlap >= 1.0:
        raise node.unsupported(f"its threshold of overlap is {overlap:g}; expected less than 1")
    boxes = _corners(node, tape, out.read_float(node, 0, identity(3)))
    scores = out.read_float(node, 1, identity(3))
    rows, masks = [], []
    for picture in range(scores.shape[0]):
        own = tape.reshape(tape.slice(boxes, (picture, 0, 0), (1, *boxes.shape[1:])), boxes.shape[1:])
        for category in range(scores.shape[1]):
            part = tape.slice(scores, (picture, category, 0), (1, 1, scores.shape[2]))
            chosen, count = _chosen(node, tape, own, tape.reshape(part, (scores.shape[2],)), overlap)
            rows.append(_labelled(tape, chosen, picture, category))
            numbers = tape.constant(np.arange(chosen.shape[0], dtype=np.int32))
            masks.append(tape.compute("LESS", numbers, count, dtype=np.bool_))
    out.bind(node, _joined(tape, rows), None, 0)
    out.bind(node, _joined(tape, masks), None, 1)


def _number(node: HubNode, index: int, default: float) -> float:
    if not node.has(index):
        return default
    return float(node.required_constant(index, "threshold").reshape(-1)[0])


def _corners(node: HubNode, tape: Tape, boxes: FlatTensor) -> FlatTensor:
    """(y1, x1, y2, x2) of boxes that may be given as (x, y, width, height) around their centre."""
    if not node.integer("center_point_box", 0):
        return boxes
    centre, size = (tape.slice(boxes, (0, 0, start), (*boxes.shape[:2], 2)) for start in (0, 2))
    half = tape.compute("MUL", size, tape.constant(0.5), builtin_options=options("MulOptions"))
    swap = tape.constant(np.array([1, 0], np.int32))
    corners = [
        tape.compute("GATHER", found, swap, shape=found.shape, builtin_options=options("GatherOptions", axis=2))
        for found in (
            tape.compute("SUB", centre, half, builtin_options=options("SubOptions")),
            tape.compute("ADD", centre, half, builtin_options=options("AddOptions")),
        )
    ]
    return tape.add("CONCATENATION", corners, tape.temporary(boxes.shape), options("ConcatenationOptions", axis=2))


def _chosen(
    node: HubNode, tape: Tape, boxes: FlatTensor, scores: FlatTensor, overlap: float
) -> tuple[FlatTensor, FlatTensor]:
    """Indices of the boxes kept, best first, and how many they are."""
    kept = node.integer("kept", 1)
    inputs = (
        boxes,
        scores,
        tape.constant(np.array(kept, np.int32), name="most"),
        tape.constant(np.nextafter(np.float32(overlap), np.float32(1))),
        tape.constant(np.array(_number(node, 4, _NO_THRESHOLD), np.float32)),
    )
    indices, count = tape.temporary((kept,), np.int32), tape.temporary((), np.int32)
    tape.add_many("NON_MAX_SUPPRESSION_V4", inputs, (indices, count), options("NonMaxSuppressionV4Options"))
    return indices, count


def _labelled(tape: Tape, chosen: FlatTensor, picture: int, category: int) -> FlatTensor:
    """Rows (picture, class, index)."""
    count = chosen.shape[0]
    labels = tape.constant(np.tile(np.array([[picture, category]], np.int32), (count, 1)))
    parts = (labels, tape.reshape(chosen, (count, 1)))
    return tape.add(
        "CONCATENATION", parts, tape.temporary((count, 3), np.int32), options("ConcatenationOptions", axis=1)
    )


def _joined(tape: Tape, parts: list[FlatTensor]) -> FlatTensor:
    if len(parts) == 1:
        return parts[0]
    shape = (sum(part.shape[0] for part in parts), *parts[0].shape[1:])
    return tape.add("CONCATENATION", parts, tape.temporary(shape, parts[0].dtype), options("ConcatenationOptions"))


@lowers("SelectedRows")
def selected_rows(node: HubNode, out: FlatGraph) -> None:
    """The rows that a mask marks: WHERE gives their places, of which there are as many as the data decides."""
    tape = out.tape
    rank, count = node.rank(), node.shape(1)[0]
    places = tape.temporary((count, 1), np.int64)
    tape.add("WHERE", (out.read(node, 1),), places)
    flat = tape.add(
        "SQUEEZE", (places,), tape.temporary((count,), np.int64), options("SqueezeOptions", squeezeDims=[1])
    )
    table = options("GatherOptions", axis=node.integer("axis", 0))
    out.tape.add("GATHER", (out.read(node, 0, identity(rank)), flat), out.output(node), table)

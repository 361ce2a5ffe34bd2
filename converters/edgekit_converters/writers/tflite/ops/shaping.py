"""Ops that repeat numbers or change their type."""

from __future__ import annotations

import numpy as np

from edgekit_converters.writers.tflite.flat_model import options
from edgekit_converters.writers.tflite.graph import FlatGraph, physical_dtype
from edgekit_converters.writers.tflite.layout import identity, permuted
from edgekit_converters.writers.tflite.node import HubNode, hub_dtype
from edgekit_converters.writers.tflite.plain_integers import read_movable
from edgekit_converters.writers.tflite.sharing import require_shared_encoding
from edgekit_converters.writers.tflite.table import lowers

_CASTABLE = (
    "float32",
    "float16",
    "float64",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "bool",
)


@lowers("Expand", int8=True)
def expand(node: HubNode, out: FlatGraph) -> None:
    require_shared_encoding(node, out)
    if node.shape() == node.output_shape():
        out.alias(node)
        return
    layout = out.common_layout(node, [0])
    shape = permuted(node.output_shape(), layout)
    sizes = out.tape.constant(np.array(shape, np.int32), name="shape")
    output = out.output(node, layout)
    out.tape.add("BROADCAST_TO", (read_movable(node, out, 0, layout), sizes), output, options("BroadcastToOptions"))


@lowers("Tile", int8=True)
def tile(node: HubNode, out: FlatGraph) -> None:
    require_shared_encoding(node, out)
    repeats, layout = node.required_constant(1, "list of repeats"), out.layout(node)
    if (repeats == 1).all():
        out.alias(node)
        return
    counts = out.tape.constant(np.array(permuted(repeats.tolist(), layout), np.int32), name="repeats")
    out.tape.add("TILE", (read_movable(node, out, 0), counts), out.output(node, layout), options("TileOptions"))


@lowers("Cast", "CastLike", int8=True)
def cast(node: HubNode, out: FlatGraph) -> None:
    """CAST; float to integer cuts the fraction off in both runtimes, anything but 0 becomes True."""
    source, target = node.dtype(), hub_dtype(node.output())
    for dtype in (source, target):
        if dtype.name not in _CASTABLE:
            raise node.unsupported(f"TFLite has no element type {dtype.name}")
    if physical_dtype(source) == physical_dtype(target):
        out.alias(node)
        return
    layout = out.layout(node)
    out.tape.add("CAST", (out.read(node, 0, layout),), out.output(node, layout))


@lowers("Shape", "Size", "ConstantOfShape", "Range", "EyeLike")
def known_before(node: HubNode, out: FlatGraph) -> None:
    """Everything in a TFLite file has a fixed shape, so what only shapes decide is a constant."""
    array = _KNOWN[node.op](node)
    out.bind(node, out.tape.constant(array), identity(array.ndim))


def _shape(node: HubNode) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    end = node.integer("end", node.rank())
    return np.array(node.shape()[node.integer("start", 0) : end], np.int64)


def _size(node: HubNode) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    return np.array(np.prod(node.shape()), np.int64)


def _constant_of_shape(node: HubNode) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    value = node.node.attributes.get("value")
    filler = np.zeros(1, np.float32) if value is None else value.as_tensor().numpy()
    return np.full(tuple(node.required_constant(0, "shape").tolist()), filler.reshape(-1)[0])


def _range(node: HubNode) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    start, limit, step = (node.required_constant(index, f"input {index}") for index in range(3))
    return np.arange(start.item(), limit.item(), step.item(), dtype=start.dtype)


def _eye_like(node: HubNode) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    rows, columns = node.shape()
    return np.eye(rows, columns, node.integer("k", 0), dtype=hub_dtype(node.output()))


_KNOWN = {
    "Shape": _shape,
    "Size": _size,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "EyeLike": _eye_like,
}

"""Layers that move elements without computing: reshape, permute, pad, crop, repeat, upsample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import onnx_ir as ir

from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.table import reads
from edgekit_converters.sources.keras.value import Value, channels_first, native


@reads("Flatten")
def flatten(call: LayerCall) -> Value:
    """Elements in channels-last order, also where the tensor has its channels first."""
    x = call.only
    if x.rank == 1:
        return reshaped(call, x, (1,))
    if x.rank == 2:
        return x
    layout = native(x.rank) if call.channels_last else (0, *range(2, x.rank), 1)
    return call.value(call.node("Flatten", x.unordered(layout), axis=1))


@reads("Reshape")
def reshape(call: LayerCall) -> Value:
    return reshaped(call, call.only, call.settings.integers("target_shape"))


def reshaped(call: LayerCall, x: Value, target: Sequence[int]) -> Value:
    """The tensor with these sizes behind the batch; one of them may be -1. No node where nothing changes."""
    sizes = _resolved(x.shape[1:], target)
    if sizes == list(x.shape[1:]):
        return x
    source = _before_reshapes(x.unordered(native(x.rank)))

    def made(order: Sequence[int]) -> ir.Value:
        wanted = [sizes[axis - 1] for axis in order[1:]]
        assert source.shape is not None
        if wanted == list(source.shape[1:]):
            return source
        return call.node("Reshape", source, call.constant(np.array([0, *wanted], np.int64), "shape"))

    rank = len(sizes) + 1
    if sum(size != 1 for size in sizes) > 1 or rank < 3:
        return call.value(made(native(rank)))
    orders = (native(rank), channels_first(rank))  # one long axis: every order of axes is the same reshape
    return Value(call.graph, {}, {order: partial(made, order) for order in orders})


def _before_reshapes(value: ir.Value) -> ir.Value:
    """The tensor of the same elements in front of nodes that only reshape it sample by sample."""
    while (node := value.producer()) is not None and node.op_type in ("Flatten", "Reshape"):
        before = node.inputs[0]
        if before is None or before.shape is None or value.shape is None or before.shape[0] != value.shape[0]:
            break
        value = before
    return value


def _resolved(sizes: Sequence[int | None], target: Sequence[int]) -> list[int]:
    """The target with its -1 replaced where all sizes are known."""
    unknown = [place for place, size in enumerate(target) if size == -1]
    if len(unknown) > 1 or any(size == 0 or size < -1 for size in target):
        raise ValueError(f"target_shape is {list(target)}; expected positive sizes and at most one -1")
    resolved = list(target)
    if unknown and None not in sizes:
        rest = math.prod(size for size in target if size != -1)
        resolved[unknown[0]] = math.prod(size or 1 for size in sizes) // rest
    return resolved


@reads("Permute")
def permute(call: LayerCall) -> Value:
    """No node: the axes are only named anew; a Transpose comes where a layer needs one."""
    x, dims = call.only, call.settings.integers("dims")
    if sorted(dims) != list(range(1, x.rank)):
        raise ValueError(f"dims is {list(dims)}; expected the axes 1 to {x.rank - 1} in some order")
    return x.permuted((0, *dims))


@reads("RepeatVector")
def repeat_vector(call: LayerCall) -> Value:
    """(N, features) becomes (N, n, features)."""
    count = call.settings.integer("n")
    row = call.node("Unsqueeze", call.only.plain, call.constant(np.array([1], np.int64), "axes"), part="expand")
    return call.value(call.node("Tile", row, call.constant(np.array([1, count, 1], np.int64), "repeats")))


@reads("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def zero_padding(call: LayerCall) -> Value:
    x = call.only
    layout = call.spatial_layout(x.rank) if x.rank > 3 else x.preferred
    ends = _ends(call, "padding", x)
    pads = [*(ends[axis][0] for axis in layout), *(ends[axis][1] for axis in layout)]
    zero = call.constant(np.array(0, x.dtype), "zero")
    made = call.node("Pad", x.variant(layout), call.constant(np.array(pads, np.int64), "pads"), zero, mode="constant")
    return call.value(made, layout)


@reads("Cropping1D", "Cropping2D", "Cropping3D")
def cropping(call: LayerCall) -> Value:
    x = call.only
    return _cut(call, x, [(axis, *_ends(call, "cropping", x)[axis]) for axis in range(1, x.rank)])


def _cut(call: LayerCall, x: Value, ends: Sequence[tuple[int, int, int]]) -> Value:
    """The tensor without so many cells before and behind, by axis."""
    layout = x.preferred
    cut = [(layout.index(axis), before, -after if after else _END) for axis, before, after in ends if before or after]
    if not cut:
        return x
    places, starts, stops = (call.constant(np.array(row, np.int64), "bounds") for row in zip(*cut, strict=True))
    return call.value(call.node("Slice", x.variant(layout), starts, stops, places), layout)


_END = np.iinfo(np.int64).max
_LARGEST_END = 2**31


def _ends(call: LayerCall, key: str, x: Value) -> list[tuple[int, int]]:
    """(before, behind) by axis. Keras takes one number, one an axis, or a pair an axis."""
    rank = x.rank - 2
    raw = call.settings.get(key)
    rows = [raw] * rank if isinstance(raw, int) else list(raw) if isinstance(raw, (list, tuple)) else []
    if rank == 1 and len(rows) == 2:
        rows = [rows]
    pairs = [(row, row) if isinstance(row, int) else tuple(row) for row in rows]
    if len(pairs) != rank or any(len(pair) != 2 or not 0 <= min(pair) <= max(pair) < _LARGEST_END for pair in pairs):
        raise ValueError(f"{key} is {raw!r}; expected {rank} pairs of numbers that are not negative")
    spatial = range(1, x.rank - 1) if call.channels_last else range(2, x.rank)
    ends = [(0, 0)] * x.rank
    for axis, pair in zip(spatial, pairs, strict=True):
        ends[axis] = (int(pair[0]), int(pair[1]))
    return ends


@reads("UpSampling1D", "UpSampling2D", "UpSampling3D")
def up_sampling(call: LayerCall) -> Value:
    """Every cell repeated, or bilinear with half-pixel centres."""
    x = call.only
    factors = call.settings.spatial("size", x.rank - 2, 2)
    how = call.settings.text("interpolation", "nearest")
    if how not in ("nearest", "bilinear"):
        raise call.unsupported(f"interpolates {how!r}; readable are nearest and bilinear")
    layout = call.spatial_layout(x.rank)
    scales = call.constant(np.array([1, 1, *factors], np.float32), "scales")
    manner = _BILINEAR if how == "bilinear" else _NEAREST
    return call.value(call.node("Resize", x.variant(layout), None, scales, **manner), layout)


_BILINEAR = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
_NEAREST_CENTRE = {**_BILINEAR, "mode": "nearest", "nearest_mode": "round_prefer_ceil"}
_NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


@reads("CenterCrop")
def center_crop(call: LayerCall) -> Value:
    """The middle of pictures that are at least as large."""
    x = call.only
    layout = call.spatial_layout(x.rank)
    target = (call.settings.integer("height"), call.settings.integer("width"))
    ends = []
    for axis, wanted in zip(layout[2:], target, strict=True):
        size = x.shape[axis]
        if size is None or size < wanted:
            raise call.unsupported(f"cuts {wanted} out of {size}; readable are cuts out of a known, larger size")
        ends.append((axis, (size - wanted) // 2, size - wanted - (size - wanted) // 2))
    return _cut(call, x, ends)


@reads("Resizing")
def resizing(call: LayerCall) -> Value:
    x = call.only
    how = call.settings.text("interpolation", "bilinear")
    kept = [key for key in ("crop_to_aspect_ratio", "pad_to_aspect_ratio") if call.settings.flag(key, False)]
    if how not in ("bilinear", "nearest") or kept:
        raise call.unsupported(f"resizes with {kept[0] if kept else how!r}; readable are plain bilinear and nearest")
    layout = call.spatial_layout(x.rank)
    target = (call.settings.integer("height"), call.settings.integer("width"))
    sizes = [size for axis in layout[2:] if (size := x.shape[axis]) is not None]
    if len(sizes) < len(target):
        raise call.unsupported("resizes pictures whose size is not known; give it with --input-shape")
    scales = [1.0, 1.0, *(_scale(size, wanted) for size, wanted in zip(sizes, target, strict=True))]
    nudged = any(_nudged(size, wanted) for size, wanted in zip(sizes, target, strict=True))
    if how == "nearest" and nudged:
        return _chosen(call, x, [*zip(layout[2:], sizes, target, strict=True)])
    factors = call.constant(np.array(scales, np.float32), "scales")
    manner = _BILINEAR if how == "bilinear" else _NEAREST_CENTRE
    return call.value(call.node("Resize", x.variant(layout), None, factors, **manner), layout)


def _scale(size: int, wanted: int) -> np.float32:
    """The float whose product with ``size``, rounded down, is ``wanted``.

    Sizes with the ``axes`` attribute would say it directly, but ONNX Runtime 1.31 fails to load them next to a Transpose.
    """
    scale = np.float32(wanted / size)
    return np.nextafter(scale, np.float32(np.inf)) if _nudged(size, wanted) else scale


def _nudged(size: int, wanted: int) -> bool:
    """Whether the nearest float would give one pixel less: shape inference multiplies in double precision."""
    return int(size * float(np.float32(wanted / size))) != wanted


def _chosen(call: LayerCall, x: Value, axes: Sequence[tuple[int, int, int]]) -> Value:
    """Rows and columns by their places: a scale beside the true one would turn ties into the neighbour."""
    value = x.variant(tuple(range(x.rank)))
    for axis, size, wanted in axes:
        places = ((2 * np.arange(wanted, dtype=np.int64) + 1) * size) // (2 * wanted)
        value = call.node("Gather", value, call.constant(places, "places"), axis=axis)
    return call.value(value)

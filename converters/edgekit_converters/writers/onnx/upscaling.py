"""`upscale_on_integers`: transposed convolutions and depth-to-space in forms that ONNX Runtime computes on integers.

It has no integer kernel for ConvTranspose, and one for DepthToSpace that walks the picture pixel by pixel. A transposed
convolution of stride s is s x s plain ones, one for every position within a block of s x s results (W. Shi et al., "Is the
deconvolution layer the same as a convolutional layer?", 2016); moving blocks of channels is a Transpose, which copies whole rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit_converters.writers.onnx.editor import GraphEditor
from edgekit_converters.writers.onnx.integers import Integers, array_of, dequantized, parts_of, quantize_after, stored


def upscale_on_integers(editor: GraphEditor) -> None:
    """Rewrite every ``DequantizeLinear -> ConvTranspose or DepthToSpace -> QuantizeLinear`` that has such a form."""
    for node in list(editor.graph):
        if node.op_type == "ConvTranspose":
            _as_convolutions(editor, node)
        elif node.op_type == "DepthToSpace":
            _as_transposition(editor, node)


@dataclass(frozen=True, slots=True)
class Phase:
    """What one position within the blocks of results reads, along one axis: ``taps`` of the kernel in the order of the input,
    from ``before`` elements in front to ``after`` behind."""

    taps: tuple[int, ...]
    before: int
    after: int


def phases(kernel: int, stride: int, begin: int) -> tuple[Phase, ...] | None:
    """One a position; None where a position lies beside everything it reads.

    Result ``stride * i + r`` is the sum of the taps t at input ``i + (r + begin - t) / stride``.
    """
    found = []
    for position in range(stride):
        taps = tuple(reversed(range((position + begin) % stride, kernel, stride)))
        offsets = [(position + begin - tap) // stride for tap in taps]
        if not taps or offsets[0] > 0 or offsets[-1] < 0:
            return None
        found.append(Phase(taps, -offsets[0], offsets[-1]))
    return tuple(found)


def _as_convolutions(editor: GraphEditor, node: ir.Node) -> None:
    """One convolution where all positions read the same elements, else one a position, joined along the channels."""
    quantize, axes = quantize_after(node), _axes(node)
    scale = dequantized(node.inputs[1])
    if quantize is None or axes is None or scale is None:
        return
    stride = len(axes[0]), len(axes[1])
    pairs = [(row, column) for row in axes[0] for column in axes[1]]
    same_window = len({(row.before, row.after, column.before, column.after) for row, column in pairs}) == 1
    groups = [pairs] if same_window else [[pair] for pair in pairs]
    parts = [_convolution(editor, node, quantize, group) for group in groups]
    joined = parts[0] if len(parts) == 1 else editor.node("Concat", parts, str(node.name), axis=1)[0]
    _take_place(editor, quantize, _interleaved(editor, joined, quantize.outputs[0], stride, str(node.name)))


def _axes(node: ir.Node) -> tuple[tuple[Phase, ...], tuple[Phase, ...]] | None:
    """The phases of both axes; None where the result is not exactly ``stride`` times the input, or the form differs."""
    given, made = (_spatial(value) for value in (node.inputs[0], node.outputs[0]))
    weight = node.inputs[1]
    if given is None or made is None or weight is None or weight.shape is None:
        return None
    kernel = tuple(int(size) for size in weight.shape.numpy()[2:])
    strides = _listed(node, "strides", (1, 1))
    plain = node.attributes.get_int("group", 1) == 1 and set(_listed(node, "dilations", (1, 1))) == {1}
    if not plain or math.prod(strides) == 1 or any(n * s != m for n, s, m in zip(given, strides, made, strict=True)):
        return None
    begins = _begins(node, kernel, strides)
    rows, columns = (phases(k, s, b) for k, s, b in zip(kernel, strides, begins, strict=True))
    return None if rows is None or columns is None else (rows, columns)


def _begins(node: ir.Node, kernel: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """What is cut off in front; automatic padding divides the surplus of the kernel over the stride."""
    automatic = node.attributes.get_string("auto_pad", "NOTSET")
    if automatic in ("NOTSET", "VALID"):
        return _listed(node, "pads", (0, 0, 0, 0))[:2]
    surplus = [max(0, k - s) for k, s in zip(kernel, strides, strict=True)]
    return tuple(total // 2 if automatic == "SAME_UPPER" else total - total // 2 for total in surplus)


def _convolution(
    editor: GraphEditor, node: ir.Node, quantize: ir.Node, group: Sequence[tuple[Phase, Phase]]
) -> ir.Value:
    """The integers of the convolution that computes a group of positions, position by position along its channels."""
    name, (row, column) = str(node.name), group[0]
    weight, scale, zero_point = parts_of(node.inputs[1])
    filters = weight.transpose(1, 0, 2, 3)
    parts = [filters[:, :, one.taps][:, :, :, other.taps] for one, other in group]
    operands = [node.inputs[0], stored(editor, np.concatenate(parts), scale, zero_point, len(parts), f"{name}_weight")]
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        operands.append(stored(editor, *_tiled(node.inputs[2], len(parts)), 1, f"{name}_bias"))
    pads = [row.before, column.before, row.after, column.after]
    (real,) = editor.node("Conv", operands, name, kernel_shape=list(parts[0].shape[2:]), pads=pads)
    return editor.node("QuantizeLinear", [real, *quantize.inputs[1:]], name)[0]


def _tiled(bias: ir.Value, count: int) -> tuple[Integers, Integers, Integers]:
    integers, scale, zero_point = parts_of(bias)
    repeated = scale.size != 1
    return (
        np.tile(integers, count),
        np.tile(scale, count) if repeated else scale,
        np.tile(zero_point, count) if repeated else zero_point,
    )


def _as_transposition(editor: GraphEditor, node: ir.Node) -> None:
    """DepthToSpace on the integers themselves; the order CRD keeps its operator, which is no slower than a Transpose there."""
    quantize, dequantize = quantize_after(node), node.inputs[0].producer() if node.inputs[0] is not None else None
    if quantize is None or dequantize is None or dequantize.op_type != "DequantizeLinear":
        return
    if _spatial(node.outputs[0]) is None or not _same_encoding(dequantize, quantize):
        return
    integers, size, name = dequantize.inputs[0], node.attributes.get_int("blocksize", 1), str(node.name)
    assert integers is not None
    if node.attributes.get_string("mode", "DCR") == "DCR":
        moved = _interleaved(editor, integers, quantize.outputs[0], (size, size), name)
    else:
        (moved,) = editor.node("DepthToSpace", [integers], name, blocksize=size, mode="CRD")
    _take_place(editor, quantize, moved)


def _interleaved(
    editor: GraphEditor, integers: ir.Value, like: ir.Value, stride: tuple[int, int], name: str
) -> ir.Value:
    """Channels (row, column, channel) of every block moved to their places in the picture of shape ``like``."""
    assert like.shape is not None
    spatial, channels = _spatial(like), like.shape[1]
    assert spatial is not None
    (rows, columns), (height, width) = stride, spatial
    blocks = [0, height // rows, width // columns, rows, columns * int(str(channels))]
    (last,) = editor.node("Transpose", [integers], name, perm=[0, 2, 3, 1])
    (split,) = editor.node("Reshape", [last, _shape(editor, blocks, name)], name)
    (turned,) = editor.node("Transpose", [split], name, perm=[0, 1, 3, 2, 4])
    (merged,) = editor.node("Reshape", [turned, _shape(editor, [0, height, width, int(str(channels))], name)], name)
    return editor.node("Transpose", [merged], name, perm=[0, 3, 1, 2])[0]


def _shape(editor: GraphEditor, sizes: list[int], name: str) -> ir.Value:
    return editor.initializer(f"{name}_shape", np.array(sizes, np.int64))


def _take_place(editor: GraphEditor, quantize: ir.Node, integers: ir.Value) -> None:
    old = quantize.outputs[0]
    integers.shape, integers.type = old.shape, old.type
    editor.replace(old, integers)


def _same_encoding(dequantize: ir.Node, quantize: ir.Node) -> bool:
    pairs = zip(dequantize.inputs[1:], quantize.inputs[1:], strict=True)
    return all(np.array_equal(array_of(one), array_of(other)) for one, other in pairs)


def _spatial(value: ir.Value | None) -> tuple[int, int] | None:
    """Height and width of (N, C, H, W) where they and the channels are known."""
    if value is None or value.shape is None or len(value.shape) != 4:
        return None
    sizes = [size for size in value.shape[1:] if isinstance(size, int)]
    return (sizes[1], sizes[2]) if len(sizes) == 3 else None


def _listed(node: ir.Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    found = node.attributes.get(name)
    return default if found is None else tuple(found.as_ints())

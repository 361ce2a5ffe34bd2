"""What convolutions and poolings see of their input, and how a gradient at their output is carried back to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit_converters.gradients.refusal import NoGradientError
from edgekit_converters.gradients.tape import Tape
from edgekit_converters.hub.edit import attribute, dims


@dataclass(frozen=True, slots=True)
class WindowSizes:
    """By spatial axis; ``pads``: begins, then ends (also what a last window in ceil mode lacks)."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    sizes: tuple[int, ...]
    places: tuple[int, ...]

    def left_over(self, axis: int) -> int:
        """Elements at the end of the padded input that no window sees."""
        rank = len(self.kernel)
        padded = self.sizes[axis] + self.pads[axis] + self.pads[axis + rank]
        reach = (self.kernel[axis] - 1) * self.dilations[axis] + 1
        return padded - (self.places[axis] - 1) * self.strides[axis] - reach


def window_sizes(node: ir.Node, x: ir.Value, kernel: tuple[int, ...]) -> WindowSizes:
    """Raises NoGradientError where the sizes of the input or the output aren't known."""
    rank = len(kernel)
    sizes, places = _spatial(node, x), _spatial(node, node.outputs[0])
    strides = tuple(attribute(node, "strides", (1,) * rank))
    dilations = tuple(attribute(node, "dilations", (1,) * rank))
    pads = _pads(node, rank, sizes, places, kernel, strides, dilations)
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    needed = [(places[axis] - 1) * strides[axis] + reach[axis] - sizes[axis] - pads[axis] for axis in range(rank)]
    ends = tuple(max(pads[axis + rank], needed[axis]) for axis in range(rank))
    return WindowSizes(kernel, strides, dilations, (*pads[:rank], *ends), sizes, places)


def _pads(
    node: ir.Node,
    rank: int,
    sizes: tuple[int, ...],
    places: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
) -> tuple[int, ...]:
    how = attribute(node, "auto_pad", "NOTSET")
    if how == "NOTSET":
        return tuple(attribute(node, "pads", (0,) * 2 * rank))
    if how == "VALID":
        return (0,) * 2 * rank
    totals = [
        max(0, (places[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1 - sizes[axis])
        for axis in range(rank)
    ]
    smaller, larger = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return tuple(smaller + larger if how == "SAME_UPPER" else larger + smaller)


def _spatial(node: ir.Node, value: ir.Value) -> tuple[int, ...]:
    found = tuple(dim for dim in (dims(value) or ())[2:] if isinstance(dim, int))
    if len(found) != len(dims(value) or ()) - 2:
        raise NoGradientError(node, "of pictures whose size is not fixed")
    return found


def carried_back(
    tape: Tape, gradient: ir.Value, x: ir.Value, weights: ir.Value | None, window: WindowSizes, groups: int
) -> ir.Value:
    """The transposed convolution that adds up what each place saw of the input ``x``."""
    rank = len(window.kernel)
    left_over = [window.left_over(axis) for axis in range(rank)]
    # What no window saw is padding of zeros; an output_padding of the operator must be smaller than its stride.
    found = tape.op(
        "ConvTranspose", gradient, weights, group=groups, strides=window.strides, dilations=window.dilations,
        kernel_shape=window.kernel,
    )  # fmt: skip
    padded = tape.padded(found, [0] * rank + left_over)
    return tape.cropped(padded, list(window.pads))


def one_hot_kernels(channels: int, kernel: tuple[int, ...]) -> np.ndarray:
    """(channels x positions, 1, ...): each position of the window of each channel by itself."""
    taps = int(np.prod(kernel))
    kernels = np.eye(taps, dtype=np.float32).reshape(taps, 1, *kernel)
    return np.tile(kernels, (channels, *[1] * (len(kernel) + 1)))

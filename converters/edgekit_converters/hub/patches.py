"""`Window`: what a convolution sees of its input at a place of its output, as rows that its weights are multiplied with."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import attribute, static_shape

Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """The window of a convolution. ``pads``: begins, then ends; what ``auto_pad`` asks for instead depends on the sizes."""

    kernel: Sizes
    strides: Sizes
    dilations: Sizes
    pads: Sizes
    auto_pad: str = "NOTSET"

    @property
    def taps(self) -> int:
        """Positions of the kernel."""
        return math.prod(self.kernel)

    @property
    def is_one_place(self) -> bool:
        """Whether every place of the input is a place of the output, and sees itself alone."""
        return self.taps == 1 and max(self.strides, default=1) == 1 and not any(self.pads)

    def output_sizes(self, sizes: Sizes) -> Sizes:
        """Places along each axis for an input of these spatial sizes."""
        pads, rank = self._pads(sizes), len(self.kernel)
        return tuple(
            (sizes[axis] + pads[axis] + pads[axis + rank] - self._reach(axis)) // self.strides[axis] + 1
            for axis in range(rank)
        )

    def patches(self, array: NDArray[Any], places: NDArray[np.int64]) -> NDArray[np.float32]:
        """(places, taps, channels) of a batch (samples, channels, ...); places count through it, samples outermost."""
        sizes, rank = array.shape[2:], len(self.kernel)
        pads = self._pads(sizes)
        sample, *at = np.unravel_index(places, (len(array), *self.output_sizes(sizes)))
        padded = np.pad(array, ((0, 0), (0, 0), *((pads[axis], pads[axis + rank]) for axis in range(rank))))
        found = np.empty((len(places), self.taps, array.shape[1]), np.float32)
        for tap, offset in enumerate(itertools.product(*map(range, self.kernel))):
            where = (at[axis] * self.strides[axis] + offset[axis] * self.dilations[axis] for axis in range(rank))
            index: Any = (sample, slice(None), *where)
            found[:, tap] = padded[index]
        return found

    def _reach(self, axis: int) -> int:
        return self.dilations[axis] * (self.kernel[axis] - 1) + 1

    def _pads(self, sizes: Sizes) -> Sizes:
        if not self.auto_pad.startswith("SAME"):
            return self.pads
        begins, ends = [], []
        for axis, (size, stride) in enumerate(zip(sizes, self.strides, strict=True)):
            whole = max(0, (math.ceil(size / stride) - 1) * stride + self._reach(axis) - size)
            small, large = whole // 2, whole - whole // 2
            begins.append(small if self.auto_pad == "SAME_UPPER" else large)
            ends.append(large if self.auto_pad == "SAME_UPPER" else small)
        return (*begins, *ends)


def window_of(node: ir.Node) -> Window:
    """The window of a Conv whose kernel has a known shape."""
    shape = static_shape(node.inputs[1])
    assert shape is not None
    kernel = shape[2:]
    ones = (1,) * len(kernel)
    return Window(
        kernel,
        tuple(attribute(node, "strides", ones)),
        tuple(attribute(node, "dilations", ones)),
        tuple(attribute(node, "pads", (0,) * (2 * len(kernel)))),
        attribute(node, "auto_pad", "NOTSET"),
    )

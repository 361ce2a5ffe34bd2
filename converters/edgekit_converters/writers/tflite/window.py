"""Sliding windows of convolutions and poolings: from ONNX's explicit pads to TFLite's SAME, VALID or an own PAD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit_converters.writers.tflite.flat_model import Shape
from edgekit_converters.writers.tflite.node import HubNode

SAME, VALID = 0, 1  # the schema's Padding
Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Kernel, strides, dilations and pads (before, after) per spatial axis, with the sizes in and out."""

    kernel: Shape
    strides: Shape
    dilations: Shape
    pads: Pads
    sizes: Shape
    output_sizes: Shape

    @property
    def extents(self) -> Shape:
        """Kernel sizes with dilation."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def is_dilated(self) -> bool:
        return any(dilation != 1 for dilation in self.dilations)

    @property
    def covers_everything(self) -> bool:
        """One window, which is the whole input."""
        unpadded = not any(before or after for before, after in self.pads)
        return unpadded and not self.is_dilated and self.kernel == self.sizes

    def part(self, *axes: int) -> Window:
        """The window along some of its axes."""

        def chosen(sizes: Shape) -> Shape:
            return tuple(sizes[axis] for axis in axes)

        return Window(
            chosen(self.kernel),
            chosen(self.strides),
            chosen(self.dilations),
            tuple(self.pads[axis] for axis in axes),
            chosen(self.sizes),
            chosen(self.output_sizes),
        )

    def raised(self) -> Window:
        """A window of one axis in two dimensions, behind a first axis of size 1."""
        return Window(
            (1, *self.kernel),
            (1, *self.strides),
            (1, *self.dilations),
            ((0, 0), *self.pads),
            (1, *self.sizes),
            (1, *self.output_sizes),
        )

    def widened(self, size: int) -> Window:
        """A window of one axis in two dimensions, before a second axis of ``size`` along which it is 1 wide."""
        return Window(
            (*self.kernel, 1),
            (*self.strides, 1),
            (*self.dilations, 1),
            (*self.pads, (0, 0)),
            (*self.sizes, size),
            (*self.output_sizes, size),
        )

    def padding(self) -> int | None:
        """VALID or SAME where the kernel's own padding reads what the pads say; None where a PAD has to do it."""
        axes = range(len(self.kernel))
        if all(self.pads[i][0] == 0 and self._reach(i) <= self.sizes[i] for i in axes):
            return VALID
        if all(self._is_same(i) for i in axes):
            return SAME
        return None

    def needed_pads(self) -> Pads:
        """The pads that the windows really read: an end that no window reaches is left out, one that ceil_mode adds is in."""
        return tuple(
            (before, max(0, self._reach(i) - self.sizes[i] - before)) for i, (before, _) in enumerate(self.pads)
        )

    def _reach(self, i: int) -> int:
        """How many elements all the windows of an axis span."""
        return (self.output_sizes[i] - 1) * self.strides[i] + self.extents[i]

    def _is_same(self, i: int) -> bool:
        total = max(0, self._reach(i) - self.sizes[i])
        return self.output_sizes[i] == -(-self.sizes[i] // self.strides[i]) and self.pads[i][0] == total // 2


def window_of(node: HubNode, kernel: Sequence[int]) -> Window:
    """The window of a Conv or pooling node whose input is (N, C, spatial...)."""
    spatial = len(kernel)
    strides = node.integers("strides", (1,) * spatial)
    dilations = node.integers("dilations", (1,) * spatial)
    sizes, output_sizes = node.shape(0)[2:], node.output_shape()[2:]
    return Window(
        tuple(kernel),
        strides,
        dilations,
        _pads(node, tuple(kernel), strides, dilations, sizes, output_sizes),
        sizes,
        output_sizes,
    )


def _pads(node: HubNode, kernel: Shape, strides: Shape, dilations: Shape, sizes: Shape, output_sizes: Shape) -> Pads:
    spatial = len(kernel)
    automatic = node.text("auto_pad", "NOTSET")
    if automatic == "NOTSET":
        pads = node.integers("pads", (0,) * 2 * spatial)
        return tuple((pads[i], pads[i + spatial]) for i in range(spatial))
    if automatic == "VALID":
        return ((0, 0),) * spatial
    found = []
    for i in range(spatial):
        total = max(0, (output_sizes[i] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - sizes[i])
        small, large = total // 2, total - total // 2
        found.append((small, large) if automatic == "SAME_UPPER" else (large, small))
    return tuple(found)

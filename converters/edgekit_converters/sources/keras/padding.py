"""Keras's padding words as ONNX attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Attributes: TypeAlias = Mapping[str, Any]


def window_padding(
    padding: str, sizes: Sequence[int | None], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> Attributes:
    """``pads``, or ``auto_pad`` where the padding depends on a size that is not known.

    "same" gives ceil(size / stride) outputs; of an odd number of padded cells the larger half stands behind (TensorFlow's rule,
    which ONNX calls SAME_UPPER). "causal" pads before only.
    """
    reach = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    rank = len(reach)
    if padding == "valid":
        return {"pads": [0] * (2 * rank)}
    if padding == "causal":
        return {"pads": [*reach, *([0] * rank)]}
    if padding != "same":
        raise ValueError(f"padding is {padding!r}; expected valid, same or causal")
    totals = []
    for size, stride, span in zip(sizes, strides, reach, strict=True):
        if stride == 1:
            totals.append(span)
        elif size is None:
            return {"auto_pad": "SAME_UPPER"}
        else:
            totals.append(max((-(-size // stride) - 1) * stride + span + 1 - size, 0))
    before = [total // 2 for total in totals]
    return {"pads": [*before, *(total - half for total, half in zip(totals, before, strict=True))]}


def transposed_padding(
    padding: str, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], extra: Sequence[int] | None
) -> Attributes:
    """``pads`` and ``output_padding`` of a transposed convolution.

    The output has size * stride cells ("same"), or (size - 1) * stride + reach cells ("valid"), or what ``extra``, Keras's
    output_padding, asks for. Cells that are too many are cut, half of them in front; missing ones are added behind.
    """
    cut_before, cut_after, added = [], [], []
    for axis, (k, stride, dilation) in enumerate(zip(kernel, strides, dilations, strict=True)):
        reach = (k - 1) * dilation + 1
        if extra is not None:
            beyond = extra[axis] if padding == "valid" else reach % 2 + extra[axis] - reach
        else:
            beyond = max(stride - reach, 0) if padding == "valid" else stride - reach
        cut = max(-beyond, 0)
        cut_before.append(cut // 2)
        cut_after.append(cut - cut // 2)
        added.append(max(beyond, 0))
    return {"pads": [*cut_before, *cut_after], "output_padding": added}

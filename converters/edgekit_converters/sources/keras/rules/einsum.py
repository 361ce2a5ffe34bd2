"""EinsumDense."""

from __future__ import annotations

import math
import string

import numpy as np

from edgekit_converters.sources.keras.activations import activated
from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.settings import Settings
from edgekit_converters.sources.keras.table import reads
from edgekit_converters.sources.keras.value import Value


def _kernel_and_bias(settings: Settings) -> tuple[str, ...]:
    return ("kernel", "bias") if settings.get("bias_axes") is not None else ("kernel",)


@reads("EinsumDense", weights=_kernel_and_bias)
def einsum_dense(call: LayerCall) -> Value:
    """A MatMul where the last axes of the input meet the first ones of the kernel, otherwise an Einsum."""
    left, right, out = _labels(call.settings.text("equation"), call.only.rank)
    kept = [label for label in left if label in out]
    summed, made = left[len(kept) :], right[len(left) - len(kept) :]
    if out == "".join(kept) + made and right == summed + made and left == "".join(kept) + summed and made and summed:
        product = _product(call, len(kept), len(summed))
    else:
        kernel = call.constant(call.weight("kernel"), "kernel")
        product = call.value(call.node("Einsum", call.only.plain, kernel, equation=f"{left},{right}->{out}"))
    if "bias" in call.weights:
        product = call.binary("Add", product, call.weight("bias"), "bias_add")
    return activated(call, product)


def _product(call: LayerCall, kept: int, summed: int) -> Value:
    """The axes to sum over as one, times the kernel as a matrix, the new axes as they were."""
    kernel, tensor = call.weight("kernel"), call.only.plain
    rows, sizes = math.prod(kernel.shape[:summed]), kernel.shape[summed:]
    if summed > 1:
        shape = call.constant(np.array([*[0] * kept, rows], np.int64), "joined_sizes")
        tensor = call.node("Reshape", tensor, shape, part="joined")
    tensor = call.node("MatMul", tensor, call.constant(kernel.reshape(rows, -1), "kernel"))
    if len(sizes) > 1:
        shape = call.constant(np.array([*[0] * kept, *sizes], np.int64), "sizes")
        tensor = call.node("Reshape", tensor, shape, part="shape")
    return call.value(tensor)


def _labels(equation: str, rank: int) -> tuple[str, str, str]:
    """The labels of input, kernel and output, an ellipsis spelled out."""
    sides, arrow, out = equation.replace(" ", "").partition("->")
    left, comma, right = sides.partition(",")
    if not (arrow and comma) or "..." in right:
        raise ValueError(f"its equation is {equation!r}; expected the form 'abc,cd->abd'")
    free = [letter for letter in string.ascii_letters if letter not in equation]
    ellipsis = "".join(free[: max(rank - len(left.replace("...", "")), 0)])
    return left.replace("...", ellipsis), right, out.replace("...", ellipsis)

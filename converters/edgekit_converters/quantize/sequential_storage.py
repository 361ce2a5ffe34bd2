"""`Stored`: how a value lies in memory between two groups of the sequential pass."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.quantize.params import QuantParams
from edgekit_converters.quantize.quant_plan import Execution, QuantPlan
from edgekit_converters.quantize.scheme import value_name
from edgekit_converters.quantize.sequential_group import Group


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A value in a plain ``dtype``, or as the integers of ``params``."""

    dtype: ir.DataType
    params: QuantParams | None = None


LARGEST_HALF_RANGE = 1000.0
"""Values whose calibrated range ends below it are stored as float16, far from its limit of 65,504."""


def float_storage(value: ir.Value, plan: QuantPlan) -> Stored:
    """Storage in the float prefix. float16 keeps eleven bits, eight times finer than the int8 it is compared with."""
    params = plan.values.get(value_name(value))
    assert value.dtype is not None
    if value.dtype == ir.DataType.FLOAT and params and max(map(abs, params.real_range())) < LARGEST_HALF_RANGE:
        return Stored(ir.DataType.FLOAT16)
    return Stored(value.dtype)


def integer_storage(value: ir.Value, plan: QuantPlan, producer: Group) -> Stored:
    """Storage in the quantized prefix: integers where the producer gives integers."""
    params = plan.values.get(value_name(value))
    if params is not None and plan.execution(producer.name) is Execution.INTEGER:
        return Stored(ir.DataType.from_numpy(params.dtype.dtype), params)
    return float_storage(value, plan)


def kept(array: NDArray[Any]) -> NDArray[Any]:
    """A copy in pages of its own, which go back to the system as soon as it is freed.

    On the heap, between arrays that come and go, the stored values would leave holes: twice the memory in the end.
    """
    if array.nbytes < _SMALLEST_MAPPED:
        return array
    copy: NDArray[Any] = np.frombuffer(mmap.mmap(-1, array.nbytes), array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


_SMALLEST_MAPPED = 1 << 16

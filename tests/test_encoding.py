"""Real numbers to a file's integers and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekit.artifact import Quantization, TensorSpec
from edgekit.encoding import Codec
from edgekit.errors import FeedError
from edgekit_converters.quantize.params import QuantType, per_tensor

REALS = arrays.arrays(np.float32, (2, 5), elements=st.floats(-1e4, 1e4, width=32))


def codec(scale: float, zero_point: int, dtype: str = "int8") -> Codec:
    spec = TensorSpec("x", dtype, (2, 5), Quantization(scale, zero_point))
    return Codec.of([spec], [spec])


@settings(max_examples=100, deadline=None)
@given(REALS, st.floats(1e-3, 10.0), st.integers(-128, 127))
def test_both_ways_equal_the_converters_arithmetic(real: np.ndarray, scale: float, zero_point: int) -> None:
    params = per_tensor(scale, zero_point)
    integers = codec(scale, zero_point).encode({"x": real})["x"]
    np.testing.assert_array_equal(integers, params.quantize(real))
    back = codec(scale, zero_point).decode({"x": integers})["x"]
    np.testing.assert_array_equal(back, params.dequantize(integers))
    assert back.dtype == np.float32


def test_unsigned_integers_reach_from_0_to_255() -> None:
    real = np.array([[-1e9, -64.0, 0.0, 63.5, 1e9]], np.float32)
    integers = codec(0.5, 128, "uint8").encode({"x": real})["x"]
    assert integers.tolist() == [[0, 0, 128, 255, 255]]
    np.testing.assert_array_equal(integers, per_tensor(0.5, 128, QuantType.UINT8).quantize(real))


def test_ties_go_to_the_even_step() -> None:
    assert codec(1.0, 0).encode({"x": np.array([0.5, 1.5, -0.5], np.float32)})["x"].tolist() == [0, 2, 0]


def test_the_callers_arrays_stay_as_they_were() -> None:
    real = np.array([3.3], np.float32)
    feeds = {"x": real}
    codec(0.5, 0).encode(feeds)
    assert feeds["x"] is real
    assert real[0] == np.float32(3.3)


def test_float_tensors_pass_through() -> None:
    plain = Codec.of([TensorSpec("x", "float32", (1,))], [TensorSpec("y", "float32", (1,))])
    array = np.ones(1, np.float32)
    assert plain.encode({"x": array})["x"] is array
    assert plain.decode({"y": array})["y"] is array


def test_nan_is_refused_where_infinities_saturate() -> None:
    assert codec(1.0, 0).encode({"x": np.array([np.inf, -np.inf], np.float32)})["x"].tolist() == [127, -128]
    with pytest.raises(FeedError, match="'x' holds NaN"):
        codec(1.0, 0).encode({"x": np.array([1.0, np.nan], np.float32)})


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros(3, np.int8), [1.0]])
def test_another_dtype_is_told_with_both_ways_out(array: object) -> None:
    with pytest.raises(FeedError, match=r"expected float32.*astype.*raw=True"):
        codec(1.0, 0).encode({"x": array})  # type: ignore[dict-item]  # the error is what is tested

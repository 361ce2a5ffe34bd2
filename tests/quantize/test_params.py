"""Affine encodings: the arithmetic that everything else builds on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekit_converters.quantize.params import QuantParams, QuantType, per_tensor


@given(
    hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(-100, 100, width=32)),
    st.floats(0.01, 2.0),
    st.integers(-128, 127),
)
def test_a_value_inside_the_range_comes_back_within_half_a_step(reals, scale, zero_point):
    params = per_tensor(scale, zero_point)
    low, high = params.real_range()
    inside = np.clip(reals, low, high)
    error = np.abs(params.dequantize(params.quantize(inside)) - inside)
    assert error.max() <= 0.5001 * float(params.scale) + 1e-5


def test_values_outside_the_range_saturate():
    params = per_tensor(1.0, 0)
    assert params.quantize(np.array([-1e9, 1e9], np.float32)).tolist() == [-128, 127]


def test_symmetric_weights_never_use_the_lowest_integer():
    params = QuantParams(np.float32(1).reshape(()), np.int32(0).reshape(()), QuantType.INT8, symmetric_range=True)
    assert params.quantize(np.array([-500.0], np.float32)).tolist() == [-127]


def test_per_channel_scales_apply_along_their_axis():
    params = QuantParams(np.array([1, 10], np.float32), np.zeros(2, np.int32), QuantType.INT8, axis=1)
    assert params.quantize(np.full((1, 2), 20, np.float32)).tolist() == [[20, 2]]


def test_a_large_bias_keeps_its_last_bit():
    params = QuantParams(np.array(2.0**-20, np.float32), np.array(0, np.int32), QuantType.INT32)
    assert params.quantize(np.array([1000 + 2.0**-13], np.float32)).tolist() == [1000 * 2**20 + 2**7]


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_scale_that_is_no_positive_number_cannot_exist(scale):
    with pytest.raises(ValueError, match="finite and greater than 0"):
        per_tensor(scale, 0)


@given(st.integers(-128, 127))
def test_storing_as_uint8_keeps_the_meaning_of_every_integer(zero_point):
    params = per_tensor(0.5, zero_point)
    integers = np.arange(-128, 128).astype(np.int8)
    unsigned = (integers.astype(np.int32) + 128).astype(np.uint8)
    assert np.array_equal(params.dequantize(integers), params.stored_as(QuantType.UINT8).dequantize(unsigned))

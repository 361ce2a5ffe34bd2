"""Convolutions in float TFLite files against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnxruntime_twin import Case, Fixed, assert_equal_outputs, case, floats


def filters(*shape: int) -> Fixed:
    return Fixed(floats(*shape, low=-1, high=1, seed=1))


CASES = [
    case("Conv", floats(1, 3, 9, 8), filters(4, 3, 3, 3)),
    case("Conv", floats(2, 3, 9, 8), filters(4, 3, 3, 3), filters(4), pads=[1, 1, 1, 1]),
    case("Conv", floats(1, 3, 8, 8), filters(4, 3, 3, 3), filters(4), pads=[1, 1, 1, 1], strides=[2, 2]),
    case("Conv", floats(1, 3, 8, 8), filters(4, 3, 3, 3), filters(4), pads=[0, 0, 1, 1], strides=[2, 2]),
    case("Conv", floats(1, 3, 9, 9), filters(4, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]),
    case("Conv", floats(1, 3, 8, 8), filters(4, 3, 2, 2), auto_pad="SAME_LOWER"),
    case("Conv", floats(1, 3, 8, 8), filters(4, 3, 2, 2), auto_pad="VALID"),
    case("Conv", floats(1, 3, 9, 9), filters(4, 3, 3, 3), filters(4), dilations=[2, 2], pads=[2, 2, 2, 2]),
    case("Conv", floats(1, 4, 9, 9), filters(4, 1, 3, 3), filters(4), group=4, pads=[1, 1, 1, 1]),
    case("Conv", floats(1, 4, 9, 9), filters(8, 1, 3, 3), filters(8), group=4, dilations=[2, 1]),
    case("Conv", floats(1, 4, 9, 9), filters(6, 2, 3, 3), filters(6), group=2, pads=[1, 2, 0, 1]),
    case("Conv", floats(1, 1, 9, 9), filters(1, 1, 3, 3), pads=[1, 1, 1, 1]),
    case("Conv", floats(1, 1, 9, 9), filters(5, 1, 3, 3), pads=[1, 1, 1, 1]),
    case("Conv", floats(1, 3, 8, 8), floats(4, 3, 3, 3), floats(4)),
    case("Conv", floats(1, 3, 16), filters(4, 3, 3), filters(4), pads=[2, 0]),
    case("Conv", floats(1, 3, 16), filters(4, 3, 3), filters(4), pads=[4, 0], dilations=[2]),
    case("Conv", floats(1, 4, 16), filters(4, 1, 3), filters(4), group=4, strides=[2], pads=[1, 1]),
    case("Conv", floats(1, 2, 5, 6, 7), filters(3, 2, 3, 3, 3), filters(3), pads=[1, 1, 1, 1, 1, 1]),
    case("Conv", floats(1, 2, 5, 6, 7), filters(3, 2, 2, 3, 3), strides=[2, 1, 2], pads=[0, 1, 0, 1, 0, 2]),
    case("ConvTranspose", floats(1, 3, 5, 5), filters(3, 4, 3, 3)),
    case("ConvTranspose", floats(1, 3, 5, 5), filters(3, 4, 4, 4), filters(4), strides=[2, 2], pads=[1, 1, 1, 1]),
    case(
        "ConvTranspose",
        floats(1, 3, 5, 5),
        filters(3, 4, 3, 3),
        filters(4),
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        output_padding=[1, 1],
    ),
    case("ConvTranspose", floats(1, 3, 5, 5), filters(3, 4, 3, 3), strides=[3, 3], output_padding=[1, 2]),
    case("ConvTranspose", floats(1, 3, 5, 5), filters(3, 4, 2, 2), filters(4), strides=[3, 3], output_padding=[2, 2]),
    case("ConvTranspose", floats(1, 3, 5, 4), filters(3, 4, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
    case("ConvTranspose", floats(1, 3, 5, 4), filters(3, 4, 3, 3), strides=[2, 2], auto_pad="SAME_LOWER"),
    case("ConvTranspose", floats(1, 3, 3, 3), filters(3, 2, 3, 3), strides=[3, 2], output_shape=[10, 8]),
    case("ConvTranspose", floats(1, 3, 5, 5), filters(3, 4, 3, 3), filters(4), dilations=[2, 2]),
    case("ConvTranspose", floats(1, 4, 5, 5), filters(4, 3, 3, 3), filters(6), group=2, strides=[2, 2]),
    case("ConvTranspose", floats(1, 4, 5, 5), filters(4, 1, 4, 4), group=4, strides=[2, 2], pads=[1, 1, 1, 1]),
    case("ConvTranspose", floats(1, 3, 7), filters(3, 4, 4), filters(4), strides=[2], pads=[1, 1]),
    case("ConvTranspose", floats(1, 3, 7), filters(3, 4, 3), filters(4), strides=[2], pads=[1, 0], dilations=[2]),
    case("ConvTranspose", floats(1, 2, 4, 5, 3), filters(2, 3, 3, 3, 3), filters(3)),
    case("ConvTranspose", floats(1, 2, 4, 5, 3), filters(2, 3, 2, 2, 2), strides=[2, 2, 2], pads=[0, 1, 0, 1, 0, 1]),
    case("ConvTranspose", floats(1, 3, 5, 5), floats(3, 4, 3, 3), floats(4)),
]


@pytest.mark.parametrize("sample", CASES, ids=str)
def test_a_convolution_answers_as_in_onnxruntime(sample: Case, tmp_path: Path) -> None:
    assert_equal_outputs(*sample.hub(), tmp_path, tolerance=2e-5)


@st.composite
def convolutions(draw: st.DrawFn) -> Case:
    kernel, dilation, stride = (draw(st.integers(1, high)) for high in (4, 3, 3))
    pads = [draw(st.integers(0, 3)) for _ in range(4)]
    size = draw(st.integers((kernel - 1) * dilation + 1, 14))
    groups = draw(st.sampled_from([1, 2, 4]))
    outputs = groups * draw(st.integers(1, 2))
    settings = {"strides": [stride] * 2, "dilations": [dilation] * 2, "pads": pads, "group": groups}
    return Case(
        "Conv", (floats(1, 4, size, size), filters(outputs, 4 // groups, kernel, kernel), filters(outputs)), settings
    )


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sample=convolutions())
def test_any_stride_dilation_and_padding_answers_as_in_onnxruntime(sample: Case, tmp_path: Path) -> None:
    assert_equal_outputs(*sample.hub(), tmp_path, tolerance=2e-5)


@st.composite
def transposed_convolutions(draw: st.DrawFn) -> Case:
    kernel, stride, dilation = (draw(st.integers(1, high)) for high in (4, 3, 2))
    extent = (kernel - 1) * dilation + 1
    pads = [draw(st.integers(0, extent - 1)) for _ in range(4)]
    extra = draw(st.integers(0, stride - 1))
    size = draw(st.integers(3, 6))
    settings = {"strides": [stride] * 2, "dilations": [dilation] * 2, "pads": pads, "output_padding": [extra] * 2}
    return Case("ConvTranspose", (floats(1, 2, size, size), filters(2, 3, kernel, kernel), filters(3)), settings)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sample=transposed_convolutions())
def test_any_transposed_convolution_answers_as_in_onnxruntime(sample: Case, tmp_path: Path) -> None:
    shape = sample.hub()[0].outputs[0].shape
    if min(size for size in shape if isinstance(size, int)) > 0:
        assert_equal_outputs(*sample.hub(), tmp_path, tolerance=2e-5)


def test_a_filter_of_ones_sums_its_window(tmp_path: Path) -> None:
    ones = Fixed(np.ones((1, 1, 2, 2), np.float32))
    hub, feeds = case("Conv", np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3), ones).hub()
    assert_equal_outputs(hub, feeds, tmp_path, tolerance=0)

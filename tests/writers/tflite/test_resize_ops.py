"""Resize and Upsample in TFLite against ONNX Runtime."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from onnxruntime_twin import Case, assert_equal_outputs, case, fixed, floats

IMAGE = floats(1, 2, 4, 5)
TRANSFORMS = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
UP, DOWN = [1, 2, 7, 13], [1, 2, 3, 2]

CASES = [
    *(
        case("Resize", IMAGE, None, None, fixed(size), coordinate_transformation_mode=transform, nearest_mode=rounding)
        for size, transform, rounding in product((UP, DOWN), TRANSFORMS, ROUNDINGS)
    ),
    *(
        case("Resize", IMAGE, None, None, fixed(size), coordinate_transformation_mode=transform, mode=mode)
        for size, transform, mode in product((UP, DOWN), TRANSFORMS, ("linear", "cubic"))
    ),
    case("Resize", IMAGE, None, fixed([1, 1, 2, 2], "float32"), mode="nearest"),
    case("Resize", IMAGE, None, fixed([1, 1, 2.5, 0.7], "float32"), mode="linear"),
    case("Resize", IMAGE, None, None, fixed([1, 2, 2, 2]), mode="linear", antialias=1),
    case("Resize", IMAGE, None, None, fixed([1, 2, 8, 10]), mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1),
    case("Resize", IMAGE, None, None, fixed([8, 10]), axes=[2, 3], mode="linear"),
    case("Resize", IMAGE, None, None, fixed([8, 8]), axes=[2, 3], keep_aspect_ratio_policy="not_larger"),
    case(
        "Resize",
        IMAGE,
        fixed([0, 0, 0.4, 0.6, 1, 1, 0.6, 0.8], "float32"),
        None,
        fixed([1, 2, 3, 3]),
        mode="linear",
        coordinate_transformation_mode="tf_crop_and_resize",
    ),
    case("Resize", floats(1, 3, 6), None, fixed([1, 1, 2], "float32"), mode="linear"),
    case("Resize", floats(1, 4, 5, 2), None, None, fixed([1, 8, 10, 2]), mode="linear"),
]


@pytest.mark.parametrize("node", CASES, ids=str)
def test_resize_answers_as_onnxruntime(node: Case, tmp_path: Path) -> None:
    hub, feeds = node.hub()
    assert_equal_outputs(hub, feeds, tmp_path)

"""Ops that move data without computing, in TFLite against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnxruntime_twin import Case, assert_equal_outputs, case, fixed, floats, integers, masks

from edgekit.errors import UnsupportedOpError
from edgekit.recipe import Precision
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

IMAGE = floats(1, 4, 6, 8)

SHAPES = [
    case("Reshape", floats(2, 3, 4), fixed([4, 6])),
    case("Reshape", floats(2, 3, 4), fixed([0, -1])),
    case("Reshape", integers(2, 3, 4), fixed([-1])),
    case("Flatten", floats(2, 3, 4), axis=2),
    case("Flatten", floats(2, 3, 4), axis=0),
    case("Squeeze", floats(1, 3, 1, 4), fixed([0, -2])),
    case("Squeeze", floats(1, 3, 1, 4)),
    case("Unsqueeze", floats(3, 4), fixed([0, -1])),
    case("Identity", floats(3, 4)),
    case("Transpose", floats(2, 3, 4), perm=[2, 0, 1]),
    case("Transpose", floats(2, 3, 4)),
    case("Transpose", floats(2, 1, 3, 2, 2, 2), perm=[5, 3, 0, 1, 4, 2]),
    case("Expand", floats(3, 1), fixed([2, 3, 4])),
    case("Expand", floats(3, 1), fixed([1, 1])),
    case("Expand", masks(3, 1), fixed([2, 1, 4])),
    case("Tile", floats(2, 3), fixed([2, 3])),
    case("Tile", integers(2, 3), fixed([1, 2])),
    case("Concat", floats(2, 3), floats(2, 2, seed=1), axis=1),
    case("Concat", floats(2, 3), fixed(np.ones((1, 3)), "float32"), floats(2, 3, seed=2), axis=-2),
    case("Concat", integers(2, 3), integers(1, 3), axis=0),
    case("Split", floats(2, 6), outputs=3, axis=1, num_outputs=3),
    case("Split", floats(7, 2), outputs=3, num_outputs=3),
    case("Split", floats(2, 6), fixed([1, 3, 2]), outputs=3, axis=-1),
    case("Slice", floats(4, 5, 6), fixed([1, 0]), fixed([3, 4]), fixed([0, 2])),
    case("Slice", floats(4, 5, 6), fixed([-3, 1]), fixed([-1, 1000])),
    case("Slice", floats(4, 5, 6), fixed([3, 0]), fixed([-1000, 5]), fixed([0, 1]), fixed([-1, 2])),
    case("Slice", floats(4, 5, 6), fixed([-1]), fixed([0]), fixed([-1]), fixed([-2])),
    case("Slice", masks(4, 5), fixed([1]), fixed([3]), fixed([1])),
    case("Pad", floats(2, 3), fixed([0, 1, 2, 3])),
    case("Pad", floats(2, 3), fixed([0, 1, 2, 3]), fixed(-2.5, "float32")),
    case("Pad", floats(2, 4), fixed([1, 2]), fixed(1.0, "float32"), fixed([-1])),
    case("Pad", floats(3, 4), fixed([-1, 1, 0, -2])),
    case("Pad", floats(3, 4), fixed([1, 2, 2, 3]), mode="reflect"),
    case("Pad", floats(3, 4), fixed([1, 2, 2, 3]), mode="edge"),
    case("Pad", floats(3, 4), fixed([1, 2, 2, 3]), mode="wrap"),
    case("Pad", integers(2, 3), fixed([0, 1, 2, 3])),
    case("Pad", floats(1, 2, 2, 1, 2, 2), fixed([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 2, 0])),
    case("DepthToSpace", floats(1, 8, 2, 3), blocksize=2),
    case("DepthToSpace", floats(1, 8, 2, 3), blocksize=2, mode="CRD"),
    case("SpaceToDepth", IMAGE, blocksize=2),
    case("ReverseSequence", floats(4, 3, 2), fixed([1, 4, 2]), time_axis=0, batch_axis=1),
    case("ReverseSequence", floats(3, 4, 2), fixed([1, 4, 2]), time_axis=1, batch_axis=0),
    case("Trilu", floats(3, 4), upper=1),
    case("Trilu", floats(2, 4, 3), fixed(-1), upper=0),
    case("Shape", floats(2, 3, 4)),
    case("Shape", floats(2, 3, 4), start=1, end=-1),
    case("Size", floats(2, 3, 4)),
    case("Dropout", floats(2, 3)),
    case("EyeLike", floats(3, 4), k=1),
]

GATHERS = [
    case("Gather", floats(5, 3), fixed([4, 0, -1])),
    case("Gather", floats(5, 3), fixed([[0, 2], [1, -1]]), axis=1),
    case("Gather", floats(5, 3), fixed(2), axis=0),
    case("Gather", floats(5, 3), integers(2, 2, low=0, high=5)),
    case("Gather", floats(5, 3), integers(2, 2, low=-5, high=5)),
    case("Gather", integers(5, 3), integers(2, low=0, high=5)),
    case("GatherElements", floats(3, 3), fixed([[1, 2, 0], [2, 0, 0]]), axis=0),
    case("GatherElements", floats(3, 3), integers(3, 2, low=-3, high=3), axis=1),
    case("GatherND", floats(2, 3, 4), fixed([[0, 1], [1, -1]])),
    case("GatherND", floats(2, 3, 4), integers(2, 1, low=0, high=3), batch_dims=1),
    case("ScatterND", floats(4, 3), fixed([[1], [3]]), floats(2, 3, seed=1)),
    case("ScatterND", floats(4, 3), fixed([[0, 2], [3, 1]]), floats(2, seed=1)),
    case("ScatterND", floats(4, 3), fixed([[1], [3]]), floats(2, 3, seed=1), reduction="add"),
    case("ScatterElements", floats(3, 3), fixed([[1, 0, 2], [0, 2, 1]]), floats(2, 3, seed=1), axis=0),
    case("OneHot", integers(4, low=0, high=3), fixed(3), fixed([0.0, 1.0], "float32")),
    case("OneHot", integers(2, 3, low=-4, high=6), fixed(4), fixed([2.0, 5.0], "float32"), axis=1),
]

CASTS = [
    case("Cast", floats(2, 3), to=7),
    case("Cast", floats(2, 3), to=6),
    case("Cast", np.array([0.0, 0.5, -2.0], np.float32), to=9),
    case("Cast", integers(2, 3), to=1),
    case("Cast", integers(2, 3, low=-1, high=2), to=9),
    case("Cast", masks(2, 3), to=1),
    case("Cast", masks(2, 3), to=7),
    case("Cast", integers(2, 3, dtype="uint8", low=0, high=255), to=1),
    case("CastLike", floats(2, 3), fixed([1])),
]


@pytest.mark.parametrize("node", [*SHAPES, *GATHERS, *CASTS], ids=str)
def test_data_movement_answers_as_onnxruntime(node: Case, tmp_path: Path) -> None:
    hub, feeds = node.hub()
    assert_equal_outputs(hub, feeds, tmp_path)


@pytest.mark.parametrize("dtype", ["uint32", "uint64", "float64"])
@pytest.mark.parametrize("op", ["Concat", "Slice", "Gather", "Tile", "Add"])
def test_an_element_type_without_a_kernel_is_refused_by_name(op: str, dtype: str, tmp_path: Path) -> None:
    x = integers(2, 3, low=0).astype(dtype)
    rest = {"Concat": (x,), "Slice": (fixed([1]), fixed([2])), "Gather": (fixed([[0], [1]]),), "Tile": (fixed([2, 1]),)}
    node = case(op, x, *rest.get(op, (x,)), **({"axis": 0} if op == "Concat" else {}))
    with pytest.raises(UnsupportedOpError, match=f"node '{op}'.*{dtype}"):
        write_tflite(node.hub()[0], QuantPlan(Precision.FLOAT32), tmp_path / "model.tflite", TfliteOptions())
    assert not list(tmp_path.iterdir()), "a refused model leaves no file"

"""Recurrent layers as a loop: the same numbers from a smaller file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime_twin import floats, litert_outputs, onnxruntime_outputs, op_names
from recurrent_models import recurrent

from edgekit.recipe import Precision, Prefer, Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.quantize.plan import plan
from edgekit_converters.quantize.scheme import scheme
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite
from edgekit_converters.writers.tflite.ops.recurrent import UNROLLED_BYTES
from edgekit_converters.writers.write import write

CPU = Target("cpu", "this machine")


def written(hub: Hub, path: Path, unroll_steps: int, precision: Precision = Precision.FLOAT32) -> Path:
    recipe = Recipe(precision)
    write_tflite(
        hub, plan(hub, recipe, CPU, scheme(hub, recipe, CPU), {}), path, TfliteOptions(unroll_steps=unroll_steps)
    )
    return path


def difference(hub: Hub, path: Path, kernels: str = "default") -> float:
    feeds = {spec.name: floats(*(int(size) for size in spec.shape)) for spec in hub.inputs}
    expected, found = onnxruntime_outputs(hub, feeds), litert_outputs(path, feeds, kernels)
    assert list(expected) == sorted(found)
    return max(float(np.abs(expected[name] - found[name]).max()) for name in expected)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize(
    ("kind", "settings"), [("RNN", {}), ("LSTM", {"peepholes": True}), ("GRU", {}), ("GRU", {"linear_before_reset": 1})]
)
def test_a_loop_computes_what_the_layer_does(
    kind: str, settings: dict[str, Any], direction: str, tmp_path: Path
) -> None:
    hub = normalize(recurrent(kind, direction=direction, states=True, batch=2, **settings))
    path = written(hub, tmp_path / "m.tflite", 6)
    assert op_names(path).count("WHILE") == (2 if direction == "bidirectional" else 1)
    for kernels in ("default", "reference"):
        assert difference(hub, path, kernels) < 1e-5


def test_a_second_run_begins_at_rest(tmp_path: Path) -> None:
    hub = normalize(recurrent("LSTM"))
    path = written(hub, tmp_path / "m.tflite", 1)
    assert difference(hub, path) < 1e-5
    assert difference(hub, path) < 1e-5


@pytest.mark.parametrize(("unroll_steps", "loops"), [(7, 0), (6, 1)])
def test_the_limit_decides(unroll_steps: int, loops: int, tmp_path: Path) -> None:
    path = written(normalize(recurrent("GRU", steps=7)), tmp_path / "m.tflite", unroll_steps)
    assert op_names(path).count("WHILE") == loops


@pytest.mark.parametrize(("precision", "loops"), [(Precision.FLOAT32, 1), (Precision.INT8, 0)])
def test_weights_of_which_no_cache_holds_a_copy_a_step_make_a_loop(
    precision: Precision, loops: int, tmp_path: Path
) -> None:
    steps, units = 20, 128
    assert steps * 4 * units**2 < UNROLLED_BYTES < 4 * steps * 4 * units**2
    path = written(normalize(recurrent("LSTM", steps=steps, units=units)), tmp_path / "m.tflite", 128, precision)
    assert op_names(path).count("WHILE") == loops


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.FLOAT16])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_narrow_weights_inside_a_loop(kind: str, precision: Precision, tmp_path: Path) -> None:
    hub = normalize(recurrent(kind, inputs=16, units=16))
    looped = written(hub, tmp_path / "loop.tflite", 1, precision)
    unrolled = written(hub, tmp_path / "steps.tflite", 100, precision)
    feeds = {"x": floats(7, 1, 16)}
    expected = litert_outputs(unrolled, feeds)
    for name, array in litert_outputs(looped, feeds).items():
        np.testing.assert_allclose(array, expected[name], atol=1e-6)


def test_size_is_preferred_by_the_recipe(tmp_path: Path) -> None:
    hub = normalize(recurrent("LSTM", steps=40, inputs=40, units=64, outputs=(1,)))
    sizes = {}
    for prefer in Prefer:
        for precision in (Precision.FLOAT32, Precision.INT8):
            recipe = Recipe(precision, prefer=prefer)
            made = plan(hub, recipe, CPU, scheme(hub, recipe, CPU), {})
            write("tflite", hub, made, tmp_path / "m.tflite", recipe, CPU, {})
            sizes[prefer, precision] = (tmp_path / "m.tflite").stat().st_size
    assert sizes[Prefer.SIZE, Precision.INT8] < 0.45 * sizes[Prefer.SIZE, Precision.FLOAT32]
    assert sizes[Prefer.SIZE, Precision.INT8] < 0.6 * sizes[Prefer.SPEED, Precision.INT8]

"""Estimates worked out by hand; they stand beside measurements, with their error where these were made on the device."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conversion import UNCHECKED, convert

from edgekit.cli.border import run
from edgekit.conditions import read_conditions
from edgekit.errors import RecipeError
from edgekit.protocols import Silent
from edgekit.recipe import Precision
from edgekit.roofline import applies_to, estimate_file, work_of
from edgekit.target import Peak, Target, builtin_targets, load_target
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.inspection import inspect_file
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

PEAK = Peak(float32_macs_per_second=1e6, memory_bytes_per_second=4e3, sources=("worked by hand",))


WEIGHT_BYTES = {".onnx": 800, ".tflite": 880}
"""A TFLite product has a bias."""


def board(peak: Peak = PEAK, cores: int = 4) -> Target:
    return Target("board", "Board", cores=cores, peak=peak)


@pytest.fixture(params=["m.onnx", "m.tflite"])
def product(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """(1, 10) times (10, 20): 200 multiply-accumulates, 40 bytes in, 80 out."""
    graph = GraphBuilder("m")
    weights = graph.constant(np.ones((10, 20), np.float32))
    graph.output(graph.op("MatMul", graph.input("x", "float32", (1, 10)), weights), "y")
    path = tmp_path / str(request.param)
    if path.suffix == ".onnx":
        path.write_bytes(graph.build("test").to_bytes())
    else:
        write_tflite(graph.build("test"), QuantPlan(Precision.FLOAT32), path, TfliteOptions())
    return path


def test_an_op_takes_what_takes_longest(product: Path) -> None:
    found = estimate_file(product, board(), 1, Silent())
    assert found is not None
    seconds = (120 + WEIGHT_BYTES[product.suffix]) / 4e3
    assert found.ms == pytest.approx(1e3 * seconds)
    assert found.bounds == {"memory": pytest.approx(1e3 * seconds)}
    faster = estimate_file(product, board(replace(PEAK, memory_bytes_per_second=4e9)), 1, Silent())
    assert faster is not None
    assert faster.ms == pytest.approx(1e3 * 200 / 1e6)
    assert faster.ops[0].bound == "arithmetic"


def test_weights_may_lie_in_a_memory_of_their_own(product: Path) -> None:
    found = estimate_file(product, board(replace(PEAK, weight_bytes_per_second=1e3)), 1, Silent())
    assert found is not None
    assert (found.ms, found.ops[0].bound) == (pytest.approx(WEIGHT_BYTES[product.suffix]), "weights")


def test_what_fits_the_cache_costs_no_memory_traffic(product: Path) -> None:
    whole = 120 + WEIGHT_BYTES[product.suffix]
    for cache_bytes, bound in ((whole - 1, "memory"), (whole, "arithmetic")):
        found = estimate_file(product, board(replace(PEAK, cache_bytes=cache_bytes)), 1, Silent())
        assert found is not None
        assert found.ops[0].bound == bound


def test_arithmetic_is_shared_by_the_cores_there_are(product: Path) -> None:
    fast = replace(PEAK, memory_bytes_per_second=0.0)
    times = [estimate_file(product, board(fast, cores=4), threads, Silent()) for threads in (1, 4, 8)]
    assert [found.ms for found in times if found] == pytest.approx([0.2, 0.05, 0.05])


def test_without_a_rate_for_its_arithmetic_nothing_is_estimated(product: Path) -> None:
    assert estimate_file(product, board(Peak(int8_macs_per_second=1e9, sources=("a",))), 1, Silent()) is None
    assert estimate_file(product, load_target("cpu"), 1, Silent()) is None


def test_integer_nodes_are_told_by_the_conversions_around_them_in_onnx(digits: Path, tmp_path: Path) -> None:
    assert convert(digits, tmp_path, *UNCHECKED).code == 0
    stored = []
    for suffix in ("onnx", "tflite"):
        products = [each for each in work_of(inspect_file(tmp_path / f"digits.int8.{suffix}")) if each.macs]
        assert all(each.integer for each in products)
        stored.append(sum(each.weight_bytes for each in products))
    filled_up = 16 * 3 * 3 * 3  # the picture's channel and three of zeros, for ONNX Runtime's kernels
    assert stored[0] == stored[1] + filled_up < 45_000  # a byte a weight, four a bias: 136 kB in float


def test_the_machine_is_the_target_when_it_goes_by_that_name() -> None:
    pi = load_target("raspberry-pi-4")
    assert applies_to(pi, "Raspberry Pi 4 Model B Rev 1.4")
    assert not applies_to(pi, "AMD EPYC")
    assert not applies_to(load_target("ethos-u55"), "anything")


@pytest.mark.parametrize("name", builtin_targets())
def test_every_figure_of_a_profile_has_a_source(name: str) -> None:
    peak = load_target(name).peak
    assert peak is None or peak.sources


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[peak]\nint8-macs-per-second = 1e9", "needs sources"),
        ('[peak]\nsources = ["a"]', "needs int8-macs-per-second"),
        ('[peak]\nmacs = 1\nsources = ["a"]', "unknown key 'macs'"),
    ],
)
def test_a_wrong_table_is_told(tmp_path: Path, table: str, message: str) -> None:
    path = tmp_path / "board.toml"
    path.write_text(f'title = "Board"\n{table}\n')
    with pytest.raises(RecipeError, match=message):
        load_target(str(path))


def test_convert_tells_the_estimates_error_where_it_measured_on_the_target(
    product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if product.suffix == ".tflite":
        pytest.skip("an artifact is no source")
    path = tmp_path / "here.toml"
    peak = (
        f'[peak]\nfloat32-macs-per-second = 1e12\nprocessor = "{read_conditions().processor}"\nsources = ["a guess"]\n'
    )
    path.write_text(f'title = "This machine"\n{peak}')
    command = ["convert", str(product), "-o", str(tmp_path / "out"), "--to", "onnx", "--precision", "float32"]
    assert run([*command, "--target", str(path), "--report", str(tmp_path / "r.html"), "--json"]) == 0
    own = json.loads(capsys.readouterr().out)["entries"][1]
    assert own["estimate"]["ms"] == pytest.approx(200 / 1e12 * 1e3)
    assert own["estimate"]["error"] == pytest.approx(own["estimate"]["ms"] / own["latency"]["p50_ms"] - 1)
    assert "Estimated, not measured" in (tmp_path / "r.html").read_text("utf-8")


def test_inspect_estimates_for_a_device(product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(product), "--target", "raspberry-pi-4"]) == 0
    assert "an estimate, not measured: at best" in capsys.readouterr().out
    assert run(["inspect", str(product), "--target", "cpu"]) == 1
    assert "tells no peak rate" in capsys.readouterr().err

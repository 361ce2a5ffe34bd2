"""A network that int8 makes slower: the report names the ops, and the precision that it suggests is made by its command."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from conversion import Converted, convert

from edgekit_converters.hub.build import GraphBuilder

ATTEMPTS = 3
"""A machine that others keep busy can hide the difference, which is large, from a run."""


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """Between small convolutions hard swishes, for which ONNX Runtime has one float kernel and three integer ones, and error
    functions, which have no integer kernel."""
    return converted(tmp_path_factory.mktemp("onnx"), "onnx", swish_and_erf)


@pytest.fixture(scope="module")
def tflite(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """Between small convolutions averages that don't count their pads, which XNNPACK takes in float alone."""
    return converted(tmp_path_factory.mktemp("tflite"), "tflite", padded_average)


def swish_and_erf(graph: GraphBuilder, value: ir.Value) -> ir.Value:
    return graph.op("Erf", graph.op("HardSwish", value))


def padded_average(graph: GraphBuilder, value: ir.Value) -> ir.Value:
    return graph.op("AveragePool", value, kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def converted(folder: Path, file_format: str, between: Callable[[GraphBuilder, ir.Value], ir.Value]) -> Converted:
    rng = np.random.default_rng(0)
    graph = GraphBuilder()
    value = graph.input("x", "float32", ("n", 8, 16, 16))
    for _ in range(5):
        weights = rng.normal(size=(8, 8, 1, 1), scale=0.35).astype(np.float32)
        value = between(graph, graph.op("Conv", value, graph.constant(weights)))
    graph.output(graph.op("Conv", value, graph.constant(weights)), "y")
    ir.save(graph.build("test").model, folder / "net.onnx")
    np.savez(folder / "x.npz", x=rng.normal(size=(16, 8, 16, 16)).astype(np.float32))
    samples = ("--calibrate", str(folder / "x.npz"), "--effort", "plain", "--to", file_format)
    options = (*samples, "--limit-latency", "10s", "--limit-size", "1", "--report", str(folder / "out.html"))
    for _ in range(ATTEMPTS):
        made = convert(folder / "net.onnx", folder / "out", *options)
        if made.document["slowdowns"]:
            break
    return made


def slowdown(made: Converted) -> dict[str, Any]:
    (found,) = made.document["slowdowns"]
    assert found["ratio_low"] > 1.01
    return found  # type: ignore[no-any-return]  # JSON


def test_the_ops_that_the_delegate_left_are_named_with_their_times(tflite: Converted) -> None:
    dearest = slowdown(tflite)["ops"][0]
    assert (dearest["op"], dearest["count"], dearest["outside"]) == ("AVERAGE_POOL_2D", 5, 5)
    assert dearest["kernels"] == ["int8 -> int8 on builtin"]
    assert dearest["ms"] > 0


def test_integer_kernels_dearer_than_the_float_one_are_named(onnx: Converted) -> None:
    dearest = slowdown(onnx)["ops"][0]
    assert (dearest["op"], dearest["names"]) == ("Mul", ["QLinearMul"])
    assert dearest["ms"] > 0


def test_conversions_and_the_ops_that_they_surround_are_named(onnx: Converted) -> None:
    slow = slowdown(onnx)
    assert {"QuantizeLinear", "DequantizeLinear"} & {cost["op"] for cost in slow["ops"]}
    assert slow["float_ops"] == {"Erf": 5}


@pytest.fixture(params=["tflite", "onnx"])
def made(request: pytest.FixtureRequest) -> Converted:
    found: Converted = request.getfixturevalue(request.param)
    return found


def test_every_precision_that_needs_no_samples_was_timed_beside_it(made: Converted) -> None:
    slow = slowdown(made)
    assert [a["precision"] for a in slow["alternatives"]] == ["float32", "float16", "int8-dynamic"]
    assert all(a["sqnr_db"] > 20 and a["p50_ms"] > 0 for a in slow["alternatives"])
    chosen = next(a for a in slow["alternatives"] if a["precision"] == slow["suggestion"])
    assert chosen["ratio_high"] < slow["ratio_low"]


def test_files_that_were_only_timed_are_gone(made: Converted) -> None:
    artifact = slowdown(made)["entry"]
    assert made.files == {artifact, f"{artifact}.json", "report.json"}


def test_the_limits_decide_as_they_would_without_it(made: Converted) -> None:
    found = {(limit["name"], limit["passed"]) for limit in made.document["limits"]}
    assert found == {("latency", True), ("size", False)}
    assert made.code == 1


def test_the_page_shows_it_too(made: Converted) -> None:
    page = (made.out.parent / "out.html").read_text("utf-8")
    slow = slowdown(made)
    assert f"Slower than float: {slow['entry']}" in page
    assert slow["ops"][0]["kernels"][0].split(" ")[0] in page


def test_the_command_that_is_suggested_makes_the_file(made: Converted, tmp_path: Path) -> None:
    slow = slowdown(made)
    program, verb, model, *options = shlex.split(slow["command"])
    assert (program, verb) == ("edgekit", "convert")
    assert options[options.index("-o") + 1] == str(made.out)
    again = convert(model, tmp_path, *options[2:], "--no-checks")
    assert again.code == 0
    assert f"net.{slow['suggestion']}.{slow['format']}" in again.files

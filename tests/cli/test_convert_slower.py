"""A network that int8 makes slower: the report names the ops, and the precision that it suggests is made by its command."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from conversion import Converted, convert

from edgekit_converters.hub.build import GraphBuilder


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """Small convolutions between hard swishes, for which ONNX Runtime has one float kernel and three integer ones."""
    folder = tmp_path_factory.mktemp("slower")
    rng = np.random.default_rng(0)
    graph = GraphBuilder()
    value = graph.input("x", "float32", ("n", 8, 24, 24))
    for _ in range(6):
        weights = rng.normal(size=(8, 8, 1, 1), scale=0.35).astype(np.float32)
        value = graph.op("HardSwish", graph.op("Conv", value, graph.constant(weights)))
    graph.output(value, "y")
    ir.save(graph.build("test").model, folder / "swishes.onnx")
    np.savez(folder / "x.npz", x=rng.normal(size=(16, 8, 24, 24)).astype(np.float32))
    samples = ("--calibrate", str(folder / "x.npz"), "--effort", "plain", "--to", "onnx")
    limits = ("--limit-latency", "10s", "--limit-size", "1")
    return convert(folder / "swishes.onnx", folder / "out", *samples, *limits, "--report", str(folder / "out.html"))


def test_the_ops_that_cost_it_are_named_with_their_times(converted: Converted) -> None:
    (slow,) = converted.document["slowdowns"]
    assert slow["entry"] == "swishes.int8.onnx"
    assert slow["ratio_low"] > 1.01
    dearest = slow["ops"][0]
    assert (dearest["op"], dearest["names"], dearest["count"]) == ("Mul", ["QLinearMul"], 12)
    assert dearest["ms"] > dearest["float_ms"]


def test_every_precision_that_needs_no_samples_was_timed_beside_it(converted: Converted) -> None:
    (slow,) = converted.document["slowdowns"]
    assert [a["precision"] for a in slow["alternatives"]] == ["float32", "float16", "int8-dynamic"]
    assert all(a["sqnr_db"] > 30 and a["p50_ms"] > 0 for a in slow["alternatives"])
    chosen = next(a for a in slow["alternatives"] if a["precision"] == slow["suggestion"])
    assert chosen["ratio_high"] < slow["ratio_low"]


def test_files_that_were_only_timed_are_gone(converted: Converted) -> None:
    assert converted.files == {"swishes.int8.onnx", "swishes.int8.onnx.json", "report.json"}


def test_the_limits_decide_as_they_would_without_it(converted: Converted) -> None:
    assert {limit["name"]: limit["passed"] for limit in converted.document["limits"]} == {
        "latency": True,
        "size": False,
    }
    assert converted.code == 1


def test_the_page_shows_it_too(converted: Converted) -> None:
    page = (converted.out.parent / "out.html").read_text("utf-8")
    assert "Slower than float: swishes.int8.onnx" in page
    assert "QLinearMul" in page


def test_the_command_that_is_suggested_makes_the_file(converted: Converted, tmp_path: Path) -> None:
    (slow,) = converted.document["slowdowns"]
    program, verb, model, *options = shlex.split(slow["command"])
    assert (program, verb) == ("edgekit", "convert")
    assert options[options.index("-o") + 1] == str(converted.out)
    made = convert(model, tmp_path, *options[2:], "--no-checks")
    assert made.code == 0
    assert f"swishes.{slow['suggestion']}.onnx" in made.files

"""``--require-delegate`` and ``--limit-fallback``, the same on every command that tells where ops run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgekit.cli.border import run
from edgekit_converters.hub.build import GraphBuilder

COMMANDS = {
    "inspect": ["inspect", "out/m.int8.tflite"],
    "bench": ["bench", "out/m.int8.tflite", "--min-seconds", "50ms", "--processes", "1", "--starts", "1"],
    "check": ["check", "out/m.int8.tflite", "--against", "m.onnx", "--samples", "in.npz"],
}
CONVERT = ["convert", "m.onnx", "--calibrate", "in.npz", "-o", "out", "--io", "int8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution, then a softmax, which XNNPACK has no int8 kernel for, and an int8 file."""
    folder = tmp_path_factory.mktemp("gates")
    random = np.random.default_rng(1)
    graph = GraphBuilder("m")
    data = graph.input("x", "float32", (1, 3, 8, 8))
    weights = graph.constant(random.normal(size=(4, 3, 3, 3)).astype(np.float32))
    graph.output(graph.op("Softmax", graph.op("Conv", data, weights), axis=1), "y")
    (folder / "m.onnx").write_bytes(graph.build("test").to_bytes())
    np.savez(folder / "in.npz", x=random.normal(size=(8, 3, 8, 8)).astype(np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run([*CONVERT, "--to", "tflite", "--no-checks", "--json"]) == 0
    return folder


@pytest.fixture(autouse=True)
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_all_arithmetic_on_the_delegate_is_within_the_limit(command: list[str]) -> None:
    assert run([*command, "--limit-fallback", "0%", "--require-delegate", "xnnpack", "--json"]) == 0


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_an_op_that_is_left_breaks_a_limit_of_none_and_is_named(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--limit-fallback", "0ops"]) == 1
    out = capsys.readouterr().out
    assert "1 SOFTMAX (int8 -> int8) on builtin" in out
    assert "what to do: leave the softmax float" in out
    assert "limit BROKEN: fallback of" in out


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_delegate_that_takes_nothing_breaks_the_gate(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--require-delegate", "libedgetpu", "--json"]) == 1
    (limit,) = json.loads(capsys.readouterr().out)["limits"]
    assert (limit["name"], limit["found"], limit["passed"]) == ("delegate libedgetpu", 0.0, False)


def test_convert_judges_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CONVERT, "--limit-fallback", "0%", "--json", "--report", "out/report.html"]) == 1
    document = json.loads(capsys.readouterr().out)
    limits = {limit["entry"]: limit for limit in document["limits"]}
    assert limits["m.int8.tflite"]["passed"]
    assert limits["m.int8.onnx"]["found"] == 100.0
    left = document["entries"][3]["placement"]["fallbacks"]
    assert [kind["op"] for kind in left["kinds"]] == ["SOFTMAX"]
    page = Path("out/report.html").read_text("utf-8")
    assert "leave the softmax float" in page


def test_gates_need_the_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CONVERT, "--no-checks", "--limit-fallback", "0%"]) == 2
    assert "need the checks" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "3 dB", "some"])
def test_a_limit_without_its_unit_is_wrong_usage(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*COMMANDS["inspect"], "--limit-fallback", text]) == 2
    assert "5% (of the multiply-accumulates) or 3ops" in capsys.readouterr().err

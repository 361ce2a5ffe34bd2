"""``edgekit inspect``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_models import write_doubler

from edgekit.cli.border import run


def test_the_tables_show_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(write_doubler(tmp_path / "m.onnx")), "--graph"]) == 0
    out = capsys.readouterr().out
    for word in ("MatMul", "parameters", "multiply-accumulates", "1 x 3", "file"):
        assert word in out


def test_json_holds_the_whole_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(write_doubler(tmp_path / "m.onnx")), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "edgekit.inspect/1"
    assert (document["macs"], document["parameters"], document["weight_bytes"]) == (9, 9, 36)
    assert [node["op"] for node in document["nodes"]] == ["MatMul"]
    assert document["ops"] == [{"op": "MatMul", "count": 1, "macs": 9}]
    assert document["placement"] is None


def test_placement_is_told_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(write_doubler(tmp_path / "m.onnx")), "--placement", "--json"]) == 0
    [op] = json.loads(capsys.readouterr().out)["placement"]["ops"]
    assert (op["device"], op["kernel"], op["integer"]) == ("CPUExecutionProvider", "float32 -> float32", False)


@pytest.mark.parametrize("name", ["m.onnx", "m.tflite", "m.txt"])
def test_a_damaged_file_is_one_message(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_bytes(b"no model at all")
    assert run(["inspect", str(tmp_path / name)]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert name in err
    assert len(err.splitlines()) == 1

"""``edgekit bench``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_models import write_doubler

from edgekit.cli.border import run

QUICK = ["--min-seconds", "50ms"]


def test_json_has_every_figure_and_no_raw_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(write_doubler(tmp_path / name)) for name in ("a.onnx", "b.onnx")]
    assert run(["bench", *files, *QUICK, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "edgekit.bench/1"
    first, second = document["results"]
    assert first["ratio"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert second["file"] == files[1]
    latency = second["latency"]
    assert latency["p50_ns"]["low"] <= latency["p50_ns"]["value"] <= latency["p90_ns"]["value"]
    assert "samples_ns" not in latency
    assert second["load"]["peak_memory_bytes"] > 0
    assert document["before"]["cores"] >= 1


def test_samples_are_kept_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", str(write_doubler(tmp_path / "a.onnx")), *QUICK, "--json", "--keep-samples"]) == 0
    latency = json.loads(capsys.readouterr().out)["results"][0]["latency"]
    assert len(latency["samples_ns"]) == latency["runs"]


def test_the_table_names_the_files_and_the_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "in.npz", x=np.ones((4, 3), np.float32))
    file = str(write_doubler(tmp_path / "a.onnx", batch=2))
    assert run(["bench", file, *QUICK, "--input", str(tmp_path / "in.npz")]) == 0
    out = capsys.readouterr().out
    assert "a.onnx" in out
    assert "governor" in out


def test_too_little_time_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(write_doubler(tmp_path / "a.onnx"))
    assert run(["bench", file, "--min-seconds", "1us", "--max-seconds", "1us"]) == 1
    assert "Measure longer" in capsys.readouterr().err


def test_a_missing_file_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", str(tmp_path / "none.onnx")]) == 1
    assert "there is no model file" in capsys.readouterr().err

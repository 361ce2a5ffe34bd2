"""``--delegate``, the same on every command that runs files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_models import write_doubler

from edgekit.cli.border import run

COMMANDS = {
    "run": ["run", "m.onnx", "--input", "in.npz", "--output", "out.npz"],
    "bench": ["bench", "m.onnx", "--min-seconds", "50ms", "--processes", "1", "--starts", "1"],
    "inspect": ["inspect", "m.onnx", "--placement"],
    "check": ["check", "m.onnx", "--against", "m.onnx", "--samples", "in.npz"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and samples, in which commands run."""
    monkeypatch.chdir(tmp_path)
    write_doubler(tmp_path / "m.onnx")
    np.savez(tmp_path / "in.npz", x=np.arange(12, dtype=np.float32).reshape(4, 3))
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_provider_that_is_not_there_ends_every_command(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--delegate", "ACL"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "'ACL'" in err


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_provider_that_is_there_is_told_in_the_json(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--delegate", "cpu", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    told = {
        "run": lambda: document["delegates"],
        "bench": lambda: document["results"][0]["delegates"],
        "inspect": lambda: [document["placement"]["ops"][0]["device"]],
        "check": lambda: [document["settings"]["delegates"]],
    }[command[0]]()
    assert told in (["cpu"], ["CPUExecutionProvider"])


def test_an_option_without_a_value_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*COMMANDS["run"], "--delegate", "openvino:device_type"]) == 2
    assert "expected NAME or NAME:key=value" in capsys.readouterr().err


def test_without_placement_there_is_nothing_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "m.onnx", "--delegate", "cpu"]) == 2
    assert "--delegate is for --placement" in capsys.readouterr().err


def test_convert_runs_its_checks_on_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["convert", "m.onnx", "--calibrate", "in.npz", "-o", "out", "--to", "onnx"]
    assert run([*command, "--delegate", "ACL"]) == 1
    assert "'ACL'" in capsys.readouterr().out
    assert run([*command, "--delegate", "cpu", "--json"]) == 0
    assert json.loads((folder / "out" / "report.json").read_text())["settings"]["delegates"] == "cpu"


def test_convert_without_checks_has_nothing_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["convert", "m.onnx", "-o", "out", "--no-checks", "--precision", "float32"]
    assert run([*command, "--delegate", "cpu"]) == 2
    assert "leave --no-checks out" in capsys.readouterr().err

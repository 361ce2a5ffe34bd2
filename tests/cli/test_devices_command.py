"""``edgekit devices``, and ``--device`` of the other commands, with this machine as the device."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_models import write_doubler

from edgekit.cli.border import run


@pytest.fixture
def bare_interpreter(tmp_path: Path) -> str:
    """A Python with nothing but its own library."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    return str(tmp_path / "bare" / "bin" / "python")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTHONPATH", raising=False)


def test_a_device_is_added_probed_listed_and_removed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["devices", "add", "desk", "local", "--json"]) == 0
    added = json.loads(capsys.readouterr().out)
    assert added["schema"] == "edgekit.probe/1"
    assert (added["device"], added["emulated"]) == ("desk", False)
    assert added["survey"]["conditions"]["cores"] >= 1
    assert run(["devices", "probe", "desk"]) == 0
    assert "onnxruntime" in capsys.readouterr().out
    assert run(["devices", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["schema"] == "edgekit.devices/1"
    assert [(device["name"], device["url"]) for device in listed["devices"]] == [("desk", "local")]
    assert listed["devices"][0]["found"]["cores"] == added["survey"]["conditions"]["cores"]
    assert run(["devices", "remove", "desk"]) == 0
    assert "No devices yet" in capsys.readouterr().out


def test_a_name_is_not_given_twice_without_saying_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["devices", "add", "desk", "local", "--no-probe"]) == 0
    assert run(["devices", "add", "desk", "ssh://pi@desk", "--no-probe"]) == 2
    assert "--replace overwrites it" in capsys.readouterr().err
    assert run(["devices", "add", "desk", "ssh://pi@desk", "--no-probe", "--replace"]) == 0
    assert "ssh://pi@desk" in capsys.readouterr().out


def test_a_device_without_numpy_is_told_what_helps(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, bare_interpreter: str
) -> None:
    assert run(["devices", "add", "bare", "local", "--python", bare_interpreter]) == 0
    assert "edgekit devices setup bare" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["bench"], ["inspect", "--placement"]])
def test_a_file_is_opened_on_the_device(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(write_doubler(tmp_path / "a.onnx"))
    quick = ["--min-seconds", "50ms", "--processes", "1", "--starts", "1"] if command == ["bench"] else []
    assert run([*command, file, *quick, "--device", "local", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document.get("device", "local") == "local"
    assert list((tmp_path / "cache" / "edgekit" / "models").glob("*/a.onnx"))


def test_a_file_answers_there_as_it_does_here(tmp_path: Path) -> None:
    file = str(write_doubler(tmp_path / "a.onnx"))
    np.savez(tmp_path / "in.npz", x=np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))
    for name, device in (("here", []), ("there", ["--device", "local"])):
        output = str(tmp_path / f"{name}.npz")
        assert run(["run", file, "--input", str(tmp_path / "in.npz"), "--output", output, *device]) == 0
    here, there = np.load(tmp_path / "here.npz"), np.load(tmp_path / "there.npz")
    assert all(np.array_equal(here[key], there[key]) for key in here.files)


def test_a_file_is_compared_on_the_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (str(write_doubler(tmp_path / name)) for name in ("a.onnx", "b.onnx"))
    np.savez(tmp_path / "in.npz", x=np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))
    command = ["check", one, "--against", other, "--samples", str(tmp_path / "in.npz"), "--device", "local", "--json"]
    assert run(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["settings"]["device"] == "local"
    assert report["entries"][1]["agreement"]["equal_values"] == 1.0


def test_a_device_that_nobody_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", str(write_doubler(tmp_path / "a.onnx")), "--device", "kitchn"]) == 2
    assert "no device named 'kitchn'" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--resume"], ["--no-checks", "--device", "local"]])
def test_options_of_convert_that_make_no_sense_together(
    option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(write_doubler(tmp_path / "a.onnx"))
    assert run(["convert", model, "-o", str(tmp_path / "out"), "--precision", "float32", *option]) == 2
    assert "--device" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

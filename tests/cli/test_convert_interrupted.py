"""Runs that are cut short: places that can't be written, a full disk, Ctrl-C, a native crash. Nothing half-written stays."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conversion import CALIBRATE, DIGITS, UNCHECKED, convert

import edgekit

MANIFEST = "out/digits.int8.onnx.json"
"""Stands there when both files are written: what reads samples after that is the checks."""

SAMPLES = f"""
import ctypes, time
from pathlib import Path
import numpy as np

def digits():
    stored = np.load({str(DIGITS / "calibrate.npz")!r})
    yield stored["x"].astype(np.float32), stored["y"]

def endless():
    while True:
        yield from digits()
        Path("ready").touch()
        time.sleep(0.1)

def endless_when_checking():
    yield from endless() if Path({MANIFEST!r}).exists() else digits()

def crashing():
    yield from digits()
    ctypes.string_at(0)

def crashing_when_checking():
    yield from crashing() if Path({MANIFEST!r}).exists() else digits()
"""


def start(
    folder: Path, model: Path, *options: str, largest_file: int | None = None, python_path: Path | None = None
) -> subprocess.Popen[str]:
    """``edgekit convert`` in a process of its own; temporary files go to ``folder``/tmp."""
    (folder / "tmp").mkdir()
    (folder / "stream.py").write_text(SAMPLES)

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    return subprocess.Popen(
        [sys.executable, "-m", "edgekit.cli", "convert", str(model), "-o", "out", "--json", *options],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder / "tmp"), "PYTHONPATH": str(python_path or "")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit,
    )


def wait_for(path: Path, process: subprocess.Popen[str], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()} if folder.is_dir() else set()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_while_calibrating_leaves_nothing(
    digits: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with start(tmp_path, digits, "--calibrate", "stream:endless") as process:
        wait_for(tmp_path / "ready", process)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in err
    if number is signal.SIGINT:
        assert err.strip() == "error: interrupted; nothing half-written is left behind"
        assert json.loads(out)["error"]["kind"] == "Interrupted"
    assert not (tmp_path / "out").exists()
    assert files_in(tmp_path / "tmp") == set()


def test_an_interruption_while_checking_keeps_the_finished_files(digits: Path, tmp_path: Path) -> None:
    with start(tmp_path, digits, *CALIBRATE, "--evaluate", "stream:endless_when_checking") as process:
        wait_for(tmp_path / "ready", process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.strip().count("\n") == 0
    names = {"digits.int8.tflite", "digits.int8.onnx"}
    assert files_in(tmp_path / "out") == {*names, *(f"{name}.json" for name in names)}
    assert files_in(tmp_path / "tmp") == set()
    for name in names:
        edgekit.load(tmp_path / "out" / name).close()


@pytest.mark.parametrize("largest_file", [20_000, 46_000], ids=["first", "second"])
def test_a_disk_that_takes_no_more_is_one_message(digits: Path, tmp_path: Path, largest_file: int) -> None:
    with start(tmp_path, digits, *UNCHECKED, largest_file=largest_file) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1, out
    assert "a file may not grow so large" in err
    assert err.count("\n") == 1
    finished = files_in(tmp_path / "out")
    assert finished in (set(), {"digits.int8.tflite", "digits.int8.tflite.json"})
    assert bool(finished) == (largest_file == 46_000)
    assert files_in(tmp_path / "tmp") == set()


def test_a_native_crash_becomes_an_error_of_its_stage(digits: Path, tmp_path: Path) -> None:
    with start(tmp_path, digits, "--calibrate", "stream:crashing") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(out)["error"]["kind"] == "StageCrashError"
    assert "SIGSEGV" in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()
    assert files_in(tmp_path / "tmp") == set()


def test_a_native_crash_while_checking_keeps_the_files(digits: Path, tmp_path: Path) -> None:
    with start(tmp_path, digits, *CALIBRATE, "--evaluate", "stream:crashing_when_checking") as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    (failure,) = json.loads(out)["failures"]
    assert failure["stage"] == "check"
    assert "SIGSEGV" in failure["message"]
    assert {"digits.int8.tflite", "digits.int8.onnx", "report.json"} <= files_in(tmp_path / "out")
    assert files_in(tmp_path / "tmp") == set()


def test_a_package_that_one_format_needs_costs_that_format_alone(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "hidden" / "ai_edge_litert").mkdir(parents=True)
    hiding = "raise ModuleNotFoundError('No module named ai_edge_litert', name='ai_edge_litert')\n"
    (tmp_path / "hidden" / "ai_edge_litert" / "__init__.py").write_text(hiding)
    with start(tmp_path, digits, *UNCHECKED, python_path=tmp_path / "hidden") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    (failure,) = json.loads(out)["failures"]
    assert failure["stage"] == "write tflite"
    assert "pip install 'edgekit-ml[tflite]'" in failure["message"]
    assert "digits.int8.onnx" in files_in(tmp_path / "out")


def test_an_output_that_is_a_file(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    for out in (tmp_path / "out", tmp_path / "out" / "below"):
        made = convert(digits, out, *UNCHECKED)
        assert made.code == 1
        assert "is a file; give a folder with -o" in made.err
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc and /sys exist on Linux")
@pytest.mark.parametrize("folder", ["/proc/edgekit", "/sys/kernel"])
def test_a_folder_that_cannot_be_written_to(digits: Path, folder: str) -> None:
    made = convert(digits, Path(folder), *UNCHECKED)
    assert made.code == 1
    assert f"the output folder {folder} is not writable" in made.err
    assert made.err.count("\n") == 1

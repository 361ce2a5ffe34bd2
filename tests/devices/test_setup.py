"""Installing runtimes on a device."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.devices import Address, Device
from edgekit.devices.setup import fetch_wheels, packages_for, platform_tags, setup
from edgekit.devices.survey import Interpreter
from edgekit.errors import DeviceError, UsageError
from edgekit.protocols import Silent

PI_4 = Interpreter("python3", (3, 11, 2), "aarch64", "2.36", "")


def test_packages_fit_the_board():
    assert list(packages_for(PI_4, ())) == ["numpy", "onnxruntime", "litert"]
    older = Interpreter("python3", (3, 10, 4), "aarch64", "2.35", "")
    assert packages_for(older, ()) == {
        "numpy": "numpy>=1.23,<2",
        "onnxruntime": "onnxruntime>=1.20",
        "tflite_runtime": "tflite-runtime>=2.14",
    }
    assert list(packages_for(Interpreter("python3", (3, 11, 2), "armv7l", "2.36", ""), ())) == [
        "numpy",
        "tflite_runtime",
    ]
    assert list(packages_for(PI_4, ("litert",))) == ["numpy", "litert"]
    with pytest.raises(UsageError, match="can't install the runtime 'tensorrt'"):
        packages_for(PI_4, ("tensorrt",))


def test_wheels_are_those_of_the_boards_c_library():
    tags = platform_tags(PI_4)
    assert tags[0] == "manylinux_2_36_aarch64"
    assert {"manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(tags)
    with pytest.raises(DeviceError, match="not glibc"):
        platform_tags(Interpreter("python3", (3, 11, 2), "aarch64", "", ""))


def test_a_board_whose_python_is_too_old_is_left_alone(cache: Path, bare_python: str, tmp_path: Path):
    old = tmp_path / "python3.8"
    answer = '{"version": [3, 8, 1], "machine": "aarch64", "glibc": "2.31", "numpy": ""}'
    old.write_text(f"#!/bin/sh\necho '{answer}'\n")
    old.chmod(0o755)
    with Device.open(Address("local", str(old))) as device, pytest.raises(DeviceError, match=r"Python 3\.8\.1"):
        setup(device, (), Silent(), offline=True)
    assert not (cache / "venv").exists()


def test_a_package_that_is_nowhere_leaves_no_environment(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with Device.open(Address("local")) as device, pytest.raises(DeviceError, match="no package index is reached"):
        setup(device, ("litert",), Silent(), offline=True)
    assert not (cache / "venv").exists()
    assert not (cache / "wheels").exists()


@pytest.mark.slow
def test_wheels_fetched_here_run_there(cache: Path, model: Path, monkeypatch: pytest.MonkeyPatch):
    """From the environment of edgekit's own, also where pip is told to install for the account."""
    require_index()
    monkeypatch.setenv("PIP_USER", "1")
    with Device.open(Address("local")) as device:
        found = setup(device, ("onnxruntime",), Silent(), offline=True)
    assert [runtime.name for runtime in found.runtimes if runtime.availability.available] == ["onnxruntime"]
    assert list((cache / "venv").glob("lib/python*/site-packages/onnxruntime"))
    with Device.open(Address("local")) as again, Device.open(Address("local", "/usr/bin/python3")) as other:
        assert again.python == str(cache / "venv" / "bin" / "python")
        assert other.python == "/usr/bin/python3", "the environment was made of another one"


@pytest.mark.slow
def test_wheels_of_another_processor_are_found(tmp_path: Path):
    require_index()
    wheels = fetch_wheels(PI_4, ["ai-edge-litert>=2.1"], tmp_path)
    assert any(wheel.name.startswith("ai_edge_litert") and "aarch64" in wheel.name for wheel in wheels)


@pytest.mark.slow
def test_a_32_bit_board_with_the_systems_numpy_gets_tflite_runtime(tmp_path: Path):
    require_index()
    zero = Interpreter("python3", (3, 11, 2), "armv7l", "2.36", "1.24.2")
    wheels = fetch_wheels(zero, ["tflite-runtime>=2.14"], tmp_path, options=("--no-deps",))
    assert [wheel.name.split("-")[0] for wheel in wheels] == ["tflite_runtime"]


def require_index() -> None:
    """Skips where pip reaches no package index."""
    folder = Path(sys.executable).parent
    command = [sys.executable, "-m", "pip", "index", "versions", "numpy", "--timeout", "10", "--retries", "0"]
    if shutil.which("python", path=str(folder)) is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no package index is reached")

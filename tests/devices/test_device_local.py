"""A device reached by the local transport: the runner in another interpreter, which sees nothing of this checkout."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit import isolation
from edgekit.benchmark import Contender, TimingRequest
from edgekit.devices import Address, Device
from edgekit.errors import ArtifactError, DeviceError, StageCrashError, UnknownNameError, UsageError
from edgekit.isolation import Limits
from edgekit.latency import Timing
from edgekit.load_cost import LoadRequest
from edgekit.protocols import SessionOptions

OPEN = "edgekit.load_cost:open_here"
START = "edgekit.load_cost:start_here"
ENDLESS = Timing(min_seconds=600, max_seconds=600, max_runs=10**12)


def timing_request(path: Path, timing: Timing) -> TimingRequest:
    return TimingRequest((Contender(path, "onnxruntime", SessionOptions(), {}),), timing, keep_samples=False)


def test_a_session_answers_from_there(device: Device, model: Path):
    request = LoadRequest(device.send(model), "onnxruntime", SessionOptions())
    with isolation.open_session(OPEN, request, host=device) as session:
        x = np.array([[0.0, 1.0, 2.0]], np.float32)
        np.testing.assert_allclose(session.run({"x": x})["y"], np.exp(x), rtol=1e-6)
        assert [op.op for op in session.placement().ops] == ["Exp"]


def test_files_are_timed_there(device: Device, model: Path):
    request = timing_request(device.send(model), Timing(min_seconds=0.05, warm_up_seconds=0.05))
    (latency,) = isolation.run("edgekit.benchmark:time_here", request, host=device).value
    assert latency.runs > 10


def test_an_error_there_has_its_class_here(device: Device):
    request = LoadRequest(Path("/no/such/file.onnx"), "onnxruntime", SessionOptions())
    with pytest.raises(ArtifactError, match="no model file"):
        isolation.run(START, request, host=device)


def test_a_child_that_takes_too_long_is_gone_afterwards(
    device: Device, model: Path, cache: Path, soon: Callable[[Callable[[], bool]], None]
):
    request = timing_request(device.send(model), ENDLESS)
    with pytest.raises(StageCrashError, match=r"took more than 2 s"):
        isolation.run("edgekit.benchmark:time_here", request, host=device, limits=Limits(seconds=2))
    soon(lambda: not runners(cache))
    soon(lambda: jobs(cache) == [])


def test_a_folder_whose_process_died_is_removed_by_the_next_one(device: Device, model: Path, cache: Path):
    (cache / "jobs" / "job-dead").mkdir(parents=True)
    (cache / "jobs" / "job-dead" / "left").write_bytes(b"x")
    request = LoadRequest(device.send(model), "onnxruntime", SessionOptions())
    isolation.run(START, request, host=device)
    assert jobs(cache) == []


def test_a_file_is_sent_once_and_again_when_it_was_damaged(device: Device, model: Path):
    there = device.send(model)
    os.utime(there, (1e9, 1e9))
    inode = there.stat().st_ino
    assert device.send(model).stat().st_ino == inode
    assert there.stat().st_mtime > 1.5e9, "used files stay"
    there.write_bytes(b"damaged")
    assert device.send(model).read_bytes() == model.read_bytes()


def test_what_nobody_used_for_a_month_is_removed(device: Device, model: Path, cache: Path):
    there = device.send(model)
    os.utime(there, (1e9, 1e9))
    Device.open(Address("local")).close()
    assert not there.exists()


def test_a_python_that_is_not_there_is_named(cache: Path):
    with (
        Device.open(Address("local", "python-of-tomorrow")) as device,
        pytest.raises(DeviceError, match="python-of-tomorrow"),
    ):
        isolation.run(START, None, host=device)


def test_a_python_without_numpy_says_what_helps(cache: Path, bare_python: str):
    with (
        Device.open(Address("local", bare_python)) as device,
        pytest.raises(DeviceError, match=r"numpy can't be used.*edgekit devices setup"),
    ):
        isolation.run(START, None, host=device)


def test_a_python_that_is_too_old_is_named(cache: Path, bare_python: str, tmp_path: Path):
    old = tmp_path / "python3.8"
    pretend = "import runpy, sys; sys.version_info = (3, 8, 1); runpy.run_path(sys.argv[1], run_name='__main__')"
    old.write_text(f'#!/bin/sh\nexec {bare_python} -c "{pretend}" "$@"\n')
    old.chmod(0o755)
    with (
        Device.open(Address("local", str(old))) as device,
        pytest.raises(DeviceError, match=r"Python 3\.8 is too old; it needs 3\.10 or newer"),
    ):
        isolation.run(START, None, host=device)


def test_a_place_for_files_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DeviceError, match="can't make a folder for its files"):
        Device.open(Address("local"))


def test_local_takes_no_address():
    with pytest.raises(UsageError, match="takes no address"):
        Device.open(Address("local://here"))


def test_a_way_that_nobody_knows():
    with pytest.raises(UnknownNameError, match="Did you mean 'ssh'"):
        Address("ssd://pi@kitchen")


def jobs(cache: Path) -> list[str]:
    return [path.name for path in (cache / "jobs").iterdir() if path.is_dir()]


def runners(cache: Path) -> list[str]:
    """Command lines of the processes that run a runner out of ``cache``."""
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            lines.append((folder / "cmdline").read_text("utf-8", "replace").replace("\0", " "))
    return [line for line in lines if str(cache) in line and "runner-" in line]

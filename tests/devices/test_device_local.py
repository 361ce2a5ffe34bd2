"""A device reached by the local transport: the runner in another interpreter, which sees nothing of this checkout."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit import isolation
from edgekit.benchmark import Contender, TimingRequest
from edgekit.devices import Address, Device
from edgekit.errors import ArtifactError, DeviceError, StageCrashError
from edgekit.isolation import Limits
from edgekit.latency import Timing
from edgekit.load_cost import LoadRequest
from edgekit.protocols import SessionOptions


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with Device.open(Address("local")) as opened:
        yield opened


def test_a_session_answers_from_there(device: Device, model: Path):
    request = LoadRequest(device.send(model), "onnxruntime", SessionOptions())
    with isolation.open_session("edgekit.load_cost:open_here", request, host=device) as session:
        x = np.array([[0.0, 1.0, 2.0]], np.float32)
        np.testing.assert_allclose(session.run({"x": x})["y"], np.exp(x), rtol=1e-6)
        assert [op.op for op in session.placement().ops] == ["Exp"]


def test_files_are_timed_there(device: Device, model: Path):
    contender = Contender(device.send(model), "onnxruntime", SessionOptions(), {})
    request = TimingRequest((contender,), Timing(min_seconds=0.05, warm_up_seconds=0.05), keep_samples=False)
    (latency,) = isolation.run("edgekit.benchmark:time_here", request, host=device).value
    assert latency.runs > 10


def test_an_error_there_has_its_class_here(device: Device):
    request = LoadRequest(Path("/no/such/file.onnx"), "onnxruntime", SessionOptions())
    with pytest.raises(ArtifactError, match="no model file"):
        isolation.run("edgekit.load_cost:start_here", request, host=device)


def test_a_child_that_takes_too_long_is_gone_afterwards(device: Device, model: Path, tmp_path: Path):
    contender = Contender(device.send(model), "onnxruntime", SessionOptions(), {})
    endless = Timing(min_seconds=600, max_seconds=600, max_runs=10**12)
    request = TimingRequest((contender,), endless, keep_samples=False)
    with pytest.raises(StageCrashError, match=r"took more than 3 s"):
        isolation.run("edgekit.benchmark:time_here", request, host=device, limits=Limits(seconds=3))
    assert_soon(lambda: not runners(tmp_path))


def runners(cache: Path) -> list[str]:
    """Command lines of the processes that run a runner out of ``cache``."""
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            lines.append((folder / "cmdline").read_text("utf-8", "replace").replace("\0", " "))
    return [line for line in lines if str(cache) in line and "runner-" in line]


def assert_soon(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_python_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with (
        Device.open(Address("local", "python-of-tomorrow")) as device,
        pytest.raises(DeviceError, match="python-of-tomorrow"),
    ):
        isolation.run("edgekit.load_cost:start_here", None, host=device)

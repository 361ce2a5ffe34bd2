"""What the tests of devices share."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.devices import Address, Device

RUNS_MODELS = (
    "numpy*",
    "onnxruntime*",
    "ai_edge_litert*",
    "flatbuffers*",
    "google",
    "packaging*",
    "typing_extensions*",
)
"""What a board has: packages of this interpreter, by their names in site-packages."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Exp", ["x"], ["y"])], "exp", [x], [y])
    path = tmp_path / "exp.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with nothing but Python's own library."""
    return _environment(tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="session")
def board_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with numpy and the runtimes, and neither click nor a converter."""
    folder = tmp_path_factory.mktemp("board")
    python = _environment(folder)
    own = Path(sysconfig.get_path("purelib"))
    theirs = next(folder.glob("lib/python*/site-packages"))
    for pattern in RUNS_MODELS:
        for package in own.glob(pattern):
            (theirs / package.name).symlink_to(package)
    return python


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of edgekit's files on the device that this machine plays."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path / "cache" / "edgekit"


@pytest.fixture
def device(cache: Path, board_python: str) -> Iterator[Device]:
    with Device.open(Address("local", board_python)) as opened:
        yield opened


def _environment(folder: Path) -> str:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(folder / "bin" / "python")


@pytest.fixture
def soon() -> Callable[[Callable[[], bool]], None]:
    """Asserts that something holds within ten seconds."""

    def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    return wait

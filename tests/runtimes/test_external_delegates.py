"""A delegate that comes as a shared library takes part of a graph; what it took, and why it can't be had, is told."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgekit.cli.border import run
from edgekit.errors import RuntimeUnavailableError, UsageError
from edgekit.protocols import Delegate, SessionOptions
from edgekit.recipe import Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite
from edgekit_runtimes.interpreter import InterpreterSession
from edgekit_runtimes.litert import LiteRt

SOURCE = Path(__file__).with_name("dummy_delegate.c")
ONES = {name: np.ones((1, 8), np.float32) for name in ("x", "y")}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    built = tmp_path_factory.mktemp("delegate") / "libdummy.so"
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", built, SOURCE], check=True)
    return built


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """``z = tanh(softmax(a * y) + a)`` with ``a = x + y``: two ADDs that are no neighbours."""
    graph = GraphBuilder()
    x, y = (graph.input(name, "float32", (1, 8)) for name in ("x", "y"))
    total = graph.op("Add", x, y)
    share = graph.op("Softmax", graph.op("Mul", total, y), axis=-1)
    graph.output(graph.op("Tanh", graph.op("Add", share, total)), "z")
    write_tflite(graph.build("test"), QuantPlan(Precision.FLOAT32), tmp_path / "m.tflite", TfliteOptions())
    return tmp_path / "m.tflite"


def opened(path: Path, *delegates: str, kernels: str = "default") -> InterpreterSession:
    options = SessionOptions(delegates=tuple(map(Delegate.parse, delegates)), kernels=kernels)
    session = LiteRt().open(path, options)
    assert isinstance(session, InterpreterSession)
    return session


def devices(session: InterpreterSession) -> dict[str, str]:
    return {op.name: op.device for op in session.placement().ops}


def test_it_takes_part_of_a_graph_and_xnnpack_the_rest(path: Path, library: Path) -> None:
    session = opened(path, str(library))
    assert devices(session) == {
        "ADD:0": "libdummy",
        "MUL:1": "XNNPACK",
        "SOFTMAX:2": "XNNPACK",
        "ADD:3": "libdummy",
        "TANH:4": "XNNPACK",
    }
    placement = session.placement()
    assert placement.partitions == 4
    assert placement.notes == ("libdummy took 2 of 5 ops, in 2 partitions",)
    assert [op.why for op in placement.ops if op.op == "MUL"] == ["libdummy did not choose it"]
    expected = opened(path).run(ONES)["z"]
    np.testing.assert_allclose(session.run(ONES)["z"], expected, rtol=1e-6)


def test_what_it_took_it_computes(path: Path, library: Path) -> None:
    # a = x + y + .5 = 2.5 and z = tanh(1/8 + a + .5), for the dummy adds its offset to each sum
    session = opened(path, f"{library}:offset=0.5")
    np.testing.assert_allclose(session.run(ONES)["z"], np.full((1, 8), np.tanh(3.125)), rtol=1e-6)


def test_builtin_kernels_take_the_rest_where_xnnpack_is_not_wanted(path: Path, library: Path) -> None:
    assert set(devices(opened(path, str(library), "builtin")).values()) == {"libdummy", "builtin"}
    assert set(devices(opened(path, str(library), kernels="reference")).values()) == {"libdummy", "builtin"}


def test_two_delegates_choose_in_their_order(path: Path, library: Path, tmp_path: Path) -> None:
    second = tmp_path / "libsecond.so"
    shutil.copy(library, second)
    placed = devices(opened(path, f"{library}:at_most=1", str(second)))
    assert (placed["ADD:0"], placed["ADD:3"]) == ("libdummy", "libsecond")


def test_one_that_takes_nothing_is_told(path: Path, library: Path) -> None:
    placement = opened(path, f"{library}:at_most=0").placement()
    assert placement.notes == ("libdummy took none of the 5 ops: it runs nothing of this file",)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("refuse=1", "can't be used: no dummy device is plugged in"),
        ("speed=9", "can't be used: unknown option"),
        ("break=1", "the delegate 'libdummy' failed on this file: the dummy's device was unplugged"),
    ],
)
def test_its_own_reason_is_told_and_nothing_runs_instead(path: Path, library: Path, options: str, reason: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match=reason):
        opened(path, f"{library}:{options}")


def test_a_library_that_cannot_be_loaded_says_why(path: Path, tmp_path: Path, library: Path) -> None:
    text, foreign = tmp_path / "text.so", tmp_path / "foreign.so"
    text.write_text("no library")
    compiler = shutil.which("gcc") or shutil.which("cc")
    subprocess.run([str(compiler), "-shared", "-x", "c", "-", "-o", foreign], input=b"int x;", check=True)
    with pytest.raises(RuntimeUnavailableError, match=r"can't be loaded: .*(invalid ELF header|file too short)"):
        opened(path, str(text))
    with pytest.raises(
        RuntimeUnavailableError, match="is no TFLite delegate: it exports no tflite_plugin_create_delegate"
    ):
        opened(path, str(foreign))
    with pytest.raises(RuntimeUnavailableError, match=r"there is no delegate library '.*none\.so'"):
        opened(path, str(tmp_path / "none.so"))


def test_named_delegates_tell_their_library_and_where_it_comes_from(path: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"there is no libedgetpu\.so\.1 .*Coral's repository"):
        opened(path, "edgetpu:device=usb")
    with pytest.raises(RuntimeUnavailableError, match="'nnapi' is a service of Android: this is linux"):
        opened(path, "NNAPI")
    with pytest.raises(RuntimeUnavailableError, match="there is no delegate 'tpu' here; it has XNNPACK"):
        opened(path, "tpu")


def test_a_named_delegate_is_found_on_the_library_path(
    path: Path, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(library, tmp_path / "libvx_delegate.so")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere:{tmp_path}")
    assert "vx" in LiteRt().probe().accelerators
    assert devices(opened(path, "vx"))["ADD:0"] == "vx"
    assert devices(opened(path, "libvx_delegate.so"))["ADD:0"] == "libvx_delegate"


def test_the_command_line_shows_who_took_what(path: Path, library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(path), "--placement", "--delegate", str(library), "--json"]) == 0
    placement = json.loads(capsys.readouterr().out)["placement"]
    assert [op["device"] for op in placement["ops"]].count("libdummy") == 2
    assert run(["inspect", str(path), "--placement", "--delegate", f"{library}:refuse=1"]) == 1
    assert "no dummy device is plugged in" in capsys.readouterr().err


def test_kernels_and_xnnpack_exclude_each_other(path: Path) -> None:
    with pytest.raises(UsageError, match="run without a delegate"):
        opened(path, "XNNPACK", "reference")


def test_a_bound_session_copies_in_and_out_since_a_delegate_may_have_its_own_memory(path: Path, library: Path) -> None:
    session = opened(path, f"{library}:offset=0.5")
    bound = session.bind()
    for name in ("x", "y"):
        bound.inputs[name][:] = 1
    bound.run()
    np.testing.assert_array_equal(bound.outputs["z"], session.run(ONES)["z"])
    del session
    bound.run()
    np.testing.assert_allclose(bound.outputs["z"], np.full((1, 8), np.tanh(3.125)), rtol=1e-6)

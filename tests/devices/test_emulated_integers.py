"""The same integers on this machine and on emulated boards, where both run kernels of one family."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conversion import CALIBRATE, DIGITS, UNCHECKED, convert
from made_boards import board
from numpy.typing import NDArray
from recurrent_models import recurrent

from edgekit.devices import Address, There
from edgekit.example_feeds import example_feeds
from edgekit.place import Here, Place
from edgekit.protocols import SessionOptions

pytestmark = pytest.mark.emulated

INTEGERS = ("--io", "int8", "--target", "cpu")
"""Signed integers inside, which Arm prefers, make ONNX Runtime compute a part of the network in float on x86."""

SAMPLES = 20


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with digits_cnn.int8.tflite and .onnx, integers from end to end."""
    made = convert(DIGITS / "digits_cnn.keras", tmp_path_factory.mktemp("digits"), *UNCHECKED, *INTEGERS)
    assert made.code == 0, made.err
    return made.out


@pytest.fixture(scope="module")
def lstm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An LSTM with 8-bit values and a 16-bit state, without a float operator."""
    folder = tmp_path_factory.mktemp("lstm")
    hub = recurrent("LSTM", outputs=[0])
    (folder / "lstm.onnx").write_bytes(hub.to_bytes())
    shape = [each.dim_value for each in onnx.load(folder / "lstm.onnx").graph.input[0].type.tensor_type.shape.dim]
    x = np.random.default_rng(0).standard_normal((SAMPLES, *shape)).astype(np.float32)
    np.savez(folder / "samples.npz", x=x)
    samples = ("--calibrate", str(folder / "samples.npz"), "--no-checks")
    made = convert(folder / "lstm.onnx", folder / "out", *samples, *INTEGERS, "--integer-only")
    assert made.code == 0, made.err
    return folder / "out"


@pytest.mark.parametrize("name", ["raspberry-pi-3", "raspberry-pi-4", "raspberry-pi-5"])
@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
def test_a_convolutional_network_answers_alike(digits: Path, name: str, suffix: str) -> None:
    assert_equal(digits / f"digits_cnn.int8.{suffix}", name)


def test_a_recurrent_network_answers_alike(lstm: Path) -> None:
    assert_equal(lstm / "lstm.int8.tflite", "raspberry-pi-4")


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="tflite-runtime has wheels for Python 3.9 to 3.11")
@pytest.mark.parametrize("name", ["raspberry-pi-2", "raspberry-pi-zero-2w"])
def test_the_reference_kernels_of_tflite_runtime_answer_alike_on_32_bits(
    digits: Path, name: str, tflite_runtime_here: Address
) -> None:
    """Its default kernels round some products the other way on ARMv7; LiteRT's reference kernels are newer ones."""
    file, options = digits / "digits_cnn.int8.tflite", SessionOptions(kernels="reference")
    with There.reach(board(name)) as there, There.reach(tflite_runtime_here) as here:
        assert_same(*(answers(file, place, options) for place in (here, there)))


@pytest.fixture(scope="module")
def tflite_runtime_here(tmp_path_factory: pytest.TempPathFactory) -> Address:
    """This machine as a device with tflite-runtime, which needs an environment of its own: numpy 1."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", "tflite-runtime>=2.14", "numpy<2"]
    if (done := subprocess.run(install, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"tflite-runtime could not be installed: {done.stderr.strip().splitlines()[-1]}")
    return Address("local", python)


def test_a_report_shows_no_latency_of_an_emulated_board(tmp_path: Path) -> None:
    board("raspberry-pi-4")
    device = ("--device", "emulated://raspberry-pi-4", "--to", "tflite")
    made = convert(DIGITS / "digits_cnn.keras", tmp_path, *CALIBRATE, *device)
    assert made.code == 0, made.err
    assert any("emulated: no timings" in note for note in made.document["notes"])
    assert all(not entry["latency"] for entry in made.document["entries"])
    assert all(entry["agreement"] for entry in made.document["entries"] if entry["role"] == "artifact")


def assert_equal(file: Path, name: str) -> None:
    with There.reach(board(name)) as there:
        assert_same(*(answers(file, place, SessionOptions()) for place in (Here(), there)))


def assert_same(own: NDArray[Any], theirs: NDArray[Any]) -> None:
    assert own.dtype == theirs.dtype == np.int8
    assert len(np.unique(own)) > 10, "else equality says little"
    np.testing.assert_array_equal(own, theirs)


def answers(file: Path, place: Place, options: SessionOptions) -> NDArray[Any]:
    """(SAMPLES, values) of all outputs for random inputs."""
    session = place.open_file(file, None, options)
    feeds = (example_feeds(session.inputs, seed) for seed in range(SAMPLES))
    return np.stack([np.concatenate([array.ravel() for array in session.run(each).values()]) for each in feeds])

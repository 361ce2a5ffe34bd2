"""Int8 files of five trained networks here and on emulated boards: are the integers the same? (run 13 of docs/results.md)

    scripts/emulator && EDGEKIT_DATA=<folder> python scripts/bench/emulated_twins.py [resnet8 ...] [--samples 5] [--epochs 60]

Files with int8 inputs and outputs, so that no float operator hides a difference: LiteRT's have none at all. In ONNX
Runtime the LSTM and the Transformer keep float operators; there each operator is run alone on equal inputs to see which kernels
differ. The files are those for x86: with the signed integers that Arm prefers, ONNX Runtime computes a part in float on x86.
On 32 bits tflite-runtime is compared with itself, in an environment of its own on this machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit
from lone_ops import lone_op_differences
from models import WORK, cifar_samples, data_file
from numpy.typing import NDArray
from results import Figure, Result, publish
from sounds import anomaly_samples, keyword_samples
from spoken_digits import EPOCHS, spoken_digits_model, spoken_digits_samples

from edgekit.artifact import Artifact
from edgekit.devices import Address, There
from edgekit.inference import Model
from edgekit.place import Here, Place
from edgekit.protocols import SessionOptions

ARM64, ARMV7 = ("raspberry-pi-4", "raspberry-pi-5"), "raspberry-pi-2"
REFERENCE = SessionOptions(kernels="reference")
NEWER_OPS = {"transformer": "tflite-runtime 2.14 does not know int8 RSQRT"}

Answers = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Network:
    """The model, trained for so many epochs where it is trained here, and its (calibration, evaluation) samples.

    ``floats``: its ONNX file keeps float operators.
    """

    model: Callable[[int], Path]
    samples: Callable[[], tuple[Path, Path]]
    floats: bool = False


NETWORKS = {
    "resnet8": Network(lambda _: data_file("mlperf_tiny/pretrainedResnet.h5"), cifar_samples),
    "ad01": Network(lambda _: data_file("mlperf_tiny/ad01.h5"), anomaly_samples),
    "kws": Network(lambda _: data_file("mlperf_tiny/kws_ref_model"), lambda: keyword_samples(0.003)),
    "lstm": Network(lambda epochs: spoken_digits_model("lstm", epochs), spoken_digits_samples, floats=True),
    "transformer": Network(
        lambda epochs: spoken_digits_model("transformer", epochs), spoken_digits_samples, floats=True
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", default=[*NETWORKS])
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of the LSTM and the Transformer")
    arguments = parser.parse_args()
    return max(
        publish(_twins(name, NETWORKS[name], arguments.samples, arguments.epochs)) for name in arguments.networks
    )


def _twins(name: str, network: Network, count: int, epochs: int) -> Result:
    model, (calibrate, evaluate) = network.model(epochs), network.samples()
    integers = ("--io", "int8")
    tflite = _converted(model, calibrate, "tflite", *integers, "--integer-only")
    onnx = _converted(model, calibrate, "onnx", *(() if network.floats else integers))
    x = np.load(evaluate)["x"][:count].astype(np.float32)
    figures = [*_on_arm64(tflite, x, 1.0), *_on_arm64(onnx, x, None if network.floats else 1.0)]
    if network.floats:
        figures += lone_op_differences(onnx, x, Address(f"emulated://{ARM64[0]}"))
    if name not in NEWER_OPS:
        figures += _on_armv7(tflite, x)
    return Result(
        name=f"emulated_{name}",
        title=f"Integers here and on emulated boards: {model.name}",
        figures=figures,
        samples=f"{count} evaluation samples, {figures[0].beside}",
        notes=(f"32 bits: {NEWER_OPS[name]}",) if name in NEWER_OPS else (),
    )


def _converted(model: Path, calibrate: Path, suffix: str, *options: str) -> Path:
    out = WORK / "emulated"
    wanted = ("--target", "cpu", "--to", suffix, *options)
    edgekit("convert", model, "-o", out, "--calibrate", calibrate, "--no-checks", *wanted)
    return out / f"{model.stem}.int8.{suffix}"


def _on_arm64(file: Path, x: Answers, limit: float | None) -> Iterator[Figure]:
    own = _answers(Here(), file, x, SessionOptions())
    runtime = {".tflite": "LiteRT", ".onnx": "ONNX Runtime"}[file.suffix]
    for board in ARM64:
        with There.reach(Address(f"emulated://{board}")) as there:
            theirs = _answers(there, file, x, SessionOptions())
        yield _equal(f"equal outputs, {runtime}, {board}", own, theirs, limit)


def _on_armv7(file: Path, x: Answers) -> Iterator[Figure]:
    with There.reach(_tflite_runtime_here()) as here, There.reach(Address(f"emulated://{ARMV7}")) as there:
        own, theirs = (_answers(place, file, x, REFERENCE) for place in (here, there))
        default = _answers(there, file, x, SessionOptions())
    yield _equal(f"equal outputs, tflite-runtime's reference kernels, {ARMV7}", own, theirs, 1.0)
    yield _equal(f"the same, default kernels on {ARMV7}", own, default, None)


def _tflite_runtime_here() -> Address:
    """This machine as a device, with tflite-runtime, which needs numpy 1."""
    folder = WORK / "tflite_runtime"
    python = folder / "bin" / "python"
    if not list(folder.glob("lib/python*/site-packages/tflite_runtime")):  # an installation that failed is begun anew
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "tflite-runtime>=2.14", "numpy<2"], check=True)
    return Address("local", str(python))


def _answers(place: Place, file: Path, x: Answers, options: SessionOptions) -> Answers:
    """(samples, values): real numbers, each a whole number of the output's steps."""
    with Model(Artifact.open(file), place.open_file(file, None, options), place.name) as model:
        return np.stack([_row(model(sample[None])) for sample in x])


def _row(outputs: Any) -> Answers:
    arrays: Sequence[NDArray[Any]] = [*outputs.values()] if isinstance(outputs, dict) else [outputs]
    return np.concatenate([array.ravel() for array in arrays])


def _equal(what: str, own: Answers, theirs: Answers, limit: float | None) -> Figure:
    differing = np.count_nonzero(own != theirs)
    beside = (
        f"{own.size} values"
        if not differing
        else f"{differing} of {own.size} differ, by {np.abs(own - theirs).max():.3g}"
    )
    return Figure(what, float(np.mean(own == theirs)), "", limit, at_least=True, beside=beside)


if __name__ == "__main__":
    sys.exit(main())

"""Every model converted in fresh environments that hold edgekit and the extra that its route needs (run 6 of docs/results.md).

    EDGEKIT_DATA=<folder> python scripts/bench/fresh_environment.py [--extras convert,tensorflow,pytorch] [--folder FOLDER]

Builds edgekit's wheel, makes one virtual environment per extra, installs the wheel there from the package index, converts, and
looks that no framework is importable where none is wanted. The environments need 5 GB; without ``--folder`` they are removed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from commands import Finished, run
from models import (
    FACTORY,
    basic_pitch_model,
    cifar_samples,
    data_file,
    efficientnet_lite0,
    efficientnet_lite0_weights,
    imagenet_samples,
)
from results import Figure, Result, publish
from sounds import anomaly_samples, basic_pitch_samples, keyword_samples

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORKS = ("tensorflow", "torch", "keras")
TORCH = "torch==2.13.0"
"""Where the index has a CPU build under this version, it is installed before the extra asks for any."""


@dataclass(frozen=True, slots=True)
class Route:
    """A model, the extra that its reader needs, and what else the command line wants. ``also``: the model's own package."""

    name: str
    extra: str
    model: Path
    calibrate: Path
    options: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--extras", default="convert,tensorflow,pytorch")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        wheel = _wheel(folder)
        figures = [figure for extra in arguments.extras.split(",") for figure in _of_extra(extra, wheel, folder)]
    return publish(Result(name="fresh_environment", title="Conversions in fresh environments", figures=figures))


def _routes() -> Iterator[Route]:
    pitch = basic_pitch_samples()[0]
    yield Route("ResNet8 .h5", "convert", data_file("mlperf_tiny/pretrainedResnet.h5"), cifar_samples()[0])
    yield Route("ad01 .h5", "convert", data_file("mlperf_tiny/ad01.h5"), anomaly_samples()[0])
    yield Route("EfficientNet-Lite0 .onnx", "convert", efficientnet_lite0(), imagenet_samples()[0])
    yield Route("basic-pitch .onnx", "convert", basic_pitch_model(".onnx"), pitch)
    yield Route("kws SavedModel", "tensorflow", data_file("mlperf_tiny/kws_ref_model"), keyword_samples(0.003)[0])
    yield Route("basic-pitch SavedModel", "tensorflow", basic_pitch_model(""), pitch)
    yield Route(
        "EfficientNet-Lite0 .pth",
        "pytorch",
        efficientnet_lite0_weights(),
        imagenet_samples()[0],
        ("--factory", FACTORY, "--input-shape", "1,3,224,224"),
        ("efficientnet-lite-pytorch",),
    )


def _wheel(folder: Path) -> Path:
    _succeeded(run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT))
    return next(folder.glob("edgekit_ml-*.whl"))


def _of_extra(extra: str, wheel: Path, folder: Path) -> Iterator[Figure]:
    routes = [route for route in _routes() if route.extra == extra]
    python = _environment(extra, wheel, folder, [package for route in routes for package in route.also])
    found = [name for name in FRAMEWORKS if run(python, "-c", f"import {name}").code == 0]
    unwanted = set(found) - _wanted(extra)
    yield Figure(f"[{extra}]: frameworks not asked for", len(unwanted), "", 0, beside=", ".join(found) or "none at all")
    for route in routes:
        yield _converted(route, python, folder)


def _wanted(extra: str) -> set[str]:
    return {"tensorflow": {"tensorflow", "keras"}, "pytorch": {"torch"}}.get(extra, set())


def _environment(extra: str, wheel: Path, folder: Path, also: Sequence[str]) -> Path:
    """The Python of a new environment with the wheel and its extra."""
    home = folder / f"environment-{extra}"
    venv.create(home, with_pip=True, clear=True)
    python = home / "bin" / "python"
    install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    if extra == "pytorch":
        _succeeded(run(*install, TORCH))
    _succeeded(run(*install, f"edgekit-ml[{extra}] @ {wheel.resolve().as_uri()}", *also))
    return python


def _converted(route: Route, python: Path, folder: Path) -> Figure:
    """The exit code of the whole conversion, checks included; its failures beside."""
    out = folder / f"out-{route.extra}"
    options = (*route.options, "--calibrate", route.calibrate, "-o", out, "--json", "--quiet")
    finished = run(python.with_name("edgekit"), "convert", route.model, *options)
    words = finished.stderr.strip().replace("\n", " ")[-300:]
    if finished.code in (0, 1) and finished.stdout:
        document = json.loads(finished.stdout)
        words = document.get("verdict") or words
        words += f"; reference: {document.get('reference')}"
    return Figure(f"{route.name}, exit code", finished.code, "", 0, beside=words)


def _succeeded(finished: Finished) -> None:
    if finished.code != 0:
        sys.exit(finished.stderr[-2000:])


if __name__ == "__main__":
    sys.exit(main())

"""basic-pitch's network, read from its ONNX file and from its SavedModel: are the hubs equal? (Run 4 of docs/results.md.)

    EDGEKIT_DATA=<folder> python scripts/bench/basic_pitch_hubs.py

The package ships one net as ONNX, SavedModel and TFLite. Both hubs answer windows of real sound; the TFLite file, which is not
read but run, answers them too. Then the ONNX file is
converted, all in int8 and with its front end kept float.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit, entry
from models import WORK, basic_pitch_model
from numpy.typing import NDArray
from results import Figure, Result, publish
from sounds import basic_pitch_samples

FRONT_END = "*cq_t2010v2_1*"
"""The constant-Q transform: filters and powers whose range 8 bits can't hold."""
Outputs = Mapping[str, NDArray[np.float32]]


def main() -> int:
    return max(publish(_hubs()), publish(_converted()), publish(_converted(FRONT_END)))


def _hubs() -> Result:
    windows = np.load(basic_pitch_samples()[1])["x"][:8]
    onnx, saved = _answers(basic_pitch_model(".onnx"), windows), _answers(basic_pitch_model(""), windows)
    tflite = _tflite_answers(basic_pitch_model(".tflite"), windows)
    figures = []
    for name, wanted in onnx.items():
        theirs, difference = _nearest(wanted, saved)
        shape = "x".join(map(str, wanted.shape[1:]))
        beside = f"= {theirs} of the SavedModel, {shape}, values up to {np.abs(wanted).max():.3f}"
        figures.append(Figure(f"largest difference, {name}, SavedModel's hub", difference, "", 1e-5, beside=beside))
        theirs, difference = _nearest(wanted, tflite)
        figures.append(Figure(f"largest difference, {name}, the .tflite in LiteRT", difference, beside=f"= {theirs}"))
    return Result(
        name="basic_pitch_hubs",
        title="basic-pitch: one net, read from ONNX and from a SavedModel",
        figures=figures,
        samples=f"{len(windows)} windows of two seconds of spoken_digits.npz",
    )


def _answers(model: Path, windows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """The outputs of the model's hub, by name."""
    from edgekit import registry
    from edgekit.protocols import ReadOptions
    from edgekit.reading import find_source

    hub = registry.stage("normalize")(find_source(model).read(model, ReadOptions()))
    session = registry.stage("hub_session")(hub)
    answers: dict[str, NDArray[np.float32]] = session.run({hub.inputs[0].name: windows})
    return answers


def _tflite_answers(model: Path, windows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    import edgekit

    with edgekit.load(model) as opened:
        return dict(opened.run({opened.inputs[0].name: windows}))


def _nearest(wanted: NDArray[np.float32], answers: Outputs) -> tuple[str, float]:
    """The output of the same shape that is nearest: names and order are each file's own."""
    distances = {
        name: float(np.abs(wanted - array).max()) for name, array in answers.items() if array.shape == wanted.shape
    }
    return min(distances.items(), key=lambda one: one[1])


def _converted(*kept_float: str) -> Result:
    calibrate, evaluate = basic_pitch_samples()
    report, _ = edgekit(
        *("convert", basic_pitch_model(".onnx"), "-o", WORK / "basic_pitch"),
        *("--calibrate", calibrate, "--evaluate", evaluate),
        *(word for scope in kept_float for word in ("--keep-float", scope)),
        codes=(0, 1),
    )
    return Result(
        name="basic_pitch_kept_float" if kept_float else "basic_pitch_int8",
        title="basic-pitch: the ONNX file in int8" + "".join(f", {scope} kept float" for scope in kept_float),
        figures=[figure for name in ("tflite", "onnx") for figure in _figures(report, f"int8.{name}")],
        samples="48 windows of two seconds of spoken_digits.npz to calibrate, 48 to evaluate",
        notes=[failure["message"] for failure in report["failures"]],
    )


def _figures(report: dict[str, Any], name: str) -> list[Figure]:
    if not any(one["name"].endswith(name) and one["agreement"] for one in report["entries"]):
        return []
    own = entry(report, name)
    return [
        Figure(f"SQNR, {one['name']}, {name}", one["sqnr_db"], "dB", beside=f"{own['size_bytes'] / 1000:.0f} kB")
        for one in own["agreement"]["outputs"]
    ]


if __name__ == "__main__":
    sys.exit(main())

"""Convert a trained network in every precision and measure each file against the source framework's own outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from architecture_training import Trained
from commands import attempt_peer, last_words
from numpy.typing import NDArray

import edgekit
from edgekit import isolation, registry
from edgekit.agreement import AgreementMeter
from edgekit.datasets import open_dataset
from edgekit.errors import EdgekitError
from edgekit.production import Product, artifact_path, produce
from edgekit.protocols import Progress, ReadOptions, Silent
from edgekit.reading import find_source
from edgekit.recipe import Precision, Recipe
from edgekit.target import load_target

FORMATS = ("tflite", "onnx")
PEERS = {"tflite": "litert-quantizer-minmax", "onnx": "onnxruntime-minmax"}
"""Who makes a static int8 file of a float one of that format."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One file. ``db``: signal to quantization noise over all outputs; None where ``failure`` says why there is no file.
    ``stays_float``: its recurrent layers are float ones."""

    architecture: str
    framework: str
    file_format: str
    maker: str
    db: float | None
    failure: str = ""
    stays_float: bool = False


def own_cells(architecture: str, framework: str, model: Trained, folder: Path) -> Iterator[Cell]:
    """Of every precision and format, written into ``folder`` as `edgekit convert` does it."""
    folder.mkdir(parents=True, exist_ok=True)
    source = find_source(model.path)
    try:
        hub = registry.stage("normalize")(source.read(model.path, ReadOptions()))
    except EdgekitError as error:
        yield from (Cell(architecture, framework, f, p.value, None, str(error)) for f in FORMATS for p in Precision)
        return
    for precision in Precision:
        for file_format, failure in _converted(hub, model, precision, folder).items():
            path = artifact_path(folder, model.path.stem, precision, file_format)
            yield _cell(architecture, framework, file_format, precision.value, path, model, failure)


def peer_cells(architecture: str, framework: str, model: Trained, folder: Path) -> Iterator[Cell]:
    """What `PEERS` make of the float files that `own_cells` left in ``folder``."""
    for file_format, name in PEERS.items():
        path, failure = _made_by_peer(name, file_format, model, folder)
        yield _cell(architecture, framework, file_format, name, path, model, failure)


def _converted(hub: Any, model: Trained, precision: Precision, folder: Path) -> Mapping[str, str]:
    """Write both formats; by format why there is no file, "" where there is one."""
    recipe, target = Recipe(precision=precision), load_target("cpu")
    samples = open_dataset(str(model.calibrate), hub.inputs) if precision.calibrated else None
    try:
        quantized = registry.stage("quantize")(hub, recipe, target, samples, Silent())
    except EdgekitError as error:
        return dict.fromkeys(FORMATS, str(error))
    product = Product(model.path.stem, quantized.hub, quantized.plan, recipe, target, {}, {})
    return {outcome.file_format: outcome.failure for outcome in produce(product, FORMATS, folder, Silent())}


def _made_by_peer(name: str, file_format: str, model: Trained, folder: Path) -> tuple[Path, str]:
    source = artifact_path(folder, model.path.stem, Precision.FLOAT32, file_format)
    path = folder / f"{model.path.stem}.{name}.{file_format}"
    finished = attempt_peer(name, source, model.calibrate, path)
    return path, "" if finished.code == 0 else last_words(finished)


def _cell(
    architecture: str, framework: str, file_format: str, maker: str, path: Path, model: Trained, failure: str
) -> Cell:
    if not failure:
        try:
            db = isolation.run("architecture_cells:decibels_here", (path, model.evaluate, model.outputs)).value
        except EdgekitError as error:  # a crash of the runtime is one too: not every peer's file survives its opening
            failure = str(error)
        else:
            return Cell(architecture, framework, file_format, maker, db, stays_float=_stays_float(path))
    return Cell(architecture, framework, file_format, maker, None, " ".join(failure.split())[:200])


def _stays_float(path: Path) -> bool:
    """Whether an ONNX file holds recurrent layers that read float weights: ONNX Runtime's static quantizer leaves them so."""
    import onnx

    if path.suffix != ".onnx":
        return False
    graph = onnx.load(path).graph
    floats = {tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    return any(node.op_type in ("RNN", "LSTM", "GRU") and node.input[1] in floats for node in graph.node)


def decibels_here(request: tuple[Path, NDArray[Any], tuple[NDArray[np.float32], ...]], progress: Progress) -> float:
    """How far a file's outputs are from the expected ones, over all outputs and samples; for a process of its own."""
    path, samples, expected = request
    meter = AgreementMeter()
    with edgekit.load(path) as model:
        found = model.run({model.inputs[0].name: samples})
        meter.update(dict(zip(found, expected, strict=True)), found)
    return meter.result().sqnr_db

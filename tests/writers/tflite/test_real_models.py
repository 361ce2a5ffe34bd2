"""Trained reference models: the float and the int8 file answer as the hub, in one XNNPACK partition with no transposition."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnxruntime_twin import litert_outputs, onnxruntime_outputs, op_names, open_interpreter

from edgekit import registry
from edgekit.protocols import Batch, ReadOptions, Silent
from edgekit.recipe import Effort, Precision, Recipe
from edgekit.target import load_target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.quantize.quantize import quantize
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

pytestmark = pytest.mark.data

MODELS = {"pretrainedResnet.h5": (0.0, 255.0), "ad01.h5": (-40.0, 10.0)}
"""File of MLPerf Tiny: the range of its inputs."""


@dataclass(frozen=True)
class Samples:
    name: str
    array: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.array)

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self.array), size):
            yield Batch({self.name: self.array[start : start + size]})


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> tuple[Hub, Samples]:
    if "EDGEKIT_DATA" not in os.environ:
        pytest.skip("EDGEKIT_DATA names no folder with the trained models")
    path = Path(os.environ["EDGEKIT_DATA"]) / "mlperf_tiny" / request.param
    hub = normalize(registry.source("keras").read(path, ReadOptions()))
    spec = hub.inputs[0]
    shape = [24, *(size for size in spec.shape[1:] if isinstance(size, int))]
    low, high = MODELS[request.param]
    return hub, Samples(spec.name, np.random.default_rng(0).uniform(low, high, shape).astype(np.float32))


@pytest.mark.parametrize(("precision", "decibels"), [(Precision.FLOAT32, 100.0), (Precision.INT8, 15.0)])
def test_a_trained_model_is_one_partition_that_answers_as_the_hub(
    model: tuple[Hub, Samples], precision: Precision, decibels: float, tmp_path: Path
) -> None:
    hub, samples = model
    recipe = Recipe(precision=precision, effort=Effort.PLAIN)
    plan = quantize(hub, recipe, load_target("cpu"), samples, Silent()).plan
    path = tmp_path / "model.tflite"
    write_tflite(hub, plan, path, TfliteOptions())
    assert "TRANSPOSE" not in op_names(path)
    assert parts(path) == 1
    pictures = [samples.array[index : index + 1] for index in range(8)]
    found = np.concatenate([answer(litert_outputs(path, {samples.name: picture})) for picture in pictures])
    expected = np.concatenate([answer(onnxruntime_outputs(hub, {samples.name: picture})) for picture in pictures])
    noise = np.square(found - expected).sum()
    assert 10 * np.log10(np.square(expected).sum() / noise) >= decibels


def answer(outputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
    (only,) = outputs.values()
    return only


def parts(path: Path) -> int:
    return [op["op_name"] for op in open_interpreter(path, "default")._get_ops_details()].count("DELEGATE")

"""Conversion to a file without float operators, as the tests of it want it: from hub and samples to LiteRT's answers."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edgekit.protocols import Batch, SessionOptions, Silent
from edgekit.recipe import IoType, Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.run import hub_session
from edgekit_converters.quantize.quantize import quantize
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite
from edgekit_runtimes.litert import LiteRt

Arrays = dict[str, NDArray[Any]]
DEVICE = Target("device", "a processor without a float unit", integer_only=True)


@dataclasses.dataclass(frozen=True)
class Arrayed:
    """Samples along the first axis of each array."""

    arrays: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def batches(self, size: int):
        for start in range(0, len(self), size):
            yield Batch({name: array[start : start + size] for name, array in self.arrays.items()})


def convert(hub: Hub, samples: Arrayed, path: Path, io: IoType = IoType.FLOAT32, unroll_steps: int = 128) -> Path:
    recipe = Recipe(io=io)
    made = quantize(hub, recipe, DEVICE, samples, Silent())
    write_tflite(made.hub, made.plan, path, TfliteOptions(io=io, integer_only=True, unroll_steps=unroll_steps))
    return path


def answers(path: Path, feeds: Sequence[Arrays]) -> list[Arrays]:
    """Of each sample by itself; quantized inputs and outputs are written and read as what they stand for."""
    session = LiteRt().open(path, SessionOptions())
    return [_real(session.run(_stored(feed, session.inputs)), session.outputs) for feed in feeds]


def _stored(feed: Arrays, specs: Any) -> Arrays:
    return {spec.name: _encoded(feed[spec.name], spec.quantization, spec.dtype) for spec in specs}


def _encoded(array: NDArray[Any], quantization: Any, dtype: str) -> NDArray[Any]:
    if quantization is None:
        return array.astype(dtype)
    steps = np.rint(array / quantization.scale) + quantization.zero_point
    return np.clip(steps, np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)


def _real(outputs: Arrays, specs: Any) -> Arrays:
    found = {spec.name: spec.quantization for spec in specs}
    return {
        name: array if found[name] is None else (array.astype(np.float32) - found[name].zero_point) * found[name].scale
        for name, array in outputs.items()
    }


def expected(hub: Hub, feeds: Sequence[Arrays]) -> list[Arrays]:
    session = hub_session(hub)
    return [session.run(feed) for feed in feeds]


def decibels(wanted: Sequence[Arrays], found: Sequence[Arrays]) -> float:
    signal = noise = 0.0
    for one, other in zip(wanted, found, strict=True):
        assert sorted(one) == sorted(other)
        for name, array in one.items():
            signal += float(np.square(array, dtype=np.float64).sum())
            noise += float(np.square(array.astype(np.float64) - other[name]).sum())
    return 10 * float(np.log10(signal / noise))


def operators(path: Path) -> collections.Counter[str]:
    """How often the file has each builtin."""
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=_no_delegate())
    return collections.Counter(op["op_name"] for op in interpreter._get_ops_details())


def float_tensors(path: Path) -> set[str]:
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=_no_delegate())
    return {entry["name"] for entry in interpreter.get_tensor_details() if np.dtype(entry["dtype"]).kind == "f"}


def _no_delegate() -> Any:
    from ai_edge_litert.interpreter import OpResolverType

    return OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES

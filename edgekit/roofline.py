"""How long a file would take on a device at the best, from the device's own figures: a roofline estimate, never a measurement.

Each op takes the longest of three: its multiply-accumulates at the peak rate of its arithmetic, its inputs and outputs at the
memory's bandwidth, its weights at that of the memory they lie in. What the caches hold costs nothing. Ops follow one another;
starting them costs nothing. So the estimate is a lower bound as far as the figures are right (Williams, Waterman, Patterson:
Roofline, 2009).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import registry
from edgekit.figures import Estimate, OpEstimate
from edgekit.protocols import Progress
from edgekit.target import Peak, Target

MOST_OPS = 8


@dataclass(frozen=True, slots=True)
class OpWork:
    """What an op has to do. ``data_bytes``: of its inputs and outputs; ``weight_bytes``: of its constants."""

    name: str
    op: str
    macs: int
    data_bytes: int
    weight_bytes: int
    integer: bool


def estimate_file(path: Path, target: Target, threads: int, progress: Progress) -> Estimate | None:
    """Of the .tflite or .onnx file at ``path``; None where the target tells no figures for its arithmetic."""
    if target.peak is None:
        return None
    return estimate(registry.stage("inspect")(path, progress), target, threads)


def estimate(contents: Any, target: Target, threads: int) -> Estimate | None:
    """Of what an inspection found, on as many of the target's cores as there are threads."""
    peak = target.peak
    work = work_of(contents)
    if peak is None or not all(_rate(each, peak) for each in work if each.macs):
        return None
    cores = min(threads, target.cores) if target.cores else threads
    cached = _working_set(work) <= peak.cache_bytes
    ops = [_op(each, peak, cores, cached) for each in work]
    total = sum(op.ms for op in ops)
    bounds = {bound: sum(op.ms for op in ops if op.bound == bound) for bound in ("arithmetic", "memory", "weights")}
    dearest = tuple(sorted(ops, key=lambda op: -op.ms)[:MOST_OPS])
    return Estimate(target.name, total, cores, {bound: ms for bound, ms in bounds.items() if ms}, dearest)


def applies_to(target: Target, processor: str) -> bool:
    """Whether what was measured on ``processor`` was measured on the target."""
    named = target.peak.processor if target.peak else ""
    return bool(named) and named.lower() in processor.lower()


def work_of(contents: Any) -> tuple[OpWork, ...]:
    """The work of each op, conversions between floats and integers left out: the runtimes do them within their neighbours."""
    values = _Values.of(contents)
    return tuple(_work(node, values) for node in contents.nodes if node.op not in _CONVERSIONS)


_CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear", "Constant"})


@dataclass(frozen=True, slots=True)
class _Values:
    """Elements and bytes by value. ``dequantized``: by the result of a DequantizeLinear what it reads."""

    elements: Mapping[str, int]
    sizes: Mapping[str, int]
    integers: frozenset[str]
    constants: frozenset[str]
    dequantized: Mapping[str, str]
    quantized: Mapping[str, str]

    @staticmethod
    def of(contents: Any) -> _Values:
        elements = {
            t.name: math.prod(d if isinstance(d, int) and d > 0 else 1 for d in t.shape) for t in contents.tensors
        }
        sizes = {t.name: _item_bytes(t.dtype) for t in contents.tensors}
        integers = frozenset(t.name for t in contents.tensors if t.dtype in ("int8", "uint8", "int16", "uint16"))
        converting = [node for node in contents.nodes if node.op in ("QuantizeLinear", "DequantizeLinear")]
        return _Values(
            elements,
            sizes,
            integers,
            frozenset(t.name for t in contents.tensors if t.constant),
            {node.outputs[0]: node.inputs[0] for node in converting if node.op == "DequantizeLinear"},
            {node.inputs[0]: node.outputs[0] for node in converting if node.op == "QuantizeLinear"},
        )

    def integer(self, name: str) -> bool:
        return name in self.dequantized or name in self.integers

    def constant(self, name: str) -> bool:
        return self.dequantized.get(name, name) in self.constants

    def size(self, name: str) -> int:
        """Bytes of a value where it is stored: those of its integers, where it has them."""
        stored = self.dequantized.get(name, name)
        is_converted = name in self.dequantized or name in self.quantized
        item = 1 if is_converted and stored not in self.constants else self.sizes.get(stored, 4)
        return self.elements.get(name, self.elements.get(stored, 0)) * item


def _item_bytes(dtype: str) -> int:
    try:
        return np.dtype(dtype).itemsize
    except TypeError:
        return 4


def _work(node: Any, values: _Values) -> OpWork:
    operands = [name for name in node.inputs if name]
    data = [name for name in operands if not values.constant(name)]
    weights = [name for name in operands if values.constant(name)]
    return OpWork(
        name=node.name,
        op=node.op,
        macs=node.macs or 0,
        data_bytes=sum(values.size(name) for name in (*data, *node.outputs)),
        weight_bytes=sum(values.size(name) for name in weights),
        integer=all(map(values.integer, data[:1])) or (bool(node.macs) and any(map(values.integer, weights))),
    )


def _rate(work: OpWork, peak: Peak) -> float:
    return peak.int8_macs_per_second if work.integer else peak.float32_macs_per_second


def _working_set(work: Sequence[OpWork]) -> int:
    return sum(each.weight_bytes for each in work) + max((each.data_bytes for each in work), default=0)


def _op(work: OpWork, peak: Peak, cores: int, cached: bool) -> OpEstimate:
    apart = bool(peak.weight_bytes_per_second)
    moved = work.data_bytes + (0 if apart else work.weight_bytes)
    seconds = {
        "arithmetic": work.macs / (_rate(work, peak) * cores) if work.macs else 0.0,
        "memory": _seconds(moved, peak.memory_bytes_per_second, cached),
        "weights": _seconds(work.weight_bytes, peak.weight_bytes_per_second, cached),
    }
    bound = max(seconds, key=lambda name: seconds[name])
    return OpEstimate(work.name, work.op, 1e3 * seconds[bound], bound, work.macs, work.data_bytes + work.weight_bytes)


def _seconds(size_bytes: int, bytes_per_second: float, cached: bool) -> float:
    return 0.0 if cached or not bytes_per_second else size_bytes / bytes_per_second

"""How long each op takes in ONNX Runtime, from the record of many runs.

Making the record takes time itself, about 2 microseconds an op: each op gives up an equal share of what the recorded ops
take longer than a whole run that is not recorded. Differences below a microsecond therefore say little.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.artifact import TensorSpec
from edgekit.errors import MeasurementError
from edgekit.protocols import PlacedOp, SessionOptions, TimedOp
from edgekit_runtimes.onnxruntime_placement import KERNEL, placed_op, zeros
from edgekit_runtimes.onnxruntime_providers import Provider

_RUNS = 600
_WARM_UP = 20
_SECONDS = 0.4


def op_times(
    path: Path, options: SessionOptions, providers: Sequence[Provider], inputs: Sequence[TensorSpec]
) -> tuple[TimedOp, ...]:
    """Every kernel of the optimized graph with its time in a run on zeros.

    Raises MeasurementError where the model does not run on zeros.
    """
    from edgekit_runtimes.onnxruntime_native import native_errors, one_line, open_native

    feeds = {spec.name: zeros(spec) for spec in inputs}
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        try:
            unrecorded_us = _repeat(open_native(path, options, providers), feeds)
            session = open_native(path, options, providers, profile=str(Path(folder) / "run"))
            _repeat(session, feeds)
        except native_errors() as error:
            raise MeasurementError(f"{path.name} does not run on zeros: {one_line(error)}") from error
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    return _times(_runs(events), unrecorded_us)


def _repeat(session: Any, feeds: Mapping[str, Any]) -> float:
    """Microseconds of a run: the lower quartile of some, as the faster half of the recorded runs is taken."""
    samples: list[float] = []
    for _ in range(_WARM_UP):
        session.run(None, feeds)
    while len(samples) < 2 or (len(samples) < _RUNS and sum(samples) < _SECONDS * 1e6):
        began = time.perf_counter_ns()
        session.run(None, feeds)
        samples.append((time.perf_counter_ns() - began) / 1e3)
    return statistics.quantiles(samples, n=4)[0]


def _runs(events: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The kernels of each of the faster half of the recorded runs, the warm-up left out."""
    kernels = _outermost([event for event in events if str(event["name"]).endswith(KERNEL)])
    starts = [int(event["ts"]) for event in kernels]
    whole = [event for event in events if event["name"] == "model_run"][_WARM_UP:]
    fastest = sorted(whole, key=lambda event: int(event["dur"]))[: (len(whole) + 1) // 2]
    ends = [(int(event["ts"]), int(event["ts"]) + int(event["dur"])) for event in fastest]
    return [kernels[bisect_left(starts, start) : bisect_right(starts, end)] for start, end in ends]


def _outermost(kernels: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """In order of time, without those that ran inside another one: a Loop's time holds that of its body."""
    kept: list[Mapping[str, Any]] = []
    end = -1
    for kernel in sorted(kernels, key=lambda event: (int(event["ts"]), -int(event["dur"]))):
        if int(kernel["ts"]) >= end:
            kept.append(kernel)
            end = int(kernel["ts"]) + int(kernel["dur"])
    return kept


def _times(runs: Sequence[Sequence[Mapping[str, Any]]], unrecorded_us: float) -> tuple[TimedOp, ...]:
    """Each kernel's mean over the runs, less its share of the time by which recorded kernels exceed a whole run without."""
    kernels = [kernel for recorded in runs for kernel in recorded]
    recorded_us = sum(int(kernel["dur"]) for kernel in kernels)
    added_us = max(0.0, recorded_us - unrecorded_us * len(runs)) / max(1, len(kernels))
    ops: dict[str, PlacedOp] = {}
    total_us: dict[str, float] = defaultdict(float)
    for kernel in kernels:
        op = placed_op(kernel)
        ops.setdefault(op.name, op)
        total_us[op.name] += int(kernel["dur"]) - added_us
    return tuple(TimedOp(op, max(0.0, total_us[name]) / len(runs) / 1e3) for name, op in ops.items())

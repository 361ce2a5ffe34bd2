"""`smaller`: the pruning stage of a conversion, with files written and timed where the goal is their size or latency."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import registry
from edgekit.benchmark import TimingRequest, contender
from edgekit.errors import ConversionError
from edgekit.figures import PruneFigures
from edgekit.latency import Timing
from edgekit.place import reached
from edgekit.protocols import Batch, Dataset, Progress, Silent
from edgekit.pruning import Pruning
from edgekit.recipe import Effort
from edgekit.task_loss import task_loss

if TYPE_CHECKING:
    from edgekit.pipeline import Request

SAMPLES = 8
"""Calibration samples of a file that is only timed: its speed does not depend on them."""

TIMING = Timing(min_seconds=0.5, max_seconds=10.0, warm_up_seconds=1.0)


def smaller(
    request: Request, hub: Any, pruning: Pruning, samples: Dataset | None, progress: Progress
) -> tuple[Any, PruneFigures]:
    """The pruned hub and its figures. Raises EdgekitError as the stage does."""
    measure = None if pruning.is_counted else _measure(request, pruning, samples)
    if measure is not None:
        _refuse_reached(pruning, measure(hub))
    limit = request.recipe.budgets.drop_points
    task = task_loss(request.metric, samples) if samples is not None and not hub.states else None
    found = registry.stage("prune")(hub, pruning, limit, samples, measure, progress, task)
    figures: PruneFigures = found.figures
    return found.hub, figures


def _refuse_reached(pruning: Pruning, found: float) -> None:
    """Raises where nothing has to go: to remove something all the same would not be what was asked for."""
    timed = pruning.latency_ms is not None
    if found <= ((pruning.latency_ms if timed else pruning.size_bytes) or 0):
        taken = f"{found:.3g} ms a call" if timed else f"{found:,.0f} bytes a file"
        raise ConversionError(
            f"nothing was pruned: the network takes {taken} as it is, and the goal is {pruning.goal}. Leave --prune out."
        )


def _measure(request: Request, pruning: Pruning, samples: Dataset | None) -> Callable[[Any], float]:
    """Bytes of the largest file, or milliseconds of the slowest, that a hub becomes."""
    timed = pruning.latency_ms is not None
    few = _First(samples, SAMPLES) if samples is not None else None

    def measured(hub: Any) -> float:
        with tempfile.TemporaryDirectory() as folder:
            files = _written(request, hub, few, Path(folder))
            return _slowest_ms(request, files) if timed else max(path.stat().st_size for path in files)

    return measured


def _written(request: Request, hub: Any, samples: Dataset | None, folder: Path) -> list[Path]:
    recipe = dataclasses.replace(request.recipe, effort=Effort.PLAIN)
    quantized = registry.stage("quantize")(hub, recipe, request.device, samples, Silent())
    paths = []
    for file_format in request.formats:
        path = folder / f"pruned.{file_format}"
        write = registry.stage("write")
        write(file_format, quantized.hub, quantized.plan, path, recipe, request.device, request.read.input_shapes)
        paths.append(path)
    return paths


def _slowest_ms(request: Request, files: list[Path]) -> float:
    with reached(request.address) as place:
        if place.emulated:
            raise ConversionError(
                f"{place.name} is emulated: it can't say whether a latency is reached. Give --prune 30%"
            )
        contenders = tuple(
            dataclasses.replace(found, path=place.send(found.path))
            for found in (
                contender(path, threads=request.threads, delegates=request.delegates, place=place) for path in files
            )
        )
        timing = TimingRequest(contenders, TIMING, keep_samples=False)
        latencies = place.run("edgekit.benchmark:time_here", timing, Silent(), stage="timing").value
    slowest: float = max(latency.p50_ns.value for latency in latencies)
    return slowest / 1e6


class _First:
    """The first samples of a dataset."""

    def __init__(self, samples: Dataset, count: int) -> None:
        self._samples, self._count = samples, min(count, len(samples))

    def __len__(self) -> int:
        return self._count

    def batches(self, size: int) -> Iterator[Batch]:
        return islice(self._samples.batches(1), self._count)

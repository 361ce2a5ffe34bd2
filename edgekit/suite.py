"""MLPerf Tiny's four tasks: latency and quality of the files that stand for them in a folder.

Tasks, data sets and quality targets are those of the closed division (github.com/mlcommons/tiny, benchmark/README.md). Runs are
single-stream; what the suite asks of a submission beyond (its runner on a host, its rules) is not done here: "MLPerf Tiny style".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bench_plan import BenchPlan, BenchRecord, carry_out
from edgekit.datasets import open_dataset
from edgekit.errors import DatasetError, UsageError
from edgekit.evaluate import Candidate, evaluate, metric_or_default
from edgekit.place import Place
from edgekit.protocols import Progress, Session, SessionOptions

if TYPE_CHECKING:
    from edgekit.datasets import FittedDataset

UNTRAINED = "untrained"
"""In a file's name: it has the structure alone, so that its quality means nothing."""


@dataclass(frozen=True, slots=True)
class Task:
    """``files``: patterns of model names; ``data``: names of .npz files (x, y); ``target``: the least quality."""

    name: str
    title: str
    files: tuple[str, ...]
    data: tuple[str, ...]
    metric: str
    target: float


MLPERF_TINY = (
    Task("ic", "image classification", ("*resnet*", "ic_*", "ic.*"), ("ic.npz", "cifar10_eval.npz"), "top1", 0.85),
    Task("kws", "keyword spotting", ("*kws*",), ("kws.npz",), "top1", 0.90),
    Task("ad", "anomaly detection", ("ad0*", "ad_*", "ad.*", "*toycar*"), ("ad.npz",), "anomaly-auc", 0.85),
    Task("vww", "person detection", ("*vww*", "*person*"), ("vww.npz",), "top1", 0.80),
)
SUITES: Mapping[str, tuple[Task, ...]] = {"mlperf-tiny": MLPERF_TINY}


@dataclass(frozen=True, slots=True)
class Quality:
    """``value`` of the task's metric over ``samples``; None without labels. ``sqnr_db``: agreement with ``reference``, the
    task's first float file."""

    samples: int
    metric: str
    value: float | None
    target: float
    met: bool | None
    sqnr_db: float | None
    reference: str


@dataclass(frozen=True, slots=True)
class SuiteEntry:
    """A file of a task, by its place among the bench's results. ``note``: why there is no quality."""

    task: str
    file: str
    result: int
    quality: Quality | None
    note: str


@dataclass(frozen=True, slots=True)
class SuiteRecord:
    """``missing``: tasks with no file in the folder."""

    suite: str
    entries: tuple[SuiteEntry, ...]
    missing: tuple[str, ...]
    bench: BenchRecord = field(repr=False)


def run_suite(
    suite: str, models: Path, data: Path | None, plan: BenchPlan, place: Place, progress: Progress
) -> SuiteRecord:
    """Time and check the files in ``models``; samples are looked for in ``data``.

    Raises UsageError where no file is one of the suite's, and what timing and evaluating raise.
    """
    found = {task: task_files(task, models) for task in SUITES[suite]}
    files = [path for paths in found.values() for path in paths]
    if not files:
        names = ", ".join(pattern for task in found for pattern in task.files)
        raise UsageError(f"{models} holds no .tflite or .onnx file of {suite}; expected names like {names}")
    bench = carry_out(replace(plan, files=tuple(files)), place, progress)
    positions = {result.file: number for number, result in reversed([*enumerate(bench.benchmark.results)])}
    entries = []
    for task, paths in found.items():
        qualities, note = _checked(task, paths, data, plan, place, progress)
        for path in paths:
            why = "the structure alone, untrained" if UNTRAINED in path.name else note
            entries.append(SuiteEntry(task.name, str(path), positions[str(path)], qualities.get(path), why))
    return SuiteRecord(suite, tuple(entries), tuple(task.title for task, paths in found.items() if not paths), bench)


def task_files(task: Task, folder: Path) -> list[Path]:
    """The task's files in that folder."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in (".tflite", ".onnx")]
    return [path for path in paths if any(fnmatch(path.name.lower(), pattern) for pattern in task.files)]


def _checked(
    task: Task, paths: Sequence[Path], data: Path | None, plan: BenchPlan, place: Place, progress: Progress
) -> tuple[dict[Path, Quality], str]:
    """The quality of each trained file, opened as it was timed; or why there is none."""
    samples = _samples_file(task, data)
    if samples is None:
        return {}, f"no {' or '.join(task.data)} in {data}" if data else "no --data"
    runtime = plan.runtimes[0] if len(plan.runtimes) == 1 else None
    options = SessionOptions(threads=plan.threads[0], delegates=plan.delegates)
    with ExitStack() as opened:
        sessions = {}
        for path in paths:
            if UNTRAINED not in path.name:
                sessions[path] = place.open_file(path, runtime, options)
                opened.callback(sessions[path].close)
        return dict(_qualities(task, sessions, samples, progress)) if sessions else {}, ""


def _samples_file(task: Task, data: Path | None) -> Path | None:
    candidates = [data / name for name in task.data] if data else []
    return next((path for path in candidates if path.is_file()), None)


def _qualities(
    task: Task, sessions: Mapping[Path, Session], samples: Path, progress: Progress
) -> Iterator[tuple[Path, Quality]]:
    """Of each file. The others are compared with the first float file."""
    float_first = sorted(sessions.items(), key=lambda pair: _quantized(*pair))
    dataset = open_dataset(str(samples), float_first[0][1].inputs)
    found = evaluate(
        [Candidate(path.name, session) for path, session in float_first],
        dataset,
        metric=metric_or_default(task.metric, dataset) if _labelled(dataset) else None,
        progress=progress,
    )
    for path in sessions:
        value = found.accuracy.get(path.name)
        agreement = found.agreement.get(path.name)
        yield (
            path,
            Quality(
                samples=found.samples,
                metric=task.metric,
                value=value,
                target=task.target,
                met=None if value is None else value >= task.target,
                sqnr_db=agreement.sqnr_db if agreement else None,
                reference=float_first[0][0].name,
            ),
        )


def _quantized(path: Path, session: Session) -> bool:
    """By its inputs, and by its name where these are float and what is between them is not."""
    return session.inputs[0].dtype != "float32" or "int8" in path.name or "quant" in path.name


def _labelled(dataset: FittedDataset) -> bool:
    try:
        return next(iter(dataset.batches(1))).labels is not None
    except StopIteration:
        raise DatasetError("the samples are empty") from None

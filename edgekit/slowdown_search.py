"""Why is a file slower than its float file, and which precision is faster? Measured, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from edgekit.artifact import State
from edgekit.benchmark import TimingRequest, contender, time_here
from edgekit.datasets import Chunks, chunks_of, open_dataset
from edgekit.errors import EdgekitError
from edgekit.evaluate import Candidate, evaluate
from edgekit.figures import Agreement
from edgekit.inference import find_runtime
from edgekit.latency import Latency, Timing, ratio
from edgekit.protocols import Dataset, Delegate, Profiler, Progress, Session, SessionOptions, TimedOp
from edgekit.random_samples import RandomSamples
from edgekit.recipe import Preprocess
from edgekit.slowdown import Alternative, OpCost, Slowdown, float_islands, op_costs, suggest

AS_LONG = 1.01
"""What lies within 1 % of the float file's time takes as long."""

SAMPLES = 64
"""Enough to see that a precision computes the same; the files asked for were checked on all."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Files of one format: the slow one, the float one, and others by precision. ``commands`` by precision make them."""

    slow: Path
    baseline: Path
    others: dict[str, Path]
    commands: dict[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """What to find out. ``float_onnx`` is the model that the others are compared with."""

    contests: tuple[Contest, ...]
    float_onnx: Path
    samples: str | None
    labels: str | None
    preprocess: Preprocess | None
    input_shapes: dict[str, tuple[int, ...]]
    threads: int
    delegates: tuple[Delegate, ...] = ()
    states: tuple[State, ...] = ()
    tokenizer: Path | None = None
    timing: Timing = field(default_factory=lambda: Timing(min_seconds=0.3, max_seconds=20.0, warm_up_seconds=0.5))

    @property
    def options(self) -> SessionOptions:
        return SessionOptions(threads=self.threads, delegates=self.delegates)


def explain_here(question: Question, progress: Progress) -> tuple[Slowdown | None, ...]:
    """An answer a contest, None where the file is not slower when measured again."""
    return tuple(_explained(question, contest, progress) for contest in question.contests)


def _explained(question: Question, contest: Contest, progress: Progress) -> Slowdown | None:
    files = (contest.baseline, contest.slow, *contest.others.values())
    contenders = tuple(contender(path, threads=question.threads, delegates=question.delegates) for path in files)
    baseline, slow, *others = time_here(TimingRequest(contenders, question.timing, keep_samples=False), progress)
    times = ratio(slow, baseline)
    if times.low <= AS_LONG:
        return None
    found = Slowdown(
        entry=contest.slow.name,
        format=contest.slow.suffix.removeprefix("."),
        ratio=times.value,
        ratio_low=times.low,
        ratio_high=times.high,
        p50_ms=slow.p50_ns.value / 1e6,
        ops=_dearest(question, contest),
        float_ops=float_islands(_placed(contest.slow, question)),
        alternatives=tuple(_alternatives(question, contest, [baseline, *others], progress)),
    )
    best = suggest(found)
    return replace(found, suggestion=best.precision, command=contest.commands[best.precision]) if best else found


def _dearest(question: Question, contest: Contest) -> tuple[OpCost, ...]:
    own, baseline = _profile(contest.slow, question), _profile(contest.baseline, question)
    if own and baseline:
        return op_costs(own, baseline, measured=True)
    return op_costs(_placed(contest.slow, question), _placed(contest.baseline, question), measured=False)


def _profile(path: Path, question: Question) -> tuple[TimedOp, ...]:
    """The times of the file's ops; nothing where its runtime can't tell them."""
    runtime = find_runtime(path)
    if not isinstance(runtime, Profiler):
        return ()
    try:
        return runtime.op_times(path, question.options)
    except EdgekitError:
        return ()


def _placed(path: Path, question: Question) -> tuple[TimedOp, ...]:
    """The file's ops without times."""
    return tuple(TimedOp(op, 0.0) for op in _open(path, question).placement().ops)


def _open(path: Path, question: Question) -> Session:
    return find_runtime(path).open(path, question.options)


def _alternatives(
    question: Question, contest: Contest, timed: list[Latency], progress: Progress
) -> Iterator[Alternative]:
    """The float file and the others, each with its time and its agreement with the float model."""
    paths = {"float32": contest.baseline, **contest.others}
    agreement = _agreement(question, paths, progress)
    for (precision, path), latency in zip(paths.items(), timed, strict=True):
        against = ratio(latency, timed[0])
        yield Alternative(
            precision=precision,
            p50_ms=latency.p50_ns.value / 1e6,
            ratio=against.value,
            ratio_low=against.low,
            ratio_high=against.high,
            size_bytes=path.stat().st_size,
            sqnr_db=agreement[precision].sqnr_db,
        )


def _agreement(question: Question, paths: dict[str, Path], progress: Progress) -> dict[str, Agreement]:
    reference = _open(question.float_onnx, question)
    candidates = [Candidate("", reference)]
    candidates += [Candidate(precision, _open(path, question)) for precision, path in paths.items()]
    samples = _samples(question, reference)
    states = question.states if isinstance(samples, Chunks) else ()
    return dict(evaluate(candidates, samples, states=states, progress=progress).agreement)


def _samples(question: Question, reference: Session) -> Dataset:
    inputs = reference.inputs
    if question.samples is None:
        return RandomSamples(inputs, question.input_shapes)
    opened = partial(
        open_dataset,
        question.samples,
        inputs,
        preprocess=question.preprocess,
        labels=question.labels,
        states=question.states,
        tokenizer=question.tokenizer,
    )
    given = opened(limit=min(SAMPLES, len(opened())))
    return chunks_of(given, question.states) or given

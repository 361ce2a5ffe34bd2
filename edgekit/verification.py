"""Are the written files fit to ship? Accuracy, agreement, latency and placement of each, in its real runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekit import registry
from edgekit.artifact import State
from edgekit.benchmark import Benchmark, Timed, benchmark, contender
from edgekit.datasets import Chunks, chunks_of, open_dataset, tokenizer_of
from edgekit.devices.address import Address
from edgekit.errors import DeviceError, EdgekitError, MeasurementError
from edgekit.evaluate import Candidate, Evaluation, draws_noise, evaluate, metric_or_default
from edgekit.figures import Estimate, LatencyFigures, MetricKind, PlacementSummary
from edgekit.gates import PlacementGates, judged
from edgekit.inference import find_runtime
from edgekit.latency import Timing
from edgekit.place import Place, reached
from edgekit.protocols import Dataset, Delegate, Progress, ReadOptions, Session, SessionOptions
from edgekit.random_samples import RandomSamples
from edgekit.reading import Reference, open_reference
from edgekit.recipe import Preprocess
from edgekit.report import Entry, Failure, Role, SampleFacts, Twins
from edgekit.roofline import applies_to, estimate_file
from edgekit.slowdown import POOR_SQNR_DB
from edgekit.target import Target

ORIGINAL = "original"

NOISY = (
    "the original answers one input differently every time: it draws random numbers, so its agreement with any file says little. "
    "Convert the mean path of a variational network, or make the noise an input (docs/architectures/generative.md)"
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A file to check: the float baseline of a format, or an artifact.

    ``runtime``: the engine of the device that the file is for, None for the first one that opens it. It answers as the device
    does, and its time says nothing about the device: such a file is not timed.
    """

    path: Path
    role: Role
    name: str
    precision: str
    runtime: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What to check, and against what. ``float_onnx`` stands in where the original framework can't be run.

    ``device``, ``delegates``: where the files run, None here; its answers are kept in ``journal``. ``sparsified``: the artifacts
    have zeros that the original has not.
    """

    model: Path
    source: str
    read: ReadOptions
    files: tuple[Checked, ...]
    float_onnx: Path
    samples: str | None
    labels: str | None
    preprocess: Preprocess | None
    metric: str | None
    threads: int
    states: tuple[State, ...] = ()
    timing: Timing = field(default_factory=lambda: Timing(min_seconds=1.0, max_seconds=60.0))
    device: Address | None = None
    delegates: tuple[Delegate, ...] = ()
    gates: PlacementGates = field(default_factory=PlacementGates)
    target: Target | None = None
    journal: Path | None = None
    sparsified: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """Entries in the order original, then the job's files; what could not be checked is among the failures."""

    reference: str
    reference_is_original: bool
    evaluation: SampleFacts | None
    metric: MetricKind | None
    entries: tuple[Entry, ...]
    twins: Twins | None
    failures: tuple[Failure, ...]
    conditions: tuple[str, ...]
    notes: tuple[str, ...]


def verify_here(job: Job, progress: Progress) -> Verification:
    """Open and measure everything; runs in a child process, since a damaged or unlucky file may crash its runtime."""
    with reached(job.device, job.journal) as place:
        return _verify(job, place, progress)


def _verify(job: Job, place: Place, progress: Progress) -> Verification:
    sessions, failures = _open_all(job, place)
    reference = open_reference(registry.source(job.source), job.model, job.read, lambda: _open_float(job))
    samples, facts, notes = _samples(job, reference)
    metric = metric_or_default(job.metric, samples)
    states = job.states if isinstance(samples, Chunks) else ()
    noisy = draws_noise(reference.session, samples, states)
    pair = _twin_names(job, sessions)
    candidates = [Candidate(ORIGINAL, reference.session)]
    candidates += [Candidate(name, session) for name, session in sessions.items()]
    pairs = [pair] if pair else []
    found = evaluate(candidates, samples, metric=metric, pairs=pairs, states=states, progress=progress)
    progress.stage("placement")
    paths = {file.name: file.path for file in job.files}
    placements = {
        name: judged(session.placement(), paths[name], job.delegates, job.gates, progress)
        for name, session in sessions.items()
    }
    timed, untimed, lost = _time(job, sessions, place, progress)
    estimates = _estimates(job, sessions, timed, progress)
    entries = (_original_entry(found), *_entries(job, sessions, found, placements, timed, place, estimates))
    return Verification(
        reference=reference.description,
        reference_is_original=reference.original,
        evaluation=facts,
        metric=found.metric,
        entries=entries,
        twins=Twins(*pair, found.pairs[pair]) if pair else None,
        failures=failures + lost,
        conditions=_conditions(timed),
        notes=(*notes, *untimed, *((NOISY,) if noisy else _far_from_original(job, entries))),
    )


def _open_all(job: Job, place: Place) -> tuple[dict[str, Session], tuple[Failure, ...]]:
    sessions: dict[str, Session] = {}
    failures = []
    for file in job.files:
        try:
            options = SessionOptions(threads=job.threads, delegates=job.delegates)
            sessions[file.name] = place.open_file(file.path, file.runtime, options)
        except DeviceError:
            raise
        except EdgekitError as error:
            failures.append(Failure(f"open {file.name}", str(error)))
    return sessions, tuple(failures)


def _open_float(job: Job) -> Session:
    return find_runtime(job.float_onnx).open(job.float_onnx, SessionOptions(threads=job.threads))


def _samples(job: Job, reference: Reference) -> tuple[Dataset, SampleFacts | None, tuple[str, ...]]:
    inputs = reference.session.inputs
    if job.samples is None:
        note = (
            "no samples were given: agreement is on random inputs, which says little about real ones. "
            "Give --evaluate SAMPLES."
        )
        return RandomSamples(inputs, job.read.input_shapes), None, (note,)
    stored = open_dataset(
        job.samples,
        inputs,
        preprocess=job.preprocess,
        labels=job.labels,
        states=job.states,
        tokenizer=tokenizer_of(job.model),
    )
    samples = chunks_of(stored, job.states) or stored
    return samples, SampleFacts(job.samples, len(samples)), samples.notes


def _twin_names(job: Job, sessions: Mapping[str, Session]) -> tuple[str, str] | None:
    """The artifacts of the two formats, when both were made and opened."""
    names = [file.name for file in job.files if file.role is Role.ARTIFACT and file.name in sessions]
    return (names[0], names[1]) if len(names) == 2 else None


def _time(
    job: Job, sessions: Mapping[str, Session], place: Place, progress: Progress
) -> tuple[Benchmark | None, tuple[str, ...], tuple[Failure, ...]]:
    """All opened files against one another; what could not be timed is a remark or a failure, and costs no other figure."""
    if not sessions:
        return None, (), ()
    if place.emulated:
        return None, (f"{place.name} is emulated: no timings, since they would say nothing about a board",), ()
    try:
        opened = [file for file in job.files if file.name in sessions and file.runtime is None]
        untimed = tuple(
            f"{file.name} runs in {file.runtime}, whose time here says nothing about the device: it is not timed"
            for file in job.files
            if file.name in sessions and file.runtime is not None
        )
        contenders = [
            contender(file.path, threads=job.threads, delegates=job.delegates, place=place) for file in opened
        ]
        return benchmark(contenders, job.timing, progress=progress, place=place) if contenders else None, untimed, ()
    except MeasurementError as error:
        slow = f"the files are too slow to be timed in {job.timing.max_seconds:g} s each: {error}"
        return None, (slow,), ()
    except DeviceError as error:
        return None, (), (Failure("time", f"{error}. edgekit convert ... --resume goes on from here"),)


def _conditions(measured: Benchmark | None) -> tuple[str, ...]:
    """The state of the machine while the files were timed, in words."""
    if measured is None:
        return ()
    state = measured.after
    parts = [f"on {measured.device}"] if measured.device else []
    parts.append(f"{state.processor} ({state.machine}), {state.cores} cores")
    parts.append(f"clock governor {state.governor or 'not told'}")
    parts.append(f"{state.temperature_c:.0f} °C" if state.temperature_c is not None else "temperature not told")
    if state.throttled is not None:
        parts.append(f"throttled: {state.throttled or 'no'}")
    parts.append(f"load {measured.before.load} before, {state.load} after")
    return tuple(parts)


def _original_entry(found: Evaluation) -> Entry:
    return Entry(ORIGINAL, Role.ORIGINAL, accuracy=found.accuracy.get(ORIGINAL))


def _entries(
    job: Job,
    sessions: Mapping[str, Session],
    found: Evaluation,
    placements: Mapping[str, PlacementSummary],
    measured: Benchmark | None,
    place: Place,
    estimates: Mapping[str, Estimate],
) -> Iterator[Entry]:
    timed = _by_file(measured)
    for file in (file for file in job.files if file.name in sessions):
        own = timed.get(str(file.path))
        yield Entry(
            name=file.name,
            role=file.role,
            file=file.path.name,
            format=file.path.suffix.removeprefix("."),
            precision=file.precision,
            runtime=f"{own.runtime} {own.runtime_version}" if own else str(place.runtime(file.path, file.runtime)),
            size_bytes=file.path.stat().st_size,
            accuracy=found.accuracy.get(file.name),
            drop_points=found.drop_points(file.name, ORIGINAL),
            agreement=found.agreement[file.name],
            latency=_figures(own) if own else None,
            placement=placements[file.name],
            estimate=estimates.get(file.name),
        )


def _by_file(measured: Benchmark | None) -> dict[str, Timed]:
    """What was timed, by path; not every file is."""
    return {timed.file: timed for timed in measured.results} if measured else {}


def _estimates(
    job: Job, sessions: Mapping[str, Session], measured: Benchmark | None, progress: Progress
) -> dict[str, Estimate]:
    """What the target's own figures say of each file, with the error where the file was timed on that target."""
    if job.target is None or job.target.peak is None:
        return {}
    comparable = measured is not None and applies_to(job.target, measured.after.processor)
    timed = _by_file(measured) if comparable else {}
    found = {}
    for file in (file for file in job.files if file.name in sessions):
        estimate = estimate_file(file.path, job.target, job.threads, progress)
        if estimate is None:
            continue
        if own := timed.get(str(file.path)):
            estimate = replace(estimate, error=estimate.ms / (own.latency.p50_ns.value / 1e6) - 1)
        found[file.name] = estimate
    return found


def _far_from_original(job: Job, entries: tuple[Entry, ...]) -> Iterator[str]:
    """A sentence for each artifact whose outputs have little to do with the original's, with what brought that about."""
    pruned = {entry.format: entry for entry in entries if entry.role is Role.PRUNED and _is_far(entry)}
    for entry in entries:
        if entry.role is not Role.ARTIFACT or entry.agreement is None or not _is_far(entry):
            continue
        if found := pruned.get(entry.format):
            cause = f"{found.name} is so before anything is quantized: remove less (--prune), or train the pruned network on"
        elif job.sparsified:
            cause = "Weights were left out of it: leave out fewer (--sparsify)"
        else:
            cause = (
                "A tensor in it needs more than 8 bits: keep the nodes around it float (--keep-float 'NAME*'; --dry-run "
                "lists the names), or use --precision int8-dynamic"
            )
        yield f"{entry.name} is far from the original ({entry.agreement.sqnr_db:.1f} dB). {cause}"


def _is_far(entry: Entry) -> bool:
    return entry.agreement is not None and entry.agreement.sqnr_db < POOR_SQNR_DB


def _figures(timed: Timed) -> LatencyFigures:
    latency = timed.latency
    return LatencyFigures(
        p50_ms=latency.p50_ns.value / 1e6,
        p50_low_ms=latency.p50_ns.low / 1e6,
        p50_high_ms=latency.p50_ns.high / 1e6,
        p90_ms=latency.p90_ns.value / 1e6,
        p90_low_ms=latency.p90_ns.low / 1e6,
        p90_high_ms=latency.p90_ns.high / 1e6,
        runs=latency.runs,
        threads=timed.threads,
        confidence=latency.confidence,
        steady=latency.steady,
        load_ms=timed.load.load_ns / 1e6,
        peak_memory_bytes=timed.load.peak_memory_bytes,
    )

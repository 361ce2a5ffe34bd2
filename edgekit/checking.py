"""``check``: the accuracy of one file and its agreement with another model, on samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgekit import isolation, registry
from edgekit.artifact import Artifact, State
from edgekit.datasets import Chunks, chunks_of, open_dataset, tokenizer_of
from edgekit.devices.address import Address
from edgekit.evaluate import Candidate, Evaluation, evaluate, metric_or_default
from edgekit.figures import PlacementSummary
from edgekit.gates import PlacementGates, judged
from edgekit.inference import find_runtime
from edgekit.place import Place, RuntimeChoice, reached
from edgekit.protocols import Delegate, Progress, ReadOptions, Session, SessionOptions
from edgekit.reading import Reference, find_source, open_reference, read_hub, with_fixed_inputs
from edgekit.recipe import Preprocess, preprocess_from_dict
from edgekit.relayout import relaid
from edgekit.report import Entry, Limit, ModelFacts, Report, Role, SampleFacts
from edgekit.states import decide_states

ARTIFACT_SUFFIXES = frozenset({".tflite", ".onnx"})


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What ``edgekit check`` was asked for. ``preprocess`` None: as the file's manifest records it.

    ``file_layout``: as in `relaid`, for pictures that the file and the model take in different orders.
    ``device``, ``delegates``: where FILE runs, None and nothing for the CPU here; the model it is compared with runs here.
    ``limit_drop`` is in points; ``limit_sqnr_db`` is what the SQNR must reach; ``limit_arena_bytes`` holds for a runtime that
    must be given its memory (tflite_micro).
    """

    file: Path
    against: Path
    samples: str
    metric: str | None = None
    labels: str | None = None
    limit: int | None = None
    runtime: str | None = None
    threads: int = 1
    source: str | None = None
    read: ReadOptions = field(default_factory=ReadOptions)
    preprocess: Preprocess | None = None
    file_layout: str | None = None
    limit_drop: float | None = None
    limit_sqnr_db: float | None = None
    limit_arena_bytes: int | None = None
    device: Address | None = None
    delegates: tuple[Delegate, ...] = ()
    gates: PlacementGates = field(default_factory=PlacementGates)


def check(request: CheckRequest, progress: Progress) -> Report:
    """Measure in a child process: files that strangers made may crash the library that opens them."""
    report: Report = isolation.run("edgekit.checking:check_here", request, progress, stage="check").value
    return report


def check_here(request: CheckRequest, progress: Progress) -> Report:
    """What `check` runs in its child process."""
    with reached(request.device) as place:
        return _check(request, place, progress)


def _check(request: CheckRequest, place: Place, progress: Progress) -> Report:
    progress.stage("open")
    artifact = Artifact.open(request.file)
    runtime = place.runtime(artifact.path, request.runtime)
    reference = _reference(request)
    options = SessionOptions(threads=request.threads, delegates=request.delegates)
    opened = place.open_file(artifact.path, request.runtime, options)
    session, turned = relaid(opened, reference.session, request.file_layout)
    states = _states(request, artifact, reference)
    stored = open_dataset(
        request.samples,
        reference.session.inputs,
        preprocess=request.preprocess or _recorded_preprocess(artifact),
        labels=request.labels,
        limit=request.limit,
        states=states,
        tokenizer=tokenizer_of(request.file) or tokenizer_of(request.against),
    )
    samples = chunks_of(stored, states) or stored
    carried = states if isinstance(samples, Chunks) else ()
    names = _names(request)
    candidates = [Candidate(names[0], reference.session), Candidate(names[1], session)]
    metric = metric_or_default(request.metric, samples)
    found = evaluate(candidates, samples, metric=metric, states=carried, progress=progress)
    placement = judged(session.placement(), artifact.path, request.delegates, request.gates, progress)
    report = Report(
        model=ModelFacts(str(request.against), _framework(request)),
        settings=_settings(request, place),
        reference=reference.description,
        reference_is_original=reference.original,
        evaluation=SampleFacts(request.samples, found.samples),
        metric=found.metric,
        entries=(
            Entry(names[0], Role.ORIGINAL, size_bytes=_size(request.against), accuracy=found.accuracy.get(names[0])),
            _entry(artifact, runtime, found, names, placement),
        ),
        notes=(*samples.notes, *turned),
    )
    return report.with_limits(*_limits(request, report.entries[1]))


def _settings(request: CheckRequest, place: Place) -> dict[str, str]:
    named = {"device": place.name, "delegates": ", ".join(map(str, request.delegates))}
    return {name: value for name, value in named.items() if value}


def _states(request: CheckRequest, artifact: Artifact, reference: Reference) -> tuple[State, ...]:
    """What the models carry from call to call: as FILE's manifest says, or as the names of the reference tell."""
    recorded = artifact.manifest.states if artifact.manifest else None
    return decide_states(recorded, (), reference.session.inputs, reference.session.outputs).states


def _reference(request: CheckRequest) -> Reference:
    """A .tflite or .onnx file in its runtime; any other model by its reader."""
    path = request.against
    if _is_artifact(request):
        artifact = Artifact.open(path)
        runtime = find_runtime(path)
        session = with_fixed_inputs(runtime.open(path, SessionOptions(threads=request.threads)), request.read)
        return Reference(session, artifact.manifest is None, f"{path.name} in {runtime.name}")
    source = find_source(path, request.source)

    def float_session() -> Session:
        opened: Session = registry.stage("hub_session")(read_hub(source, path, request.read))
        return opened

    return open_reference(source, path, request.read, float_session)


def _is_artifact(request: CheckRequest) -> bool:
    return request.source is None and request.against.suffix.lower() in ARTIFACT_SUFFIXES


def _framework(request: CheckRequest) -> str:
    if _is_artifact(request):
        return request.against.suffix.removeprefix(".").lower()
    return find_source(request.against, request.source).name


def _recorded_preprocess(artifact: Artifact) -> Preprocess | None:
    if artifact.manifest is None or artifact.manifest.preprocess is None:
        return None
    return preprocess_from_dict(artifact.manifest.preprocess, str(Artifact.manifest_path(artifact.path)))


def _names(request: CheckRequest) -> tuple[str, str]:
    """Names of the two in the report: of their files, or the paths where the files have one name."""
    names = request.against.name, request.file.name
    return names if names[0] != names[1] else (str(request.against), str(request.file) + " (checked)")


def _entry(
    artifact: Artifact,
    runtime: RuntimeChoice,
    found: Evaluation,
    names: tuple[str, str],
    placement: PlacementSummary,
) -> Entry:
    original, own = names
    manifest = artifact.manifest
    return Entry(
        name=own,
        role=Role.ARTIFACT,
        file=artifact.path.name,
        format=artifact.path.suffix.removeprefix("."),
        precision=manifest.precision if manifest else None,
        runtime=str(runtime),
        size_bytes=_size(artifact.path),
        sha256=manifest.sha256 if manifest else None,
        accuracy=found.accuracy.get(own),
        drop_points=found.drop_points(own, original),
        agreement=found.agreement[own],
        placement=placement,
    )


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _limits(request: CheckRequest, entry: Entry) -> Iterator[Limit]:
    if request.limit_drop is not None:
        yield Limit("drop", entry.name, request.limit_drop, entry.drop_points, "points")
    if request.limit_sqnr_db is not None:
        found = entry.agreement.sqnr_db if entry.agreement else None
        yield Limit("sqnr", entry.name, request.limit_sqnr_db, found, "dB", at_least=True)
    if request.limit_arena_bytes is not None:
        arena = entry.placement.arena_bytes if entry.placement else None
        yield Limit("arena", entry.name, request.limit_arena_bytes, arena, "bytes")
    yield from request.gates.limits(entry.name, entry.placement)

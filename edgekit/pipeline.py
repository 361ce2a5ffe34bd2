"""`convert`: the order of the stages, and nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit import isolation, registry
from edgekit.accuracy import choose_metric
from edgekit.alternatives import explained, slower_than_float
from edgekit.artifact import Artifact, sha256_of, written_whole
from edgekit.baselines import Baselines, Stages, baselines
from edgekit.datasets import (
    FittedDataset,
    StreamedSamples,
    chunks_of,
    open_dataset,
    require_varied,
    tokenizer_of,
    too_few,
)
from edgekit.devices.address import Address
from edgekit.errors import DeviceError, EdgekitError, UsageError
from edgekit.figures import PruneFigures
from edgekit.gates import PlacementGates
from edgekit.limits import limits
from edgekit.place import reached
from edgekit.preprocessor_config import FILE as PREPROCESSOR
from edgekit.preprocessor_config import described_preprocess
from edgekit.production import Outcome, Product, output_folder, produce, tool_versions, write_manifest
from edgekit.protocols import Delegate, Progress, ReadOptions, Source
from edgekit.pruned import smaller
from edgekit.reading import find_source, read_hub
from edgekit.recipe import Precision, Recipe
from edgekit.report import Entry, Failure, FloatNode, ModelFacts, Report, Role, SampleFacts, Stage
from edgekit.sparsification import sparsified, with_zeros
from edgekit.sparsity import SparsityFacts
from edgekit.states import decide_states
from edgekit.target import Target
from edgekit.verification import Checked, Job, Verification


@dataclass(frozen=True, slots=True)
class Request:
    """What ``edgekit convert`` was asked for. ``evaluate`` None: the calibration samples are checked on.

    ``threads`` is for timing. ``checks`` False writes the files and measures nothing. ``address``: of the device where the files
    are checked, None for here; ``delegates`` run them there. ``resume``: what the device answered before it was lost is not
    asked again.
    """

    model: Path
    out: Path
    recipe: Recipe
    target: Target
    formats: tuple[str, ...] = ("tflite", "onnx")
    source: str | None = None
    read: ReadOptions = field(default_factory=ReadOptions)
    calibrate: str | None = None
    evaluate: str | None = None
    metric: str | None = None
    labels: str | None = None
    threads: int = 1
    checks: bool = True
    address: Address | None = None
    resume: bool = False
    delegates: tuple[Delegate, ...] = ()
    gates: PlacementGates = field(default_factory=PlacementGates)

    def __post_init__(self) -> None:
        if self.device.integer_only and self.recipe.precision.calibrated and "onnx" in self.formats:
            raise UsageError(
                "an ONNX file cannot be integer-only: ONNX Runtime computes in float between Q and DQ wherever it has no integer "
                "kernel. Write TFLite alone (--to tflite), or leave --integer-only out."
            )

    @property
    def device(self) -> Target:
        """The target as the recipe wants it used."""
        return self.target.serving(self.recipe)


def convert(request: Request, progress: Progress) -> Report:
    """Make the artifacts in a child process, check them, write ``report.json`` beside them.

    Raises EdgekitError when the model, its samples or the plan fail; a format that could not be written is in the report.
    """
    if request.delegates and not request.checks:
        raise UsageError("--delegate is what the checks run on; leave --no-checks out")
    if request.gates and not request.checks:
        raise UsageError("--require-delegate and --limit-fallback need the checks; leave --no-checks out")
    if request.recipe.budgets.drop_points is not None and not request.checks:
        raise UsageError("--limit-drop needs the checks; leave --no-checks out")
    with output_folder(request.out):
        _meet_device(request)
        made = isolation.run("edgekit.pipeline:convert_here", request, progress, stage="convert")
        report: Report = made.value
        report = dataclasses.replace(report, stages=(*report.stages, _whole(made)))
        with written_whole(request.out / "report.json") as part:
            part.write_text(report.to_json(), "utf-8")
    return report


def _meet_device(request: Request) -> None:
    """Raises before the work what checking on the device would raise after it."""
    if request.address is None:
        if request.resume:
            raise UsageError("--resume goes on with checks on a device; give --device too")
        return
    if not request.checks:
        raise UsageError("--device is where the files are checked; leave --no-checks out")
    if not request.resume:
        _journal(request).unlink(missing_ok=True)
    with reached(request.address) as place:
        for file_format in request.formats:
            place.runtime(Path(f"any.{file_format}"))


def _journal(request: Request) -> Path:
    return request.out / "report.journal"


def convert_here(request: Request, progress: Progress) -> Report:
    """The stages in order; runs in a child process, since loaders of model files may crash."""
    request = _with_described_pictures(request)
    clock = _Clock(progress)
    source = find_source(request.model, request.source)
    with clock.stage("read"):
        hub = _with_states(read_hub(source, request.model, request.read, progress), request.recipe)
    samples = _calibration(request, hub)
    _refuse_unfit_checks(request, hub)
    pruned, removed = _pruned(request, hub, samples, clock, progress)
    sparse, zeros = _sparsified(request, pruned, samples, clock, progress)
    with clock.stage("quantize"):
        quantized = registry.stage("quantize")(sparse, request.recipe, request.device, samples, progress)
    product = Product(
        stem=request.model.stem if request.model.is_file() else request.model.name,
        hub=quantized.hub,
        plan=quantized.plan,
        recipe=request.recipe,
        target=request.device,
        source=_source_facts(request, hub),
        input_shapes=request.read.input_shapes,
        companions=hub.companions,
        states=hub.states,
    )
    outcomes = produce(product, request.formats, request.out, progress)
    clock.stages += [Stage(f"write {outcome.file_format}", outcome.seconds) for outcome in outcomes]
    report = dataclasses.replace(_report(request, hub, quantized, samples, outcomes), pruning=removed)
    if zeros is not None:
        report = with_zeros(report, zeros, [outcome.artifact.path for outcome in outcomes if outcome.artifact])
    if request.checks and any(outcome.artifact for outcome in outcomes):
        with clock.stage("check"):
            originals = dataclasses.replace(product, hub=hub, companions=())
            float_product = dataclasses.replace(originals, hub=pruned)
            with tempfile.TemporaryDirectory() as folder:
                stages = Stages(originals, float_product, dataclasses.replace(originals, hub=sparse))
                beside = baselines(request, stages, samples, Path(folder), progress)
                report = _checked(request, source, float_product, beside, outcomes, report, Path(folder), progress)
    report = report.with_limits(*limits(report, request.recipe.budgets, request.gates, request.device))
    _record_results(outcomes, report)
    return dataclasses.replace(report, stages=tuple(clock.stages))


def write_html(report: Report, path: Path) -> None:
    """Write the report as one self-contained HTML file."""
    from edgekit.report_html import html

    with written_whole(path) as part:
        part.write_text(html(report), "utf-8")


class _Clock:
    """Times stages and tells the progress of each."""

    def __init__(self, progress: Progress) -> None:
        self.stages: list[Stage] = []
        self._progress = progress

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._progress.stage(name)
        began = time.perf_counter()
        yield
        self.stages.append(Stage(name, time.perf_counter() - began))


def _with_states(hub: Any, recipe: Recipe) -> Any:
    """The hub with all that it carries from call to call, by the recipe, by the reader and by its names."""
    found = decide_states(recipe.states, hub.states, hub.inputs, hub.outputs)
    return dataclasses.replace(hub, states=found.states, notes=hub.notes + found.notes)


def _with_described_pictures(request: Request) -> Request:
    """Pictures are prepared as the model's folder says, unless the user says how."""
    if request.recipe.preprocess is not None or not request.model.is_dir():
        return request
    recipe = dataclasses.replace(request.recipe, preprocess=described_preprocess(request.model))
    return dataclasses.replace(request, recipe=recipe)


def _picture_notes(request: Request) -> tuple[str, ...]:
    steps = request.recipe.preprocess
    described = steps is not None and request.model.is_dir() and steps == described_preprocess(request.model)
    return (f"pictures are prepared as {PREPROCESSOR} of the model says",) if described else ()


def _compiler_notes(request: Request) -> tuple[str, ...]:
    """The next step for a processor that runs compiled files only."""
    target = request.target
    if not (target.compiler and target.integer_only):
        return ()
    return (f"{target.name} runs compiled files only: edgekit compile FILE --target {target.name}",)


def _pruned(
    request: Request, hub: Any, samples: FittedDataset | StreamedSamples | None, clock: _Clock, progress: Progress
) -> tuple[Any, PruneFigures | None]:
    """The hub without what the recipe wants removed."""
    if request.recipe.prune is None:
        return hub, None
    with clock.stage("prune"):
        return smaller(request, hub, request.recipe.prune, samples, progress)


def _sparsified(
    request: Request, hub: Any, samples: FittedDataset | StreamedSamples | None, clock: _Clock, progress: Progress
) -> tuple[Any, SparsityFacts | None]:
    """The hub with the zeros that the recipe asks for; it is compared with the one that was read."""
    if not request.recipe.sparsifies:
        return hub, None
    with clock.stage("sparsify"):
        return sparsified(hub, request.recipe, request.device, samples, progress)


def _calibration(request: Request, hub: Any) -> FittedDataset | StreamedSamples | None:
    recipe = request.recipe
    if request.calibrate is None or not (recipe.precision.calibrated or recipe.prune or recipe.sparsifies):
        return None
    samples = _opened(request, request.calibrate, hub)
    require_varied(samples)
    chunks = chunks_of(samples, hub.states)
    return StreamedSamples(chunks, registry.stage("hub_session")(hub), hub.states) if chunks else samples


def _refuse_unfit_checks(request: Request, hub: Any) -> None:
    """Raises what the checks would raise after the work: for a metric of no known name, for samples that don't fit."""
    if not request.checks:
        return
    if request.metric is not None:
        choose_metric(request.metric)
    if request.evaluate is not None:
        _opened(request, request.evaluate, hub)


def _opened(request: Request, location: str, hub: Any) -> FittedDataset:
    return open_dataset(
        location,
        hub.inputs,
        preprocess=request.recipe.preprocess,
        labels=request.labels,
        states=hub.states,
        tokenizer=tokenizer_of(request.model),
    )


def _source_facts(request: Request, hub: Any) -> dict[str, str]:
    return {"framework": hub.framework, "file": request.model.name, "sha256": _digest(request.model)}


def _digest(model: Path) -> str:
    """sha256 of a file; of a folder, that of its files' names and digests."""
    if model.is_file():
        return sha256_of(model)
    digest = hashlib.sha256()
    for path in sorted(path for path in model.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(model)} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def _report(
    request: Request,
    hub: Any,
    quantized: Any,
    samples: FittedDataset | StreamedSamples | None,
    outcomes: tuple[Outcome, ...],
) -> Report:
    """What is known before anything is checked."""
    recipe = request.recipe
    settings = {"precision": recipe.precision.value, "target": request.target.name}
    if recipe.prune is not None:
        settings["pruned for"] = recipe.prune.goal
    if recipe.sparsifies:
        settings["sparsify"] = recipe.sparsify or "by rules"
    if request.address is not None:
        settings["device"] = request.address.name
    if request.delegates:
        settings["delegates"] = ", ".join(map(str, request.delegates))
    if recipe.precision is Precision.INT8:
        settings |= {"effort": recipe.effort.value, "inputs and outputs": recipe.io.value}
        settings |= {"operators": "integers only"} if request.device.integer_only else {}
    manifests = [outcome.artifact.manifest for outcome in outcomes if outcome.artifact]
    return Report(
        model=ModelFacts(
            path=str(request.model),
            framework=hub.framework,
            sha256=manifests[0].source["sha256"] if manifests and manifests[0] else "",
            parameters=manifests[0].parameters if manifests and manifests[0] else None,
            inputs=hub.inputs,
            outputs=hub.outputs,
            states=hub.states,
        ),
        settings=settings,
        calibration=SampleFacts(samples.where, len(samples)) if samples else None,
        entries=tuple(_bare_entry(outcome.artifact) for outcome in outcomes if outcome.artifact),
        float_nodes=tuple(FloatNode(kept.node, kept.op, kept.reason) for kept in quantized.float_nodes),
        failures=tuple(Failure(f"write {o.file_format}", o.failure) for o in outcomes if o.artifact is None),
        versions=tool_versions(),
        notes=hub.notes
        + ((*samples.notes, *too_few(samples)) if samples else ())
        + (*_picture_notes(request), *_compiler_notes(request), *_runtime_notes(request)),
    )


def _bare_entry(artifact: Artifact) -> Entry:
    manifest = artifact.manifest
    assert manifest is not None
    return Entry(
        name=manifest.file,
        role=Role.ARTIFACT,
        file=manifest.file,
        format=manifest.format,
        precision=manifest.precision,
        size_bytes=manifest.size_bytes,
        sha256=manifest.sha256,
    )


def _checked(
    request: Request,
    source: Source,
    product: Product,
    beside: Baselines,
    outcomes: tuple[Outcome, ...],
    report: Report,
    folder: Path,
    progress: Progress,
) -> Report:
    """The report with everything measured; ``product`` holds the float hub, after pruning.

    What can't be measured is a failure in the report; the artifacts stay.
    """
    artifacts = [outcome.artifact.path for outcome in outcomes if outcome.artifact]
    job = Job(
        model=request.model,
        source=source.name,
        read=request.read,
        files=(*beside.checked, *(_artifact(path, request) for path in artifacts)),
        float_onnx=beside.originals["onnx"],
        samples=request.evaluate or request.calibrate,
        labels=request.labels,
        preprocess=request.recipe.preprocess,
        metric=request.metric,
        threads=request.threads,
        states=product.states,
        device=request.address,
        delegates=request.delegates,
        gates=request.gates,
        target=request.device,
        journal=_journal(request) if request.address else None,
        sparsified=request.recipe.sparsifies,
    )
    try:
        found = isolation.run("edgekit.verification:verify_here", job, progress, stage="check").value
    except EdgekitError as error:
        hint = " What it answered is kept: --resume goes on from there" if isinstance(error, DeviceError) else ""
        return dataclasses.replace(report, failures=(*report.failures, Failure("check", f"{error}{hint}")))
    if request.address is not None:
        return _found_there(request, found, _merged(report, found))
    return explained(request, product, beside.floats, folder, _merged(report, found), progress)


def _found_there(request: Request, found: Verification, report: Report) -> Report:
    """The report of checks on a device; why a file is slower there than its float file can't be found out here."""
    if not found.failures:
        _journal(request).unlink(missing_ok=True)
    slow = tuple(
        f"{entry.name} is slower there than its float file; edgekit inspect --placement --device shows what its ops run on"
        for entry in slower_than_float(report.entries)
    )
    return dataclasses.replace(report, notes=report.notes + slow)


def _artifact(path: Path, request: Request) -> Checked:
    runtime = request.target.runtime if _has_its_runtime(request) else None
    return Checked(path, Role.ARTIFACT, path.name, request.recipe.precision.value, runtime or None)


def _has_its_runtime(request: Request) -> bool:
    """Whether the target names an engine that is installed here; on a device, the device's own runs."""
    name = request.target.runtime
    return bool(name) and request.address is None and registry.runtime(name).probe().available


def _runtime_notes(request: Request) -> tuple[str, ...]:
    """What the checks leave open where the target's engine is not installed."""
    name = request.target.runtime
    if not name or not request.checks or request.address is not None or _has_its_runtime(request):
        return ()
    absent = registry.runtime(name).probe()
    return (
        f"not checked in {name}, the engine of {request.target.name}, but in another, whose answers may differ by a step: "
        + absent.words,
    )


def _merged(report: Report, found: Verification) -> Report:
    digests = {entry.name: entry.sha256 for entry in report.entries}
    return dataclasses.replace(
        report,
        reference=found.reference,
        reference_is_original=found.reference_is_original,
        evaluation=found.evaluation,
        metric=found.metric,
        entries=tuple(dataclasses.replace(entry, sha256=digests.get(entry.name)) for entry in found.entries),
        twins=found.twins,
        failures=report.failures + found.failures,
        conditions=found.conditions,
        notes=tuple(dict.fromkeys(report.notes + found.notes)),
    )


def _record_results(outcomes: tuple[Outcome, ...], report: Report) -> None:
    """Put what was measured of each artifact into its manifest."""
    from edgekit.json_text import plain

    entries = {entry.name: entry for entry in report.entries}
    for outcome in outcomes:
        artifact = outcome.artifact
        if artifact is None or artifact.manifest is None or artifact.path.name not in entries:
            continue
        entry = entries[artifact.path.name]
        kept = ("accuracy", "drop_points", "agreement", "latency", "placement")
        results = {name: plain(getattr(entry, name)) for name in kept if getattr(entry, name) is not None}
        write_manifest(artifact.path, dataclasses.replace(artifact.manifest, results=results))


def _whole(made: isolation.Outcome) -> Stage:
    """The conversion process as a whole: CPU seconds and peak memory, its own children included."""
    return Stage("all, CPU seconds", made.cpu_seconds, made.peak_memory_bytes)

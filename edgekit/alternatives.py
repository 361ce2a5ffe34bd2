"""Files that are slower than their float files: make the other precisions, have them timed, tell which to take."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit import isolation, registry
from edgekit.datasets import tokenizer_of
from edgekit.errors import EdgekitError
from edgekit.production import Product, produce
from edgekit.protocols import Progress, ReadOptions
from edgekit.recipe import Precision, Preprocess, Recipe
from edgekit.report import Entry, Report, Role
from edgekit.slowdown_search import Contest, Question

if TYPE_CHECKING:
    from edgekit.pipeline import Request

PRECISIONS = (Precision.FLOAT16, Precision.INT8_DYNAMIC)
"""What can be made without samples, besides float32, which is measured anyway."""


def explained(
    request: Request, product: Product, floats: Mapping[str, Path], folder: Path, report: Report, progress: Progress
) -> Report:
    """The report with an explanation for each artifact that is slower than its float file.

    ``product`` holds the float hub; ``floats`` are the float files by format; ``folder`` takes the files that are only timed.
    Nobody who may have no float operators is told of files with some. What goes wrong here costs nobody a file or a figure: it
    becomes a note.
    """
    slow = tuple(slower_than_float(report.entries))
    if not slow or request.device.integer_only:
        return report
    try:
        contests = tuple(_contest(request, product, entry, floats, folder, progress) for entry in slow)
        answers = isolation.run(
            "edgekit.slowdown_search:explain_here",
            _question(request, product, floats, contests),
            progress,
            stage="alternatives",
        ).value
    except EdgekitError as error:
        names = " and ".join(entry.name for entry in slow)
        return dataclasses.replace(
            report, notes=(*report.notes, f"{names}: slower here than float; the reason was not found: {error}")
        )
    passing = tuple(
        f"{entry.name} takes about as long as its float file: what it was slower at first was not there when measured again"
        for entry, answer in zip(slow, answers, strict=True)
        if answer is None
    )
    found = tuple(answer for answer in answers if answer is not None)
    return dataclasses.replace(report, slowdowns=found, notes=report.notes + passing)


def slower_than_float(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The artifacts whose time lies above that of their float file, intervals apart."""
    entries = tuple(entries)
    floats = {entry.format: entry.latency for entry in entries if entry.role is Role.FLOAT}
    for entry in entries:
        own, baseline = entry.latency, floats.get(entry.format)
        if entry.role is Role.ARTIFACT and own and baseline and own.p50_low_ms > baseline.p50_high_ms:
            yield entry


def _contest(
    request: Request, product: Product, entry: Entry, floats: Mapping[str, Path], folder: Path, progress: Progress
) -> Contest:
    file_format = entry.format
    assert file_format is not None
    assert entry.file is not None
    others: dict[str, Path] = {}
    for precision in PRECISIONS:
        if precision is not request.recipe.precision:
            recipe = _plain_recipe(request.recipe, precision)
            others |= _made(request, dataclasses.replace(product, recipe=recipe), file_format, folder, progress)
    precisions = (Precision.FLOAT32.value, *others)
    commands = {precision: _command(request, file_format, precision) for precision in precisions}
    return Contest(request.out / entry.file, floats[file_format], others, commands)


def _plain_recipe(recipe: Recipe, precision: Precision) -> Recipe:
    """The recipe's choices that outlive a change of precision."""
    return Recipe(precision, preprocess=recipe.preprocess, prefer=recipe.prefer, unroll_steps=recipe.unroll_steps)


def _made(request: Request, product: Product, file_format: str, folder: Path, progress: Progress) -> dict[str, Path]:
    """The file by its precision; nothing where the target or the format can't have it."""
    try:
        quantized = registry.stage("quantize")(product.hub, product.recipe, request.target, None, progress)
    except EdgekitError:
        return {}
    planned = dataclasses.replace(product, hub=quantized.hub, plan=quantized.plan)
    (outcome,) = produce(planned, (file_format,), folder, progress)
    return {product.recipe.precision.value: outcome.artifact.path} if outcome.artifact else {}


def _question(
    request: Request, product: Product, floats: Mapping[str, Path], contests: tuple[Contest, ...]
) -> Question:
    return Question(
        contests=contests,
        float_onnx=floats["onnx"],
        samples=request.evaluate or request.calibrate,
        labels=request.labels,
        preprocess=request.recipe.preprocess,
        input_shapes=dict(request.read.input_shapes),
        threads=request.threads,
        delegates=request.delegates,
        states=product.states,
        tokenizer=tokenizer_of(request.model),
    )


def _command(request: Request, file_format: str, precision: str) -> str:
    """The command line that makes and checks the file of that precision."""
    words = ["edgekit", "convert", str(request.model), "-o", str(request.out), "--to", file_format]
    words += ["--precision", precision, *_options({"--from": request.source, "--target": _target(request)})]
    words += [word for delegate in request.delegates for word in ("--delegate", str(delegate))]
    words += _options({"--prefer": request.recipe.prefer.value if request.recipe.prefer.value != "speed" else None})
    words += _reading(request.read)
    samples = request.evaluate or request.calibrate
    words += _pruning(request)
    words += _options({"--evaluate": samples, "--metric": request.metric, "--labels": request.labels})
    words += _preprocessing(request.recipe.preprocess) if samples else []
    return shlex.join(words)


def _pruning(request: Request) -> list[str]:
    """Pruning needs the samples whatever the precision."""
    pruning = request.recipe.prune
    if pruning is None or not pruning.option:
        return []
    return ["--prune", pruning.option, *_options({"--calibrate": request.calibrate})]


def _target(request: Request) -> str | None:
    return request.target.name if request.target.name != "cpu" else None


def _reading(read: ReadOptions) -> list[str]:
    words = []
    for name, shape in read.input_shapes.items():
        sizes = ",".join(str(size) for size in shape)
        words += ["--input-shape", f"{name}={sizes}" if name else sizes]
    words += _options({"--factory": read.factory, "--example": str(read.example) if read.example else None})
    return [*words, "--trust-source"] if read.trust_source else words


def _preprocessing(preprocess: Preprocess | None) -> list[str]:
    """The options that differ from the defaults."""
    if preprocess is None:
        return []
    plain = Preprocess()
    changed = {
        field.name: getattr(preprocess, field.name)
        for field in dataclasses.fields(preprocess)
        if getattr(preprocess, field.name) != getattr(plain, field.name)
    }
    return _options({f"--{name.replace('_', '-')}": _word(name, value) for name, value in changed.items()})


def _word(name: str, value: object) -> str:
    if isinstance(value, tuple):
        return ("x" if name == "resize" else ",").join(f"{number:g}" for number in value)
    return str(value)


def _options(values: Mapping[str, str | None]) -> list[str]:
    return [word for option, value in values.items() if value is not None for word in (option, value)]

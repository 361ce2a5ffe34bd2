"""The files that artifacts are measured beside: float and, for each stage before quantizing, float again; unpruned."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit import registry
from edgekit.errors import EdgekitError
from edgekit.production import Product, produce
from edgekit.protocols import Dataset, Progress
from edgekit.recipe import Effort, Precision
from edgekit.report import Role
from edgekit.verification import Checked

if TYPE_CHECKING:
    from edgekit.pipeline import Request


@dataclass(frozen=True, slots=True)
class Baselines:
    """``originals``: float files of the network as it was read; ``floats``: of the network that is quantized, the same unless it
    was pruned. ``checked``: those of the formats asked for, as the checks want them."""

    originals: Mapping[str, Path]
    floats: Mapping[str, Path]
    checked: tuple[Checked, ...]


@dataclass(frozen=True, slots=True)
class Stages:
    """The network as it was read, without what was pruned, and with zeros: the one before where a stage was not asked for."""

    original: Product
    pruned: Product
    sparse: Product


def baselines(request: Request, stages: Stages, samples: Dataset | None, folder: Path, progress: Progress) -> Baselines:
    """Write them into ``folder``: the formats asked for, and ONNX in any case. A format that fails is simply absent."""
    found = _dense(request, stages, samples, folder, progress)
    if not request.recipe.sparsifies or request.recipe.precision is Precision.FLOAT32:
        return found
    files = _float_files(request, stages.sparse, _made(folder / "sparse"), progress)
    zeros = _listed(request, files, Role.SPARSE, "sparse ")
    return dataclasses.replace(found, checked=(*found.checked, *zeros))


def _dense(request: Request, stages: Stages, samples: Dataset | None, folder: Path, progress: Progress) -> Baselines:
    originals = _float_files(request, stages.original, folder, progress)
    if request.recipe.prune is None:
        return Baselines(originals, originals, tuple(_listed(request, originals, Role.FLOAT, "")))
    floats = _float_files(request, stages.pruned, _made(folder / "pruned"), progress)
    unpruned = _unpruned(request, stages.original, samples, _made(folder / "unpruned"), progress)
    checked = (
        *_listed(request, originals, Role.FLOAT, ""),
        *unpruned,
        *_listed(request, floats, Role.PRUNED, "pruned "),
    )
    return Baselines(originals, floats, checked)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _float_files(request: Request, product: Product, folder: Path, progress: Progress) -> dict[str, Path]:
    recipe = dataclasses.replace(request.recipe, precision=Precision.FLOAT32, integer_only=False)
    plan = registry.stage("quantize")(product.hub, recipe, request.device, None, progress).plan
    baseline = dataclasses.replace(product, plan=plan, recipe=recipe)
    formats = tuple(dict.fromkeys((*request.formats, "onnx")))
    outcomes = produce(baseline, formats, folder, progress)
    return {outcome.file_format: outcome.artifact.path for outcome in outcomes if outcome.artifact}


def _listed(request: Request, files: Mapping[str, Path], role: Role, prefix: str) -> Iterator[Checked]:
    """The dense float file of each format asked for, unless that is what was asked for."""
    recipe = request.recipe
    same = recipe.precision is Precision.FLOAT32 and not recipe.sparsifies
    if same and (role is Role.PRUNED or recipe.prune is None):
        return
    for file_format in request.formats:
        if file_format in files:
            yield Checked(files[file_format], role, f"{prefix}float32 {file_format}", Precision.FLOAT32.value)


def _unpruned(
    request: Request, product: Product, samples: Dataset | None, folder: Path, progress: Progress
) -> tuple[Checked, ...]:
    """The precision asked for without pruning, by plain effort: as fast as with any other."""
    precision = request.recipe.precision
    if precision is Precision.FLOAT32:
        return ()
    recipe = dataclasses.replace(request.recipe, effort=Effort.PLAIN)
    try:
        quantized = registry.stage("quantize")(product.hub, recipe, request.device, samples, progress)
    except EdgekitError:
        return ()  # the same recipe made the artifact: what only the larger network can't have is no failure of that
    planned = dataclasses.replace(product, hub=quantized.hub, plan=quantized.plan, recipe=recipe)
    outcomes = produce(planned, request.formats, folder, progress)
    return tuple(
        Checked(o.artifact.path, Role.UNPRUNED, f"unpruned {precision.value} {o.file_format}", precision.value)
        for o in outcomes
        if o.artifact
    )

"""The stage between reading and quantizing that leaves weights out, and what the written files then hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit import registry
from edgekit.protocols import Dataset, Progress
from edgekit.recipe import Recipe
from edgekit.report import Report
from edgekit.sparsity import SparsityFacts
from edgekit.sparsity_text import gain_text
from edgekit.target import Target


def sparsified(
    hub: Any, recipe: Recipe, target: Target, samples: Dataset | None, progress: Progress
) -> tuple[Any, SparsityFacts]:
    """The hub with the recipe's zeros, and what each matrix got. Raises as the stage does."""
    made = registry.stage("sparsify")(hub, recipe, target, samples, progress)
    return made.hub, SparsityFacts(recipe.sparsify or "by rules", made.matrices)


def with_zeros(report: Report, facts: SparsityFacts, files: Sequence[Path]) -> Report:
    """The report with the zeros counted in the files, and what they are good for in plain words."""
    facts = replace(facts, files=tuple(registry.stage("zeros_in")(path) for path in files))
    return replace(report, sparsity=facts, notes=(*report.notes, gain_text(facts)))

"""`Report`: every measured figure with its limit and verdict. JSON first; text and HTML are drawn from the same values."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgekit.artifact import State, TensorSpec
from edgekit.figures import Agreement, Estimate, LatencyFigures, MetricKind, PlacementSummary, PruneFigures
from edgekit.json_text import json_text, plain
from edgekit.slowdown import Slowdown
from edgekit.sparsity import SparsityFacts
from edgekit.table import Table

SCHEMA = "edgekit.report/1"


class Role(enum.Enum):
    """What an entry of the report is."""

    ORIGINAL = "original"
    """The source model, by its own framework."""
    FLOAT = "float"
    """The float model that everything was made from."""
    UNPRUNED = "unpruned"
    """In the artifact's precision, quantized with plain effort, but nothing removed: what pruning is measured against."""
    PRUNED = "pruned"
    """The float model after pruning."""
    SPARSE = "sparse"
    """The float model with the zeros that were asked for among its weights."""
    ARTIFACT = "artifact"


@dataclass(frozen=True, slots=True)
class Entry:
    """One model that was measured. ``drop_points`` and ``agreement`` are against the reference."""

    name: str
    role: Role
    file: str | None = None
    format: str | None = None
    precision: str | None = None
    runtime: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    accuracy: float | None = None
    drop_points: float | None = None
    agreement: Agreement | None = None
    latency: LatencyFigures | None = None
    placement: PlacementSummary | None = None
    estimate: Estimate | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """A budget and what was found. ``found`` None (not measured) or not a number breaks the limit."""

    name: str
    """What is limited: "drop", "latency", "size", "memory", "sqnr"."""
    entry: str
    limit: float
    found: float | None
    unit: str
    at_least: bool = False
    """True where the figure must not fall below the limit."""

    @property
    def passed(self) -> bool:
        if self.found is None or math.isnan(self.found):
            return False
        return self.found >= self.limit if self.at_least else self.found <= self.limit


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the work. ``peak_memory_bytes``: of the process that did it, where it was measured."""

    name: str
    seconds: float
    peak_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A stage that failed while others went on: a format that could not be written, a check that could not be made."""

    stage: str
    message: str


@dataclass(frozen=True, slots=True)
class FloatNode:
    """A node that computes in float although int8 was asked for."""

    node: str
    op: str
    reason: str


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The source model."""

    path: str
    framework: str
    sha256: str = ""
    parameters: int | None = None
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    states: tuple[State, ...] = ()
    """What is carried from call to call."""


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """Samples that were used: the location as the user wrote it, and how many."""

    location: str
    count: int


@dataclass(frozen=True, slots=True)
class Twins:
    """The int8 artifacts of both formats compared with one another."""

    one: str
    other: str
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class Report:
    """What `edgekit convert` and `edgekit check` answer with. ``settings``: precision, effort, target and the like, as text.

    ``reference`` says in words what the accuracy and agreement are measured against; ``reference_is_original`` whether that
    was the source's own framework. JSON schema: docs/json.md.
    """

    model: ModelFacts
    settings: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""
    reference_is_original: bool = False
    calibration: SampleFacts | None = None
    evaluation: SampleFacts | None = None
    metric: MetricKind | None = None
    entries: tuple[Entry, ...] = ()
    twins: Twins | None = None
    sparsity: SparsityFacts | None = None
    slowdowns: tuple[Slowdown, ...] = ()
    float_nodes: tuple[FloatNode, ...] = ()
    pruning: PruneFigures | None = None
    limits: tuple[Limit, ...] = ()
    failures: tuple[Failure, ...] = ()
    stages: tuple[Stage, ...] = ()
    conditions: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0: made and within every limit. 1: a limit is broken or a stage failed."""
        return 0 if self.passed else 1

    @property
    def passed(self) -> bool:
        return not self.failures and all(limit.passed for limit in self.limits)

    @property
    def verdict(self) -> str:
        """One sentence: what came out, and what is wrong if anything is."""
        broken = [f"{limit.name} of {limit.entry}" for limit in self.limits if not limit.passed]
        problems = [f"{failure.stage} failed" for failure in self.failures]
        if broken:
            problems.append(f"limit broken: {', '.join(broken)}")
        if problems:
            return "NOT OK: " + "; ".join(problems)
        files = sum(entry.role is Role.ARTIFACT for entry in self.entries)
        within = f", within {_counted(len(self.limits), 'limit')}" if self.limits else ""
        return f"OK: {_counted(files, 'file')}{within}"

    def entry_passed(self, name: str) -> bool | None:
        """Whether an entry is within all limits set for it; None where there is none."""
        own = [limit.passed for limit in self.limits if limit.entry == name]
        return all(own) if own else None

    def with_limits(self, *limits: Limit) -> Report:
        return replace(self, limits=self.limits + limits)

    def to_json(self) -> str:
        document = {"schema": SCHEMA, "verdict": self.verdict, "passed": self.passed, "exit_code": self.exit_code}
        document |= plain(self)
        document["limits"] = [plain(limit) | {"passed": limit.passed} for limit in self.limits]
        return json_text(document)

    def sections(self) -> Sequence[Table | str]:
        """The report for people: tables and lines, the verdict last."""
        from edgekit.report_text import sections

        return sections(self)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"

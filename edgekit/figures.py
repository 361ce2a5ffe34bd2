"""What was measured, as values: the figures that stages hand to the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.protocols import Placement


@dataclass(frozen=True, slots=True)
class MetricKind:
    """What a task metric's figure means. ``points_per_unit``: 100 for rates (1 point = .01); None where the loss is told
    as a percentage of the original's own figure (errors without a natural scale)."""

    name: str
    higher_is_better: bool = True
    points_per_unit: float | None = 100.0

    @property
    def compares_numbers(self) -> bool:
        """Whether it measures how near numbers are, not what is decided by them."""
        return self.points_per_unit is None or self.name in ("cosine", "anomaly-auc")

    def drop_points(self, original: float, found: float) -> float:
        """How much worse ``found`` is, in points; negative when it is better."""
        loss = original - found if self.higher_is_better else found - original
        if self.points_per_unit is not None:
            return loss * self.points_per_unit
        if loss == 0:
            return 0.0
        return 100.0 * loss / abs(original) if original else float("inf")


@dataclass(frozen=True, slots=True)
class OutputAgreement:
    """Agreement of one output with the reference's.

    ``sqnr_db``: signal to quantization noise, 10 log10(sum x^2 / sum (x - y)^2). ``cosine``: mean over the samples.
    ``equal_decisions``: share of positions with the same argmax over the last axis; None where that decides nothing
    (`edgekit.decisions`).
    ``equal_values``: share of equal numbers, up to the last bits of float32 (1e-5 of the value); where both outputs have one
    integer encoding that is the share of equal integers.
    ``non_finite``: count of NaN and infinite values among the outputs compared; the other figures leave these out.
    """

    name: str
    sqnr_db: float
    cosine: float
    largest_error: float
    equal_decisions: float | None
    equal_values: float
    non_finite: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement over all outputs. ``equal_samples``: share of samples equal in every output."""

    samples: int
    sqnr_db: float
    cosine: float
    largest_error: float
    equal_decisions: float | None
    equal_values: float
    equal_samples: float
    non_finite: int
    outputs: tuple[OutputAgreement, ...]


@dataclass(frozen=True, slots=True)
class LatencyFigures:
    """Time of one call in milliseconds. ``p50_low_ms`` and ``p50_high_ms`` bound the p50 with ``confidence``, the p90 likewise.

    ``load_ms``: opening the file, apart. ``peak_memory_bytes``: of a process that does nothing else.
    """

    p50_ms: float
    p50_low_ms: float
    p50_high_ms: float
    p90_ms: float
    p90_low_ms: float
    p90_high_ms: float
    runs: int
    threads: int
    confidence: float = 0.95
    steady: bool = True
    load_ms: float | None = None
    peak_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class OpEstimate:
    """``bound``: what takes longest: "arithmetic", "memory" (inputs and outputs) or "weights"."""

    name: str
    op: str
    ms: float
    bound: str
    macs: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a roofline says of a file on a device: no measurement. ``bounds``: milliseconds by what they are spent on. ``ops``:
    the dearest first. ``error``: the estimate over what was measured on the device, less 1; None where nothing was."""

    target: str
    ms: float
    threads: int
    bounds: Mapping[str, float]
    ops: tuple[OpEstimate, ...] = ()
    error: float | None = None


MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Fallback:
    """Ops of one kind that were left to ``device`` for one reason. ``macs``: their multiply-accumulates; None: not known.

    ``names``: of at most `MOST_NAMES` of them.
    """

    op: str
    kernel: str
    device: str
    count: int
    macs: int | None
    why: str
    suggestion: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fallbacks:
    """How much of a file ``delegates`` took, and what they left. The heaviest and then the most frequent kinds come first.

    ``macs`` and ``macs_left``: multiply-accumulates of one sample, None where they can't be counted here. What is not found
    under the name of any op counts as left, unless no op was.
    """

    delegates: tuple[str, ...]
    ops: int
    ops_left: int
    macs: int | None
    macs_left: int | None
    kinds: tuple[Fallback, ...] = ()

    @property
    def share_left(self) -> float | None:
        """Part of the multiply-accumulates that was left, 0 to 1; of the ops in a file that has none of the former."""
        if self.macs is None or self.macs_left is None:
            return None
        if self.macs == 0:
            return self.ops_left / self.ops if self.ops else 0.0
        return self.macs_left / self.macs


@dataclass(frozen=True, slots=True)
class PlacementSummary:
    """How many ops of the runtime's own graph run where. ``float_ops``: counts by op of those that compute in float.

    ``fallbacks``: what delegates left to the CPU; None where there is none. ``arena_bytes``: as in `Placement`.
    """

    ops: int
    integer_ops: int
    partitions: int
    devices: Mapping[str, int] = field(default_factory=dict)
    float_ops: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    fallbacks: Fallbacks | None = None
    arena_bytes: int | None = None

    @staticmethod
    def of(placement: Placement, fallbacks: Fallbacks | None = None) -> PlacementSummary:
        return PlacementSummary(
            ops=len(placement.ops),
            integer_ops=sum(op.integer for op in placement.ops),
            partitions=placement.partitions,
            devices=_counts([op.device for op in placement.ops]),
            float_ops=_counts([op.op for op in placement.ops if not op.integer]),
            notes=placement.notes,
            fallbacks=fallbacks,
            arena_bytes=placement.arena_bytes,
        )


def _counts(names: list[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}


@dataclass(frozen=True, slots=True)
class PruneStep:
    """A state on the way: multiply-accumulates left (a part of all), and what it costs on samples that no weight was fitted to.

    ``drop_points``: samples (of 100) whose decision changes; with labels, by which fewer are right; None where nothing is
    decided and no labels tell. ``margin_points``: the standard error of that; 0 where it was not asked for. ``repaired``: with
    the weights refitted as those of the files are, others by a quicker estimate that is usually worse.
    """

    macs_left: float
    sqnr_db: float
    drop_points: float | None
    margin_points: float = 0.0
    repaired: bool = False

    def cost(self, judged_by: str) -> str:
        """In words; ``judged_by``: the name of the metric, if labels tell. Empty where nothing is decided."""
        if self.drop_points is None:
            return ""
        repaired = ", repaired" if self.repaired else ""
        if judged_by:
            return f"{self.drop_points:.1f} (+-{self.margin_points:.1f}) points of {judged_by} lost{repaired}"
        margin = f" (+-{self.margin_points:.1f})" if self.margin_points else ""
        return f"{self.drop_points:.1f}{margin} of 100 decisions changed{repaired}"


@dataclass(frozen=True, slots=True)
class PrunableLayer:
    """Units of a layer, or of the layers ``together`` that must stay equally wide; ``most``: so many may go by the rules."""

    name: str
    units: int
    most: int
    together: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrunableBlock:
    """A residual branch that can go as a whole; ``layers`` are those with weights."""

    name: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prunable:
    """What pruning could take from. ``protected``: layers that keep all they have, and why. ``blocks``: what rules can remove."""

    layers: tuple[PrunableLayer, ...]
    protected: tuple[str, ...]
    blocks: tuple[PrunableBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class PrunedLayer:
    """Units of a layer, or of layers that must stay equally wide, before and after."""

    name: str
    units: int
    left: int


@dataclass(frozen=True, slots=True)
class PrunedBlock:
    """A residual branch that went as a whole. ``macs``: its part of the multiply-accumulates; ``sqnr_db``: of the outputs when it
    alone is gone. ``by_rule``: a rule named it; otherwise it cost least for what it saved.
    """

    name: str
    layers: tuple[str, ...]
    macs: float
    sqnr_db: float
    by_rule: bool


@dataclass(frozen=True, slots=True)
class PruneFigures:
    """What pruning did. ``macs`` and ``parameters``: (before, after). ``samples``: those fitted to and those held out.

    ``found``: the state that was taken, ``steps`` all states up to it and some beyond. ``stopped``: why the goal was not reached,
    "" where it was. ``judged_by``: the metric of ``drop_points``; "" where they are decisions that changed, or there are none.
    ``crossed``: with a limit, samples are fitted to and judged in turn, by weights that were fitted to the others. ``channels``:
    in which counts they went (`Channels`).
    """

    goal: str
    macs: tuple[int, int]
    parameters: tuple[int, int]
    samples: tuple[int, int]
    found: PruneStep
    steps: tuple[PruneStep, ...] = ()
    layers: tuple[PrunedLayer, ...] = ()
    blocks: tuple[PrunedBlock, ...] = ()
    protected: tuple[str, ...] = ()
    stopped: str = ""
    judged_by: str = ""
    crossed: bool = False
    channels: str = "fast"

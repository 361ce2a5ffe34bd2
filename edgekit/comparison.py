"""Is a difference between two runs of `edgekit bench` real? Decided from the spread of their processes.

Two runs of one file differ, since the machine drifts and memory lies elsewhere. A difference counts as real where the interval
of the ratio, widened by that drift (`edgekit.repeats`), does not hold 1.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bench_document import read_document
from edgekit.errors import MeasurementError
from edgekit.quantiles import Quantile
from edgekit.repeats import difference, spread
from edgekit.workload import more_than_a_sample


class Verdict(enum.Enum):
    """What the times of two runs say."""

    SLOWER = "slower"
    FASTER = "faster"
    SAME = "no difference"


@dataclass(frozen=True, slots=True)
class Difference:
    """One file in two runs. ``ratio``: new over old. ``regression``: slower for certain, and by more than the limit.

    ``undecided``: a regression of more than the limit can't be ruled out, nor is it certain.
    """

    what: str
    old_ns: float
    new_ns: float
    ratio: Quantile
    verdict: Verdict
    regression: bool
    undecided: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """All files that both runs hold. ``remarks``: what makes the two runs hard to compare."""

    differences: tuple[Difference, ...]
    confidence: float
    limit: float | None
    remarks: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return 1 if any(one.regression for one in self.differences) else 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A result as its JSON document holds it. ``repeats_ns``: the p50 of each process."""

    what: str
    p50_ns: float
    repeats_ns: tuple[float, ...]


def read_results(path: Path) -> tuple[dict[str, Recorded], Mapping[str, Any]]:
    """The results by what was timed, and the whole document. Raises UsageError for another kind of file."""
    document = read_document(path)
    return {one.what: one for one in map(_recorded, document["results"])}, document


def compare(old: Path, new: Path, *, confidence: float = 0.95, limit: float | None = None) -> Comparison:
    """What changed from ``old`` to ``new``; ``limit`` is the largest slowdown allowed, as a fraction.

    Raises UsageError for other files, and MeasurementError where nothing is in both, or was measured too briefly.
    """
    (before, old_document), (after, new_document) = read_results(old), read_results(new)
    shared = [what for what in before if what in after]
    if not shared:
        raise MeasurementError(
            f"{old} and {new} have no result in common: {', '.join(before)} there, {', '.join(after)} here. "
            "Results are matched by file name, runtime, threads, streams and batch"
        )
    found = tuple(judge(before[what], after[what], confidence=confidence, limit=limit) for what in shared)
    return Comparison(found, confidence, limit, tuple(_remarks(old_document, new_document, before, after)))


def judge(old: Recorded, new: Recorded, *, confidence: float, limit: float | None) -> Difference:
    """Whether the times of one file differ. Raises MeasurementError where a run has no repetitions."""
    ratio = difference(spread(old.repeats_ns), spread(new.repeats_ns), new.p50_ns / old.p50_ns, confidence)
    verdict = Verdict.SLOWER if ratio.low > 1 else Verdict.FASTER if ratio.high < 1 else Verdict.SAME
    regression = limit is not None and verdict is Verdict.SLOWER and ratio.value > 1 + limit
    undecided = limit is not None and not regression and ratio.high > 1 + limit
    return Difference(old.what, old.p50_ns, new.p50_ns, ratio, verdict, regression, undecided)


def _recorded(result: Mapping[str, Any]) -> Recorded:
    latency = result["latency"]
    if not (repeats := latency.get("repeats_ns")):
        raise MeasurementError(f"{result['file']}: the document has no repeats_ns; run edgekit bench --json again")
    parts = [Path(result["file"]).name, result["runtime"], f"threads {result['threads']}", *result.get("delegates", ())]
    parts += more_than_a_sample(result.get("streams", 1), result.get("samples", 1))
    return Recorded(", ".join(parts), float(latency["p50_ns"]["value"]), tuple(map(float, repeats)))


def _remarks(
    old: Mapping[str, Any], new: Mapping[str, Any], before: Mapping[str, Recorded], after: Mapping[str, Recorded]
) -> Sequence[str]:
    remarks = [
        f"{entry}: {old['before'].get(entry)} then, {new['before'].get(entry)} now"
        for entry in ("processor", "machine", "cores", "governor")
        if old["before"].get(entry) != new["before"].get(entry)
    ]
    if old.get("device", "") != new.get("device", ""):
        remarks.append(f"device: {old.get('device') or 'this machine'} then, {new.get('device') or 'this machine'} now")
    remarks += [f"only in one run: {what}" for what in sorted(set(before) ^ set(after))]
    remarks += [
        f"{run}: measured in one process, which says nothing of how processes differ"
        for run, document in (("then", old), ("now", new))
        if any(result["latency"].get("processes", 1) == 1 for result in document["results"])
    ]
    remarks += [
        f"{run}: other work took {100 * share:.0f} % of the processor"
        for run, share in (("then", old.get("elsewhere")), ("now", new.get("elsewhere")))
        if share is not None and share > BUSY
    ]
    return remarks


BUSY = 0.1
"""Share of the processor's time that others took, above which it is worth telling."""

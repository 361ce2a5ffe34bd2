"""A `Report` as tables and lines that a person reads in ten seconds."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.fallback_text import fallback_lines
from edgekit.figures import Estimate, PlacementSummary
from edgekit.prune_text import prune_lines
from edgekit.quantities import (
    decibel_text,
    duration_text,
    metric_text,
    points_text,
    quantity_text,
    share_text,
    size_text,
)
from edgekit.report import Entry, Limit, Report, Role
from edgekit.slowdown_text import slowdown_lines
from edgekit.sparsity_text import sparsity_lines
from edgekit.stage_shares import share_lines
from edgekit.table import Table, table

MOST_FLOAT_NODES = 8


def sections(report: Report) -> Sequence[Table | str]:
    """Head, one row a model, what stayed float, limits, notes; the verdict is the last line."""
    parts: list[Table | str] = [*_head(report), "", _entries(report), ""]
    parts += share_lines(report)
    parts += prune_lines(report)
    parts += _twins(report)
    parts += sparsity_lines(report.sparsity, _peak_memory(report)) if report.sparsity else []
    artifacts = [entry for entry in report.entries if entry.role is Role.ARTIFACT]
    parts += [line for entry in artifacts if entry.placement for line in placement_lines(entry.name, entry.placement)]
    parts += [estimate_line(entry.name, entry.estimate) for entry in artifacts if entry.estimate]
    parts += [line for slowdown in report.slowdowns for line in slowdown_lines(slowdown)]
    parts += _float_nodes(report)
    parts += [limit_line(limit) for limit in report.limits]
    parts += [f"failed: {failure.stage}: {failure.message}" for failure in report.failures]
    parts += [f"note: {note}" for note in report.notes]
    parts += [f"note: {entry.name}: {note}" for entry in report.entries for note in entry.notes]
    return [*parts, report.verdict]


def _peak_memory(report: Report) -> dict[str, int]:
    """By the name of the entry."""
    latencies = ((entry.name, entry.latency) for entry in report.entries)
    return {name: found.peak_memory_bytes for name, found in latencies if found and found.peak_memory_bytes is not None}


def _head(report: Report) -> list[str]:
    settings = ", ".join(f"{name} {value}" for name, value in report.settings.items())
    lines = [f"{report.model.path} ({report.model.framework})" + (f": {settings}" if settings else "")]
    if report.model.states:
        lines.append(f"carried from call to call: {', '.join(map(str, report.model.states))}")
    if report.reference:
        lines.append(f"compared with {report.reference}")
    if report.calibration:
        lines.append(f"calibrated on {report.calibration.count} samples of {report.calibration.location}")
    if report.evaluation:
        lines.append(f"checked on {report.evaluation.count} samples of {report.evaluation.location}")
    return lines


def _entries(report: Report) -> Table:
    """Columns that hold nothing at all are left out."""
    metric = report.metric.name if report.metric else "metric"
    names = ("model", "runtime", ">size", f">{metric}", ">drop", ">SQNR", ">same top", ">p50", ">p90", "limits")
    rows = [_row(report, entry) for entry in report.entries]
    used = [n for n in range(len(names)) if n == 0 or any(row[n] != "-" for row in rows)]
    return table(",".join(names[n] for n in used), [tuple(row[n] for n in used) for row in rows])


def _row(report: Report, entry: Entry) -> tuple[str, ...]:
    agreement, latency = entry.agreement, entry.latency
    passed = report.entry_passed(entry.name)
    return (
        entry.name,
        entry.runtime or "-",
        size_text(entry.size_bytes),
        metric_text(entry.accuracy, report.metric),
        points_text(entry.drop_points),
        decibel_text(agreement.sqnr_db if agreement else None),
        share_text(agreement.equal_decisions if agreement else None),
        duration_text(latency.p50_ms if latency else None),
        duration_text(latency.p90_ms if latency else None),
        "-" if passed is None else "kept" if passed else "BROKEN",
    )


def _twins(report: Report) -> list[str]:
    if report.twins is None:
        return []
    agreement = report.twins.agreement
    decisions = f", same top {share_text(agreement.equal_decisions)}" if agreement.equal_decisions is not None else ""
    return [
        f"{report.twins.one} and {report.twins.other} to one another: {decibel_text(agreement.sqnr_db)}{decisions}, "
        f"{share_text(agreement.equal_values)} of the values and {share_text(agreement.equal_samples)} of the samples equal"
    ]


def placement_lines(name: str, placement: PlacementSummary) -> list[str]:
    """Where the artifact's ops run and what they compute on, in one line; one more for each kind that a delegate left."""
    devices = ", ".join(f"{count} on {device}" for device, count in placement.devices.items())
    parts = f" in {placement.partitions} partition{'s' * (placement.partitions != 1)}" if placement.partitions else ""
    floats = ", ".join(f"{count} {op}" for op, count in placement.float_ops.items())
    line = f"{name}: {devices}{parts}; {placement.integer_ops} of {placement.ops} ops compute on integers" + (
        f", in float: {floats}" if floats and placement.integer_ops else ""
    )
    arena = [f"{name}: needs an arena of {size_text(placement.arena_bytes)}"] if placement.arena_bytes else []
    notes = [f"{name}: {note}" for note in placement.notes]
    return [line, *arena, *notes, *(fallback_lines(placement.fallbacks) if placement.fallbacks else ())]


def estimate_line(name: str, estimate: Estimate) -> str:
    """What the target's figures promise at best, and how far that is from what was measured there."""
    bounds = ", ".join(f"{duration_text(ms)} by {bound}" for bound, ms in estimate.bounds.items())
    error = f"; {error_text(estimate.error)} what was measured there" if estimate.error is not None else ""
    threads = f"{estimate.threads} thread{'s' * (estimate.threads != 1)}"
    return (
        f"{name}: an estimate, not measured: at best {duration_text(estimate.ms)} on {estimate.target} with {threads} "
        f"(bound: {bounds}){error}"
    )


def error_text(error: float) -> str:
    return f"{abs(100 * error):.0f} % {'below' if error < 0 else 'above'}"


def _float_nodes(report: Report) -> list[str]:
    nodes = report.float_nodes
    lines = [f"stayed float: {node.node} ({node.op}): {node.reason}" for node in nodes[:MOST_FLOAT_NODES]]
    if len(nodes) > MOST_FLOAT_NODES:
        lines.append(f"stayed float: {len(nodes) - MOST_FLOAT_NODES} more; --json lists all")
    return lines


def limit_line(limit: Limit) -> str:
    """The verdict on one limit, with what was found."""
    word = "kept" if limit.passed else "BROKEN"
    bound = "at least" if limit.at_least else "at most"
    return (
        f"limit {word}: {limit.name} of {limit.entry} is {quantity_text(limit.found, limit.unit)}, "
        f"{bound} {quantity_text(limit.limit, limit.unit)}"
    )

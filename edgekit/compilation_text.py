"""A `CompileReport` as tables and lines."""

from __future__ import annotations

from edgekit.compilation import Compiled, CompiledOp, CompileReport, CompilerFigure
from edgekit.fallback_text import fallback_lines
from edgekit.quantities import duration_text, size_text
from edgekit.report_text import limit_line
from edgekit.table import Table, table

MOST_COSTS = 8


def sections(report: CompileReport) -> list[Table | str]:
    """The file, the compiler's estimates, the dearest ops, what was left to the CPU, limits and notes."""
    compiled = report.compiled
    head = f"{compiled.file}: {size_text(report.size_bytes)}, by {report.compiler} {compiled.version} for {compiled.accelerator}"
    parts: list[Table | str] = [head, ""]
    if compiled.figures:
        rows = [(figure.name, figure_text(figure)) for figure in compiled.figures]
        parts += [table("estimate of the compiler,>value", rows), ""]
    if dearest := _dearest(compiled):
        parts += [dearest, ""]
    parts.append(_taken(report))
    parts += fallback_lines(report.fallbacks)
    parts += [limit_line(limit) for limit in report.limits]
    return [*parts, *(f"note: {note}" for note in compiled.notes)]


def figure_text(figure: CompilerFigure) -> str:
    if figure.unit == "bytes":
        return size_text(figure.value)
    if figure.unit == "ms":
        return duration_text(figure.value)
    if figure.unit == "%":
        return f"{figure.value:.1f} %"
    return f"{figure.value:,.0f}"


def _dearest(compiled: Compiled) -> Table | None:
    """The ops that take the most cycles."""
    total = sum(cost.cycles or 0 for cost in compiled.costs)
    costs = sorted((cost for cost in compiled.costs if cost.cycles), key=lambda cost: -(cost.cycles or 0))[:MOST_COSTS]
    if not costs:
        return None
    return table("op,name,>cycles,>share,>multipliers busy", [_cost_row(cost, total) for cost in costs])


def _cost_row(cost: CompiledOp, total: int) -> tuple[str, ...]:
    busy = "-" if cost.utilization is None else f"{100 * cost.utilization:.0f} %"
    cycles = cost.cycles or 0
    name = cost.name if len(cost.name) <= 48 else f"...{cost.name[-45:]}"
    return cost.op, name, f"{cycles:,}", f"{100 * cycles / total:.1f} %", busy


def _taken(report: CompileReport) -> str:
    left = report.fallbacks
    return f"{left.ops - left.ops_left} of {left.ops} ops of {report.source.name} are on the {report.compiled.device}"

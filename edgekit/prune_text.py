"""What pruning did, in lines for the report."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.figures import LatencyFigures, PruneFigures, PruneStep
from edgekit.report import Report, Role

MOST_STEPS = 5


def prune_lines(report: Report) -> list[str]:
    """What went and what that gains in time, the way to the state that was taken, and what the next cut would cost."""
    figures = report.pruning
    if figures is None:
        return []
    return [*_removed(figures), *_speed(report), *_course(figures)]


def _removed(figures: PruneFigures) -> Iterator[str]:
    (macs, macs_left), (parameters, parameters_left) = figures.macs, figures.parameters
    yield (
        f"pruned for {figures.goal}: multiply-accumulates {_change(macs, macs_left)}, parameters "
        f"{_change(parameters, parameters_left)}; {len(figures.layers)} layers are narrower, {len(figures.protected)} can't be"
    )
    if figures.stopped:
        yield f"pruning stopped before its goal: {figures.stopped}"


def _change(before: int, after: int) -> str:
    return f"{before / 1e6:.2f} -> {after / 1e6:.2f} M ({after / max(1, before) - 1:+.1%})"


def _speed(report: Report) -> Iterator[str]:
    """What pruning gains in time, in float and in the artifact's precision."""
    for after, before in ((Role.PRUNED, Role.FLOAT), (Role.ARTIFACT, Role.UNPRUNED)):
        known = {entry.format: entry for entry in report.entries if entry.role is before}
        for entry in report.entries:
            other = known.get(entry.format)
            if entry.role is after and other is not None and entry.latency and other.latency:
                yield (
                    f"{entry.name} takes {entry.latency.p50_ms / other.latency.p50_ms:.1%} of the time of {other.name}"
                    f"{_warning(entry.latency, other.latency)}"
                )


def _warning(pruned: LatencyFigures, whole: LatencyFigures) -> str:
    """Where to look when a file gained nothing, or lost; and that this was not the machine to tell."""
    if pruned.p50_high_ms < whole.p50_low_ms:
        return ""
    if pruned.p50_ms < whole.p50_ms:
        return ", as far as the timing can tell: the intervals overlap"
    return ": no gain in this runtime; which channel counts its kernels are fast with: docs/pruning.md"


def _course(figures: PruneFigures) -> Iterator[str]:
    fitted, held = figures.samples
    taken = figures.steps.index(figures.found) if figures.found in figures.steps else len(figures.steps) - 1
    way = figures.steps[1 : taken + 1]
    places = sorted({len(way) * part // MOST_STEPS - 1 for part in range(1, MOST_STEPS + 1)} - {-1})
    yield f"on the way ({held} samples held out of {fitted + held}): " + "; ".join(
        _told(way[place]) for place in places
    )
    for step in figures.steps[taken + 1 :]:
        yield f"the next cut would lead to {_told(step)}"


def _told(step: PruneStep) -> str:
    return f"{step.macs_left:.0%} left {step.sqnr_db:.1f} dB, {step.drop_points:.1f} of 100 decisions changed"

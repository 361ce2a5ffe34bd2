"""What pruning did, in lines for the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.figures import LatencyFigures, Prunable, PrunedBlock, PruneFigures, PruneStep
from edgekit.pruning import Channels
from edgekit.report import Report, Role

MOST_STEPS = 5

MOST_LAYERS = 10

FEW_CHANNELS, LITTLE_DB = 64, 10.0
"""In layers of so many channels at most whole blocks of them are large parts; a signal that is worth more trouble."""


def prune_lines(report: Report) -> list[str]:
    """What went and what that gains in time, the way to the state that was taken, and what further cuts would cost."""
    figures = report.pruning
    if figures is None:
        return []
    return [*removed(figures), *_finer(report, figures), *_speed(report), *_course(figures)]


def removed(figures: PruneFigures) -> Iterator[str]:
    """What went, and why not all that was asked for."""
    (macs, macs_left), (parameters, parameters_left) = figures.macs, figures.parameters
    yield (
        f"pruned for {figures.goal}: multiply-accumulates {_change(macs, macs_left)}, parameters "
        f"{_change(parameters, parameters_left)}"
    )
    if figures.layers:
        yield f"narrower: {_listed([f'{layer.name} {layer.units} -> {layer.left}' for layer in figures.layers], ', ')}"
    if figures.blocks:
        yield f"blocks removed: {', '.join(map(_block, figures.blocks))}"
    if figures.protected:
        yield f"can't be narrower: {_listed(figures.protected, '; ')}"
    if figures.stopped:
        yield f"pruning stopped before its goal: {figures.stopped}"


def _listed(each: Sequence[str], between: str) -> str:
    more = f"{between}and {len(each) - MOST_LAYERS} more (--json lists all)" if len(each) > MOST_LAYERS else ""
    return between.join(each[:MOST_LAYERS]) + more


def _block(block: PrunedBlock) -> str:
    why = "by a rule" if block.by_rule else "for what it saves"
    return f"{block.name} ({why}; {block.macs:.1%} of the multiply-accumulates, {block.sqnr_db:.1f} dB when it alone is gone)"


def _change(before: int, after: int) -> str:
    unit, word = next((pair for pair in _UNITS if before >= pair[0]), _UNITS[-1])
    return f"{before / unit:.3g} -> {after / unit:.3g} {word} ({after / max(1, before) - 1:+.1%})"


_UNITS = (1e9, "G"), (1e6, "M"), (1e3, "k")


def prunable_lines(found: Prunable) -> Iterator[str]:
    """For a dry run: every layer, since these are the names that rules are written with."""
    yield (
        "channels, units or heads can go from (names for [[prune.rules]]):"
        if found.layers
        else "no channels, units or heads can go:"
    )
    for layer in found.layers:
        rest = "" if layer.most == layer.units else f", of which the rules let {layer.most} go"
        others = [name for name in layer.together if name != layer.name]
        together = f", together with {', '.join(others)}" if others else ""
        yield f"  {layer.name}: {layer.units}{rest}{together}"
    yield from (f"  all stay: {reason}" for reason in found.protected)
    yield from (f"  can be removed as a whole: {block.name} ({', '.join(block.layers)})" for block in found.blocks)


def _finer(report: Report, figures: PruneFigures) -> Iterator[str]:
    """Where layers are small and much was lost, finer counts of channels are worth a try."""
    signals = [entry.agreement.sqnr_db for entry in report.entries if entry.role is Role.PRUNED and entry.agreement]
    small = all(layer.units <= FEW_CHANNELS for layer in figures.layers)
    if (
        figures.channels == Channels.FAST.value
        and figures.layers
        and small
        and min(signals, default=LITTLE_DB) < LITTLE_DB
    ):
        yield (
            'small layers lost whole blocks of channels, which costs much: channels = "any" in a recipe\'s [prune] takes finer '
            'parts, at the price of speed in some runtimes (docs/pruning.md, "Channel counts")'
        )


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
    yield f"{judged(figures)}:"
    for row in course(figures):
        step = row.step
        cost, mark = step.cost(figures.judged_by), f" ({row.mark})" if row.mark else ""
        yield f"  {step.macs_left:4.0%} left  {step.sqnr_db:5.1f} dB{f'  {cost}' if cost else ''}{mark}"


def judged(figures: PruneFigures) -> str:
    """What the costs of cuts were found on."""
    fitted, held = figures.samples
    by = "by their labels" if figures.judged_by else "without labels: by decisions that change"
    if figures.found.drop_points is None:
        by = "by the signal: its outputs decide nothing"
    if figures.crossed:
        return f"what cuts cost on {held} samples, each judged by weights that were fitted to others, {by}"
    return f"what cuts cost on {held} of {fitted + held} samples, which no weight was fitted to, {by}"


@dataclass(frozen=True, slots=True)
class Row:
    """A state; ``mark``: "taken", "further" beyond it, "" before."""

    step: PruneStep
    mark: str


def course(figures: PruneFigures) -> tuple[Row, ...]:
    """A few states up to the one that was taken, that one, and a few of those that were tried beyond."""
    taken = figures.steps.index(figures.found) if figures.found in figures.steps else len(figures.steps) - 1
    before, beyond = figures.steps[1:taken], figures.steps[taken + 1 :]
    return (
        *(Row(before[place], "") for place in _spread(len(before))),
        Row(figures.steps[taken], "taken"),
        *(Row(beyond[place], "further") for place in _spread(len(beyond))),
    )


def _spread(count: int) -> list[int]:
    return sorted({count * part // MOST_STEPS for part in range(MOST_STEPS)} if count else ())

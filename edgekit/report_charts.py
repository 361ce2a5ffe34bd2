"""Bar charts as inline SVG; colours and fonts come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

ROW = 30
LABEL_WIDTH = 200
BAR_WIDTH = 260
VALUE_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of ``value``; ``text`` stands beside it. ``to`` draws a thin line on to a second value (a p90, say).

    ``style``: class of the bar in the style sheet.
    """

    label: str
    value: float
    text: str
    to: float | None = None
    style: str = "artifact"


def bar_chart(bars: Sequence[Bar], title: str) -> str:
    """Horizontal bars from zero, one a row, as an ``<svg>`` element that scales with the page."""
    largest = max([bar.to or bar.value for bar in bars] + [bar.value for bar in bars]) or 1.0
    width, height = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH, ROW * len(bars)
    rows = "".join(_row(bar, n * ROW, BAR_WIDTH / largest) for n, bar in enumerate(bars))
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title, quote=True)}">'
        f'<line class="axis" x1="{LABEL_WIDTH}" y1="0" x2="{LABEL_WIDTH}" y2="{height}"/>{rows}</svg>'
    )


def _row(bar: Bar, top: int, scale: float) -> str:
    middle, length = top + ROW / 2, max(0.0, bar.value) * scale
    end = max(length, (bar.to or 0.0) * scale)
    whisker = ""
    if bar.to is not None:
        x1, x2 = LABEL_WIDTH + length, LABEL_WIDTH + bar.to * scale
        whisker = (
            f'<line class="whisker" x1="{x1:.1f}" y1="{middle}" x2="{x2:.1f}" y2="{middle}"/>'
            f'<line class="whisker" x1="{x2:.1f}" y1="{middle - 4}" x2="{x2:.1f}" y2="{middle + 4}"/>'
        )
    return (
        f'<text class="label" x="{LABEL_WIDTH - 8}" y="{middle + 4}" text-anchor="end">{escape(_shortened(bar.label))}</text>'
        f'<rect class="{escape(bar.style)}" x="{LABEL_WIDTH}" y="{top + 6}" width="{length:.1f}" height="{ROW - 12}" rx="2"/>'
        f'{whisker}<text class="value" x="{LABEL_WIDTH + end + 6:.1f}" y="{middle + 4}">{escape(bar.text)}</text>'
    )


def _shortened(label: str) -> str:
    """The end of a long name: file names differ there."""
    return label if len(label) <= 28 else "…" + label[-27:]

"""Line charts as inline SVG, with an axis each for the values and the way along; colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate
from typing import TypeVar

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 26, 34
CHARACTER = 7.5
"""About the width of a letter."""


MOST_LINES = 4
"""Of a chart: the page's style sheet has so many colours."""

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Line:
    """Points (x, y) from left to right. ``bands``: (low, high) around each y, or none."""

    label: str
    points: Sequence[tuple[float, float]]
    bands: Sequence[tuple[float, float]] = ()


def in_charts(lines: Iterable[Part]) -> Iterator[list[Part]]:
    """The lines in charts of `MOST_LINES`."""
    rest = list(lines)
    return (rest[start : start + MOST_LINES] for start in range(0, len(rest), MOST_LINES))


def line_chart(lines: Sequence[Line], title: str, x_label: str, y_label: str) -> str:
    """An ``<svg>`` element that scales with the page; the values' axis begins near the least of them."""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points] + [y for line in lines for band in line.bands for y in band]
    across, up = _Scale.of(xs, LEFT, WIDTH - RIGHT), _Scale.of(ys, HEIGHT - BOTTOM, TOP)
    whole = all(float(x).is_integer() for x in xs)
    drawn = "".join(_drawn(line, number, across, up) for number, line in enumerate(lines))
    names = _legend([line.label for line in lines]) if len(lines) > 1 else ""
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title, quote=True)}">'
        f"{_y_axis(up)}{_x_axis(across, whole)}{drawn}{names}"
        f'<text class="label" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(x_label)}</text>'
        f'<text class="label" x="{LEFT - 8}" y="12" text-anchor="end">{escape(y_label)}</text></svg>'
    )


def _legend(labels: Sequence[str]) -> str:
    """The lines' names in a row above them."""
    starts = accumulate((CHARACTER * len(label) + 20 for label in labels), initial=float(LEFT))
    return "".join(
        f'<text class="value line{number}" x="{start:.0f}" y="12">{escape(label)}</text>'
        for number, (start, label) in enumerate(zip(starts, labels, strict=False))
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values from ``low`` to ``high`` along the pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    @staticmethod
    def of(values: Sequence[float], start: float, end: float) -> _Scale:
        low, high = min(values, default=0.0), max(values, default=1.0)
        room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
        return _Scale(low - room, high + room, start, end)

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, least: float = 0.0) -> list[float]:
        """About four round numbers in between, at least so far apart."""
        rough = max((self.high - self.low) / 4, least)
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
        first = math.ceil(self.low / step)
        return [step * number for number in range(first, math.floor(self.high / step) + 1)]


def _y_axis(up: _Scale) -> str:
    return "".join(
        f'<line class="axis" x1="{LEFT}" y1="{up.at(tick):.1f}" x2="{WIDTH - RIGHT}" y2="{up.at(tick):.1f}"/>'
        f'<text class="label" x="{LEFT - 8}" y="{up.at(tick) + 4:.1f}" text-anchor="end">{tick:.4g}</text>'
        for tick in up.ticks()
    )


def _x_axis(across: _Scale, whole: bool) -> str:
    return "".join(
        f'<text class="label" x="{across.at(tick):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{tick:.4g}</text>'
        for tick in across.ticks(1.0 if whole else 0.0)
    )


def _drawn(line: Line, number: int, across: _Scale, up: _Scale) -> str:
    places = [(across.at(x), up.at(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle class="line{number}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places[:200])
    whiskers = "".join(
        f'<line class="whisker" x1="{x:.1f}" y1="{up.at(low):.1f}" x2="{x:.1f}" y2="{up.at(high):.1f}"/>'
        for (x, _), (low, high) in zip(places, line.bands, strict=False)
    )
    return f'{whiskers}<polyline class="line{number}" points="{path}" fill="none"/>{dots}'

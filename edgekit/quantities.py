"""Measured quantities as people read them: three figures and a unit."""

from __future__ import annotations

import math

from edgekit.figures import MetricKind

ABSENT = "-"


def size_text(size_bytes: float | None) -> str:
    """Decimal units, as disks and flash chips are sold: 1 kB = 1000 bytes."""
    if size_bytes is None:
        return ABSENT
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= factor:
            return (
                f"{size_bytes / factor:.3g} {unit}"
                if size_bytes < 999.5 * factor
                else f"{size_bytes / factor:.0f} {unit}"
            )
    return f"{size_bytes:.0f} B"


def duration_text(milliseconds: float | None) -> str:
    if milliseconds is None or math.isnan(milliseconds):
        return ABSENT
    if milliseconds >= 999.5:
        return f"{milliseconds / 1e3:.3g} s"
    return f"{milliseconds:.3g} ms" if milliseconds >= 0.0995 else f"{milliseconds * 1e3:.3g} µs"


def metric_text(value: float | None, kind: MetricKind | None) -> str:
    """A rate as a percentage, anything else with four figures."""
    if value is None:
        return ABSENT
    if math.isnan(value):
        return "undefined"
    return f"{100 * value:.2f} %" if kind is not None and kind.points_per_unit == 100.0 else f"{value:.4g}"


def decibel_text(decibels: float | None) -> str:
    if decibels is None:
        return ABSENT
    return "equal" if decibels >= 200.0 else f"{decibels:.1f} dB"


def share_text(share: float | None) -> str:
    """A share as a percentage; only all of it is called 100 %."""
    if share is None:
        return ABSENT
    return "100 %" if share == 1.0 else f"{min(100 * share, 99.99):.2f} %"


def points_text(points: float | None) -> str:
    if points is None:
        return ABSENT
    return "undefined" if math.isnan(points) else f"{round(points, 2) + 0.0:+.2f}"  # + 0.0: no negative zero


def quantity_text(value: float | None, unit: str) -> str:
    """A limit's value in its unit: "bytes", "ms", "dB", "points", "ops", "% of multiply-accumulates"."""
    if value is None:
        return "not measured"
    if unit == "bytes":
        return size_text(value)
    if unit == "ms":
        return duration_text(value)
    number = f"{value:.4g}"
    return f"{number} {unit.removesuffix('s') if number == '1' and unit[0] != '%' else unit}"

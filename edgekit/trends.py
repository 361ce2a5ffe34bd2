"""Stored results over time, as a page of plots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from edgekit.chart_page import Chart, page
from edgekit.line_charts import Line, line_chart
from edgekit.results_store import StoredResult


def trend_page(results: Sequence[StoredResult]) -> str:
    """A chart a file, runtime and number of threads, with a line a device: the p50 of each run and its interval."""
    by_chart: dict[str, dict[str, list[StoredResult]]] = defaultdict(lambda: defaultdict(list))
    for one in results:
        by_chart[_title(one)][one.device].append(one)
    charts = [Chart(title, _caption(devices), _svg(title, devices)) for title, devices in sorted(by_chart.items())]
    facts = [f"{len(results)} results from {results[0].at} to {results[-1].at}"] if results else ["no results"]
    return page("edgekit results", facts, charts)


def _title(one: StoredResult) -> str:
    several = [f"threads {one.threads}", *([f"{one.streams} streams"] if one.streams > 1 else [])]
    if one.samples > one.streams:
        several.append(f"batch {one.samples // one.streams}")
    runtime = f"{one.runtime} {one.delegates}".rstrip()
    return f"{one.file}, {runtime}, {', '.join(several)}"


def _caption(devices: dict[str, list[StoredResult]]) -> str:
    runs = sorted({(one.run, one.at, one.label) for found in devices.values() for one in found})
    labels = "; ".join(f"{run}: {at}{f' {label}' if label else ''}" for run, at, label in runs[-8:])
    return f"Median of a call and its interval, by run. {labels}"


def _svg(title: str, devices: dict[str, list[StoredResult]]) -> str:
    lines = [
        Line(
            device,
            [(one.run, one.p50_ns / 1e6) for one in found],
            [(one.p50_low_ns / 1e6, one.p50_high_ns / 1e6) for one in found],
        )
        for device, found in list(devices.items())[:4]
    ]
    return line_chart(lines, title, "run", "ms")

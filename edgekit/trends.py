"""Stored results over time, as a page of plots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from edgekit.chart_page import Chart, page
from edgekit.line_charts import Line, in_charts, line_chart
from edgekit.results_store import StoredResult
from edgekit.workload import more_than_a_sample


def trend_page(results: Sequence[StoredResult]) -> str:
    """A chart a file, runtime and number of threads, with a line a device: the p50 of each run and its interval."""
    by_chart: dict[str, dict[str, list[StoredResult]]] = defaultdict(lambda: defaultdict(list))
    for one in results:
        by_chart[_title(one)][one.device].append(one)
    charts = [
        Chart(title, _caption(devices), _svg(title, devices))
        for title, all_devices in sorted(by_chart.items())
        for devices in map(dict, in_charts(all_devices.items()))
    ]
    facts = [f"{len(results)} results from {results[0].at} to {results[-1].at}"] if results else ["no results"]
    return page("edgekit results", facts, charts)


def _title(one: StoredResult) -> str:
    runtime = f"{one.runtime} {one.delegates}".rstrip()
    return ", ".join([one.file, runtime, f"threads {one.threads}", *more_than_a_sample(one.streams, one.samples)])


def _caption(devices: dict[str, list[StoredResult]]) -> str:
    runs = sorted({(one.run, one.at, one.label) for found in devices.values() for one in found})
    labels = "; ".join(f"{run}: {at}{f' {label}' if label else ''}" for run, at, label in runs[-8:])
    return f"Median of a call and its interval, by run, on {', '.join(devices)}. {labels}"


def _svg(title: str, devices: dict[str, list[StoredResult]]) -> str:
    lines = [
        Line(
            device,
            [(one.run, one.p50_ns / 1e6) for one in found],
            [(one.p50_low_ns / 1e6, one.p50_high_ns / 1e6) for one in found],
        )
        for device, found in devices.items()
    ]
    return line_chart(lines, title, "run", "ms")

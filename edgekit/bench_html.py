"""The plots of a bench document (edgekit.bench/1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgekit.chart_page import Chart, page
from edgekit.line_charts import Line, line_chart
from edgekit.report_charts import Bar, bar_chart

_MOST_OPS = 12


def html(document: Mapping[str, Any]) -> str:
    """The page: times, throughput, sweeps, ops, sustained runs, as far as the document has them."""
    return page("edgekit bench", _facts(document), list(_charts(document)))


def _facts(document: Mapping[str, Any]) -> Iterator[str]:
    state = document["after"]
    told = [document["device"] or "this machine", state["processor"], f"{state['cores']} cores"]
    told.append(f"governor {state['governor'] or 'unknown'}")
    if state["temperature_c"] is not None:
        told.append(f"{state['temperature_c']:.0f} °C")
    if state["throttled"] is not None:
        told.append(f"throttled: {state['throttled'] or 'no'}")
    if document["elsewhere"] is not None:
        told.append(f"{100 * document['elsewhere']:.0f} % of the processor taken by others")
    yield ", ".join(told)


def _charts(document: Mapping[str, Any]) -> Iterator[Chart]:
    results = document["results"]
    bars = [
        Bar(_label(one), one["latency"]["p50_ns"]["value"], _times(one), to=one["latency"]["p90_ns"]["value"])
        for one in results
    ]
    yield Chart("Latency", "Bar: median of one call; line: 90th percentile.", bar_chart(bars, "Latency"))
    rates = [Bar(_label(one), one["throughput"]["value"], f"{one['throughput']['value']:.4g}/s") for one in results]
    yield Chart("Throughput", "Samples a second; longer is better.", bar_chart(rates, "Throughput"))
    yield from _sweep(results)
    yield from (_starts(one) for one in results if len(one["latency"]["repeats_ns"]) > 1)
    yield from (_ops(profile) for profile in document["profiles"] if profile["ops"])
    for series in document["sustained"]:
        yield from _sustained(series)


def _sweep(results: list[Mapping[str, Any]]) -> Iterator[Chart]:
    """Throughput over threads, where more than one number was tried."""
    by_file: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in results:
        if one["streams"] == 1:
            by_file[f"{Path(one['file']).name} {one['samples'] if one['samples'] > 1 else ''}"].append(one)
    lines = [
        Line(
            name,
            [(one["threads"], one["throughput"]["value"]) for one in found],
            [(one["throughput"]["low"], one["throughput"]["high"]) for one in found],
        )
        for name, found in by_file.items()
        if len({one["threads"] for one in found}) > 1
    ]
    if lines:
        svg = line_chart(lines[:4], "Threads", "threads", "1/s")
        yield Chart("Threads", "Samples a second, with the interval of each figure.", svg)


def _starts(result: Mapping[str, Any]) -> Chart:
    points = [(number + 1, value / 1e6) for number, value in enumerate(result["latency"]["repeats_ns"])]
    kind = "process" if result["latency"]["processes"] > 1 else "tenth of the time"
    return Chart(
        f"Spread of {_label(result)}",
        f"Median of each {kind}; the interval of the p50 comes from how far these lie apart.",
        line_chart([Line(_label(result), points)], "Spread", kind, "ms"),
    )


def _ops(profile: Mapping[str, Any]) -> Chart:
    dearest = sorted(profile["ops"], key=lambda one: -float(one["ms"]))[:_MOST_OPS]
    bars = [Bar(f"{one['op']['op']} {one['op']['name']}", one["ms"], f"{one['ms']:.4g} ms") for one in dearest]
    title = f"Ops of {Path(profile['file']).name} in {profile['runtime']}"
    return Chart(title, "The dearest ops of the runtime's own graph, on zeros.", bar_chart(bars, title))


def _sustained(series: Mapping[str, Any]) -> Iterator[Chart]:
    name, points = Path(series["file"]).name, series["points"]
    times = [
        Line(label, [(point["seconds"], point[entry] / 1e6) for point in points])
        for label, entry in (("p50", "p50_ns"), ("p90", "p90_ns"))
    ]
    caption = f"Without a pause; {series['slowdown']:.3f} times its first pace at the end."
    yield Chart(f"{name}, sustained", caption, line_chart(times, "Sustained latency", "seconds", "ms"))
    for entry, unit in (("temperature_c", "°C"), ("frequency_mhz", "MHz"), ("watts", "W")):
        told = [(point["seconds"], point[entry]) for point in points if point[entry] is not None]
        if told:
            yield Chart(f"{name}, {unit}", "Beside it.", line_chart([Line(unit, told)], unit, "seconds", unit))


def _label(result: Mapping[str, Any]) -> str:
    several = [f"threads {result['threads']}"] if result["threads"] > 1 else []
    several += [f"{result['streams']} streams"] if result["streams"] > 1 else []
    several += [f"batch {result['samples'] // result['streams']}"] if result["samples"] > result["streams"] else []
    return " ".join([Path(result["file"]).name, *several])


def _times(result: Mapping[str, Any]) -> str:
    latency = result["latency"]
    return f"{latency['p50_ns']['value'] / 1e6:.4g} / {latency['p90_ns']['value'] / 1e6:.4g} ms"

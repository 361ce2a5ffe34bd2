"""The plots of a bench document (edgekit.bench/1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.chart_page import Chart, page
from edgekit.line_charts import Line, in_charts, line_chart
from edgekit.report_charts import Bar, bar_chart
from edgekit.workload import more_than_a_sample

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
    results = _told_apart(document["results"])
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
            by_file[_label({**one, "threads": 1})].append(one)
    lines = [
        Line(
            name,
            [(one["threads"], one["throughput"]["value"]) for one in found],
            [(one["throughput"]["low"], one["throughput"]["high"]) for one in found],
        )
        for name, found in by_file.items()
        if len({one["threads"] for one in found}) > 1
    ]
    for part in in_charts(lines):
        svg = line_chart(part, "Threads", "threads", "1/s")
        names = ", ".join(line.label for line in part)
        yield Chart("Threads", f"Samples a second, with the interval of each figure: {names}.", svg)


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


def _told_apart(results: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The results with a ``name``: the file's, and its runtime's too where several ran it."""
    runtimes = defaultdict(set)
    for one in results:
        runtimes[one["file"]].add(one["runtime"])
    several = {file for file, names in runtimes.items() if len(names) > 1}
    names = [(Path(one["file"]).name, f" {one['runtime']}" if one["file"] in several else "") for one in results]
    return [{**one, "name": file + runtime} for one, (file, runtime) in zip(results, names, strict=True)]


def _label(result: Mapping[str, Any]) -> str:
    threads = [f"threads {result['threads']}"] if result["threads"] > 1 else []
    return " ".join([result["name"], *threads, *more_than_a_sample(result["streams"], result["samples"])])


def _times(result: Mapping[str, Any]) -> str:
    latency = result["latency"]
    return f"{latency['p50_ns']['value'] / 1e6:.4g} / {latency['p90_ns']['value'] / 1e6:.4g} ms"

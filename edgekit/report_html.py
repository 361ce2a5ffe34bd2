"""A `Report` as one HTML file that needs no network: style and charts are inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources

from edgekit import fallback_text, prune_text, quantities, report_text, slowdown_text
from edgekit.errors import MissingPackageError
from edgekit.figures import MetricKind
from edgekit.report import Entry, Report
from edgekit.report_charts import Bar, bar_chart


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with its heading and the sentence that says how to read it. ``svg`` is markup."""

    title: str
    caption: str
    svg: str


def html(report: Report) -> str:
    """The whole document. Every text of the report is escaped: node and file names come from strangers."""
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise MissingPackageError("jinja2", "convert", "writing an HTML report") from error
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string((resources.files("edgekit") / "report_template.html").read_text("utf-8"))
    words = {
        "text": quantities,
        "slowdown": slowdown_text,
        "fallback": fallback_text,
        "lines": report_text,
        "prune": prune_text,
    }
    return template.render(report=report, charts=tuple(_charts(report)), **words)


def _charts(report: Report) -> Iterator[Chart]:
    """A chart for each figure that at least two models have."""
    if report.metric is not None:
        kind = report.metric
        better = "higher" if kind.higher_is_better else "lower"
        yield from _chart(
            report,
            f"Accuracy ({kind.name})",
            f"Task metric on the same samples; {better} is better.",
            lambda entry: _bar(entry, entry.accuracy, _accuracy_text(entry, kind)),
        )
    yield from _chart(
        report,
        "Latency",
        "Bar: median of one call; line: 90th percentile. Shorter is better.",
        _latency_bar,
    )
    yield from _chart(
        report,
        "Size",
        "Bytes of the file. Shorter is better.",
        lambda entry: _bar(entry, entry.size_bytes, quantities.size_text(entry.size_bytes)),
    )
    yield from _chart(
        report,
        "Agreement with the reference",
        "Signal to quantization noise of all outputs, in dB. Longer is better; 6 dB are one bit.",
        lambda entry: (
            _bar(entry, min(_sqnr(entry), 100.0), quantities.decibel_text(_sqnr(entry))) if entry.agreement else None
        ),
    )


def _chart(report: Report, title: str, caption: str, bar_of: Callable[[Entry], Bar | None]) -> Iterator[Chart]:
    bars = [bar for entry in report.entries if (bar := bar_of(entry)) is not None]
    if len(bars) > 1:
        yield Chart(title, caption, bar_chart(bars, title))


def _bar(entry: Entry, value: float | None, text: str) -> Bar | None:
    usable = value is not None and value == value
    return Bar(entry.name, float(value), text, style=entry.role.value) if usable and value is not None else None


def _accuracy_text(entry: Entry, kind: MetricKind) -> str:
    drop = "" if entry.drop_points is None else f" ({quantities.points_text(-entry.drop_points)})"
    return quantities.metric_text(entry.accuracy, kind) + drop


def _latency_bar(entry: Entry) -> Bar | None:
    if entry.latency is None:
        return None
    p50, p90 = entry.latency.p50_ms, entry.latency.p90_ms
    text = f"{quantities.duration_text(p50)} / {quantities.duration_text(p90)}"
    return Bar(entry.name, p50, text, to=p90, style=entry.role.value)


def _sqnr(entry: Entry) -> float:
    return entry.agreement.sqnr_db if entry.agreement else 0.0

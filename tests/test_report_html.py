"""The HTML report: whole, self-contained, escaped."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

pytest.importorskip("jinja2")

from report_example import BROKEN, KEPT, example_report

from edgekit.figures import PruneFigures, PruneStep
from edgekit.report import FloatNode, ModelFacts, Report
from edgekit.report_charts import Bar, bar_chart
from edgekit.report_html import html


class Tags(HTMLParser):
    """Checks that every element is closed in order and collects the attributes that would load something."""

    VOID = frozenset({"meta", "br", "line", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def checked(report: Report) -> str:
    text = html(report)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.loaded == []
    assert "url(" not in text
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert style.count("{") == style.count("}")
    assert "<script" not in text
    return text


def test_every_figure_is_there() -> None:
    text = checked(example_report(KEPT, BROKEN))
    for part in ("97.22 %", "31.2 dB", "33.1 kB", "21 µs", "broken", "NOT OK", "dense_2/softmax", "XNNPACK 8", "41 MB"):
        assert part in text
    assert text.count("<svg") == 4


def test_a_report_with_nothing_measured_is_a_page_too() -> None:
    text = checked(Report(ModelFacts("m.onnx", "onnx")))
    assert "OK: 0 files" in text
    assert "<svg" not in text


def test_names_from_a_strangers_model_are_escaped() -> None:
    evil = "<script>alert(1)</script>&\"'"
    report = example_report()
    entries = tuple(replace(entry, name=evil + entry.name) for entry in report.entries)
    report = replace(report, entries=entries, float_nodes=(FloatNode(evil, evil, evil),), notes=(evil,))
    assert "alert(1)" in checked(replace(report, model=ModelFacts(evil, evil), settings={evil: evil}))


def test_a_figure_that_is_undefined_has_no_bar() -> None:
    report = example_report()
    entries = (replace(report.entries[0], accuracy=math.nan), *report.entries[1:])
    assert "undefined" in checked(replace(report, entries=entries))


def test_bars_are_to_scale_and_whiskers_end_at_their_value() -> None:
    svg = bar_chart([Bar("a", 10.0, "10"), Bar("b", 5.0, "5", to=20.0)], "T")
    widths = [float(width) for width in re.findall(r'<rect [^>]*width="([\d.]+)"', svg)]
    assert widths == [130.0, 65.0]  # the axis reaches to 20
    assert 'x2="460.0"' in svg


def test_bars_of_zero_do_not_divide_by_it() -> None:
    assert 'width="0.0"' in bar_chart([Bar("a", 0.0, "0")], "T")


def test_what_cuts_cost_is_a_table() -> None:
    taken, beyond = PruneStep(0.8, 15.0, 2.0, 1.0), PruneStep(0.7, 9.0, 12.0, 3.0)
    figures = PruneFigures(
        "20%", (1000, 800), (100, 90), (150, 50), taken, (taken, beyond), stopped="the limit", judged_by="top1"
    )
    text = html(replace(example_report(), pruning=figures))
    assert "2.0 (+-1.0) points of top1 lost" in text
    assert "12.0 (+-3.0) points of top1 lost" in text
    assert "pruning stopped before its goal: the limit" in text

"""The report's verdict, exit code, JSON and text."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from report_example import BROKEN, KEPT, example_report

from edgekit.figures import MetricKind
from edgekit.quantities import (
    decibel_text,
    duration_text,
    metric_text,
    points_text,
    quantity_text,
    share_text,
    size_text,
)
from edgekit.report import Failure, FloatNode, Limit, ModelFacts, Report
from edgekit.table import Table


def text_of(report: Report) -> str:
    return "\n".join(part.to_text() if isinstance(part, Table) else part for part in report.sections())


def test_a_report_without_limits_is_ok() -> None:
    report = example_report()
    assert (report.exit_code, report.verdict) == (0, "OK: 2 files")


def test_kept_limits_are_counted() -> None:
    report = example_report(KEPT)
    assert (report.exit_code, report.verdict) == (0, "OK: 2 files, within 1 limit")
    assert report.entry_passed(KEPT.entry) is True
    assert report.entry_passed("original") is None


def test_a_broken_limit_is_named_and_is_exit_code_1() -> None:
    report = example_report(KEPT).with_limits(BROKEN)
    assert (report.exit_code, report.verdict) == (1, "NOT OK: limit broken: drop of digits_cnn.int8.onnx")


def test_a_failed_stage_is_exit_code_1() -> None:
    report = replace(example_report(KEPT), failures=(Failure("write tflite", "node 'x' uses Foo"),))
    assert (report.exit_code, report.verdict) == (1, "NOT OK: write tflite failed")


@pytest.mark.parametrize("found", [None, math.nan])
def test_a_figure_that_is_missing_breaks_its_limit(found: float | None) -> None:
    assert not Limit("latency", "f", 10.0, found, "ms").passed


@pytest.mark.parametrize(("found", "passed"), [(29.9, False), (30.0, True), (200.0, True)])
def test_a_lower_limit_is_at_least(found: float, passed: bool) -> None:
    assert Limit("sqnr", "f", 30.0, found, "dB", at_least=True).passed is passed


def test_json_holds_every_figure_and_is_valid() -> None:
    document = json.loads(example_report(KEPT, BROKEN).to_json())
    assert document["schema"] == "edgekit.report/1"
    assert (document["passed"], document["exit_code"]) == (False, 1)
    assert document["metric"] == {"name": "top1", "higher_is_better": True, "points_per_unit": 100.0}
    assert [entry["role"] for entry in document["entries"]] == ["original", "float", "artifact", "artifact"]
    assert document["entries"][2]["agreement"]["sqnr_db"] == 31.24
    assert document["entries"][2]["latency"]["p50_ms"] == 0.021
    assert document["entries"][2]["placement"]["integer_ops"] == 8
    assert [limit["passed"] for limit in document["limits"]] == [True, False]
    assert document["float_nodes"][0]["op"] == "Softmax"
    assert document["twins"]["agreement"]["equal_samples"] == 0.97


def test_json_has_null_where_a_figure_is_undefined() -> None:
    report = example_report(Limit("drop", "digits_cnn.int8.onnx", 0.1, math.nan, "points"))
    assert json.loads(report.to_json())["limits"][0]["found"] is None


def test_the_text_says_it_all_in_a_few_lines() -> None:
    text = text_of(example_report(KEPT, BROKEN))
    assert text.splitlines()[0] == "digits_cnn.keras (keras): precision int8, effort standard, target cpu"
    assert text.splitlines()[-1].startswith("NOT OK: limit broken")
    assert len(text.splitlines()) < 25
    for part in (
        "compared with the original model in keras",
        "97.22 %",
        "+0.28",
        "31.2 dB",
        "33.1 kB",
        "21 µs",
        "stayed float: dense_2/softmax (Softmax)",
        "limit kept: size of digits_cnn.int8.tflite is 33.1 kB, at most 100 kB",
        "limit BROKEN: drop of digits_cnn.int8.onnx is 0.28 points, at most 0.1 points",
        "93.00 % of the values and",
        "note: the dropout layers were left out",
    ):
        assert part in text


def test_columns_without_a_figure_are_left_out() -> None:
    report = Report(
        ModelFacts("m.onnx", "onnx"), entries=(replace(example_report().entries[2], latency=None, accuracy=None),)
    )
    assert "p50" not in text_of(report)
    assert "metric" not in text_of(report)


def test_many_float_nodes_are_cut_short() -> None:
    nodes = tuple(FloatNode(f"n{n}", "Softmax", "why") for n in range(30))
    assert "22 more" in text_of(replace(example_report(), float_nodes=nodes))


RATE, ERROR = MetricKind("top1"), MetricKind("mse", False, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (size_text(999), "999 B"),
        (size_text(33_120), "33.1 kB"),
        (size_text(999_900), "1000 kB"),
        (size_text(4_650_000), "4.65 MB"),
        (size_text(None), "-"),
        (duration_text(0.021), "21 µs"),
        (duration_text(2.345), "2.35 ms"),
        (duration_text(12_000), "12 s"),
        (metric_text(0.876, RATE), "87.60 %"),
        (metric_text(0.01234, ERROR), "0.01234"),
        (metric_text(math.nan, RATE), "undefined"),
        (decibel_text(200.0), "equal"),
        (share_text(1.0), "100 %"),
        (share_text(0.999999), "99.99 %"),
        (points_text(-0.2), "-0.20"),
        (points_text(-0.001), "+0.00"),
        (quantity_text(None, "ms"), "not measured"),
        (quantity_text(25.04, "dB"), "25.04 dB"),
    ],
)
def test_quantities_have_three_figures_and_a_unit(text: str, expected: str) -> None:
    assert text == expected

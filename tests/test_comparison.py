"""Two runs of the benchmark, told apart or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.comparison import Recorded, Verdict, compare, judge
from edgekit.errors import MeasurementError, UsageError

STEADY = (41.8, 41.9, 42.0, 42.0, 42.0, 42.1, 42.1, 42.2, 42.3, 42.4)
STATE = {"processor": "a", "machine": "x86_64", "cores": 2, "governor": None}


def recorded(factor: float = 1.0, what: str = "a") -> Recorded:
    return Recorded(what, 42.05 * factor, tuple(value * factor for value in STEADY))


def written(path: Path, *results: Recorded, **changes: Any) -> Path:
    entries = [
        {
            "file": one.what,
            "runtime": "litert",
            "threads": 1,
            "latency": {"p50_ns": {"value": one.p50_ns}, "repeats_ns": one.repeats_ns, "processes": 10},
        }
        for one in results
    ]
    document = {"schema": "edgekit.bench/1", "device": "", "results": entries, "before": STATE, "elsewhere": 0.0}
    path.write_text(json.dumps({**document, **changes}))
    return path


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, Verdict.SAME), (1.005, Verdict.SAME), (1.08, Verdict.SLOWER), (0.92, Verdict.FASTER)]
)
def test_only_what_exceeds_the_spread_is_a_difference(factor: float, verdict: Verdict) -> None:
    found = judge(recorded(), recorded(factor), confidence=0.95, limit=None)
    assert found.verdict is verdict
    assert found.ratio.value == pytest.approx(factor)


@pytest.mark.parametrize(
    ("factor", "limit", "regression"), [(1.08, 0.03, True), (1.08, 0.1, False), (0.9, 0.03, False)]
)
def test_a_regression_is_real_and_beyond_the_limit(factor: float, limit: float, regression: bool) -> None:
    assert judge(recorded(), recorded(factor), confidence=0.95, limit=limit).regression is regression


def test_a_limit_finer_than_the_spread_is_left_undecided() -> None:
    found = judge(recorded(), recorded(1.005), confidence=0.95, limit=0.005)
    assert (found.regression, found.undecided) == (False, True)
    assert not judge(recorded(), recorded(), confidence=0.95, limit=0.05).undecided


def test_files_are_matched_by_name_and_the_rest_is_told(tmp_path: Path) -> None:
    old = written(tmp_path / "old.json", recorded(what="out/a.tflite"), recorded(what="gone.tflite"))
    new = written(
        tmp_path / "new.json",
        recorded(1.2, "/elsewhere/a.tflite"),
        before={**STATE, "processor": "b"},
        elsewhere=0.5,
    )
    found = compare(old, new, limit=0.03)
    assert [one.what for one in found.differences] == ["a.tflite, litert, threads 1"]
    assert found.exit_code == 1
    assert found.remarks == (
        "processor: a then, b now",
        "only in one run: gone.tflite, litert, threads 1",
        "now: other work took 50 % of the processor",
    )


def test_runs_with_nothing_in_common_are_an_error(tmp_path: Path) -> None:
    files = [written(tmp_path / f"{name}.json", recorded(what=name)) for name in "ab"]
    with pytest.raises(MeasurementError, match="no result in common"):
        compare(*files)


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "edgekit.report/1"}'])
def test_another_kind_of_file_is_refused(tmp_path: Path, text: str) -> None:
    other = tmp_path / "other.json"
    other.write_text(text)
    with pytest.raises(UsageError, match="expected what edgekit bench --json prints"):
        compare(other, other)

"""Results kept over time in an SQLite file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import UsageError
from edgekit.results_store import ResultsStore, Selection, store_path
from edgekit.trends import trend_page


def document(p50: float, device: str = "", file: str = "out/a.tflite") -> dict[str, Any]:
    latency = {
        "p50_ns": {"value": p50, "low": 0.9 * p50, "high": 1.1 * p50},
        "p90_ns": {"value": 2 * p50, "low": p50, "high": 3 * p50},
    }
    result = {
        "file": file,
        "runtime": "litert",
        "runtime_version": "2.3.0",
        "delegates": ["xnnpack"],
        "threads": 1,
        "streams": 1,
        "samples": 1,
        "latency": latency,
        "load": {"start_ns": 5, "peak_memory_bytes": 6},
        "throughput": {"value": 1e9 / p50},
        "size_bytes": 7,
    }
    after = {"processor": "a", "governor": None, "temperature_c": None}
    return {"schema": "edgekit.bench/1", "device": device, "results": [result], "after": after, "elsewhere": 0.1}


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    made = ResultsStore(tmp_path / "new" / "results.sqlite")
    made.add(document(100.0), "2026-01-01T00:00:00+00:00", "v1")
    made.add(document(90.0), "2026-01-03T00:00:00+00:00", "v3")
    made.add(document(400.0, "kitchen", "out/b.tflite"), "2026-01-02T00:00:00+00:00")
    return made


def test_what_is_kept_is_listed_in_the_order_of_time(store: ResultsStore) -> None:
    found = store.results()
    assert [(one.at[:10], one.label, one.device, one.file, one.p50_ns) for one in found] == [
        ("2026-01-01", "v1", "local", "a.tflite", 100.0),
        ("2026-01-02", "", "kitchen", "b.tflite", 400.0),
        ("2026-01-03", "v3", "local", "a.tflite", 90.0),
    ]


@pytest.mark.parametrize(
    ("wanted", "runs"),
    [
        (Selection(file="a*"), [1, 2]),
        (Selection(device="kitchen"), [3]),
        (Selection(runtime="onnx*"), []),
        (Selection(limit=2), [3, 2]),
    ],
)
def test_a_selection_takes_the_newest_that_fit(store: ResultsStore, wanted: Selection, runs: list[int]) -> None:
    assert [one.run for one in store.results(wanted)] == runs


def test_a_query_of_ones_own_is_answered(store: ResultsStore) -> None:
    found = store.query("SELECT file, min(p50_ns) AS best FROM results GROUP BY file ORDER BY file")
    assert (found.columns, found.rows) == (("file", "best"), (("a.tflite", 90.0), ("b.tflite", 400.0)))


@pytest.mark.parametrize("sql", ["DELETE FROM results", "DROP TABLE runs", "SELECT nothing FROM nowhere", "SELEC 1"])
def test_a_query_changes_nothing(store: ResultsStore, sql: str) -> None:
    with pytest.raises(UsageError, match="SQLite can't answer that"):
        store.query(sql)
    assert len(store.results()) == 3


def test_a_store_that_is_not_there_holds_nothing_and_is_not_made(tmp_path: Path) -> None:
    store = ResultsStore(tmp_path / "none.sqlite")
    assert store.results() == ()
    with pytest.raises(UsageError, match="there is no store"):
        store.query("SELECT 1")
    assert not store.path.exists()


def test_another_file_is_not_touched(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("no database, and longer than the head of one, which has a hundred bytes and more" * 3)
    with pytest.raises(UsageError, match="is no SQLite file"):
        ResultsStore(other).add(document(1.0), "2026")


def test_a_document_of_another_kind_is_refused(store: ResultsStore) -> None:
    with pytest.raises(UsageError, match=r"expected edgekit\.bench/1"):
        store.add({"schema": "edgekit.report/1"}, "2026")


def test_a_document_of_an_older_edgekit_is_refused_with_what_it_lacks(store: ResultsStore) -> None:
    older = document(1.0)
    del older["results"][0]["throughput"]
    with pytest.raises(UsageError, match="has no throughput: an older edgekit made it"):
        store.add(older, "2026")


def test_a_value_that_the_tables_refuse_is_no_fault_of_the_file(store: ResultsStore) -> None:
    with pytest.raises(sqlite3.Error):
        store.add(document(1.0, file="a") | {"device": ["kitchen"]}, "2026")
    assert len(store.results()) == 3


def test_the_users_store_lies_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert store_path() == tmp_path / "edgekit" / "results.sqlite"


def test_trends_draw_every_device_four_a_chart(store: ResultsStore) -> None:
    for number in range(9):
        store.add(document(100.0, f"board{number}", "c.tflite"), "2026-01-05T00:00:00+00:00")
    page = trend_page(store.results(Selection(file="c*")))
    assert page.count("<svg") == 3
    assert all(f"board{number}" in page for number in range(9))
    assert page.count("<polyline") == 9


def test_trends_have_a_chart_a_file_and_a_line_a_device(store: ResultsStore) -> None:
    store.add(document(120.0, "<kitchen>"), "2026-01-04T00:00:00+00:00")
    page = trend_page(store.results())
    assert page.count("<svg") == 2
    assert page.count("<polyline") == 3
    assert "a.tflite, litert xnnpack, threads 1" in page
    assert "&lt;kitchen&gt;" in page
    assert "<kitchen>" not in page

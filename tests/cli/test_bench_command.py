"""``edgekit bench``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from cli_models import write_doubler
from in_process import InProcess

from edgekit import place
from edgekit.cli.border import run
from edgekit.cli.console import Console

QUICKEST = ["--min-seconds", "20ms", "--processes", "1", "--starts", "1"]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What edgekit bench --json prints of two files, run once for all tests that read it; it stands beside the files."""
    folder = tmp_path_factory.mktemp("bench")
    files = [str(write_doubler(folder / name)) for name in ("a.onnx", "b.onnx")]
    with (folder / "bench.json").open("w") as stdout:
        options = ["--min-seconds", "50ms", "--processes", "2", "--starts", "1", "--json"]
        assert run(["bench", *files, *options], Console(stdout=stdout, stderr=sys.stderr)) == 0
    return folder / "bench.json"


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spares the child processes, which the tests with ``printed`` and with a group of boards have."""

    @contextmanager
    def reached(address: object, journal: object = None) -> Iterator[InProcess]:
        yield InProcess()

    monkeypatch.setattr(place, "reached", reached)


def test_json_has_every_figure_and_no_raw_samples(printed: Path) -> None:
    document = json.loads(printed.read_text())
    assert document["schema"] == "edgekit.bench/1"
    first, second = document["results"]
    assert first["ratio"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert second["file"] == str(printed.with_name("b.onnx"))
    latency = second["latency"]
    assert latency["p50_ns"]["low"] <= latency["p50_ns"]["value"] <= latency["p90_ns"]["value"]
    assert "samples_ns" not in latency
    assert latency["processes"] == len(latency["repeats_ns"]) == 2
    assert latency["early_stopping"][0]["needed"] == 64
    assert second["load"]["peak_memory_bytes"] > 0
    assert document["before"]["cores"] >= 1


@pytest.mark.usefixtures("in_this_process")
def test_samples_are_kept_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", str(write_doubler(tmp_path / "a.onnx")), *QUICKEST, "--json", "--keep-samples"]) == 0
    latency = json.loads(capsys.readouterr().out)["results"][0]["latency"]
    assert len(latency["samples_ns"]) == latency["runs"]


@pytest.mark.usefixtures("in_this_process")
def test_the_table_names_the_files_and_the_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "in.npz", x=np.ones((4, 3), np.float32))
    file = str(write_doubler(tmp_path / "a.onnx", batch=2))
    assert run(["bench", file, *QUICKEST, "--input", str(tmp_path / "in.npz")]) == 0
    out = capsys.readouterr().out
    assert "a.onnx" in out
    assert "governor" in out


@pytest.mark.usefixtures("in_this_process")
def test_too_little_time_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(write_doubler(tmp_path / "a.onnx"))
    assert run(["bench", file, *QUICKEST, "--min-seconds", "1us", "--max-seconds", "1us"]) == 1
    assert "Measure longer" in capsys.readouterr().err


def test_a_missing_file_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", str(tmp_path / "none.onnx")]) == 1
    assert "there is no model file" in capsys.readouterr().err


def test_a_run_against_itself_is_no_regression_and_a_slower_one_is(
    printed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", "compare", str(printed), str(printed), "--limit-regression", "3%"]) == 0
    assert "no difference" in capsys.readouterr().out
    document, new = json.loads(printed.read_text()), tmp_path / "new.json"
    latency = document["results"][0]["latency"]
    slower = 1e9  # beyond any spread of two processes on a busy machine
    latency["p50_ns"]["value"] *= slower
    latency["repeats_ns"] = [slower * value for value in latency["repeats_ns"]]
    new.write_text(json.dumps(document))
    assert run(["bench", "compare", str(printed), str(new), "--limit-regression", "3%", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "edgekit.comparison/1"
    assert (found["differences"][0]["verdict"], found["exit_code"]) == ("slower", 1)


@pytest.mark.usefixtures("in_this_process")
def test_results_are_kept_listed_asked_for_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, store = str(write_doubler(tmp_path / "a.onnx")), ["--store", str(tmp_path / "r.sqlite")]
    csv_file, page = tmp_path / "a.csv", tmp_path / "a.html"
    extra = ["--csv", str(csv_file), "--html", str(page), "--label", "v1"]
    assert run(["bench", file, *QUICKEST, *store, *extra]) == 0
    assert csv_file.read_text().startswith("device,file,")
    assert "<svg" in page.read_text()
    capsys.readouterr()
    assert run(["results", "list", *store, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(one["file"], one["label"]) for one in listed["results"]] == [("a.onnx", "v1")]
    assert run(["results", "query", "SELECT count(*) AS n FROM runs", *store, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema": "edgekit.query/1", "columns": ["n"], "rows": [[1]]}
    assert run(["results", "plot", "-o", str(tmp_path / "trend.html"), *store]) == 0
    assert "polyline" in (tmp_path / "trend.html").read_text()


def test_a_document_can_be_kept_later(printed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["results", "add", str(printed), "--store", str(tmp_path / "r.sqlite")]) == 0
    assert "a.onnx" in capsys.readouterr().out


def test_documents_are_kept_all_or_none(printed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, report = tmp_path / "r.sqlite", tmp_path / "report.json"
    report.write_text('{"schema": "edgekit.report/1"}')
    assert run(["results", "add", str(printed), str(report), "--store", str(store)]) == 2
    assert "report.json holds no edgekit.bench/1 document" in capsys.readouterr().err
    assert not store.exists()


def test_a_group_of_boards_answers_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("CONFIG", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    for name in ("kitchen", "attic"):
        assert run(["devices", "add", name, "local", "--python", sys.executable, "--group", "lab", "--no-probe"]) == 0
    assert run(["devices", "add", "lost", "local", "--python", "/nowhere", "--group", "lab", "--no-probe"]) == 0
    capsys.readouterr()
    file = str(write_doubler(tmp_path / "a.onnx"))
    assert run(["bench", file, *QUICKEST, "--device-group", "lab", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "edgekit.benchgroup/1"
    assert [board["device"] for board in document["boards"]] == ["kitchen", "attic", "lost"]
    assert [bool(board["bench"]) for board in document["boards"]] == [True, True, False]
    assert "/nowhere" in document["boards"][2]["error"]


@pytest.mark.usefixtures("in_this_process")
def test_a_suite_is_told_by_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_doubler(tmp_path / "resnet.onnx", batch="batch")
    np.savez(tmp_path / "ic.npz", x=np.eye(3, dtype=np.float32), y=np.arange(3))
    folder = str(tmp_path)
    files = ["--csv", str(tmp_path / "a.csv"), "--store", str(tmp_path / "r.sqlite")]
    limit = ["--require-delegate", "XnnpackExecutionProvider"]
    assert (
        run(["bench", "--suite", "mlperf-tiny", "--models", folder, "--data", folder, *QUICKEST, *files, *limit]) == 1
    )
    out = capsys.readouterr().out
    assert "top1 1.0000" in out
    assert "no file for keyword spotting" in out
    assert "XnnpackExecutionProvider" in out, "the limit is told, and the command ends with 1"
    assert "resnet.onnx" in (tmp_path / "a.csv").read_text()
    assert run(["results", "list", *files[2:]]) == 0
    assert "resnet.onnx" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to time"),
        (["--suite", "mlperf-tiny"], "give --models FOLDER"),
        (["--suite", "mlperf-tiny", "--device-group", "lab"], "goes with neither --device nor --suite"),
        (["a.onnx", "--models", "."], "add --suite mlperf-tiny"),
        (["a.onnx", "--label", "v1"], "add --record or --store"),
        (["a.onnx", "--percentile", "20%"], "--percentile is 0.2"),
        (["a.onnx", "--threads", "0"], "numbers from 1 on"),
        (["a.onnx", "--resume", "journal"], "give --device too"),
        (["a.onnx", "--device-group", "none"], "no device group named"),
        (["compare", "a.json"], "NEW"),
    ],
)
def test_wrong_usage_says_what_to_do(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", *options]) == 2
    assert message in capsys.readouterr().err

"""The contract of ``edgekit convert``: files, manifests, report, exit codes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from conversion import CALIBRATE, DIGITS, UNCHECKED, Converted, convert

import edgekit

DOCS = Path(__file__).parent.parent.parent / "docs"
EVALUATE = ("--evaluate", str(DIGITS / "evaluate.npz"), "--metric", "top1")
LIMITS = ("--limit-drop", "1", "--limit-latency", "1s", "--limit-size", "100KB", "--limit-memory", "1GB")
NAMES = ("digits.int8.tflite", "digits.int8.onnx")


@pytest.fixture(scope="module")
def checked(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """The shipped network, converted and checked on 600 digits with every limit set; all of them can be kept."""
    out = tmp_path_factory.mktemp("checked") / "out"
    return convert(digits, out, *CALIBRATE, *EVALUATE, *LIMITS, "--report", str(out / "report.html"))


def test_files_bear_the_documented_names_and_nothing_else_is_left(checked: Converted) -> None:
    assert checked.code == 0
    assert checked.err == ""
    manifests = {f"{name}.json" for name in NAMES}
    assert checked.files == {*NAMES, *manifests, "report.json", "report.html"}


def test_stdout_is_the_report_that_was_written(checked: Converted) -> None:
    assert json.loads((checked.out / "report.json").read_text("utf-8")) == checked.document


def test_every_entry_of_report_and_manifest_is_documented(checked: Converted) -> None:
    page = (DOCS / "json.md").read_text("utf-8")
    report = checked.document
    artifact = next(entry for entry in report["entries"] if entry["role"] == "artifact")
    keys = {*report, *report["model"], *report["limits"][0], *report["stages"][0], *artifact, *report["twins"]}
    keys |= {*artifact["agreement"], *artifact["latency"], *artifact["placement"], *checked.manifest(NAMES[0])}
    keys -= {"schema", "confidence", "name"}
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []


def test_the_report_says_what_was_compared_with_what(checked: Converted) -> None:
    report = checked.document
    assert (report["schema"], report["passed"], report["exit_code"]) == ("edgekit.report/1", True, 0)
    assert report["verdict"] == "OK: 2 files, within 8 limits"
    assert report["reference_is_original"] is True
    assert "onnx" in report["reference"]
    assert (report["calibration"]["count"], report["evaluation"]["count"]) == (100, 600)
    assert report["metric"]["name"] == "top1"
    assert [entry["role"] for entry in report["entries"]] == ["original", "float", "float", "artifact", "artifact"]
    assert report["failures"] == []


@pytest.mark.parametrize("name", NAMES)
def test_an_int8_file_answers_as_the_original_does(checked: Converted, name: str) -> None:
    entry = next(entry for entry in checked.document["entries"] if entry["name"] == name)
    assert entry["accuracy"] > 0.98
    assert abs(entry["drop_points"]) <= 0.5
    assert entry["agreement"]["sqnr_db"] > 40
    assert entry["agreement"]["equal_decisions"] > 0.99
    assert entry["placement"]["integer_ops"] > 0.5 * entry["placement"]["ops"]
    assert 0 < entry["latency"]["p50_low_ms"] <= entry["latency"]["p50_ms"] <= entry["latency"]["p90_ms"]
    assert entry["latency"]["peak_memory_bytes"] > 10_000_000


def test_the_twins_answer_alike(checked: Converted) -> None:
    twins = checked.document["twins"]
    assert {twins["one"], twins["other"]} == set(NAMES)
    assert twins["agreement"]["equal_decisions"] == 1.0
    assert twins["agreement"]["equal_values"] > 0.99


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_describes_its_file_and_holds_the_results(checked: Converted, digits: Path, name: str) -> None:
    content, manifest = (checked.out / name).read_bytes(), checked.manifest(name)
    assert manifest["schema"] == "edgekit.manifest/1"
    assert (manifest["file"], manifest["size_bytes"]) == (name, len(content))
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest["source"] == {
        "framework": "onnx",
        "file": "digits.onnx",
        "sha256": hashlib.sha256(digits.read_bytes()).hexdigest(),
    }
    assert (manifest["precision"], manifest["target"], manifest["recipe"]["io"]) == ("int8", "cpu", "float32")
    assert [spec["name"] for spec in manifest["inputs"]] == ["image"]
    assert [spec["name"] for spec in manifest["outputs"]] == ["digit"]
    entry = next(entry for entry in checked.document["entries"] if entry["name"] == name)
    for figure in ("accuracy", "drop_points", "agreement", "latency", "placement"):
        assert manifest["results"][figure] == entry[figure]


@pytest.mark.parametrize("name", NAMES)
def test_the_on_device_library_reaches_the_reported_accuracy(checked: Converted, name: str) -> None:
    samples = np.load(DIGITS / "evaluate.npz")
    with edgekit.load(checked.out / name) as model:
        found = np.asarray(model(samples["x"].astype(np.float32))).argmax(axis=1)
    entry = next(entry for entry in checked.document["entries"] if entry["name"] == name)
    assert (found == samples["y"]).mean() == pytest.approx(entry["accuracy"])


def test_the_html_report_needs_nothing_else(checked: Converted) -> None:
    page = (checked.out / "report.html").read_text("utf-8")
    assert "digits.int8.tflite" in page
    assert "<svg" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_a_broken_limit_is_exit_code_1_by_name_and_the_files_stay(digits: Path, tmp_path: Path) -> None:
    made = convert(digits, tmp_path / "out", *UNCHECKED, "--limit-size", "45KB", "--limit-latency", "1s")
    assert made.code == 1
    assert {"digits.int8.tflite", "digits.int8.onnx", "report.json"} <= made.files
    broken = {(limit["name"], limit["entry"]) for limit in made.document["limits"] if not limit["passed"]}
    unmeasured = {("latency", name) for name in NAMES}
    assert broken == {("size", "digits.int8.onnx"), *unmeasured}
    assert "size of digits.int8.onnx" in made.document["verdict"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--precision", "int9"), "expected one of: int8, int8-dynamic, float16, float32"),
        (("--io", "int4"), "expected one of: float32, int8, uint8"),
        (("--target", "jetson-nan"), "Did you mean 'jetson-nano'"),
        (("--metric", "topp1"), "Did you mean 'top1'"),
        (("--calibrate", "no_such_module:samples"), "there is no file or module 'no_such_module' here"),
        (("--limit-drop", "much"), "write 0.5"),
        (("--limit-drop", "1", "--no-checks"), "--limit-drop needs the checks"),
        (("--recipe", "none.toml"), "cannot read none.toml"),
        (("--from", "onxn"), "Did you mean 'onnx'"),
        (("--to", "onxn"), "'onxn' is not one of"),
        (("--nonsense",), "--nonsense"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_leaves_nothing(
    digits: Path, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    made = convert(digits, tmp_path / "out", *CALIBRATE, *options)
    assert (made.code, made.document["exit_code"]) == (2, 2)
    assert made.document["schema"] == "edgekit.error/1"
    assert says in made.err
    assert made.err.count("\n") == 1
    assert not made.out.exists()

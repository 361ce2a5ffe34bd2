"""A suite's files, found by name, timed and checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from in_process import InProcess

from edgekit.bench_plan import BenchPlan
from edgekit.errors import UsageError
from edgekit.latency import Timing
from edgekit.protocols import Delegate, Session, SessionOptions, Silent
from edgekit.suite import MLPERF_TINY, run_suite, task_files
from edgekit_converters.hub.build import GraphBuilder

QUICK = BenchPlan((), timing=Timing(min_seconds=0.02, warm_up_seconds=0.05, block_ns=1_000_000), processes=1, starts=1)


def scores(path: Path, diagonal: list[float]) -> None:
    """Three scores of three numbers: each times its own factor."""
    graph = GraphBuilder()
    weight = graph.constant(np.diag(np.array(diagonal, np.float32)))
    graph.output(graph.op("MatMul", graph.input("x", "float32", ("batch", 3)), weight), "y")
    path.write_bytes(graph.build("test").to_bytes())


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    scores(folder / "a_resnet.int8.onnx", [1, 1, 0])
    scores(folder / "resnet.onnx", [1, 1, 1])
    scores(folder / "kws.onnx", [1, 1, 1])
    scores(folder / "vww_untrained.onnx", [1, 1, 1])
    scores(folder / "unrelated.onnx", [1, 1, 1])
    return folder


def test_files_are_told_by_their_names(models: Path) -> None:
    found = {task.name: [path.name for path in task_files(task, models)] for task in MLPERF_TINY}
    assert found == {
        "ic": ["a_resnet.int8.onnx", "resnet.onnx"],
        "kws": ["kws.onnx"],
        "ad": [],
        "vww": ["vww_untrained.onnx"],
    }


def test_quality_latency_and_what_is_missing_are_told(models: Path, tmp_path: Path) -> None:
    eye = np.tile(np.eye(3, dtype=np.float32), (4, 1))
    np.savez(tmp_path / "ic.npz", x=eye, y=np.tile(np.arange(3), 4))
    np.savez(tmp_path / "vww.npz", x=eye, y=np.tile(np.arange(3), 4))
    found = run_suite("mlperf-tiny", models, tmp_path, QUICK, InProcess(), Silent())
    quantized, float_file, keywords, person = found.entries
    assert found.missing == ("anomaly detection",)
    assert float_file.quality is not None
    assert (float_file.quality.value, float_file.quality.met, float_file.quality.sqnr_db) == (1.0, True, None)
    assert quantized.quality is not None
    assert quantized.quality.value == pytest.approx(2 / 3)
    assert (quantized.quality.met, quantized.quality.reference) == (False, "resnet.onnx")
    assert quantized.quality.sqnr_db == pytest.approx(10 * np.log10(3), abs=0.01)
    assert keywords.quality is None
    assert "no kws.npz" in keywords.note
    assert (person.quality, person.note) == (None, "the structure alone, untrained")
    timed = [found.bench.benchmark.results[entry.result].file for entry in found.entries]
    assert timed == [entry.file for entry in found.entries]


def test_samples_without_labels_give_agreement_alone(models: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "ic.npz", x=np.eye(3, dtype=np.float32))
    found = run_suite("mlperf-tiny", models, tmp_path, QUICK, InProcess(), Silent())
    assert found.entries[0].quality is not None
    assert found.entries[0].quality.value is None
    assert found.entries[0].quality.sqnr_db is not None


def test_what_is_timed_elsewhere_is_checked_there_and_closed(models: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "ic.npz", x=np.eye(3, dtype=np.float32))
    place = Watched()
    plan = replace(QUICK, threads=(2,), delegates=(Delegate("CPUExecutionProvider"),))
    run_suite("mlperf-tiny", models, tmp_path, plan, place, Silent())
    assert place.opened == [("a_resnet.int8.onnx", plan.delegates, 2), ("resnet.onnx", plan.delegates, 2)]
    assert place.closed == 2


class Watched(InProcess):
    """Notes the files that are opened for their answers, and how."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[tuple[str, tuple[Delegate, ...], int]] = []
        self.closed = 0

    def open_file(self, path: Path, runtime: str | None, options: SessionOptions) -> Session:
        session = super().open_file(path, runtime, options)
        self.opened.append((path.name, options.delegates, options.threads))
        close = session.close

        def closed() -> None:
            self.closed += 1
            close()

        session.close = closed  # type: ignore[method-assign]
        return session


def test_an_untrained_network_is_no_reference(models: Path, tmp_path: Path) -> None:
    scores(models / "resnet_a_untrained.onnx", [9, 8, 7])
    (models / "resnet.onnx").rename(models / "resnet_b.onnx")
    np.savez(tmp_path / "ic.npz", x=np.eye(3, dtype=np.float32))
    found = run_suite("mlperf-tiny", models, tmp_path, QUICK, InProcess(), Silent())
    qualities = {Path(entry.file).name: entry.quality for entry in found.entries if entry.task == "ic"}
    assert qualities["resnet_a_untrained.onnx"] is None
    assert qualities["a_resnet.int8.onnx"] is not None
    assert qualities["a_resnet.int8.onnx"].reference == "resnet_b.onnx"


def test_a_folder_without_its_files_says_what_they_are_called(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected names like \*resnet\*"):
        run_suite("mlperf-tiny", tmp_path, None, QUICK, InProcess(), Silent())

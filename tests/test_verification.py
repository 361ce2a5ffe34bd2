"""Checking written files: what opens is measured, what does not is named, and what it was compared with is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from edgekit.conditions import read_conditions
from edgekit.errors import DatasetError, UnknownNameError
from edgekit.latency import Timing
from edgekit.protocols import ReadOptions, Silent
from edgekit.report import Role
from edgekit.target import load_target
from edgekit.verification import Checked, Job, Verification, verify_here
from edgekit_converters.hub.build import GraphBuilder

WEIGHTS = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
BRIEFLY = Timing(min_seconds=0.1, max_seconds=5.0, warm_up_seconds=0.05, block_ns=1_000_000)


def linear(path: Path, weights: np.ndarray) -> Path:
    build = GraphBuilder()
    build.output(build.op("MatMul", build.input("x", "float32", ("n", 6)), build.constant(weights)), "logits")
    ir.save(build.build("test").model, path)
    return path


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A model, a coarse and a wrong artifact of it, and 40 labelled samples that the model gets all right."""
    x = np.random.default_rng(2).normal(size=(40, 6)).astype(np.float32)
    np.savez(tmp_path / "samples.npz", x=x, y=(x @ WEIGHTS).argmax(axis=1))
    model = linear(tmp_path / "model.onnx", WEIGHTS)
    coarse = linear(tmp_path / "coarse.onnx", np.round(WEIGHTS * 4) / 4)
    wrong = linear(tmp_path / "wrong.onnx", -WEIGHTS)
    return Job(
        model=model,
        source="onnx",
        read=ReadOptions(),
        files=(Checked(coarse, Role.ARTIFACT, "coarse", "int8"), Checked(wrong, Role.ARTIFACT, "wrong", "int8")),
        float_onnx=model,
        samples=str(tmp_path / "samples.npz"),
        labels=None,
        preprocess=None,
        metric=None,
        threads=1,
        timing=BRIEFLY,
    )


def verify(job: Job, **changes: object) -> Verification:
    return verify_here(dataclasses.replace(job, **changes), Silent())  # type: ignore[arg-type]  # by field name


def test_every_file_gets_accuracy_agreement_latency_and_placement(job: Job) -> None:
    found = verify(job)
    original, coarse, wrong = found.entries
    assert (original.role, original.accuracy, original.latency) == (Role.ORIGINAL, 1.0, None)
    assert found.metric is not None
    assert found.metric.name == "top1"
    assert coarse.accuracy is not None
    assert coarse.drop_points == pytest.approx(100 * (1 - coarse.accuracy))
    assert wrong.agreement is not None
    assert wrong.agreement.sqnr_db == pytest.approx(-6.02, abs=0.01)
    for entry in (coarse, wrong):
        assert entry.latency is not None
        assert entry.latency.p50_ms > 0
        assert entry.placement is not None
        assert entry.placement.ops >= 1


def test_files_too_slow_to_be_timed_keep_every_other_figure(job: Job) -> None:
    found = verify(job, timing=Timing(max_seconds=1e-9, warm_up_seconds=0.0, block_ns=1))
    assert [entry.latency for entry in found.entries] == [None, None, None]
    assert found.entries[1].accuracy is not None
    assert (found.entries[1].runtime or "").startswith("onnxruntime ")
    assert any("too slow to be timed" in note for note in found.notes)


def test_the_two_artifacts_are_compared_with_one_another(job: Job) -> None:
    twins = verify(job).twins
    assert twins is not None
    assert (twins.one, twins.other) == ("coarse", "wrong")
    assert twins.agreement.equal_decisions is not None
    assert twins.agreement.equal_decisions < 0.5


def test_a_file_that_does_not_open_is_a_failure_and_the_others_are_measured(job: Job, tmp_path: Path) -> None:
    (tmp_path / "wrong.onnx").write_bytes(b"damaged")
    found = verify(job)
    assert [entry.name for entry in found.entries] == ["original", "coarse"]
    (failure,) = found.failures
    assert failure.stage == "open wrong"
    assert "wrong.onnx" in failure.message
    assert found.twins is None


def test_the_source_s_own_framework_is_the_reference_where_it_is_installed(job: Job) -> None:
    found = verify(job)
    assert found.reference_is_original
    assert found.reference == "the original model in onnx"


def test_without_samples_random_inputs_stand_in_and_a_note_says_so(job: Job) -> None:
    found = verify(job, samples=None)
    assert (found.evaluation, found.metric) == (None, None)
    assert found.entries[1].accuracy is None
    assert found.entries[1].agreement is not None
    assert found.entries[1].agreement.samples == 16
    assert any("random inputs" in note for note in found.notes)


def test_conditions_tell_the_processor_and_the_load(job: Job) -> None:
    conditions = " ".join(verify(job).conditions)
    assert "cores" in conditions
    assert "load" in conditions


def test_samples_that_do_not_fit_are_refused(job: Job, tmp_path: Path) -> None:
    np.savez(tmp_path / "narrow.npz", x=np.zeros((4, 5), np.float32))
    with pytest.raises(DatasetError, match=r"\(5,\); the model takes \(6,\)"):
        verify(job, samples=str(tmp_path / "narrow.npz"))


def test_an_unknown_metric_is_refused(job: Job) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'top1'"):
        verify(job, metric="topp1")


def test_an_int8_file_far_from_the_original_is_called_that(job: Job) -> None:
    found = verify(job)
    assert [note for note in found.notes if note.startswith("wrong is far from the original")]
    assert not [note for note in found.notes if note.startswith("coarse is far")]


def test_a_file_far_from_the_original_since_it_was_pruned_is_told_to_be_pruned_less(job: Job) -> None:
    coarse, wrong = job.files
    pruned = dataclasses.replace(wrong, path=linear(wrong.path.with_name("pruned.onnx"), -WEIGHTS))
    pruned = dataclasses.replace(pruned, role=Role.PRUNED, name="pruned float32 onnx", precision="float32")
    [note] = [note for note in verify(job, files=(coarse, pruned, wrong)).notes if "far from the original" in note]
    assert note.startswith("wrong is far")
    assert "pruned float32 onnx is so before anything is quantized" in note
    assert "8 bits" not in note


def test_a_file_far_from_the_original_since_it_has_zeros_is_told_to_have_fewer(job: Job) -> None:
    [note] = [note for note in verify(job, sparsified=True).notes if "far from the original" in note]
    assert "--sparsify" in note
    assert "8 bits" not in note


def test_a_file_of_a_devices_own_engine_is_not_timed_and_the_others_keep_their_times(job: Job, tmp_path: Path) -> None:
    profile = tmp_path / "here.toml"
    peak = (
        f'[peak]\nfloat32-macs-per-second = 1e12\nprocessor = "{read_conditions().processor}"\nsources = ["a guess"]\n'
    )
    profile.write_text(f'title = "This machine"\n{peak}')
    coarse, wrong = job.files
    files = (dataclasses.replace(coarse, runtime="onnxruntime"), wrong)
    found = verify(job, files=files, target=load_target(str(profile)))
    _, engine, other = found.entries
    assert engine.latency is None
    assert engine.estimate is not None
    assert engine.estimate.error is None
    assert other.latency is not None
    assert other.estimate is not None
    assert other.estimate.error == pytest.approx(other.estimate.ms / other.latency.p50_ms - 1)
    assert any(note.startswith("coarse runs in onnxruntime") for note in found.notes)

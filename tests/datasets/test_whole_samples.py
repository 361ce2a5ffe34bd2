"""Samples of models with inputs whose first axis counts no samples: a state, a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.artifact import TensorSpec
from edgekit.datasets import open_dataset, require_varied
from edgekit.errors import DatasetError
from edgekit.random_samples import RandomSamples

X = TensorSpec("x", "float32", ("batch", 8))
STATE = TensorSpec("state", "float32", (2, "batch", 4))
RATE = TensorSpec("rate", "int64", ())


def saved(folder: Path, **arrays: np.ndarray) -> str:
    np.savez(folder / "samples.npz", **arrays)
    return str(folder / "samples.npz")


def arrays(count: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "x": random.standard_normal((count, 8)).astype(np.float32),
        "state": random.standard_normal((count, 2, 1, 4)).astype(np.float32),
        "rate": np.full(count, 16000),
    }


def test_each_sample_is_a_batch_of_its_own(tmp_path: Path) -> None:
    stored = arrays()
    dataset = open_dataset(saved(tmp_path, **stored, y=np.arange(5)), [X, STATE, RATE])
    batches = list(dataset.batches(3))
    assert (len(dataset), len(batches)) == (5, 5)
    for row, batch in enumerate(batches):
        assert (batch.whole, len(batch)) == (True, 1)
        assert {name: array.shape for name, array in batch.feeds.items()} == {
            "x": (1, 8),
            "state": (2, 1, 4),
            "rate": (),
        }
        np.testing.assert_array_equal(batch.feeds["state"], stored["state"][row])
        assert batch.labels is not None
        assert batch.labels.tolist() == [row]


def test_slices_hold_for_them_too(tmp_path: Path) -> None:
    stored = arrays()
    (batch,) = open_dataset(saved(tmp_path, **stored) + "[3:4]", [X, STATE, RATE]).batches(2)
    np.testing.assert_array_equal(batch.feeds["x"], stored["x"][3:4])


def test_a_sample_that_is_not_finite_is_named(tmp_path: Path) -> None:
    stored = arrays()
    stored["state"][3] = np.nan
    with pytest.raises(DatasetError, match="sample 3 of 'state'"):
        list(open_dataset(saved(tmp_path, **stored), [X, STATE, RATE]).batches(2))


def test_equal_samples_are_no_calibration(tmp_path: Path) -> None:
    stored = {name: np.repeat(array[:1], 5, axis=0) for name, array in arrays().items()}
    with pytest.raises(DatasetError, match="all samples are equal"):
        require_varied(open_dataset(saved(tmp_path, **stored), [X, STATE, RATE]))


def test_ordinary_samples_are_batches_as_before(tmp_path: Path) -> None:
    (batch,) = open_dataset(saved(tmp_path, x=arrays()["x"]), [X]).batches(8)
    assert (batch.whole, len(batch)) == (False, 5)


def test_random_samples_have_the_shapes_asked_for() -> None:
    dynamic = TensorSpec("x", "float32", ("batch", "length"))
    batch = next(RandomSamples([dynamic, STATE, RATE], {"x": (1, 6)}).batches(1))
    assert {name: array.shape for name, array in batch.feeds.items()} == {"x": (1, 6), "state": (2, 1, 4), "rate": ()}
    assert (batch.whole, len(batch)) == (True, 1)
    assert next(RandomSamples([dynamic], {"": (3, 6)}).batches(1)).feeds["x"].shape == (3, 6)

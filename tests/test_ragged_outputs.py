"""Models that give a number of rows which depends on the sample: detections, say."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.artifact import TensorSpec
from edgekit.batching import run_batch, run_by_sample
from edgekit.datasets import open_dataset
from edgekit.errors import RaggedOutputError
from edgekit.evaluate import Candidate, evaluate


class Rows:
    """Gives ``1 + extra`` to ``n + extra`` rows for a sample whose number is n."""

    inputs = (TensorSpec("x", "float32", (1, 2)),)
    outputs = (TensorSpec("rows", "float32", ("n", 2)),)

    def __init__(self, extra: int = 0) -> None:
        self.extra = extra

    def run(self, feeds):
        count = int(feeds["x"][0, 0]) + self.extra
        return {"rows": np.repeat(feeds["x"], count, axis=0)}


FEEDS = {"x": np.array([[1, 5], [3, 6], [2, 7]], np.float32)}


def test_runs_can_not_be_joined_where_the_first_has_one_row():
    with pytest.raises(RaggedOutputError, match="first axis"):
        run_batch(Rows(), FEEDS)


def test_samples_with_fewer_rows_end_in_zeros():
    rows = run_by_sample(Rows(), FEEDS)["rows"]
    assert rows.shape == (3, 3, 2)
    np.testing.assert_array_equal(rows[2], [[2, 7], [2, 7], [0, 0]])


def test_equal_detections_agree_and_one_row_more_is_an_error(tmp_path):
    np.savez(tmp_path / "samples.npz", **FEEDS)
    candidates = [Candidate("original", Rows()), Candidate("same", Rows()), Candidate("more", Rows(1))]
    found = evaluate(candidates, open_dataset(str(tmp_path / "samples.npz"), Rows.inputs))
    assert found.agreement["same"].equal_samples == 1.0
    assert found.agreement["more"].equal_samples == 0.0

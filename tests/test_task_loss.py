"""What labelled samples say of a changed network, and how surely."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import MeasurementError
from edgekit.protocols import Batch
from edgekit.task_loss import TaskLoss, task_loss


class Labels:
    """A dataset of eight samples, four a batch."""

    def __init__(self, labels: np.ndarray | None) -> None:
        self._labels = labels

    def __len__(self) -> int:
        return 8

    def batches(self, size: int):
        for start in range(0, 8, size):
            part = None if self._labels is None else self._labels[start : start + size]
            yield Batch({"x": np.zeros((size, 2), np.float32)}, part)


RIGHT = np.eye(3, dtype=np.float32)[np.arange(8) % 3]
DATA = Labels(np.arange(8) % 3)


def parts(scores: np.ndarray) -> list[dict[str, np.ndarray]]:
    return [{"y": scores[:4]}, {"y": scores[4:]}]


def loss() -> TaskLoss:
    found = task_loss(None, DATA)
    assert found is not None
    return found


def test_a_drop_is_in_points_of_the_metric() -> None:
    worse = RIGHT.copy()
    worse[[0, 5]] = 1 - worse[[0, 5]]
    batches = [*DATA.batches(4)]
    assert loss().name == "top1"
    assert loss().drop_points(batches, parts(RIGHT), parts(worse)) == pytest.approx(25.0)
    wanted = 100 * np.std([1, 0, 0, 0, 0, 1, 0, 0], ddof=1) / np.sqrt(8)
    assert loss().margin_points(batches, parts(RIGHT), parts(worse)) == pytest.approx(wanted)


def test_a_metric_that_ranks_samples_has_no_margin_of_its_own() -> None:
    ranking = task_loss("auc", Labels(np.arange(8) % 2))
    assert ranking is not None
    scores = parts(np.linspace(0, 1, 8, dtype=np.float32)[:, None])
    batches = [*Labels(np.arange(8) % 2).batches(4)]
    assert ranking.margin_points(batches, scores, scores) is None


def test_without_labels_there_is_nothing_to_go_by() -> None:
    assert task_loss(None, Labels(None)) is None
    asked = task_loss("top1", Labels(None))
    assert asked is not None
    with pytest.raises(MeasurementError, match="needs labels"):
        asked.drop_points([*Labels(None).batches(4)], parts(RIGHT), parts(RIGHT))

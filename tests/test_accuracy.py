"""Task metrics against figures worked by hand or by another formula."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from edgekit.accuracy import Observed, choose_metric, metric_names
from edgekit.errors import MeasurementError, UnknownNameError, UsageError
from edgekit.figures import MetricKind


def measured(name: str, *batches: tuple[ArrayLike, Any], groups: Any = None, inputs: ArrayLike | None = None) -> float:
    metric = choose_metric(name).make()
    for outputs, labels in batches:
        array = np.asarray(outputs, np.float32)
        feeds = {"x": array if inputs is None else np.asarray(inputs, np.float32)}
        truth = None if labels is None else np.asarray(labels)
        reference = {"out": np.ones_like(array)}
        metric.update(Observed(feeds, {"out": array}, reference, truth, None if groups is None else np.asarray(groups)))
    return metric.value


SCORES = [[0.1, 0.7, 0.2], [0.5, 0.2, 0.3], [0.2, 0.3, 0.5], [0.4, 0.35, 0.25]]


def test_top1_and_top2() -> None:
    assert measured("top1", (SCORES, [1, 0, 2, 1])) == 0.75
    assert measured("top2", (SCORES, [1, 1, 2, 1])) == 0.75


def test_batches_add_up() -> None:
    assert measured("top1", (SCORES[:1], [1]), (SCORES[1:], [0, 2, 1])) == 0.75


@pytest.mark.parametrize("labels", [[[1], [0], [2], [1]], np.eye(3)[[1, 0, 2, 1]]])
def test_labels_may_be_a_column_or_one_hot(labels: Any) -> None:
    assert measured("top1", (SCORES, labels)) == 0.75


def test_a_label_a_position_in_either_layout() -> None:
    nhwc = np.random.default_rng(0).random((2, 4, 5, 3))
    labels = nhwc.argmax(axis=-1)
    assert measured("top1", (nhwc, labels)) == 1.0
    assert measured("top1", (nhwc.transpose(0, 3, 1, 2), labels)) == 1.0


def test_equal_scores_go_to_the_lower_class_as_argmax_has_it() -> None:
    assert measured("top1", ([[0.5, 0.5]], [0])) == 1.0
    assert measured("top1", ([[0.5, 0.5]], [1])) == 0.0


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_topk_equals_a_stable_sort(k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, labels = random.integers(0, 4, (20, 6)), random.integers(0, 6, 20)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert measured(f"top{k}", (scores, labels)) == pytest.approx((best == labels[:, None]).any(axis=1).mean())


def test_a_score_that_is_not_a_number_is_wrong() -> None:
    assert measured("top1", ([[math.nan, 0.1], [0.1, 0.9]], [0, 1])) == 0.5


def test_balanced_accuracy_and_f1() -> None:
    predicted = np.eye(2)[[0, 0, 0, 1]]
    labels = [0, 0, 1, 1]  # class 0: recall 1, precision 2/3; class 1: recall 1/2, precision 1
    assert measured("balanced-accuracy", (predicted, labels)) == 0.75
    assert measured("f1", (predicted, labels)) == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_binary_accuracy() -> None:
    assert measured("binary-accuracy", ([[0.9], [0.2], [0.6]], [1, 0, 0])) == pytest.approx(2 / 3)


def test_errors_against_labels() -> None:
    assert measured("mse", ([[1.0], [3.0]], [2.0, 5.0])) == 2.5
    assert measured("mae", ([[1.0], [3.0]], [2.0, 5.0])) == 1.5


def test_reconstruction_error_is_against_the_input() -> None:
    assert measured("reconstruction-mse", ([[1.0, 1.0], [0.0, 0.0]], None), inputs=[[1.0, 3.0], [0.0, 0.0]]) == 1.0


def test_auc_by_hand() -> None:
    assert measured("auc", ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])) == 0.75
    assert measured("auc", ([0.5, 0.5], [0, 1])) == 0.5
    assert measured("auc", ([[0.9, 0.1], [0.2, 0.8]], [0, 1])) == 1.0
    assert math.isnan(measured("auc", ([0.1, 0.2], [1, 1])))
    assert math.isnan(measured("auc", ([0.1, math.nan], [0, 1])))


@given(st.integers(0, 2**32 - 1))
def test_auc_is_the_share_of_ordered_pairs(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, labels = random.integers(0, 5, 30), np.arange(30) % 3 == 0
    positive, negative = scores[labels][:, None], scores[~labels][None]
    pairs = (positive > negative) + 0.5 * (positive == negative)
    assert measured("auc", (scores[:11], labels[:11]), (scores[11:], labels[11:])) == pytest.approx(pairs.mean())


def test_anomalies_are_ranked_by_reconstruction_error_a_group() -> None:
    outputs, inputs = np.zeros((4, 2)), np.array([[1, 1], [9, 9], [4, 4], [5, 5]])
    assert measured("anomaly-auc", (outputs, [0, 0, 1, 1]), inputs=inputs) == 0.5
    assert measured("anomaly-auc", (outputs, [0, 1, 0, 1]), inputs=inputs, groups=[7, 8, 7, 8]) == 1.0


def test_cosine_is_against_the_original() -> None:
    assert measured("cosine", ([[1.0, 0.0], [2.0, 2.0]], None)) == pytest.approx((math.sqrt(0.5) + 1) / 2)


def test_an_output_is_chosen_by_name() -> None:
    metric = choose_metric("top1@second").make()
    outputs = {"first": np.array([[0, 1]]), "second": np.array([[1, 0]])}
    metric.update(Observed({}, outputs, outputs, np.array([0])))
    assert metric.value == 1.0
    with pytest.raises(UnknownNameError, match="Did you mean 'second'"):
        choose_metric("top1@secnd").make().update(Observed({}, outputs, outputs, np.array([0])))


def test_a_function_of_the_users_sees_all_samples_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_metric.py").write_text(
        "def spread(outputs, labels):\n    return outputs.max() - labels.max()\n"
        "spread.higher_is_better = False\nspread.points_per_unit = None\n"
        "def wordy(outputs, labels):\n    return 'good'\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    assert measured("own_metric:spread", ([[1.0]], [1]), ([[5.0]], [2])) == 3.0
    assert choose_metric("own_metric:spread").make().kind == MetricKind("own_metric:spread", False, None)
    with pytest.raises(MeasurementError, match="returned 'good'"):
        measured("own_metric:wordy", ([[1.0]], [1]))
    with pytest.raises(UsageError, match="has no 'missing'"):
        choose_metric("own_metric:missing")


@pytest.mark.parametrize(
    ("name", "outputs", "labels", "says"),
    [
        ("top1", SCORES, None, "needs labels, but the samples have none"),
        ("top1", SCORES, [0, 1, 2, 3], "labels reach from 0 to 3; expected class indices from 0 to 2"),
        ("top1", SCORES, [0.5, 1, 2, 1], "expected class indices"),
        ("top1", [[0.5], [0.1]], [0, 1], "binary-accuracy"),
        ("top1", SCORES, np.zeros((4, 7)), "outputs have shape"),
        ("mse", SCORES, [1, 2, 3, 4], "expected the same"),
        ("auc", SCORES, [0, 1, 0, 1], "needs one score a sample, or two"),
    ],
)
def test_what_a_metric_cannot_use_is_named(name: str, outputs: Any, labels: Any, says: str) -> None:
    with pytest.raises(MeasurementError, match=says):
        measured(name, (outputs, labels))


def test_an_unknown_metric_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'top1'"):
        choose_metric("top-1")


@pytest.mark.parametrize("name", metric_names())
def test_every_name_makes_a_metric_that_is_undefined_without_samples(name: str) -> None:
    metric = choose_metric(name).make()
    assert metric.kind.name == name
    assert math.isnan(metric.value)


def test_drops_are_in_points_of_a_rate_or_percent_of_an_error() -> None:
    assert MetricKind("top1").drop_points(0.878, 0.876) == pytest.approx(0.2)
    error = MetricKind("mse", higher_is_better=False, points_per_unit=None)
    assert error.drop_points(2.0, 2.1) == pytest.approx(5.0)
    assert error.drop_points(0.0, 0.0) == 0.0
    assert error.drop_points(0.0, 1.0) == math.inf

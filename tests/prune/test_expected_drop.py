"""What margins of decisions tell of a cut, worked by hand and against what counting would say."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.prune.expected_drop import expected_drop, margins


def test_the_margin_of_a_decision_is_to_the_best_other_class() -> None:
    scores = np.array([[3.0, 1.0, 2.5], [0.0, 1.0, 4.0]], np.float32)
    np.testing.assert_allclose(margins(scores, np.array([0, 1])), [0.5, -3.0])


def test_without_errors_nothing_is_lost_as_far_as_one_sample_can_tell() -> None:
    before = np.linspace(0.1, 5.0, 50)
    drop = expected_drop(before, before, 50)
    assert (drop.points, drop.margin) == (0.0, 2.0)


def test_an_error_that_would_turn_another_samples_decision_counts() -> None:
    """Eight samples, each paired with the errors of all eight: that of the second one turns the first, one pair of 64."""
    before = np.array([1.0, 2.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0])
    after = before - np.array([0.0, 1.5, 0, 0, 0, 0, 0, 0])
    assert (after > 0).all()
    assert expected_drop(before, after, 8).points == pytest.approx(100 / 64)


def test_errors_are_those_of_samples_with_margins_alike() -> None:
    """A network that is surer of some samples has larger errors there, which turn no decision: 25 points if all were paired."""
    before = np.concatenate([np.full(80, 1.0), np.full(80, 20.0)])
    after = before - np.concatenate([np.full(80, 0.1), np.full(80, 5.0)])
    assert expected_drop(before, after, 160).points < 2.0, "those at the border between the two kinds"


def test_decisions_that_become_right_make_up_for_others() -> None:
    before = np.array([-1.0] * 4 + [1.0] * 4)
    assert expected_drop(before, before + 3.0, 8).points == pytest.approx(-50.0)


def test_the_estimate_scatters_less_than_the_count_and_as_its_standard_error_says() -> None:
    """60 samples of a known law: a drop of 4.2 points on average, by Phi(-sqrt(3)) for margins and errors that are normal."""
    random = np.random.default_rng(0)
    estimates, errors, counts = [], [], []
    for _ in range(400):
        before = random.normal(3.0, 1.0, 60)
        after = before + random.normal(0.0, np.sqrt(2.0), 60)
        found = expected_drop(before, after, 60)
        estimates.append(found.points)
        errors.append(found.margin)
        counts.append(100.0 * ((before > 0).mean() - (after > 0).mean()))
    assert np.mean(estimates) == pytest.approx(np.mean(counts), abs=0.4)
    assert np.std(estimates) < np.std(counts)
    assert 0.7 < np.mean(errors) / np.std(estimates) < 1.5

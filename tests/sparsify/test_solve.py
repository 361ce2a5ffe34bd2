"""The weights of a pattern that come closest: never worse than by magnitude, exact where an exact answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.sparsity import Sparsity, parse_sparsity
from edgekit_converters.sparsify.patterns import projection
from edgekit_converters.sparsify.solve import Problem, lost, one_shot, sparse_weights


def _problem(groups: int = 1, rows: int = 12, columns: int = 24) -> Problem:
    """Inputs that depend on one another, as those of real layers do."""
    random = np.random.default_rng(7)
    inputs = random.standard_normal((groups, 400, columns // 2)) @ random.standard_normal(
        (groups, columns // 2, columns)
    )
    inputs += 0.3 * random.standard_normal(inputs.shape)
    moments = inputs.transpose(0, 2, 1) @ inputs / 400
    weights = random.standard_normal((groups, rows, columns))
    return Problem(moments.astype(np.float32), weights.astype(np.float32))


@pytest.mark.parametrize("text", ["50%", "70%", "2:4", "1:4", "block=1x4:50%", "block=4x1:50%"])
def test_solving_costs_less_than_leaving_out_the_smallest(text: str) -> None:
    problem, sparsity = _problem(), parse_sparsity(text)
    project = projection(sparsity, sparsity.share, 24)
    found = sparse_weights(problem, project)
    plain = problem.wanted * project(np.abs(problem.wanted))
    assert np.mean(found == 0) == pytest.approx(sparsity.share, abs=0.01)
    assert lost(problem, found) < 0.35 * lost(problem, plain)
    assert lost(problem, found) <= 1.02 * lost(problem, one_shot(problem, project))


def test_of_independent_inputs_the_rest_of_the_weights_stay_as_they_were() -> None:
    weights = np.random.default_rng(1).standard_normal((1, 5, 8)).astype(np.float32)
    problem = Problem(np.eye(8, dtype=np.float32)[None], weights)
    found = sparse_weights(problem, projection(Sparsity(0.5), 0.5, 8))
    kept = np.abs(weights) > np.sort(np.abs(weights), axis=None)[19]
    assert np.allclose(found, weights * kept, atol=1e-5)


def test_two_equal_inputs_are_read_as_one() -> None:
    """The weight of one input is taken over by its twin, at no cost."""
    moments = np.array([[[1.0, 0.999], [0.999, 1.0]]], np.float32)
    problem = Problem(moments, np.array([[[2.0, 1.0]]], np.float32))
    found = sparse_weights(problem, projection(Sparsity(0.5), 0.5, 8))
    assert np.count_nonzero(found) == 1
    assert found.max() == pytest.approx(3.0, rel=2e-3)


def test_groups_share_the_zeros_of_a_layer() -> None:
    problem = _problem(groups=3, rows=1, columns=8)
    louder = Problem(problem.moments * np.array([1, 1, 100], np.float32)[:, None, None], problem.wanted)
    found = sparse_weights(louder, projection(Sparsity(0.5), 0.5, 8))
    zeros = np.mean(found == 0, axis=(1, 2))
    assert found.size / 2 == np.count_nonzero(found == 0)
    assert zeros[2] < min(zeros[0], zeros[1])

"""Operators are spelled for files without float operators, and compute the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.integer_only_forms import DEEPEST_MASK, integer_only_forms
from edgekit_converters.hub.run import hub_session

RANDOM = np.random.default_rng(5)


def network(op: str, shape: tuple[int | str, ...], *parameters: Any, **attributes: Any) -> Hub:
    graph = GraphBuilder()
    x = graph.input("x", "float32", shape)
    graph.output(graph.op(op, x, *(graph.constant(np.asarray(each)) for each in parameters), **attributes), "y")
    return graph.build("test")


def vector(size: int) -> Any:
    return RANDOM.uniform(0.5, 1.5, size).astype(np.float32)


@pytest.mark.parametrize(
    "hub",
    [
        network("LayerNormalization", ("n", 5, 8), vector(8), vector(8), axis=-1),
        network("LayerNormalization", ("n", 5, 8), np.ones(8, np.float32), axis=2, epsilon=1e-3),
        network("LayerNormalization", ("n", 5, 8), vector(40).reshape(5, 8), axis=1),
        network("InstanceNormalization", ("n", 4, 6, 6), vector(4), vector(4)),
        network("GroupNormalization", ("n", 8, 6, 6), vector(8), vector(8), num_groups=2),
        network("Reciprocal", ("n", 4)),
    ],
    ids=lambda hub: next(iter(hub.model.graph)).op_type,
)
def test_the_answers_stay(hub: Hub, equal: Callable[..., None], ops: Callable[[Hub], dict[str, int]]) -> None:
    spelled = integer_only_forms(hub)
    equal(hub, spelled, 1e-5)
    assert not {name for name in ops(spelled) if "Normalization" in name or name == "Reciprocal"}


def test_an_embedding_is_scaled_behind_the_look_up() -> None:
    graph = GraphBuilder()
    words = graph.input("words", "int64", ("n", 3))
    table = RANDOM.standard_normal((50, 4)).astype(np.float32) * np.array([1, 10, 0.1, 0], np.float32)
    graph.output(graph.op("Gather", graph.constant(table), words), "y")
    spelled = integer_only_forms(graph.build("test"))
    found = hub_session(spelled).run({"words": np.array([[1, 2, 49]])})["y"]
    np.testing.assert_allclose(found[0], table[[1, 2, 49]], rtol=1e-6)
    (rows,) = [node.inputs[0].const_value.numpy() for node in spelled.model.graph if node.op_type == "Gather"]
    np.testing.assert_allclose(np.abs(rows).max(axis=0), [1, 1, 1, 0])


def test_minus_infinity_in_a_mask_becomes_a_number_that_16_bits_resolve() -> None:
    mask = np.triu(np.full((4, 4), -np.inf, np.float32), 1)
    hub = network("Add", ("n", 4, 4), mask)
    (node,) = integer_only_forms(hub).model.graph
    assert node.inputs[1].const_value.numpy().min() == DEEPEST_MASK


def test_large_numbers_that_are_no_mask_stay() -> None:
    offsets = np.array([-2000.0, 5.0, 0.0, 1.0], np.float32)
    (node,) = integer_only_forms(network("Add", ("n", 4), offsets)).model.graph
    np.testing.assert_array_equal(node.inputs[1].const_value.numpy(), offsets)

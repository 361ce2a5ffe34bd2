"""Any number of samples through a fixed batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.batching import run_batch, splits
from edgekit.errors import FeedError
from edgekit.protocols import Feeds, Placement


class Doubler:
    """A session with a fixed batch; remembers the sizes it was given."""

    def __init__(self, batch: int | str, output_rank: int = 2) -> None:
        self.inputs = (TensorSpec("x", "float32", (batch, 3)),)
        self.outputs = (TensorSpec("y", "float32", (batch, 3)),)
        self.sizes: list[int] = []
        self._output_rank = output_rank

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        self.sizes.append(len(feeds["x"]))
        return {"y": 2 * feeds["x"] if self._output_rank else np.float32(1) * feeds["x"].sum()}

    def placement(self) -> Placement:
        return Placement(())

    def close(self) -> None: ...


def samples(count: int) -> dict[str, NDArray[Any]]:
    return {"x": np.arange(3 * count, dtype=np.float32).reshape(count, 3)}


@pytest.mark.parametrize(("batch", "count", "sizes"), [(1, 3, [1, 1, 1]), (4, 6, [4, 4]), (4, 3, [4]), (2, 4, [2, 2])])
def test_samples_are_joined_in_order_whatever_the_batch(batch: int, count: int, sizes: list[int]) -> None:
    session, feeds = Doubler(batch), samples(count)
    np.testing.assert_array_equal(run_batch(session, feeds)["y"], 2 * feeds["x"])
    assert session.sizes == sizes


def test_an_open_batch_takes_all_at_once() -> None:
    session = Doubler("batch")
    run_batch(session, samples(5))
    assert session.sizes == [5]


def test_a_fitting_batch_is_one_run() -> None:
    session = Doubler(4)
    run_batch(session, samples(4))
    assert session.sizes == [4]


def test_no_samples_are_an_error() -> None:
    with pytest.raises(FeedError, match="no samples"):
        run_batch(Doubler(1), samples(0))


def test_an_output_without_a_batch_axis_cannot_be_joined() -> None:
    with pytest.raises(FeedError, match=r"output 'y' has shape \(\).*feed that many"):
        run_batch(Doubler(1, output_rank=0), samples(2))


def test_feeds_that_do_not_fit_are_not_split() -> None:
    inputs = (TensorSpec("a", "float32", (1, 3)), TensorSpec("b", "float32", (1, 2)))
    fitting = {"a": np.zeros((4, 3)), "b": np.zeros((4, 2))}
    assert splits(fitting, inputs)
    assert not splits({**fitting, "b": np.zeros((5, 2))}, inputs)
    assert not splits({**fitting, "b": np.zeros((4, 9))}, inputs)
    assert not splits({"a": fitting["a"]}, inputs)
    assert not splits({**fitting, "b": np.zeros(())}, inputs)

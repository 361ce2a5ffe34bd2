"""Calibration on small nets against numpy on all values at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.errors import ConversionError, DatasetError
from edgekit.protocols import Batch, Silent
from edgekit.recipe import Observer
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.calibrate import calibrate


class Samples:
    """A Dataset of arrays by input name that counts how many of its batches are alive at once."""

    def __init__(self, **arrays: NDArray[np.generic]) -> None:
        self._arrays = arrays
        self.alive = self.most_alive = 0
        self.sizes: list[int] = []

    def __len__(self) -> int:
        return len(next(iter(self._arrays.values())))

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self), size):
            self.alive += 1
            self.most_alive = max(self.most_alive, self.alive)
            self.sizes.append(size)
            yield Batch({name: array[start : start + size].copy() for name, array in self._arrays.items()})
            self.alive -= 1


def dense_net(batch: int | str = "n") -> Hub:
    graph = GraphBuilder()
    rng = np.random.default_rng(0)
    x = graph.input("x", "float32", [batch, 6])
    hidden = graph.op("Gemm", x, graph.constant(rng.normal(size=(6, 5)).astype(np.float32)), name="dense")
    graph.output(graph.op("Relu", hidden, name="relu"), "y")
    return graph.build("test")


def inputs(count: int = 50) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(count, 6)).astype(np.float32)


def hidden_of(hub: Hub, x: NDArray[np.float32]) -> NDArray[np.float32]:
    weight = next(iter(hub.model.graph.initializers.values())).const_value
    assert weight is not None
    product: NDArray[np.float32] = x @ weight.numpy()
    return product


def test_min_max_ranges_of_inputs_inner_values_and_outputs_are_those_of_numpy() -> None:
    hub, x = dense_net(), inputs()
    names = dict.fromkeys(("x", "dense_out", "y"), Observer.MIN_MAX)
    ranges = calibrate(hub, names, Samples(x=x), Silent())
    hidden = hidden_of(hub, x)
    assert list(ranges) == ["x", "dense_out", "y"]
    assert ranges["x"] == (x.min(), x.max())
    np.testing.assert_allclose(ranges["dense_out"], (hidden.min(), hidden.max()), rtol=1e-5)
    np.testing.assert_allclose(ranges["y"], (0.0, hidden.max()), rtol=1e-5)
    assert ranges.samples == 50


def test_each_value_has_its_own_observer_and_the_summary_says_which() -> None:
    ranges = calibrate(
        dense_net(), {"x": Observer.MIN_MAX, "dense_out": Observer.PERCENTILE}, Samples(x=inputs()), Silent()
    )
    summary = ranges.summary()
    assert summary["samples"] == 50
    assert summary["tensors"]["dense_out"]["observer"] == "percentile"
    assert summary["tensors"]["x"]["seen"] == list(ranges["x"])


@pytest.mark.parametrize("kind", list(Observer))
def test_a_fixed_batch_gives_the_ranges_of_a_free_one(kind: Observer) -> None:
    x = inputs(48)
    free = calibrate(dense_net(), {"dense_out": kind}, Samples(x=x), Silent())
    fixed = calibrate(dense_net(batch=4), {"dense_out": kind}, Samples(x=x), Silent())
    np.testing.assert_allclose(free["dense_out"], fixed["dense_out"], rtol=1e-5)


def test_a_fixed_batch_is_filled_up_where_the_samples_run_out() -> None:
    hub, x = dense_net(batch=4), inputs(6)
    ranges = calibrate(hub, {"dense_out": Observer.MIN_MAX}, Samples(x=x), Silent())
    hidden = hidden_of(hub, x)
    np.testing.assert_allclose(ranges["dense_out"], (hidden.min(), hidden.max()), rtol=1e-5)


def test_samples_of_another_type_are_converted_to_the_models() -> None:
    x = np.arange(12, dtype=np.uint8).reshape(2, 6)
    assert calibrate(dense_net(), {"x": Observer.MIN_MAX}, Samples(x=x), Silent())["x"] == (0.0, 11.0)


def test_one_batch_at_a_time_is_alive_and_its_size_follows_the_budget() -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["n", 3, 1024, 1024])
    graph.output(graph.op("Relu", x, name="relu"), "y")
    samples = Samples(x=np.zeros((3, 3, 1024, 1024), np.float32))
    ranges = calibrate(graph.build("test"), {"y": Observer.MEAN_SQUARED_ERROR}, samples, Silent())
    assert ranges["y"] == (0.0, 0.0)
    assert samples.most_alive == 1
    assert set(samples.sizes) == {1}


def test_several_inputs_are_fed_together() -> None:
    graph = GraphBuilder()
    left, right = graph.input("left", "float32", ["n", 2]), graph.input("right", "float32", ["n", 2])
    graph.output(graph.op("Add", left, right, name="add"), "y")
    x = inputs(8)[:, :2]
    ranges = calibrate(graph.build("test"), {"y": Observer.MIN_MAX}, Samples(right=3 * x, left=x), Silent())
    np.testing.assert_allclose(ranges["y"], (4 * x.min(), 4 * x.max()), rtol=1e-6)


def test_a_sample_with_nan_names_the_tensor() -> None:
    x = inputs()
    x[20, 3] = np.nan
    with pytest.raises(DatasetError, match="'dense_out'"):
        calibrate(dense_net(), {"dense_out": Observer.ENTROPY}, Samples(x=x), Silent())


def test_samples_that_do_not_fit_say_what_the_model_takes() -> None:
    with pytest.raises(DatasetError, match=r"\(50, 7\).*\('n', 6\)"):
        calibrate(dense_net(), {"y": Observer.MIN_MAX}, Samples(x=np.zeros((50, 7), np.float32)), Silent())
    with pytest.raises(DatasetError, match=r"input 'x'.*they have: z"):
        calibrate(dense_net(), {"y": Observer.MIN_MAX}, Samples(z=inputs()), Silent())
    with pytest.raises(DatasetError, match="no samples"):
        calibrate(dense_net(), {"y": Observer.MIN_MAX}, Samples(x=inputs(0)), Silent())


def test_a_value_that_the_model_does_not_compute_is_an_error() -> None:
    with pytest.raises(ConversionError, match="'nowhere'"):
        calibrate(dense_net(), {"nowhere": Observer.MIN_MAX}, Samples(x=inputs()), Silent())


def test_a_model_that_does_not_take_several_samples_at_once_says_what_to_do() -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["n", 6])
    rows = graph.op("Reshape", x, graph.constant(np.array([1, 6])), name="one_row")
    graph.output(graph.op("Relu", rows, name="relu"), "y")
    with pytest.raises(ConversionError, match="--input-shape"):
        calibrate(graph.build("test"), {"y": Observer.MIN_MAX}, Samples(x=inputs()), Silent())

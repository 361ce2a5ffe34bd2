"""Bias correction: what a shift does, what a pass over small nets leaves of the mean errors, what it holds in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.protocols import Batch, Silent
from edgekit.recipe import Observer, Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.calibrate import calibrate
from edgekit_converters.quantize.correct import correct_biases
from edgekit_converters.quantize.correct_shift import Bounds, columns, step_over, zero_mean_shift
from edgekit_converters.quantize.plan import plan
from edgekit_converters.quantize.quant_plan import QuantPlan, Use
from edgekit_converters.quantize.scheme import scheme
from edgekit_converters.quantize.sequential_samples import Picked, spread
from edgekit_converters.writers.onnx.write import OnnxOptions, quantized_model

RELU6 = Bounds(0.0, 6.0)


class Samples:
    """A Dataset that counts how often it was read."""

    def __init__(self, **arrays: NDArray[np.float32]) -> None:
        self._arrays = arrays
        self.passes = 0

    def __len__(self) -> int:
        return len(next(iter(self._arrays.values())))

    def batches(self, size: int) -> Iterator[Batch]:
        self.passes += 1
        for start in range(0, len(self), size):
            yield Batch({name: array[start : start + size] for name, array in self._arrays.items()})


def planned(hub: Hub, samples: Samples, observer: Observer = Observer.MIN_MAX) -> QuantPlan:
    recipe, target = Recipe(), Target("cpu", "CPU")
    decided = scheme(hub, recipe, target)
    ranges = calibrate(hub, dict.fromkeys(decided.observed, observer), samples, Silent())
    return plan(hub, recipe, target, decided, ranges)


def off_by(plan: QuantPlan, use: Use, real: NDArray[np.float32]) -> QuantPlan:
    """The plan with a bias that is wrong by ``real`` (channels,)."""
    bias = plan.constants[use]
    wrong = bias.integers + np.rint(real / bias.params.scale).astype(np.int32)
    return replace(plan, constants={**plan.constants, use: replace(bias, integers=wrong)})


def answers(
    hub: Hub, feeds: dict[str, NDArray[np.float32]], plan: QuantPlan | None = None
) -> list[NDArray[np.float32]]:
    """Outputs of the float hub, or of the int8 model that ``plan`` makes of it."""
    model = hub if plan is None else quantized_model(hub, plan, OnnxOptions())
    session = onnxruntime.InferenceSession(model.to_bytes(), providers=["CPUExecutionProvider"])
    found: list[NDArray[np.float32]] = session.run(None, feeds)
    return found


def conv_net(batch: int | str = "n") -> Hub:
    """Two convolutions with a clamp between them, a shared value, an addition."""
    graph = GraphBuilder()
    rng = np.random.default_rng(5)

    def conv(x: object, name: str, out: int, inner: int, size: int) -> object:
        weight = graph.constant(rng.normal(size=(out, inner, size, size)).astype(np.float32))
        bias = graph.constant(rng.normal(size=out).astype(np.float32))
        return graph.op("Conv", x, weight, bias, name=name, pads=[size // 2] * 4)  # type: ignore[arg-type]

    x = graph.input("x", "float32", [batch, 3, 9, 9])
    stem = graph.op("Clip", conv(x, "stem", 8, 3, 3), graph.constant(0.0), graph.constant(6.0), name="clamp")  # type: ignore[arg-type]
    branch = conv(stem, "branch", 8, 8, 1)
    graph.output(graph.op("Add", stem, branch, name="add"), "y")  # type: ignore[arg-type]
    return graph.build("test")


def pictures(count: int = 40) -> NDArray[np.float32]:
    return np.random.default_rng(6).normal(size=(count, 3, 9, 9)).astype(np.float32)


def channel_means(array: NDArray[np.float32]) -> NDArray[np.float32]:
    means: NDArray[np.float32] = array.mean(axis=(0, 2, 3))
    return means


@given(st.integers(0, 1000), st.floats(-2, 2))
@settings(deadline=None, max_examples=50)
def test_the_shift_undoes_a_known_error(seed: int, error: float) -> None:
    wanted = np.random.default_rng(seed).normal(1.0, 2.0, size=(3, 500)).astype(np.float32)
    np.testing.assert_allclose(zero_mean_shift(wanted + np.float32(error), wanted, RELU6), -error, atol=2e-3)


def test_what_saturates_in_both_is_no_error() -> None:
    wanted = np.full((2, 100), 9.0, np.float32)
    raw = wanted + np.array([[40.0], [-2.0]], np.float32)
    np.testing.assert_array_equal(zero_mean_shift(raw, wanted, RELU6), [0.0, 0.0])


def test_a_channel_that_the_quantized_layer_cuts_off_is_brought_back() -> None:
    wanted = np.random.default_rng(0).uniform(0.5, 1.0, size=(1, 400)).astype(np.float32)
    raw = wanted - 0.8
    shift = zero_mean_shift(raw, wanted, RELU6)
    np.testing.assert_allclose(np.clip(raw + shift[0], 0, 6).mean(), wanted.mean(), atol=0.01)


@given(st.integers(1, 6), st.integers(1, 40), st.integers(1, 300), st.integers(0, 10))
@settings(deadline=None, max_examples=50)
def test_columns_are_positions_of_every_channel(samples: int, length: int, step: int, offset: int) -> None:
    array = np.arange(samples * 2 * length, dtype=np.float32).reshape(samples, 2, length)
    found = columns(array, step, offset)
    np.testing.assert_array_equal(found[1] - found[0], length)
    assert found.shape[1] <= samples * length
    assert columns(array, step, 0).size > 0
    assert set(found[0]) <= set(array[:, 0].reshape(-1))


def test_the_step_leaves_enough_positions_and_shortens_many() -> None:
    assert step_over([np.zeros((4, 3, 10, 10))]) == 1
    assert step_over([np.zeros((10, 1, 300, 300))] * 2) > 100


def test_the_mean_error_of_every_channel_vanishes() -> None:
    hub, samples = conv_net(), Samples(x=pictures())
    wrong = np.linspace(-1, 1, 8).astype(np.float32)
    broken = off_by(off_by(planned(hub, samples), Use("stem", 2), wrong), Use("branch", 2), -3 * wrong)
    corrected = correct_biases(hub, broken, samples, Silent())
    feeds = {"x": pictures()}
    (real,), (before,), (after,) = answers(hub, feeds), answers(hub, feeds, broken), answers(hub, feeds, corrected)
    step = float(corrected.values["y"].scale)
    assert np.abs(channel_means(before) - channel_means(real)).max() > 10 * step
    assert np.abs(channel_means(after) - channel_means(real)).max() < 0.5 * step


def test_only_biases_change_and_they_stay_int32() -> None:
    hub, samples = conv_net(), Samples(x=pictures())
    before = planned(hub, samples)
    after = correct_biases(hub, before, samples, Silent())
    changed = {use for use in before.constants if before.constants[use] is not after.constants[use]}
    assert changed == {Use("stem", 2), Use("branch", 2)}
    assert all(after.constants[use].integers.dtype == np.int32 for use in changed)
    assert after.values is before.values


def test_the_result_is_the_same_every_time_and_for_a_fixed_batch() -> None:
    samples = Samples(x=pictures())
    biases = []
    for hub in (conv_net(), conv_net(), conv_net(batch=4)):
        corrected = correct_biases(hub, planned(hub, samples), samples, Silent())
        biases.append(corrected.constants[Use("branch", 2)])
    np.testing.assert_array_equal(biases[0].integers, biases[1].integers)
    step = float(planned(conv_net(), samples).values["y"].scale)
    difference = biases[0].params.dequantize(biases[0].integers) - biases[2].params.dequantize(biases[2].integers)
    assert np.abs(difference).max() < 0.1 * step


def test_dense_layers_two_inputs_and_float_nodes_between_are_walked_through() -> None:
    graph = GraphBuilder()
    rng = np.random.default_rng(8)

    def dense(x: object, name: str) -> object:
        weight = graph.constant(rng.normal(size=(6, 6)).astype(np.float32))
        return graph.op("Gemm", x, weight, graph.constant(rng.normal(size=6).astype(np.float32)), name=name)  # type: ignore[arg-type]

    left, right = graph.input("left", "float32", ["n", 6]), graph.input("right", "float32", ["n", 6])
    joined = graph.op("Concat", dense(left, "a"), dense(right, "b"), axis=1, name="join")  # type: ignore[arg-type]
    first, second = graph.ops("Split", joined, outputs=2, axis=1, num_outputs=2, name="split")
    odd = graph.op("Sin", graph.op("Sub", first, second, name="difference"), name="sin")
    graph.output(dense(dense(odd, "c"), "d"), "y")  # type: ignore[arg-type]
    graph.output(graph.op("Shape", odd, name="shape"), "shape")
    hub = graph.build("test")
    feeds = {name: rng.normal(size=(300, 6)).astype(np.float32) for name in ("left", "right")}
    samples = Samples(**feeds)
    broken = off_by(planned(hub, samples), Use("c", 2), np.full(6, 2.0, np.float32))
    corrected = correct_biases(hub, broken, samples, Silent())
    real, after = answers(hub, feeds)[0], answers(hub, feeds, corrected)[0]
    assert np.abs(real.mean(axis=0) - after.mean(axis=0)).max() < 0.5 * float(corrected.values["y"].scale)


def test_a_model_without_biases_keeps_its_plan_and_reads_no_sample() -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["n", 6])
    weight = graph.constant(np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32))
    graph.output(graph.op("Gemm", x, weight, name="dense"), "y")
    hub = graph.build("test")
    samples = Samples(x=np.random.default_rng(1).normal(size=(10, 6)).astype(np.float32))
    before = planned(hub, samples)
    read = samples.passes
    assert correct_biases(hub, before, samples, Silent()) is before
    assert samples.passes == read


@pytest.mark.parametrize("size", [1, 7, 100])
def test_picked_samples_are_spread_evenly_over_all(size: int) -> None:
    chosen = Picked(Samples(x=np.arange(90, dtype=np.float32)), spread(90, 9))
    batches = list(chosen.batches(size))
    np.testing.assert_array_equal(np.concatenate([batch.feeds["x"] for batch in batches]), np.arange(0, 90, 10))
    assert all(len(batch) <= size for batch in batches)
    assert len(chosen) == 9

"""Odd channel counts between integer convolutions are filled up for ONNX Runtime's kernels; every result stays the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from samples_in_memory import Samples

from edgekit.protocols import Silent
from edgekit.recipe import Recipe
from edgekit.target import load_target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.quantize.params import QuantType
from edgekit_converters.quantize.quantize import quantize
from edgekit_converters.writers.onnx import OnnxOptions, write_onnx

RNG = np.random.default_rng(3)


class Network:
    """Layers one after the other, on pictures of 10x10."""

    def __init__(self, channels: int) -> None:
        self.build, self.channels = GraphBuilder(), channels
        self.value = self.build.input("x", "float32", ["N", channels, 10, 10])

    def convolution(self, results: int, kernel: int = 3, group: int = 1) -> Network:
        inputs = self.channels // group
        weights = RNG.normal(0, (2 / (kernel**2 * inputs)) ** 0.5, (results, inputs, kernel, kernel))
        operands = [self.build.constant(a.astype(np.float32)) for a in (weights, RNG.normal(0, 0.2, results))]
        made = self.build.op("Conv", self.value, *operands, pads=[kernel // 2] * 4, group=group)
        self.value, self.channels = self.build.op("Relu", made), results
        return self

    def added_to(self, other: object) -> Network:
        self.value = self.build.op("Add", self.value, other)
        return self

    def means(self) -> Network:
        self.value = self.build.op("GlobalAveragePool", self.value)
        return self

    def hub(self) -> Hub:
        self.build.output(self.value, "y")
        return normalize(self.build.build("test"))


def chain(channels: int) -> Hub:
    return Network(4).convolution(channels).convolution(channels).convolution(4).hub()


def residual(channels: int) -> Hub:
    network = Network(4).convolution(channels)
    before = network.value
    return network.convolution(channels + 2).convolution(channels).added_to(before).convolution(4, 1).hub()


def separable(channels: int) -> Hub:
    return Network(4).convolution(channels, 1).convolution(channels, 3, channels).convolution(4, 1).hub()


def files(hub: Hub, tmp_path) -> tuple[str, str]:
    """As written for x86, with counts filled up, and for others."""
    x = (RNG.standard_normal((16, 4, 10, 10)) + 0.4).astype(np.float32)
    found = quantize(hub, Recipe(), load_target("cpu"), Samples(x=x), Silent())
    paths = str(tmp_path / "wide.onnx"), str(tmp_path / "plain.onnx")
    for path, kind in zip(paths, (QuantType.UINT8, QuantType.INT8), strict=True):
        write_onnx(found.hub, found.plan, tmp_path / path, OnnxOptions(activation_type=kind))
    return paths


def shapes(path: str) -> set[tuple[int, ...]]:
    kinds = [each for each in onnx.load(path).graph.initializer if each.data_type == onnx.TensorProto.INT8]
    return {tuple(each.dims[:2]) for each in kinds if len(each.dims) == 4}


def answers(path: str) -> np.ndarray:
    x = np.random.default_rng(8).standard_normal((8, 4, 10, 10)).astype(np.float32)
    found: np.ndarray = onnxruntime.InferenceSession(path).run(None, {"x": x})[0]
    return found


@pytest.mark.parametrize(
    ("hub", "wide"),
    [
        (chain(6), {(16, 4), (16, 16), (4, 16)}),
        (chain(18), {(20, 4), (20, 20), (4, 20)}),
        (residual(14), {(16, 4), (16, 16), (4, 16)}),
        (separable(24), {(32, 4), (32, 1), (4, 32)}),
    ],
)
def test_counts_are_filled_up_and_every_result_stays(tmp_path, hub, wide):
    filled, plain = files(hub, tmp_path)
    assert shapes(filled) == wide
    np.testing.assert_array_equal(answers(filled), answers(plain))


@pytest.mark.parametrize("hub", [chain(16), chain(20), separable(32), Network(4).convolution(6).means().hub()])
def test_counts_that_kernels_like_or_that_others_read_stay(tmp_path, hub):
    filled, plain = files(hub, tmp_path)
    assert shapes(filled) == shapes(plain)


def test_few_channels_of_large_kernels_stay(tmp_path):
    filled, plain = files(Network(4).convolution(6, 7).convolution(4, 7).hub(), tmp_path)
    assert shapes(filled) == shapes(plain)

"""Inside a channels-last network no op brings a transposition, and int8 networks stay one XNNPACK partition."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from onnxruntime_twin import (
    assert_equal_outputs,
    floats,
    litert_outputs,
    onnxruntime_outputs,
    op_names,
    open_interpreter,
)

from edgekit.protocols import Batch, Silent
from edgekit.recipe import Effort, Recipe
from edgekit.target import Target
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.quantize.quantize import quantize
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

Body = Callable[[GraphBuilder, ir.Value], ir.Value]


def constant(graph: GraphBuilder, *numbers: int) -> ir.Value:
    return graph.constant(np.array(numbers, np.int64))


def squeeze_excitation(graph: GraphBuilder, x: ir.Value) -> ir.Value:
    pooled = graph.op("ReduceMean", x, constant(graph, 2, 3), keepdims=1)
    return graph.op("Mul", x, graph.op("Sigmoid", conv(graph, pooled, 8, 8, 1)))


def flat_squeeze_excitation(graph: GraphBuilder, x: ir.Value) -> ir.Value:
    pooled = graph.op("ReduceMean", x, constant(graph, 2, 3), keepdims=0)
    weights = graph.constant(floats(8, 8))
    dense = graph.op("Gemm", pooled, weights, graph.constant(np.zeros(8, np.float32)))
    return graph.op("Mul", x, graph.op("Reshape", dense, constant(graph, 1, 8, 1, 1)))


def split_and_join(graph: GraphBuilder, x: ir.Value) -> ir.Value:
    left, right = graph.ops("Split", x, outputs=2, axis=1, num_outputs=2)
    return graph.op("Concat", graph.op("Neg", right), left, axis=1)


def shuffle(graph: GraphBuilder, x: ir.Value) -> ir.Value:
    """ShuffleNet's exchange of channel groups."""
    groups = graph.op("Reshape", x, constant(graph, 1, 2, 4, 6, 6))
    return graph.op("Reshape", graph.op("Transpose", groups, perm=[0, 2, 1, 3, 4]), constant(graph, 1, 8, 6, 6))


BODIES: dict[str, Body] = {
    "residual": lambda graph, x: graph.op("Add", x, conv(graph, x, 8, 8, 1)),
    "scaled channels": lambda graph, x: graph.op("Mul", x, graph.constant(floats(8, 1, 1))),
    "squeeze-excitation": squeeze_excitation,
    "flat squeeze-excitation": flat_squeeze_excitation,
    "concat": lambda graph, x: graph.op("Concat", x, conv(graph, x, 8, 8, 1), axis=1),
    "split and concat": split_and_join,
    "pad": lambda graph, x: graph.op("Pad", x, constant(graph, 0, 0, 1, 2, 0, 0, 2, 1)),
    "reflect": lambda graph, x: graph.op("Pad", x, constant(graph, 0, 0, 1, 2, 0, 0, 2, 1), mode="reflect"),
    "slice": lambda graph, x: graph.op("Slice", x, constant(graph, 1, 0), constant(graph, 7, 4), constant(graph, 1, 3)),
    "nearest": lambda graph, x: graph.op("Resize", x, None, None, constant(graph, 1, 8, 12, 12)),
    "odd nearest": lambda graph, x: graph.op("Resize", x, None, None, constant(graph, 1, 8, 9, 7), nearest_mode="ceil"),
    "bilinear": lambda graph, x: graph.op("Resize", x, None, None, constant(graph, 1, 8, 12, 9), mode="linear"),
    "cubic": lambda graph, x: graph.op("Resize", x, None, None, constant(graph, 1, 8, 12, 9), mode="cubic"),
    "depth to space": lambda graph, x: graph.op("DepthToSpace", x, blocksize=2),
    "space to depth": lambda graph, x: graph.op("SpaceToDepth", x, blocksize=2),
    "channel maximum": lambda graph, x: graph.op("Mul", x, graph.op("ReduceMax", x, constant(graph, 1), keepdims=1)),
    "choice": lambda graph, x: graph.op("Where", graph.op("Greater", x, graph.constant(0.0)), x, graph.op("Exp", x)),
    "gather": lambda graph, x: graph.op("Gather", x, constant(graph, 0, 3, 3, 7, -1), axis=1),
    "edge": lambda graph, x: graph.op("Pad", x, constant(graph, 0, 0, 1, 2, 0, 0, 2, 1), mode="edge"),
    "wide reflect": lambda graph, x: graph.op("Pad", x, constant(graph, 0, 0, 2, 2, 0, 0, 2, 2), mode="reflect"),
    "uneven split": lambda graph, x: graph.ops("Split", x, constant(graph, 1, 5, 2), outputs=3, axis=1)[1],
    "tile": lambda graph, x: graph.op("Tile", x, constant(graph, 1, 2, 1, 1)),
}


ALONE = ("nearest", "odd nearest", "choice", "tile")
"""Bodies with an operator that XNNPACK does not compute on int8."""


def conv(graph: GraphBuilder, x: ir.Value, into: int, out_of: int, size: int) -> ir.Value:
    weights = graph.constant(floats(out_of, into, size, size, seed=into))
    return graph.op("Conv", x, weights, graph.constant(np.zeros(out_of, np.float32)), pads=[size // 2] * 4)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_transposition_between_convolutions(body: Body, tmp_path: Path) -> None:
    graph = GraphBuilder()
    first = conv(graph, graph.input("x", "float32", (1, 3, 6, 6)), 3, 8, 3)
    middle = body(graph, first)
    assert middle.shape is not None
    last = conv(graph, middle, int(middle.shape[1]), 4, 3)  # type: ignore[arg-type]  # the shapes here are static
    graph.output(graph.op("GlobalAveragePool", last), "y")
    assert_equal_outputs(graph.build("test"), {"x": floats(1, 3, 6, 6)}, tmp_path, tolerance=2e-4)
    assert op_names(tmp_path / "model.tflite").count("TRANSPOSE") == 1, "the input's own, from NCHW"


def test_channel_shuffle_costs_one_transposition(tmp_path: Path) -> None:
    graph = GraphBuilder()
    first = conv(graph, graph.input("x", "float32", (1, 3, 6, 6)), 3, 8, 3)
    graph.output(graph.op("GlobalAveragePool", conv(graph, shuffle(graph, first), 8, 4, 3)), "y")
    assert_equal_outputs(graph.build("test"), {"x": floats(1, 3, 6, 6)}, tmp_path, tolerance=2e-4)
    assert op_names(tmp_path / "model.tflite").count("TRANSPOSE") == 2


class Noise:
    """Samples for calibration."""

    def __init__(self, count: int) -> None:
        self._feeds = {"x": floats(count, 3, 6, 6)}

    def __len__(self) -> int:
        return len(self._feeds["x"])

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self), size):
            yield Batch({name: array[start : start + size] for name, array in self._feeds.items()})


NOISE = Noise(16)


@pytest.mark.parametrize("name", [name for name in BODIES if name not in ALONE])
def test_an_int8_network_is_one_partition_and_near_float(name: str, tmp_path: Path) -> None:
    graph = GraphBuilder()
    first = graph.op("Relu", conv(graph, graph.input("x", "float32", (1, 3, 6, 6)), 3, 8, 3))
    middle = BODIES[name](graph, first)
    assert middle.shape is not None
    last = conv(graph, middle, int(middle.shape[1]), 4, 3)  # type: ignore[arg-type]  # the shapes here are static
    graph.output(graph.op("GlobalAveragePool", last), "y")
    hub = normalize(graph.build("test"))
    plan = quantize(hub, Recipe(effort=Effort.PLAIN), Target("cpu", "cpu"), NOISE, Silent()).plan
    path = tmp_path / "model.tflite"
    write_tflite(hub, plan, path, TfliteOptions())
    ops = [op["op_name"] for op in open_interpreter(path, "default")._get_ops_details()]
    assert ops.count("DELEGATE") == 1
    errors, signals = [], []
    for batch in NOISE.batches(1):
        expected = onnxruntime_outputs(hub, dict(batch.feeds))["y"]
        errors.append(litert_outputs(path, dict(batch.feeds))["y"] - expected)
        signals.append(expected)
    decibels = 10 * np.log10(np.mean(np.square(signals)) / np.mean(np.square(errors)))
    assert decibels > 25

"""The pass over the layers: what it computes is what the written int8 file computes, whatever the nodes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from numpy.typing import NDArray
from samples_in_memory import Samples

from edgekit.protocols import Silent
from edgekit.recipe import Observer, Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.calibrate import calibrate
from edgekit_converters.quantize.params import per_tensor
from edgekit_converters.quantize.plan import plan
from edgekit_converters.quantize.quant_plan import QuantizedConstant, QuantPlan, Use
from edgekit_converters.quantize.scheme import scheme
from edgekit_converters.quantize.sequential import Layer, walk
from edgekit_converters.quantize.sequential_group import Group, groups_of
from edgekit_converters.quantize.sequential_samples import MEMORY_BYTES, Picked, most_alive, picked, run_size
from edgekit_converters.quantize.sequential_storage import kept
from edgekit_converters.writers.onnx.write import OnnxOptions, quantized_model


class Watch:
    """A step that changes nothing and notes, by node, the raw outputs and targets of the nodes it is asked about."""

    def __init__(self, *nodes: str) -> None:
        self._nodes = nodes
        self.raw: dict[str, NDArray[np.float32]] = {}
        self.targets: dict[str, NDArray[np.float32]] = {}

    def applies(self, group: Group, plan: QuantPlan) -> bool:
        return group.name in self._nodes

    def improve(self, layer: Layer) -> Mapping[Use, QuantizedConstant]:
        self.raw[layer.group.name] = np.concatenate(list(layer.raw_outputs()))
        self.targets[layer.group.name] = np.concatenate(layer.targets).astype(np.float32)
        return {}


class Net:
    """A graph under construction on the input ``x`` (n, 4, 8, 8), with random weights."""

    def __init__(self) -> None:
        self.graph = GraphBuilder()
        self.x = self.graph.input("x", "float32", ["n", 4, 8, 8])
        self._rng = np.random.default_rng(2)

    def conv(self, x: ir.Value, name: str) -> ir.Value:
        weight = self.graph.constant(0.3 * self._rng.normal(size=(4, 4, 3, 3)).astype(np.float32))
        bias = self.graph.constant(self._rng.normal(size=4).astype(np.float32))
        return self.graph.op("Conv", x, weight, bias, name=name, pads=[1, 1, 1, 1])

    def hub(self, output: ir.Value) -> Hub:
        self.graph.output(output, "y")
        return self.graph.build("test")


def pictures(count: int = 20) -> NDArray[np.float32]:
    return np.random.default_rng(3).normal(size=(count, 4, 8, 8)).astype(np.float32)


def planned(hub: Hub) -> QuantPlan:
    recipe, target = Recipe(), Target("cpu", "CPU")
    decided = scheme(hub, recipe, target)
    ranges = calibrate(hub, dict.fromkeys(decided.observed, Observer.MIN_MAX), Samples(x=pictures()), Silent())
    return plan(hub, recipe, target, decided, ranges)


def run(hub: Hub, plan: QuantPlan | None = None) -> NDArray[np.float32]:
    """The answer of the float hub, or of the written int8 model without graph optimization."""
    model = hub if plan is None else quantized_model(hub, plan, OnnxOptions())
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.to_bytes(), options, providers=["CPUExecutionProvider"])
    answer: NDArray[np.float32] = session.run(None, {"x": pictures()})[0]
    return answer


def squeezed(net: Net) -> ir.Value:
    return net.conv(net.graph.op("Relu", net.conv(net.x, "first"), name="relu"), "last")


def joined(net: Net) -> ir.Value:
    """Concat wants one encoding; a sigmoid's is fixed, so it is requantized for that use."""
    first = net.conv(net.x, "first")
    both = net.graph.op("Concat", net.graph.op("Sigmoid", first, name="gate"), first, axis=1, name="join")
    left, _ = net.graph.ops("Split", both, outputs=2, axis=1, num_outputs=2, name="split")
    return net.conv(left, "last")


def scaled(net: Net) -> ir.Value:
    """A constant operand, a value used twice, a pooling that shares its input's encoding."""
    first = net.conv(net.x, "first")
    half = net.graph.op("Mul", first, net.graph.constant(np.full((1, 4, 1, 1), 0.7, np.float32)), name="mul")
    square = net.graph.op("Mul", half, half, name="square")
    return net.conv(net.graph.op("MaxPool", square, kernel_shape=[2, 2], strides=[1, 1], name="pool"), "last")


def interrupted(net: Net) -> ir.Value:
    """A node that stays float between integer ones."""
    return net.conv(net.graph.op("Sin", net.conv(net.x, "first"), name="sin"), "last")


@pytest.mark.parametrize("build", [squeezed, joined, scaled, interrupted])
def test_the_quantized_prefix_is_what_the_written_file_computes(build: object) -> None:
    net = Net()
    hub = net.hub(build(net))  # type: ignore[operator]
    decided = planned(hub)
    watch = Watch("last")
    walk(hub, decided, Samples(x=pictures()), watch, Silent())
    params = decided.values["y"]
    found = params.dequantize(params.quantize(watch.raw["last"]))
    np.testing.assert_allclose(found, run(hub, decided), atol=1.01 * float(params.scale))
    # float16 between float nodes moves a few values over the edge of a step.
    assert (found == run(hub, decided)).mean() > 0.97
    np.testing.assert_allclose(watch.targets["last"], run(hub), atol=0.25 * float(params.scale))


def test_a_clamp_that_the_encoding_does_not_perform_is_computed() -> None:
    net = Net()
    hub = net.hub(squeezed(net))
    decided = planned(hub)
    wide = per_tensor(0.1, 0)
    decided = replace(
        decided,
        values={**decided.values, "relu_out": wide},
        fusions={"first": replace(decided.fusions["first"], implied=False)},
    )
    watch = Watch("first", "last")
    walk(hub, decided, Samples(x=pictures()), watch, Silent())
    assert watch.raw["first"].min() < 0.0
    assert watch.targets["first"].min() == 0.0
    exact = np.clip(np.rint(np.maximum(watch.raw["first"], 0.0) / 0.1), 0, 127) * 0.1
    weight = decided.constants[Use("last", 1)]
    bias = decided.constants[Use("last", 2)]
    padded = np.pad(exact, ((0, 0), (0, 0), (1, 1), (1, 1)))
    window = padded[:, :, 2:5, 4:7]
    expected = np.einsum("nchw,ochw->no", window, weight.params.dequantize(weight.integers))
    expected += bias.params.dequantize(bias.integers)
    np.testing.assert_allclose(watch.raw["last"][:, :, 2, 4], expected[:, :], atol=1e-3)


def test_values_that_a_subgraph_reads_from_outside_are_brought_to_it() -> None:
    net = Net()
    first = net.conv(net.x, "first")
    one = net.graph.constant(np.ones((), np.float32), "one")
    flag = net.graph.op("Greater", net.graph.op("ReduceMax", net.x, keepdims=0, name="top"), one, name="flag")
    branches = []
    for op in ("Add", "Sub"):
        node = ir.node(op, [first, one], name=f"{op}_inside")
        node.outputs[0].name = f"{op}_result"
        node.outputs[0].type, node.outputs[0].shape = first.type, first.shape
        branches.append(ir.Graph([], node.outputs, nodes=[node], opset_imports={"": 21}, name=op))
    chosen = net.graph.op("If", flag, name="choose", then_branch=branches[0], else_branch=branches[1])
    hub = net.hub(net.conv(chosen, "last"))
    (group,) = [group for group in groups_of(hub, QuantPlan(planned(hub).precision)) if group.name == "choose"]
    assert {value.name for value in group.inputs} == {"flag_out", "first_out"}
    watch = Watch("last")
    walk(hub, planned(hub), Samples(x=pictures()), watch, Silent())
    np.testing.assert_allclose(watch.targets["last"], run(hub), atol=0.02)


def test_memory_bounds_the_number_of_samples() -> None:
    net = Net()
    hub = net.hub(squeezed(net))
    groups = groups_of(hub, planned(hub))
    assert most_alive(groups) == 2 * 4 * 8 * 8
    assert picked(Samples(x=pictures()), groups) is not None
    many = Samples(x=np.lib.stride_tricks.as_strided(pictures(1), (10**7, 4, 8, 8), (0, 256, 32, 4)))
    chosen = picked(many, groups)
    assert isinstance(chosen, Picked)
    assert len(chosen) * 3 * most_alive(groups) <= MEMORY_BYTES
    assert 1 <= run_size(hub, groups) <= 256


def test_kept_arrays_are_equal_copies() -> None:
    for size in (10, 100_000):
        array = np.arange(size, dtype=np.float16).reshape(2, -1)
        np.testing.assert_array_equal(kept(array), array)
        assert kept(array).dtype == array.dtype

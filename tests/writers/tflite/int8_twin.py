"""Int8 TFLite files against a simulation: the float op on dequantized integers, its result quantized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnxruntime_twin import Arrays, litert_outputs, onnxruntime_outputs

from edgekit.recipe import IoType, Precision
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.params import QuantParams, QuantType, per_tensor
from edgekit_converters.quantize.quant_plan import Execution, Fusion, NodePlan, QuantizedConstant, QuantPlan, Use
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite


@dataclass
class IntegerModel:
    """A hub and its plan, built side by side. Every constant is exact in both: its floats are integers times a scale."""

    graph: GraphBuilder = field(default_factory=GraphBuilder)
    values: dict[str, QuantParams] = field(default_factory=dict)
    constants: dict[Use, QuantizedConstant] = field(default_factory=dict)
    fusions: dict[str, Fusion] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    uses: dict[Use, QuantParams] = field(default_factory=dict)
    seed: int = 0

    def input(self, name: str, shape: tuple[int, ...], scale: float = 0.05, zero_point: int = 3) -> ir.Value:
        self.values[name] = per_tensor(scale, zero_point)
        return self.graph.input(name, "float32", shape)

    def integers(self, *shape: int, high: int = 127) -> NDArray[np.int8]:
        self.seed += 1
        return np.random.default_rng(self.seed).integers(-high, high, shape, endpoint=True).astype(np.int8)

    def weights(self, node: str, *shape: int, axis: int | None = 0, index: int = 1) -> ir.Value:
        """A per-channel (or, axis None, per-tensor) weight of the node that will bear the name ``node``."""
        integers = self.integers(*shape)
        channels = () if axis is None else (shape[axis],)
        scale = np.random.default_rng(self.seed).uniform(0.002, 0.01, channels).astype(np.float32)
        params = QuantParams(
            np.asarray(scale), np.zeros(channels, np.int32), QuantType.INT8, axis, symmetric_range=True
        )
        return self._constant(Use(node, index), integers, params)

    def bias(self, node: str, count: int, source: ir.Value, channel_axis: int | None = 0) -> ir.Value:
        """Int32 of scale (input x weight) for input 2 of a node whose weight was made by `weights`."""
        weight = self.constants[Use(node, 1)].params
        assert source.name is not None
        scale = self.values[source.name].scale * weight.scale
        if scale.ndim and scale.size != count:
            scale = np.tile(scale, count // scale.size)
        axis = 0 if scale.ndim else None
        params = QuantParams(np.asarray(scale), np.zeros(scale.shape, np.int32), QuantType.INT32, axis)
        self.seed += 1
        integers = np.random.default_rng(self.seed).integers(-5000, 5000, count).astype(np.int32)
        return self._constant(Use(node, 2), integers, params)

    def operand(self, use: Use, array: NDArray[np.int8], params: QuantParams) -> ir.Value:
        """Any other constant operand."""
        return self._constant(use, array, params)

    def op(
        self, op: str, *inputs: ir.Value | None, output: QuantParams | None = None, name: str = "", **attributes: Any
    ) -> ir.Value:
        value = self.graph.op(op, *inputs, name=name or op, **attributes)
        producer = value.producer()
        assert value.name is not None
        assert producer is not None
        assert producer.name is not None
        self.executions[producer.name] = Execution.INTEGER
        if output is not None:
            self.values[value.name] = output
        return value

    def output(self, value: ir.Value, name: str = "y") -> None:
        assert value.name is not None
        if value.name in self.values:
            self.values[name] = self.values.pop(value.name)
        self.graph.output(value, name)

    def plan(self) -> QuantPlan:
        nodes = {name: NodePlan(execution) for name, execution in self.executions.items()}
        return QuantPlan(Precision.INT8, self.values, self.uses, self.constants, self.fusions, nodes)

    def hub(self) -> Hub:
        return self.graph.build("test")

    def _constant(self, use: Use, integers: NDArray[Any], params: QuantParams) -> ir.Value:
        self.constants[use] = QuantizedConstant(integers, params)
        return self.graph.constant(params.dequantize(integers), f"{use.node}_{use.index}")


def simulated(model: IntegerModel, feeds: Arrays) -> Arrays:
    """Int8 outputs for int8 feeds."""
    hub = model.hub()
    real = {name: model.values[name].dequantize(array) for name, array in feeds.items()}
    return {name: model.values[name].quantize(array) for name, array in onnxruntime_outputs(hub, real).items()}


def random_integers(hub: Hub) -> Arrays:
    generator = np.random.default_rng(7)
    shapes: Mapping[str, Any] = {spec.name: spec.shape for spec in hub.inputs}
    return {name: generator.integers(-128, 127, shape, endpoint=True).astype(np.int8) for name, shape in shapes.items()}


def assert_within_steps(model: IntegerModel, folder: Path, steps: int = 1, share: float = 0.05) -> Path:
    """Both kernel families answer as the simulation: at most ``steps`` off, and that in at most a ``share`` of all."""
    hub, path = model.hub(), folder / "model.tflite"
    feeds = random_integers(hub)
    write_tflite(hub, model.plan(), path, TfliteOptions(io=IoType.INT8))
    expected = simulated(model, feeds)
    for kernels in ("default", "reference"):
        found = litert_outputs(path, feeds, kernels)
        for name, array in expected.items():
            assert found[name].dtype == np.int8
            assert found[name].shape == array.shape
            difference = np.abs(found[name].astype(int) - array.astype(int))
            assert difference.max() <= steps, f"{name} with {kernels} kernels: up to {difference.max()} steps"
            assert (difference > 0).mean() <= share, (
                f"{name} with {kernels} kernels: {(difference > 0).mean():.1%} differ"
            )
    return path

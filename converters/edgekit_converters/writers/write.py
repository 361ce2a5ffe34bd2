"""`write`: one format, one target, one file; what the writers' own options are follows from recipe and target."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.artifact import Quantization, TensorSpec
from edgekit.recipe import IoType, Prefer, Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.params import QuantType
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.end_encoding import end_encoding


@dataclass(frozen=True, slots=True)
class Written:
    """What the manifest says of a file that was just written. ``parameters`` counts the float model's numbers."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    parameters: int


def write(
    file_format: str,
    hub: Hub,
    plan: QuantPlan,
    path: Path,
    recipe: Recipe,
    target: Target,
    input_shapes: Mapping[str, tuple[int, ...]],
) -> Written:
    """Write ``hub`` as ``plan`` says in ``file_format`` ("onnx" or "tflite").

    Raises UnsupportedOpError and ConversionError as the writers do.
    """
    io = recipe.io if plan.precision.calibrated else IoType.FLOAT32
    batch: int | None = None
    if file_format == "onnx":
        from edgekit_converters.writers.onnx import OnnxOptions, write_onnx

        activation_type = QuantType.UINT8 if target.onnx_activation_type == "uint8" else QuantType.INT8
        write_onnx(hub, plan, path, OnnxOptions(io, activation_type, target.onnx_contrib_ops, target.onnx_opset))
    else:
        from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

        batch = target.fixed_batch
        integer_only = target.integer_only and plan.precision.calibrated
        unroll_steps = 1 if recipe.prefer is Prefer.SIZE else recipe.unroll_steps
        write_tflite(hub, plan, path, TfliteOptions(batch, input_shapes, io, integer_only, unroll_steps))
    return Written(
        inputs=_specs(hub.inputs, plan, io, batch),
        outputs=_specs(hub.outputs, plan, io, batch),
        parameters=_parameters(hub),
    )


def _specs(specs: Iterable[TensorSpec], plan: QuantPlan, io: IoType, batch: int | None) -> tuple[TensorSpec, ...]:
    return tuple(_with_encoding(_with_batch(spec, batch), plan, io) for spec in specs)


def _with_batch(spec: TensorSpec, batch: int | None) -> TensorSpec:
    if batch is None or not spec.shape or isinstance(spec.shape[0], int):
        return spec
    return replace(spec, shape=(batch, *spec.shape[1:]))


def _with_encoding(spec: TensorSpec, plan: QuantPlan, io: IoType) -> TensorSpec:
    stored = end_encoding(spec.name, spec.dtype, plan, io)
    if stored is None:
        return spec
    quantization = Quantization(float(stored.scale), int(stored.zero_point))
    return replace(spec, dtype=stored.dtype.numpy_name, quantization=quantization)


def _parameters(hub: Hub) -> int:
    initializers = hub.model.graph.initializers.values()
    return sum(math.prod(value.const_value.shape.numpy()) for value in initializers if value.const_value is not None)

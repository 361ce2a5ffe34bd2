"""`correct_biases`: biases that make up for the mean error of each channel, layer after layer.

Source: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, section 4.2
(empirical form). Here the mean is taken behind the clamp that follows, on inputs from the quantized layers before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.protocols import Dataset, Progress
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.correct_shift import Bounds, columns, step_over, zero_mean_shift
from edgekit_converters.quantize.params import QuantType
from edgekit_converters.quantize.quant_plan import Execution, QuantizedConstant, QuantPlan, Use
from edgekit_converters.quantize.scheme import clamp_bounds, value_name
from edgekit_converters.quantize.sequential import Layer, walk
from edgekit_converters.quantize.sequential_group import Group


def correct_biases(hub: Hub, plan: QuantPlan, samples: Dataset, progress: Progress) -> QuantPlan:
    """The plan with the int32 bias of every integer layer shifted so that the mean of each output channel is the float one."""
    return walk(hub, plan, samples, BiasCorrection(), progress)


class BiasCorrection:
    """The step of the `standard` effort."""

    def applies(self, group: Group, plan: QuantPlan) -> bool:
        return (
            bool(group.outputs) and plan.execution(group.name) is Execution.INTEGER and _bias(group, plan) is not None
        )

    def improve(self, layer: Layer) -> Mapping[Use, QuantizedConstant]:
        use = _bias(layer.group, layer.plan)
        assert use is not None
        bias = layer.plan.constants[use]
        shift = zero_mean_shift(*_columns(layer), _bounds(layer))
        integers = bias.integers + np.rint(shift / bias.params.scale.astype(np.float64))
        limits = np.iinfo(bias.params.dtype.dtype)
        return {use: replace(bias, integers=np.clip(integers, limits.min, limits.max).astype(limits.dtype))}


def _bias(group: Group, plan: QuantPlan) -> Use | None:
    for index in range(len(group.node.inputs)):
        constant = plan.constants.get(Use(group.name, index))
        if constant is not None and constant.params.dtype in (QuantType.INT32, QuantType.INT64):
            return Use(group.name, index)
    return None


def _columns(layer: Layer) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The same positions of the quantized layer's raw output and of the float target, each (channels, positions)."""
    step = step_over(layer.targets)
    wanted = np.concatenate([columns(target, step, index) for index, target in enumerate(layer.targets)], axis=1)
    # Made before the large outputs come and go, so that it does not stand between them on the heap.
    raw, filled = np.empty_like(wanted), 0
    for index, output in enumerate(layer.raw_outputs()):
        some = columns(output, step, index)
        raw[:, filled : filled + some.shape[1]] = some
        filled += some.shape[1]
    return raw, wanted


def _bounds(layer: Layer) -> Bounds:
    """What the output can hold: the fused activation's bounds inside the encoding's range."""
    group = layer.group
    low, high = layer.plan.values[value_name(group.outputs[0])].real_range()
    clamp = clamp_bounds(group.activation) if group.activation is not None else None
    if clamp is not None:
        low = low if clamp[0] is None else max(low, clamp[0])
        high = high if clamp[1] is None else min(high, clamp[1])
    return Bounds(low, high)

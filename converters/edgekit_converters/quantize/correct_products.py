"""`correct_products`: biases that make up for what rounding the weights of products does to the mean of their outputs.

The error of a token is random and averages out over a sentence; its mean stays. Rounding changes a column of weights by ``d``,
and the mean of that output by ``mean(x) d``, which the bias can take out for free (Nagel et al. 2019, section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.protocols import Dataset, Progress
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.quant_plan import Execution, QuantizedConstant, QuantPlan, Use
from edgekit_converters.quantize.scheme import constant_array, name_of, value_name
from edgekit_converters.quantize.smooth_rows import sample_rows
from edgekit_converters.quantize.tokens import bias_addition
from edgekit_converters.quantize.weights import weight_of

MOST_SAMPLES = 128
"""From which a mean is known well enough."""


def correct_products(hub: Hub, plan: QuantPlan, samples: Dataset, progress: Progress) -> QuantPlan:
    """The plan with the bias of every product shifted; products without a bias stay as they are."""
    nodes = [node for node in hub.model.graph if plan.execution(name_of(node)) is Execution.PRODUCT]
    biased = [(node, addition) for node in nodes if (addition := bias_addition(node)) is not None]
    if not biased:
        return plan
    names = list(dict.fromkeys(value_name(node.inputs[0]) for node, _ in biased))
    rows = sample_rows(hub, names, samples, progress, MOST_SAMPLES)
    shifted: dict[Use, QuantizedConstant] = {}
    for node, (adding, index) in biased:
        use = Use(name_of(adding), index)
        shifted[use] = _shifted(
            plan.constants[use], rows[value_name(node.inputs[0])].mean @ _lost(node, plan.constants)
        )
    return replace(plan, constants={**plan.constants, **shifted})


def _lost(node: ir.Node, constants: Mapping[Use, QuantizedConstant]) -> NDArray[np.float32]:
    """What rounding took from the weights."""
    stored = constants[Use(name_of(node), 1)]
    return constant_array(weight_of(node)) - stored.params.dequantize(stored.integers)


def _shifted(bias: QuantizedConstant, shift: NDArray[np.float32]) -> QuantizedConstant:
    steps = bias.integers + np.rint(shift.astype(np.float64) / bias.params.scale.astype(np.float64))
    limits = np.iinfo(np.int32)
    return replace(bias, integers=np.clip(steps, limits.min, limits.max).astype(np.int32))

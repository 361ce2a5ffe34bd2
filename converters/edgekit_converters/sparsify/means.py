"""`with_clamped_means`: biases whose means hold behind the clamp that follows, where the next layer reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.quantize.correct_shift import Bounds, columns, step_over, zero_mean_shift
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.scheme import clamp_bounds
from edgekit_converters.quantize.sequential_group import Group
from edgekit_converters.quantize.sequential_model import float_model
from edgekit_converters.quantize.sequential_storage import Stored
from edgekit_converters.sparsify.matrices import BIAS
from edgekit_converters.sparsify.observe import View

Arrays = Mapping[Use, NDArray[np.float32]]


def with_clamped_means(view: View, weights: Arrays) -> dict[Use, NDArray[np.float32]]:
    """The bias of a layer that was just given new ``weights`` and is followed by a clamp; nothing for any other.

    The dense network has been carried past the layer already, the sparse one has not.
    """
    group, use = view.group, Use(view.group.name, BIAS)
    if group.activation is None or use not in weights:
        return {}
    clamp = clamp_bounds(group.activation)
    if clamp is None:
        return {}
    targets = view.dense.chunks(group.outputs[0])
    step = step_over(targets)
    wanted = np.concatenate([columns(target, step, number) for number, target in enumerate(targets)], axis=1)
    raw = np.concatenate([columns(output, step, number) for number, output in enumerate(_raw(view, weights))], axis=1)
    low, high = (-np.inf if clamp[0] is None else clamp[0]), (np.inf if clamp[1] is None else clamp[1])
    shift = zero_mean_shift(raw, wanted, Bounds(low, high))
    return {use: (weights[use] + shift.reshape(weights[use].shape)).astype(np.float32)}


def _raw(view: View, weights: Arrays) -> Iterator[NDArray[np.float32]]:
    """What the layer gives before the clamp, on the inputs that the sparse network has for it."""
    group = view.group
    outputs = tuple(group.node.outputs[:1])
    bare = Group(group.node, None, None, group.inputs, outputs)
    model = float_model(bare, view.sparse.reads(bare), {outputs[0]: Stored(ir.DataType.FLOAT)}, weights)
    for (found,) in view.sparse.results(bare, model, outputs):
        yield found

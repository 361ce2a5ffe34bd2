"""`measured`: what zeros in one matrix alone do to the model's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.protocols import Dataset
from edgekit.sparsity import Sparsity
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.calibrate_feeds import fixed_batch, full_feeds
from edgekit_converters.quantize.calibrate_session import Calculator
from edgekit_converters.quantize.operands import with_operands
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.scheme import constant_array
from edgekit_converters.quantize.sequential_samples import Picked, spread
from edgekit_converters.sparsify.allocate import LEVELS
from edgekit_converters.sparsify.matrices import BIAS, Matrix
from edgekit_converters.sparsify.moments import Gathering, Moments
from edgekit_converters.sparsify.patterns import projection
from edgekit_converters.sparsify.solve import Floats, Problem, lost, one_shot

SAMPLES = 48
"""Samples on which the outputs' error is measured."""

SHRINKS = (0.05, 0.2, 0.6)
"""Tried for each matrix."""


class Outputs:
    """The model's float outputs on a few samples, of those that are judged by, and how far other weights take them away."""

    def __init__(self, hub: Hub, samples: Dataset, judges: NDArray[np.int64]) -> None:
        rows = judges[spread(len(judges), min(SAMPLES, len(judges)))]
        size = fixed_batch(hub) or len(rows)
        self._feeds = [feeds for feeds, _ in full_feeds(hub, Picked(samples, rows), size)]
        self._hub = hub
        self._names = [
            value.name for value in hub.model.graph.outputs if value.name and value.dtype == ir.DataType.FLOAT
        ]
        self._exact = self._run(hub)

    def error(self, operands: Mapping[Use, NDArray[np.float32]]) -> float:
        """Mean over the outputs of squared error / variance, with ``operands`` in the place of the hub's own."""
        found = self._run(with_operands(self._hub, operands))
        ratios = [
            float(np.square(one - other).mean(dtype=np.float64) / max(float(other.var()), 1e-20))
            for one, other in zip(found, self._exact, strict=True)
        ]
        return float(np.mean(ratios)) if ratios else 0.0

    def _run(self, hub: Hub) -> list[NDArray[np.float32]]:
        session = Calculator(ir.to_proto(hub.model))
        runs = [session.run(self._names, feeds) for feeds in self._feeds]
        return [np.concatenate([np.atleast_1d(run[n]) for run in runs]) for n in range(len(self._names))]


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """``errors``: of the model's outputs, by share of zeros in this matrix. ``shrink``: how far the moments of its
    inputs are to be distrusted (see `Moments.problem`)."""

    errors: Mapping[float, float]
    shrink: float


def measured(matrix: Matrix, sparsity: Sparsity, gathering: Gathering, outputs: Outputs) -> Sensitivity:
    """What one half of the samples suggests, judged by the other half.

    Errors at the matrix's own outputs come from the moments; what one of them does to the model's outputs is measured once.
    """
    weights, fitted, judging = matrix.weights, gathering.half(0), gathering.half(1)
    judged = Problem(judging.own.astype(np.float32), weights)
    levels = LEVELS if sparsity.group is None else (sparsity.share,)
    probe = min(levels, key=lambda share: abs(share - sparsity.share))
    tried = {
        shrink: one_shot(fitted.problem(weights, shrink), projection(sparsity, probe, matrix.channels))
        for shrink in SHRINKS
    }
    shrink = min(SHRINKS, key=lambda each: lost(judged, tried[each]))
    problem = fitted.problem(weights, shrink)
    local = {share: lost(judged, one_shot(problem, projection(sparsity, share, matrix.channels))) for share in levels}
    gain = outputs.error(replaced(matrix, tried[shrink], fitted)) / max(local[probe], 1e-30)
    return Sensitivity({share: gain * loss for share, loss in local.items()}, shrink)


def replaced(matrix: Matrix, weights: Floats, moments: Moments) -> dict[Use, NDArray[np.float32]]:
    """The operands of the matrix and of its bias, once the matrix is ``weights``."""
    node = matrix.node
    operands = {matrix.use: matrix.give(weights, _array(node, matrix.index).shape)}
    if matrix.has_bias:
        shift = moments.shift(matrix.weights, weights)
        operands[Use(matrix.use.node, BIAS)] = shifted(_array(node, BIAS), matrix, shift)
    return operands


def _array(node: ir.Node, index: int) -> NDArray[np.float32]:
    value = node.inputs[index]
    assert value is not None
    return constant_array(value)


def shifted(bias: NDArray[np.float32], matrix: Matrix, shift: NDArray[np.float64]) -> NDArray[np.float32]:
    """``bias`` plus what each row of the matrix lacks; several rows of a transposed convolution reach one output."""
    whole = shift.reshape(matrix.groups, matrix.chunks, -1).sum(axis=1)
    channels = whole.reshape(matrix.outputs, -1).sum(axis=1) / matrix.overlap
    moved: NDArray[np.float32] = (bias + channels.reshape(bias.shape if bias.size > 1 else -1)).astype(np.float32)
    return moved

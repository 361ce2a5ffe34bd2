"""`measured`: what zeros in one matrix alone do to the model's outputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.protocols import Dataset
from edgekit.sparsity import Sparsity
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.calibrate_feeds import feeds_of, fixed_batch
from edgekit_converters.quantize.calibrate_session import Calculator
from edgekit_converters.quantize.sequential_samples import Picked
from edgekit_converters.sparsify.allocate import LEVELS
from edgekit_converters.sparsify.matrices import Matrix
from edgekit_converters.sparsify.moments import Moments
from edgekit_converters.sparsify.patterns import projection
from edgekit_converters.sparsify.solve import Floats, lost, one_shot

SAMPLES = 48
"""Samples on which the outputs' error is measured."""


class Outputs:
    """The model's float outputs on a few samples, and how far other weights take them away."""

    def __init__(self, hub: Hub, samples: Dataset) -> None:
        count = min(SAMPLES, len(samples))
        size = fixed_batch(hub) or count
        self._feeds = [feeds for feeds, _ in feeds_of(hub, Picked(samples, count), size)]
        self._proto = ir.to_proto(hub.model)
        self._places = {tensor.name: number for number, tensor in enumerate(self._proto.graph.initializer)}
        self._names = [
            value.name for value in hub.model.graph.outputs if value.name and value.dtype == ir.DataType.FLOAT
        ]
        self._exact = self._run(self._proto)

    def error(self, arrays: Mapping[str, NDArray[np.float32]]) -> float:
        """Mean over the outputs of squared error / variance, with ``arrays`` in the place of initializers of these names."""
        changed = onnx.ModelProto()
        changed.CopyFrom(self._proto)
        for name, array in arrays.items():
            changed.graph.initializer[self._places[name]].CopyFrom(onnx.numpy_helper.from_array(array, name))
        found = self._run(changed)
        ratios = [
            float(np.square(one - other).mean(dtype=np.float64) / max(float(other.var()), 1e-20))
            for one, other in zip(found, self._exact, strict=True)
        ]
        return float(np.mean(ratios)) if ratios else 0.0

    def _run(self, model: onnx.ModelProto) -> list[NDArray[np.float32]]:
        session = Calculator(model)
        runs = [session.run(self._names, feeds) for feeds in self._feeds]
        return [np.concatenate([np.atleast_1d(run[n]) for run in runs]) for n in range(len(self._names))]


def measured(matrix: Matrix, sparsity: Sparsity, moments: Moments, outputs: Outputs) -> dict[float, float]:
    """The model's error by share of zeros in this matrix, 0 first; of N:M the one share that it has.

    Errors at the matrix's own outputs come from the moments; what one of them does to the model's outputs is measured once.
    """
    weights = matrix.weights
    problem = moments.problem(weights)
    levels = LEVELS[1:] if sparsity.group is None else (sparsity.share,)
    found = {share: one_shot(problem, projection(sparsity, share)) for share in levels}
    local = {share: lost(problem, sparse) for share, sparse in found.items()}
    probe = min(levels, key=lambda share: abs(share - sparsity.share))
    gain = outputs.error(replaced(matrix, found[probe], moments)) / max(local[probe], 1e-30)
    return {0.0: 0.0} | {share: gain * loss for share, loss in local.items()}


def replaced(matrix: Matrix, weights: Floats, moments: Moments) -> dict[str, NDArray[np.float32]]:
    """The initializers of a matrix and of its bias, by name, once the matrix is ``weights``."""
    value = matrix.node.inputs[matrix.index]
    assert value is not None
    assert value.const_value is not None
    shape = tuple(value.const_value.numpy().shape)
    arrays = {str(value.name): matrix.give(weights, shape)}
    if moments.centred:
        bias = matrix.node.inputs[2]
        assert bias is not None
        assert bias.const_value is not None
        trained = bias.const_value.numpy()
        arrays[str(bias.name)] = shifted(trained, matrix, moments.shift(matrix.weights, weights))
    return arrays


def shifted(bias: NDArray[np.float32], matrix: Matrix, shift: NDArray[np.float64]) -> NDArray[np.float32]:
    """``bias`` plus what each row of the matrix lacks; several rows of a transposed convolution reach one output."""
    channels = shift.reshape(matrix.outputs, -1).sum(axis=1) / matrix.overlap
    moved: NDArray[np.float32] = (bias + channels.reshape(bias.shape if bias.size > 1 else -1)).astype(np.float32)
    return moved


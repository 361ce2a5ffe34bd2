"""The arrays of a recurrent cell in Keras 3's form, whichever version or kernel library wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.cells import Cell, CellKind

Array = NDArray[Any]
_ORDERS = {CellKind.LSTM: "ifco", CellKind.GRU: "zrh"}


@dataclass(frozen=True, slots=True)
class CellWeights:
    """``kernel`` (features, gates * units), ``recurrent`` (units, gates * units) and the biases of both, (gates * units,)."""

    kernel: Array
    recurrent: Array
    bias: Array | None
    recurrent_bias: Array | None
    reset_after: bool
    """Of a GRU: the reset gate acts behind the recurrent product."""


def cell_weights(call: LayerCall, cell: Cell) -> CellWeights:
    """The cell's arrays. Raises ValueError when they are missing or do not fit the number of units."""
    kernel, recurrent, bias = _arrays(call, cell)
    gates, units = len(cell.kind.gates), cell.units
    if cell.cudnn:
        kernel = np.concatenate([_from_cudnn(part) for part in np.split(kernel, gates, axis=1)], axis=1)
        recurrent = np.concatenate([part.T for part in np.split(recurrent, gates, axis=1)], axis=1)
        bias = None if bias is None else bias.reshape(2, -1)
    if kernel.shape[1:] != (gates * units,) or recurrent.shape != (units, gates * units):
        raise ValueError(f"its kernels have the shapes {kernel.shape} and {recurrent.shape}; expected {units} units")
    reset_after = cell.settings.flag("reset_after", cell.cudnn or (bias is not None and bias.ndim == 2))
    if bias is None:
        return CellWeights(kernel, recurrent, None, None, reset_after)
    if bias.size not in (gates * units, 2 * gates * units):
        raise ValueError(f"its bias has the shape {bias.shape}; expected {gates * units} numbers")
    both = bias.reshape(-1, gates * units)
    return CellWeights(kernel, recurrent, both[0], both[1] if len(both) > 1 else np.zeros_like(both[0]), reset_after)


def _arrays(call: LayerCall, cell: Cell) -> tuple[Array, Array, Array | None]:
    if any(role.endswith("/W_" + _ORDERS.get(cell.kind, "-")[0]) for role in cell.roles):  # Keras 1, an array a gate
        joined = (
            np.concatenate([call.weight(f"{cell.part}/{array}_{gate}") for gate in _ORDERS[cell.kind]], axis=-1)
            for array in "WUb"
        )
        kernel, recurrent, bias = joined
        return kernel, recurrent, bias
    found = call.weights.get(f"{cell.part}/bias")
    return call.weight(f"{cell.part}/kernel", 2), call.weight(f"{cell.part}/recurrent_kernel", 2), found


def _from_cudnn(gate: Array) -> Array:
    """(features, units) of a gate; cuDNN wrote the memory of (units, features)."""
    return gate.reshape(gate.shape[::-1]).T

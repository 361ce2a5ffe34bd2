"""`observed`: the second moments of what a matrix reads, from the values stored by the pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import attribute
from edgekit_converters.quantize.calibrate_feeds import MASK
from edgekit_converters.quantize.sequential import Chunks, Prefix
from edgekit_converters.quantize.sequential_group import Group
from edgekit_converters.quantize.sequential_model import float_model
from edgekit_converters.quantize.sequential_storage import Stored
from edgekit_converters.sparsify.columns import Places, columns_at, position_count
from edgekit_converters.sparsify.matrices import Matrix
from edgekit_converters.sparsify.moments import HALVES, Gathering

POSITIONS = 16384
"""Positions of a layer, over all samples, that its moments are taken of."""

POSITIONS_PER_COLUMN, FEWEST_POSITIONS = 12, 1024
"""Narrow layers need fewer: depthwise ones, whose groups are many, among them."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A group as both networks have it so far. ``masks``: of real tokens, batch by batch; empty where the model has none."""

    group: Group
    dense: Prefix
    sparse: Prefix
    masks: Chunks


def observed(matrix: Matrix, view: View) -> Gathering:
    """The moments of the matrix's inputs. States of recurrent layers are the dense network's on both sides."""
    groups, _, columns = matrix.shape
    gathering = Gathering(groups, columns, centred=matrix.has_bias)
    quota = min(POSITIONS, POSITIONS_PER_COLUMN * columns + FEWEST_POSITIONS)
    pairs = _states(matrix, view) if matrix.reads_states else _inputs(matrix, view)
    for number, (dense, sparse) in enumerate(pairs):
        places = _places(matrix, dense, view, number, -(-quota // view.dense.batches))
        if len(places):
            one = columns_at(matrix, dense, places)
            gathering.add(number % HALVES, one, one if sparse is dense else columns_at(matrix, sparse, places))
    return gathering


def _inputs(matrix: Matrix, view: View) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    value = matrix.node.inputs[0]
    assert value is not None
    for dense, sparse in zip(view.dense.chunks(value), view.sparse.chunks(value), strict=True):
        yield (dense, dense) if view.dense is view.sparse else (dense, sparse)


def _states(matrix: Matrix, view: View) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Of each direction, (directions, positions, units): the state at every step but the first."""
    states = view.group.node.outputs[0]
    group = Group(view.group.node, None, None, view.group.inputs, (states,))
    model = float_model(group, view.dense.reads(group), {states: Stored(ir.DataType.FLOAT)})
    backward = [attribute(matrix.node, "direction", "forward") == "reverse", True]
    for (found,) in view.dense.results(group, model, [states]):  # (steps, directions, samples, units)
        parts = [found[1:, number] if backward[number] else found[:-1, number] for number in range(found.shape[1])]
        states_before = np.stack(parts).reshape(found.shape[1], -1, found.shape[-1])
        yield states_before, states_before


def _places(matrix: Matrix, array: NDArray[Any], view: View, number: int, quota: int) -> Places:
    """Positions of a batch, drawn at random but the same at every run; of tokens, the real ones."""
    count = position_count(matrix, array)
    candidates = np.arange(count)
    mask = view.masks[number] if len(view.masks) else None
    if mask is not None and array.ndim >= 3 and array.shape[:2] == mask.shape and count == mask.size:
        candidates = candidates[mask.reshape(-1) != 0]
    if len(candidates) <= quota:
        return candidates
    return np.sort(np.random.default_rng(number).choice(candidates, quota, replace=False))


def masks_of(prefix: Prefix, inputs: Sequence[ir.Value]) -> Chunks:
    """The attention masks that the model is fed, batch by batch."""
    found = [value for value in inputs if value.name == MASK]
    return list(prefix.chunks(found[0])) if found else []

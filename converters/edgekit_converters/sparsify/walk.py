"""`sparse_pass`: one pass over the hub in order, the dense network and the one that is becoming sparse side by side.

Each matrix is fitted to what the layers before it now give, so that it makes up for their errors as far as it can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.protocols import Dataset, Progress
from edgekit.recipe import Observer
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.calibrate import calibrate
from edgekit_converters.quantize.calibrate_feeds import fixed_batch
from edgekit_converters.quantize.quant_plan import QuantPlan, Use
from edgekit_converters.quantize.sequential import Prefix, prefixes
from edgekit_converters.quantize.sequential_group import Group, groups_of
from edgekit_converters.quantize.sequential_model import float_model
from edgekit_converters.quantize.sequential_samples import last_readers, picked, run_size
from edgekit_converters.quantize.sequential_storage import LARGEST_HALF_RANGE, Stored
from edgekit_converters.sparsify.matrices import Matrix
from edgekit_converters.sparsify.means import with_clamped_means
from edgekit_converters.sparsify.moments import HALVES, Gathering
from edgekit_converters.sparsify.observe import View, masks_of, observed

Weights = Mapping[Use, NDArray[np.float32]]

MEMORY_BYTES = 1200 << 20
"""What the stored values of both networks may take at once; fewer samples are used where it is not enough."""

BYTES_PER_NUMBER = 4
"""float16 in both."""

FEWEST_BATCHES = 8
"""Halves of the samples are halves of the batches."""

Improve = Callable[[Matrix, Gathering], Weights]
"""From a matrix and what it reads to what takes its place, its bias included."""


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """What every pass over a hub needs. ``matrices``: those to stop at, by node."""

    hub: Hub
    groups: Sequence[Group]
    matrices: Mapping[str, Sequence[Matrix]]
    storage: Mapping[ir.Value, Stored]
    samples: Dataset
    batch: int

    def judges(self) -> NDArray[np.int64]:
        """Numbers of the samples in the half that judges; all, where there is one batch only."""
        rows = np.arange(len(self.samples))
        judging = rows[rows // self.batch % HALVES == HALVES - 1]
        return judging if len(judging) else rows


def prepare(hub: Hub, plan: QuantPlan, matrices: Sequence[Matrix], samples: Dataset, progress: Progress) -> Walk:
    """Groups up to the last matrix, the samples that memory allows, and how each value is stored."""
    by_node: dict[str, list[Matrix]] = {}
    for matrix in matrices:
        by_node.setdefault(matrix.use.node, []).append(matrix)
    groups = groups_of(hub, plan)
    last = max(position for position, group in enumerate(groups) if group.name in by_node)
    groups = groups[: last + 1]
    some = picked(samples, groups, MEMORY_BYTES, BYTES_PER_NUMBER)
    batch = fixed_batch(hub) or min(run_size(hub, groups), max(1, len(some) // FEWEST_BATCHES))
    return Walk(hub, groups, by_node, _storage(hub, groups, some, progress), some, batch)


def sparse_pass(walk: Walk, improve: Improve, progress: Progress) -> dict[Use, NDArray[np.float32]]:
    """New arrays of the matrices and their biases."""
    dense, sparse = prefixes(walk.hub, walk.groups, walk.samples, walk.batch)
    weights: dict[Use, NDArray[np.float32]] = {}
    for view, matrices, dead in _views(walk, dense, sparse, progress):
        for matrix in matrices:
            weights |= improve(matrix, observed(matrix, view))
        _advance(walk, view.group, dense, dead, {})
        weights |= with_clamped_means(view, weights)
        _advance(walk, view.group, sparse, dead, weights)
    return weights


def dense_pass(walk: Walk, look: Callable[[Matrix, Gathering], None], progress: Progress) -> None:
    """Show ``look`` what every matrix reads in the network as it was trained."""
    dense, _ = prefixes(walk.hub, walk.groups, walk.samples, walk.batch)
    for view, matrices, dead in _views(walk, dense, dense, progress):
        for matrix in matrices:
            look(matrix, observed(matrix, view))
        _advance(walk, view.group, dense, dead, {})


def _views(
    walk: Walk, dense: Prefix, sparse: Prefix, progress: Progress
) -> Iterator[tuple[View, Sequence[Matrix], list[ir.Value]]]:
    """Each group with its matrices and the values that nothing reads after it."""
    last = last_readers(walk.groups)
    masks = masks_of(dense, [value for value in walk.hub.model.graph.inputs if value in last])
    for position, group in enumerate(walk.groups):
        dead = [value for value in group.inputs if last[value] == position]
        yield View(group, dense, sparse, masks), walk.matrices.get(group.name, ()), dead
        for value in group.outputs:
            if value not in last:
                dense.drop(value)
                sparse.drop(value)
        progress.step()


def _advance(walk: Walk, group: Group, prefix: Prefix, dead: Sequence[ir.Value], weights: Weights) -> None:
    writes = {value: walk.storage[value] for value in group.outputs}
    prefix.advance(group, float_model(group, prefix.reads(group), writes, weights), writes, dead)


def _storage(hub: Hub, groups: Sequence[Group], samples: Dataset, progress: Progress) -> dict[ir.Value, Stored]:
    """float16 for floats that stay far below its limit in the samples; every other value in its own type."""
    values = [value for group in groups for value in group.outputs]
    floats = [str(value.name) for value in values if value.dtype == ir.DataType.FLOAT]
    ranges = calibrate(hub, dict.fromkeys(floats, Observer.MIN_MAX), samples, progress)
    small = {name for name, (low, high) in ranges.items() if max(-low, high) < LARGEST_HALF_RANGE}
    found = {}
    for value in values:
        assert value.dtype is not None
        found[value] = Stored(ir.DataType.FLOAT16 if value.name in small else value.dtype)
    return found

"""`remove`: the hub without some of its units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import all_values
from edgekit_converters.prune.blocks import without_blocks
from edgekit_converters.prune.dependencies import Array, Count, Cut, Dependencies, Stays
from edgekit_converters.quantize.operands import operand_of, with_operands
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.scheme import name_of


def remove(hub: Hub, found: Dependencies, stays: Stays, weights: Mapping[Use, Array] | None = None) -> Hub:
    """A new hub with the units that stay. ``weights``: new contents of constant operands, in their new shape."""
    hub, gone = without_blocks(hub, found, stays), found.gone(stays)
    counts = [count for count in found.counts if count.node not in gone]
    made: dict[Use, Array] = dict(_counted(hub, counts, stays))
    for use, cuts in _by_use(cut for cut in found.cuts if cut.node not in gone).items():
        if not all(stays[cut.units].all() for cut in cuts):
            made[use] = cut_operand(operand_of(hub, use), cuts, stays)
    result = with_operands(hub, {**made, **(weights or {})})
    _count_attributes(result, counts, stays)
    for value in all_values(result.model):
        for axis, units in found.axes.get(value.name or "", {}).items():
            if value.shape is not None and isinstance(value.shape[axis], int) and not stays[units].all():
                value.shape = _with_dim(value.shape, axis, int(stays[units].sum()))
    return result


def cut_operand(array: Array, cuts: Iterable[Cut], stays: Stays) -> Array:
    """The elements of a constant that stay."""
    for cut in cuts:
        array = array.take(np.flatnonzero(stays[cut.units]), axis=cut.axis)
    return array


def _by_use(cuts: Iterable[Cut]) -> dict[Use, list[Cut]]:
    found: dict[Use, list[Cut]] = defaultdict(list)
    for cut in cuts:
        found[cut.use].append(cut)
    return found


def _counted(hub: Hub, counts: Iterable[Count], stays: Stays) -> dict[Use, Array]:
    changed: dict[Use, Array] = {}
    for count in counts:
        if count.index is None or stays[count.units].all():
            continue
        use = Use(count.node, count.index)
        array = changed.get(use)
        array = np.array(operand_of(hub, use)) if array is None else array
        flat = array.reshape(-1)
        flat[count.position] = stays[count.units[: flat[count.position]]].sum()
        changed[use] = flat.reshape(array.shape)
    return changed


def _count_attributes(hub: Hub, counts: Iterable[Count], stays: Stays) -> None:
    by_name = {name_of(node): node for node in hub.model.graph}
    for count in counts:
        if count.index is None:
            number = int(stays[count.units].sum())
            by_name[count.node].attributes[count.attribute] = ir.AttrInt64(count.attribute, number)


def _with_dim(shape: ir.Shape, axis: int, dim: int) -> ir.Shape:
    dims = list(shape)
    dims[axis] = dim
    return ir.Shape(dims)

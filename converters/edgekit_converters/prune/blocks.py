"""Residual branches as units that go as a whole: what goes with each, what takes its place, and a hub without some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.protocols import Dataset
from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import Editor
from edgekit_converters.prune.branches import Branch
from edgekit_converters.prune.dependencies import STAYS, Block, Dependencies, Stays, Units
from edgekit_converters.prune.moments import run_size
from edgekit_converters.quantize.calibrate import tapped_model
from edgekit_converters.quantize.calibrate_feeds import full_feeds, real_tokens
from edgekit_converters.quantize.calibrate_session import Calculator
from edgekit_converters.quantize.scheme import name_of


def with_blocks(hub: Hub, found: Dependencies, branches: Sequence[Branch], samples: Dataset) -> Dependencies:
    """The dependencies with a unit more for each branch; what the branches give on average is computed from the samples."""
    if not branches:
        return found
    means = _means(hub, branches, samples)
    units = [found.unit_count + place for place in range(len(branches))]
    blocks = [
        Block(
            name=branch.name,
            unit=unit,
            units=np.concatenate([[unit], _nested(branch, branches, units), _inner(found, branch)]).astype(np.int64),
            nodes=branch.nodes,
            layers=branch.layers,
            adding=branch.adding,
            operand=branch.operand,
            stream=branch.stream,
            axis=branch.axis,
            mean=mean,
        )
        for branch, unit, mean in zip(branches, units, means, strict=True)
    ]
    return replace(found, unit_count=found.unit_count + len(branches), blocks=tuple(blocks))


def _nested(branch: Branch, branches: Sequence[Branch], units: Sequence[int]) -> list[int]:
    """Those of the branches that lie within this one."""
    return [unit for other, unit in zip(branches, units, strict=True) if other.adding in branch.nodes]


def _inner(found: Dependencies, branch: Branch) -> Units:
    """Channels that only nodes of the branch make and read."""
    inside, outside = (
        {int(unit) for cut in found.cuts if (cut.node in branch.nodes) is within for unit in cut.units}
        for within in (True, False)
    )
    return np.array(sorted(inside - outside - {STAYS}), np.int64)


def _means(hub: Hub, branches: Sequence[Branch], samples: Dataset) -> Iterator[NDArray[np.float32]]:
    """By channel, in the shape in which they are added; padding says nothing."""
    names = list(dict.fromkeys(branch.result for branch in branches))
    session = Calculator(tapped_model(hub, names))
    sums, counts = dict.fromkeys(names, np.zeros(())), dict.fromkeys(names, 0)
    axes = {branch.result: branch.axis for branch in branches}
    for feeds, _ in full_feeds(hub, samples, run_size(hub)):
        for name, array in zip(names, session.run(names, feeds), strict=True):
            real = real_tokens(array, feeds)
            rows = np.moveaxis(real, min(axes[name], real.ndim - 1), -1).reshape(-1, array.shape[axes[name]])
            sums[name] = sums[name] + rows.sum(axis=0, dtype=np.float64)
            counts[name] += len(rows)
    for branch in branches:
        mean = (sums[branch.result] / counts[branch.result]).astype(np.float32)
        yield mean.reshape(-1, *[1] * (branch.rank - 1 - branch.axis))


def without_blocks(hub: Hub, found: Dependencies, stays: Stays) -> Hub:
    """The hub without the blocks that don't stay; a constant takes the place of each. The same hub where all stay."""
    gone = found.gone(stays)
    if not gone:
        return hub
    result = hub.clone()
    editor, by_name = Editor(result.model), {name_of(node): node for node in result.model.graph}
    for block in found.blocks:
        if not stays[block.unit] and block.adding not in gone:
            constant = editor.constant(_left_of(block, found, stays), f"{block.adding}:mean of what is gone")
            by_name[block.adding].replace_input_with(block.operand, constant)
    graph = result.model.graph
    for node in reversed([node for node in graph if name_of(node) in gone]):
        graph.remove(node, safe=True)
    return result


def _left_of(block: Block, found: Dependencies, stays: Stays) -> NDArray[np.float32]:
    units = found.axes.get(block.stream, {}).get(block.axis)
    return block.mean if units is None else block.mean[stays[units]]

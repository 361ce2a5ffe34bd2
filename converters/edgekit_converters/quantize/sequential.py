"""`walk`: one pass over the hub in topological order, in float and in integers side by side, a step for each layer.

A step sees what the layer should give (its float outputs) and what it gets once quantized (inputs from the quantized prefix), so
that each layer makes good the errors of those before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.protocols import Dataset, Progress
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.calibrate_feeds import full_feeds
from edgekit_converters.quantize.calibrate_session import Calculator
from edgekit_converters.quantize.quant_plan import QuantizedConstant, QuantPlan, Use
from edgekit_converters.quantize.scheme import value_name
from edgekit_converters.quantize.sequential_group import Group, groups_of
from edgekit_converters.quantize.sequential_model import float_model, integer_model, raw_model, stored_name
from edgekit_converters.quantize.sequential_samples import last_readers, picked, run_size
from edgekit_converters.quantize.sequential_storage import Stored, float_storage, integer_storage, kept

Chunks = Sequence[NDArray[Any]]
"""A stored value, batch by batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One group on its way. ``targets``: its output in float, as stored, batch by batch. ``quantized``: holds its inputs as the
    quantized layers before have left them."""

    group: Group
    plan: QuantPlan
    targets: Chunks
    quantized: Prefix

    def raw_outputs(self) -> Iterator[NDArray[np.float32]]:
        """Outputs of the node on the plan's integers and quantized inputs, before activation and clipping, batch by batch."""
        group = self.group
        model = raw_model(group, self.quantized.reads(group), self.plan)
        for (output,) in self.quantized.results(group, model, group.node.outputs[:1]):
            yield output


class Step(Protocol):
    """What is done for a layer. Exists so that efforts differ in their steps and share the pass."""

    def applies(self, group: Group, plan: QuantPlan) -> bool: ...

    def improve(self, layer: Layer) -> Mapping[Use, QuantizedConstant]:
        """New integers of the layer's constants."""


def walk(hub: Hub, plan: QuantPlan, samples: Dataset, step: Step, progress: Progress) -> QuantPlan:
    """The plan with every layer improved by ``step``, in order.

    Memory holds the values that later layers still read, for as many samples as the bounds in `sequential_samples` allow.
    """
    groups = _needed(groups_of(hub, plan), plan, step)
    if not groups:
        return plan
    progress.stage("correct", len(groups))
    real, quantized = prefixes(hub, groups, picked(samples, groups), run_size(hub, groups))
    last = last_readers(groups)
    for position, group in enumerate(groups):
        dead = [value for value in group.inputs if last[value] == position]
        writes = {value: float_storage(value, plan) for value in group.outputs}
        real.advance(group, float_model(group, real.reads(group), writes), writes, dead)
        if step.applies(group, plan):
            layer = Layer(group, plan, real.chunks(group.outputs[0]), quantized)
            plan = replace(plan, constants={**plan.constants, **step.improve(layer)})
        writes = {value: integer_storage(value, plan, group) for value in group.outputs}
        quantized.advance(group, integer_model(group, quantized.reads(group), writes, plan), writes, dead)
        for value in group.outputs:
            if value not in last:
                real.drop(value)
                quantized.drop(value)
        progress.step()
    return plan


class Prefix:
    """The values that the groups so far have left and later ones read, as they are stored."""

    def __init__(self, inputs: Mapping[ir.Value, list[NDArray[Any]]], batches: int) -> None:
        self._batches = batches
        self._chunks = {value: list(chunks) for value, chunks in inputs.items()}
        self._storage = {value: Stored(value.dtype) for value in inputs if value.dtype is not None}

    def reads(self, group: Group) -> dict[ir.Value, Stored]:
        """How the group's inputs are stored."""
        return {value: self._storage[value] for value in group.inputs}

    @property
    def batches(self) -> int:
        return self._batches

    def chunks(self, value: ir.Value) -> Chunks:
        return self._chunks[value]

    def results(
        self, group: Group, model: onnx.ModelProto, outputs: Sequence[ir.Value]
    ) -> Iterator[list[NDArray[Any]]]:
        """What ``model`` makes of the group's inputs, batch by batch."""
        session = Calculator(model)
        names = [stored_name(value) for value in outputs]
        for index in range(self._batches):
            yield session.run(names, {stored_name(value): self._chunks[value][index] for value in group.inputs})

    def advance(
        self, group: Group, model: onnx.ModelProto, writes: Mapping[ir.Value, Stored], dead: Sequence[ir.Value]
    ) -> None:
        """Store the outputs of the group; of ``dead`` inputs each batch is freed as soon as it has been read."""
        made: dict[ir.Value, list[NDArray[Any]]] = {value: [] for value in writes}
        for index, arrays in enumerate(self.results(group, model, list(writes))):
            for value, array in zip(writes, arrays, strict=True):
                made[value].append(kept(array))
            for value in dead:
                self._chunks[value][index] = _FREED
        for value in dead:
            self.drop(value)
        self._chunks.update(made)
        self._storage.update(writes)

    def drop(self, value: ir.Value) -> None:
        self._chunks.pop(value, None)
        self._storage.pop(value, None)


def prefixes(hub: Hub, groups: Sequence[Group], samples: Dataset, size: int) -> tuple[Prefix, Prefix]:
    """The float prefix and the other one, of no layer at all: both hold the same inputs, in batches of ``size``."""
    read = last_readers(groups)
    inputs: dict[ir.Value, list[NDArray[Any]]] = {value: [] for value in hub.model.graph.inputs if value in read}
    batches = 0
    for feeds, _ in full_feeds(hub, samples, size):
        batches += 1
        for value, chunks in inputs.items():
            chunks.append(kept(feeds[value_name(value)]))
    return Prefix(inputs, batches), Prefix(inputs, batches)


def _needed(groups: list[Group], plan: QuantPlan, step: Step) -> list[Group]:
    """The groups up to the last one that the step applies to."""
    last = max((position for position, group in enumerate(groups) if step.applies(group, plan)), default=-1)
    return groups[: last + 1]


_FREED: NDArray[Any] = np.empty(0)

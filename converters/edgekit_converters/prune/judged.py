"""What of a hub's outputs is judged: numbers before the last softmax or sigmoid, and the decisions in them, if any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.decisions import Decisions, sample_shapes
from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import producer
from edgekit_converters.quantize.scheme import value_name

Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Deciding:
    """``output``: its place among those that are judged. ``decisions``: of a batch of it."""

    output: int
    decisions: Callable[[NDArray[Any]], NDArray[Any]]


def judged(hub: Hub) -> list[str]:
    """The float outputs of a hub, each before the softmax or sigmoid that makes it."""
    return list(_last_ops(hub))


def deciding(
    hub: Hub, names: Sequence[str], wanted: Sequence[Arrays], feeds: Sequence[Mapping[str, NDArray[Any]]]
) -> Deciding | None:
    """The first output that decides anything, by what the whole network gives for each batch of ``feeds``."""
    last = _last_ops(hub)
    for place, (name, parts) in enumerate(zip(names, wanted, strict=True)):
        if parts[0].shape[-1:] == (1,) and last[name] == "Sigmoid":
            return Deciding(place, lambda array: array > 0)
        if last[name] in ("Softmax", "LogSoftmax") or _decides(parts, feeds):
            return Deciding(place, lambda array: array.argmax(axis=-1))
    return None


def _last_ops(hub: Hub) -> dict[str, str]:
    """By the name of what is judged: the softmax or sigmoid behind it, "" where there is none."""
    found: dict[str, str] = {}
    for value in hub.model.graph.outputs:
        last = producer(value, "Softmax", "LogSoftmax", "Sigmoid")
        source = last.inputs[0] if last is not None else value
        if source is not None and source.dtype == ir.DataType.FLOAT and source.producer() is not None:
            found.setdefault(value_name(source), last.op_type if last is not None else "")
    return found


def _decides(parts: Arrays, feeds: Sequence[Mapping[str, NDArray[Any]]]) -> bool:
    decisions = Decisions()
    for array, batch in zip(parts, feeds, strict=True):
        decisions.add(array, array, sample_shapes(batch))
    return decisions.decided

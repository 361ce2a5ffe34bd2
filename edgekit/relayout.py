"""A session whose pictures stand in another order than those of the model it is compared with: NCHW against NHWC."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import UsageError
from edgekit.protocols import Feeds, Placement, Session

LAYOUTS = ("same", "NCHW", "NHWC")

Axes = tuple[int, ...]


def relaid(session: Session, reference: Session, layout: str | None) -> tuple[Session, tuple[str, ...]]:
    """The session as one that takes and gives arrays in the reference's order, and a remark where that changes something.

    ``layout``: "NCHW" or "NHWC" is the order in which the session takes pictures where the reference takes the other, "same"
    leaves all as it is; None goes by the shapes, where these leave no choice. Inputs and outputs are paired by name, else by
    order. Raises UsageError when the layout doesn't fit.
    """
    if layout == "same":
        return session, ()
    inputs = _turned(session.inputs, reference.inputs, layout)
    outputs = _turned(session.outputs, reference.outputs, layout)
    if layout is not None and not inputs:
        shapes = ", ".join(f"{spec.name!r} {spec.shape}" for spec in session.inputs)
        raise UsageError(
            f"the file has no input that could be {layout} where the model's is not: {shapes}. Leave --file-layout out."
        )
    if not inputs and not outputs:
        return session, ()
    names = ", ".join(repr(name) for name in (*inputs, *outputs))
    return _Relaid(session, inputs, outputs), (f"transposed for the comparison, channels first against last: {names}",)


class _Relaid:
    """``inputs`` and ``outputs``: by name, the axes that lead from the session's own order to the reference's."""

    def __init__(self, session: Session, inputs: Mapping[str, Axes], outputs: Mapping[str, Axes]) -> None:
        self._session, self._results = session, outputs
        self._feeds = {name: tuple(int(axis) for axis in np.argsort(axes)) for name, axes in inputs.items()}
        self.inputs = tuple(_permuted(spec, inputs) for spec in session.inputs)
        self.outputs = tuple(_permuted(spec, outputs) for spec in session.outputs)

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        own = {name: _turn(array, self._feeds.get(name)) for name, array in feeds.items()}
        return {name: _turn(array, self._results.get(name)) for name, array in self._session.run(own).items()}

    def placement(self) -> Placement:
        return self._session.placement()

    def close(self) -> None:
        self._session.close()


def _turned(own: Sequence[TensorSpec], other: Sequence[TensorSpec], layout: str | None) -> dict[str, Axes]:
    """By name, the axes of those that stand in another order than their counterparts."""
    if len(own) != len(other):
        return {}
    named = {spec.name: spec for spec in other}
    pairs = [(spec, named.get(spec.name, other[position])) for position, spec in enumerate(own)]
    turns = {spec.name: _axes(spec, fellow, layout) for spec, fellow in pairs}
    return {name: axes for name, axes in turns.items() if axes is not None}


def _axes(own: TensorSpec, other: TensorSpec, layout: str | None) -> Axes | None:
    """The axes that turn ``own`` into the order of ``other``; None where they agree already or no turn helps."""
    rank = len(own.shape)
    if rank < 3 or rank != len(other.shape):
        return None
    last, first = (0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))
    choices = {None: (last, first), "NCHW": (last,), "NHWC": (first,)}[layout]
    if layout is None and _alike(own.shape, other.shape):
        return None
    return next((axes for axes in choices if _alike([own.shape[axis] for axis in axes], other.shape)), None)


def _alike(one: Sequence[int | str], other: Sequence[int | str]) -> bool:
    """Whether the shapes may be the same behind the batch; an open size fits any."""
    pairs = zip(one[1:], other[1:], strict=True)
    return all(a == b or not (isinstance(a, int) and isinstance(b, int)) for a, b in pairs)


def _permuted(spec: TensorSpec, turns: Mapping[str, Axes]) -> TensorSpec:
    axes = turns.get(spec.name)
    return spec if axes is None else dataclasses.replace(spec, shape=tuple(spec.shape[axis] for axis in axes))


def _turn(array: NDArray[Any], axes: Axes | None) -> NDArray[Any]:
    return array if axes is None else np.ascontiguousarray(array.transpose(axes))

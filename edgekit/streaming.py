"""`Stream`: a model's calls one after the other, with its states carried from each to the next. Needs numpy alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import State, TensorSpec
from edgekit.errors import FeedError
from edgekit.protocols import Feeds

Outputs = dict[str, NDArray[Any]]


@final
class Stream:
    """Feed what is new; the states stay inside. One model may have many streams, each with states of its own.

    ``inputs`` and ``outputs``: those of the model but for its states. A call that fails leaves the states as they were.
    """

    def __init__(
        self,
        run: Callable[[Feeds], Outputs],
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        states: Sequence[State],
        initial: Feeds | None = None,
    ) -> None:
        """``run`` answers all of the model's inputs with all of its outputs. ``initial``: other first values, by input name.

        Raises FeedError when an initial value is of no state, or of another shape or dtype.
        """
        self._run, self._states = run, tuple(states)
        self._taken = {spec.name: spec for spec in inputs if spec.name in {state.input for state in states}}
        self.inputs = tuple(spec for spec in inputs if spec.name not in self._taken)
        self.outputs = tuple(spec for spec in outputs if spec.name not in {state.output for state in states})
        self._initial = {name: self._checked(name, array) for name, array in (initial or {}).items()}
        self._values: Outputs = {}

    def run(self, feeds: Feeds) -> Outputs:
        """Outputs by name, without the states. Raises FeedError as the model does, and for a state among the feeds."""
        for name in self._taken:
            if name in feeds:
                raise FeedError(
                    f"the stream carries {name!r} itself; leave it out, or begin with stream(initial={{{name!r}: array}})"
                )
        outputs = self._run({**feeds, **self.next_values(feeds)})
        self._values = {state.input: outputs.pop(state.output) for state in self._states}
        return outputs

    def __call__(self, *arrays: NDArray[Any]) -> NDArray[Any] | Outputs:
        """One array an input, in the order of ``inputs``; gives the output, or a dict of them when there are several."""
        if len(arrays) != len(self.inputs):
            names = ", ".join(spec.name for spec in self.inputs)
            raise FeedError(f"the stream takes {len(self.inputs)} inputs ({names}); {len(arrays)} arrays were given")
        outputs = self.run(dict(zip((spec.name for spec in self.inputs), arrays, strict=True)))
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def reset(self) -> None:
        """Begin anew: the next call takes the initial values."""
        self._values = {}

    def next_values(self, feeds: Feeds) -> Outputs:
        """The states by input name, as the next call with ``feeds`` takes them.

        Initial values have a symbolic dimension as long as it is in the feeds, or 1.
        """
        if self._values:
            return dict(self._values)
        sizes = _sizes(self.inputs, feeds)
        return {state.input: self._initial_value(state, sizes) for state in self._states}

    @property
    def values(self) -> Outputs:
        """The states after the last call, by input name; empty before the first. ``stream(initial=...)`` goes on from them."""
        return dict(self._values)

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reset()

    def _initial_value(self, state: State, sizes: Mapping[str, int]) -> NDArray[Any]:
        if state.input in self._initial:
            return self._initial[state.input]
        spec = self._taken[state.input]
        shape = [dim if isinstance(dim, int) else sizes.get(dim, 1) for dim in spec.shape]
        return np.full(shape, state.initial, np.float32 if spec.quantization else spec.dtype)

    def _checked(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        if name not in self._taken:
            raise FeedError(f"{name!r} is no state of the model; its states are {', '.join(map(repr, self._taken))}")
        spec, found = self._taken[name], np.array(array)
        wanted = "float32" if spec.quantization else spec.dtype
        fits = found.ndim == len(spec.shape) and all(
            not isinstance(want, int) or want == have for want, have in zip(spec.shape, found.shape, strict=True)
        )
        if not fits or str(found.dtype) != wanted:
            raise FeedError(
                f"the initial value of {name!r} is {found.dtype} {found.shape}; the model takes {wanted} {spec.shape}"
            )
        return found


def _sizes(inputs: Sequence[TensorSpec], feeds: Feeds) -> dict[str, int]:
    """How long each symbolic dimension is in the feeds; "?" is one without a name, which tells nothing of another."""
    return {
        dim: length
        for spec in inputs
        if spec.name in feeds
        for dim, length in zip(spec.shape, np.shape(feeds[spec.name]), strict=False)
        if isinstance(dim, str) and dim != "?"
    }

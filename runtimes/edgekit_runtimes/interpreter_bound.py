"""Running a TFLite interpreter in memory allocated once: its own tensors, or arrays beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import FeedError

Arrays = Mapping[str, NDArray[Any]]
Invoke = Callable[[], None]


class Tensors(Protocol):
    """The calls of an interpreter that are used here."""

    def tensor(self, tensor_index: int) -> Callable[[], NDArray[Any]]: ...
    def set_tensor(self, tensor_index: int, value: NDArray[Any]) -> None: ...
    def get_tensor(self, tensor_index: int) -> NDArray[Any]: ...


@final
class InPlace:
    """Inputs and outputs are the interpreter's own tensors: a run copies nothing."""

    def __init__(self, tensors: Tensors, inputs: Mapping[str, int], outputs: Mapping[str, int], invoke: Invoke) -> None:
        self.inputs: Arrays = {name: tensors.tensor(index)() for name, index in inputs.items()}
        self.outputs: Arrays = {name: tensors.tensor(index)() for name, index in outputs.items()}
        self._invoke = invoke

    def run(self) -> None:
        """Overwrite the outputs with the answer to what stands in the inputs."""
        self._invoke()


@final
class Beside:
    """Arrays that are copied in and out: for delegates that may keep tensors in a memory of their own."""

    def __init__(self, tensors: Tensors, inputs: Mapping[str, int], outputs: Mapping[str, int], invoke: Invoke) -> None:
        self.inputs: Arrays = {name: tensors.get_tensor(index) for name, index in inputs.items()}
        self.outputs: Arrays = {name: tensors.get_tensor(index) for name, index in outputs.items()}
        self._fed = tuple((index, self.inputs[name]) for name, index in inputs.items())
        self._read = tuple((index, self.outputs[name]) for name, index in outputs.items())
        self._tensors, self._invoke = tensors, invoke

    def run(self) -> None:
        """Overwrite the outputs with the answer to what stands in the inputs."""
        for index, array in self._fed:
            self._tensors.set_tensor(index, array)
        self._invoke()
        for index, array in self._read:
            np.copyto(array, self._tensors.get_tensor(index))


def in_place(tensors: Tensors, index: int) -> bool:
    """Whether a tensor has its memory before the first run; asked after allocation. What the data decides has none."""
    try:
        tensors.tensor(index)()
    except ValueError:
        return False
    return True


def require_shapes(
    shapes: Mapping[str, tuple[int, ...]], open_shapes: Mapping[str, tuple[int | str, ...]], file: str
) -> None:
    """Raises FeedError for an input whose open dimensions have no size, and for a name of no input."""
    for name, shape in open_shapes.items():
        if name not in shapes and not all(isinstance(size, int) for size in shape):
            raise FeedError(
                f"input {name!r} of {file} has the open shape {shape}; give its sizes: bind({{{name!r}: ...}})"
            )
    for name in shapes:
        if name not in open_shapes:
            raise FeedError(f"{file} has no input {name!r}; its inputs are {', '.join(map(repr, open_shapes))}")

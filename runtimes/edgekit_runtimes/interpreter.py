"""A session over the TFLite interpreter, whichever package it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ArtifactError, FeedError, UsageError
from edgekit.protocols import Bound, Feeds, Placement
from edgekit_runtimes.feeds import Expected, expectations, verify
from edgekit_runtimes.interpreter_bound import Beside, InPlace, in_place, require_shapes
from edgekit_runtimes.interpreter_placement import OpDetails, Share, place
from edgekit_runtimes.tensor_specs import STATEFUL_OPS, TensorDetails, specs, tensor_names


class Interpreter(Protocol):
    """The calls that ai_edge_litert and tflite_runtime share."""

    _interpreter: Any
    """The native interpreter; its ModifyGraphWithDelegate and Invoke are used."""
    _delegates: list[Any]
    """Delegates that live until the native interpreter is gone."""

    def allocate_tensors(self) -> None: ...
    def invoke(self) -> None: ...
    def set_tensor(self, tensor_index: int, value: NDArray[Any]) -> None: ...
    def get_tensor(self, tensor_index: int) -> NDArray[Any]: ...
    def tensor(self, tensor_index: int) -> Callable[[], NDArray[Any]]: ...
    def resize_tensor_input(self, index: int, shape: Sequence[int], strict: bool = ...) -> None: ...
    def reset_all_variables(self) -> None: ...
    def get_input_details(self) -> list[TensorDetails]: ...
    def get_output_details(self) -> list[TensorDetails]: ...
    def get_tensor_details(self) -> list[TensorDetails]: ...
    def _get_ops_details(self) -> list[OpDetails]: ...
    def _get_full_signature_list(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]: ...


class InterpreterSession:
    """A TFLite file, opened. The batch (first axis of rank 2 and more) is the file's; other open dimensions follow the feeds.

    Every run is independent: the state of fused recurrent ops is cleared before it. ``shares``: what external delegates took;
    ``xnnpack``: whether XNNPACK was offered the rest.
    """

    def __init__(
        self, interpreter: Interpreter, path: Path, shares: Sequence[Share] = (), *, xnnpack: bool = True
    ) -> None:
        try:
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ArtifactError(f"{path} cannot be run: {last_line(error)}") from error
        self._file = path.name
        self._shares, self._xnnpack = shares, xnnpack
        self._interpreter: Interpreter | None = interpreter
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        signatures = interpreter._get_full_signature_list()
        self.inputs = specs(inputs, tensor_names(inputs, signatures, "inputs"))
        self.outputs = specs(outputs, tensor_names(outputs, signatures, "outputs"))
        self._slots = tuple(zip(expectations(self.inputs), (int(d["index"]) for d in inputs), strict=True))
        self._results = tuple(zip((s.name for s in self.outputs), (int(d["index"]) for d in outputs), strict=True))
        self._set_tensor: Callable[[int, NDArray[Any]], None] = interpreter.set_tensor
        self._get_tensor: Callable[[int], NDArray[Any]] = interpreter.get_tensor
        stateful = any(op["op_name"] in STATEFUL_OPS for op in interpreter._get_ops_details())
        self._stateful, self._bound = stateful, False
        self._invoke: Callable[[], None] = self._invoke_from_rest if stateful else interpreter.invoke
        self._sized = all(in_place(interpreter, index) for _, index in self._results)

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Outputs by name; raises FeedError for a wrong name, shape or dtype."""
        try:
            set_tensor = self._set_tensor
            if len(feeds) != len(self._slots):
                self._accept(feeds)
            for expected, index in self._slots:
                array = feeds[expected.name]
                if array.shape != expected.shape or array.dtype != expected.dtype:
                    self._accept(feeds)
                    return self.run(feeds)
                set_tensor(index, array)
            self._invoke()
        except (KeyError, AttributeError):
            self._accept(feeds)
            raise
        except (RuntimeError, ValueError) as error:
            raise FeedError(f"{self._file} failed on these inputs: {last_line(error)}") from error
        get_tensor = self._get_tensor
        return {name: get_tensor(index) for name, index in self._results}

    def bind(self, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Bound:
        """Inputs and outputs in memory of their own; from here on the shapes stay. Raises FeedError, UsageError."""
        interpreter = self._opened()
        require_shapes(shapes or {}, {spec.name: spec.shape for spec in self.inputs}, self._file)
        if shapes:
            self._accept({e.name: np.empty(shapes.get(e.name, e.shape or ()), e.dtype) for e, _ in self._slots})
        if not self._sized:
            raise UsageError(
                f"the sizes of {self._file}'s outputs depend on its data: they have no memory before a run"
            )
        self._bound = True
        self._invoke = self._invoke_from_rest if self._stateful else interpreter._interpreter.Invoke
        kind = Beside if self._shares else InPlace
        inputs = {expected.name: index for expected, index in self._slots}
        return kind(interpreter, inputs, dict(self._results), self._run_bound)

    def placement(self) -> Placement:
        interpreter = self._opened()
        dtypes = {int(entry["index"]): _stored_as(entry) for entry in interpreter.get_tensor_details()}
        return place(interpreter._get_ops_details(), dtypes, self._shares, xnnpack=self._xnnpack)

    def close(self) -> None:
        """Free the interpreter; a later run raises UsageError."""
        self._interpreter = None
        self._set_tensor = self._get_tensor = self._invoke = self._refuse

    def _run_bound(self) -> None:
        try:
            self._invoke()
        except (RuntimeError, ValueError) as error:
            raise FeedError(f"{self._file} failed on these inputs: {last_line(error)}") from error

    def _accept(self, feeds: Feeds) -> None:
        """Explain what is wrong, or follow a new shape where the file leaves one open."""
        self._opened()
        verify(feeds, self.inputs, self._file)
        if self._bound:
            raise UsageError(f"the session of {self._file} is bound to shapes; open the file again for others")
        before = self._slots
        wanted = tuple((Expected(e.name, e.dtype, feeds[e.name].shape), index) for e, index in before)
        try:
            self._resize(wanted)
        except (RuntimeError, ValueError) as error:
            self._resize(before)
            shapes = ", ".join(f"{expected.name} {expected.shape}" for expected, _ in wanted)
            raise FeedError(f"{self._file} cannot take the shapes {shapes}: {last_line(error)}") from error

    def _resize(self, slots: tuple[tuple[Expected, int], ...]) -> None:
        interpreter = self._opened()
        for expected, index in slots:
            if expected.shape is not None:
                interpreter.resize_tensor_input(index, expected.shape, strict=True)
        interpreter.allocate_tensors()
        self._sized = all(in_place(interpreter, index) for _, index in self._results)
        self._slots = slots

    def _invoke_from_rest(self) -> None:
        interpreter = self._opened()
        interpreter.reset_all_variables()
        interpreter._interpreter.Invoke()

    def _opened(self) -> Interpreter:
        if self._interpreter is None:
            self._refuse()
        return self._interpreter

    def _refuse(self, *_: object) -> NoReturn:
        raise UsageError(f"the session of {self._file} is closed; open the file again")


def _stored_as(entry: TensorDetails) -> str:
    return ("sparse " if entry.get("sparsity_parameters") else "") + np.dtype(entry["dtype"]).name


def last_line(error: Exception) -> str:
    """What the native library says, in one line, without its own source positions."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return re.sub(r"^\S+\.cc:\d+:?\s*", "", lines[-1]) if lines else type(error).__name__

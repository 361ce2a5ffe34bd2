"""Runs of an ONNX Runtime session in memory that was allocated once (its I/O binding)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import FeedError, UsageError
from edgekit_runtimes.feeds import verify


@final
class OnnxBound:
    """Implements `edgekit.protocols.Bound`: a run reads ``inputs`` and writes ``outputs`` in place.

    Sizes that only a run tells (open dimensions of outputs) are found by running once on zeros. Raises FeedError.
    """

    def __init__(
        self,
        session: Any,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        file: str,
        shapes: Mapping[str, tuple[int, ...]],
    ) -> None:
        self._file = file
        given: dict[str, NDArray[Any]] = {
            **{spec.name: _zeros(spec, shapes.get(spec.name), file) for spec in inputs},
            **{name: np.zeros(0) for name in shapes if name not in {spec.name for spec in inputs}},
        }
        verify(given, inputs, file)
        # What is bound by its address must stay: nobody may put another array in its place.
        self.inputs: Mapping[str, NDArray[Any]] = MappingProxyType(given)
        self.outputs: Mapping[str, NDArray[Any]] = MappingProxyType(self._empty_outputs(session, outputs))
        self._binding = session.io_binding()
        for name, array in self.inputs.items():
            self._binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        for name, array in self.outputs.items():
            self._binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        self._run: Any = session.run_with_iobinding

    def run(self) -> None:
        self._run(self._binding)

    def close(self) -> None:
        """A later run raises UsageError; the arrays stay as they are."""
        self._run = self._closed

    def _closed(self, binding: Any) -> None:
        raise UsageError(f"the session of {self._file} is closed; open the file again")

    def _empty_outputs(self, session: Any, specs: Sequence[TensorSpec]) -> dict[str, NDArray[Any]]:
        from edgekit_runtimes.onnxruntime_native import native_errors, one_line

        if all(isinstance(dim, int) for spec in specs for dim in spec.shape):
            return {spec.name: _zeros(spec, None, self._file) for spec in specs}
        try:
            found = session.run([spec.name for spec in specs], dict(self.inputs))
        except native_errors() as error:
            raise FeedError(
                f"{self._file} does not run on zeros, which tell how large its outputs are: {one_line(error)}"
            ) from error
        return {spec.name: np.zeros_like(array) for spec, array in zip(specs, found, strict=True)}


def _zeros(spec: TensorSpec, shape: tuple[int, ...] | None, file: str) -> NDArray[Any]:
    """An input of that shape, or of the file's where it leaves none of it open."""
    found = shape if shape is not None else spec.shape
    sizes = [size for size in found if isinstance(size, int)]
    if len(sizes) < len(found):
        raise FeedError(
            f"input {spec.name!r} of {file} has the open shape {spec.shape}; give its sizes: bind({{{spec.name!r}: (1, ...)}})"
        )
    return np.zeros(sizes, spec.dtype)

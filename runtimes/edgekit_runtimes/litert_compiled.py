"""LiteRT's compiled models: a TFLite file on a GPU, an NPU, or on XNNPACK with options of its own."""

from __future__ import annotations

import dataclasses
import math
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, final

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import FeedError, RuntimeUnavailableError, UsageError
from edgekit.protocols import Availability, Feeds, Placement, SessionOptions
from edgekit_runtimes.feeds import verify
from edgekit_runtimes.flat_graph import FlatGraph, read_graph
from edgekit_runtimes.interpreter_options import checked
from edgekit_runtimes.litert_choices import Choice
from edgekit_runtimes.litert_compiled_placement import CompiledFile
from edgekit_runtimes.litert_compiling import compiled
from edgekit_runtimes.native_messages import caught
from edgekit_runtimes.tensor_specs import STATEFUL_OPS, TensorDetails, fixed, specs, tensor_names


def open_compiled(
    runtime: str, availability: Availability, path: Path, options: SessionOptions, choice: Choice
) -> CompiledSession:
    """Raises RuntimeUnavailableError with the accelerator's own reason, UsageError, ArtifactError (damaged file)."""
    checked(runtime, availability, path, options)
    return CompiledSession(path, options.threads, choice)


@final
class CompiledSession:
    """A TFLite file, compiled as ``choice`` says. Its shapes are those that the file is allocated with."""

    def __init__(self, path: Path, threads: int, choice: Choice) -> None:
        self._file, self._content = path.name, path.read_bytes()
        self._threads, self._choice = threads, choice
        graph = read_graph(self._content, import_module("ai_edge_litert.schema_py_generated"), path.name)
        self._graph: FlatGraph = graph
        self.inputs = specs(fixed(graph.inputs), tensor_names(graph.inputs, graph.signatures, "inputs"))
        self.outputs = specs(fixed(graph.outputs), tensor_names(graph.outputs, graph.signatures, "outputs"))
        refuse_unfit(graph, self._file)
        self._model, self._adapter = compiled(self._content, threads, choice, self._file)
        names = next(iter(self._model.get_signature_list().values()))
        with caught():
            inputs, outputs = self._model.create_input_buffers(0), self._model.create_output_buffers(0)
            self._buffers = (inputs, outputs)
            self._written = dict(zip(_ours(names["inputs"], graph.inputs, self.inputs), inputs, strict=True))
            read = dict(zip(_ours(names["outputs"], graph.outputs, self.outputs), outputs, strict=True))
            self._results = tuple((read[s.name], s, math.prod(_sizes(s)), np.dtype(s.dtype)) for s in self.outputs)
            for spec in self.inputs:  # the first write logs at length
                self._written[spec.name].write(np.zeros(_sizes(spec), spec.dtype))

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Outputs by name; raises FeedError for a wrong name, shape or dtype."""
        model = self._opened()
        verify(feeds, self.inputs, self._file)
        for name, buffer in self._written.items():
            buffer.write(feeds[name])
        try:
            model.run_by_index(0, *self._buffers)
        except RuntimeError as error:
            raise FeedError(f"{self._file} failed on these inputs: {error}") from error
        return {s.name: buffer.read(count, dtype).reshape(_sizes(s)) for buffer, s, count, dtype in self._results}

    def placement(self) -> Placement:
        """Every op with what takes it, and why not what was named before that."""
        whole = bool(self._opened().is_fully_accelerated())
        compiled_file = CompiledFile(self._content, self._graph, self._file, self._threads, self._choice, whole)
        found = compiled_file.placement()
        return dataclasses.replace(found, notes=(*found.notes, *((self._adapter,) if self._adapter else ())))

    def close(self) -> None:
        """Free the model; a later run raises UsageError."""
        with caught():
            self._model, self._buffers, self._written, self._results = None, ([], []), {}, ()

    def _opened(self) -> Any:
        if self._model is None:
            self._refuse()
        return self._model

    def _refuse(self) -> NoReturn:
        raise UsageError(f"the session of {self._file} is closed; open the file again")


def _ours(theirs: list[str], details: tuple[TensorDetails, ...], own: Any) -> list[str]:
    """The session's names for LiteRT's, which are the signature's or, without one, the tensors' own."""
    known = {str(tensor["name"]): spec.name for tensor, spec in zip(details, own, strict=True)}
    return [name if any(spec.name == name for spec in own) else known[name] for name in theirs]


def _sizes(spec: TensorSpec) -> tuple[int, ...]:
    return tuple(int(size) for size in spec.shape)


def refuse_unfit(graph: FlatGraph, file: str) -> None:
    """Raises RuntimeUnavailableError for a file that LiteRT compiles and that could not be run from here."""
    for tensor in (*graph.inputs, *graph.outputs):
        if tensor["dtype"] not in _BUFFER_TYPES:
            raise RuntimeUnavailableError(
                f"tensor {tensor['name']!r} of {file} is {tensor['dtype']}; LiteRT's compiled models take "
                f"{', '.join(_BUFFER_TYPES)} from Python"
            )
    for op in graph.ops:
        if op["op_name"] in STATEFUL_OPS:
            raise RuntimeUnavailableError(
                f"{file} holds a {op['op_name']}, which keeps its state from run to run; LiteRT's compiled models can't forget it"
            )


_BUFFER_TYPES = ("float32", "float16", "int32", "int8", "uint8", "bool")

"""TensorFlow Lite Micro's interpreter: what a microcontroller would answer, and how much memory it needs for that."""

from __future__ import annotations

import platform
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn, final

from numpy.typing import NDArray

from edgekit.errors import ArtifactError, FeedError, RuntimeUnavailableError, UsageError
from edgekit.protocols import Availability, Feeds, Placement, SessionOptions
from edgekit_runtimes.feeds import expectations, verify
from edgekit_runtimes.flat_graph import FlatGraph, read_graph
from edgekit_runtimes.installed import installed_version, require
from edgekit_runtimes.interpreter_placement import place
from edgekit_runtimes.micro_arena import in_use, open_grown, refuse
from edgekit_runtimes.micro_arena_search import ALIGNMENT, least_arena
from edgekit_runtimes.native_messages import caught
from edgekit_runtimes.tensor_specs import STATEFUL_OPS, fixed, specs, tensor_names

NOTE = (
    "the arena is measured on this 64-bit machine; pointers of a 32-bit microcontroller take half the room, optimized kernels "
    "(CMSIS-NN) may ask for more"
)


class TfliteMicro:
    """Runtime ``tflite_micro``: the reference kernels of TensorFlow Lite Micro, on one thread."""

    name = "tflite_micro"
    formats = ("tflite",)

    def probe(self) -> Availability:
        if find_spec("tflite_micro") is not None:
            return Availability(True, installed_version("tflite-micro"), accelerators=("reference",))
        if sys.version_info[:2] not in _PYTHONS or (sys.platform, platform.machine()) != ("linux", "x86_64"):
            found = f"{sys.version_info.major}.{sys.version_info.minor} on {sys.platform}, {platform.machine()}"
            reason = f"tflite-micro has wheels for Python 3.10 to 3.13 on Linux x86-64; this is {found}"
            return Availability(False, reason=reason, remedy="pip install 'edgekit-ml[microcontroller]'")
        return Availability(
            False, reason="tflite-micro is not installed", remedy="pip install 'edgekit-ml[microcontroller]'"
        )

    def open(self, path: Path, options: SessionOptions) -> MicroSession:
        """Raises RuntimeUnavailableError (package absent, any delegate), UsageError, ArtifactError (ops that it lacks)."""
        require(self.name, self.probe())
        _check(options)
        if not path.is_file():
            raise ArtifactError(f"there is no model file {str(path)!r}")
        return MicroSession(path)


@final
class MicroSession:
    """A TFLite file in an arena that is large enough. Every run is independent, as in `InterpreterSession`."""

    def __init__(self, path: Path) -> None:
        self._file, self._path = path.name, path
        self._content = path.read_bytes()
        graph = read_graph(self._content, _schema(), path.name)
        self._graph: FlatGraph = graph
        self.inputs = specs(fixed(graph.inputs), tensor_names(graph.inputs, graph.signatures, "inputs"))
        self.outputs = specs(fixed(graph.outputs), tensor_names(graph.outputs, graph.signatures, "outputs"))
        self._slots = tuple(enumerate(expectations(self.inputs)))
        try:
            self._interpreter, self._arena_bytes = open_grown(self._content, open_native)
        except RuntimeError as error:
            raise refuse(self._content, graph, str(error), path.name, open_native) from error
        self._stateful = any(op["op_name"] in STATEFUL_OPS or op["op_name"] == "VAR_HANDLE" for op in graph.ops)

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Outputs by name; raises FeedError for a wrong name, shape or dtype."""
        interpreter = self._opened()
        verify(feeds, self.inputs, self._file)
        for index, expected in self._slots:
            interpreter.set_input(feeds[expected.name], index)
        self._invoke(interpreter)
        return {spec.name: interpreter.get_output(index).reshape(spec.shape) for index, spec in enumerate(self.outputs)}

    def placement(self) -> Placement:
        """Every op on the kernels of the library, and the smallest arena that will do."""
        self._opened()
        placed = place(self._graph.ops, self._graph.dtypes, xnnpack=False)
        least = in_use(self._interpreter) - ALIGNMENT
        arena_bytes = least_arena(self._path, least, self._arena_bytes)
        return Placement(placed.ops, notes=(NOTE,), arena_bytes=arena_bytes)

    def close(self) -> None:
        """Free the interpreter; a later run raises UsageError."""
        self._interpreter = None

    def _invoke(self, interpreter: Any) -> None:
        if self._stateful:
            interpreter.reset()
        try:
            interpreter.invoke()
        except RuntimeError as error:
            with caught() as messages:
                _again(interpreter)
            raise FeedError(f"{self._file} failed on these inputs: {messages or error}") from error

    def _opened(self) -> Any:
        if self._interpreter is None:
            self._refuse()
        return self._interpreter

    def _refuse(self) -> NoReturn:
        raise UsageError(f"the session of {self._file} is closed; open the file again")


_PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13))


def _check(options: SessionOptions) -> None:
    for delegate in options.delegates:
        if delegate.name.lower() != "reference":
            raise RuntimeUnavailableError(
                f"tflite_micro has no delegate {str(delegate.library or delegate.name)!r}; it has its reference kernels only"
            )
    if options.kernels not in ("default", "reference"):
        raise UsageError(f"kernels is {options.kernels!r}; expected one of: default, reference")
    if options.threads < 1:
        raise UsageError(f"threads is {options.threads}; expected 1 or more")
    if options.settings:
        raise UsageError(f"tflite_micro has no setting {next(iter(options.settings))!r}; it takes none")


def open_native(content: bytes, arena_bytes: int) -> Any:
    """The package's interpreter with an arena of that size. Raises RuntimeError where the file can't be had in it."""
    return import_module("tflite_micro.python.tflite_micro.runtime").Interpreter.from_bytes(
        content, arena_size=arena_bytes
    )


def _schema() -> Any:
    return import_module("tflite_micro.tensorflow.lite.micro.python.schema_py_generated")


def _again(interpreter: Any) -> None:
    """Fail once more, where the reason is heard."""
    try:
        interpreter.invoke()
    except RuntimeError:
        return

"""The contracts between the layers, each a Protocol, with the reason it exists.

Converters and runtimes implement them and never import each other; `edgekit.registry` finds the implementations by name.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import EdgekitError, UsageError

Feeds = Mapping[str, NDArray[Any]]
"""Arrays by input name; the first axis is the batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some samples: arrays by input name, all with the same first axis; labels and groups with that length, if any.

    ``whole``: one sample, whose arrays are all that the model takes at once. For models with an input whose first axis does
    not count samples: the state of a recurrent layer (layers, batch, units), a number. ``starts``: with it a stream of
    consecutive chunks begins, so that states take their initial values.
    """

    feeds: Feeds
    labels: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None
    whole: bool = False
    starts: bool = False

    def __len__(self) -> int:
        return 1 if self.whole else len(next(iter(self.feeds.values())))


class Dataset(Protocol):
    """A re-iterable stream of batches. Exists so that calibration and accuracy never hold all samples in memory."""

    def __len__(self) -> int:
        """Number of samples."""

    def batches(self, size: int) -> Iterator[Batch]:
        """Batches of at most ``size`` samples, in a fixed order; may be called again and again."""


@dataclass(frozen=True, slots=True)
class Absent:
    """An execution provider or delegate that can't be had here: why, and what would bring it."""

    name: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a runtime, source or delegate can be used here, and if not, what to do."""

    available: bool
    version: str = ""
    reason: str = ""
    remedy: str = ""
    """The command that installs it."""
    accelerators: tuple[str, ...] = ()
    """Execution providers or delegates that can be asked for."""
    absent: tuple[Absent, ...] = ()
    """Those that are known and can't be asked for here."""

    @property
    def words(self) -> str:
        """Why it can't be used and what to do, for a message."""
        return f"{self.reason}. Install it with: {self.remedy}" if self.remedy else self.reason


@dataclass(frozen=True, slots=True)
class PlacedOp:
    """Where one op of the runtime's own (optimized) graph runs. ``integer`` says whether its kernel computes on integers."""

    name: str
    op: str
    device: str
    """Execution provider or delegate: "CPUExecutionProvider", "XNNPACK", "builtin"."""
    kernel: str
    integer: bool
    why: str = ""
    """Why the delegate that was asked for did not take it, where the runtime or the op tells."""


CPU_DEVICES = frozenset({"builtin", "reference", "CPUExecutionProvider"})
"""Devices of a `PlacedOp` that are no delegate: the runtimes' own kernels for the CPU."""


@dataclass(frozen=True, slots=True)
class TimedOp:
    """An op of the runtime's own graph and the time it takes in one run."""

    op: PlacedOp
    ms: float


@dataclass(frozen=True, slots=True)
class Placement:
    """Which op ran where. ``partitions`` counts the delegate's subgraphs (1 is best, 0 when there is no delegate).

    ``arena_bytes``: the working memory that the runtime must be given, where it is given one block of a fixed size.
    """

    ops: tuple[PlacedOp, ...]
    partitions: int = 0
    notes: tuple[str, ...] = ()
    arena_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Delegate:
    """An execution provider or delegate to ask for: ``name`` as the runtime knows it, or the path of a ``library`` that
    brings it. ``options`` are the provider's own keys and values, handed on as they are."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    library: Path | None = None

    @staticmethod
    def parse(text: str) -> Delegate:
        """From ``NAME[:key=value,...]``; a NAME with a slash or ending in .so, .dylib or .dll is a library, called by its stem.

        Raises UsageError.
        """
        name, _, rest = text.partition(":")
        pairs = [part.partition("=") for part in rest.split(",") if part]
        if not name or any(not key or not equals for key, equals, _ in pairs):
            raise UsageError(f"delegate is {text!r}; expected NAME or NAME:key=value,key=value")
        library = Path(name) if "/" in name or name.endswith((".so", ".dylib", ".dll")) else None
        options = {key.strip(): value.strip() for key, _, value in pairs}
        return Delegate(library.stem if library else name, options, library)

    def __str__(self) -> str:
        options = ",".join(f"{key}={value}" for key, value in self.options.items())
        return str(self.library or self.name) + (f":{options}" if options else "")


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How to open a model. ``delegates`` are execution providers or delegates in order of preference; none means the
    runtime's plain CPU path. ``kernels``: "default" (XNNPACK in LiteRT), "builtin" (optimized, no delegate) or "reference".
    ``optimization``: "all", "basic" or "none" (ONNX Runtime's graph optimization)."""

    threads: int = 1
    delegates: tuple[Delegate, ...] = ()
    kernels: str = "default"
    optimization: str = "all"
    settings: Mapping[str, str] = field(default_factory=dict)


class Session(Protocol):
    """An opened model that answers feeds with outputs, in the artifact's own dtypes (no conversion for the caller)."""

    @property
    def inputs(self) -> Sequence[TensorSpec]: ...

    @property
    def outputs(self) -> Sequence[TensorSpec]: ...

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Outputs by name, in the order of ``outputs``. The arrays belong to the caller.

        Raises FeedError for a wrong name, shape or dtype.
        """

    def placement(self) -> Placement:
        """Which op runs where. May be slow: it may open the model a second time with recording on."""

    def close(self) -> None: ...


class Bound(Protocol):
    """A session's own memory: arrays that the caller writes and reads in place, so that a run copies nothing.

    The arrays are valid until the session is closed; each run overwrites the outputs.
    """

    @property
    def inputs(self) -> Mapping[str, NDArray[Any]]: ...

    @property
    def outputs(self) -> Mapping[str, NDArray[Any]]: ...

    def run(self) -> None: ...


@runtime_checkable
class Binder(Protocol):
    """A session that can run in memory allocated once. Apart from `Session`, since not every engine can."""

    def bind(self, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Bound:
        """Allocate inputs and outputs. ``shapes`` by input name, for inputs with open dimensions. Raises FeedError."""


class Runtime(Protocol):
    """A thin adapter over one inference engine. Stateless; exists so that a board's own engine can be plugged in."""

    @property
    def name(self) -> str: ...

    @property
    def formats(self) -> Sequence[str]:
        """Artifact formats it opens: "onnx", "tflite"."""

    def probe(self) -> Availability:
        """Whether it can be used here; never raises, never imports the engine if the answer is known without."""

    def open(self, path: Path, options: SessionOptions) -> Session:
        """Raises RuntimeUnavailableError (engine, provider or delegate absent) or ArtifactError (file damaged)."""


@runtime_checkable
class Profiler(Protocol):
    """A runtime that can tell where the time of a run goes. Apart from `Runtime`, since not every engine can."""

    def op_times(self, path: Path, options: SessionOptions) -> tuple[TimedOp, ...]:
        """Every op of the file with its time; nothing where the file has too many to be told apart. Raises as ``open``."""


@runtime_checkable
class Surveyor(Protocol):
    """A runtime that can tell of each delegate whether it starts here. Apart from `Runtime.probe`, which is asked on every
    opening and loads no delegate's libraries."""

    def survey(self) -> Availability:
        """As ``probe``: ``accelerators`` are those that start, ``absent`` the other ones that are known. Never raises."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a user may tell a reader. ``input_shapes`` by input name; the key "" stands for the only input.

    ``factory``: "module:callable" that makes a PyTorch module whose state_dict the model file is. ``example``: .npz whose
    arrays show the inputs. ``trust_source``: may execute code that the file contains. ``input_values``: inputs that become
    constants, every element of them that number.
    """

    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    factory: str | None = None
    example: Path | None = None
    trust_source: bool = False
    input_values: Mapping[str, float] = field(default_factory=dict)


class Source(Protocol):
    """A reader of one framework's files. ``read`` returns a `edgekit_converters.hub.Hub` (typed Any here: the contract
    may not import the converters)."""

    @property
    def name(self) -> str: ...

    def matches(self, path: Path) -> bool:
        """Whether the file or folder looks like one of this reader's; cheap, never executes anything."""

    def probe(self) -> Availability: ...

    def read(self, path: Path, options: ReadOptions, progress: Progress | None = None) -> Any:
        """The hub of the model; ``progress`` hears of the stages of long reading. Raises SourceError and its kind."""

    def reference(self, path: Path, options: ReadOptions) -> Session | None:
        """A session that answers with the ORIGINAL framework's outputs, or None where that framework is absent."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command on a device ended."""

    code: int
    output: bytes
    errors: str


class Transport(Protocol):
    """Commands and files on one device: this machine, an emulated board, a board over SSH. Paths there are absolute.

    Exists so that everything else (`edgekit.devices.Device`) is the same for all of them. Every call raises DeviceError where
    the device can't be reached, and says why and what to do.
    """

    @property
    def name(self) -> str:
        """What the user calls the device: "ssh://pi@kitchen"."""

    @property
    def emulated(self) -> bool:
        """Whether its time says nothing about a real board's."""

    @property
    def python(self) -> str:
        """The interpreter there, where the user names none. A command that begins with it is run as the device would."""

    def run(self, command: Sequence[str], *, stdin: bytes = b"", seconds: float = 60.0) -> Finished:
        """Run a command to its end; a code other than 0 is for the caller to judge."""

    def start(self, command: Sequence[str], channel: socket.socket) -> subprocess.Popen[bytes]:
        """Start a command whose stdin and stdout are ``channel`` and whose stderr is the process's pipe ``stderr``.

        The process here leads a session of its own. The command sees the end of its stdin when the channel closes or the
        connection is lost.
        """

    def put(self, path: Path, remote: str) -> None:
        """Copy a file there. It appears under its name when it is complete and its sha256 was verified there."""

    def get(self, remote: str, path: Path) -> None:
        """Copy a file here, in the same manner."""

    def lost(self, code: int | None, lines: Sequence[str]) -> EdgekitError | None:
        """The error for a started command that ended with ``code`` after printing ``lines``, if the way to the device broke."""

    def close(self) -> None: ...


class Progress(Protocol):
    """Told how far long work has come, for people; never influences the result."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A new stage begins; ``total`` steps, if known."""

    def step(self, count: int = 1) -> None: ...


class Silent:
    """A Progress that says nothing."""

    def stage(self, name: str, total: int | None = None) -> None: ...

    def step(self, count: int = 1) -> None: ...


FloatArray = NDArray[np.float32]

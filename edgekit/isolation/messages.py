"""What a parent and its child process say to one another, and the values a caller gives and gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.artifact import TensorSpec
from edgekit.protocols import Feeds


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use. None: no limit. ``memory_bytes`` is the child's writable memory (RLIMIT_DATA)."""

    seconds: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a function returned in its child process, and what the process used, its own children included."""

    value: Any
    peak_memory_bytes: int
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Call:
    """Parent to child: call ``function`` ("module:name") with the request and a Progress."""

    function: str
    request: Any
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """Parent to child: what ``call`` returns is a Session; keep it and answer `Run` and `Place` until the end."""

    call: Call


@dataclass(frozen=True, slots=True)
class Run:
    """Parent to child: answer with the outputs of the opened session."""

    feeds: Feeds


@dataclass(frozen=True, slots=True)
class Place:
    """Parent to child: answer with the placement of the opened session."""


@dataclass(frozen=True, slots=True)
class StageBegan:
    """Child to parent, for the caller's Progress."""

    name: str
    total: int | None


@dataclass(frozen=True, slots=True)
class Stepped:
    """Child to parent, for the caller's Progress."""

    count: int


@dataclass(frozen=True, slots=True)
class Opened:
    """Child to parent: the value that answers `Open`."""

    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]


@dataclass(frozen=True, slots=True)
class Failure:
    """Child to parent: the function raised. ``attributes`` are the error's own public fields.

    ``os_error``: number, text and file of a disk's refusal, which the parent raises as an OSError: a full disk is no crash.
    """

    kind: str
    message: str
    traceback: str
    is_edgekit_error: bool
    attributes: Mapping[str, Any] = field(default_factory=dict)
    os_error: tuple[int, str, str | None] | None = None

"""How much working memory TensorFlow Lite Micro needs for a file, and which of its ops it can't run.

A microcontroller's program gives the interpreter one block of memory, the arena, for the activations and the interpreter's own
structures. Weights stay in flash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from edgekit.errors import ArtifactError
from edgekit_runtimes.flat_graph import FlatGraph, alone
from edgekit_runtimes.micro_arena_search import ALIGNMENT, Open
from edgekit_runtimes.native_messages import caught

_FIRST_BYTES, _MOST_BYTES = 1 << 16, 1 << 30


def open_grown(content: bytes, open_file: Open) -> tuple[Any, int]:
    """The file's interpreter and the size of its arena, which is large enough. Raises RuntimeError with what the engine says."""
    size = _FIRST_BYTES
    while True:
        found, reason = _tried(content, size, open_file)
        if found is not None:
            return found, size
        if not _MEMORY.search(reason) or size >= _MOST_BYTES:
            raise RuntimeError(reason)
        size *= 4


def in_use(interpreter: Any) -> int:
    """Bytes of the arena that are taken for good, which the engine tells in words. Planning needs some more for a while."""
    with caught() as messages:
        interpreter.print_allocations()
    found = re.search(r"Arena allocation total (\d+) bytes", "\n".join(messages.lines))
    assert found is not None, messages.lines
    return -(-int(found[1]) // ALIGNMENT) * ALIGNMENT


def refuse(content: bytes, graph: FlatGraph, reason: str, file: str, open_file: Open) -> ArtifactError:
    """The error for a file that can't be opened: which ops are the reason, and what the engine says of each."""
    found = list(_refused(content, graph, open_file))
    what = "; ".join(f"{name} ({said})" for name, said in found) or reason
    return ArtifactError(
        f"{file} cannot be run by TensorFlow Lite Micro: {what}. docs/microcontrollers.md tells what that library "
        "takes and what else can be done"
    )


def _refused(content: bytes, graph: FlatGraph, open_file: Open) -> Iterator[tuple[str, str]]:
    """One op of each kind and types that can't be opened alone, with the reason."""
    seen = set()
    for position, op in enumerate(graph.ops):
        kind = (
            op["op_name"],
            *(graph.dtypes.get(int(tensor)) for side in ("inputs", "outputs") for tensor in op[side]),
        )
        if kind not in seen:
            seen.add(kind)
            try:
                open_grown(alone(content, graph, position), open_file)
            except RuntimeError as error:
                yield f"{op['op_name']}:{position}", str(error)


def _tried(content: bytes, size: int, open_file: Open) -> tuple[Any | None, str]:
    with caught() as messages:
        try:
            found = open_file(content, size)
        except RuntimeError as error:
            found, raised = None, str(error)
    if found is not None:
        return found, ""
    said = [_plain(line) for line in messages.lines if not _NO_REASON.search(line)]
    return None, "; ".join(dict.fromkeys(said)) or raised


def _plain(line: str) -> str:
    """A line of the engine without the place in its source."""
    return re.sub(r"^\S+\.(cc|h)(:\d+:?)?\s+", "", line).rstrip(".")


_MEMORY = re.compile(r"[Ff]ailed to (allocate|resize)|missing: \d|Too many buffers")
_NO_REASON = re.compile(
    r"Failed to get registration|Failed starting model allocation|AllocateTensors\(\) failed|Node .* failed to prepare"
)

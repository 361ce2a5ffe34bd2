"""How long each op of a TFLite file takes, although the interpreter's Python side has no profiler.

The file's own list of operators is cut short after each op in turn, in a copy in memory, and what is left is timed: an op's
time is what its being there adds. Delegates take the ops of the shortened file as they take those of the whole one.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from itertools import accumulate

from edgekit.protocols import PlacedOp, TimedOp
from edgekit_runtimes.interpreter import Interpreter

MOST_OPS = 256
"""Files with more operators are not timed op by op: every op means opening the file once more."""

_RUNS = 15
_SECONDS = 0.2


def op_times(
    content: bytes, ops: Sequence[PlacedOp], open_content: Callable[[bytes], Interpreter]
) -> tuple[TimedOp, ...]:
    """The time of every op of the file ``content``, in the order of ``ops``; nothing where there are more than `MOST_OPS`.

    The least of some runs counts, on inputs of zeros.
    """
    if len(ops) > MOST_OPS:
        return ()
    shortened = [_cut(content, count) for count in range(1, len(ops) + 1)]
    ends = accumulate((_least_ns(open_content(part)) for part in shortened), max)
    steps = _differences(list(ends))
    return tuple(TimedOp(op, step / 1e6) for op, step in zip(ops, steps, strict=True))


def _differences(ends: Sequence[int]) -> list[int]:
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _least_ns(interpreter: Interpreter) -> int:
    interpreter.allocate_tensors()
    interpreter.invoke()
    samples: list[int] = []
    while len(samples) < _RUNS and sum(samples) < _SECONDS * 1e9:
        began = time.perf_counter_ns()
        interpreter.invoke()
        samples.append(time.perf_counter_ns() - began)
    return min(samples)


def _cut(content: bytes, count: int) -> bytes:
    """The file with its first ``count`` operators alone, whose last one's result is every output."""
    data = bytearray(content)
    model = _u32(data, 0)
    subgraph = _element(data, _vector(data, model, _SUBGRAPHS), 0)
    operators, outputs = _vector(data, subgraph, _OPERATORS), _vector(data, subgraph, _SUBGRAPH_OUTPUTS)
    last = _vector(data, _element(data, operators, count - 1), _OPERATOR_OUTPUTS)
    result = _u32(data, last + 4)
    _put_u32(data, operators, count)
    for position in range(_u32(data, outputs)):
        _put_u32(data, outputs + 4 + 4 * position, result)
    if (signatures := _field(data, model, _SIGNATURES)) is not None:
        _put_u32(data, signatures + _u32(data, signatures), 0)
    return bytes(data)


# Places of fields in the tables of TensorFlow Lite's schema, and how a flatbuffer finds them: a table begins with the
# distance back to its list of places, a vector with its length, and a field that is a table or vector holds the distance to it.
_SUBGRAPHS, _SIGNATURES = 2, 7
_SUBGRAPH_OUTPUTS, _OPERATORS = 2, 3
_OPERATOR_OUTPUTS = 2


def _vector(data: bytearray, table: int, field: int) -> int:
    place = _field(data, table, field)
    assert place is not None
    return place + _u32(data, place)


def _field(data: bytearray, table: int, field: int) -> int | None:
    places = table - int(struct.unpack_from("<i", data, table)[0])
    slot = 4 + 2 * field
    if slot >= struct.unpack_from("<H", data, places)[0]:
        return None
    distance = int(struct.unpack_from("<H", data, places + slot)[0])
    return table + distance if distance else None


def _element(data: bytearray, vector: int, position: int) -> int:
    """Where the table begins that stands at that position of a vector of tables."""
    place = vector + 4 + 4 * position
    return place + _u32(data, place)


def _u32(data: bytearray, place: int) -> int:
    return int(struct.unpack_from("<I", data, place)[0])


def _put_u32(data: bytearray, place: int, value: int) -> None:
    struct.pack_into("<I", data, place, value)

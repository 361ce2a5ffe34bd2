"""Parts of a TFLite file as files of their own, in memory: its first ops, or one op alone."""

from __future__ import annotations

import struct
from collections.abc import Sequence


def first_ops(content: bytes, count: int) -> bytes:
    """The file with its first ``count`` operators alone, whose last one's result is every output."""
    data = bytearray(content)
    subgraph, operators = _main_operators(data)
    _put_u32(data, operators, count)
    _end_at(data, subgraph, _element(data, operators, count - 1))
    return bytes(data)


def one_op(content: bytes, position: int, inputs: Sequence[int]) -> bytes:
    """The file with the operator at ``position`` alone. ``inputs``: the tensors that it reads and that are no constants."""
    data = bytearray(content)
    subgraph, operators = _main_operators(data)
    operator = _element(data, operators, position)
    _put_u32(data, operators, 1)
    _put_u32(data, operators + 4, operator - (operators + 4))
    _end_at(data, subgraph, operator)
    data += bytes(-len(data) % 4)
    place = _field(data, subgraph, _SUBGRAPH_INPUTS)
    if place is not None:
        _put_u32(data, place, len(data) - place)
        data += struct.pack(f"<I{len(inputs)}i", len(inputs), *inputs)
    return bytes(data)


def main_graph(content: bytes) -> bytes:
    """The file without the inner graphs of its loops and branches."""
    data = bytearray(content)
    _put_u32(data, _vector(data, _u32(data, 0), _SUBGRAPHS), 1)
    return bytes(data)


def _main_operators(data: bytearray) -> tuple[int, int]:
    """Where the first subgraph and its vector of operators begin."""
    subgraph = _element(data, _vector(data, _u32(data, 0), _SUBGRAPHS), 0)
    return subgraph, _vector(data, subgraph, _OPERATORS)


def _end_at(data: bytearray, subgraph: int, operator: int) -> None:
    """Make the operator's first result every output, and forget the signatures, which name others."""
    outputs = _vector(data, subgraph, _SUBGRAPH_OUTPUTS)
    result = _u32(data, _vector(data, operator, _OPERATOR_OUTPUTS) + 4)
    for position in range(_u32(data, outputs)):
        _put_u32(data, outputs + 4 + 4 * position, result)
    if (signatures := _field(data, _u32(data, 0), _SIGNATURES)) is not None:
        _put_u32(data, signatures + _u32(data, signatures), 0)


# Places of fields in the tables of TensorFlow Lite's schema, and how a flatbuffer finds them: a table begins with the
# distance back to its list of places, a vector with its length, and a field that is a table or vector holds the distance to it.
_SUBGRAPHS, _SIGNATURES = 2, 7
_SUBGRAPH_INPUTS, _SUBGRAPH_OUTPUTS, _OPERATORS = 1, 2, 3
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

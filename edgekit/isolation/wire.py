"""Values as bytes and back, over a socket between a parent and its child process.

A frame is two lengths, JSON, and the raw bytes of the arrays. Not pickle: the child handles files that strangers made, so
what it answers may not be able to execute anything here. What crosses: None, bool, int, float, str, bytes, tuple, list,
set, mappings, paths, numpy arrays of plain numbers or text, and edgekit's own enums and dataclasses.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import json
import socket
import struct
import threading
import time
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

PACKAGES = ("edgekit", "edgekit_converters", "edgekit_runtimes")
"""Top-level packages whose enums and dataclasses may cross; nothing else is ever imported by name."""

_HEADER = struct.Struct(">QQ")
_ALIGNMENT = 64
_NUMBERS_AND_TEXT = "biufcSU"


class Channel:
    """Sends and receives values over a connected socket. Any thread may send; one thread receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, value: object) -> None:
        """Raises TypeError for a value that can't cross and OSError when the other side is gone."""
        text, arrays = encode(value)
        with self._sending:
            self._connection.settimeout(None)
            self._connection.sendall(_HEADER.pack(len(text), sum(_padded(part.nbytes) for part in arrays)))
            self._connection.sendall(text)
            for part in arrays:
                self._connection.sendall(part.reshape(-1).view(np.uint8).data)
                self._connection.sendall(bytes(_padded(part.nbytes) - part.nbytes))

    def receive(self, deadline: float | None = None) -> Any:
        """The next value. ``deadline`` is a reading of `time.monotonic`.

        Raises EOFError when the other side is gone and TimeoutError at the deadline.
        """
        text_size, array_size = _HEADER.unpack(self._read(_HEADER.size, deadline))
        text = self._read(text_size, deadline)
        return decode(bytes(text), self._read(array_size, deadline))

    def close(self) -> None:
        self._connection.close()

    def _read(self, size: int, deadline: float | None) -> bytearray:
        buffer = bytearray(size)
        view, done = memoryview(buffer), 0
        while done < size:
            if deadline is not None:
                self._connection.settimeout(max(deadline - time.monotonic(), 1e-3))
            try:
                count = self._connection.recv_into(view[done:])
            except ConnectionError:
                count = 0
            if count == 0:
                raise EOFError
            done += count
        return buffer


def encode(value: object) -> tuple[bytes, list[NDArray[Any]]]:
    """JSON text of a value and the arrays it refers to. Raises TypeError with the place of what can't cross."""
    arrays: list[NDArray[Any]] = []
    return json.dumps(_to_plain(value, arrays, "value")).encode(), arrays


def decode(text: bytes, payload: bytearray) -> Any:
    """The value back; its arrays are writable views of ``payload``. Raises ValueError for what `encode` never makes."""
    return _from_plain(json.loads(text), payload, [0])


def pack(value: object) -> bytes:
    """The value as one frame, for keeping in a file. Raises TypeError with the place of what can't cross."""
    text, arrays = encode(value)
    parts = [part.tobytes() + bytes(_padded(part.nbytes) - part.nbytes) for part in arrays]
    return b"".join((_HEADER.pack(len(text), sum(map(len, parts))), text, *parts))


def unpack(stream: BinaryIO) -> Any:
    """The value of the next frame. Raises EOFError at the end, and where the last frame is not whole."""
    text_size, array_size = _HEADER.unpack(_exactly(stream, _HEADER.size))
    return decode(_exactly(stream, text_size), bytearray(_exactly(stream, array_size)))


def _exactly(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError
    return content


def _to_plain(value: object, arrays: list[NDArray[Any]], where: str) -> object:
    if isinstance(value, enum.Enum):
        return {"enum": _name_of(type(value), where), "member": value.name}
    if isinstance(value, np.generic):
        return _to_plain(value.item(), arrays, where)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray):
        return _array_to_plain(value, arrays, where)
    if isinstance(value, bytes):
        return {"bytes": _array_to_plain(np.frombuffer(value, np.uint8), arrays, where)}
    if isinstance(value, PurePath):
        return {"path": str(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
        plain = {key: _to_plain(item, arrays, f"{where}.{key}") for key, item in fields.items()}
        return {"data": _name_of(type(value), where), "fields": plain}
    return _collection_to_plain(value, arrays, where)


def _collection_to_plain(value: object, arrays: list[NDArray[Any]], where: str) -> object:
    if isinstance(value, Mapping):
        items = [
            [_to_plain(key, arrays, f"{where} key"), _to_plain(item, arrays, f"{where}[{key!r}]")]
            for key, item in value.items()
        ]
        return {"mapping": items}
    for kind, name in ((list, "list"), (tuple, "tuple"), (frozenset, "set"), (set, "set")):
        if isinstance(value, kind):
            return {name: [_to_plain(item, arrays, f"{where}[{n}]") for n, item in enumerate(value)]}
    raise TypeError(f"{where} is a {type(value).__name__}, which can't be sent to another process")


def _array_to_plain(value: NDArray[Any], arrays: list[NDArray[Any]], where: str) -> dict[str, object]:
    if value.dtype.kind not in _NUMBERS_AND_TEXT:
        raise TypeError(f"{where} is an array of {value.dtype}, which can't be sent to another process")
    arrays.append(np.ascontiguousarray(value))
    return {"array": value.dtype.str, "shape": list(value.shape)}


def _from_plain(plain: Any, payload: bytearray, position: list[int]) -> Any:
    """``position`` is where the next array starts in ``payload``: arrays stand there in the order of the text."""
    if not isinstance(plain, dict):
        return plain
    kind, content = next(iter(plain.items()))
    if kind == "array":
        return _array_from_plain(content, tuple(plain["shape"]), payload, position)
    if kind == "bytes":
        return _from_plain(content, payload, position).tobytes()
    if kind == "path":
        return Path(content)
    if kind == "enum":
        return _class_of(content)[plain["member"]]
    if kind == "data":
        fields = {key: _from_plain(item, payload, position) for key, item in plain["fields"].items()}
        return _class_of(content)(**fields)
    if kind == "mapping":
        return {_from_plain(key, payload, position): _from_plain(item, payload, position) for key, item in content}
    make = {"list": list, "tuple": tuple, "set": frozenset}[kind]
    return make(_from_plain(item, payload, position) for item in content)


def _array_from_plain(code: str, shape: tuple[int, ...], payload: bytearray, position: list[int]) -> NDArray[Any]:
    dtype = np.dtype(code)
    if dtype.kind not in _NUMBERS_AND_TEXT:
        raise ValueError(f"an array of {code!r} is not accepted from another process")
    array: NDArray[Any] = np.ndarray(shape, dtype, payload, position[0])
    position[0] += _padded(array.nbytes)
    return array


def _name_of(kind: type, where: str) -> str:
    if kind.__module__.partition(".")[0] not in PACKAGES:
        raise TypeError(f"{where} is a {kind.__module__}.{kind.__qualname__}, which can't be sent to another process")
    return f"{kind.__module__}:{kind.__qualname__}"


def _class_of(name: str) -> Any:
    module_name, _, attribute = name.partition(":")
    if module_name.partition(".")[0] in PACKAGES:
        found = getattr(importlib.import_module(module_name), attribute, None)
        is_value = dataclasses.is_dataclass(found) or isinstance(found, enum.EnumMeta)
        if isinstance(found, type) and is_value and found.__module__ == module_name:
            return found
    raise ValueError(f"a value of the type {name!r} is not accepted from another process")


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT

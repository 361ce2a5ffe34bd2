"""Which libraries a shared library needs that this machine has not: what keeps a provider from starting, by file name."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from pathlib import Path

_ELF_64_LITTLE = b"\x7fELF\x02\x01"
_DYNAMIC, _NEEDED = 6, 1


def missing_libraries(path: Path) -> tuple[str, ...]:
    """File names of what ``path`` needs directly and neither its folder nor the loader has; nothing for other files than ELF."""
    return tuple(name for name in _needed(path) if not (path.parent / name).exists() and not loads(name))


def _needed(path: Path) -> Iterator[str]:
    """The DT_NEEDED entries of a 64-bit little-endian ELF file (System V ABI, chapter 5)."""
    with path.open("rb") as stream:
        header = stream.read(64)
        if not header.startswith(_ELF_64_LITTLE):
            return
        (table,) = struct.unpack_from("<Q", header, 40)
        size, count = struct.unpack_from("<HH", header, 58)

        def section(index: int) -> bytes:
            stream.seek(table + index * size)
            return stream.read(size)

        def content(head: bytes) -> bytes:
            offset, length = struct.unpack_from("<QQ", head, 24)
            stream.seek(offset)
            return stream.read(length)

        for head in map(section, range(count)):
            if struct.unpack_from("<I", head, 4)[0] == _DYNAMIC:
                (link,) = struct.unpack_from("<I", head, 40)
                yield from _names(content(head), content(section(link)))


def _names(entries: bytes, strings: bytes) -> Iterator[str]:
    for tag, offset in struct.iter_unpack("<QQ", entries):
        if tag == _NEEDED:
            yield strings[offset : strings.index(b"\0", offset)].decode()


def loads(name: str) -> bool:
    """Whether the loader finds that library; it stays loaded."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True

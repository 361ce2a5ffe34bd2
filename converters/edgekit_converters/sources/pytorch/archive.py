"""What an exported program (.pt2) may not contain: anything that torch.export.load would execute."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from edgekit.errors import SourceError, UntrustedSourceError

_NAME = r"(?:(?!__)\w+|__i?(?:and|or|xor|lshift|rshift)__)"
_ARITHMETIC = (
    "add|sub|mul|truediv|floordiv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_|not_|xor|lshift|rshift|getitem"
)
_OPERATOR = re.compile(
    rf"torch\.ops\.[a-z]\w*(?:\.{_NAME})+|_operator\.(?:{_ARITHMETIC})|math\.[a-z]\w*|torch\.sym_[a-z]+|torch\._sym_[a-z]+"
)
_PICKLED = re.compile(r"(?:.*/)?(?:custom_obj|opaque)[^/]*")
_EXPRESSION = re.compile(r"[\w\s+\-*/%(),<>=!.]*")
_SYMBOL = re.compile(r"Symbol\('[A-Za-z]\w*'")
_ATTRIBUTE = re.compile(r"__|[A-Za-z_)]\s*\.")


def check_exported_program(path: Path) -> None:
    """Refuse pickled objects, functions that are no operators, and expressions that are no arithmetic.

    ``torch.export.load`` unpickles the first, calls the second and evaluates the third. Raises UntrustedSourceError.
    """
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if _PICKLED.fullmatch(name):
                _refuse(path, f"it holds the pickled object {name!r}")
        for name in archive.namelist():
            if name.endswith(".json"):
                _check_program(archive.read(name), path)


def _check_program(text: bytes, path: Path) -> None:
    try:
        program = json.loads(text)
    except ValueError as error:
        raise SourceError(f"{path} is damaged: its program is not JSON ({error}). Export it again.") from error
    for key, value in _entries(program):
        if key == "path_name" and _PICKLED.fullmatch(value):
            _refuse(path, f"it holds the pickled object {value!r}")
        if key == "target" and not _OPERATOR.fullmatch(value):
            _refuse(path, f"it calls {value!r}, which is no operator")
        if key in ("expr_str", "range_constraints"):
            rest = _SYMBOL.sub("Symbol(", value)
            if not _EXPRESSION.fullmatch(rest) or _ATTRIBUTE.search(rest):
                _refuse(path, f"it evaluates {value[:60]!r} as the size of a dimension")


def _entries(node: object) -> Iterator[tuple[str, str]]:
    """(key, text) of every entry of the JSON tree that torch evaluates or looks up."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "range_constraints" and isinstance(value, dict):
                yield from ((key, name) for name in value)
            elif key in ("target", "expr_str", "path_name") and isinstance(value, str):
                yield key, value
            elif key != "metadata":
                yield from _entries(value)
    elif isinstance(node, list):
        for item in node:
            yield from _entries(item)


def _refuse(path: Path, why: str) -> None:
    raise UntrustedSourceError(
        f"{path} would execute code on loading: {why}. Use --trust-source if you trust its author, or export it to ONNX."
    )

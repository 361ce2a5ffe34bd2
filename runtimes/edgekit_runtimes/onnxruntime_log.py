"""What ONNX Runtime and a vendor's libraries print while they open a model: there, and nowhere else, stands why a provider did
not start or left an op alone.

They print to the process's own stdout and stderr, past Python, and some into what a command writes for machines.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, final

_ONE_AT_A_TIME = threading.Lock()
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ENTRY = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ \[([VIWEF]):[^\]]*\] (.*)$")
_NODE = re.compile(r"Node name: (.*?)\s+Node index: \d+")
_PREFERS_CPU = re.compile(r"Force fallback to CPU execution for node: (\S+) because (.*)")


@final
class Printed:
    """What was printed in a block of `captured`: complete after its end."""

    def __init__(self) -> None:
        self.text = ""

    @property
    def errors(self) -> tuple[str, ...]:
        """The messages of severity error, each once, without the place in the source."""
        return tuple(dict.fromkeys(_message(text) for severity, text in self._entries() if severity in ("E", "F")))

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_message(text) for severity, text in self._entries() if severity == "W"))

    @property
    def refusals(self) -> dict[str, str]:
        """Why an op was left to the CPU, by its name in the file."""
        found: dict[str, str] = {}
        for _, text in self._entries():
            if match := _PREFERS_CPU.search(text):
                found[match[1]] = match[2].strip()
            elif "Validation FAILED" in text:
                reason = text.partition("REASON :")[2].strip() or "its check failed"
                found |= dict.fromkeys(_NODE.findall(text), " ".join(reason.split()))
        return found

    def _entries(self) -> Iterator[tuple[str, str]]:
        """Severity and text of each entry; lines without a head continue the entry before them."""
        severity, lines = "", [""]
        for line in _COLOUR.sub("", self.text).splitlines():
            if head := _ENTRY.match(line):
                yield severity, "\n".join(lines)
                severity, lines = head[1], [head[2]]
            else:
                lines.append(line)
        yield severity, "\n".join(lines)


@contextmanager
def captured() -> Iterator[Printed]:
    """Keep what native code prints from this process's stdout and stderr. One block at a time; others wait.

    Where the process has no such files of its own, nothing is captured.
    """
    printed = Printed()
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as file:
        try:
            kept = [(target, os.dup(target)) for target in (1, 2)]
        except OSError:
            yield printed
            return
        try:
            _flush()
            for target, _ in kept:
                os.dup2(file.fileno(), target)
            yield printed
        finally:
            _flush()
            for target, own in kept:
                os.dup2(own, target)
                os.close(own)
            printed.text = _read(file)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _read(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _message(text: str) -> str:
    """Without file, line and function, status code and repetitions of them."""
    plain = " ".join(text.split())
    plain = re.sub(r"^.*\[ONNXRuntimeError\] : \d+ : \w+ : ", "", plain)
    plain = re.sub(r"^/\S+:\d+ .*?\) (?=[\[A-Z])", "", plain)
    return plain.removeprefix("[ERROR] ")

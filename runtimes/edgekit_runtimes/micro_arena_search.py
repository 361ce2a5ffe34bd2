"""The smallest arena in which TensorFlow Lite Micro opens a file, searched in a process of its own.

Some of its kernels don't look whether they were given memory: in an arena that is too small they end the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import RuntimeUnavailableError

ALIGNMENT = 16

Open = Callable[[bytes, int], Any]
"""An interpreter of the file with an arena of so many bytes; raises RuntimeError where it can't be had."""


def least_arena(path: Path, too_small: int, enough: int) -> int:
    """Bytes, to 16, of the smallest arena that will do; it lies between the two sizes. Raises RuntimeUnavailableError."""
    while enough - too_small > ALIGNMENT:
        command = [sys.executable, "-c", _CHILD, str(path), str(too_small), str(enough)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if not found.stdout:
            reason = (found.stderr.strip().splitlines() or ["no reason was given"])[-1]
            raise RuntimeUnavailableError(f"the arena of {path.name} can't be measured: {reason}")
        too_small, enough = _narrowed(found.stdout.split(), too_small, enough)
    return enough


def search(path: Path, too_small: int, enough: int, open_file: Open) -> None:
    """Halve the interval in this process, telling each size that is tried, and the answer, on stdout."""
    content = path.read_bytes()
    while enough - too_small > ALIGNMENT:
        middle = too_small + (enough - too_small) // 2 // ALIGNMENT * ALIGNMENT
        _tell(str(middle))
        try:
            open_file(content, middle)
        except RuntimeError:
            too_small = middle
            _tell("small")
        else:
            enough = middle
            _tell("enough")


def _tell(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def _narrowed(words: Sequence[str], too_small: int, enough: int) -> tuple[int, int]:
    """The interval after what a search told; a size without an answer ended the process, and was too small."""
    answers = (*words, "small") if len(words) % 2 else words
    for size, answer in zip(answers[::2], answers[1::2], strict=True):
        if answer == "enough":
            enough = int(size)
        else:
            too_small = int(size)
    return too_small, enough


_CHILD = """
import sys
from pathlib import Path
from edgekit_runtimes.micro_arena_search import search
from edgekit_runtimes.tflite_micro import open_native
search(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), open_native)
"""

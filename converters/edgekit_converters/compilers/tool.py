"""Finding and running a compiler's command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgekit.errors import CompilerError

LONGEST_SECONDS = 3600.0
"""After which a compiler is taken to hang."""


def find_tool(name: str) -> str | None:
    """The command on the PATH, or beside this Python, where ``pip`` puts it; None where it is in neither place."""
    beside = Path(sys.executable).parent
    return shutil.which(name) or shutil.which(name, path=str(beside))


def run_tool(command: Sequence[str | Path], *, cwd: Path | None = None, seconds: float = LONGEST_SECONDS) -> str:
    """All that the command said. Raises CompilerError with its last words where it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CompilerError(f"{Path(words[0]).name} did not end within {seconds:g} s") from error
    except OSError as error:
        raise CompilerError(f"{words[0]} can't be started: {error.strerror}") from error
    said = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise CompilerError(f"{Path(words[0]).name} failed with exit code {done.returncode}: {last_words(said)}")
    return said


def last_words(said: str) -> str:
    """The last line that says something, without what a traceback puts around it."""
    lines = [line.strip() for line in said.splitlines() if line.strip(" ^~")]
    return lines[-1] if lines else "it said nothing"

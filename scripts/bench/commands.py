"""Commands run as a user runs them, with the CPU time and the memory that they took, their children included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Finished:
    """``cpu_seconds`` of the process and all it waited for; ``peak_bytes`` of the largest single process among them."""

    code: int
    cpu_seconds: float
    seconds: float
    peak_bytes: int
    stdout: str
    stderr: str


def run(*command: str | Path) -> Finished:
    """Run to the end, whatever the exit code."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        out.seek(0)
        err.seek(0)
        return Finished(
            code=process.returncode,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            seconds=seconds,
            peak_bytes=usage.ru_maxrss * 1024,
            stdout=out.read().decode(),
            stderr=err.read().decode(),
        )


def edgekit(*arguments: str | Path, codes: tuple[int, ...] = (0,)) -> tuple[dict[str, Any], Finished]:
    """``edgekit ARGUMENTS --json``: its document, and what it took. Exits with the command's own words when it fails."""
    command = Path(sys.executable).with_name("edgekit")
    finished = run(command, *arguments, "--json", "--quiet")
    if finished.code not in codes:
        sys.exit(f"edgekit {' '.join(map(str, arguments))} ended with {finished.code}:\n{finished.stderr}")
    document: dict[str, Any] = json.loads(finished.stdout)
    return document, finished


def peer(name: str, *paths: Path) -> Finished:
    """One of `peers`, in a process of its own. Exits with its words when it fails."""
    finished = attempt_peer(name, *paths)
    if finished.code != 0:
        sys.exit(f"the peer {name} ended with {finished.code}:\n{finished.stderr[-2000:]}")
    return finished


def attempt_peer(name: str, *paths: Path) -> Finished:
    """As `peer`, for runs that go on without a peer that fails."""
    return run(sys.executable, Path(__file__).with_name("peers.py"), name, *paths)


def last_words(finished: Finished) -> str:
    """Why a command failed, in a line."""
    lines = finished.stderr.strip().splitlines()
    return f"exit code {finished.code}: {lines[-1] if lines else ''}"


def entry(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The entry of a report whose name ends so."""
    found: dict[str, Any] = next(one for one in document["entries"] if one["name"].endswith(name))
    return found

"""A board over SSH: the ``ssh`` command with the user's own configuration, keys and known hosts.

One connection serves all calls (ControlMaster, its socket in a private folder). Files go through ``cat`` with a sha256 check,
since many boards have no SFTP server. Nothing here answers a question of ``ssh``: an unknown host key or a missing key is an
error that says what to do. ``EDGEKIT_SSH_COMMAND`` replaces the command: "ssh -F my_config", for instance.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from edgekit.artifact import sha256_of, written_whole
from edgekit.errors import DeviceError, UsageError
from edgekit.protocols import Finished

_FAILED = 255
"""What ``ssh`` ends with when the connection, not the command, failed."""

_OPTIONS = (
    "BatchMode=yes",
    "LogLevel=ERROR",
    "RemoteCommand=none",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ControlMaster=auto",
    "ControlPersist=60",
)


class SshTransport:
    """Transport "ssh". ``address``: ``[user@]host[:port]``; the host may be an alias of the user's ssh configuration."""

    emulated = False
    python = "python3"

    def __init__(self, address: str) -> None:
        found = re.fullmatch(
            r"((?:[^@\s:/]+@)?(?!-)[^@\s:/\[\]]+|(?:[^@\s:/]+@)?\[[0-9A-Fa-f:]+\])(?::(\d+))?/?", address
        )
        if found is None or address.startswith("-"):
            raise UsageError(f"{address!r} is no SSH address; write ssh://user@host or ssh://user@host:port")
        command = shlex.split(os.environ.get("EDGEKIT_SSH_COMMAND", "ssh"))
        if shutil.which(command[0]) is None:
            raise DeviceError(
                f"the command {command[0]!r} is not installed here. Install it with: apt install openssh-client"
            )
        self.name = f"ssh://{address}"
        self._folder = _private_folder()
        port = () if found[2] is None else ("-p", found[2])
        options = (*_OPTIONS, f"ControlPath={self._folder}/c")
        self._base = (*command, *(part for option in options for part in ("-o", option)), *port)
        self._host = re.sub(r"[\[\]]", "", found[1])

    def run(self, command: Sequence[str], *, stdin: bytes = b"", seconds: float = 60.0) -> Finished:
        try:
            done = subprocess.run(self._argv(command), input=stdin, capture_output=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired as error:
            raise DeviceError(
                f"{self.name} gave no answer to {shlex.join(command)[:80]!r} within {seconds:g} s"
            ) from error
        finished = Finished(done.returncode, done.stdout, done.stderr.decode(errors="replace"))
        if (lost := self.lost(finished.code, finished.errors.splitlines())) is not None:
            raise lost
        return finished

    def start(self, command: Sequence[str], channel: socket.socket) -> subprocess.Popen[bytes]:
        both = channel.fileno()
        return subprocess.Popen(
            self._argv(command), stdin=both, stdout=both, stderr=subprocess.PIPE, start_new_session=True
        )

    def put(self, path: Path, remote: str) -> None:
        part = f"{remote}.{uuid.uuid4().hex[:8]}.part"
        command = ["sh", "-c", RECEIVE, "sh", part, remote, sha256_of(path)]
        with path.open("rb") as stream:
            finished = self._copy(command, stream.fileno(), None, path.stat().st_size)
        self._verify(finished, f"{path.name} can't be written to {remote}")

    def get(self, remote: str, path: Path) -> None:
        digest = self.run(["sha256sum", remote])
        self._verify(digest, f"{remote} can't be read")
        with written_whole(path) as part:
            with part.open("wb") as stream:
                finished = self._copy(["cat", remote], subprocess.DEVNULL, stream.fileno(), 0)
            self._verify(finished, f"{remote} can't be read")
            if sha256_of(part) != digest.output.split()[0].decode():
                raise DeviceError(f"{self.name}: {remote} arrived damaged; try again")

    def lost(self, code: int | None, lines: Sequence[str]) -> DeviceError | None:
        if code != _FAILED:
            return None
        said = " ".join(line.strip() for line in lines if line.strip() and not line.startswith("**"))
        for pattern, advice in _ADVICE:
            if re.search(pattern, said, re.IGNORECASE):
                return DeviceError(f"{self.name} can't be reached: {said[-300:]} {advice.format(host=self._host)}")
        return DeviceError(f"the connection to {self.name} was lost: {said[-300:] or 'ssh said nothing'}. Try again")

    def close(self) -> None:
        if not Path(self._folder).is_dir():
            return
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run([*self._base, "-O", "exit", self._host], capture_output=True, timeout=5, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _argv(self, command: Sequence[str]) -> list[str]:
        return [*self._base, "-T", "--", self._host, shlex.join(command)]

    def _copy(self, command: Sequence[str], source: int, sink: int | None, size: int) -> Finished:
        """Run a command between files here; slow links get a second for every 50 KB."""
        process = subprocess.Popen(
            self._argv(command), stdin=source, stdout=subprocess.PIPE if sink is None else sink, stderr=subprocess.PIPE
        )
        try:
            output, errors = process.communicate(timeout=60 + size / 50_000 if sink is None else None)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.communicate()
            raise DeviceError(f"{self.name} is too slow: a file of {size} bytes did not get through") from error
        finished = Finished(process.returncode, output or b"", errors.decode(errors="replace"))
        if (lost := self.lost(finished.code, finished.errors.splitlines())) is not None:
            raise lost
        return finished

    def _verify(self, finished: Finished, failure: str) -> None:
        if finished.code != 0:
            said = " ".join(finished.errors.split()) or f"exit code {finished.code}"
            full = os.strerror(errno.ENOSPC) in said
            advice = "The device's disk is full: make room, or set XDG_CACHE_HOME there." if full else ""
            raise DeviceError(f"{self.name}: {failure}: {said}. {advice}".rstrip())


RECEIVE = """\
export LC_ALL=C
trap '' HUP PIPE
command -v sha256sum >/dev/null || { echo 'the command sha256sum is missing there' >&2; exit 1; }
{ cat > "$1" && { sync "$1" 2>/dev/null || true; }
  [ "$(sha256sum < "$1" | cut -c 1-64)" = "$3" ] || { echo 'it arrived damaged, try again' >&2; false; }
} && mv -f "$1" "$2" || { code=$?; rm -f "$1"; exit $code; }
"""
"""Stdin to the file $1, then under the name $2, unless its sha256 is not $3: half a file, when the connection broke.

A shell that outlives its connection must not stumble over its complaint: $1 would stay.
"""

_ADVICE = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "If the device was set up anew, remove the old key: ssh-keygen -R {host}",
    ),
    (r"host key verification failed|authenticity of host", "Log in once by hand to see and accept its key: ssh {host}"),
    (r"permission denied", "Give it your public key: ssh-copy-id {host}"),
    (r"could not resolve|name or service not known", "Check the name, or give the address in numbers."),
    (r"connection refused", "Is its SSH server running, and on that port?"),
    (r"timed out|no route to host|network is unreachable", "Is it switched on and in this network?"),
)


def _private_folder() -> str:
    """For the connection's socket, whose path the system limits to about 100 characters."""
    folder = tempfile.mkdtemp(prefix="edgekit-ssh-")
    if len(folder) < _LONGEST_FOLDER:
        return folder
    Path(folder).rmdir()
    return tempfile.mkdtemp(prefix="edgekit-ssh-", dir="/tmp")


_LONGEST_FOLDER = 70

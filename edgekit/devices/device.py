"""A device that was reached: the host of child processes, and the place of the files they open."""

from __future__ import annotations

import shlex
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType

from edgekit import registry
from edgekit.artifact import Artifact, sha256_of
from edgekit.devices.runner import runner
from edgekit.errors import DeviceError, EdgekitError
from edgekit.isolation.host import Started
from edgekit.protocols import Finished, Transport


class Device:
    """Runs edgekit's light half on a device; give it to `edgekit.isolation` as ``host``.

    Use it in a ``with`` block: what one opening has left on the device, models apart, is removed at its end, or when the
    device is next opened.
    """

    def __init__(self, transport: Transport, python: str, folder: PurePosixPath, runner_path: PurePosixPath) -> None:
        self._transport, self._python = transport, python
        self._folder, self._runner = folder, runner_path

    @staticmethod
    def open(url: str, *, python: str = "python3") -> Device:
        """Reach the device and see that the runner is there. Raises DeviceError and UnknownNameError.

        ``url``: "ssh://pi@kitchen", "emulated://raspberry-pi-4", "local". ``python``: the interpreter there.
        """
        scheme, _, address = url.partition("://")
        transport = registry.transport(scheme, address)
        try:
            folder = _prepare(transport)
            return Device(transport, python, folder, _send_runner(transport, folder))
        except BaseException:
            transport.close()
            raise

    @property
    def name(self) -> str:
        return self._transport.name

    @property
    def emulated(self) -> bool:
        """Whether its time says nothing about a real board's."""
        return self._transport.emulated

    def send(self, path: Path) -> Path:
        """The place there of a model file, sent with its manifest unless it is there already."""
        artifact = Artifact.open(path)
        remote = self._folder / "models" / sha256_of(path)[:32] / path.name
        if self._transport.run(["test", "-f", str(remote)]).code != 0:
            _must(self._transport, ["mkdir", "-p", str(remote.parent)], "make a folder")
            self._transport.put(path, str(remote))
        if artifact.manifest is not None:
            manifest = Artifact.manifest_path(path)
            self._transport.put(manifest, str(remote.with_name(manifest.name)))
        return Path(str(remote))

    def start(self, channel: socket.socket) -> Started:
        process = self._transport.start([self._python, str(self._runner)], channel)
        assert process.stderr is not None
        return Started(process, process.stderr)

    def broken(self, code: int | None, lines: Sequence[str]) -> EdgekitError | None:
        """What the runner itself or the connection complained of; a crash of the child is none of these."""
        for line in lines:
            if line.startswith("edgekit-runner: "):
                return DeviceError(f"{self.name} can't run models: {line.removeprefix('edgekit-runner: ')}")
        if code == 127:
            return DeviceError(f"{self.name} has no {self._python!r}. Install Python there, or name another one")
        return self._transport.lost(code, lines)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _prepare(transport: Transport) -> PurePosixPath:
    """The folder for edgekit's files there, made."""
    script = 'folder="${XDG_CACHE_HOME:-$HOME/.cache}/edgekit"; mkdir -p "$folder/models" && cd "$folder" && pwd'
    finished = _must(transport, ["sh", "-c", script], "make a folder for its files")
    return PurePosixPath(finished.output.decode().strip())


def _send_runner(transport: Transport, folder: PurePosixPath) -> PurePosixPath:
    name, content = runner()
    remote = folder / name
    if transport.run(["test", "-f", str(remote)]).code != 0:
        with tempfile.TemporaryDirectory(prefix="edgekit-") as here:
            path = Path(here) / name
            path.write_bytes(content)
            transport.put(path, str(remote))
    return remote


def _must(transport: Transport, command: Sequence[str], purpose: str) -> Finished:
    finished = transport.run(command)
    if finished.code != 0:
        said = finished.errors.strip() or f"{shlex.join(command)} ended with {finished.code}"
        raise DeviceError(f"{transport.name}: edgekit can't {purpose} there: {said}")
    return finished

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
from edgekit.devices.address import Address
from edgekit.devices.runner import runner
from edgekit.errors import DeviceError, EdgekitError
from edgekit.isolation.host import Started
from edgekit.protocols import Finished, Transport

VENV = "venv"
"""The virtual environment of edgekit's own, in its folder on the device; `edgekit.devices.setup` makes it."""


class Device:
    """Runs edgekit's light half on a device; give it to `edgekit.isolation` as ``host``.

    Use it in a ``with`` block. Sent models stay on the device for a month after their last use; what a child wrote there goes
    with the child, or, if the device lost power, when the next one starts.
    """

    def __init__(self, address: Address, transport: Transport, folder: PurePosixPath, python: str) -> None:
        self.address, self.transport = address, transport
        self.folder, self.python = folder, python
        self._runner: PurePosixPath | None = None

    @staticmethod
    def open(address: Address) -> Device:
        """Reach the device and make edgekit's folder there. Raises DeviceError and UnknownNameError."""
        transport = registry.transport(address.scheme, address.place)
        try:
            folder, made_from = _prepare(transport)
            base = address.python or transport.python
            own = str(folder / VENV / "bin" / "python")
            return Device(address, transport, folder, own if made_from == base else base)
        except BaseException:
            transport.close()
            raise

    @property
    def name(self) -> str:
        return self.address.name

    @property
    def emulated(self) -> bool:
        """Whether its time says nothing about a real board's."""
        return self.transport.emulated

    def with_python(self, python: str) -> Device:
        """The same device with another interpreter; only one of the two is to be closed."""
        return Device(self.address, self.transport, self.folder, python)

    def send(self, path: Path) -> Path:
        """The place there of a model file, sent with its manifest unless it is there already."""
        artifact = Artifact.open(path)
        sha256 = sha256_of(path)
        remote = self.folder / "models" / sha256[:32] / path.name
        self._send(path, remote, sha256)
        if artifact.manifest is not None:
            manifest = Artifact.manifest_path(path)
            self._send(manifest, remote.with_name(manifest.name), sha256_of(manifest))
        return Path(str(remote))

    def start(self, channel: socket.socket) -> Started:
        process = self.transport.start([self.python, str(self.runner())], channel)
        assert process.stderr is not None
        return Started(process, process.stderr)

    def runner(self) -> PurePosixPath:
        """The runner there, sent if it is not there yet."""
        if self._runner is None:
            name, content = runner()
            with tempfile.TemporaryDirectory(prefix="edgekit-") as here:
                path = Path(here) / name
                path.write_bytes(content)
                self._send(path, self.folder / "runners" / name, sha256_of(path))
            self._runner = self.folder / "runners" / name
        return self._runner

    def broken(self, code: int | None, lines: Sequence[str]) -> EdgekitError | None:
        """What the runner itself or the connection complained of; a crash of the child is none of these."""
        for line in lines:
            if line.startswith("edgekit-runner: "):
                return DeviceError(f"{self.name} can't run models: {line.removeprefix('edgekit-runner: ')}")
        if code == 127:
            return DeviceError(
                f"{self.name} has no {self.python!r}. Install Python there, or name another one (--python)"
            )
        return self.transport.lost(code, lines)

    def run(self, command: Sequence[str], purpose: str, *, seconds: float = 60.0) -> Finished:
        """A command that must succeed there. Raises DeviceError, "edgekit can't <purpose>", with what it complained of."""
        return _must(self.transport, command, purpose, seconds)

    def close(self) -> None:
        self.transport.close()

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, path: Path, remote: PurePosixPath, sha256: str) -> None:
        if self.transport.run(["sh", "-c", _IS_THERE, "sh", str(remote), sha256]).code != 0:
            self.run(["mkdir", "-p", str(remote.parent)], "make a folder")
            self.transport.put(path, str(remote))


MADE_FROM = f"{VENV}/made-from"
"""The file that names the Python of which the environment was made: it stands in for that one, and for no other."""

_IS_THERE = '[ "$(sha256sum < "$1" | cut -c 1-64)" = "$2" ] && touch "$1"'

_PREPARE = f"""\
folder="${{XDG_CACHE_HOME:-$HOME/.cache}}/edgekit"
mkdir -p "$folder/models" "$folder/runners" && cd "$folder" && pwd || exit 1
find models -type f -mtime +30 -exec rm -f '{{}}' + 2>/dev/null
find runners -name '*.pyz' -mtime +30 -exec rm -f '{{}}' + 2>/dev/null
find models runners -name '*.part' -mmin +60 -exec rm -f '{{}}' + 2>/dev/null
for unpacked in runners/*/; do [ -f "${{unpacked%/}}.pyz" ] || rm -rf "$unpacked"; done
[ ! -x {VENV}/bin/python ] || cat {MADE_FROM}
"""
"""Makes edgekit's folder, removes what nobody used for a month and what broken connections left, and tells of the venv."""


def _prepare(transport: Transport) -> tuple[PurePosixPath, str]:
    """edgekit's folder there, and the Python of which the virtual environment there was made, "" without one."""
    finished = _must(transport, ["sh", "-c", _PREPARE], "make a folder for its files", 60.0)
    folder, _, made_from = finished.output.decode().partition("\n")
    return PurePosixPath(folder), made_from


def _must(transport: Transport, command: Sequence[str], purpose: str, seconds: float) -> Finished:
    finished = transport.run(command, seconds=seconds)
    if finished.code != 0:
        said = finished.errors.strip() or f"{shlex.join(command)} ended with {finished.code}"
        raise DeviceError(f"{transport.name}: edgekit can't {purpose} there: {said}")
    return finished

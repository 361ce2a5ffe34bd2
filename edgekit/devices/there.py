"""A device as the place where files are opened, run and timed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

from edgekit import isolation
from edgekit.artifact import Artifact
from edgekit.conditions import Conditions
from edgekit.devices.address import Address
from edgekit.devices.device import Device
from edgekit.errors import RuntimeUnavailableError
from edgekit.inference import Model, load
from edgekit.journal import Journal
from edgekit.load_cost import LoadRequest
from edgekit.place import RuntimeChoice, RuntimeQuestion
from edgekit.protocols import Delegate, Progress, Session, SessionOptions


@final
class There:
    """A device; its answers are kept in ``journal``, if there is one, and are asked for once."""

    def __init__(self, device: Device, journal: Journal | None) -> None:
        self._device, self._journal = device, journal
        self._opened: list[Session] = []
        self._runtimes: dict[tuple[str, str | None], RuntimeChoice] = {}
        self.name, self.emulated = device.name, device.emulated

    @staticmethod
    @contextmanager
    def reach(address: Address, journal: Path | None = None) -> Iterator[There]:
        """Reach the device; left at the end of the block, its sessions closed.

        Raises DeviceError, and UsageError for a file that is no journal.
        """
        kept = Journal(journal) if journal else None
        with Device.open(address) as device:
            there = There(device, kept)
            try:
                yield there
            finally:
                for session in there._opened:
                    session.close()

    def runtime(self, path: Path, name: str | None = None) -> RuntimeChoice:
        question = RuntimeQuestion(Path(path.name), name)
        key = path.suffix, name
        if key not in self._runtimes:
            try:
                found = isolation.run(
                    "edgekit.place:runtime_here", question, stage=self._stage(path), host=self._device
                )
            except RuntimeUnavailableError as error:
                raise RuntimeUnavailableError(
                    f"on {self.name}: {error}. There: edgekit devices setup {self.name}"
                ) from error
            self._runtimes[key] = found.value
        return self._runtimes[key]

    def send(self, path: Path) -> Path:
        return self._device.send(path)

    def open_file(self, path: Path, runtime: str | None, options: SessionOptions) -> Session:
        request = LoadRequest(self.send(path), self.runtime(path, runtime).name, options)
        session = isolation.open_session(_OPEN, request, stage=self._stage(path), host=self._device)
        self._opened.append(session)
        return self._journal.session((self._who, _OPEN, request), session) if self._journal is not None else session

    def run(
        self, function: str, request: object, progress: Progress | None = None, *, stage: str | None = None
    ) -> isolation.Outcome:
        def there() -> isolation.Outcome:
            return isolation.run(function, request, progress, stage=stage, host=self._device)

        return self._journal.ask((self._who, function, request), there) if self._journal is not None else there()

    def conditions(self) -> Conditions:
        found: Conditions = isolation.run("edgekit.place:conditions_here", None, host=self._device).value
        return found

    @property
    def _who(self) -> tuple[str, str]:
        """Whose answer it is: another version of edgekit may answer otherwise."""
        return self.name, self._device.runner().name

    def _stage(self, path: Path) -> str:
        return f"opening {path.name} on {self.name}"


@contextmanager
def opened_model(
    path: Path,
    address: Address | None,
    *,
    threads: int = 1,
    runtime: str | None = None,
    delegates: tuple[Delegate, ...] = (),
) -> Iterator[Model]:
    """The file as `edgekit.load` opens it here, running on the device at that address; None is this machine.

    Raises as `edgekit.load`, and DeviceError.
    """
    if address is None:
        with load(path, threads=threads, runtime=runtime, delegates=delegates) as model:
            yield model
        return
    artifact = Artifact.open(path)
    with There.reach(address) as there:
        choice = there.runtime(path, runtime)
        session = there.open_file(path, runtime, SessionOptions(threads=threads, delegates=delegates))
        with Model(artifact, session, f"{choice.name} on {there.name}") as model:
            yield model


_OPEN = "edgekit.load_cost:open_here"

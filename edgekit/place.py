"""Where files are opened, run and timed: this machine, or a device that is given by its address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, final

from edgekit import isolation
from edgekit.conditions import Conditions, read_conditions
from edgekit.errors import RuntimeUnavailableError
from edgekit.inference import find_runtime
from edgekit.protocols import Progress, Session, SessionOptions

if TYPE_CHECKING:
    from edgekit.devices.address import Address


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """The runtime that opens a file at a place."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


class Place(Protocol):
    """Opens and times files. Exists so that what is measured on a board is measured by the code that measures here."""

    @property
    def name(self) -> str:
        """What the user calls it; "" for this machine."""

    @property
    def emulated(self) -> bool:
        """Whether its time says nothing about a real board's."""

    def runtime(self, path: Path, name: str | None = None) -> RuntimeChoice:
        """The runtime of that name, or the first one there that opens the file. Raises RuntimeUnavailableError."""

    def send(self, path: Path) -> Path:
        """The file's path there."""

    def open_file(self, path: Path, runtime: str | None, options: SessionOptions) -> Session:
        """The opened file; it runs there."""

    def run(
        self, function: str, request: object, progress: Progress | None = None, *, stage: str | None = None
    ) -> isolation.Outcome:
        """As `edgekit.isolation.run`, in a process there."""

    def conditions(self) -> Conditions:
        """The machine's state now."""


@final
class Here:
    """This machine."""

    name = ""
    emulated = False

    def runtime(self, path: Path, name: str | None = None) -> RuntimeChoice:
        found = find_runtime(path, name)
        return RuntimeChoice(found.name, found.probe().version)

    def send(self, path: Path) -> Path:
        return path

    def open_file(self, path: Path, runtime: str | None, options: SessionOptions) -> Session:
        return find_runtime(path, runtime).open(path, options)

    def run(
        self, function: str, request: object, progress: Progress | None = None, *, stage: str | None = None
    ) -> isolation.Outcome:
        return isolation.run(function, request, progress, stage=stage)

    def conditions(self) -> Conditions:
        return read_conditions()


@dataclass(frozen=True, slots=True)
class RuntimeQuestion:
    """Which runtime opens a file of that name?"""

    file: Path
    runtime: str | None


def runtime_here(question: RuntimeQuestion, progress: Progress) -> RuntimeChoice:
    """What a device is asked. Raises RuntimeUnavailableError also for a runtime that was named and can't be used."""
    found = find_runtime(question.file, question.runtime)
    availability = found.probe()
    if not availability.available:
        raise RuntimeUnavailableError(f"{found.name} can't be used: {availability.reason}")
    return RuntimeChoice(found.name, availability.version)


def conditions_here(request: None, progress: Progress) -> Conditions:
    """What a device is asked."""
    return read_conditions()


@contextmanager
def reached(address: Address | None, journal: Path | None = None) -> Iterator[Place]:
    """The place at that address, None being this machine; left again at the end of the block.

    ``journal``: a file where answers of the device are kept, and found again. Raises DeviceError.
    """
    if address is None:
        yield Here()
        return
    from edgekit.devices import There

    with There.reach(address, journal) as there:
        yield there

"""``edgekit runtimes``: what can run files here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.json_text import json_text
from edgekit.protocols import Availability, Runtime, Surveyor
from edgekit.table import Table, table

SCHEMA = "edgekit.runtimes/1"


@dataclass(frozen=True, slots=True)
class RuntimeEntry:
    """A runtime and whether it can be used here."""

    name: str
    formats: tuple[str, ...]
    availability: Availability


@dataclass(frozen=True, slots=True)
class RuntimeList:
    """All runtimes, built-in ones first."""

    runtimes: tuple[RuntimeEntry, ...]
    schema: str = SCHEMA

    def to_json(self) -> str:
        return json_text(self)

    def sections(self) -> Sequence[Table | str]:
        rows = [
            (
                entry.name,
                ", ".join(entry.formats),
                entry.availability.version if entry.availability.available else "not usable",
                ", ".join(entry.availability.accelerators) or "-",
            )
            for entry in self.runtimes
        ]
        absent = [entry for entry in self.runtimes if not entry.availability.available]
        return [
            table("runtime,formats,version,providers and delegates", rows),
            *(f"{entry.name}: {entry.availability.words}" for entry in absent),
            *(line for entry in self.runtimes for line in _absent(entry)),
        ]


def _absent(entry: RuntimeEntry) -> Iterator[str]:
    """What could be asked for after some installing."""
    if entry.availability.absent:
        yield ""
        yield f"Not here, of what {entry.name} can use:"
    for each in entry.availability.absent:
        yield f"  {each.name}: {each.reason}. To get it: {each.remedy}"


@command(example="edgekit runtimes --json")
def runtimes(console: Console) -> None:
    """List the runtimes and what they can use here.

    For a runtime, execution provider or delegate that cannot be used: why, and the command that brings it.
    """
    from edgekit import registry

    found = [RuntimeEntry(each.name, tuple(each.formats), _surveyed(each)) for each in registry.runtimes()]
    console.show(RuntimeList(tuple(found)))


def _surveyed(runtime: Runtime) -> Availability:
    """With every delegate tried, where the runtime can do that."""
    return runtime.survey() if isinstance(runtime, Surveyor) else runtime.probe()

"""Entry points: what other packages add, and whose fault it is when that can't be loaded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points

from edgekit.errors import PluginError, UnknownNameError


def all_names(kind: str, builtin: Collection[str]) -> tuple[str, ...]:
    """The built-in names of a kind ("runtime", "target"), then those of other packages, which can't take a built-in's place."""
    return (*builtin, *sorted(entry.name for entry in entries(kind) if entry.name not in builtin))


def entries(kind: str) -> Collection[EntryPoint]:
    """The entry points of a kind."""
    return entry_points(group=f"edgekit.{kind}s")


def find_entry(kind: str, name: str, builtin: Collection[str]) -> EntryPoint:
    """The entry point of that name. Raises UnknownNameError."""
    for entry in entries(kind):
        if entry.name == name:
            return entry
    raise UnknownNameError(kind, name, all_names(kind, builtin))


@contextmanager
def loading(kind: str, entry: EntryPoint) -> Iterator[None]:
    """Whatever is raised in the block is a PluginError of the entry's package: a stranger's code may raise anything."""
    try:
        yield
    except Exception as error:
        raise PluginError(kind, entry.name, entry.dist.name if entry.dist else "", error) from error

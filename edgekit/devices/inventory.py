"""The user's devices: ``devices.toml`` in the configuration folder, a table a device.

[kitchen]
url = "ssh://pi@kitchen"
python = "/opt/python3.12/bin/python3"    # where the device's own python3 is not the one to take
groups = ["lab"]                          # what --device-group calls it by, with others

[kitchen.found]                           # what the last probe found
board = "Raspberry Pi 4 Model B Rev 1.4"
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.artifact import written_whole
from edgekit.devices.address import Address, is_url
from edgekit.errors import RecipeError, UnknownNameError, UsageError
from edgekit.recipe import read_toml

Facts = Mapping[str, "str | int | float | list[str]"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A device of the inventory. ``found``: what the last probe found, in words and numbers. ``groups`` it belongs to."""

    name: str
    url: str
    python: str | None = None
    found: Facts = field(default_factory=dict)
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", self.name) or is_url(self.name):
            raise UsageError(
                f"{self.name!r} is no name for a device: letters, digits, '-' and '_' only, and not 'local'"
            )
        Address(self.url)

    @property
    def address(self) -> Address:
        return Address(self.url, self.python, self.name)


@dataclass(frozen=True, slots=True)
class Inventory:
    """Devices by name. ``path``: the file they come from."""

    path: Path
    entries: Mapping[str, Entry]

    @staticmethod
    def load(path: Path | None = None) -> Inventory:
        """What the file holds; nothing where there is none. Raises RecipeError for a file that is damaged."""
        path = path or inventory_path()
        raw = read_toml(path) if path.exists() else {}
        return Inventory(path, {name: _entry(name, table, path) for name, table in raw.items()})

    def find(self, name: str) -> Entry:
        """Raises UnknownNameError."""
        if name not in self.entries:
            raise UnknownNameError("device", name, self.entries)
        return self.entries[name]

    def group(self, name: str) -> tuple[Entry, ...]:
        """The devices of that group. Raises UnknownNameError where there is none."""
        found = tuple(entry for entry in self.entries.values() if name in entry.groups)
        if not found:
            raise UnknownNameError(
                "device group", name, {each for entry in self.entries.values() for each in entry.groups}
            )
        return found

    def with_entry(self, entry: Entry) -> Inventory:
        return replace(self, entries={**self.entries, entry.name: entry})

    def without(self, name: str) -> Inventory:
        """Raises UnknownNameError."""
        self.find(name)
        return replace(self, entries={key: entry for key, entry in self.entries.items() if key != name})

    def save(self) -> None:
        """Write the file; it is replaced as a whole."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join(_table(entry) for entry in self.entries.values())
        with written_whole(self.path) as part:
            part.write_text(text, "utf-8")


def find_address(text: str, path: Path | None = None) -> Address:
    """Where ``--device`` points: a URL, or a name of the inventory. Raises UnknownNameError."""
    return Address(text) if is_url(text) else Inventory.load(path).find(text).address


def inventory_path() -> Path:
    """``devices.toml`` in the user's configuration folder (XDG_CONFIG_HOME, else ~/.config)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "edgekit" / "devices.toml"


def _entry(name: str, table: Any, path: Path) -> Entry:
    where = f"{path}: device {name!r}"
    if not isinstance(table, dict) or not isinstance(table.get("url"), str):
        raise RecipeError(f"{where} has no url; write one, or remove the table")
    if unknown := sorted(set(table) - {"url", "python", "found", "groups"}):
        raise RecipeError(f"{where} has the unknown key {unknown[0]!r}; known: url, python, groups, found")
    groups = table.get("groups", [])
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise RecipeError(f'{where} has the groups {groups!r}; write a list of names, as in ["lab"]')
    return Entry(name, table["url"], table.get("python"), table.get("found", {}), tuple(groups))


def _table(entry: Entry) -> str:
    own = {"url": entry.url, "python": entry.python, "groups": list(entry.groups) or None}
    lines = [f"[{entry.name}]", *(f"{key} = {_value(value)}" for key, value in own.items() if value is not None)]
    if entry.found:
        lines += ["", f"[{entry.name}.found]", *(f"{key} = {_value(value)}" for key, value in entry.found.items())]
    return "\n".join([*lines, ""])


def _value(value: object) -> str:
    """As TOML, whose strings, numbers and lists of strings are JSON's, but for the character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

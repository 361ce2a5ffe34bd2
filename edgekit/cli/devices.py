"""``edgekit devices``: the boards that files can be checked on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.json_text import json_text
from edgekit.table import Table, table

if TYPE_CHECKING:
    from edgekit.devices.address import Address
    from edgekit.devices.inventory import Entry
    from edgekit.devices.survey import Interpreter, Survey

SCHEMA = "edgekit.devices/1"
PROBE_SCHEMA = "edgekit.probe/1"

Facts = dict[str, "str | int | float | list[str]"]


@dataclass(frozen=True, slots=True)
class DeviceList:
    """The inventory."""

    devices: tuple[Entry, ...]
    schema: str = SCHEMA

    def to_json(self) -> str:
        return json_text(self)

    def sections(self) -> Sequence[Table | str]:
        if not self.devices:
            return ["No devices yet. Add one: edgekit devices add kitchen ssh://pi@kitchen"]
        rows = [
            (
                e.name,
                e.url,
                ", ".join(e.groups),
                str(e.found.get("board", "not probed")),
                _words(e.found.get("runtimes")),
            )
            for e in self.devices
        ]
        return [table("name,url,groups,board,runtimes", rows)]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a device told. ``survey`` None: it has no numpy yet, so that only its Python could answer."""

    device: str
    emulated: bool
    interpreter: Interpreter
    survey: Survey | None
    schema: str = PROBE_SCHEMA

    def to_json(self) -> str:
        return json_text(self)

    def sections(self) -> Sequence[Table | str]:
        rows = [(name.replace("_", " "), _words(value)) for name, value in self.facts().items() if name != "runtimes"]
        shown: list[Table | str] = [table("entry,value", rows, title=self.device)]
        if self.survey is None:
            return [
                *shown,
                "",
                f"It has no numpy, without which nothing runs. There: edgekit devices setup {self.device}",
            ]
        found = [
            (r.name, ", ".join(r.formats), r.availability.version if r.availability.available else "not usable")
            for r in self.survey.runtimes
        ]
        return [*shown, "", table("runtime,formats,version", found)]

    def facts(self) -> Facts:
        """For the inventory and for people; what the device does not tell is left out."""
        python = self.interpreter
        known: Facts = {"machine": python.machine, "python": f"{python.release} ({python.path})"}
        if python.glibc:
            known["glibc"] = python.glibc
        if self.survey is not None:
            known |= _facts(self.survey)
        return known


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample: edgekit devices add kitchen ssh://pi@kitchen.local",
)
def devices() -> None:
    """Keep a list of boards and set them up.

    DEVICE is a name of the list, or a URL: ssh://user@host:port, emulated://raspberry-pi-4, local (docs/devices.md).
    """


@command(name="add", example="edgekit devices add kitchen ssh://pi@kitchen.local")
@click.argument("name")
@click.argument("url")
@click.option("--python", metavar="PATH", help="Python there. [default: edgekit's own environment, else python3]")
@click.option("--group", "groups", multiple=True, metavar="NAME", help="Put it into this group. Repeatable.")
@click.option("--replace", is_flag=True, help="Overwrite the entry of that name.")
@click.option("--probe/--no-probe", "probing", default=True, help="Reach the device at once. [default: probe]")
def add(
    console: Console, name: str, url: str, python: str | None, groups: tuple[str, ...], replace: bool, probing: bool
) -> None:
    """Put a device into the inventory.

    URL is ssh://[user@]host[:port] (the host may be an alias of your ssh configuration), emulated://BOARD or local.
    """
    from edgekit.devices.inventory import Entry, Inventory
    from edgekit.errors import UsageError

    inventory = Inventory.load()
    if name in inventory.entries and not replace:
        raise UsageError(f"there is a device {name!r} already ({inventory.find(name).url}); --replace overwrites it")
    entry = Entry(name, url, python, groups=groups)
    if not probing:
        inventory.with_entry(entry).save()
        console.show(DeviceList((entry,)))
        return
    result = _probe(entry.address)
    inventory.with_entry(dataclasses.replace(entry, found=result.facts())).save()
    console.show(result)


@command(name="list", example="edgekit devices list --json")
def list_devices(console: Console) -> None:
    """List the devices of the inventory."""
    from edgekit.devices.inventory import Inventory

    console.show(DeviceList(tuple(Inventory.load().entries.values())))


@command(name="remove", example="edgekit devices remove kitchen")
@click.argument("name")
def remove(console: Console, name: str) -> None:
    """Take a device out of the inventory; nothing on the device changes."""
    from edgekit.devices.inventory import Inventory

    inventory = Inventory.load().without(name)
    inventory.save()
    console.show(DeviceList(tuple(inventory.entries.values())))


@command(name="probe", example="edgekit devices probe local")
@click.argument("device")
def probe(console: Console, device: str) -> None:
    """Ask a device for its board, state and runtimes.

    What it tells of itself is kept in the inventory, if it is there.
    """
    from edgekit.devices.inventory import find_address

    result = _probe(find_address(device))
    _remember(device, result)
    console.show(result)


@command(name="setup", example="edgekit devices setup kitchen --runtime litert")
@click.argument("device")
@click.option(
    "--runtime",
    "runtimes",
    metavar="NAME",
    multiple=True,
    help="Runtime to install. Repeatable. [default: all that fit]",
)
@click.option("--offline", is_flag=True, help="Fetch all packages here, don't let the device's pip try.")
def setup(console: Console, device: str, runtimes: Sequence[str], offline: bool) -> None:
    """Install numpy and runtimes on a device.

    They go into an environment of edgekit's own in the cache folder there; no root is needed, and nothing else changes.
    """
    from edgekit.devices.device import Device
    from edgekit.devices.inventory import find_address
    from edgekit.devices.setup import setup as set_up

    address = find_address(device)
    with Device.open(address) as opened:
        set_up(opened, runtimes, console.progress, offline=offline)
    result = _probe(address)
    _remember(device, result)
    console.show(result)


for _each in (add, list_devices, remove, probe, setup):
    devices.add_command(_each)


def _probe(address: Address) -> ProbeResult:
    from edgekit.devices.device import Device
    from edgekit.devices.survey import find_interpreter, require_python, survey

    with Device.open(address) as device:
        interpreter = find_interpreter(device)
        require_python(device, interpreter)
        found = survey(device) if interpreter.numpy else None
        return ProbeResult(device.name, device.emulated, interpreter, found)


def _remember(name: str, result: ProbeResult) -> None:
    from edgekit.devices.inventory import Inventory

    inventory = Inventory.load()
    if name in inventory.entries:
        inventory.with_entry(dataclasses.replace(inventory.find(name), found=result.facts())).save()


def _facts(survey: Survey) -> Facts:
    state = survey.conditions
    known: dict[str, str | int | float | list[str] | None] = {
        "board": state.processor,
        "system": survey.system,
        "cores": state.cores,
        "governor": state.governor,
        "frequency_mhz": state.frequency_mhz,
        "temperature_c": state.temperature_c,
        "throttled": state.throttled if state.throttled != "" else "no",
        "memory_mb": None if state.memory_bytes is None else round(state.memory_bytes / 1e6),
        "free_memory_mb": None if state.free_memory_bytes is None else round(state.free_memory_bytes / 1e6),
        "arm_features": [*survey.arm_features] or None,
        "runtimes": [f"{r.name} {r.availability.version}" for r in survey.runtimes if r.availability.available],
    }
    return {name: value for name, value in known.items() if value is not None}


def _words(value: object) -> str:
    return (
        (", ".join(map(str, value)) or "none")
        if isinstance(value, (list, tuple))
        else str("" if value is None else value)
    )

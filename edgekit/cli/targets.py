"""``edgekit targets``: the device profiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.json_text import json_text
from edgekit.quantities import size_text
from edgekit.table import Table, table
from edgekit.target import Peak, Target, load_target, target_names

SCHEMA = "edgekit.targets/1"


@dataclass(frozen=True, slots=True)
class TargetList:
    """Profiles to show: a table of several, every entry of a single one."""

    targets: tuple[Target, ...]
    schema: str = SCHEMA

    def to_json(self) -> str:
        return json_text({"schema": self.schema, "targets": self.targets})

    def sections(self) -> Sequence[Table | str]:
        if len(self.targets) == 1:
            return _details(self.targets[0])
        rows = [(t.name, t.title, ", ".join(t.formats), t.activations, t.io.value) for t in self.targets]
        return [table("name,device,formats,activations,inputs and outputs", rows)]


@command(example="edgekit targets raspberry-pi-4")
@click.argument("name", required=False)
def targets(console: Console, name: str | None) -> None:
    """List the device profiles, or show one.

    NAME is a built-in profile or the path of a TOML file of your own (docs/targets.md).
    """
    names = (name,) if name else target_names()
    console.show(TargetList(tuple(load_target(each) for each in names)))


def _memory_text(memory_bytes: int) -> str:
    """Binary units, as memory is sold."""
    return f"{memory_bytes / 2**30:g} GiB" if memory_bytes >= 2**28 else f"{memory_bytes / 2**10:g} KiB"


def _details(target: Target) -> Sequence[Table | str]:
    memory = _memory_text(target.memory_bytes) if target.memory_bytes else "not fixed"
    rows = [
        ("device", target.title),
        ("formats, best first", ", ".join(target.formats)),
        ("activations", target.activations),
        ("activation type in ONNX", target.onnx_activation_type),
        ("newest ONNX opset", str(target.onnx_opset)),
        ("inputs and outputs", target.io.value),
        ("float ops allowed", "no" if target.integer_only else "yes"),
        ("compiled by", f"{target.compiler} {target.accelerator}".strip() or "nothing"),
        ("batch in TFLite files", str(target.fixed_batch)),
        ("delegates", ", ".join(target.delegates) or "none"),
        ("checks run in", target.runtime or "the first runtime that opens the file"),
        ("CPU cores", str(target.cores) if target.cores else "not fixed"),
        ("memory", memory),
        ("flash for files", size_text(target.flash_bytes) if target.flash_bytes else "not fixed"),
    ]
    if target.peak is not None:
        rows += _peak_rows(target.peak)
    notes = [f"Note: {target.notes}"] if target.notes else []
    return [
        table("entry,value", rows, title=target.name),
        *notes,
        *(f"Source: {source}" for source in _sources(target)),
    ]


def _peak_rows(peak: Peak) -> list[tuple[str, str]]:
    figures = (
        ("int8 multiply-accumulates a second and core", peak.int8_macs_per_second),
        ("float32 multiply-accumulates a second and core", peak.float32_macs_per_second),
        ("memory, bytes a second", peak.memory_bytes_per_second),
        ("memory of weights, bytes a second", peak.weight_bytes_per_second),
    )
    return [(name, f"{value:.3g}") for name, value in figures if value]


def _sources(target: Target) -> tuple[str, ...]:
    return target.sources + (target.peak.sources if target.peak else ())

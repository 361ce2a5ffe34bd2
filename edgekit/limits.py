"""The limits of a conversion: a verdict a limit and artifact."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.gates import PlacementGates
from edgekit.recipe import Budgets
from edgekit.report import Entry, Limit, Report, Role
from edgekit.target import Target


def limits(report: Report, budgets: Budgets, gates: PlacementGates, target: Target) -> Iterator[Limit]:
    """A figure that was not measured breaks its limit."""
    artifacts = [entry for entry in report.entries if entry.role is Role.ARTIFACT]
    for entry in artifacts:
        yield from _within_budgets(entry, budgets)
    for entry in artifacts:
        yield from gates.limits(entry.name, entry.placement)
    for entry in artifacts:
        yield from _on_device(entry, target)


def _within_budgets(entry: Entry, budgets: Budgets) -> Iterator[Limit]:
    latency = entry.latency
    if budgets.drop_points is not None:
        yield Limit("drop", entry.name, budgets.drop_points, entry.drop_points, "points")
    if budgets.latency_ms is not None:
        yield Limit("latency", entry.name, budgets.latency_ms, latency.p50_ms if latency else None, "ms")
    if budgets.size_bytes is not None:
        yield Limit("size", entry.name, budgets.size_bytes, entry.size_bytes, "bytes")
    if budgets.memory_bytes is not None:
        found = latency.peak_memory_bytes if latency else None
        yield Limit("memory", entry.name, budgets.memory_bytes, found, "bytes")


def _on_device(entry: Entry, target: Target) -> Iterator[Limit]:
    """What fits into a microcontroller: the file into its flash, the arena into its memory (where an engine told its size)."""
    if target.flash_bytes:
        yield Limit("file in flash", entry.name, target.flash_bytes, entry.size_bytes, "bytes")
    arena = entry.placement.arena_bytes if entry.placement else None
    if target.memory_bytes and arena is not None:
        yield Limit("arena", entry.name, target.memory_bytes, arena, "bytes")

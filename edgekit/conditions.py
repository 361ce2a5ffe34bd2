"""The state of the machine while something was timed: without it, a latency cannot be compared with another."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Conditions:
    """None where the system does not tell. ``temperature_c`` is the hottest sensor; ``load`` the average of a minute.

    ``throttled``: what slows the clock down now ("" nothing), on boards whose firmware tells.
    """

    machine: str
    processor: str
    cores: int
    governor: str | None
    frequency_mhz: int | None
    temperature_c: float | None
    load: float | None
    throttled: str | None = None
    memory_bytes: int | None = None
    free_memory_bytes: int | None = None


def read_conditions(root: Path = Path("/")) -> Conditions:
    """The machine's state now; ``root`` holds ``proc`` and ``sys``."""
    cpufreq = root / "sys/devices/system/cpu/cpu0/cpufreq"
    frequency = _number(cpufreq / "scaling_cur_freq")
    load = _text(root / "proc/loadavg")
    return Conditions(
        machine=platform.machine(),
        processor=_processor(root),
        cores=_cores(),
        governor=_text(cpufreq / "scaling_governor"),
        frequency_mhz=None if frequency is None else round(frequency / 1000),
        temperature_c=_hottest(root / "sys/class/thermal"),
        load=float(load.split()[0]) if load else None,
        throttled=_throttled(root),
        memory_bytes=_memory(root, "MemTotal"),
        free_memory_bytes=_memory(root, "MemAvailable"),
    )


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """Seconds of all cores since the machine started, and what this process had of them."""

    total: float
    idle: float
    own: float


def processor_time(root: Path = Path("/")) -> ProcessorTime | None:
    """What has been used so far; None where the system does not tell."""
    fields = (_text(root / "proc/stat") or "").partition("\n")[0].split()
    if len(fields) < 6 or fields[0] != "cpu":
        return None
    ticks = [
        int(field) for field in fields[1:9]
    ]  # user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5))
    own = os.times()
    per_second = os.sysconf("SC_CLK_TCK")
    return ProcessorTime(sum(ticks) / per_second, (ticks[3] + ticks[4]) / per_second, own.user + own.system)


def taken_elsewhere(before: ProcessorTime | None, after: ProcessorTime | None) -> float | None:
    """The share of all cores' time between two readings of one process that went to others."""
    if before is None or after is None or after.total <= before.total:
        return None
    busy = after.total - before.total - (after.idle - before.idle)
    return min(1.0, max(0.0, (busy - (after.own - before.own)) / (after.total - before.total)))


def _processor(root: Path) -> str:
    """A board's name from its device tree, else the processor's from /proc/cpuinfo."""
    board = _text(root / "proc/device-tree/model")
    if board:
        return board.rstrip("\0")
    lines = [line.partition(":") for line in (_text(root / "proc/cpuinfo") or "").splitlines()]
    entries = {name.strip(): value.strip() for name, _, value in lines}
    for name in ("Model", "model name", "Hardware"):  # a Raspberry Pi's board; x86; older Arm kernels
        if entries.get(name):
            return entries[name]
    return platform.processor() or "unknown"


def _cores() -> int:
    """Cores this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _hottest(folder: Path) -> float | None:
    readings = [_number(zone / "temp") for zone in sorted(folder.glob("thermal_zone*"))]
    return max((reading / 1000 for reading in readings if reading is not None), default=None)


def _throttled(root: Path) -> str | None:
    """The present states of the Raspberry Pi's firmware (bits 0 to 3 of get_throttled)."""
    text = _text(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    try:
        flags = int(text, 16) if text else None
    except ValueError:
        return None
    if flags is None:
        return None
    return ", ".join(words for bit, words in enumerate(_THROTTLING) if flags >> bit & 1)


_THROTTLING = ("under-voltage", "clock capped", "throttled", "soft temperature limit")


def _memory(root: Path, entry: str) -> int | None:
    """Bytes of an entry of /proc/meminfo, which counts in kB."""
    for line in (_text(root / "proc/meminfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name == entry and value.split():
            return int(value.split()[0]) * 1024
    return None


def _number(path: Path) -> float | None:
    text = _text(path)
    with contextlib.suppress(ValueError):
        return float(text) if text else None
    return None


def _text(path: Path) -> str | None:
    """The file's text; None where it is missing or the driver behind it refuses to answer."""
    try:
        return path.read_text("utf-8", errors="replace").strip() or None
    except OSError:
        return None

"""What a benchmark found: figures with their limits, written as JSON and Markdown and shown on the terminal."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from models import WORK

BUSY_LOAD = 0.5
_FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")
_PACKAGES = ("edgekit-ml", "numpy", "onnxruntime", "ai-edge-litert", "litert-quantizer", "torch", "tensorflow-cpu")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. ``limit`` None: told, not judged. ``beside``: what it stands next to (a peer, the float model)."""

    what: str
    found: float
    unit: str = ""
    limit: float | None = None
    at_least: bool = False
    beside: str = ""

    @property
    def passed(self) -> bool:
        if self.limit is None:
            return True
        return self.found >= self.limit if self.at_least else self.found <= self.limit

    def row(self) -> tuple[str, ...]:
        sign = "at least" if self.at_least else "at most"
        limit = "" if self.limit is None else f"{sign} {_number(self.limit)}"
        verdict = "" if self.limit is None else ("yes" if self.passed else "**no**")
        return self.what, f"{_number(self.found)} {self.unit}".strip(), limit, verdict, self.beside


@dataclass(frozen=True, slots=True)
class Result:
    """A benchmark's answer. ``timed``: its figures hold only for a machine with nothing else to do."""

    name: str
    title: str
    figures: Sequence[Figure]
    samples: str = ""
    notes: Sequence[str] = field(default_factory=tuple)
    timed: bool = False


def publish(result: Result, load_before: float | None = None) -> int:
    """Write ``results/<name>.json`` and ``.md``, print the latter; 1 when a figure is beyond its limit."""
    folder = WORK / "results"
    folder.mkdir(parents=True, exist_ok=True)
    machine = _machine(load_before)
    document = dataclasses.asdict(result) | {"machine": machine, "passed": all(f.passed for f in result.figures)}
    (folder / f"{result.name}.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    text = _markdown(result, machine)
    (folder / f"{result.name}.md").write_text(text, "utf-8")
    print(text)
    return 0 if document["passed"] else 1


def load_average() -> float:
    """Processes that wanted a core in the last minute; to be taken before a benchmark begins."""
    return os.getloadavg()[0]


def _markdown(result: Result, machine: dict[str, str]) -> str:
    rows = [("figure", "found", "wanted", "met", "beside"), ("---",) * 5, *(figure.row() for figure in result.figures)]
    lines = [f"## {result.title}", "", *("| " + " | ".join(row) + " |" for row in rows), ""]
    if result.samples:
        lines += [f"Samples: {result.samples}.", ""]
    if result.timed and float(machine["load before"] or 0) > BUSY_LOAD:
        lines += ["**Preliminary: the machine was not idle.**", ""]
    lines += [*(f"- {note}" for note in result.notes), *([""] if result.notes else [])]
    lines += ["; ".join(f"{name} {value}" for name, value in machine.items()), ""]
    return "\n".join(lines)


def _machine(load_before: float | None) -> dict[str, str]:
    information = Path("/proc/cpuinfo")
    text = information.read_text("utf-8") if information.exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    flags = {flag for line in text.splitlines() if line.startswith(("flags", "Features")) for flag in line.split()}
    facts = {
        "processor": names[0] if names else platform.processor() or "not told",
        "architecture": platform.machine(),
        "flags": " ".join(flag for flag in _FLAGS if flag in flags) or "none of interest",
        "cores": str(os.cpu_count()),
        "load before": "" if load_before is None else f"{load_before:.1f}",
        "Python": platform.python_version(),
    }
    return facts | {package: found for package in _PACKAGES if (found := _version(package))}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.4g}" if abs(value) < 100 else f"{value:.1f}"

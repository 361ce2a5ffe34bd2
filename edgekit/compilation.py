"""Files for processors that need a compiler of their own: what a compiler is asked, what it answers, and asking it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edgekit import isolation, registry
from edgekit.artifact import Artifact, sha256_of
from edgekit.errors import CompilerError, UsageError
from edgekit.fallback import fallbacks, node_macs
from edgekit.figures import Fallbacks, PlacementSummary
from edgekit.gates import PlacementGates
from edgekit.json_text import json_text, plain
from edgekit.protocols import Availability, Delegate, Placement, Progress
from edgekit.report import Limit
from edgekit.table import Table

SCHEMA = "edgekit.compile/1"


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """``accelerator``: the configuration to compile for, by the compiler's own name; None: its default. ``settings``: its
    own options, handed on as they are."""

    accelerator: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompiledOp:
    """What an op of the compiled network costs, where the compiler estimates it. ``utilization``: of the multipliers, 0 to 1."""

    name: str
    op: str
    cycles: int | None = None
    macs: int | None = None
    utilization: float | None = None


@dataclass(frozen=True, slots=True)
class CompilerFigure:
    """A figure of the compiler's own report. ``unit``: "cycles", "ms", "bytes", "MACs", "%" or "" for counts."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiler's answer. ``device``: what the processor is called in ``placement``, which lists the ops of the source file.

    ``figures`` are the compiler's estimates, no measurements.
    """

    file: Path
    version: str
    accelerator: str
    device: str
    placement: Placement
    figures: tuple[CompilerFigure, ...] = ()
    costs: tuple[CompiledOp, ...] = ()
    notes: tuple[str, ...] = ()


class Compiler(Protocol):
    """A vendor's tool that makes a file for its processor. Exists so that other processors' tools can be plugged in."""

    @property
    def name(self) -> str: ...

    @property
    def formats(self) -> tuple[str, ...]:
        """Formats it takes: "tflite", "onnx"."""

    @property
    def suffix(self) -> str:
        """What it writes: ".vela.tflite" is put in place of the source's suffix."""

    def probe(self) -> Availability:
        """Whether the tool is installed; ``accelerators`` are the configurations it knows, where it tells."""

    def compile(self, path: Path, target: Path, options: CompileOptions, progress: Progress) -> Compiled:
        """Write ``target``, whole or not at all. Raises CompilerError with what the tool said."""


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """What ``edgekit compile`` was asked for. ``out``: a folder; None: beside the file."""

    file: Path
    compiler: str
    out: Path | None = None
    options: CompileOptions = field(default_factory=CompileOptions)
    gates: PlacementGates = field(default_factory=PlacementGates)


@dataclass(frozen=True, slots=True)
class CompileReport:
    """What came out, and whether it is within the limits. JSON schema: docs/json/compile.md."""

    source: Path
    compiler: str
    compiled: Compiled
    sha256: str
    size_bytes: int
    fallbacks: Fallbacks
    limits: tuple[Limit, ...] = ()

    @property
    def exit_code(self) -> int:
        return 0 if all(limit.passed for limit in self.limits) else 1

    def to_json(self) -> str:
        limits = [plain(limit) | {"passed": limit.passed} for limit in self.limits]
        return json_text({"schema": SCHEMA, "exit_code": self.exit_code, **plain(self), "limits": limits})

    def sections(self) -> list[Table | str]:
        from edgekit.compilation_text import sections

        return sections(self)


def compile_file(request: CompileRequest, progress: Progress) -> CompileReport:
    """Compile in a child process, since the file is read there; a crash becomes a StageCrashError.

    Raises UsageError for a file of another format, CompilerError where the tool is absent or fails.
    """
    report: CompileReport = isolation.run("edgekit.compilation:compile_here", request, progress, stage="compile").value
    return report


def compile_here(request: CompileRequest, progress: Progress) -> CompileReport:
    """What `compile_file` runs in its child process."""
    compiler = registry.compiler(request.compiler)
    source = Artifact.open(request.file).path
    suffix = source.suffix.removeprefix(".").lower()
    if suffix not in compiler.formats:
        known = " or ".join(f".{name}" for name in compiler.formats)
        raise UsageError(f"{source.name} is not a file that {compiler.name} compiles; expected the suffix {known}")
    availability = compiler.probe()
    if not availability.available:
        raise CompilerError(f"{compiler.name} can't be used: {availability.reason}. {availability.remedy}")
    folder = request.out or source.parent
    folder.mkdir(parents=True, exist_ok=True)
    progress.stage(f"compiling {source.name}")
    compiled = compiler.compile(source, folder / (source.stem + compiler.suffix), request.options, progress)
    return _judged(request, source, compiled, progress)


def _judged(request: CompileRequest, source: Path, compiled: Compiled, progress: Progress) -> CompileReport:
    delegate = Delegate(compiled.device)
    left = fallbacks(compiled.placement, (delegate,), node_macs(source, progress))
    assert left is not None
    report = CompileReport(
        source=source,
        compiler=request.compiler,
        compiled=compiled,
        sha256=sha256_of(compiled.file),
        size_bytes=compiled.file.stat().st_size,
        fallbacks=left,
    )
    limits = request.gates.limits(compiled.file.name, PlacementSummary.of(compiled.placement, left))
    return dataclasses.replace(report, limits=tuple(limits))

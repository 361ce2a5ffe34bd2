"""What the reader asks of its child process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.protocols import ReadOptions


@dataclass(frozen=True, slots=True)
class FunctionRequest:
    """Load the function of a SavedModel folder or a frozen graph."""

    path: Path
    options: ReadOptions


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Write the function as ONNX to ``onnx_path``; answered with notes for the report."""

    function: FunctionRequest
    onnx_path: Path

"""What the reader asks of its child process and what that answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.protocols import ReadOptions
from edgekit_converters.sources.pytorch.files import PytorchFile


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """Load the network of a file."""

    file: PytorchFile
    options: ReadOptions


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Write the network of a file as ONNX to ``onnx_path``; answered with notes for the report."""

    network: NetworkRequest
    onnx_path: Path

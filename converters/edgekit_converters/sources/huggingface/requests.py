"""What the reader asks of its child process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.protocols import ReadOptions
from edgekit_converters.sources.huggingface.folder import ModelFolder


@dataclass(frozen=True, slots=True)
class FolderRequest:
    """Load the network of a folder."""

    folder: ModelFolder
    options: ReadOptions


@dataclass(frozen=True, slots=True)
class FolderExport:
    """Write it as ONNX to ``onnx_path``; answered with notes for the report."""

    request: FolderRequest
    onnx_path: Path

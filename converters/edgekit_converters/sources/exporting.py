"""Reading through ONNX: a child process with the framework exports the network, and the hub is read from that file."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

from edgekit import isolation
from edgekit.protocols import Progress, ReadOptions
from edgekit_converters.hub.model import Hub
from edgekit_converters.sources.onnx import OnnxSource


def read_exported(
    function: str, request_for: Callable[[Path], object], stage: str, progress: Progress | None, **facts: object
) -> Hub:
    """The hub of what ``function`` ("module:name") writes for the request, which is told the file to write; ``facts`` are the
    hub's own fields, such as its framework. The notes that the function returns stand first.

    Raises what the function raises, and SourceError for an export that can't be read.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        onnx_path = Path(folder, "model.onnx")
        outcome = isolation.run(function, request_for(onnx_path), progress, stage=stage)
        hub = OnnxSource().read(onnx_path, ReadOptions())
    return dataclasses.replace(hub, notes=(*outcome.value, *hub.notes), **facts)  # type: ignore[arg-type]  # fields by name

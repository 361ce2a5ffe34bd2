"""Reads every model of a folder in one process, as the reader's child does; errors come back as text."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import EdgekitError
from edgekit.protocols import ReadOptions
from edgekit_converters.sources.tensorflow.export import export
from edgekit_converters.sources.tensorflow.requests import ExportRequest, FunctionRequest


def export_all(request, progress):
    folder = Path(request)
    answers = {}
    for path in sorted(folder.iterdir()):
        if not (path.is_dir() or path.suffix == ".pb"):
            continue
        function = FunctionRequest(path, ReadOptions())
        try:
            answers[path.name] = ("read", *export(ExportRequest(function, folder / f"{path.name}.onnx"), progress))
        except EdgekitError as error:
            answers[path.name] = (type(error).__name__, str(error))
    return answers

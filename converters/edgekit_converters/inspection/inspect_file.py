"""Choose the reader by the file's suffix."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import ArtifactError, MissingPackageError
from edgekit.protocols import Progress
from edgekit_converters.inspection.contents import Contents


def inspect_file(path: Path) -> Contents:
    """Graph, ops, parameters, multiply-accumulates, sizes and quantization of an .onnx or .tflite file.

    Raises ArtifactError when the file is missing, damaged or of another kind.
    """
    if not path.is_file():
        raise ArtifactError(f"there is no model file {str(path)!r}")
    suffix = path.suffix.lower()
    try:
        if suffix == ".onnx":
            from edgekit_converters.inspection.onnx_file import inspect_onnx

            return inspect_onnx(path)
        if suffix == ".tflite":
            from edgekit_converters.inspection.tflite_file import inspect_tflite

            return inspect_tflite(path)
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "onnx", "convert", f"inspecting {path.name}") from error
    raise ArtifactError(
        f"{path.name} is not a file that can be inspected; expected the suffix .onnx or .tflite. What a conversion would make of "
        "another model is shown by: edgekit convert MODEL -o out --dry-run"
    )


def inspect_here(path: Path, progress: Progress) -> Contents:
    """`inspect_file` as a stage that can run in a process of its own."""
    progress.stage(f"inspecting {path.name}")
    return inspect_file(path)

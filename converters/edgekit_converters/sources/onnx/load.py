"""From a file to an `onnx_ir.Model`: parsed without copying, checked before anything relies on it."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import NoReturn

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no stubs

from edgekit.errors import SourceError
from edgekit_converters.sources.onnx.check import check_model, check_values
from edgekit_converters.sources.onnx.external import resolve_external_data


def load_model(path: Path) -> ir.Model:
    """The model as the file has it, at its own opset, functions and all.

    External data is mapped, not read. Raises SourceError for anything that is no complete ONNX inference model.
    """
    proto = _parse(path)
    check_model(proto, path)
    try:
        model = ir.serde.deserialize_model(proto)
    except (ir.serde.SerdeError, AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{path} is damaged: its graph can't be read ({root_cause(error)}). Export it again."
        ) from error
    resolve_external_data(model, path)
    check_values(model, path)
    return model


def _parse(path: Path) -> onnx.ModelProto:
    if not path.exists():
        raise SourceError(f"there is no model file {str(path)!r}")
    if not path.is_file():
        raise SourceError(f"{path} is not a file; expected an ONNX model, e.g. model.onnx")
    if path.stat().st_size == 0:
        raise SourceError(f"{path} is empty; expected an ONNX model. Was its download or export interrupted?")
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        _refuse_other_files(content[:64], path)
        view = memoryview(content)
        try:
            model = onnx.ModelProto()
            model.ParseFromString(view)
            return model
        except DecodeError as error:
            raise SourceError(
                f"{path} is damaged or not an ONNX model: its {len(view)} bytes are no complete protobuf message. "
                "Download or export it again."
            ) from error
        finally:
            view.release()


def _refuse_other_files(head: bytes, path: Path) -> None:
    for start, kind in _OTHER_FILES.items():
        if head[4:].startswith(start) if start == b"TFL3" else head.startswith(start):
            _refuse(path, kind)


def _refuse(path: Path, kind: str) -> NoReturn:
    raise SourceError(f"{path} is {kind}, not an ONNX model")


def root_cause(error: BaseException) -> str:
    """What the innermost error of a chain says, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())[:200] or type(error).__name__


_OTHER_FILES = {
    b"version https://git-lfs": "a Git LFS pointer (run: git lfs pull)",
    b"\x89HDF": "an HDF5 file",
    b"PK\x03\x04": "a zip archive (a .keras, .pt or .npz file?)",
    b"TFL3": "a TFLite file",
    b"\x80\x02": "a Python pickle",
    b"ORTM": "an ONNX Runtime .ort file",
    b"<": "a web page or XML",
    b"{": "a JSON file",
}

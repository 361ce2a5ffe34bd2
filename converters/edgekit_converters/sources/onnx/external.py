"""Tensor data in files beside the model: nothing outside the model's folder, nothing larger than the file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import onnx_ir as ir

from edgekit.errors import SourceError, UntrustedSourceError
from edgekit_converters.sources.onnx.check import nbytes


def resolve_external_data(model: ir.Model, path: Path) -> None:
    """Map every external tensor into memory, unread, after its place and size were checked.

    Raises UntrustedSourceError when a location leaves the model's folder, SourceError when a file is missing or too short.
    """
    folder = path.parent.resolve()
    for value in _initializers(model):
        tensor = value.const_value
        if isinstance(tensor, ir.ExternalTensor):
            value.const_value = _mapped(tensor, folder, path)
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        for attribute in list(node.attributes.values()):
            if attribute.type is ir.AttributeType.TENSOR and isinstance(attribute.value, ir.ExternalTensor):
                node.attributes[attribute.name] = ir.AttrTensor(attribute.name, _mapped(attribute.value, folder, path))


def _initializers(model: ir.Model) -> Iterator[ir.Value]:
    for graph in model.graphs():
        yield from graph.initializers.values()


def _mapped(tensor: ir.ExternalTensor, folder: Path, path: Path) -> ir.TensorProtocol:
    where = f"{path}: the data of {tensor.name!r} lies in {str(tensor.location)!r}"
    file = _inside(Path(os.fspath(tensor.location)), folder, where)
    offset, expected = tensor.offset or 0, nbytes(tensor.dtype.value, _count(tensor, where))
    available = file.stat().st_size - offset
    if expected is None or offset < 0 or tensor.length not in (None, expected) or available < expected:
        raise SourceError(
            f"{where}, which should give {expected} bytes from {offset} on (declared: {tensor.length}) but has "
            f"{max(available, 0)}. The file is damaged or incomplete; copy or export it again."
        )
    tensor.base_dir = folder
    try:
        return ir.Tensor(tensor.numpy(), dtype=tensor.dtype, name=tensor.name)
    except ValueError as error:
        raise UntrustedSourceError(f"{where}, which is refused: {error}") from error


def _inside(location: Path, folder: Path, where: str) -> Path:
    if location.is_absolute() or ".." in location.parts:
        raise UntrustedSourceError(
            f"{where}, which leaves the model's folder; only files inside it are read. Put the data beside the model "
            "and export it again."
        )
    file = (folder / location).resolve()
    if not file.is_relative_to(folder):
        raise UntrustedSourceError(f"{where}, a link that leads out of the model's folder to {file}; that is refused")
    if not file.is_file():
        raise SourceError(f"{where}, which is missing; expected it at {file}. Copy it beside the model.")
    return file


def _count(tensor: ir.ExternalTensor, where: str) -> int:
    dims = tuple(tensor.shape)
    if any(not isinstance(dim, int) or dim < 0 for dim in dims):
        raise SourceError(f"{where} and has the impossible shape {dims}. The file is damaged.")
    return math.prod(int(dim) for dim in dims if isinstance(dim, int))

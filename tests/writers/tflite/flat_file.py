"""A .tflite file opened with the schema's own classes: what tests of the file's contents share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema


def opened(path: Path) -> Any:
    """The model as the schema's object tree."""
    return schema.ModelT.InitFromPackedBuf(bytearray(path.read_bytes()), 0)


def versions(path: Path) -> dict[str, int]:
    """The version of every builtin in the file."""
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    return {names[code.builtinCode]: code.version for code in opened(path).operatorCodes}


def tensors(path: Path) -> list[Any]:
    return list(opened(path).subgraphs[0].tensors)


def is_float32(tensor: Any) -> bool:
    return bool(tensor.type == schema.TensorType.FLOAT32)

"""What QNN compiled, from the JSON that its provider writes on request: the type of every op's operand and result."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit_runtimes.onnxruntime_providers import Provider

QNN = "QNNExecutionProvider"
_FOLDER = "qnn"

_SIZES = {0x08: "8", 0x16: "16", 0x32: "32", 0x64: "64"}
_FAMILIES = {0x00: "int", 0x01: "uint", 0x02: "float", 0x03: "int", 0x04: "uint"}
_TYPES = {
    family << 8 | size: f"{word}{bits}" for family, word in _FAMILIES.items() for size, bits in _SIZES.items()
} | {0x0508: "bool"}
"""Qnn_DataType_t (QnnTypes.h); 0x03.. and 0x04.. are integers that have a scale."""


@dataclass(frozen=True, slots=True)
class QnnOp:
    """``kind``: QNN's own operator. ``operand`` and ``result``: numpy's names of the types of the first ones."""

    kind: str
    operand: str
    result: str


def dumping(provider: Provider, folder: Path) -> Provider:
    """The provider, if it is QNN's, told to write its graphs below ``folder``."""
    if provider.name != QNN:
        return provider
    where = folder / _FOLDER
    where.mkdir(exist_ok=True)
    return replace(provider, options={**provider.options, "dump_json_qnn_graph": "1", "json_qnn_graph_dir": str(where)})


def read_graphs(folder: Path) -> dict[str, QnnOp]:
    """Ops by name; nothing where the provider wrote nothing."""
    found: dict[str, QnnOp] = {}
    for path in sorted((folder / _FOLDER).glob("*.json")):
        graph = json.loads(path.read_text("utf-8")).get("graph")
        found |= dict(_ops(graph)) if isinstance(graph, Mapping) else {}
    return found


def _ops(graph: Mapping[str, Any]) -> Iterator[tuple[str, QnnOp]]:
    tensors = graph["tensors"]
    for name, node in graph["nodes"].items():
        operand, result = node["input_names"][:1], node["output_names"][:1]
        yield name, QnnOp(str(node["type"]), _type(tensors, operand), _type(tensors, result))


def _type(tensors: Mapping[str, Any], names: list[str]) -> str:
    return _TYPES.get(tensors[names[0]]["data_type"], "unknown") if names and names[0] in tensors else "none"

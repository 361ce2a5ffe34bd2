"""Which ops of a TFLite file a compiler took: those that are no longer in the file it made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgekit.protocols import PlacedOp, Placement
from edgekit_converters.inspection.contents import Node
from edgekit_converters.inspection.tflite_file import inspect_tflite

CPU = "builtin"


def placed(source: Path, made: Path, *, device: str, reasons: Mapping[tuple[str, str], str]) -> Placement:
    """Every op of ``source``: on ``device``, or left to the CPU, with the compiler's reason by op and output."""
    before, after = inspect_tflite(source), inspect_tflite(made)
    kept = {(node.op, node.outputs[0]) for node in after.nodes if node.outputs}
    known = {(node.op, node.outputs[0]) for node in before.nodes if node.outputs}
    dtypes = {tensor.name: tensor.dtype for tensor in before.tensors}
    ops = tuple(
        _op(node, dtypes, CPU if (node.op, node.outputs[0]) in kept else device, reasons) for node in before.nodes
    )
    return Placement(ops, partitions=sum((node.op, node.outputs[0]) not in known for node in after.nodes))


def _op(node: Node, dtypes: Mapping[str, str], device: str, reasons: Mapping[tuple[str, str], str]) -> PlacedOp:
    operand = next((dtypes[name] for name in node.inputs if name), "none")
    result = next((dtypes[name] for name in node.outputs), "none")
    return PlacedOp(
        name=node.name,
        op=node.op,
        device=device,
        kernel=f"{operand} -> {result}",
        integer=not (operand.startswith("float") or result.startswith("float")),
        why=_reason(node, reasons) if device == CPU else "",
    )


def _reason(node: Node, reasons: Mapping[tuple[str, str], str]) -> str:
    """The compiler's reason for the op, else for ops of its type, else for its output."""
    own = reasons.get((node.op, node.outputs[0])) or reasons.get((node.op, ""))
    return own or next((why for (_, output), why in reasons.items() if output == node.outputs[0]), "")

"""What ONNX Runtime really executed: the kernels of one recorded run, each with its provider and types.

The list of providers that a session shows and the op types of the file say neither: a provider may take nothing, and a
quantized Conv may run as a float Conv between conversions. The record of a run names the kernels of the optimized graph.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.artifact import TensorSpec
from edgekit.errors import MeasurementError
from edgekit.protocols import PlacedOp, Placement, SessionOptions


def place(path: Path, options: SessionOptions, providers: Sequence[str], inputs: Sequence[TensorSpec]) -> Placement:
    """Run ``path`` once on zeros (open dimensions are 1) and list the kernels.

    Where the model does not run on zeros, the file's own ops with the provider each was assigned to, and a note.
    """
    from edgekit_runtimes.onnxruntime import native_errors, one_line, open_native

    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        session = open_native(path, options, providers, profile=str(Path(folder) / "run"))
        try:
            session.run(None, {spec.name: zeros(spec) for spec in inputs})
        except native_errors() as error:
            session.end_profiling()
            return _assigned(session, one_line(error))
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    kernels = [event for event in events if event.get("cat") == "Node" and str(event["name"]).endswith(KERNEL)]
    return _with_partitions(tuple(placed_op(event) for event in kernels))


KERNEL = "_kernel_time"
"""How the names of a kernel's events end."""


def zeros(spec: TensorSpec) -> Any:
    """An input of zeros, open dimensions 1."""
    return np.zeros([dim if isinstance(dim, int) else 1 for dim in spec.shape], spec.dtype)


def placed_op(event: Mapping[str, Any]) -> PlacedOp:
    """The op that a kernel's event is about."""
    facts = event["args"]
    op = str(facts["op_name"])
    operands, results = _types(facts["input_type_shape"]), _types(facts["output_type_shape"])
    return PlacedOp(
        name=str(event["name"]).removesuffix(KERNEL),
        op=op,
        device=str(facts["provider"]),
        kernel=f"{operands[0]} -> {results[0]}",
        integer=_on_integers(op, operands[0], results[0]),
    )


def _types(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """numpy's names of the types of a kernel's operands or results."""
    names = [str(next(iter(entry))) for entry in entries if entry]
    return [{"float": "float32", "double": "float64"}.get(name, name) for name in names] or ["none"]


def _on_integers(op: str, operand: str, result: str) -> bool:
    """Whether the kernel computes on 8- or 16-bit integers; conversions to and from them do not count."""
    if op in _CONVERSIONS:
        return False
    return op.startswith("QLinear") or op in _INTEGER_OPS or (operand in _QUANTIZED and result in _QUANTIZED)


_CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast")
_INTEGER_OPS = (
    "QGemm",
    "QAttention",
    "ConvInteger",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
    "DynamicQuantizeLSTM",
)
_QUANTIZED = ("int8", "uint8", "int16", "uint16")


def _assigned(session: Any, why: str) -> Placement:
    if not hasattr(session, "get_provider_graph_assignment_info"):
        raise MeasurementError(
            f"the model does not run on zeros ({why}), and this ONNX Runtime keeps no record of assignments. "
            "Install onnxruntime 1.24 or newer."
        )
    ops = [
        PlacedOp(node.name, node.op_type, subgraph.ep_name, "unknown", integer=False)
        for subgraph in session.get_provider_graph_assignment_info()
        for node in subgraph.get_nodes()
    ]
    return _with_partitions(tuple(ops), f"kernels are unknown: the model does not run on zeros ({why})")


def _with_partitions(ops: tuple[PlacedOp, ...], *notes: str) -> Placement:
    """A partition is a row of neighbours on one provider other than the CPU."""
    devices = [op.device for op in ops]
    changes = [device for before, device in zip(["", *devices], devices, strict=False) if device != before]
    partitions = sum(device != "CPUExecutionProvider" for device in changes)
    return Placement(ops, partitions, notes)

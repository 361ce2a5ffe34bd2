"""What ONNX Runtime really executed: the kernels of one recorded run, each with its provider and types.

The list of providers that a session shows and the op types of the file say neither: a provider may take nothing, and a
quantized Conv may run as a float Conv between conversions. The record of a run names the kernels of the optimized graph. A
provider that compiles its part shows there as one kernel; which ops that holds, the assignment of the graph tells. The two are
compared, and where they disagree a note says so.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.artifact import TensorSpec
from edgekit.errors import MeasurementError
from edgekit.protocols import PlacedOp, Placement, SessionOptions
from edgekit_runtimes.onnxruntime_catalogue import CPU
from edgekit_runtimes.onnxruntime_native import assignment, native_errors, one_line, open_native, refusals
from edgekit_runtimes.onnxruntime_providers import Provider
from edgekit_runtimes.openvino_kernels import OPENVINO, Primitive, by_op_type, executed, summary
from edgekit_runtimes.qnn_graph import QNN, QnnOp, dumping, read_graphs

Event = Mapping[str, Any]


def place(
    path: Path, options: SessionOptions, providers: Sequence[Provider], inputs: Sequence[TensorSpec]
) -> Placement:
    """Run ``path`` once on zeros (open dimensions are 1) and list the kernels.

    Where the model does not run on zeros, the file's own ops with the provider each was assigned to, and a note.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        dumped = [dumping(provider, Path(folder)) for provider in providers]
        session = open_native(path, options, dumped, profile=str(Path(folder) / "run"))
        try:
            session.run(None, {spec.name: zeros(spec) for spec in inputs})
        except native_errors() as error:
            session.end_profiling()
            return _assigned(session, one_line(error))
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
        told = Told(
            {plain_name(name): op for name, op in read_graphs(Path(folder)).items()},
            tuple(primitive for provider in providers for primitive in executed(path, provider, inputs)),
        )
    kernels = [event for event in events if event.get("cat") == "Node" and str(event["name"]).endswith(KERNEL)]
    if not providers:
        return Placement(tuple(map(placed_op, kernels)), _partitions(kernels))
    return _on_providers(kernels, assignment(session), told, refusals(path, options, providers), providers)


@dataclass(frozen=True, slots=True)
class Told:
    """What providers tell of the kernels in the parts that they compiled."""

    qnn: Mapping[str, QnnOp]
    openvino: tuple[Primitive, ...]


KERNEL = "_kernel_time"
"""How the names of a kernel's events end."""


def zeros(spec: TensorSpec) -> Any:
    """An input of zeros, open dimensions 1."""
    return np.zeros([dim if isinstance(dim, int) else 1 for dim in spec.shape], spec.dtype)


def _on_providers(
    kernels: Sequence[Event],
    assigned: Sequence[tuple[str, Any]],
    told: Told,
    refused: Mapping[str, str],
    providers: Sequence[Provider],
) -> Placement:
    """The CPU's kernels as they ran, and the ops of each compiled part as they were assigned."""
    parts = _compiled(kernels, assigned)
    ops = [_with_reason(placed_op(event), refused, providers) for event in kernels if _provider(event) not in parts]
    for provider, events in parts.items():
        names = ", ".join(str(event["args"]["op_name"]) for event in events)
        ops += [_in_part(node, provider, names, told) for node in _executed(provider, assigned, told)]
    notes = (*_untold(parts, told), *_folded(assigned, told), *_disagreements(kernels, assigned), *_fixed(providers))
    return Placement(tuple(ops), _partitions(kernels), notes)


def _compiled(kernels: Sequence[Event], assigned: Sequence[tuple[str, Any]]) -> dict[str, list[Event]]:
    """The kernels of providers that made one of several ops: their op is none that the provider was assigned."""
    types = {(owner, str(node.op_type)) for owner, node in assigned}
    found: dict[str, list[Event]] = {}
    for event in kernels:
        provider = _provider(event)
        if provider != CPU and (provider, str(event["args"]["op_name"])) not in types:
            found.setdefault(provider, []).append(event)
    return found


def _executed(provider: str, assigned: Sequence[tuple[str, Any]], told: Told) -> list[Any]:
    """The ops that a provider was assigned, without those that it made properties of its tensors."""
    return [node for owner, node in assigned if owner == provider and not _is_folded(owner, node, told)]


def _is_folded(provider: str, node: Any, told: Told) -> bool:
    """Q/DQ that QNN read as encodings: nothing is executed for them."""
    conversion = node.op_type in ("QuantizeLinear", "DequantizeLinear")
    return provider == QNN and bool(told.qnn) and conversion and plain_name(str(node.name)) not in told.qnn


def _folded(assigned: Sequence[tuple[str, Any]], told: Told) -> Iterator[str]:
    if count := sum(_is_folded(owner, node, told) for owner, node in assigned):
        yield f"{count} QuantizeLinear and DequantizeLinear of the file are encodings of {QNN}'s tensors, not ops of it"


def _in_part(node: Any, provider: str, part: str, told: Told) -> PlacedOp:
    name, op = str(node.name), str(node.op_type)
    if provider == QNN and (compiled := told.qnn.get(plain_name(name))):
        kernel = f"{compiled.operand} -> {compiled.result} ({compiled.kind})"
        return PlacedOp(name, op, provider, kernel, _on_integers(op, compiled.operand, compiled.result))
    if provider == OPENVINO and (ran := by_op_type(told.openvino).get(op)):
        return PlacedOp(name, op, provider, f"{ran.operand} -> {ran.result} ({ran.kernel})", ran.operand in _QUANTIZED)
    return PlacedOp(name, op, provider, f"inside {part}", integer=False)


def _with_reason(op: PlacedOp, refused: Mapping[str, str], providers: Sequence[Provider]) -> PlacedOp:
    if op.device != CPU:
        return op
    reason = refused.get(op.name) or refused.get(plain_name(op.name))
    if reason is None:
        reason = f"{' and '.join(provider.name for provider in providers)} did not take it and did not say why"
    return replace(op, why=reason)


def plain_name(name: str) -> str:
    """A node's name in the file, without what the optimizer appends to it."""
    return re.sub(r"(_token_\d+|_nchwc|_nhwc)+$", "", name)


def _untold(parts: Mapping[str, Sequence[Event]], told: Told) -> Iterator[str]:
    """What is known of the kernels in compiled parts, where that is not all."""
    for provider, events in parts.items():
        if provider == OPENVINO and told.openvino:
            yield f"{provider} ran {summary(told.openvino)}; its other kernels do not tell their types"
        elif provider != QNN or not told.qnn:
            yield (
                f"{provider} compiles its part ({len(events)} in all) and does not tell its kernels: whether they compute on "
                "integers is unknown"
            )


def _disagreements(kernels: Sequence[Event], assigned: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """Providers that one of the two sources names and the other does not."""
    ran, given = Counter(map(_provider, kernels)), Counter(owner for owner, _ in assigned)
    for provider in sorted(ran.keys() ^ given.keys()):
        yield (
            f"{provider}: {given[provider]} ops were assigned to it, {ran[provider]} of its kernels ran"
            + (" (the optimizer removed them)" if provider == CPU and not ran[provider] else "")
        )


def _fixed(providers: Sequence[Provider]) -> Iterator[str]:
    for provider in providers:
        if provider.fixed_shapes:
            yield f"{provider.name} takes no open dimensions: an open batch is 1"


def _provider(event: Event) -> str:
    return str(event["args"]["provider"])


def placed_op(event: Event) -> PlacedOp:
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
    found = assignment(session)
    ops = tuple(PlacedOp(node.name, node.op_type, owner, "unknown", integer=False) for owner, node in found)
    return Placement(
        ops, _rows([owner for owner, _ in found]), (f"kernels are unknown: the model does not run on zeros ({why})",)
    )


def _partitions(kernels: Sequence[Event]) -> int:
    return _rows([_provider(event) for event in kernels])


def _rows(devices: Sequence[str]) -> int:
    """A partition is a row of neighbours on one provider other than the CPU."""
    changes = [device for before, device in zip(["", *devices], devices, strict=False) if device != before]
    return sum(device != CPU for device in changes)

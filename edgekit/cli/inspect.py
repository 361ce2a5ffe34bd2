"""``edgekit inspect``: what a model file holds."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.cli.shared_options import delegate_option, device_option, gate_options, gates_from
from edgekit.json_text import json_text, plain
from edgekit.table import Table, table

if TYPE_CHECKING:
    from edgekit.artifact import State, TensorSpec
    from edgekit.devices.address import Address
    from edgekit.figures import Estimate, Fallbacks
    from edgekit.gates import FallbackLimit
    from edgekit.protocols import Delegate, Placement
    from edgekit.report import Limit

SCHEMA = "edgekit.inspect/1"


@dataclass(frozen=True, slots=True)
class InspectResult:
    """A file's `edgekit_converters.inspection.Contents` (typed Any: this side may not import the converters)."""

    file: Path
    contents: Any
    placement: Placement | None
    show_graph: bool
    states: tuple[State, ...] = ()
    fallbacks: Fallbacks | None = None
    limits: tuple[Limit, ...] = ()
    estimate: Estimate | None = None

    @property
    def exit_code(self) -> int:
        return 0 if all(limit.passed for limit in self.limits) else 1

    def to_json(self) -> str:
        contents = self.contents
        figures = {"macs": contents.macs, "ops": contents.ops}
        return json_text(
            {
                "schema": SCHEMA,
                "file": self.file,
                **plain(contents),
                **figures,
                "states": self.states,
                "placement": self.placement,
                "fallbacks": self.fallbacks,
                "estimate": self.estimate,
                "limits": [plain(limit) | {"passed": limit.passed} for limit in self.limits],
            }
        )

    def sections(self) -> Sequence[Table | str]:
        from edgekit.fallback_text import fallback_lines
        from edgekit.report_text import estimate_line, limit_line

        sections: list[Table | str] = [_facts(self.file, self.contents), ""]
        sections += [_ends(self.contents.inputs, self.contents.outputs)]
        sections += [f"carried from call to call: {state}" for state in self.states]
        sections += ["", _ops(self.contents)]
        if schemes := _schemes(self.contents):
            sections += ["", schemes]
        if self.show_graph:
            sections += ["", _graph(self.contents)]
        if self.placement is not None:
            sections += ["", _placed(self.placement), *self.placement.notes]
            sections += fallback_lines(self.fallbacks) if self.fallbacks else []
            sections += [limit_line(limit) for limit in self.limits]
        if self.estimate is not None:
            sections += ["", _estimated(self.estimate), estimate_line(self.file.name, self.estimate)]
        return [*sections, *self.contents.notes]


@command(example="edgekit inspect out/model.int8.tflite --placement")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--graph", "show_graph", is_flag=True, help="List every node; the JSON always does.")
@click.option("--placement", "place", is_flag=True, help="Open FILE in its runtime and tell which op runs where.")
@click.option("--runtime", metavar="NAME", help="Runtime for --placement. [default: first installed]")
@click.option("--target", "target_name", metavar="NAME", help="Estimate the latency on that device, from its figures.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of the estimate.")
@gate_options
@delegate_option
@device_option
def inspect(
    console: Console,
    file: Path,
    show_graph: bool,
    place: bool,
    runtime: str | None,
    target_name: str | None,
    threads: int,
    require_delegate: Sequence[str],
    limit_fallback: FallbackLimit | None,
    delegates: tuple[Delegate, ...],
    device: Address | None,
) -> int:
    """Show what a .tflite or .onnx file holds.

    Ops, parameters, multiply-accumulates of one sample, sizes, and how tensors are quantized, for any FILE. Limits on where the
    ops run imply --placement; ends with 1 when one is broken.
    """
    from edgekit import isolation, registry
    from edgekit.errors import UsageError
    from edgekit.fallback import macs_by_node
    from edgekit.figures import PlacementSummary

    gates = gates_from(require_delegate, limit_fallback)
    place = place or bool(gates)
    if delegates and not place:
        raise UsageError("--delegate is for --placement: what else is shown comes from the file alone")
    contents = isolation.run(registry.STAGES["inspect"], file, console.progress).value
    placement = _placement(file, runtime, delegates, device) if place else None
    result = InspectResult(file, contents, placement, show_graph, _states(file, contents))
    if target_name is not None:
        result = dataclasses.replace(result, estimate=_estimate(contents, target_name, threads))
    if placement is not None:
        left = gates.fallbacks(placement, delegates, macs_by_node(contents.nodes))
        limits = gates.limits(file.name, PlacementSummary.of(placement, left))
        result = dataclasses.replace(result, fallbacks=left, limits=tuple(limits))
    console.show(result)
    return result.exit_code


def _states(file: Path, contents: Any) -> tuple[State, ...]:
    """As the manifest says, or, where there is none, as the names tell."""
    from edgekit.artifact import Artifact, Manifest
    from edgekit.states import find_states

    beside = Artifact.manifest_path(file)
    if beside.is_file():
        return Manifest.from_json(beside.read_text("utf-8"), str(beside)).states
    return find_states(contents.inputs, contents.outputs).states


def _placement(file: Path, runtime: str | None, delegates: tuple[Delegate, ...], device: Address | None) -> Placement:
    from edgekit.devices.there import opened_model

    with opened_model(file, device, runtime=runtime, delegates=delegates) as model:
        return model.placement()


def _estimate(contents: Any, target_name: str, threads: int) -> Estimate:
    from edgekit.errors import MeasurementError
    from edgekit.roofline import estimate
    from edgekit.target import load_target

    found = estimate(contents, load_target(target_name), threads)
    if found is None:
        raise MeasurementError(
            f"the target {target_name} tells no peak rate for this file's arithmetic; give one in [peak] of a target of your own "
            "(docs/targets.md)"
        )
    return found


def _estimated(found: Estimate) -> Table:
    from edgekit.quantities import duration_text, size_text

    rows = [(op.op, op.name, duration_text(op.ms), op.bound, f"{op.macs:,}", size_text(op.bytes)) for op in found.ops]
    title = f"Estimate for {found.target}: the dearest ops"
    return table("op,name,>at best,bound by,>multiply-accumulates,>bytes", rows, title=title)


def _facts(file: Path, contents: Any) -> Table:
    version = "opset" if contents.file_format == "onnx" else "schema version"
    rows = [
        ("file", f"{contents.size_bytes:,} bytes"),
        ("weights", f"{contents.weight_bytes:,} bytes"),
        ("parameters", f"{contents.parameters:,}"),
        ("multiply-accumulates", f"{contents.macs:,}"),
        (version, str(contents.opset)),
        ("written by", contents.producer or "unknown"),
    ]
    return table("figure,>value", rows, title=file.name)


def _ends(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Table:
    rows = [
        (side, spec.name, spec.dtype, " x ".join(map(str, spec.shape)), _encoding(spec))
        for side, specs in (("input", inputs), ("output", outputs))
        for spec in specs
    ]
    return table("side,name,dtype,shape,encoding", rows)


def _encoding(spec: TensorSpec) -> str:
    found = spec.quantization
    return f"{found.scale:g} * (q - {found.zero_point})" if found else "-"


def _ops(contents: Any) -> Table:
    rows = [(entry.op, str(entry.count), f"{entry.macs:,}" if entry.macs else "-") for entry in contents.ops]
    return table("op,>count,>multiply-accumulates", rows)


def _schemes(contents: Any) -> Table | None:
    found = Counter(
        ("constant" if t.constant else "activation", t.scheme.summary) for t in contents.tensors if t.scheme
    )
    rows = [(kind, scheme, str(count)) for (kind, scheme), count in sorted(found.items(), reverse=True)]
    return table("tensors,quantized as,>count", rows) if rows else None


def _graph(contents: Any) -> Table:
    rows = [
        (node.name, node.op, ", ".join(name for name in node.inputs if name), ", ".join(node.outputs))
        for node in contents.nodes
    ]
    return table("node,op,inputs,outputs", rows)


def _placed(placement: Placement) -> Table:
    found = Counter((op.op, op.device, op.kernel, "integer" if op.integer else "-") for op in placement.ops)
    rows = [(*key, str(count)) for key, count in sorted(found.items(), key=lambda entry: -entry[1])]
    return table("op,runs on,types,arithmetic,>count", rows, title=f"Placement: {placement.partitions} partition(s)")

"""What a conversion would do, told from the model's structure alone: no sample is read, no file written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit import isolation, registry
from edgekit.json_text import json_text
from edgekit.pipeline import Request
from edgekit.protocols import Progress
from edgekit.reading import find_source, read_hub
from edgekit.table import Table, table

SCHEMA = "edgekit.plan/1"


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """One node of the model. ``execution``: integer, product, dynamic, weight-only, fused or float; ``reason`` says why, where
    there was a choice."""

    name: str
    op: str
    execution: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlannedBlock:
    """A residual branch that pruning may remove as a whole; ``layers`` are those with weights."""

    name: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DryRun:
    """The nodes in the order in which they run. ``blocks``: what can go as a whole, where pruning is asked for."""

    model: str
    framework: str
    precision: str
    target: str
    nodes: tuple[PlannedNode, ...]
    notes: tuple[str, ...] = ()
    blocks: tuple[PlannedBlock, ...] = ()
    schema: str = SCHEMA

    def to_json(self) -> str:
        return json_text(self)

    def sections(self) -> Sequence[Table | str]:
        counts = Counter((node.op, node.execution) for node in self.nodes)
        rows = [(op, execution, str(count)) for (op, execution), count in sorted(counts.items())]
        reasons = [
            f"{node.execution}: {node.name} ({node.op}): {node.reason}"
            for node in self.nodes
            if node.reason and node.execution in ("float", "dynamic")
        ]
        head = f"{self.model} ({self.framework}): precision {self.precision}, target {self.target}"
        blocks = [f"can be removed as a whole: {block.name} ({', '.join(block.layers)})" for block in self.blocks]
        notes = [f"note: {note}" for note in self.notes]
        return [head, "", table("op,computes,>nodes", rows), "", *reasons, *blocks, *notes]


def dry_run(request: Request, progress: Progress) -> DryRun:
    """Read the model in a child process and decide what each node would do. Raises EdgekitError as reading does."""
    found: DryRun = isolation.run("edgekit.dry_run:plan_here", request, progress, stage="plan").value
    return found


def plan_here(request: Request, progress: Progress) -> DryRun:
    progress.stage("read")
    source = find_source(request.model, request.source)
    hub = read_hub(source, request.model, request.read, progress)
    branches = registry.stage("residual_branches")(hub) if request.recipe.prune is not None else ()
    hub, decided = registry.stage("decide")(hub, request.recipe, request.device)
    nodes = tuple(
        PlannedNode(node.name, node.op_type, decided.nodes[node.name].execution.value, decided.nodes[node.name].reason)
        for node in hub.model.graph
    )
    return DryRun(
        str(request.model),
        hub.framework,
        request.recipe.precision.value,
        request.target.name,
        nodes,
        hub.notes,
        tuple(PlannedBlock(branch.name, branch.layers) for branch in branches),
    )

"""Which op of a compiled model runs where. LiteRT tells only whether all were taken; where not, it is asked of each op alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from edgekit.errors import RuntimeUnavailableError
from edgekit.protocols import PlacedOp, Placement
from edgekit_runtimes.flat_graph import FlatGraph, alone
from edgekit_runtimes.interpreter_placement import place
from edgekit_runtimes.litert_choices import Choice
from edgekit_runtimes.litert_compiling import PartlyTakenError, compiled
from edgekit_runtimes.native_messages import caught
from edgekit_runtimes.xnnpack_ops import why_not_xnnpack

ALONE = "placement is that of each op compiled alone; the number of partitions is not told"


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """A file and how it was compiled; ``whole``: its first choice took every op."""

    content: bytes
    graph: FlatGraph
    file: str
    threads: int
    choice: Choice
    whole: bool

    def placement(self) -> Placement:
        listed = place(self.graph.ops, self.graph.dtypes, xnnpack=False).ops
        if self.whole:
            return Placement(tuple(dataclasses.replace(op, device=self._devices()[0]) for op in listed), partitions=1)
        placed = tuple(self._placed(position, op) for position, op in enumerate(listed))
        return Placement(placed, notes=(ALONE,))

    def _devices(self) -> tuple[str, ...]:
        accelerator = (self.choice.accelerator,) if self.choice.accelerator else ()
        return (*accelerator, *(("XNNPACK",) if self.choice.xnnpack else ()))

    def _placed(self, position: int, op: PlacedOp) -> PlacedOp:
        """The op with its device, and why the devices before that did not take it."""
        reasons: list[str] = []
        for device in self._devices():
            refusal = self._refusal(device, position, op)
            if refusal is None:
                return dataclasses.replace(op, device=device, why="; ".join(reasons))
            reasons.append(refusal)
        return dataclasses.replace(op, why="; ".join(reasons))

    def _refusal(self, device: str, position: int, op: PlacedOp) -> str | None:
        """Why the device does not take that op; None where it does."""
        if device != "XNNPACK":
            return self._said(dataclasses.replace(self.choice, xnnpack=False), position)
        if self._said(Choice(flags=self.choice.flags), position) is None:
            return None
        if self.choice.flags is not None and self._said(Choice(), position) is None:
            return f"the flags {self.choice.flags:#x} leave it out"
        return why_not_xnnpack(op.op, op.kernel, integer=op.integer)

    def _said(self, choice: Choice, position: int) -> str | None:
        """What is said of the op as the whole file; None where it is taken."""
        name = choice.accelerator or "XNNPACK"
        try:
            model, _ = compiled(alone(self.content, self.graph, position), self.threads, choice, self.file)
        except PartlyTakenError as error:
            return "; ".join(f"{name}: {reason}" for reason in error.ops) or f"the {name} did not take it"
        except RuntimeUnavailableError:
            return f"the {name} did not take it"
        with caught():
            taken = model.is_fully_accelerated()
            del model  # which is told at length too
        return None if taken else f"the {name} did not take it"

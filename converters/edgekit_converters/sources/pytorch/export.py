"""From a `Network` to an ONNX file that was run and compared. Runs in a child process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import EdgekitError, SourceError
from edgekit.protocols import Progress
from edgekit_converters.sources.pytorch import exporters
from edgekit_converters.sources.pytorch.batch import free_batch, name_batch
from edgekit_converters.sources.pytorch.load import load
from edgekit_converters.sources.pytorch.network import TorchSession, open_network
from edgekit_converters.sources.pytorch.scopes import name_nodes
from edgekit_converters.sources.trial import agree, compare_with_original

if TYPE_CHECKING:
    from edgekit_converters.sources.pytorch.requests import ExportRequest

_SAMPLES_CHECKED = 3


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to write the file. ``freed``: written with a fixed batch, which is then made free."""

    exporter: str
    write: Callable[[Path], None]
    free: bool
    freed: bool = False


def export(request: ExportRequest, progress: Progress) -> tuple[str, ...]:
    """Write the network as ONNX; notes for the report. The first way that gives PyTorch's own outputs is taken.

    Raises SourceError when none does.
    """
    warnings.simplefilter("ignore")
    progress.stage("loading the network in PyTorch")
    session = open_network(load(request.network))
    return export_session(session, request.network.file.path, request.onnx_path, progress)


def export_session(session: TorchSession, source: Path, onnx_path: Path, progress: Progress) -> tuple[str, ...]:
    """Write the network of a session, which came from ``source``, as ONNX; notes for the report. Raises as `export`."""
    attempt = export_faithfully(session, str(source), onnx_path, progress)
    return (*session.network.notes, *_notes(attempt, session))


def export_faithfully(session: TorchSession, source: str, onnx_path: Path, progress: Progress) -> Attempt:
    """The first way to write the network that gives PyTorch's own outputs, after it was gone. Raises as `export`."""
    _refuse_randomness(session)
    progress.stage("exporting the network from PyTorch to ONNX")
    reasons: list[str] = []
    for attempt in _attempts(session):
        try:
            perform(attempt, session, onnx_path)
            _compare(attempt, session, onnx_path)
        except EdgekitError as error:
            reasons.append(f"{attempt.exporter}: {error}")
        except Exception as error:  # noqa: BLE001  # exporters raise anything; the next way is tried, the reason is kept
            reasons.append(f"{attempt.exporter}: {_first_lines(error)}")
        else:
            return attempt
    raise SourceError(f"{source}: PyTorch could not export the network to ONNX as it computes. " + " | ".join(reasons))


def _attempts(session: TorchSession) -> Iterator[Attempt]:
    """The best first. A free batch is tried where the network itself treats samples one by one."""
    for label, write in exporters.of(session):
        if session.free_batch:
            if session.network.fixed_batch is None:
                yield Attempt(label, lambda path, write=write: write(path, True), free=True)  # type: ignore[misc]  # lambda
            yield Attempt(label, lambda path, write=write: write(path, False), free=True, freed=True)  # type: ignore[misc]
        yield Attempt(label, lambda path, write=write: write(path, False), free=False)  # type: ignore[misc]  # lambda


def perform(attempt: Attempt, session: TorchSession, path: Path) -> None:
    """Write the network of a session in one way, whatever its weights hold."""
    import onnx_ir as ir

    attempt.write(path)
    model = ir.load(path)
    if attempt.freed:
        free_batch(model, len(next(iter(session.network.examples.values()))))
    name_batch(model)
    name_nodes(model)
    ir.save(model, path)


def _compare(attempt: Attempt, session: TorchSession, path: Path) -> None:
    examples = {name: tensor.numpy() for name, tensor in session.network.examples.items()}
    compare_with_original(path, session, examples, (_SAMPLES_CHECKED, 1) if attempt.free else (None,))


def _refuse_randomness(session: TorchSession) -> None:
    feeds = {name: tensor.numpy() for name, tensor in session.network.examples.items()}
    first, second = session.run(feeds), session.run(feeds)
    for name, array in first.items():
        if not agree(second[name], array):
            raise SourceError(
                f"output {name!r} differs from run to run: the network draws random numbers or keeps a state in itself. Use the "
                "mean path of a variational network, make the noise an input (docs/architectures/generative.md), or make the "
                "state an input and an output."
            )


def _notes(attempt: Attempt, session: TorchSession) -> tuple[str, ...]:
    rows = len(next(iter(session.network.examples.values()))) if session.has_batch else None
    if attempt.free or rows is None:
        return (f"exported by {attempt.exporter}",)
    why = "the program was exported so" if session.network.fixed_batch else "its samples depend on one another"
    return (f"exported by {attempt.exporter}", f"the batch is fixed to {rows}: {why}")


def _first_lines(error: Exception) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return f"{type(cause).__name__}: {' '.join(str(cause).split())[:300]}"

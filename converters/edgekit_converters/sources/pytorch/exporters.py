"""PyTorch's ONNX exporters behind one signature: ``write(path, free_batch)``. Runs in a child process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit_converters.hub.model import OPSET
from edgekit_converters.sources.pytorch.network import BATCH, TorchSession, named_outputs
from edgekit_converters.sources.pytorch.program import unguarded

if TYPE_CHECKING:
    import torch

Write = Callable[[Path, bool], None]

_OLD_OPSET = 18
"""What the exporters write without a conversion afterwards."""
_SCRIPT_OPSET = 17


def of(session: TorchSession) -> list[tuple[str, Write]]:
    """The exporters for the network of a session, the most faithful first, by the names of the report."""
    import torch

    module = session.network.module
    if isinstance(module, torch.export.ExportedProgram):
        return [("torch.onnx", lambda path, _: _write_program(module, session, path))]
    if isinstance(module, torch.jit.ScriptModule):
        return [
            ("torch.onnx (TorchScript)", lambda path, free: _write_script(module, session, path, free)),
            ("torch.onnx (TorchScript to exported program)", lambda path, free: _write_converted(session, path, free)),
        ]
    flat = flattened(module, session.network.call)
    return [
        ("torch.onnx", lambda path, free: _write_module(flat, session, path, free)),
        ("torch.onnx (traced)", lambda path, free: _write_script(flat, session, path, free)),
    ]


def flattened(module: torch.nn.Module, call: Callable[[Sequence[torch.Tensor]], object]) -> torch.nn.Module:
    """A module that takes and returns tensors by position, whatever structure the original has."""
    import torch

    class Flat(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            # Not eval(): modules of exported programs refuse it, and all given here are in evaluation mode.
            self.training = False

        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(named_outputs(call(tensors)).values())

    return Flat()


def _write_module(module: torch.nn.Module, session: TorchSession, path: Path, free: bool) -> None:
    import torch

    examples = tuple(session.network.examples.values())
    axes = tuple({0: torch.export.Dim(BATCH)} if free else None for _ in examples)
    program = torch.export.export(module, examples, dynamic_shapes=(axes,), strict=False)
    _write_program(program, session, path)


def _write_program(program: torch.export.ExportedProgram, session: TorchSession, path: Path) -> None:
    try:
        _write_at(OPSET, program, session, path)
    except Exception:  # noqa: BLE001  # the conversion to the newer opset may fail where the export itself does not
        _write_at(_OLD_OPSET, program, session, path)


def _write_at(opset: int, program: torch.export.ExportedProgram, session: TorchSession, path: Path) -> None:
    import torch

    exported = torch.onnx.export(
        program,
        input_names=list(session.network.examples),
        output_names=[spec.name for spec in session.outputs],
        opset_version=opset,
        dynamo=True,
        verbose=False,
    )
    assert exported is not None
    exported.save(path)


def _write_script(module: torch.nn.Module, session: TorchSession, path: Path, free: bool) -> None:
    import torch

    inputs, outputs = list(session.network.examples), [spec.name for spec in session.outputs]
    torch.onnx.export(
        module,
        tuple(session.network.examples.values()),
        str(path),
        input_names=inputs,
        output_names=outputs,
        opset_version=_SCRIPT_OPSET,
        dynamo=False,
        dynamic_axes={name: {0: BATCH} for name in (*inputs, *outputs)} if free else None,
    )


def _write_converted(session: TorchSession, path: Path, free: bool) -> None:
    from torch._export.converter import TS2EPConverter

    examples = tuple(session.network.examples.values())
    module = unguarded(TS2EPConverter(session.network.module, examples).convert())
    _write_module(flattened(module, lambda tensors: module(*tensors)), session, path, free)

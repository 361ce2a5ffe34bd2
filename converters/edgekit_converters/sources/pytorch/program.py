"""An exported program (``torch.export``) as a `Network`. Runs in a child process."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgekit.errors import SourceError
from edgekit_converters.sources.pytorch.network import Network

if TYPE_CHECKING:
    import torch

    from edgekit_converters.sources.pytorch.requests import NetworkRequest


def program_network(program: torch.export.ExportedProgram, request: NetworkRequest) -> Network:
    """The program itself, or, where it computes in another float type, its module in float32."""
    from torch.utils import _pytree as pytree

    if program.example_inputs is None:
        raise SourceError(
            f"{request.file.path} has no example inputs. Save it again with torch.export.save of PyTorch 2.6+."
        )
    leaves, structure = pytree.tree_flatten(program.example_inputs)
    examples, positions = _tensors(program, leaves)
    module = unguarded(program)
    others = _other_float_types(program, list(examples.values()))
    if others:
        module = module.float()
        examples = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in examples.items()}

    def call(tensors: Sequence[torch.Tensor]) -> object:
        values = list(leaves)
        for position, tensor in zip(positions, tensors, strict=True):
            values[position] = tensor
        args, kwargs = pytree.tree_unflatten(values, structure)
        return module(*args, **kwargs)

    notes = (f"computed in float32 instead of {', '.join(others)}",) if others else ()
    if request.options.input_shapes or request.options.example:
        notes = (*notes, "the exported program has input shapes of its own; those given were not used")
    fixed = _fixed_batch(program, examples)
    return Network(module if others else program, call, examples, fixed, notes=notes)


def unguarded(program: torch.export.ExportedProgram) -> torch.nn.Module:
    """The program's module without the code that checks its inputs, which is Python text of the file."""
    if "check_guards" in inspect.signature(program.module).parameters:
        return program.module(check_guards=False)
    return program.module()


def _tensors(
    program: torch.export.ExportedProgram, leaves: Sequence[object]
) -> tuple[dict[str, torch.Tensor], list[int]]:
    """Example tensors by the program's own input names, and where they stand among the leaves."""
    import torch

    names = [str(name) for name in program.graph_signature.user_inputs]
    positions = [index for index, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
    named = names if len(names) == len(positions) else [names[index] for index in positions]
    examples = {
        name: leaf.detach().clone()
        for name, position in zip(named, positions, strict=True)
        if isinstance(leaf := leaves[position], torch.Tensor)
    }
    return examples, positions


def _other_float_types(program: torch.export.ExportedProgram, inputs: Sequence[torch.Tensor]) -> list[str]:
    import torch

    tensors = [*program.state_dict.values(), *program.constants.values(), *inputs]
    found = {tensor.dtype for tensor in tensors if isinstance(tensor, torch.Tensor) and tensor.is_floating_point()}
    return sorted(str(dtype).removeprefix("torch.") for dtype in found - {torch.float32})


def _fixed_batch(program: torch.export.ExportedProgram, examples: dict[str, torch.Tensor]) -> int | None:
    """The first dimension of the inputs where the program has it as a number."""
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in examples:
            size = node.meta["val"].shape[:1]
            return int(size[0]) if size and isinstance(size[0], int) else None
    return None

"""A PyTorch network that answers feeds by name: what is exported, what it is checked against, and the reference.

Everything here runs in a child process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import SourceError
from edgekit.protocols import Feeds, Placement, Progress
from edgekit_converters.sources.trial import agree, has_batch, vary

if TYPE_CHECKING:
    import torch

    from edgekit_converters.sources.pytorch.requests import NetworkRequest

BATCH = "batch"
CALL_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, AssertionError)
"""What a module raises on inputs that it can't take."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """``call`` takes the tensors in the order of ``examples``, which holds one example of each input.

    ``fixed_batch`` is the only batch that the program itself accepts, or None where any may be tried. ``doubled``: the
    examples hold two samples although one was asked for, since exporters take a batch of one for a constant.
    """

    module: torch.nn.Module | torch.jit.ScriptModule | torch.export.ExportedProgram
    call: Callable[[Sequence[torch.Tensor]], object]
    examples: Mapping[str, torch.Tensor]
    fixed_batch: int | None = None
    doubled: bool = False
    notes: tuple[str, ...] = ()


def open_reference(request: NetworkRequest, progress: Progress) -> TorchSession:
    """The session of a file's network."""
    from edgekit_converters.sources.pytorch.load import load

    return open_network(load(request))


def open_network(network: Network) -> TorchSession:
    """The network's session, on one sample where two were too many. Raises SourceError when it fails on its examples."""
    try:
        session = TorchSession(network)
        if session.free_batch or not network.doubled:
            return session
    except CALL_ERRORS as error:
        if not network.doubled:
            shapes = ", ".join(
                f"{name} {tuple(tensor.shape)} {tensor.dtype}" for name, tensor in network.examples.items()
            )
            raise SourceError(
                f"the network fails on an example of its inputs ({shapes}): {' '.join(str(error).split())[:300]}. Check the "
                "shapes; where an input takes integers, give --example with an .npz file of samples."
            ) from error
    single = {name: tensor[:1] for name, tensor in network.examples.items()}
    return open_network(replace(network, examples=single, doubled=False))


class TorchSession:
    """An `edgekit.protocols.Session` over a network; the batch is free where the network treats samples one by one."""

    def __init__(self, network: Network) -> None:
        self.network = network
        arrays = {name: tensor.numpy() for name, tensor in network.examples.items()}
        results = self._call(arrays)
        self.has_batch = has_batch(arrays)
        found = None
        if self.has_batch:
            fixed = network.fixed_batch is not None
            found = dict.fromkeys(results, 0) if fixed else self._output_batch_axes(arrays)
        self.free_batch = found is not None
        inputs = dict.fromkeys(arrays, 0 if self.free_batch else None)
        self.inputs = tuple(_spec(name, array, inputs[name]) for name, array in arrays.items())
        self.outputs = tuple(_spec(name, array, (found or {}).get(name)) for name, array in results.items())

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        size = self.network.fixed_batch
        rows = len(next(iter(feeds.values()))) if self.has_batch else 0
        if size is None or rows == size or not self.has_batch:
            return self._call(feeds)
        parts = [self._padded(feeds, start, size) for start in range(0, rows, size)]
        return {name: np.concatenate([part[name] for part in parts])[:rows] for name in parts[0]}

    def placement(self) -> Placement:
        return Placement((), notes=("PyTorch on the CPU",))

    def close(self) -> None: ...

    def _call(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        import torch

        # A copy: torch warns about arrays it may not write to.
        tensors = [torch.from_numpy(np.array(feeds[name])) for name in self.network.examples]
        with torch.no_grad():
            outputs = named_outputs(self.network.call(tensors))
        # ONNX has no room for an input and an output of one name.
        taken = self.network.examples
        return {
            f"{name}_output" if name in taken else name: tensor.detach().cpu().numpy()
            for name, tensor in outputs.items()
        }

    def _padded(self, feeds: Feeds, start: int, size: int) -> dict[str, NDArray[Any]]:
        rows = len(next(iter(feeds.values())))
        picked = np.minimum(np.arange(start, start + size), rows - 1)
        return self._call({name: array[picked] for name, array in feeds.items()})

    def _output_batch_axes(self, arrays: Feeds) -> dict[str, int | None] | None:
        """The axis of the samples in each output, None for an output without; None if samples are not treated alone.

        Three samples in one batch have to give what two of them, and the first alone, give.
        """
        three = vary(arrays, 3)
        try:
            together, two, one = (self._call({k: v[:count] for k, v in three.items()}) for count in (3, 2, 1))
        except CALL_ERRORS:
            return None
        axes: dict[str, int | None] = {}
        for name, whole in together.items():
            axes[name] = _changed_axis(whole, two[name])
            for part, count in ((two[name], 2), (one[name], 1)):
                axis = axes[name]
                wanted = whole if axis is None else whole.take(range(count), axis)
                if not agree(part, wanted):
                    return None
        return axes


def _changed_axis(one: NDArray[Any], other: NDArray[Any]) -> int | None:
    changed = [axis for axis, sizes in enumerate(zip(one.shape, other.shape, strict=False)) if sizes == (3, 2)]
    return changed[0] if changed else None


def _spec(name: str, array: NDArray[Any], batch_axis: int | None) -> TensorSpec:
    shape = tuple(BATCH if axis == batch_axis else size for axis, size in enumerate(array.shape))
    return TensorSpec(name, array.dtype.name, shape)


def named_outputs(value: object) -> dict[str, torch.Tensor]:
    """The tensors of a module's result: "output", "output_0" ... of a sequence, the keys of a mapping.

    Raises SourceError for a result that is no tensor, sequence or mapping of tensors.
    """
    import torch
    from torch.utils import _pytree as pytree

    leaves, _ = pytree.tree_flatten_with_path(value)
    outputs: dict[str, torch.Tensor] = {}
    for path, leaf in leaves:
        if leaf is None:
            continue
        name = "_".join(str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", "")))) for key in path)
        if not isinstance(leaf, torch.Tensor):
            raise SourceError(
                f"the network returns a {type(leaf).__name__} as output {name or '0'}; expected tensors, or tuples, lists or "
                "dicts of tensors. Wrap the module in one that returns its tensors."
            )
        outputs[name if name and not name[0].isdigit() else f"output_{name}".rstrip("_")] = leaf
    if not outputs:
        raise SourceError("the network returns no tensor; there is nothing to convert")
    return outputs

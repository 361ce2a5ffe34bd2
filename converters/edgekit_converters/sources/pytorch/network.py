"""A PyTorch network that answers feeds by name: what is exported, what it is checked against, and the reference.

Everything here runs in a child process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """``call`` takes the tensors in the order of ``examples``, which holds one example of each input.

    ``fixed_batch`` is the only batch that the program itself accepts, or None where any may be tried.
    """

    module: torch.nn.Module | torch.jit.ScriptModule | torch.export.ExportedProgram
    call: Callable[[Sequence[torch.Tensor]], object]
    examples: Mapping[str, torch.Tensor]
    fixed_batch: int | None = None
    notes: tuple[str, ...] = ()


def open_reference(request: NetworkRequest, progress: Progress) -> TorchSession:
    """The session of a file's network."""
    from edgekit_converters.sources.pytorch.load import load

    return TorchSession(load(request))


class TorchSession:
    """An `edgekit.protocols.Session` over a network; the batch is free where the network treats samples one by one."""

    def __init__(self, network: Network) -> None:
        self.network = network
        arrays = {name: tensor.numpy() for name, tensor in network.examples.items()}
        results = self._call(arrays)
        self.has_batch = has_batch(arrays)
        self.free_batch = self.has_batch and (network.fixed_batch is not None or self._treats_samples_alone(arrays))
        self.inputs = tuple(self._spec(name, array) for name, array in arrays.items())
        self.outputs = tuple(self._spec(name, array) for name, array in results.items())

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
        return {name: tensor.detach().cpu().numpy() for name, tensor in outputs.items()}

    def _padded(self, feeds: Feeds, start: int, size: int) -> dict[str, NDArray[Any]]:
        rows = len(next(iter(feeds.values())))
        picked = np.minimum(np.arange(start, start + size), rows - 1)
        return self._call({name: array[picked] for name, array in feeds.items()})

    def _treats_samples_alone(self, arrays: Feeds) -> bool:
        """Whether three samples in one batch give what two of them, and the first alone, give."""
        three = vary(arrays, 3)
        try:
            together = self._call(three)
            for count in (2, 1):
                apart = self._call({name: array[:count] for name, array in three.items()})
                if not all(
                    len(together[name]) == 3 and agree(array, together[name][:count]) for name, array in apart.items()
                ):
                    return False
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError):
            return False
        return True

    def _spec(self, name: str, array: NDArray[Any]) -> TensorSpec:
        shape: tuple[int | str, ...] = (BATCH, *array.shape[1:]) if self.free_batch else array.shape
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

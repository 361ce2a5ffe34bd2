"""A PyTorch module of the user's process as a hub, and where in it the module's parameters are."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConversionError, UsageError
from edgekit.protocols import Progress, ReadOptions
from edgekit_converters.hub import Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.prune.split_sizes import with_split_sizes
from edgekit_converters.sources.onnx import OnnxSource
from edgekit_converters.sources.pytorch.export import export_faithfully, perform
from edgekit_converters.sources.pytorch.inputs import parameters_of
from edgekit_converters.sources.pytorch.network import CALL_ERRORS, Network, named_outputs, open_network
from edgekit_converters.training.network import Masks
from edgekit_converters.training.parameters import Values, unmistakable
from edgekit_converters.training.provenance import Kept, Provenance, provenance_of
from edgekit_converters.training.tags import Tags
from edgekit_converters.training.torch_parameters import set_torch_values, torch_parameters, torch_values
from edgekit_converters.training.torch_settle import settle_torch
from edgekit_converters.training.torch_slices import sliced

if TYPE_CHECKING:
    import torch
    from torch import nn


@final
class TorchNetwork:
    """A `training.network.Network` over a module."""

    def __init__(self, model: nn.Module, samples: Sequence[NDArray[Any]], progress: Progress) -> None:
        _require_float32(model)
        self.hub, self.provenance = read_torch(model, samples, progress)
        self._model = model

    def values(self) -> Values:
        return torch_values(self._model)

    def silence(self, masks: Masks) -> None:
        import torch

        with torch.no_grad():
            for name, parameter in self._model.named_parameters():
                if name in masks:
                    parameter.mul_(torch.from_numpy(masks[name]).to(parameter.device))

    def cut(self, values: Values, kept: Mapping[str, Kept]) -> nn.Module:
        whole = copy.deepcopy(self._model)
        set_torch_values(whole, values)
        return sliced(whole, kept)

    def answers(self, model: nn.Module, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        import torch

        inner = evaluating(model)
        try:
            with torch.no_grad():
                given = [torch.from_numpy(np.array(_single(array))) for array in samples]
                return [tensor.numpy() for tensor in named_outputs(inner(*given)).values()]
        except CALL_ERRORS as error:
            raise ConversionError(f"the smaller network fails: {' '.join(str(error).split())[:300]}") from error

    def settle(self, model: nn.Module, samples: Sequence[NDArray[Any]]) -> None:
        settle_torch(model, [_single(array) for array in samples])


def _require_float32(model: nn.Module) -> None:
    import torch

    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise UsageError(
                f"the parameter {name!r} is of {tensor.dtype}; expected torch.float32. Call model.float() first, and train in "
                "fewer bits under torch.autocast"
            )


def read_torch(model: nn.Module, samples: Sequence[NDArray[Any]], progress: Progress) -> tuple[Hub, Provenance]:
    """The normalized hub of the module in evaluation mode, for positional inputs like ``samples``. The module is not changed.

    Raises SourceError when it can't be exported and ConversionError when its parameters can't be followed.
    """
    inner = evaluating(model)
    names = parameters_of(inner).names
    examples = {_name(names, index): _pair(array) for index, array in enumerate(samples)}
    session = open_network(Network(inner, lambda tensors: inner(*tensors), examples))
    tags = Tags.of(torch_parameters(inner))
    set_torch_values(inner, unmistakable(tags.parameters, torch_values(inner)))
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        warnings.simplefilter("ignore")
        path = Path(folder, "model.onnx")
        attempt = export_faithfully(session, type(model).__name__, path, progress)
        hub = _hub(path)
        set_torch_values(inner, {one.name: tags.values(one) for one in tags.parameters})
        perform(attempt, session, path)
        with np.errstate(all="ignore"):  # what constants are folded to is of no interest where it is no tag
            tagged = _hub(path)
    return hub, provenance_of(tags, hub, tagged)


def evaluating(model: nn.Module) -> nn.Module:
    """A copy on the CPU, in float32, in evaluation mode."""
    return copy.deepcopy(model).cpu().float().eval().requires_grad_(False)


def _name(names: Sequence[str], index: int) -> str:
    return names[index] if index < len(names) else f"input_{index}"


def _pair(array: NDArray[Any]) -> torch.Tensor:
    """Two samples: exporters take a batch of one for a constant."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(_single(array)[np.arange(2) % len(array)]))


def _single(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _hub(path: Path) -> Hub:
    return with_split_sizes(normalize(OnnxSource().read(path, ReadOptions())))

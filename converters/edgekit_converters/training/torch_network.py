"""A PyTorch module of the user's process as a hub, and where in it the module's parameters are."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.protocols import Progress, ReadOptions
from edgekit_converters.hub import Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.sources.onnx import OnnxSource
from edgekit_converters.sources.pytorch.export import export_faithfully, perform
from edgekit_converters.sources.pytorch.inputs import parameters_of
from edgekit_converters.sources.pytorch.network import Network, open_network
from edgekit_converters.training.provenance import Provenance, provenance_of
from edgekit_converters.training.tags import Tags
from edgekit_converters.training.torch_parameters import set_torch_values, torch_parameters

if TYPE_CHECKING:
    import torch
    from torch import nn


def read_torch(model: nn.Module, samples: Sequence[NDArray[Any]], progress: Progress) -> tuple[Hub, Provenance]:
    """The normalized hub of the module in evaluation mode, for positional inputs like ``samples``. The module is not changed.

    Raises SourceError when it can't be exported and ConversionError when its parameters can't be followed.
    """
    inner = evaluating(model)
    names = parameters_of(inner).names
    examples = {_name(names, index): _pair(array) for index, array in enumerate(samples)}
    session = open_network(Network(inner, lambda tensors: inner(*tensors), examples))
    tags = Tags.of(torch_parameters(inner))
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

    floats = array.astype(np.float32) if array.dtype.kind == "f" else array
    return torch.from_numpy(np.ascontiguousarray(floats[np.arange(2) % len(floats)]))


def _hub(path: Path) -> Hub:
    return normalize(OnnxSource().read(path, ReadOptions()))



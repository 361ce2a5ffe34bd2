"""Units that do nothing go first, and the files that are written then answer as before: so what goes together is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import picture_networks
import pytest
from more_networks import MORE_NETWORKS
from prunable_networks import NETWORKS, feeds_for
from samples_in_memory import Samples
from silenced import silence

from edgekit.protocols import Silent
from edgekit.pruning import Channels, Pruning
from edgekit.recipe import Precision
from edgekit_converters.hub import Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.prune.costs import costs_of
from edgekit_converters.prune.prune import prune
from edgekit_converters.prune.split_sizes import with_split_sizes
from edgekit_converters.prune.trace import trace
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

PICTURES = {
    "generator": picture_networks.generator,
    "upscaler": picture_networks.upscaler,
    "u-net": picture_networks.unet,
}
EVERY = {**NETWORKS, **MORE_NETWORKS, **PICTURES}
TOLERANCE = 1e-4
"""Of the largest answer."""


def half_silent(hub: Hub) -> tuple[Hub, float]:
    """The hub with half of the units of each layer at zero, and the part of the multiply-accumulates that these are."""
    found = trace(hub)
    random = np.random.default_rng(5)
    gone = [random.choice(space.units, len(space.units) // 2, replace=False) for space in found.spaces]
    stays = found.without(np.concatenate(gone))
    costs = costs_of(hub, found)
    return silence(hub, found, stays), 1 - costs.macs(stays) / costs.macs(found.none_removed())


def samples_for(hub: Hub) -> Samples:
    """48 of them, first axis first, whatever axis of the network counts them."""
    return Samples(**feeds_for(hub, seed=1, batch=48))


@pytest.mark.parametrize("name", EVERY)
def test_files_without_silent_units_answer_as_with_them(name: str, tmp_path: Path) -> None:
    whole, part = half_silent(with_split_sizes(normalize(EVERY[name]())))
    smaller = prune(whole, Pruning(macs=0.5 * part, channels=Channels.ANY), None, samples_for(whole), None, Silent())
    assert smaller.figures.macs[1] <= (1 - 0.5 * part) * smaller.figures.macs[0]
    feeds = feeds_for(whole, seed=2, batch=1)
    wanted = onnx_answers(whole, feeds)
    for found in (onnx_answers(smaller.hub, feeds), tflite_answers(smaller.hub, feeds, tmp_path / "smaller.tflite")):
        for output, array in wanted.items():
            np.testing.assert_allclose(found[output], array, atol=TOLERANCE * np.abs(array).max())


def onnx_answers(hub: Hub, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(hub.to_bytes(), providers=["CPUExecutionProvider"])
    names = [output.name for output in hub.outputs]
    return dict(zip(names, session.run(names, feeds), strict=True))


def tflite_answers(hub: Hub, feeds: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    options = TfliteOptions(input_shapes={name: array.shape for name, array in feeds.items()})
    write_tflite(hub, QuantPlan(Precision.FLOAT32), path, options)
    return Interpreter(str(path)).get_signature_runner()(**feeds)

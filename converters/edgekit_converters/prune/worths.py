"""`worths_of`: how much an error in each row of a recurrent layer's weights matters for the state behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.protocols import Dataset
from edgekit_converters.hub import Hub
from edgekit_converters.prune.consumers import Consumer
from edgekit_converters.prune.gates import Layer, layer_of, sums
from edgekit_converters.prune.moments import run_size
from edgekit_converters.quantize.calibrate import tapped_model
from edgekit_converters.quantize.calibrate_feeds import full_feeds
from edgekit_converters.quantize.calibrate_session import Calculator
from edgekit_converters.quantize.scheme import value_name

Worths = Mapping[str, NDArray[np.float64]]


def worths_of(hub: Hub, consumers: Sequence[Consumer], samples: Dataset) -> Worths:
    """The mean squared slope behind each row of plain recurrent layers, by name."""
    layers = dict(_plain(consumers))
    totals = {consumer.name: np.zeros(len(layer.state)) for consumer, layer in layers.items()}
    names = [name for consumer in layers for name in (value_name(consumer.node.inputs[0]), consumer.value)]
    own_inputs = [spec.name for spec in hub.inputs]
    computed = [name for name in dict.fromkeys(names) if name not in own_inputs]
    if not layers:
        return totals
    session, count = Calculator(tapped_model(hub, computed)), 0
    for feeds, size in full_feeds(hub, samples, run_size(hub)):
        arrays = dict(zip(computed, session.run(computed, feeds), strict=True)) | feeds
        for consumer, layer in layers.items():
            found = sums(layer, arrays[value_name(consumer.node.inputs[0])], arrays[consumer.value][:, 0])
            totals[consumer.name] += size * found.worth.mean(axis=(0, 1), dtype=np.float64)
        count += size
    return {name: total / count for name, total in totals.items()}


def _plain(consumers: Sequence[Consumer]) -> Iterator[tuple[Consumer, Layer]]:
    for consumer in consumers:
        layer = layer_of(consumer.node) if consumer.own_state else None
        if layer is not None:
            yield consumer, layer

"""`repair`: the weights of layers that lost inputs refitted, one after the other, each on what those before it now give.

The target of a layer is what it gave in the whole network, so that it makes good the errors of the layers before it. Where a
Transformer adds it to a stream, the target is the sum: what the stream has lost before is made good too, as far as it can be.
Layers that lost nothing stay as they are: refitting them too follows the samples further than their number supports. Recurrent
layers that lost units are refitted on the states that they give then: `through_time`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.protocols import Dataset, Progress
from edgekit_converters.hub import Hub
from edgekit_converters.prune.consumers import Consumer
from edgekit_converters.prune.dependencies import Dependencies, Stays
from edgekit_converters.prune.gates import Layer, layer_of
from edgekit_converters.prune.moments import COLUMNS, Moments, run_size
from edgekit_converters.prune.prefix import Prefix
from edgekit_converters.prune.refit import operands, refit, ridge_for, shift_of
from edgekit_converters.prune.removal import remove
from edgekit_converters.prune.stream import Stream, behind_blocks, stream_of
from edgekit_converters.prune.through_time import Sequences, Weights, refit_through_time
from edgekit_converters.quantize.calibrate_feeds import MASK, full_feeds, real_tokens
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.scheme import value_name
from edgekit_converters.quantize.sequential_storage import kept

Feeds = dict[str, NDArray[Any]]


def repair(
    hub: Hub,
    found: Dependencies,
    consumers: Sequence[Consumer],
    stays: Stays,
    samples: Dataset,
    progress: Progress,
) -> Hub:
    """The hub with the units that stay, its weights refitted on the samples."""
    concerned = _concerned(hub, found, consumers, stays)
    smaller = remove(hub, found, stays)
    batches = full_feeds(hub, samples, run_size(hub))
    feeds = [{name: kept(array) for name, array in batch.items()} for batch, _ in batches]
    whole, pruned = Prefix(hub, feeds), Prefix(smaller, feeds)
    masks = [{name: array for name, array in batch.items() if name == MASK} for batch in feeds]
    del feeds  # an input goes as soon as both networks are past it
    progress.stage("repair", len(concerned))
    changed: dict[Use, NDArray[Any]] = {}
    layers = _layers(concerned)
    for consumer in concerned:
        if consumer.name in layers and not consumer.own_state:
            progress.step()  # with the weights of its state
            continue
        if consumer.name in layers:
            made = _through_time(layers[consumer.name], consumer, found, stays, whole, pruned)
        else:
            stream = stream_of(hub, found, consumer)
            moments = _moments(consumer, stays, whole, pruned, masks, stream)
            made = _refitted(hub, found, consumer, stays, moments, stream)
        changed |= made
        pruned.operands.update(made)
        progress.step()
    return remove(hub, found, stays, changed)


def _concerned(hub: Hub, found: Dependencies, consumers: Sequence[Consumer], stays: Stays) -> list[Consumer]:
    """Layers that lost inputs, and those that are to make good what a stream lost with a block."""
    gone, behind = found.gone(stays), behind_blocks(hub, found, consumers, stays)
    lost = (consumer for consumer in consumers if consumer.name not in gone)
    return [each for each in lost if each.name in behind or not stays[each.units].all()]


def _layers(concerned: Sequence[Consumer]) -> dict[str, Layer]:
    """Recurrent layers that lost units and are plain enough to be refitted through time, by name."""
    own = {consumer.name: layer_of(consumer.node) for consumer in concerned if consumer.own_state}
    return {name: layer for name, layer in own.items() if layer is not None}


def _through_time(
    layer: Layer,
    consumer: Consumer,
    found: Dependencies,
    stays: Stays,
    whole: Prefix,
    pruned: Prefix,
) -> dict[Use, NDArray[Any]]:
    """All weights of a recurrent layer."""
    name, read = consumer.name, value_name(consumer.node.inputs[0])
    whole.advance(name)
    before = [*whole.batches(read)]
    whole.advance_past(name, [consumer.value])
    pruned.advance(name)
    sequences = Sequences(before, [states[:, 0] for states in whole.batches(consumer.value)], [*pruned.batches(read)])

    def made(weights: Weights) -> dict[Use, NDArray[Any]]:
        return {
            Use(name, 1): weights.inputs[np.newaxis],
            Use(name, 2): weights.state[np.newaxis],
            Use(name, 3): weights.biases.reshape(1, -1),
        }

    def run(weights: Weights) -> list[NDArray[Any]]:
        pruned.operands.update(made(weights))
        return [states[:, 0] for states in pruned.trial(name, consumer.value)]

    taken = next((cut.units for cut in found.cuts_of(Use(name, 1)) if cut.axis == 2), None)
    inputs = np.arange(layer.inputs.shape[1]) if taken is None else np.flatnonzero(stays[taken])
    return made(refit_through_time(layer, np.flatnonzero(stays[consumer.units]), inputs, sequences, run))


def _moments(
    consumer: Consumer,
    stays: Stays,
    whole: Prefix,
    pruned: Prefix,
    masks: Sequence[Feeds],
    stream: Stream | None,
) -> Moments:
    """Of the columns before and now. States of a recurrent layer that is not plain are taken as they were.

    With a ``stream``, the columns before have a row more for each of its channels: what it has lost.
    ``masks``: what tells real tokens from padding, batch by batch.
    """
    left = np.flatnonzero(stays[consumer.units])
    moments = Moments(consumer.groups, len(consumer.units) + (stream.channels if stream else 0), len(left))
    most = max(1, COLUMNS // len(masks))
    if consumer.own_state:
        whole.advance_past(consumer.name, [consumer.value])
        for turn, (before, mask) in enumerate(zip(whole.batches(consumer.value), masks, strict=True)):
            columns = consumer.columns(real_tokens(before, mask), most, turn)
            moments.add(columns, columns[:, left])
        return moments
    whole.advance(consumer.name)
    pruned.advance(consumer.name)
    values = (consumer.value,) if stream is None else (consumer.value, stream.value)
    batches = (zip(*(network.batches(value) for value in values), strict=True) for network in (whole, pruned))
    for turn, (before, now, mask) in enumerate(zip(*batches, masks, strict=True)):
        columns, *streams = (consumer.columns(real_tokens(array, mask), most, turn) for array in before)
        columns_now, *streams_now = (consumer.columns(real_tokens(array, mask), most, turn) for array in now)
        lost = [one - other for one, other in zip(streams, streams_now, strict=True)]
        moments.add(np.concatenate([columns, *lost], axis=1), columns_now)
    return moments


def _refitted(
    hub: Hub,
    found: Dependencies,
    consumer: Consumer,
    stays: Stays,
    moments: Moments,
    stream: Stream | None,
) -> dict[Use, NDArray[Any]]:
    weights = consumer.weights().astype(np.float64)
    if stream is not None:
        weights = np.concatenate([weights, np.eye(stream.channels)[np.newaxis]], axis=2)
    cross, gram = moments.covariances() if consumer.bias else moments.moments()
    kept = np.flatnonzero(stays[consumer.units])
    new = refit(weights, cross, gram, kept, ridge_for(len(kept), moments.count))
    before, now = moments.means()
    return dict(operands(hub, found, consumer, new, shift_of(weights, before, new, now), stays))

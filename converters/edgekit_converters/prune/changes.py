"""`changes`: how much the outputs would change if what a layer reads of a channel went, to first order (Taylor), from gradients.

P. Molchanov et al., "Importance estimation for neural network pruning", 2019, with each channel replaced by its mean, as the
refitted biases do. With labels it is the change of the cross-entropy. Without them there is no loss to follow: at the network's
own answers its gradient is 0, and the second order is the squared change of the outputs, whose mean over random signs of the
outputs is what is gathered here (M. Hutchinson, "A stochastic estimator of the trace", 1990).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.protocols import Dataset, Progress
from edgekit_converters.gradients.backward import Backward, backward
from edgekit_converters.gradients.refusal import NoGradientError
from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import Editor, dims
from edgekit_converters.prune.consumers import Consumer
from edgekit_converters.prune.judged import judged
from edgekit_converters.prune.moments import run_size
from edgekit_converters.quantize.calibrate import tapped_model
from edgekit_converters.quantize.calibrate_feeds import fixed_batch, full_feeds
from edgekit_converters.quantize.calibrate_session import Calculator
from edgekit_converters.quantize.scheme import name_of, value_name

PROBES = 4
"""Random signs of the outputs for each sample without a label."""

Arrays = Mapping[str, NDArray[Any]]
Changes = dict[str, NDArray[np.float32]]
"""By consumer: (samples and probes, channels)."""


def changes(hub: Hub, consumers: Sequence[Consumer], samples: Dataset, progress: Progress) -> Changes:
    """What each sample tells of each channel that each consumer reads.

    Raises NoGradientError where a node between a consumer and the outputs has no gradient.
    """
    outputs = judged(hub)
    network = _network(hub, consumers, outputs)
    forward = Calculator(tapped_model(hub, outputs))
    found: dict[str, list[_Sums]] = {name: [] for name in network.taps}
    random, start = np.random.default_rng(0), 0
    labels = _classes(hub, outputs, samples)
    progress.stage("gradients", len(samples))
    size = fixed_batch(hub) or max(1, run_size(hub) // _HELD)
    for feeds, count in full_feeds(hub, samples, size):
        own = None if labels is None else labels[start : start + count]
        start += count
        results = dict(zip(outputs, forward.run(outputs, feeds), strict=True))
        for vectors in _vectors(results, own, random):
            for name, sums in network.run(feeds, vectors).items():
                found[name].append(sums)
        progress.step(count)
    return {name: _centred(parts) for name, parts in found.items()}


_HELD = 2
"""The backward pass holds about so many times what the forward pass does."""


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Over the places of each sample, (samples, channels): activation times gradient, gradient, and the mean activation."""

    products: NDArray[np.float32]
    gradients: NDArray[np.float32]
    means: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Network:
    """``taps``: by consumer, the names of the values of `_Sums`."""

    session: Calculator
    probes: Mapping[str, str]
    taps: Mapping[str, tuple[str, str, str]]

    def run(self, feeds: Arrays, vectors: Arrays) -> dict[str, _Sums]:
        names = list(dict.fromkeys(name for tap in self.taps.values() for name in tap))
        given = {**feeds, **{self.probes[name]: array for name, array in vectors.items()}}
        arrays = dict(zip(names, self.session.run(names, given), strict=True))
        return {consumer: _Sums(*(arrays[name] for name in tap)) for consumer, tap in self.taps.items()}


def _network(hub: Hub, consumers: Sequence[Consumer], outputs: Sequence[str]) -> _Network:
    apart, reads = _apart(hub, consumers)
    found = backward(apart, outputs, list(reads.values()))
    taps = {
        c.name: _tapped(found, reads[c.name], c.channel_axis) for c in consumers if reads[c.name] in found.gradients
    }
    proto = ir.to_proto(found.model)
    values = {value_name(value): value for node in found.model.graph for value in node.outputs if value.name}
    del proto.graph.output[:]
    tapped = dict.fromkeys(name for tap in taps.values() for name in tap)
    proto.graph.output.extend(ir.to_proto(values[name]) for name in tapped)
    return _Network(Calculator(proto), found.probes, taps)


def _apart(hub: Hub, consumers: Sequence[Consumer]) -> tuple[Hub, dict[str, str]]:
    """A hub in which each consumer reads a value of its own, and their names: what others read of it does not count."""
    result = hub.clone()
    editor, nodes = Editor(result.model), {name_of(node): node for node in result.model.graph}
    reads = {}
    for consumer in consumers:
        node = nodes[consumer.name]
        if consumer.own_state:
            raise NoGradientError(node)
        own = editor.node(
            "Identity", [node.inputs[0]], before=node, like=node.inputs[0], hint=f"read by {consumer.name}"
        )
        node.replace_input_with(0, own)
        reads[consumer.name] = value_name(own)
    return result, reads


def _tapped(found: Backward, read: str, axis: int) -> tuple[str, str, str]:
    tape, gradient = found.tape, found.gradients[read]
    value = next(v for node in found.model.graph for v in node.outputs if v.name == read)
    others = [each for each in range(len(gradient.shape or ())) if each not in (0, axis)]
    product = tape.op("Mul", gradient, value)
    if not others:
        return value_name(product), value_name(tape.op("Identity", gradient)), read
    axes = tape.index(others)
    sums = [tape.op("ReduceSum", each, axes, keepdims=0) for each in (product, gradient)]
    return value_name(sums[0]), value_name(sums[1]), value_name(tape.op("ReduceMean", value, axes, keepdims=0))


def _vectors(results: Arrays, labels: NDArray[np.int64] | None, random: np.random.Generator) -> list[Arrays]:
    """What goes back from the outputs: the gradient of the cross-entropy, or random signs a few times."""
    if labels is not None:
        return [{name: _cross_entropy_gradient(logits, labels) for name, logits in results.items()}]
    return [{name: _signs(array, random) for name, array in results.items()} for _ in range(PROBES)]


def _cross_entropy_gradient(logits: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    shares[np.arange(len(labels)), labels] -= 1
    shares[len(labels) :] = 0  # a batch that was filled up
    return np.asarray(shares, np.float32)


def _signs(array: NDArray[Any], random: np.random.Generator) -> NDArray[np.float32]:
    """Outputs count alike, whatever their size."""
    spread = float(np.sqrt(np.square(array - array.mean(axis=0)).sum(axis=tuple(range(1, array.ndim))).mean())) or 1.0
    return np.asarray(random.choice(np.array([-1, 1], np.float32), array.shape) / spread, np.float32)


def _classes(hub: Hub, outputs: Sequence[str], samples: Dataset) -> NDArray[np.int64] | None:
    """A class by number for every sample, if the samples have them and the only output has one element for each class."""
    made = [dims(v) or () for node in hub.model.graph for v in node.outputs if v.name in outputs]
    found = [batch.labels for batch in samples.batches(_LABELS_AT_ONCE)]
    labels = [each for each in found if each is not None and each.dtype.kind in "iu" and each.ndim == 1]
    if len(labels) < len(found) or len(made) != 1 or len(made[0]) != 2:
        return None
    classes, count = np.concatenate(labels).astype(np.int64), made[0][1]
    fits = isinstance(count, int) and classes.min() >= 0 and classes.max() < count
    return classes if fits else None


_LABELS_AT_ONCE = 64


def _centred(parts: Sequence[_Sums]) -> NDArray[np.float32]:
    """The change when a channel takes its mean: the sum of (activation - mean) times gradient."""
    mean = np.concatenate([part.means for part in parts]).mean(axis=0)
    return np.concatenate([part.products - part.gradients * mean for part in parts])

"""`calibrate`: run the float hub over the samples and note the range of each tensor asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import onnx
import onnx_ir as ir

from edgekit.errors import ConversionError, DatasetError
from edgekit.protocols import Dataset, Progress
from edgekit.recipe import Observer
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.calibrate_feeds import batch_size, feeds_of, real_tokens
from edgekit_converters.quantize.calibrate_session import Calculator
from edgekit_converters.quantize.observers import make_observer
from edgekit_converters.quantize.ranges import Ranges, TensorRange

VALUES_PER_BATCH = 1 << 22
"""Numbers, over all observed tensors, that one batch may hold: 16 MB. Keeps memory flat and the tensors in the caches."""


def calibrate(hub: Hub, observers: Mapping[str, Observer], samples: Dataset, progress: Progress) -> Ranges:
    """The range of every value in ``observers``, in memory that does not depend on the number of samples.

    ONNX Runtime computes the values, batch by batch. Raises DatasetError when the samples don't fit the model or lead to NaN or
    infinite values, ConversionError when the hub has no such value.
    """
    if len(samples) == 0:
        raise DatasetError("there are no samples to calibrate on. Give at least one, better 100 or more.")
    values = _values(hub, observers)
    found = {name: make_observer(kind, name) for name, kind in observers.items()}
    computed = [name for name, value in values.items() if not value.is_graph_input()]
    # A hub whose inputs alone are observed runs nothing.
    session = Calculator(tapped_model(hub, computed)) if computed else None
    progress.stage("calibrate", len(samples))
    for feeds, count in feeds_of(hub, samples, batch_size(hub, values.values(), VALUES_PER_BATCH)):
        arrays = dict(zip(computed, session.run(computed, feeds), strict=True)) if session else {}
        for name, observer in found.items():
            observer.update(real_tokens(arrays[name] if name in arrays else feeds[name], feeds))
        progress.step(count)
    tensors = {
        name: TensorRange(observers[name], *observer.range(), *observer.seen) for name, observer in found.items()
    }
    return Ranges(tensors, len(samples))


def _values(hub: Hub, names: Iterable[str]) -> dict[str, ir.Value]:
    graph = hub.model.graph
    known = {value.name: value for value in graph.inputs}
    known |= {value.name: value for node in graph for value in node.outputs}
    for name in names:
        if name not in known:
            raise ConversionError(f"calibration was asked for the range of {name!r}, which the model does not compute")
    return {name: known[name] for name in names}


def tapped_model(hub: Hub, names: Sequence[str]) -> onnx.ModelProto:
    """The hub with the values of these names as its only outputs. Raises ConversionError when it has no such value."""
    values = _values(hub, names).values()
    proto = ir.to_proto(hub.model)
    del proto.graph.output[:]
    proto.graph.output.extend(ir.to_proto(value) for value in values)
    return proto

"""Every operator of an ONNX file alone, on equal inputs, here and on a device: which kernels answer differently."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from results import Figure

from edgekit.devices import Address, There
from edgekit.encoding import Codec
from edgekit.place import Here
from edgekit.protocols import SessionOptions

Values = dict[str, NDArray[Any]]
UNFUSED = SessionOptions(optimization="none")


def lone_op_differences(file: Path, x: NDArray[np.float32], device: Address) -> Iterator[Figure]:
    """A figure for each kind of operator that differs: the largest difference, as a part of the operator's largest answer."""
    with TemporaryDirectory() as folder, There.reach(device) as there:
        taps, islands = Path(folder, "taps.onnx"), Path(folder, "islands.onnx")
        onnx.save(_with_taps(onnx.load(file)), taps)
        values = _fed(file, taps, x[:1])
        onnx.save(_islands(onnx.load(file), values), islands)
        feeds = {
            spec.name: values[spec.name.removesuffix(_GIVEN)]
            for spec in Here().open_file(islands, None, UNFUSED).inputs
        }
        own, theirs = (place.open_file(islands, None, UNFUSED).run(feeds) for place in (Here(), there))
    kinds = {output: node.op_type for node in onnx.load(file).graph.node for output in node.output}
    worst: dict[str, list[float]] = defaultdict(list)
    for name, answer in own.items():
        if answer.size and answer.dtype.kind in "fiu":
            difference = np.abs(answer.astype(np.float64) - theirs[name].astype(np.float64)).max()
            worst[kinds[name]].append(difference / max(float(np.abs(answer.astype(np.float64)).max()), 1e-30))
    equal = sorted(kind for kind, found in worst.items() if not any(found))
    for kind in sorted(set(worst) - set(equal)):
        beside = f"{np.count_nonzero(worst[kind])} of {len(worst[kind])} operators differ"
        yield Figure(f"{kind} alone, largest difference over largest answer", max(worst[kind]), beside=beside)
    yield Figure("kinds of operators that answer alike alone", len(equal), beside=", ".join(equal))


_GIVEN = ".given"


def _with_taps(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every value as an output."""
    known = {output.name for output in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name and name not in known]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return model


def _fed(file: Path, taps: Path, x: NDArray[np.float32]) -> Values:
    """Every value for the sample, as the file computes it with nothing fused."""
    inputs = Here().open_file(file, None, UNFUSED).inputs
    feeds = Codec.of(inputs, ()).encode({inputs[0].name: x})
    return {**feeds, **Here().open_file(taps, None, UNFUSED).run(feeds)}


def _islands(model: onnx.ModelProto, values: Values) -> onnx.ModelProto:
    """The same operators, each fed with an input of the model for every value that it took from another."""
    constant = {tensor.name for tensor in model.graph.initializer}
    given: set[str] = set()
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name and name not in constant:
                given.add(name)
                node.input[index] = name + _GIVEN
    for section in (model.graph.input, model.graph.output, model.graph.value_info):
        del section[:]
    model.graph.input.extend(_described(name + _GIVEN, values[name]) for name in sorted(given))
    names = [name for node in model.graph.node for name in node.output if name]
    model.graph.output.extend(_described(name, values[name]) for name in names)
    return model


def _described(name: str, value: NDArray[Any]) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)

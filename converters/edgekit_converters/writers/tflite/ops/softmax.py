"""Softmax and its relatives, along any axis."""

from __future__ import annotations

import numpy as np

from edgekit_converters.writers.tflite.fixed import fixed_params
from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import Permutation, axis_last
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.table import lowers

_KERNEL_RANK = 4


@lowers("Softmax", int8=True)
def softmax(node: HubNode, out: FlatGraph) -> None:
    layout = _axis_last(node, out)
    data = out.read(node, 0, layout)
    params = fixed_params(node, out)
    result = out.output(node, layout, params=params)
    flat = _flattened(out, data)
    written = result if flat is data else out.tape.temporary(flat.shape, result.dtype, params)
    out.tape.add("SOFTMAX", (flat,), written, options("SoftmaxOptions", beta=1.0))
    if written is not result:
        out.tape.reshape_into(written, result)


@lowers("LogSoftmax", int8=True)
def log_softmax(node: HubNode, out: FlatGraph) -> None:
    layout = _axis_last(node, out)
    data = out.read(node, 0, layout)
    out.tape.add("LOG_SOFTMAX", (data,), out.output(node, layout, params=fixed_params(node, out)))


@lowers("Hardmax")
def hardmax(node: HubNode, out: FlatGraph) -> None:
    """1 at the first largest number along the axis, 0 elsewhere."""
    layout, tape = _axis_last(node, out), out.tape
    data = out.read(node, 0, layout)
    last = data.rank - 1
    found = tape.temporary(data.shape[:-1], np.int32)
    tape.add("ARG_MAX", (data, tape.constant(np.array(last, np.int32))), found, options("ArgMaxOptions", outputType=2))
    depth = tape.constant(np.array(data.shape[-1], np.int32))
    tape.add(
        "ONE_HOT",
        (found, depth, tape.constant(1.0), tape.constant(0.0)),
        out.output(node, layout),
        options("OneHotOptions", axis=-1),
    )


def _axis_last(node: HubNode, out: FlatGraph) -> Permutation:
    """A layout whose last axis is the node's: one that exists, or the producer's with that axis moved."""
    axis = node.integer("axis", -1) % node.rank()
    layouts = out.layouts(node)
    for layout in layouts:
        if layout[-1] == axis:
            return layout
    return axis_last(layouts[0], axis)


def _flattened(out: FlatGraph, data: FlatTensor) -> FlatTensor:
    """Rows of the last axis, where the tensor has more dimensions than the kernel takes."""
    if data.rank <= _KERNEL_RANK:
        return data
    return out.tape.reshape(data, (int(np.prod(data.shape[:-1])), data.shape[-1]))

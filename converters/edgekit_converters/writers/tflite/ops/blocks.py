"""Ops that exchange channels and space, time order and triangles."""

from __future__ import annotations

import numpy as np

from edgekit_converters.writers.tflite.axes import normalized
from edgekit_converters.writers.tflite.data_movement import transposed_last_two
from edgekit_converters.writers.tflite.flat_model import options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import channels_last, identity
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.plain_integers import read_movable
from edgekit_converters.writers.tflite.sharing import require_shared_encoding
from edgekit_converters.writers.tflite.table import lowers


@lowers("DepthToSpace", int8=True)
def depth_to_space(node: HubNode, out: FlatGraph) -> None:
    """DEPTH_TO_SPACE has ONNX's DCR order; for CRD the channels (C, b, b) are put into the order (b, b, C) first."""
    require_shared_encoding(node, out)
    tape, size = out.tape, node.integer("blocksize", 1)
    x = read_movable(node, out, 0, channels_last(4), ("bool", "int16"))
    if node.text("mode", "DCR") == "CRD":
        batch, height, width, channels = x.shape
        split = tape.reshape(x, (batch * height * width, channels // size**2, size**2))
        x = tape.reshape(transposed_last_two(tape, split), x.shape)
    output = out.output(node, channels_last(4))
    out.tape.add("DEPTH_TO_SPACE", (x,), output, options("DepthToSpaceOptions", blockSize=size))


@lowers("SpaceToDepth", int8=True)
def space_to_depth(node: HubNode, out: FlatGraph) -> None:
    require_shared_encoding(node, out)
    if node.text("mode", "DCR") != "DCR":
        raise node.unsupported("only the channel order DCR has a kernel")
    table = options("SpaceToDepthOptions", blockSize=node.integer("blocksize", 1))
    out.tape.add(
        "SPACE_TO_DEPTH",
        (read_movable(node, out, 0, channels_last(4), ("bool", "int16")),),
        out.output(node, channels_last(4)),
        table,
    )


@lowers("ReverseSequence")
def reverse_sequence(node: HubNode, out: FlatGraph) -> None:
    layout = out.layout(node)
    table = options(
        "ReverseSequenceOptions",
        seqDim=layout.index(normalized(node.integer("time_axis", 0), node.rank())),
        batchDim=layout.index(normalized(node.integer("batch_axis", 1), node.rank())),
    )
    inputs = read_movable(node, out, 0, layout, ("bool", "int8")), out.read(node, 1)
    out.tape.add("REVERSE_SEQUENCE", inputs, out.output(node, layout), table)


@lowers("Trilu")
def triangle(node: HubNode, out: FlatGraph) -> None:
    """A choice between the tensor and 0 by a constant mask: a product would turn infinities into NaN."""
    tape = out.tape
    diagonal = int(node.required_constant(1, "diagonal").reshape(-1)[0]) if node.has(1) else 0
    rows, columns = node.shape()[-2:]
    ones = np.ones((rows, columns), np.bool_)
    mask = np.triu(ones, diagonal) if node.integer("upper", 1) else np.tril(ones, diagonal)
    x = read_movable(node, out, 0, identity(node.rank()))
    inputs = tape.constant(mask), x, tape.constant(np.zeros((), x.dtype))
    tape.add("SELECT_V2", inputs, out.output(node), options("SelectV2Options"))

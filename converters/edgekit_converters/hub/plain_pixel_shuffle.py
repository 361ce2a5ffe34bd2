"""Write pixel shuffles in the channel order that kernels have, by sorting the filters in front of them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import Editor, attribute, constant, nodes_of, producer, sole_consumer

_BETWEEN = ("Relu", "LeakyRelu", "Sigmoid", "Tanh", "Clip")
"""Functions of single elements, which may stand between the convolution and the shuffle."""


def plain_pixel_shuffle(model: ir.Model) -> int:
    """DepthToSpace in the order CRD (PyTorch's PixelShuffle) behind a convolution that nothing else reads becomes DCR: the
    filters take the order in which their channels are needed.

    TFLite has DCR alone, and in DCR whole rows of channels move together. Returns the changes.
    """
    edit = Editor(model)
    return sum(_sort_filters(edit, node) for node in nodes_of(model, "DepthToSpace"))


def _sort_filters(edit: Editor, node: ir.Node) -> bool:
    if attribute(node, "mode", "DCR") != "CRD":
        return False
    convolution = _convolution_before(node)
    if convolution is None or attribute(convolution, "group", 1) != 1:
        return False
    operands = [constant(value) for value in convolution.inputs[1:] if value is not None]
    arrays = [array for array in operands if array is not None]
    if len(arrays) != len(operands):
        return False
    order = _dcr_order(arrays[0].shape[0], attribute(node, "blocksize", 1))
    for index, array in enumerate(arrays, start=1):
        convolution.replace_input_with(index, edit.constant(array[order], f"{convolution.name}/sorted"))
    node.attributes["mode"] = ir.AttrString("mode", "DCR")
    return True


def _convolution_before(node: ir.Node) -> ir.Node | None:
    """The convolution whose output reaches the node alone, through functions of single elements at most."""
    value = node.inputs[0]
    while value is not None and sole_consumer(value) is not None:
        if (found := producer(value, "Conv")) is not None:
            return found
        between = producer(value, *_BETWEEN)
        value = between.inputs[0] if between is not None else None
    return None


def _dcr_order(channels: int, block: int) -> NDArray[np.int64]:
    """At place ``(row, column, channel)`` of DCR, the index of ``(channel, row, column)``, which is where CRD has it."""
    return np.arange(channels).reshape(-1, block, block).transpose(1, 2, 0).reshape(-1)

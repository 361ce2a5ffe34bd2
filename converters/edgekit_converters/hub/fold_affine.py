"""Fold batch normalizations, and constant factors and summands a channel, into the convolution or Gemm beside them.

``BN(conv(x)) = a (W x + b) + c`` is the convolution with weights ``a W`` and bias ``a b + c``. tf2onnx writes batch normalization
as Mul and Add, so those fold by the same rule. Before a convolution the factor always folds; a summand only where
nothing is padded, because the padding is not shifted by it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import Editor, attribute, constant, consumers, nodes_of, producer, sole_consumer

Floats = NDArray[np.float64]


def fold_affine(model: ir.Model) -> int:
    """Fold BatchNormalization, Neg, and sums and products with constants into the Conv, ConvTranspose or Gemm before or after.

    Requires: inferred shapes; Gemm as `form_gemm` leaves it (transB = 1). Returns the number of nodes folded.
    """
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, "BatchNormalization", "Mul", "Div", "Add", "Sub", "Neg"):
        found = _affine_of(node)
        if found is not None and (_fold_backward(node, found, edit) or _fold_forward(node, found, edit)):
            changes += 1
    return changes


class _ChannelAffine(NamedTuple):
    """``factor * source + summand``, each ``()`` or ``(channels,)``; the channel is axis 1."""

    source: ir.Value
    factor: Floats
    summand: Floats


def _affine_of(node: ir.Node) -> _ChannelAffine | None:
    if node.op_type == "BatchNormalization":
        return _batch_normalization(node)
    if node.op_type == "Neg":
        return None if node.inputs[0] is None else _ChannelAffine(node.inputs[0], np.asarray(-1.0), np.asarray(0.0))
    for position in (1, 0):
        source, array = node.inputs[1 - position], constant(node.inputs[position])
        if source is None or source.shape is None or array is None or array.dtype != np.float32:
            continue
        if constant(source) is not None or (position == 0 and node.op_type == "Div"):
            continue
        number = _per_channel(array.astype(np.float64), len(source.shape))
        if number is None or len(node.outputs[0].shape or ()) != len(source.shape):
            continue
        one, zero = np.float64(1.0), np.float64(0.0)
        if node.op_type in ("Mul", "Div"):
            if node.op_type == "Div" and not np.all(number):
                return None
            return _ChannelAffine(source, number if node.op_type == "Mul" else 1.0 / number, np.asarray(zero))
        if node.op_type == "Sub" and position == 0:
            return _ChannelAffine(source, np.asarray(-one), number)
        return _ChannelAffine(source, np.asarray(one), -number if node.op_type == "Sub" else number)
    return None


def _batch_normalization(node: ir.Node) -> _ChannelAffine | None:
    parameters = [constant(value) for value in node.inputs[1:5]]
    if node.inputs[0] is None or any(value.uses() for value in node.outputs[1:]) or attribute(node, "training_mode", 0):
        return None
    scale, bias, mean, variance = (None if array is None else array.astype(np.float64) for array in parameters)
    if scale is None or bias is None or mean is None or variance is None:
        return None
    factor = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    return _ChannelAffine(node.inputs[0], factor, bias - mean * factor)


def _per_channel(array: Floats, rank: int) -> Floats | None:
    """The constant as ``()`` or ``(channels,)`` of axis 1 of a value of ``rank``; None when it varies otherwise."""
    if array.size == 1:
        return array.reshape(())
    if array.ndim > rank or rank < 2:
        return None
    shape = (1,) * (rank - array.ndim) + array.shape
    return array.reshape(-1) if all(size == 1 for axis, size in enumerate(shape) if axis != 1) else None


def _fold_backward(node: ir.Node, affine: _ChannelAffine, edit: Editor) -> bool:
    """Into the layer that makes the source, when nobody else reads it."""
    layer = producer(affine.source, *_LAYERS)
    if layer is None or sole_consumer(affine.source) is not node:
        return False
    parameters = _parameters(layer)
    if parameters is None:
        return False
    weight, bias = parameters
    channels = _output_channels(layer, weight)
    if affine.factor.size not in (1, channels) or affine.summand.size not in (1, channels):
        return False
    factor = np.broadcast_to(affine.factor, (channels,))
    name = node.name
    scaled = _scale_outputs(layer, weight, factor)
    if not _set_parameters(layer, scaled, bias * factor + affine.summand, edit):
        return False
    layer.outputs[0].type, layer.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
    kept = layer.name
    edit.replace_node(node, layer.outputs[0])
    layer.name = kept or name
    return True


def _fold_forward(node: ir.Node, affine: _ChannelAffine, edit: Editor) -> bool:
    """Into the layers that read the result, when all readers are such layers and none is padded with what would shift."""
    output = node.outputs[0]
    layers = consumers(output)
    if not layers or output.is_graph_output() or not all(_takes(layer, output, affine) for layer in layers):
        return False
    for layer in layers:
        parameters = _parameters(layer)
        assert parameters is not None
        weight, bias = parameters
        scaled, shift = _scale_inputs(layer, weight, affine)
        if not _set_parameters(layer, scaled, bias + shift, edit):
            return False
        layer.replace_input_with(0, affine.source)
    graph = node.graph
    assert graph is not None
    graph.remove(node, safe=True)
    return True


def _takes(layer: ir.Node, value: ir.Value, affine: _ChannelAffine) -> bool:
    if layer.op_type not in ("Conv", "Gemm") or layer.domain != "" or value in layer.inputs[1:]:
        return False
    parameters = _parameters(layer)
    if parameters is None:
        return False
    channels = parameters[0].shape[1] * attribute(layer, "group", 1)
    if affine.factor.size not in (1, channels) or affine.summand.size not in (1, channels):
        return False
    return not affine.summand.any() or layer.op_type == "Gemm" or _is_unpadded(layer)


def _is_unpadded(layer: ir.Node) -> bool:
    return not any(attribute(layer, "pads", ())) and attribute(layer, "auto_pad", "NOTSET") in ("NOTSET", "VALID")


def _parameters(layer: ir.Node) -> tuple[Floats, Floats] | None:
    """Constant weight and bias of a layer; a bias that is absent is zeros."""
    weight = constant(layer.inputs[1])
    if weight is None or weight.dtype != np.float32:
        return None
    if layer.op_type == "Gemm" and not _is_plain(layer):
        return None
    bias_value = layer.inputs[2] if len(layer.inputs) > 2 else None
    bias = np.zeros(_output_channels(layer, weight)) if bias_value is None else constant(bias_value)
    if bias is None or bias.ndim != 1 or bias.size != _output_channels(layer, weight):
        return None
    return weight.astype(np.float64), bias.astype(np.float64)


def _is_plain(gemm: ir.Node) -> bool:
    return (
        bool(attribute(gemm, "transB", 0) == 1)
        and attribute(gemm, "transA", 0) == 0
        and attribute(gemm, "alpha", 1.0) == 1.0
        and attribute(gemm, "beta", 1.0) == 1.0
    )


def _output_channels(layer: ir.Node, weight: NDArray[np.floating]) -> int:
    if layer.op_type == "ConvTranspose":
        return int(weight.shape[1] * attribute(layer, "group", 1))
    return int(weight.shape[0])


def _scale_outputs(layer: ir.Node, weight: Floats, factor: Floats) -> Floats:
    if layer.op_type != "ConvTranspose":
        return weight * factor.reshape(-1, *(1,) * (weight.ndim - 1))
    # (inputs, outputs a group, ...): the inputs of a group stand together.
    groups = attribute(layer, "group", 1)
    grouped = weight.reshape(groups, -1, *weight.shape[1:])
    by_group = factor.reshape(groups, 1, weight.shape[1], *(1,) * (weight.ndim - 2))
    return (grouped * by_group).reshape(weight.shape)


def _scale_inputs(layer: ir.Node, weight: Floats, affine: _ChannelAffine) -> tuple[Floats, Floats]:
    """Weights for the unscaled input, and what the summand adds to each output."""
    groups = attribute(layer, "group", 1)
    channels = weight.shape[1] * groups
    factor, summand = (
        np.repeat(np.broadcast_to(number, (channels,)).reshape(groups, -1), weight.shape[0] // groups, axis=0)
        for number in (affine.factor, affine.summand)
    )
    spatial = (1,) * (weight.ndim - 2)
    shift = (weight * summand.reshape(*summand.shape, *spatial)).reshape(weight.shape[0], -1).sum(axis=1)
    return weight * factor.reshape(*factor.shape, *spatial), shift


def _set_parameters(layer: ir.Node, weight: Floats, bias: Floats, edit: Editor) -> bool:
    """Give the layer new constants; False, and nothing is changed, when they don't fit into float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = [array.astype(np.float32) for array in (weight, bias)]
    if not all(np.isfinite(array).all() for array in narrow):
        return False
    old_bias = layer.inputs[2] if len(layer.inputs) > 2 else None
    names = [layer.inputs[1].name if layer.inputs[1] else None, old_bias.name if old_bias else None]
    if len(layer.inputs) < 3:
        layer.resize_inputs(3)
    for index, array, name, what in zip((1, 2), narrow, names, ("weight", "bias"), strict=True):
        layer.replace_input_with(index, edit.constant(array, name or f"{layer.name}_{what}"))
    return True


_LAYERS = ("Conv", "ConvTranspose", "Gemm")

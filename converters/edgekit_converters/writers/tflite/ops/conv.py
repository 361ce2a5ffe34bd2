"""Convolutions: 1D (as 2D), 2D, depthwise, grouped and dilated, and 3D."""

from __future__ import annotations

from edgekit_converters.writers.tflite.activations import FusedActivation
from edgekit_converters.writers.tflite.filters import bias_tensor, filter_tensor, float_bias_tensor
from edgekit_converters.writers.tflite.flat_model import BuiltinOptions, FlatTensor, Shape, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import channels_last
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.window import VALID, Window, window_of


@lowers("Conv", int8=True)
def conv(node: HubNode, out: FlatGraph) -> None:
    """CONV_2D, DEPTHWISE_CONV_2D or CONV_3D; pads that are neither SAME nor VALID become a PAD before it."""
    rank = node.rank()
    if rank == 3:
        _conv_1d(node, out)
    elif rank == 4:
        layout, filters = channels_last(4), node.shape(1)
        data = out.read(node, 0, layout)
        result, fused = out.fused_output(node, layout)
        _convolve(node, out, data, filters, window_of(node, filters[2:]), result, fused)
    elif rank == 5:
        _conv_3d(node, out)
    else:
        raise node.unsupported(f"its input has {rank} dimensions; expected 3 to 5")


def _conv_1d(node: HubNode, out: FlatGraph) -> None:
    """As a 2D convolution of height 1."""
    layout = channels_last(3)
    count, channels, width = node.shape(1)
    data = out.read(node, 0, layout)
    raised = out.tape.reshape(data, (data.shape[0], 1, *data.shape[1:]))
    result, fused = out.fused_output(node, layout)
    flat = out.tape.temporary((result.shape[0], 1, *result.shape[1:]), result.dtype, result.params)
    window = window_of(node, (width,)).raised()
    _convolve(node, out, raised, (count, channels, 1, width), window, flat, fused)
    out.tape.reshape_into(flat, result)


def _convolve(
    node: HubNode,
    out: FlatGraph,
    data: FlatTensor,
    filters: Shape,
    window: Window,
    result: FlatTensor,
    fused: FusedActivation,
) -> None:
    """``data`` and ``result`` are (N, H, W, C); ``filters`` is the filters' shape, (O, I, H, W)."""
    groups, channels, count = node.integer("group", 1), data.shape[3], filters[0]
    padding = window.padding()
    if padding is None:
        data, padding = out.tape.pad(data, ((0, 0), *window.needed_pads(), (0, 0))), VALID
    if groups == channels and (groups > 1 or count == 1):
        # (O, 1, H, W) -> (1, H, W, O): TFLite orders the outputs of a group as ONNX does.
        placed = filter_tensor(node, out, filters, 0, (1, 2, 3, 0))
        builtin, builtin_options = "DEPTHWISE_CONV_2D", _conv_options(window, padding, fused, count // groups)
    else:
        placed = filter_tensor(node, out, filters, 0, (0, 2, 3, 1), hybrid=groups == 1)
        builtin, builtin_options = "CONV_2D", _conv_options(window, padding, fused, None)
    bias = bias_tensor(node, out, count, data, placed)
    out.tape.add(builtin, (data, placed, bias), result, builtin_options)


def _conv_options(window: Window, padding: int, fused: FusedActivation, multiplier: int | None) -> BuiltinOptions:
    (stride_h, stride_w), (dilation_h, dilation_w) = window.strides, window.dilations
    fields = {
        "padding": padding,
        "strideH": stride_h,
        "strideW": stride_w,
        "dilationHFactor": dilation_h,
        "dilationWFactor": dilation_w,
        "fusedActivationFunction": fused.code,
    }
    if multiplier is None:
        return BuiltinOptions("Conv2DOptions", fields)
    return BuiltinOptions("DepthwiseConv2DOptions", {**fields, "depthMultiplier": multiplier})


def _conv_3d(node: HubNode, out: FlatGraph) -> None:
    """CONV_3D has float kernels only."""
    if node.integer("group", 1) != 1:
        raise node.unsupported("a grouped 3D convolution has no TFLite kernel")
    layout, filters = channels_last(5), node.shape(1)
    window = window_of(node, filters[2:])
    data, padding = out.read_float(node, 0, layout), window.padding()
    if padding is None:
        data, padding = out.tape.pad(data, ((0, 0), *window.needed_pads(), (0, 0))), VALID
    placed = out.tape.encode(filter_tensor(node, out, filters, 0, (2, 3, 4, 1, 0)), None)
    bias = float_bias_tensor(node, out, filters[0])
    result, fused = out.fused_output(node, layout)
    real = result if result.params is None else out.tape.temporary(result.shape)
    out.tape.add("CONV_3D", (data, placed, bias), real, _conv_3d_options(window, padding, fused))
    if real is not result:
        out.tape.add("QUANTIZE", (real,), result)


def _conv_3d_options(window: Window, padding: int, fused: FusedActivation) -> BuiltinOptions:
    (stride_d, stride_h, stride_w), (dilation_d, dilation_h, dilation_w) = window.strides, window.dilations
    return options(
        "Conv3DOptions",
        padding=padding,
        strideD=stride_d,
        strideH=stride_h,
        strideW=stride_w,
        dilationDFactor=dilation_d,
        dilationHFactor=dilation_h,
        dilationWFactor=dilation_w,
        fusedActivationFunction=fused.code,
    )

"""`write_onnx`: from hub and plan to a file that loads in stock ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir

from edgekit.artifact import written_whole
from edgekit.errors import ConversionError
from edgekit.recipe import IoType, Precision
from edgekit_converters.hub import Hub
from edgekit_converters.hub.model import OPSET
from edgekit_converters.quantize.params import QuantType
from edgekit_converters.quantize.quant_plan import Execution, QuantPlan
from edgekit_converters.quantize.scheme import name_of
from edgekit_converters.quantize.tokens import is_table
from edgekit_converters.rules import RECURRENT
from edgekit_converters.writers.onnx import attention
from edgekit_converters.writers.onnx.channel_counts import widen_channel_counts
from edgekit_converters.writers.onnx.editor import GraphEditor
from edgekit_converters.writers.onnx.few_channels import pad_few_channels
from edgekit_converters.writers.onnx.integer import IntegerPart
from edgekit_converters.writers.onnx.product import ProductPart
from edgekit_converters.writers.onnx.recurrent import dynamic_lstm
from edgekit_converters.writers.onnx.upscaling import upscale_on_integers
from edgekit_converters.writers.onnx.weights import dynamic_matmul, halve_constants, look_up, weight_only

LARGEST_MODEL = 2**31 - 1
"""Bytes that one protobuf message can hold."""


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """``activation_type``: how int8 activations are stored. UINT8 is what ONNX Runtime computes fastest on x86; the zero
    point moves by 128 and the integers mean the same. ``contrib_ops``: use ONNX Runtime's own operators (com.microsoft)
    where they compute on integers and no standard one does. ``opset``: the newest one that the runtime knows; 23 has
    Attention."""

    io: IoType = IoType.FLOAT32
    activation_type: QuantType = QuantType.UINT8
    contrib_ops: bool = True
    opset: int = OPSET


def write_onnx(hub: Hub, plan: QuantPlan, path: Path, options: OnnxOptions) -> None:
    """Write ``hub`` as ``plan`` says; the file appears under its name only when it is complete.

    Raises ConversionError when the model is larger than a protobuf message can be.
    """
    proto = ir.to_proto(quantized_model(hub, plan, options).model)
    _drop_annotations(proto)
    size = proto.ByteSize()
    if size > LARGEST_MODEL:
        raise ConversionError(f"the ONNX file would have {size:,} bytes; one file can hold {LARGEST_MODEL:,}")
    with written_whole(path) as part:
        part.write_bytes(proto.SerializeToString())


def _drop_annotations(proto: onnx.ModelProto) -> None:
    """Shapes between the nodes and exporters' remarks: a third of a small network's file, and runtimes infer the shapes."""
    del proto.graph.value_info[:]
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.ClearField("doc_string")


def quantized_model(hub: Hub, plan: QuantPlan, options: OnnxOptions) -> Hub:
    """A copy of the hub with the plan's integers, quantize and dequantize nodes in place."""
    copy = hub.clone()
    editor = GraphEditor(copy.model.graph)
    if options.opset >= attention.OPSET and plan.precision in (Precision.INT8, Precision.INT8_DYNAMIC):
        attention.fuse_attention(copy.model, editor)
    integers = IntegerPart(editor, plan, options.activation_type)
    products = ProductPart(editor, plan, options.activation_type)
    for node in list(copy.model.graph):
        execution = plan.execution(name_of(node))
        if execution is Execution.INTEGER:
            integers.place(node)
        elif execution is Execution.PRODUCT:
            products.place(node)
        elif execution is Execution.DYNAMIC:
            _dynamic(editor, node, plan, options)
        elif plan.precision is Precision.FLOAT16:
            halve_constants(editor, node)
        elif execution is Execution.WEIGHT_ONLY and is_table(node):
            look_up(editor, node, plan)
        elif execution is Execution.WEIGHT_ONLY:
            weight_only(editor, node, plan)
    integers.set_io(options.io)
    upscale_on_integers(editor)
    if options.activation_type is QuantType.UINT8:  # for ONNX Runtime on processors
        widen_channel_counts(editor)
        pad_few_channels(editor)
    editor.sweep()
    return copy


def _dynamic(editor: GraphEditor, node: ir.Node, plan: QuantPlan, options: OnnxOptions) -> None:
    """A node whose activations the runtime quantizes per call, where it has a kernel for that."""
    if node.op_type not in RECURRENT:
        dynamic_matmul(editor, node, plan)
    elif node.op_type == "LSTM" and options.contrib_ops:
        dynamic_lstm(editor, node, plan)
    else:
        weight_only(editor, node, plan)

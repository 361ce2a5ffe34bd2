"""`write_tflite`: from the hub and its plan to a .tflite file."""

from __future__ import annotations

import itertools
from pathlib import Path

import onnx_ir as ir

from edgekit.artifact import written_whole
from edgekit.errors import ConversionError
from edgekit.recipe import IoType
from edgekit_converters.hub.model import Hub
from edgekit_converters.hub.static import require_states_of_one_size, require_static, with_bound_batch
from edgekit_converters.quantize.params import QuantParams, QuantType
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.end_encoding import end_encoding
from edgekit_converters.writers.tflite import ops
from edgekit_converters.writers.tflite.bounded import bound_selections
from edgekit_converters.writers.tflite.flat_model import FlatModel, FlatTensor, needed_ops
from edgekit_converters.writers.tflite.flatbuffer import serialize
from edgekit_converters.writers.tflite.graph import FlatGraph, physical_dtype
from edgekit_converters.writers.tflite.layout import identity
from edgekit_converters.writers.tflite.node import HubNode, hub_dtype, static_shape, value_name
from edgekit_converters.writers.tflite.options import TfliteOptions
from edgekit_converters.writers.tflite.sparse import with_sparse_filters
from edgekit_converters.writers.tflite.spell import settle, spell
from edgekit_converters.writers.tflite.tape import Tape
from edgekit_converters.writers.tflite.write_nodes import write_nodes


def write_tflite(hub: Hub, plan: QuantPlan, path: Path, options: TfliteOptions) -> None:
    """Write the model as the plan says; the file appears under its name only when it is complete.

    Raises UnsupportedOpError for a node that can't be written, ConversionError when the model is too large, has
    symbolic shapes, or holds float tensors although ``options.integer_only`` forbids them.
    """
    content = serialize(with_sparse_filters(flat_model(hub, plan, options)))
    with written_whole(path) as part, part.open("wb") as stream:
        stream.write(content)


def flat_model(hub: Hub, plan: QuantPlan, options: TfliteOptions) -> FlatModel:
    """The TFLite model as data. Raises as `write_tflite`."""
    ops.load()
    bound = with_bound_batch(hub, options.batch, options.input_shapes)
    model = bound.model
    if bound_selections(model):
        settle(model)
    require_static(model)
    require_states_of_one_size(bound)
    spell(model)
    graph = model.graph
    nodes = [HubNode(node) for node in graph]
    tape = Tape(value_name(value) for value in (*graph.inputs, *graph.outputs))
    out = FlatGraph(plan, {node.name: node for node in nodes}, tape, options.unroll_steps)
    inputs = tuple(_input(value, plan, out, options.io) for value in graph.inputs)
    write_nodes(nodes, out)
    outputs: list[FlatTensor] = []
    for value in graph.outputs:
        outputs.append(_output(value, plan, out, options.io, (*inputs, *outputs)))
    made = FlatModel(inputs, tuple(outputs), needed_ops(tape.ops, outputs))
    if options.integer_only:
        _refuse_float(made, options.io)
    return made


def _input(value: ir.Value, plan: QuantPlan, out: FlatGraph, io: IoType) -> FlatTensor:
    """The graph's input tensor, under the user's name; behind it the value as the graph computes with it."""
    dtype = hub_dtype(value)
    params = _io_params(value, plan, io)
    tensor = FlatTensor(value_name(value), params.dtype.dtype if params else dtype, static_shape(value), params)
    inner = tensor if params is None else _encoded(tensor, plan.values[value_name(value)], out)
    out.declare(value, out.tape.cast(inner, physical_dtype(dtype)) if params is None else inner)
    return tensor


def _output(value: ir.Value, plan: QuantPlan, out: FlatGraph, io: IoType, taken: tuple[FlatTensor, ...]) -> FlatTensor:
    """The graph's output tensor: in logical order, of the type asked for, under the user's name."""
    params = _io_params(value, plan, io)
    view = out.view(value)
    inner = None if params is None else plan.values[value_name(value)]
    tensor = out.materialize(view, identity(len(view.shape)), inner)
    tensor = out.tape.cast(tensor, hub_dtype(value)) if params is None else _encoded(tensor, params, out)
    if tensor in taken or tensor.data is not None:
        tensor = out.tape.copy(tensor)
    tensor.name = value_name(value)
    return tensor


def _encoded(tensor: FlatTensor, params: QuantParams, out: FlatGraph) -> FlatTensor:
    """QUANTIZE knows no way between uint8 and int16; int8 lies between them."""
    unsigned = [found for found in (tensor.params, params) if found is not None and found.dtype is QuantType.UINT8]
    if unsigned and QuantType.INT16 in (params.dtype, tensor.params.dtype if tensor.params else None):
        tensor = out.tape.encode(tensor, unsigned[0].stored_as(QuantType.INT8))
    return out.tape.encode(tensor, params)


def _io_params(value: ir.Value, plan: QuantPlan, io: IoType) -> QuantParams | None:
    return end_encoding(value_name(value), hub_dtype(value).name, plan, io)


def _refuse_float(model: FlatModel, io: IoType) -> None:
    """Raises ConversionError for a float tensor other than the model's own inputs and outputs, where those may be float."""
    border: set[FlatTensor] = {*model.inputs, *model.outputs} if io is IoType.FLOAT32 else set()
    for op in itertools.chain.from_iterable(graph.ops for graph in model.subgraphs()):
        for tensor in (*op.inputs, *op.outputs):
            at_border = tensor in border and op.builtin in ("QUANTIZE", "DEQUANTIZE")
            if tensor is not None and tensor.dtype.kind == "f" and not at_border:
                raise ConversionError(
                    f"the file may hold no float operators, but {op.builtin} reads or writes the float tensor {tensor.name!r}. "
                    "Keep no node in float and, where floats are fed or asked for, use int8 inputs and outputs (--io int8)."
                )

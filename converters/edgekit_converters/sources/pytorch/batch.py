"""The batch of a graph that was traced with a fixed one: made free, on trial. Runs in a child process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgekit_converters.sources.pytorch.network import BATCH

if TYPE_CHECKING:
    import onnx_ir as ir


def free_batch(model: ir.Model, batch: int) -> None:
    """Let the first axis of all inputs and outputs vary, in place.

    Constant target shapes of Reshape lose their first number. Whether the graph then computes the same has to be checked by
    running it: the first axis of some tensor may have had that size for another reason.
    """
    import onnx_ir as ir

    nodes = list(ir.traversal.RecursiveGraphIterator(model.graph))
    for node in nodes:
        if node.op_type == "Reshape":
            _free_reshape(node, batch)
    for value in model.graph.inputs:
        _free_first_axis(value)
    for node in nodes:
        for value in node.outputs:
            if value.is_graph_output():
                _free_first_axis(value)
            else:
                value.shape = None


def name_batch(model: ir.Model) -> None:
    """Give the symbol of the inputs' first axis the name "batch" everywhere, in place."""
    import onnx_ir as ir

    old = {value.shape[0] for value in model.graph.inputs if value.shape is not None and len(value.shape)}
    symbols = {dim.value for dim in old if isinstance(dim, ir.SymbolicDim)}
    values = [*model.graph.inputs, *(output for node in model.graph for output in node.outputs)]
    for value in values:
        if value.shape is not None:
            value.shape = ir.Shape(
                BATCH if isinstance(dim, ir.SymbolicDim) and dim.value in symbols else dim for dim in value.shape
            )


def _free_first_axis(value: ir.Value) -> None:
    import onnx_ir as ir

    if value.shape is not None and len(value.shape):
        value.shape = ir.Shape((BATCH, *value.shape[1:]))


def _free_reshape(node: ir.Node, batch: int) -> None:
    """The first of the target's sizes follows from the others, which the traced result has as numbers."""
    import onnx_ir as ir

    target, result = node.inputs[1], node.outputs[0].shape
    if target is None or ir.convenience.get_const_tensor(target) is None or result is None or not len(result):
        return
    sizes = [dim for dim in result if isinstance(dim, int)]
    if len(sizes) != len(result) or 0 in sizes or sizes[0] % batch:
        return
    value = ir.Value(name=f"{node.name}_shape", type=target.type, shape=ir.Shape((len(sizes),)))
    value.const_value = ir.tensor(np.asarray([-1, *sizes[1:]], np.int64), name=value.name)
    assert node.graph is not None
    node.graph.register_initializer(value)
    node.replace_input_with(1, value)

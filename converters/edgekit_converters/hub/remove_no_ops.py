"""Remove nodes that pass their input on unchanged, and nodes that nobody reads."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import (
    Editor,
    attribute,
    constant,
    dims,
    integers,
    nodes_of,
    producer,
    same_shape,
    scalar,
)


def remove_no_ops(model: ir.Model) -> int:
    """Remove Identity, Dropout, Casts to the same type, Pads by nothing, Reshapes to the same shape, and their kind.

    Requires: inferred shapes (where one is unknown, the node stays). Ensures: an Identity only between an input (or
    constant, or other output) and an output. Returns the number of nodes removed.
    """
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, *_TESTS):
        source = node.inputs[0] if node.inputs else None
        if source is None or any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
            continue
        if _TESTS[node.op_type](node) and _bypass(node, source, edit):
            changes += 1
    return changes


def drop_zero_states(model: ir.Model) -> int:
    """Leave out initial states of recurrent layers that are zeros anyway. Returns the number of states dropped."""
    dropped = 0
    for node in nodes_of(model, "LSTM", "GRU", "RNN"):
        for index in range(5, min(7, len(node.inputs))):
            if node.inputs[index] is not None and _is_zeros(node.inputs[index]):
                node.replace_input_with(index, None)
                dropped += 1
    return dropped


def remove_dead_code(model: ir.Model) -> int:
    """Remove nodes and initializers that no output depends on. Returns the number of nodes removed."""
    graph = model.graph
    dead = 0
    for node in reversed(list(graph)):
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            graph.remove(node, safe=True)
            dead += 1
    for value in list(graph.initializers.values()):
        if not value.uses() and not value.is_graph_output():
            graph.initializers.pop(value.name or "")
    return dead


def _bypass(node: ir.Node, source: ir.Value, edit: Editor) -> bool:
    output = node.outputs[0]
    graph = node.graph
    assert graph is not None
    if output.is_graph_output() and (source.producer() is None or source.is_graph_output()):
        if node.op_type == "Identity" and not output.uses():
            return False
        if node.op_type == "Identity":
            _redirect(output, source)
            return True
    edit.replace(output, source)
    graph.remove(node, safe=True)
    return True


def _redirect(output: ir.Value, source: ir.Value) -> None:
    for use in list(output.uses()):
        use.node.replace_input_with(use.idx, source)


def _is_zeros(value: ir.Value | None) -> bool:
    array = constant(value)
    if array is not None:
        return not array.any()
    made = producer(value, "Expand", "ConstantOfShape", "Slice", "Split")
    if made is None:
        return False
    if made.op_type != "ConstantOfShape":
        return _is_zeros(made.inputs[0])
    filler = made.attributes.get("value")
    return filler is None or not filler.as_tensor().numpy().any()


def _always(node: ir.Node) -> bool:
    return True


def _inference_dropout(node: ir.Node) -> bool:
    return len(node.inputs) < 3 or node.inputs[2] is None or scalar(node.inputs[2]) == 0


def _same_type(node: ir.Node) -> bool:
    source = node.inputs[0]
    return source is not None and source.dtype is not None and source.dtype == attribute(node, "to")


def _same_shape(node: ir.Node) -> bool:
    source = node.inputs[0]
    return source is not None and same_shape(source, node.outputs[0])


def _reshape_to_same(node: ir.Node) -> bool:
    """Also with one dimension unknown to inference: a Reshape keeps the count, so the last unknown one is the same."""
    before, after = dims(node.inputs[0]), dims(node.outputs[0])
    if before is None or after is None or len(before) != len(after):
        return False
    differing = [index for index, (old, new) in enumerate(zip(before, after, strict=True)) if old is None or old != new]
    if not differing:
        return True
    wanted = integers(node.inputs[1])
    return len(differing) == 1 and wanted is not None and wanted[differing[0]] == -1 and 0 not in before


def _identity_permutation(node: ir.Node) -> bool:
    permutation = attribute(node, "perm")
    return permutation is not None and permutation == tuple(range(len(permutation)))


def _expand_to_same(node: ir.Node) -> bool:
    wanted, source = integers(node.inputs[1]), dims(node.inputs[0])
    if _same_shape(node):
        return True
    return wanted is not None and source is not None and set(wanted) == {1} and len(wanted) <= len(source)


def _pads_nothing(node: ir.Node) -> bool:
    pads = integers(node.inputs[1])
    return pads is not None and not any(pads)


def _repeats_once(node: ir.Node) -> bool:
    repeats = integers(node.inputs[1])
    return repeats is not None and set(repeats) <= {1}


def _single_input(node: ir.Node) -> bool:
    return len(node.inputs) == 1


def _takes_everything(node: ir.Node) -> bool:
    steps = integers(node.inputs[4]) if len(node.inputs) > 4 and node.inputs[4] is not None else (1,)
    if steps is None or set(steps) != {1}:
        return False
    starts, ends, source = integers(node.inputs[1]), integers(node.inputs[2]), dims(node.inputs[0])
    if starts is None or ends is None or source is None:
        return False
    if set(starts) <= {0} and all(end >= _TO_THE_END for end in ends):
        return True
    return _same_shape(node)


def _clips_nothing(node: ir.Node) -> bool:
    return all(value is None for value in node.inputs[1:])


def _neutral_operand(node: ir.Node) -> bool:
    """x + 0, x - 0, x * 1, x / 1, x ** 1, where the constant does not broadcast x to another shape."""
    array = constant(node.inputs[1])
    neutral = 0 if node.op_type in ("Add", "Sub") else 1
    return array is not None and array.size > 0 and bool(np.all(array == neutral)) and _same_shape(node)


def _split_in_one(node: ir.Node) -> bool:
    return len(node.outputs) == 1 and _same_shape(node)


def _relu_of_clamped(node: ir.Node) -> bool:
    """A Relu whose input can't be negative."""
    made = producer(node.inputs[0], "Relu", "Sigmoid", "HardSigmoid", "Softmax", "Clip")
    if made is None or made.op_type != "Clip":
        return made is not None
    low = scalar(made.inputs[1]) if len(made.inputs) > 1 else None
    return low is not None and low >= 0


_TESTS = {
    "Identity": _always,
    "Dropout": _inference_dropout,
    "Cast": _same_type,
    "Reshape": _reshape_to_same,
    "Flatten": _same_shape,
    "Squeeze": _same_shape,
    "Unsqueeze": _same_shape,
    "Transpose": _identity_permutation,
    "Expand": _expand_to_same,
    "Pad": _pads_nothing,
    "Tile": _repeats_once,
    "Concat": _single_input,
    "Sum": _single_input,
    "Max": _single_input,
    "Min": _single_input,
    "Mean": _single_input,
    "Slice": _takes_everything,
    "Clip": _clips_nothing,
    "Split": _split_in_one,
    "Add": _neutral_operand,
    "Sub": _neutral_operand,
    "Mul": _neutral_operand,
    "Div": _neutral_operand,
    "Pow": _neutral_operand,
    "Relu": _relu_of_clamped,
}
_TO_THE_END = 2**31 - 1

"""Shorten chains of nodes that only move: Reshape, Flatten, Squeeze, Unsqueeze on the one hand, Transpose on the other."""

from __future__ import annotations

import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, attribute, constant, dims, nodes_of, producer, same_shape, sole_consumer


def merge_reshapes(model: ir.Model) -> int:
    """Cancel reshapes that end where they began, and make one Reshape of two. Requires: inferred shapes. Returns the changes."""
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, *_RESHAPES):
        before = producer(node.inputs[0], *_RESHAPES)
        source = before.inputs[0] if before is not None else None
        if source is None or node.inputs[0] is None:
            continue
        if same_shape(source, node.outputs[0]):
            edit.replace(node.outputs[0], source)
            changes += 1
        elif sole_consumer(node.inputs[0]) is node and (numbers := _numbers(source, node.outputs[0])) is not None:
            shape = edit.index(numbers, f"{node.name}_shape")
            edit.replace_node(node, edit.node("Reshape", [source, shape], before=node, like=node.outputs[0]))
            changes += 1
    return changes


def merge_transposes(model: ir.Model) -> int:
    """Make one Transpose of two; sink them through elementwise nodes where they meet and cancel. Returns the changes."""
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, "Transpose"):
        if node.graph is None or (not node.outputs[0].uses() and not node.outputs[0].is_graph_output()):
            continue
        changes += _merge_with_previous(node, edit)
    for node in nodes_of(model, *_ELEMENTWISE):
        changes += _sink_through(node, edit)
    return changes


def _numbers(source: ir.Value, result: ir.Value) -> list[int] | None:
    """A constant shape that leads from one to the other: 0 where a symbolic dimension stays in its place, at most one -1."""
    before, after = dims(source), dims(result)
    if before is None or after is None or 0 in after:
        return None
    numbers = [
        dim if isinstance(dim, int) else 0 if dim is not None and index < len(before) and before[index] == dim else -1
        for index, dim in enumerate(after)
    ]
    return numbers if numbers.count(-1) <= 1 else None


def _merge_with_previous(node: ir.Node, edit: Editor) -> int:
    before = producer(node.inputs[0], "Transpose")
    outer = _permutation(node)
    inner = _permutation(before) if before is not None else None
    if before is None or inner is None or outer is None:
        return 0
    source = before.inputs[0]
    assert source is not None
    merged = tuple(inner[axis] for axis in outer)
    if merged == tuple(range(len(merged))):
        edit.replace(node.outputs[0], source)
    else:
        made = edit.node("Transpose", [source], before=node, like=node.outputs[0], perm=merged)
        edit.replace_node(node, made)
    return 1


def _permutation(node: ir.Node) -> tuple[int, ...] | None:
    found = attribute(node, "perm")
    if found is None and node.inputs[0] is not None and node.inputs[0].shape is not None:
        return tuple(range(len(node.inputs[0].shape)))[::-1]
    return None if found is None else tuple(found)


def _sink_through(node: ir.Node, edit: Editor) -> int:
    """``op(T(x), T(y))`` becomes ``T(op(x, y))``: one Transpose less; for one operand only if another waits below."""
    operands = [value for value in node.inputs if value is not None]
    rank = len(node.outputs[0].shape or ())
    if len(node.outputs) != 1 or not operands or rank < 2:
        return 0
    moved = [value for value in operands if constant(value) is None]
    turns = [producer(value, "Transpose") for value in moved]
    permutations = {None if turn is None else _permutation(turn) for turn in turns}
    if len(permutations) != 1 or None in permutations or any(sole_consumer(value) is not node for value in set(moved)):
        return 0
    (permutation,) = permutations
    assert permutation is not None
    if len(set(moved)) < 2 and not _meets_transpose(node.outputs[0]):
        return 0
    if len(permutation) != rank:
        return 0
    if any(value is not None and constant(value) is not None and value.const_value.size > 1 for value in node.inputs):  # type: ignore[union-attr]  # a constant has one
        return 0
    _turn_afterwards(node, permutation, edit)
    return 1


def _turn_afterwards(node: ir.Node, permutation: tuple[int, ...], edit: Editor) -> None:
    output = node.outputs[0]
    inputs: list[ir.Value | None] = []
    for value in node.inputs:
        turn = producer(value, "Transpose")
        inputs.append(value if turn is None else turn.inputs[0])
    kept = {attr.name: attr for attr in node.attributes.values()}
    first = next(value for value, old in zip(inputs, node.inputs, strict=True) if value is not old)
    moved = edit.node(node.op_type, inputs, before=node, like=first)
    maker = moved.producer()
    assert maker is not None
    for name, attr in kept.items():
        maker.attributes[name] = attr
    turned = edit.node("Transpose", [moved], before=node, like=output, perm=permutation)
    name = node.name or node.op_type
    edit.replace_node(node, turned)
    below = turned.producer()
    assert below is not None
    below.name, maker.name = edit.unique(f"{name}/Transpose"), name


def _meets_transpose(value: ir.Value) -> bool:
    """Whether, behind elementwise nodes that nobody else reads, a Transpose follows."""
    for _ in range(_FARTHEST):
        reader = sole_consumer(value)
        if reader is None or reader.op_type == "Transpose":
            return reader is not None
        if reader.op_type not in _ELEMENTWISE or sum(constant(item) is None for item in reader.inputs if item) > 1:
            return False
        value = reader.outputs[0]
    return False


_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
_ELEMENTWISE = (
    "Abs", "Add", "Ceil", "Clip", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu",
    "Log", "Max", "Min", "Mish", "Mul", "Neg", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Softplus",
    "Softsign", "Sqrt", "Sub", "Tanh",
)  # fmt: skip
_FARTHEST = 16

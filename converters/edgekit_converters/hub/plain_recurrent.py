"""Bring RNN, LSTM and GRU to one form: time first, one direction, no lengths."""

from __future__ import annotations

import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, attribute, dims, integers, nodes_of

RECURRENT = ("RNN", "LSTM", "GRU")

_LENGTHS = 4
_FIRST_STATE = 5
_LAST_STATE = 6
_BATCH_FIRST = ((2, 0, 1, 3), (1, 0, 2), (1, 0, 2))
"""What turns the outputs of a time-first layer into those of a batch-first one: Y, Y_h and Y_c."""


def plain_recurrent(model: ir.Model) -> int:
    """Make every recurrent layer time-first (layout 0) and split bidirectional ones in two; drop lengths that say nothing.

    ONNX Runtime knows no other layout, int8 weights have one scale a row of one direction, and TFLite has no lengths.
    A bidirectional layer with parameters for its activations stays whole. Returns the number of layers changed.
    """
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, *RECURRENT):
        if _full_lengths(node):
            node.replace_input_with(_LENGTHS, None)
            changes += 1
        if attribute(node, "layout", 0) == 1:
            _put_time_first(node, edit)
            changes += 1
        elif attribute(node, "direction", "forward") == "bidirectional" and not _has_activation_parameters(node):
            _split_directions(node, edit)
            changes += 1
    return changes


def _full_lengths(node: ir.Node) -> bool:
    """Whether the sequence lengths are constants, all of them the length of the input."""
    lengths = integers(node.inputs[_LENGTHS]) if len(node.inputs) > _LENGTHS else None
    shape = dims(node.inputs[0])
    if lengths is None or shape is None:
        return False
    return set(lengths) == {shape[attribute(node, "layout", 0)]}


def _put_time_first(node: ir.Node, edit: Editor) -> None:
    """Transpose what is batch-first: the data, the initial states and all outputs."""
    inputs = list(node.inputs)
    for index in (0, _FIRST_STATE, _LAST_STATE):
        if index < len(inputs) and inputs[index] is not None:
            inputs[index] = edit.node("Transpose", [inputs[index]], before=node, perm=(1, 0, 2))
    made = _layer(node, inputs, edit, {"layout": 0})
    for index, (old, new) in enumerate(zip(node.outputs, made, strict=True)):
        if _is_used(old):
            transposed = edit.node("Transpose", [new], before=node, like=old, perm=_BATCH_FIRST[index])
            edit.replace(old, transposed)
    _remove(node, made)


def _split_directions(node: ir.Node, edit: Editor) -> None:
    """A forward layer, a reverse layer and the concatenation of their outputs."""
    halves = [_halves(node, index, edit) for index in range(len(node.inputs))]
    activations = attribute(node, "activations", ())
    middle = len(activations) // 2
    made = []
    for place, (direction, names) in enumerate(
        (("forward", activations[:middle]), ("reverse", activations[middle:])),
    ):
        settings = {"direction": direction} | ({"activations": names} if names else {})
        made.append(_layer(node, [pair[place] for pair in halves], edit, settings))
    for index, old in enumerate(node.outputs):
        if _is_used(old):
            both = [direction[index] for direction in made]
            edit.replace(old, edit.node("Concat", both, before=node, like=old, axis=1 if index == 0 else 0))
    _remove(node, made[0])


def _halves(node: ir.Node, index: int, edit: Editor) -> tuple[ir.Value | None, ir.Value | None]:
    """An input for the forward and for the reverse layer: the data and the lengths are the same for both."""
    value = node.inputs[index]
    if value is None or index in (0, _LENGTHS):
        return value, value
    first = edit.node("Split", [value], before=node, outputs=2, axis=0, num_outputs=2)
    split = first.producer()
    assert split is not None
    return split.outputs[0], split.outputs[1]


def _layer(
    node: ir.Node, inputs: list[ir.Value | None], edit: Editor, settings: dict[str, object]
) -> tuple[ir.Value, ...]:
    """The outputs of a copy of ``node`` with other inputs and ``settings`` changed; those that nobody reads are omitted."""
    kept = {name: entry.value for name, entry in node.attributes.items() if name not in settings}
    first = edit.node(
        node.op_type, inputs, before=node, outputs=len(node.outputs), hint=node.name or "", **(kept | settings)
    )
    made = first.producer()
    assert made is not None
    for old, new in zip(node.outputs, made.outputs, strict=True):
        new.type = old.type
        if not _is_used(old):
            new.name = ""
    return tuple(made.outputs)


def _has_activation_parameters(node: ir.Node) -> bool:
    return bool(attribute(node, "activation_alpha") or attribute(node, "activation_beta"))


def _is_used(value: ir.Value) -> bool:
    return value.is_graph_output() or bool(value.uses())


def _remove(node: ir.Node, made: tuple[ir.Value, ...]) -> None:
    """Remove the layer that was replaced; the one that makes ``made`` gets its name."""
    name, graph, maker = node.name, node.graph, made[0].producer()
    assert graph is not None
    assert maker is not None
    graph.remove(node, safe=True)
    maker.name = name

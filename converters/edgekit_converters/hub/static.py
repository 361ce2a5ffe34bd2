"""`with_fixed_batch`: the hub of one batch size, every shape a number, for formats that want it so."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import partial

import onnx_ir as ir

from edgekit.errors import ConversionError
from edgekit_converters.hub.edit import dims, nodes_of, static_shape
from edgekit_converters.hub.fold_constants import fold_constants
from edgekit_converters.hub.fold_shapes import fold_shapes
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.input_shapes import bind_batch, bind_input_shapes
from edgekit_converters.hub.model import Hub
from edgekit_converters.hub.passes import until_settled
from edgekit_converters.hub.remove_no_ops import remove_dead_code
from edgekit_converters.hub.tidy import give_names
from edgekit_converters.hub.undecided import undecided_reason


def with_fixed_batch(hub: Hub, batch: int, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> Hub:
    """A new hub whose symbolic batch is ``batch`` and in which every value has a static shape.

    ``input_shapes`` fixes other symbolic dimensions, by input name. Nodes and values that remain keep their names, so that a plan
    made for ``hub`` holds for the result. Raises UsageError when ``input_shapes`` contradicts the model, ConversionError when a
    shape is still not known.
    """
    result = with_bound_batch(hub, batch, input_shapes)
    require_static(result.model)
    require_states_of_one_size(result)
    return result


def with_bound_batch(hub: Hub, batch: int, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> Hub:
    """As `with_fixed_batch`, but sizes that the data decides stay open."""
    result = hub.clone()
    model = result.model
    bind_input_shapes(model, input_shapes or {})
    bind_batch(model, batch)
    _bind_states(result, batch)
    planned = {node.name for node in model.graph}
    until_settled(
        model, (infer_shapes, fold_constants, fold_shapes, partial(_drop_identities, planned), remove_dead_code)
    )
    give_names(model)
    return result


def _bind_states(hub: Hub, batch: int) -> None:
    """The one open axis of a state, (layers, batch, units) say, is its batch."""
    states = {state.input for state in hub.states}
    for value in hub.model.graph.inputs:
        open_axes = [dim for dim in value.shape or () if not isinstance(dim, int)]
        if value.name in states and value.shape is not None and len(open_axes) == 1:
            value.shape = ir.Shape([dim if isinstance(dim, int) else batch for dim in value.shape])


def require_states_of_one_size(hub: Hub) -> None:
    """Raises ConversionError for a state that grows from call to call; every shape is static."""
    graph = hub.model.graph
    shapes = {value.name: static_shape(value) for value in (*graph.inputs, *graph.outputs)}
    for state in hub.states:
        before, after = shapes[state.input], shapes[state.output]
        if before != after:
            raise ConversionError(
                f"the state {state.input!r} has the shape {_text(before)} before a call and {_text(after)} after it, as "
                f"{state.output!r}; a file of fixed shapes can't carry it. Fix its size with --input-shape, or write ONNX"
            )


def _drop_identities(planned: Set[str | None], model: ir.Model) -> int:
    """Remove the Identity nodes that come out of a folded If; those that a plan may know stay."""
    dropped = 0
    for node in nodes_of(model, "Identity"):
        source, output = node.inputs[0], node.outputs[0]
        if node.name not in planned and source is not None and not output.is_graph_output():
            output.replace_all_uses_with(source)
            dropped += 1
    return dropped


def require_static(model: ir.Model) -> None:
    """Raises ConversionError for a value whose shape is not known in numbers."""
    graph = model.graph
    for value in graph.inputs:
        if static_shape(value) is None:
            raise ConversionError(
                f"the input {value.name!r} has the shape {_text(dims(value))}; a fixed shape is needed. Give it with "
                f"--input-shape {value.name}={_example(dims(value))}"
            )
    for node in graph:
        for value in node.outputs:
            if static_shape(value) is None and node.op_type == "If":
                raise ConversionError(f"node {node.name!r} (If) can't be written: {undecided_reason(node)}")
            if static_shape(value) is None and (value.uses() or value.is_graph_output()):
                raise ConversionError(
                    f"the shape of {value.name!r}, made by node {node.name!r} ({node.op_type}), depends on the data: it is "
                    f"{_text(dims(value))}. Where an input's dimension decides it, give that with --input-shape"
                )


def _text(shape: tuple[int | str | None, ...] | None) -> str:
    return "unknown" if shape is None else "x".join("?" if dim is None else str(dim) for dim in shape)


def _example(shape: tuple[int | str | None, ...] | None) -> str:
    return "x".join(str(dim) if isinstance(dim, int) else "N" for dim in shape or ())

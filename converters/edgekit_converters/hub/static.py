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


def with_fixed_batch(hub: Hub, batch: int, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> Hub:
    """A new hub whose symbolic batch is ``batch`` and in which every value has a static shape.

    ``input_shapes`` fixes other symbolic dimensions, by input name. Nodes and values that remain keep their names, so that a plan
    made for ``hub`` holds for the result. Raises UsageError when ``input_shapes`` contradicts the model, ConversionError when a
    shape is still not known.
    """
    result = with_bound_batch(hub, batch, input_shapes)
    require_static(result.model)
    return result


def with_bound_batch(hub: Hub, batch: int, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> Hub:
    """As `with_fixed_batch`, but sizes that the data decides stay open."""
    result = hub.clone()
    model = result.model
    bind_input_shapes(model, input_shapes or {})
    bind_batch(model, batch)
    planned = {node.name for node in model.graph}
    until_settled(
        model, (infer_shapes, fold_constants, fold_shapes, partial(_drop_identities, planned), remove_dead_code)
    )
    give_names(model)
    return result


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
            if static_shape(value) is None and (value.uses() or value.is_graph_output()):
                raise ConversionError(
                    f"the shape of {value.name!r}, made by node {node.name!r} ({node.op_type}), depends on the data: it is "
                    f"{_text(dims(value))}. Where an input's dimension decides it, give that with --input-shape"
                )


def _text(shape: tuple[int | str | None, ...] | None) -> str:
    return "unknown" if shape is None else "x".join("?" if dim is None else str(dim) for dim in shape)


def _example(shape: tuple[int | str | None, ...] | None) -> str:
    return "x".join(str(dim) if isinstance(dim, int) else "N" for dim in shape or ())

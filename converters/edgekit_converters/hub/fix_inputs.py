"""Inputs that become constants, because a device only ever feeds one value: a sample rate, a switch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit_converters.hub.edit import Editor, dims, static_shape
from edgekit_converters.hub.model import Hub


def fix_inputs(hub: Hub, values: Mapping[str, float]) -> Hub:
    """A hub without these inputs; those that its reader made constants already are passed over.

    Raises UsageError for an unknown input, one of open shape, or a number that its type can't hold.
    """
    waiting = {name: value for name, value in values.items() if name not in hub.fixed_inputs}
    if not waiting:
        return hub
    result = hub.clone()
    bind_input_values(result.model, waiting)
    return replace(result, fixed_inputs=(*hub.fixed_inputs, *waiting))


def bind_input_values(model: ir.Model, values: Mapping[str, float]) -> None:
    """Put a constant in the place of each input named, in place. Raises UsageError."""
    edit = Editor(model)
    inputs = {value.name: value for value in model.graph.inputs}
    for name, number in values.items():
        if name not in inputs:
            listed = ", ".join(repr(known) for known in inputs)
            raise UsageError(f"--input-value names the input {name!r}; the model's inputs are {listed}")
        value = inputs[name]
        if value.is_graph_output():
            raise UsageError(f"--input-value {name}: this input is an output as well, which a constant can't be")
        made = edit.constant(_filled(value, number), f"{name}_value")
        model.graph.inputs.remove(value)
        value.replace_all_uses_with(made)


def _filled(value: ir.Value, number: float) -> NDArray[Any]:
    shape = static_shape(value)
    if shape is None:
        shown = "x".join("?" if dim is None else str(dim) for dim in dims(value) or ("unknown",))
        raise UsageError(f"--input-value {value.name}: its shape {shown} is open; fix it with --input-shape as well")
    assert value.dtype is not None
    wanted = np.dtype(value.dtype.numpy())
    array = np.full(shape, number).astype(wanted)
    if wanted.kind != "f" and not (array == number).all():
        raise UsageError(f"--input-value {value.name}={number:g}: the input is {wanted}, which can't hold that number")
    return array

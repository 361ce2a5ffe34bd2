"""Fix symbolic dimensions of a model's inputs."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from edgekit.errors import UsageError


def bind_input_shapes(model: ir.Model, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Give inputs the shapes asked for, in place; a symbolic dimension that other inputs share is fixed there too.

    ``shapes`` by input name; the key "" stands for the only input, or for all where they are alike. Returns the number of
    dimensions fixed. Raises UsageError for an unknown input, another rank, or a dimension that the model fixes to another number.
    """
    bindings: dict[str, int] = {}
    fixed = 0
    for name, wanted in shapes.items():
        fixed += sum(_bind(value, wanted, bindings) for value in _inputs(model, name))
    return fixed + bind_symbols(model, bindings)


def bind_batch(model: ir.Model, batch: int) -> int:
    """Fix the first axis of every input, where it is symbolic; returns the number of dimensions fixed."""
    bindings: dict[str, int] = {}
    fixed = 0
    for value in model.graph.inputs:
        if value.shape is not None and len(value.shape) and not isinstance(value.shape[0], int):
            fixed += _bind(value, (batch, *(-1 for _ in value.shape[1:])), bindings)
    return fixed + bind_symbols(model, bindings)


def bind_symbols(model: ir.Model, bindings: Mapping[str, int]) -> int:
    """Fix symbolic dimensions of the inputs by name; expressions of them are computed."""
    fixed = 0
    for value in model.graph.inputs:
        if value.shape is None or not (value.shape.free_symbols() & set(bindings)):
            continue
        value.shape = value.shape.evaluate(dict(bindings))
        fixed += 1
    return fixed


def _inputs(model: ir.Model, name: str) -> list[ir.Value]:
    inputs = {value.name or "": value for value in model.graph.inputs}
    if name == "" and len(set(map(_declared, inputs.values()))) == 1:
        return list(inputs.values())
    if name not in inputs:
        asked = "a shape without an input's name" if name == "" else f"a shape for the input {name!r}"
        raise UsageError(f"--input-shape gives {asked}; the model's inputs are {', '.join(map(repr, inputs))}")
    return [inputs[name]]


def _bind(value: ir.Value, wanted: tuple[int, ...], bindings: dict[str, int]) -> int:
    """-1 in ``wanted`` leaves a dimension as it is."""
    current = list(value.shape) if value.shape is not None else [ir.SymbolicDim(None) for _ in wanted]
    if len(current) != len(wanted):
        raise UsageError(f"--input-shape {value.name}={_text(wanted)} has {len(wanted)} dimensions; {_declared(value)}")
    result: list[int | ir.SymbolicDim] = []
    for dim, number in zip(current, wanted, strict=True):
        if isinstance(dim, int) and number not in (-1, dim):
            raise UsageError(f"--input-shape {value.name}={_text(wanted)} contradicts the model; {_declared(value)}")
        if number == 0 or number < -1:
            raise UsageError(f"--input-shape {value.name}={_text(wanted)}: dimensions are 1 or more (-1: as it is)")
        if not isinstance(dim, int) and number > 0 and dim.value is not None:
            bound = bindings.setdefault(str(dim.value), number)
            if bound != number:
                raise UsageError(
                    f"--input-shape gives the dimension {dim.value!r} of {value.name!r} the size {number}, but {bound} elsewhere"
                )
        result.append(dim if number == -1 else number)
    value.shape = ir.Shape(result)
    return sum(not isinstance(dim, int) and number != -1 for dim, number in zip(current, wanted, strict=True))


def _declared(value: ir.Value) -> str:
    shape = value.shape if value.shape is not None else ()
    return f"the model declares {_text(tuple(dim if isinstance(dim, int) else str(dim.value or '?') for dim in shape))}"


def _text(shape: tuple[int | str, ...]) -> str:
    return "x".join(map(str, shape)) or "a scalar"

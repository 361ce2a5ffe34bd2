"""Constant operands by use: what a node reads, and a hub in which it reads something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import Editor, constant
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.scheme import name_of, value_name


def with_operands(hub: Hub, operands: Mapping[Use, NDArray[Any]]) -> Hub:
    """A new hub with these arrays in the place of constant operands; constants that nothing reads any more are gone. What was one
    constant stays one wherever the arrays are equal."""
    result = hub.clone()
    editor = Editor(result.model)
    by_name = {name_of(node): node for node in result.model.graph}
    made: dict[tuple[ir.Value, tuple[int, ...], bytes], ir.Value] = {}
    for use, array in operands.items():
        node = by_name[use.node]
        old = node.inputs[use.index]
        assert old is not None
        key = (old, array.shape, array.tobytes())
        if key not in made:
            made[key] = editor.constant(array, value_name(old))
        node.replace_input_with(use.index, made[key])
    constants = result.model.graph.initializers
    for name in [name for name, value in constants.items() if not (value.uses() or value.is_graph_output())]:
        del constants[name]
    return result


def operand_of(hub: Hub, use: Use) -> NDArray[Any]:
    """The constant that a node reads."""
    node = next(node for node in hub.model.graph if name_of(node) == use.node)
    array = constant(node.inputs[use.index])
    assert array is not None
    return array

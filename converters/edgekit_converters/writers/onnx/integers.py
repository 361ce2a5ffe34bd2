"""What stands around an operator that computes on integers: the constants it reads, and the node that quantizes its result."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.writers.onnx.editor import GraphEditor

Integers = NDArray[np.generic]


def quantize_after(node: ir.Node) -> ir.Node | None:
    """The QuantizeLinear that alone reads the node."""
    uses = list(node.outputs[0].uses())
    alone = len(uses) == 1 and not node.outputs[0].is_graph_output()
    return uses[0].node if alone and uses[0].node.op_type == "QuantizeLinear" else None


def parts_of(value: ir.Value | None) -> tuple[Integers, Integers, Integers]:
    """Integers, scales and zero points behind a DequantizeLinear of a constant."""
    dequantize = dequantized(value)
    assert dequantize is not None
    integers, scale, zero_point = (array_of(each) for each in dequantize.inputs)
    return integers, scale, zero_point


def dequantized(value: ir.Value | None) -> ir.Node | None:
    """The DequantizeLinear of a constant that makes ``value``."""
    node = value.producer() if value is not None else None
    if (
        node is None
        or node.op_type != "DequantizeLinear"
        or any(v is None or v.const_value is None for v in node.inputs)
    ):
        return None
    return node


def array_of(value: ir.Value | None) -> Integers:
    assert value is not None
    assert value.const_value is not None
    return value.const_value.numpy()


def stored(
    editor: GraphEditor, integers: Integers, scale: Integers, zero_point: Integers, count: int, name: str
) -> ir.Value:
    """A constant as DequantizeLinear along its first axis; ``count`` groups of channels have the same scales."""
    if scale.size != 1:
        scale, zero_point = np.tile(scale, count), np.tile(zero_point, count)
    else:
        scale, zero_point = scale.reshape(()), zero_point.reshape(())
    operands = [editor.initializer(name, integers)]
    operands += [editor.initializer(f"{name}_{part}", a) for part, a in (("scale", scale), ("zero_point", zero_point))]
    axis: dict[str, Any] = {"axis": 0} if scale.size != 1 else {}
    return editor.node("DequantizeLinear", operands, name, **axis)[0]

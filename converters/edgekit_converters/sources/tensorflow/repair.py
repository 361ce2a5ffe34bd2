"""Operators that tf2onnx has no rule for, in words that it has. Runs in a child process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def exportable(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """The graph with Erfc, of which TensorFlow makes the exact GELU, as ``1 + erf(-x)``."""
    import tensorflow as tf

    repaired = tf.compat.v1.GraphDef()
    repaired.CopyFrom(graph)
    for node in [node for node in repaired.node if node.op == "Erfc"]:
        source, dtype = node.input[0], node.attr["T"].type
        for name, op, given in (("negated", "Neg", source), ("erf", "Erf", f"{node.name}/negated")):
            added = repaired.node.add(name=f"{node.name}/{name}", op=op, input=[given])
            added.attr["T"].type = dtype
        one = repaired.node.add(name=f"{node.name}/one", op="Const")
        one.attr["dtype"].type = dtype
        one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1.0, dtype))
        node.op = "AddV2"
        node.input[:] = [f"{node.name}/erf", one.name]
    return repaired

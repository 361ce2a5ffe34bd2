"""Splits into equal parts whose sizes are not written: of parts that lose channels, each has a size of its own."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import attribute, dims, nodes_of
from edgekit_converters.quantize.scheme import name_of


def with_split_sizes(hub: Hub) -> Hub:
    """A hub whose Splits have their sizes as a constant, where they are known."""
    result = hub.clone()
    for node in nodes_of(result.model, "Split"):
        axis = attribute(node, "axis", 0)
        sizes = [(dims(output) or (None,))[axis] for output in node.outputs]
        if (len(node.inputs) > 1 and node.inputs[1] is not None) or not all(isinstance(size, int) for size in sizes):
            continue
        array = np.array(sizes, np.int64)
        value = ir.Value(name=f"{name_of(node)}:sizes", const_value=ir.tensor(array, name=f"{name_of(node)}:sizes"))
        value.type, value.shape = ir.TensorType(ir.DataType.INT64), ir.Shape([len(sizes)])
        result.model.graph.register_initializer(value)
        node.resize_inputs(2)
        node.replace_input_with(1, value)
        node.attributes.pop("num_outputs", None)
    return result

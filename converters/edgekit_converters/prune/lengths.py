"""`lengths_of`: how long the axes of all values are for one sample, those too that are told by the batch alone.

A batch of unknown size counts once. An axis that merges it with others, as heads or tokens of PyTorch's attention, has no known
length; it counts as many as are merged with one sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import all_values, attribute, dims

Lengths = tuple[int, ...]


def lengths_of(hub: Hub) -> dict[str, Lengths]:
    """By the name of the value."""
    found = {value.name: _written(value) for value in all_values(hub.model) if value.name and value.shape is not None}
    for node in hub.model.graph:
        for output in node.outputs:
            if output.name in found and (dims(output) or ()) != found[output.name]:
                found[output.name] = _carried(node, output, found)
    return found


def _written(value: ir.Value) -> Lengths:
    return tuple(dim if isinstance(dim, int) else 1 for dim in dims(value) or ())


def _carried(node: ir.Node, output: ir.Value, found: Mapping[str, Lengths]) -> Lengths:
    """The output's lengths; those that are not written are what the node's first input has there."""
    value, own = node.inputs[0] if node.inputs else None, _written(output)
    given = found.get(value.name or "") if value is not None else None
    if given is None:
        return own
    unknown = [axis for axis, dim in enumerate(dims(output) or ()) if not isinstance(dim, int)]
    if node.op_type in ("Reshape", "Flatten"):
        share = math.prod(given) // max(1, math.prod(own))
        return own if len(unknown) != 1 else tuple(share if axis in unknown else n for axis, n in enumerate(own))
    if node.op_type == "Transpose":
        perm = attribute(node, "perm") or tuple(reversed(range(len(given))))
        given = tuple(given[axis] for axis in perm)
    if len(given) != len(own):
        return own
    return tuple(given[axis] if axis in unknown else n for axis, n in enumerate(own))

"""Checks that a plan gives one encoding to inputs and output where the int8 kernels demand it."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.errors import ConversionError
from edgekit_converters.quantize.params import QuantParams
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.node import HubNode


def require_shared_encoding(node: HubNode, out: FlatGraph, inputs: Iterable[int] = (0,)) -> None:
    """Raises ConversionError when an input's encoding differs from an output's; float nodes pass.

    The TFLite int8 specification lists the ops whose kernels move or select integers without rescaling them.
    """
    if not out.is_integer(node):
        return
    for position in range(node.output_count):
        expected = out.output_params(node, position)
        for index in inputs:
            found = out.input_params(node, index) if node.has(index) else None
            if expected is not None and found is not None and not expected.same_as(found):
                raise ConversionError(
                    f"node {node.name!r}: the int8 kernel of {node.op} needs one encoding for its inputs and outputs, but "
                    f"the plan gives input {index} {_shown(found)} and output {position} {_shown(expected)}. "
                    f"Keep the node in float (--keep-float {node.name!r})."
                )


def _shown(params: QuantParams) -> str:
    return f"scale {float(params.scale):g}, zero point {int(params.zero_point)}"

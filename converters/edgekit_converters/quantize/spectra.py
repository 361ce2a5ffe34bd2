"""The front end of a sound model stays float: 256 levels hold the loud parts of a spectrum only."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from edgekit.target import Target
from edgekit_converters.hub.edit import producer, scalar
from edgekit_converters.quantize.quant_plan import Execution, NodePlan
from edgekit_converters.quantize.walks import makers, reached, readers
from edgekit_converters.rules import CLAMPS, RULES, Role


def keep_spectra_float(nodes: list[ir.Node], planned: dict[str, NodePlan], target: Target) -> None:
    """Keep float what leads to a logarithm or to magnitudes that layers work on, and the layers that read magnitudes.

    A logarithm makes the small values as important as the large ones. Without one, the first layer takes its place: it reads
    magnitudes whose quiet parts 8 bits can't tell apart (silero-vad: 98.9 % of its decisions survive with 8 bits there, 99.7 %
    with float). At the model's end, of a softmax say, no layer follows and nothing is kept.
    """
    if target.integer_only:
        return
    for node in nodes:
        layers = _layers_behind(node)
        if not layers:
            continue
        if node.op_type == "Log":
            _keep(
                reached(node, makers),
                planned,
                f"it leads to the logarithm {node.name}, which magnifies errors of small values",
            )
        elif _is_magnitude(node):
            _keep(
                reached(node, makers),
                planned,
                f"it leads to the magnitudes {node.name}, most of them far below the largest",
            )
            _keep(
                layers | _clamps_on(layers),
                planned,
                f"it reads the magnitudes {node.name}, most of them far below the largest",
            )


def _keep(nodes: set[ir.Node], planned: dict[str, NodePlan], reason: str) -> None:
    for node in nodes:
        assert node.name is not None
        if planned[node.name].execution is Execution.INTEGER:
            planned[node.name] = NodePlan(Execution.FLOAT, reason)


def _is_magnitude(node: ir.Node) -> bool:
    """The square root of the sum of two squares: what a complex number's absolute value is spelled with."""
    total = producer(node.inputs[0], "Add") if node.op_type == "Sqrt" else None
    if total is None:
        return False
    if not all(map(_is_square, total.inputs)):  # a small constant may be added to keep the root's slope finite
        inner = [producer(value, "Add") for value in total.inputs if scalar(value) is None]
        return len(inner) == 1 and inner[0] is not None and all(map(_is_square, inner[0].inputs))
    return True


def _is_square(value: ir.Value | None) -> bool:
    made = producer(value, "Pow", "Mul")
    if made is None:
        return False
    return scalar(made.inputs[1]) == 2.0 if made.op_type == "Pow" else made.inputs[0] is made.inputs[1]


def _layers_behind(node: ir.Node) -> set[ir.Node]:
    """The first convolutions or dense layers on each way from the node."""
    return {later for later in reached(node, _readers_short_of_layers) if _is_layer(later)}


def _clamps_on(layers: set[ir.Node]) -> set[ir.Node]:
    """Clamps that read a layer, and so belong to it."""
    return {use.node for layer in layers for use in layer.outputs[0].uses() if use.node.op_type in CLAMPS}


def _is_layer(node: ir.Node) -> bool:
    rule = RULES.get(node.op_type)
    return rule is not None and rule.role is Role.COMPUTE


def _readers_short_of_layers(node: ir.Node) -> Iterator[ir.Node]:
    """Readers of the node's outputs; a layer's own are not asked for."""
    return iter(()) if _is_layer(node) else readers(node)

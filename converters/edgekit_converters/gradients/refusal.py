"""`NoGradientError`: an operator that gradients can't be followed through."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.errors import ConversionError
from edgekit_converters.quantize.scheme import name_of


class NoGradientError(ConversionError):
    """Says which node and what to ask for instead."""

    def __init__(self, node: ir.Node, why: str = "") -> None:
        form = f" {why}" if why else ""
        super().__init__(
            f"node {name_of(node)!r} ({node.op_type}){form} has no gradient here, and importance 'taylor' needs that of every "
            "node behind a pruned layer. Use importance 'second-order', which needs none."
        )

"""What removed units are compared with: a hub of the old size that computes the same as the one without them."""

from __future__ import annotations

import numpy as np

from edgekit_converters.hub import Hub
from edgekit_converters.prune.dependencies import Array, Dependencies, Role, Stays
from edgekit_converters.quantize.operands import operand_of, with_operands
from edgekit_converters.quantize.quant_plan import Use


def silence(hub: Hub, found: Dependencies, stays: Stays) -> Hub:
    """The hub with all weights at 0 that make or take units that don't stay."""
    silent: dict[Use, Array] = {}
    for cut in found.cuts:
        if cut.role is not Role.FOLLOWS:
            array = silent.setdefault(cut.use, np.array(operand_of(hub, cut.use)))
            np.moveaxis(array, cut.axis, 0)[~stays[cut.units]] = 0
    return with_operands(hub, silent)

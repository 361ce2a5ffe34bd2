"""A layer of which only the step that it takes first is read has one step."""

from __future__ import annotations

import pytest
from recurrent_models import last_step_of

from edgekit_converters.hub.read_first_step import read_first_step
from edgekit_converters.hub.read_last_state import read_last_state
from edgekit_converters.hub.remove_no_ops import remove_dead_code

PASSES = (read_first_step, read_last_state, remove_dead_code)


def steps(hub):
    (layer,) = [node for node in hub.model.graph if node.op_type in ("RNN", "LSTM", "GRU")]
    return layer.inputs[0].shape[0]


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize(("direction", "index"), [("forward", 0), ("reverse", -1), ("reverse", 6)])
def test_the_other_steps_are_cut_off(after, ops, kind, direction, index):
    hub = after(last_step_of(kind, direction, index, squeezed=False), *PASSES)
    assert steps(hub) == 1
    assert ops(hub) == {"Slice": 1, kind: 1, "Identity": 1}


@pytest.mark.parametrize(("direction", "index"), [("forward", 3), ("forward", -1), ("reverse", 0)])
def test_another_step_needs_those_before_it(after, direction, index):
    assert steps(after(last_step_of("GRU", direction, index, squeezed=False), *PASSES)) == 7

"""The last step of a recurrent layer's outputs is its last state."""

from __future__ import annotations

import numpy as np
import pytest
from recurrent_models import last_step_of

from edgekit_converters.hub.read_last_state import read_last_state
from edgekit_converters.hub.remove_no_ops import remove_dead_code

PASSES = (read_last_state, remove_dead_code)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize(("direction", "index"), [("forward", -1), ("forward", 6), ("reverse", 0)])
def test_the_last_step_is_the_last_state(after, ops, kind, direction, index):
    hub = after(last_step_of(kind, direction, index), *PASSES)
    assert ops(hub) == {kind: 1, "Squeeze": 1}


@pytest.mark.parametrize(("direction", "index"), [("forward", 0), ("forward", 5), ("reverse", -1)])
def test_another_step_is_gathered(after, ops, direction, index):
    hub = after(last_step_of("LSTM", direction, index), *PASSES)
    assert ops(hub)["Gather"] == 1


def test_an_index_that_keeps_the_axis_is_left_alone(after, ops):
    hub = after(last_step_of("LSTM", "forward", np.array([-1])), *PASSES)
    assert ops(hub)["Gather"] == 1


def test_without_a_squeeze_it_is_the_state_itself(after, ops):
    hub = after(last_step_of("GRU", "forward", -1, squeezed=False), *PASSES)
    assert ops(hub) == {"GRU": 1, "Identity": 1}

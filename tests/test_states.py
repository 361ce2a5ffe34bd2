"""Which inputs are taken for states, and which only the user can tell."""

from __future__ import annotations

import pytest

from edgekit.artifact import State, TensorSpec
from edgekit.errors import UsageError
from edgekit.states import decide_states, find_states

SHAPE = (2, "batch", 8)


def specs(*names: str, shape: tuple[int | str, ...] = SHAPE) -> list[TensorSpec]:
    return [TensorSpec(name, "float32", shape) for name in names]


def ends(inputs: str, outputs: str) -> tuple[list[TensorSpec], list[TensorSpec]]:
    """The named states, and an input and an output beside them."""
    other = TensorSpec("x", "float32", (1, 4)), TensorSpec("y", "float32", (1, 3))
    return [other[0], *specs(*inputs.split())], [other[1], *specs(*outputs.split())]


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ("state", "stateN"),
        ("h c", "hn cn"),
        ("h0 c0", "hn cn"),
        ("h_0 c_0", "h_n c_n"),
        ("hx cx", "hy cy"),
        ("cache_in", "cache_out"),
        ("in_cache", "out_cache"),
        ("prev_hidden", "next_hidden"),
        ("cached_len_0 cached_len_1", "new_cached_len_0 new_cached_len_1"),
        ("state_0 state_1", "state_0_out state_1_out"),
        ("state", "state.1"),
        ("lstm_state_h_in lstm_state_c_in", "lstm_state_h_out lstm_state_c_out"),
        ("memoryIn", "memoryOut"),
        ("cache", "output_1"),
    ],
)
def test_names_of_one_state_are_found(inputs: str, outputs: str) -> None:
    found = find_states(*ends(inputs, outputs)).states
    assert [(state.input, state.output) for state in found] == list(zip(inputs.split(), outputs.split(), strict=True))


@pytest.mark.parametrize(
    ("inputs", "outputs"), [("image_in", "image_out"), ("noise", "noise_out"), ("hidden_states", "last_hidden_state")]
)
def test_other_names_are_no_states(inputs: str, outputs: str) -> None:
    assert find_states(*ends(inputs, outputs)).states == ()


def test_a_model_of_states_alone_is_called_once() -> None:
    assert find_states(specs("state_in"), specs("state_out")).states == ()


def test_another_shape_or_type_is_another_value() -> None:
    inputs, _ = ends("state", "")
    for output in (TensorSpec("stateN", "float32", (2, "batch", 9)), TensorSpec("stateN", "float64", SHAPE)):
        assert find_states(inputs, [*specs("y"), output]).states == ()


@pytest.mark.parametrize(("inputs", "outputs"), [("state", "stateN state_out"), ("h c", "output_1 output_2")])
def test_several_fitting_outputs_are_left_to_the_user(inputs: str, outputs: str) -> None:
    found = find_states(*ends(inputs, outputs))
    assert found.states == ()
    assert len(found.notes) == len(inputs.split())
    assert "--state" in found.notes[0]


def test_what_the_user_tells_goes_before_what_the_names_tell() -> None:
    inputs, outputs = ends("state h", "stateN state_out hn")
    found = decide_states([State("state", "state_out", 0.5)], (), inputs, outputs).states
    assert found == (State("state", "state_out", 0.5), State("h", "hn"))


def test_what_the_reader_knows_needs_no_names() -> None:
    inputs, outputs = ends("a", "b")
    assert decide_states(None, [State("a", "b")], inputs, outputs).states == (State("a", "b"),)


def test_the_user_can_say_that_there_are_none() -> None:
    assert decide_states((), (), *ends("state", "stateN")).states == ()


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ([State("z", "stateN")], "names the input 'z', which the model has not"),
        ([State("state", "z")], "names the output 'z'"),
        ([State("state", "y")], "can't go round: the input is float32 2xbatchx8, the output float32 1x3"),
        ([State("state", "stateN"), State("state", "stateN")], "named in two states"),
    ],
)
def test_states_that_cannot_be_are_refused(states: list[State], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        decide_states(states, (), *ends("state", "stateN"))

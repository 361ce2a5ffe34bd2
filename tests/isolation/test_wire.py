from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekit.artifact import Quantization, TensorSpec
from edgekit.isolation.wire import Channel, decode, encode
from edgekit.recipe import Effort, Precision, Recipe, Rule

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
KEYS = st.text() | st.integers() | st.tuples(st.text(), st.integers())
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner), max_leaves=12
)


def round_trip(value):
    text, arrays = encode(value)
    payload = bytearray()
    for array in arrays:
        payload += array.tobytes() + bytes(-array.nbytes % 64)
    return decode(text, payload)


@given(VALUES)
def test_plain_values_come_back_equal(value):
    assert round_trip(value) == value


@given(
    st.lists(
        hnp.arrays(
            st.sampled_from(["f4", "f2", "i1", "u2", "i8", "?", "c8", "U3", "S2"]),
            hnp.array_shapes(min_dims=0, min_side=0),
        )
    )
)
def test_arrays_come_back_equal_to_the_bit_and_writable(arrays):
    for sent, got in zip(arrays, round_trip(arrays), strict=True):
        assert got.dtype == sent.dtype
        assert got.shape == sent.shape
        assert got.tobytes() == sent.tobytes()
        assert got.flags.writeable


def test_edgekit_dataclasses_enums_and_paths_cross():
    value = {
        "recipe": Recipe(rules=(Rule("conv*", Precision.FLOAT32),), effort=Effort.PLAIN),
        "spec": TensorSpec("x", "int8", ("batch", 3), Quantization(0.5, 3)),
        "path": Path("/somewhere/model.onnx"),
    }
    assert round_trip(value) == value


def test_numpy_scalars_become_python_numbers():
    assert round_trip([np.float32(0.5), np.int64(3), np.bool_(True)]) == [0.5, 3, True]


@pytest.mark.parametrize("value", [object(), print, np.array([object()]), {"a": [json.JSONDecoder()]}])
def test_what_cannot_cross_is_refused_with_its_place(value):
    with pytest.raises(TypeError, match=r"value.*can't be sent"):
        encode(value)


@pytest.mark.parametrize(
    "name",
    ["subprocess:Popen", "edgekit.artifact:sha256_of", "edgekit.artifact:Path", "edgekit.isolation.wire:Channel"],
)
def test_only_own_dataclasses_are_built_by_name(name):
    with pytest.raises(ValueError, match="is not accepted"):
        decode(json.dumps({"data": name, "fields": {}}).encode(), bytearray())


def test_an_array_of_objects_is_not_accepted():
    with pytest.raises(ValueError, match="not accepted"):
        decode(json.dumps({"array": "|O", "shape": [1]}).encode(), bytearray(64))


def test_an_array_larger_than_what_was_sent_is_not_accepted():
    with pytest.raises((ValueError, TypeError)):
        decode(json.dumps({"array": "<f4", "shape": [1000]}).encode(), bytearray(64))


def test_a_closed_channel_ends_the_conversation():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        Channel(theirs).close()
        with pytest.raises(EOFError):
            Channel(ours).receive()


def test_a_deadline_ends_the_waiting():
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        Channel(ours).receive(deadline=0.0)

"""Recurrent layers of old Keras files and stateful ones, against the cells' definitions in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from keras_files import functional, input_layer, layer, normal, ops, read, run, sequential, write_h5

from edgekit.errors import SourceError, UnsupportedLayerError
from edgekit.protocols import ReadOptions
from edgekit_converters.sources.keras import KerasSource

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
UNITS, FEATURES, STEPS = 3, 2, 5
SIGMOID = {"recurrent_activation": "sigmoid"}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def lstm(x, kernel, recurrent, bias, gate=sigmoid, h=None, c=None):
    """All outputs and both states; the gates in Keras's order."""
    h = np.zeros((len(x), UNITS)) if h is None else h
    c = np.zeros((len(x), UNITS)) if c is None else c
    outputs = []
    for step in x.swapaxes(0, 1):
        i, f, g, o = np.split(step @ kernel + h @ recurrent + bias, 4, axis=1)
        c = gate(f) * c + gate(i) * np.tanh(g)
        h = gate(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1), h, c


def gru(x, kernel, recurrent, bias, recurrent_bias, gate=sigmoid, *, after):
    h = np.zeros((len(x), UNITS))
    for step in x.swapaxes(0, 1):
        z, r, g = np.split(step @ kernel + bias, 3, axis=1)
        uz, ur, ug = np.split(recurrent, 3, axis=1)
        bz, br, bg = np.split(recurrent_bias, 3)
        z, r = gate(z + h @ uz + bz), gate(r + h @ ur + br)
        g = np.tanh(g + (r * (h @ ug + bg) if after else (r * h) @ ug + bg))
        h = z * h + (1 - z) * g
    return h


def arrays(gates):
    shapes = ((FEATURES, gates * UNITS), (UNITS, gates * UNITS), (gates * UNITS,), (gates * UNITS,))
    return [normal(*shape, seed=seed) for seed, shape in enumerate(shapes)]


def one_layer(kind, **config):
    entry = (kind, {"name": "it", "batch_input_shape": [None, STEPS, FEATURES], **config})
    return sequential(entry)


X = normal(4, STEPS, FEATURES, seed=9)


@pytest.mark.parametrize("consume_less", ["cpu", "mem", "gpu"])
def test_keras_1_lstm_has_an_array_a_gate_in_the_order_input_cell_forget_output(tmp_path, consume_less):
    kernel, recurrent, bias, _ = arrays(4)
    if consume_less == "gpu":
        stored = {"it_W": kernel, "it_U": recurrent, "it_b": bias}
    else:
        stored = {
            f"it_{name}_{gate}": np.split(array, 4, axis=-1)["ifco".index(gate)]
            for gate in "icfo"
            for name, array in zip("WUb", (kernel, recurrent, bias), strict=True)
        }
    own = {"output_dim": UNITS, "activation": "tanh", "inner_activation": "hard_sigmoid", "consume_less": consume_less}
    path = write_h5(tmp_path / "old.h5", one_layer("LSTM", **own), {"it": stored}, keras_version="1.2.2")
    np.testing.assert_allclose(run(path, X)[0], lstm(X, kernel, recurrent, bias, hard_sigmoid)[1], **CLOSE)


def test_keras_1_gru_has_an_array_a_gate_and_resets_before(tmp_path):
    kernel, recurrent, bias, _ = arrays(3)
    stored = {
        f"it_{name}_{gate}": np.split(array, 3, axis=-1)["zrh".index(gate)]
        for gate in "zrh"
        for name, array in zip("WUb", (kernel, recurrent, bias), strict=True)
    }
    own = {"output_dim": UNITS, "activation": "tanh", "inner_activation": "hard_sigmoid", "consume_less": "cpu"}
    path = write_h5(tmp_path / "old.h5", one_layer("GRU", **own), {"it": stored}, keras_version="1.2.2")
    expected = gru(X, kernel, recurrent, bias, 0 * bias, hard_sigmoid, after=False)
    np.testing.assert_allclose(run(path, X)[0], expected, **CLOSE)


def test_keras_2_reads_its_hard_sigmoid_and_a_gru_without_reset_after_resets_before(tmp_path):
    kernel, recurrent, bias, _ = arrays(3)
    config = one_layer("GRU", units=UNITS, recurrent_activation="hard_sigmoid", implementation=1)
    path = write_h5(tmp_path / "m.h5", config, {"it": {"k": kernel, "r": recurrent, "b": bias}}, keras_version="2.2.4")
    expected = gru(X, kernel, recurrent, bias, 0 * bias, hard_sigmoid, after=False)
    np.testing.assert_allclose(run(path, X)[0], expected, **CLOSE)


def to_cudnn(array, gates, *, recurrent):
    """As cuDNN keeps the kernels: the memory of every gate turned, in the shape of the others."""
    parts = np.split(array, gates, axis=1)
    return np.concatenate([part.T if recurrent else part.T.reshape(part.shape) for part in parts], axis=1)


def test_cudnn_lstm_has_turned_kernels_and_two_biases(tmp_path):
    kernel, recurrent, bias, other = arrays(4)
    stored = {
        "k": to_cudnn(kernel, 4, recurrent=False),
        "r": to_cudnn(recurrent, 4, recurrent=True),
        "b": np.concatenate([bias, other]),
    }
    config = one_layer("CuDNNLSTM", units=UNITS, return_sequences=True)
    path = write_h5(tmp_path / "m.h5", config, {"it": stored}, keras_version="2.2.4")
    np.testing.assert_allclose(run(path, X)[0], lstm(X, kernel, recurrent, bias + other)[0], **CLOSE)


def test_cudnn_gru_resets_after(tmp_path):
    kernel, recurrent, bias, other = arrays(3)
    stored = {
        "k": to_cudnn(kernel, 3, recurrent=False),
        "r": to_cudnn(recurrent, 3, recurrent=True),
        "b": np.concatenate([bias, other]),
    }
    config = one_layer("CuDNNGRU", units=UNITS)
    path = write_h5(tmp_path / "m.h5", config, {"it": stored}, keras_version="2.2.4")
    np.testing.assert_allclose(run(path, X)[0], gru(X, kernel, recurrent, bias, other, after=True), **CLOSE)


def test_keras_2_gives_initial_states_beside_the_sequence(tmp_path):
    kernel, recurrent, bias, _ = arrays(4)
    entries = [
        *(input_layer("x", STEPS, FEATURES), input_layer("h", UNITS), input_layer("c", UNITS)),
        layer("LSTM", "it", ("x", 0, 0), ("h", 0, 0), ("c", 0, 0), units=UNITS, **SIGMOID, return_state=True),
    ]
    outputs = [["it", 0, 0], ["it", 0, 2]]
    config = functional(entries, ["x", "h", "c"], outputs)
    path = write_h5(tmp_path / "m.h5", config, {"it": {"k": kernel, "r": recurrent, "b": bias}}, keras_version="2.3.1")
    h, c = normal(4, UNITS, seed=5), normal(4, UNITS, seed=6)
    _, last, cell = lstm(X, kernel, recurrent, bias, h=h, c=c)
    for found, expected in zip(run(path, X, h, c), (last, cell), strict=True):
        np.testing.assert_allclose(found, expected, **CLOSE)


def test_a_stateful_layer_takes_its_state_and_gives_it_back(tmp_path):
    kernel, recurrent, bias, _ = arrays(4)
    config = one_layer("LSTM", units=UNITS, recurrent_activation="sigmoid", stateful=True)
    config["config"][0]["config"]["batch_input_shape"] = [4, STEPS, FEATURES]
    path = write_h5(tmp_path / "m.h5", config, {"it": {"k": kernel, "r": recurrent, "b": bias}}, keras_version="2.3.1")
    hub = read(path)
    assert [spec.name for spec in hub.inputs] == ["it_input", "it_state_h_in", "it_state_c_in"]
    assert [spec.name for spec in hub.outputs] == ["it", "it_state_h_out", "it_state_c_out"]
    assert [str(state) for state in hub.states] == [
        "it_state_h_out -> it_state_h_in",
        "it_state_c_out -> it_state_c_in",
    ]
    assert {spec.shape[0] for spec in (*hub.inputs, *hub.outputs)} == {"batch"}
    assert any("_state_" in note for note in hub.notes)
    zeros = np.zeros((4, UNITS), np.float32)
    _, h, c = run(path, X, zeros, zeros)
    again = run(path, X, h, c)
    expected = lstm(np.concatenate([X, X], 1), kernel, recurrent, bias)
    for found, wanted in zip(again, (expected[1], *expected[1:]), strict=True):
        np.testing.assert_allclose(found, wanted, **CLOSE)
    assert KerasSource().reference(path, ReadOptions()) is None


def test_states_of_both_ways_and_of_stacked_cells_have_names_of_their_own(tmp_path):
    inner = {"class_name": "GRU", "config": {"name": "gru", "units": UNITS, "stateful": True, "use_bias": False}}
    cells = [
        {"class_name": "SimpleRNNCell", "config": {"name": f"c{n}", "units": 2, "use_bias": False}} for n in (0, 1)
    ]
    stack = {"class_name": "StackedRNNCells", "config": {"name": "cells", "cells": cells}}
    entries = [
        input_layer("x", STEPS, FEATURES),
        layer("Bidirectional", "both", ("x", 0, 0), layer=inner, merge_mode="sum"),
        layer("RNN", "deep", ("x", 0, 0), cell=stack, stateful=True),
    ]
    weights = {
        "both": {f"w{n}": array for n, array in enumerate(arrays(3)[:2] * 2)},
        "deep": {f"w{n}": normal(2, 2, seed=n) for n in range(4)},
    }
    config = functional(entries, ["x"], [["both", 0, 0], ["deep", 0, 0]])
    hub = read(write_h5(tmp_path / "m.h5", config, weights, keras_version="2.3.1"))
    names = ["both_forward_state_h", "both_backward_state_h", "deep_0_state_h", "deep_1_state_h"]
    assert [spec.name for spec in hub.inputs] == ["x", *(f"{name}_in" for name in names)]
    assert [spec.name for spec in hub.outputs] == ["both", "deep", *(f"{name}_out" for name in names)]


def test_stacked_layers_pass_their_steps_on_without_transposes(tmp_path):
    entries = [
        ("LSTM", {"name": "a", "units": 2, "use_bias": False, "return_sequences": True, "batch_input_shape": [None, 5, 2]}),
        ("GRU", {"name": "b", "units": 2, "use_bias": False, "return_sequences": True}),
        ("SimpleRNN", {"name": "c", "units": 2, "use_bias": False}),
    ]  # fmt: skip
    weights = {name: {"k": normal(2, 2 * n), "r": normal(2, 2 * n)} for name, n in (("a", 4), ("b", 3), ("c", 1))}
    hub = read(write_h5(tmp_path / "m.h5", sequential(*entries), weights, keras_version="2.2.4"))
    assert ops(hub) == ["Transpose", "LSTM", "Squeeze", "GRU", "Squeeze", "RNN", "Squeeze"]


def test_an_activation_that_no_recurrent_node_has_is_written_out_step_by_step(tmp_path):
    kernel, recurrent = normal(FEATURES, UNITS), normal(UNITS, UNITS, seed=1)
    config = one_layer("SimpleRNN", units=UNITS, activation="swish", use_bias=False, return_sequences=True)
    path = write_h5(tmp_path / "m.h5", config, {"it": {"k": kernel, "r": recurrent}})
    h, expected = np.zeros((4, UNITS)), []
    for step in X.swapaxes(0, 1):
        total = step @ kernel + h @ recurrent
        h = total * sigmoid(total)
        expected.append(h)
    np.testing.assert_allclose(run(path, X)[0], np.stack(expected, 1), **CLOSE)


def test_a_sequence_too_long_to_be_written_out_is_refused_by_name(tmp_path):
    config = one_layer("SimpleRNN", units=2, activation="swish", use_bias=False)
    config["config"][0]["config"]["batch_input_shape"] = [None, 300, 2]
    path = write_h5(tmp_path / "m.h5", config, {"it": {"k": normal(2, 2), "r": normal(2, 2)}})
    with pytest.raises(UnsupportedLayerError, match=r"'it'.*up to 256 steps; it gets 300"):
        read(path)


def test_a_cell_that_is_not_keras_s_own_is_refused_by_name(tmp_path):
    cell = {"class_name": "PeepholeLSTMCell", "config": {"name": "cell", "units": 2}}
    path = write_h5(tmp_path / "m.h5", one_layer("RNN", cell=cell), {"it": {}})
    with pytest.raises(UnsupportedLayerError, match=r"'it' repeats a PeepholeLSTMCell.*LSTMCell"):
        read(path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (one_layer("LSTM", units=4, use_bias=False), "expected 4 units"),
        (one_layer("RNN"), "expected a mapping"),
        (one_layer("Bidirectional", layer=3), "expected a mapping"),
    ],
)
def test_a_damaged_recurrent_layer_is_a_source_error(tmp_path, config, message):
    path = write_h5(tmp_path / "m.h5", config, {"it": {"k": normal(2, 12), "r": normal(3, 12)}})
    with pytest.raises(SourceError, match=message):
        read(path)


def test_steps_that_a_mask_hides_anywhere_are_left_out(tmp_path):
    kernel, recurrent, bias, _ = arrays(4)
    table = normal(6, FEATURES, seed=7)
    entries = [
        input_layer("words", STEPS, dtype="int32"),
        layer("Embedding", "table", ("words", 0, 0), input_dim=6, output_dim=FEATURES, mask_zero=True),
        layer("LSTM", "it", ("table", 0, 0), units=UNITS, **SIGMOID, return_sequences=True, return_state=True),
        layer("LSTM", "back", ("table", 0, 0), units=UNITS, **SIGMOID, go_backwards=True),
    ]
    config = functional(entries, ["words"], [["it", 0, 0], ["it", 0, 1], ["it", 0, 2], ["back", 0, 0]])
    stored = {"k": kernel, "r": recurrent, "b": bias}
    weights = {"table": {"e": table}, "it": stored, "back": stored}
    path = write_h5(tmp_path / "m.h5", config, weights, keras_version="2.3.1")
    words = np.array([[1, 2, 3, 4, 5], [0, 0, 3, 4, 5], [1, 2, 0, 0, 0], [0, 2, 0, 4, 0], [0, 0, 0, 0, 0]], np.int32)
    outputs, h, c, back = run(path, words)
    for row, sample in enumerate(words):
        shown = table[sample[sample != 0]][None]
        steps, last, carry = lstm(shown, kernel, recurrent, bias) if shown.size else (np.zeros((1, 0, UNITS)),) * 3
        held = np.concatenate([np.zeros((1, UNITS)), steps[0]])[np.cumsum(sample != 0)]
        np.testing.assert_allclose(outputs[row], held, **CLOSE)
        np.testing.assert_allclose(h[row], last[0] if shown.size else np.zeros(UNITS), **CLOSE)
        np.testing.assert_allclose(c[row], carry[0] if shown.size else np.zeros(UNITS), **CLOSE)
        turned = lstm(shown[:, ::-1], kernel, recurrent, bias)[1][0] if shown.size else np.zeros(UNITS)
        np.testing.assert_allclose(back[row], turned, **CLOSE)


def test_a_mask_over_an_unknown_number_of_steps_asks_for_it(tmp_path):
    entries = [
        ("Masking", {"name": "m", "batch_input_shape": [None, None, 2]}),
        ("SimpleRNN", {"name": "it", "units": 2, "use_bias": False}),
    ]
    path = write_h5(tmp_path / "m.h5", sequential(*entries), {"it": {"k": normal(2, 2), "r": normal(2, 2)}})
    with pytest.raises(UnsupportedLayerError, match=r"'it'.*mask of shape.*--input-shape"):
        read(path)

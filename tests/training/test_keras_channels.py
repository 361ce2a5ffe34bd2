"""Channels removed from Keras models: rebuilt from their configuration, they answer as the silenced whole."""

from __future__ import annotations

import numpy as np
import pytest

import edgekit.prune
from edgekit.errors import UsageError
from edgekit.prune import OneShot

keras = pytest.importorskip("keras")
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # inside Keras
]


def convolutional():
    layers = keras.layers
    given = keras.Input((8, 8, 3))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same", use_bias=False)(given)))
    gate = layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(x))
    gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.Conv2D(4, 1, activation="swish")(gate))
    x = layers.Add()([x, layers.Multiply()([x, gate])])
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3)(x))
    x = layers.Concatenate()([layers.Conv2D(6, 1, activation="relu")(x), layers.SeparableConv2D(10, 1)(x)])
    return keras.Model(given, layers.Dense(5)(layers.Flatten()(x)))


def decoder():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(4 * 4 * 8, activation="relu"),
            layers.Reshape((4, 4, 8)),
            layers.Conv2DTranspose(6, 4, 2, "same", use_bias=False),
            layers.BatchNormalization(center=False),
            layers.LeakyReLU(),
            layers.Conv2DTranspose(1, 3, padding="same"),
        ]
    )


def recurrent(layer):
    return keras.Sequential([keras.Input((6, 5)), layer, keras.layers.Dense(8, "relu"), keras.layers.Dense(3)])


def attention():
    layers = keras.layers
    given = keras.Input((6, 16))
    x = layers.LayerNormalization()(given + layers.MultiHeadAttention(4, 5, value_dim=6)(given, given))
    x = x + layers.Dense(16)(layers.Dense(24, "gelu")(x))
    return keras.Model(given, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def shared_heads(keys=2):
    layers = keras.layers
    given = keras.Input((6, 16))
    attended = layers.GroupQueryAttention(4, 4 if keys > 1 else 8, keys)(given, given)
    x = layers.LayerNormalization()(given + attended)
    return keras.Model(given, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def both_directions(layer):
    layers = keras.layers
    inner = layers.Bidirectional(layer(12, return_sequences=True))
    return keras.Sequential([keras.Input((6, 5)), inner, layers.Bidirectional(layer(8)), layers.Dense(3)])


MAKERS = {
    "convolutional": convolutional,
    "decoder": decoder,
    "lstm": lambda: recurrent(keras.layers.LSTM(12)),
    "gru": lambda: recurrent(keras.layers.GRU(12)),
    "attention": attention,
    "grouped-query attention": shared_heads,
    "lstm of both directions": lambda: both_directions(keras.layers.LSTM),
    "gru of both directions": lambda: both_directions(keras.layers.GRU),
    "rnn": lambda: recurrent(keras.layers.SimpleRNN(12)),
}


def made(kind):
    keras.utils.set_random_seed(0)
    model = MAKERS[kind]()
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(random.uniform(0.5, 2, variable.shape))
        elif variable.name in ("beta", "moving_mean", "bias"):
            variable.assign(random.standard_normal(variable.shape) / 4)
    return model, random.standard_normal((64, *model.input_shape[1:])).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_the_smaller_model_answers_as_the_silenced_one(kind):
    model, x = made(kind)
    pruner = edgekit.prune.keras_channels(model, x, "25%", schedule=OneShot(at=1))
    pruner.step()
    smaller = pruner.finish()
    assert smaller.macs[1] <= 0.75 * smaller.macs[0]
    assert smaller.model.count_params() < model.count_params()
    wanted = model(x, training=False).numpy()
    assert np.abs(smaller.model(x, training=False).numpy() - wanted).max() < 1e-5 * np.abs(wanted).max()


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_the_refitted_model_is_closer_to_the_whole_and_trains_on(kind):
    model, x = made(kind)
    whole = model(x, training=False).numpy()
    refitted = edgekit.prune.keras_channels(model, x, "25%").finish().model
    error = np.square(refitted(x, training=False).numpy() - whole).mean()
    pruner = edgekit.prune.keras_channels(model, x, "25%", schedule=OneShot(at=1))
    pruner.step()
    assert error < np.square(pruner.finish().model(x, training=False).numpy() - whole).mean()
    refitted.compile(keras.optimizers.SGD(1e-3), "mse")
    assert np.isfinite(refitted.train_on_batch(x, whole))


def test_the_smaller_model_keeps_its_names_and_can_be_saved(tmp_path):
    model, x = made("lstm")
    smaller = edgekit.prune.keras_channels(model, x, "25%").finish().model
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in model.layers]
    smaller.save(tmp_path / "smaller.keras")
    again = keras.models.load_model(tmp_path / "smaller.keras")
    np.testing.assert_allclose(again(x).numpy(), smaller(x).numpy(), rtol=1e-6, atol=1e-6)


def test_an_attention_has_fewer_heads_of_the_same_width():
    model, x = made("attention")
    smaller = edgekit.prune.keras_channels(model, x, "50%").finish()
    (layer,) = (one for one in smaller.model.layers if type(one).__name__ == "MultiHeadAttention")
    assert layer.num_heads < 4
    assert (layer.key_dim, layer.value_dim) == (5, 6)


def test_a_group_of_queries_goes_with_its_keys_and_values():
    model, x = made("grouped-query attention")
    smaller = edgekit.prune.keras_channels(model, x, "40%").finish()
    (layer,) = (one for one in smaller.model.layers if "Query" in type(one).__name__)
    assert (layer.num_query_heads, layer.num_key_value_heads, layer.head_dim) == (2, 1, 4)


def test_both_directions_keep_the_same_number_of_units():
    model, x = made("lstm of both directions")
    smaller = edgekit.prune.keras_channels(model, x, "50%").finish().model
    for layer in smaller.layers[:2]:
        assert layer.forward_layer.units == layer.backward_layer.units
    assert smaller.layers[0].forward_layer.units < 12


def test_a_layer_that_skips_padding_loses_units():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    words = layers.Embedding(20, 12, mask_zero=True)
    model = keras.Sequential([keras.Input((9,), dtype="int32"), words, layers.LSTM(12), layers.Dense(3)])
    x = np.random.default_rng(0).integers(0, 20, (64, 9)).astype(np.int32)
    smaller = edgekit.prune.keras_channels(model, x, "25%").finish().model
    assert smaller.layers[1].units < 12


def test_operators_between_layers_are_rebuilt_too():
    keras.utils.set_random_seed(0)
    given = keras.Input((8,))
    joined = 2.0 * keras.layers.Dense(12, "relu", name="wide")(given) + keras.layers.Dense(12)(given)
    model = keras.Model(given, keras.layers.Dense(3)(joined))
    x = np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32)
    assert edgekit.prune.keras_channels(model, x, "25%").finish().units["wide"][1] < 12


def test_a_layer_without_a_configuration_is_named():
    class Own(keras.layers.Layer):
        def get_config(self):
            raise NotImplementedError("none")

        def call(self, x):
            return x

    model = keras.Sequential([keras.Input((8,)), Own(name="mine"), keras.layers.Dense(3)])
    with pytest.raises(UsageError, match=r"'mine' \(Own\) .* none. Give its class a get_config\(\)"):
        edgekit.prune.keras_channels(model, np.zeros((8, 8), np.float32))


def test_a_subclassed_model_is_refused():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = keras.layers.Dense(3)

        def call(self, x):
            return self.layer(x)

    model = Own()
    model(np.zeros((1, 4), np.float32))
    with pytest.raises(UsageError, match="expected a functional or Sequential one"):
        edgekit.prune.keras_channels(model, np.zeros((8, 4), np.float32))

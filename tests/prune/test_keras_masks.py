"""Masks in Keras 3: with fit, train_on_batch and an own GradientTape."""

from __future__ import annotations

import numpy as np
import pytest

import edgekit.prune
from edgekit.errors import UsageError
from edgekit.prune import Polynomial

keras = pytest.importorskip("keras")
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # inside Keras
]


def network(optimizer="adam"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 4)),
            keras.layers.Conv2D(8, 3, activation="relu", name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(4, name="dense"),
        ]
    )
    model.compile(optimizer, "mse")
    return model


def samples():
    random = np.random.default_rng(0)
    return random.standard_normal((32, 6, 6, 4)).astype(np.float32), random.standard_normal((32, 4)).astype(np.float32)


def test_fit_with_the_callback_follows_the_schedule():
    model = network()
    pruner = edgekit.prune.keras(model, "75%", schedule=Polynomial(0, 6, every=2))
    model.fit(*samples(), batch_size=4, epochs=1, verbose=0, callbacks=[edgekit.prune.keras_callback(pruner)])
    assert pruner.sparsity().by_tensor == {"conv/kernel": 0.75, "dense/kernel": 0.75}


def test_zeros_stay_zero_with_momentum_in_plain_calls():
    model = network(keras.optimizers.SGD(0.1, momentum=0.9))
    pruner = edgekit.prune.keras(model, "50%")
    zeros = model.get_layer("dense").kernel.numpy() == 0
    for _ in range(4):
        model.train_on_batch(*samples())
        pruner.step()
    assert (model.get_layer("dense").kernel.numpy()[zeros] == 0).all()
    assert pruner.finish().share == 0.5


def test_zeros_stay_zero_in_an_own_loop():
    tensorflow = pytest.importorskip("tensorflow")
    model = network()
    pruner = edgekit.prune.keras(model, "2:4", skip=["conv/*"])
    optimizer = keras.optimizers.Adam(0.05)
    x, y = samples()
    for _ in range(3):
        with tensorflow.GradientTape() as tape:
            loss = tensorflow.reduce_mean((model(x) - y) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))  # noqa: B905
        pruner.step()
    kernel = model.get_layer("dense").kernel.numpy()
    assert ((kernel.T.reshape(4, -1, 4) != 0).sum(axis=2) == 2).all()
    assert pruner.left_alone == {"conv/kernel": "it is skipped"}


def test_a_checkpoint_brings_the_masks_back(tmp_path):
    model = network()
    pruner = edgekit.prune.keras(model, "50%", schedule=Polynomial(0, 8, every=2))
    for _ in range(5):
        model.train_on_batch(*samples())
        pruner.step()
    np.savez(tmp_path / "pruner.npz", **pruner.state_dict())
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    going_on = edgekit.prune.keras(again, "50%", schedule=Polynomial(0, 8, every=2))
    with np.load(tmp_path / "pruner.npz") as stored:
        going_on.load_state_dict(stored)
    assert going_on.sparsity() == pruner.sparsity()
    for _ in range(3):
        again.train_on_batch(*samples())
        going_on.step()
    assert going_on.sparsity().share == 0.5


def test_inputs_of_attention_and_transposed_kernels_are_known():
    x = keras.Input((5, 8))
    y = keras.layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    y = keras.layers.Conv1DTranspose(4, 3, name="up")(y)
    model = keras.Model(x, y)
    edgekit.prune.keras(model, "2:4")
    kernels = {variable.path: variable.numpy() for variable in model.trainable_variables if "kernel" in variable.path}
    axes = {"attention/query/kernel": 0, "attention/attention_output/kernel": 1, "up/kernel": 2}
    for path, axis in axes.items():
        moved = np.moveaxis(kernels[path], axis, -1).reshape(-1, 4)
        assert ((moved != 0).sum(axis=1) == 2).all(), path


def test_several_steps_in_one_call_are_refused():
    model = network()
    model.compile("adam", "mse", steps_per_execution=4)
    callback = edgekit.prune.keras_callback(edgekit.prune.keras(model, "50%"))
    with pytest.raises(UsageError, match="steps_per_execution=4"):
        model.fit(*samples(), verbose=0, callbacks=[callback])

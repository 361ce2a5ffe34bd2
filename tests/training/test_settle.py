"""New statistics of batch normalizations leave their answers as they are."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.training.settle import Normalization, Statistics

RANDOM = np.random.default_rng(0)


def test_other_statistics_give_the_same_function():
    old = Normalization(*RANDOM.uniform(0.5, 2, (4, 3)), 1e-3)
    new = old.with_statistics(RANDOM.standard_normal(3), RANDOM.uniform(0.1, 3, 3))
    x = RANDOM.standard_normal((5, 3))

    def apply(one: Normalization) -> np.ndarray:
        return one.factor * (x - one.mean) / np.sqrt(one.variance + one.epsilon) + one.offset

    np.testing.assert_allclose(apply(new), apply(old), rtol=1e-12)


def test_statistics_of_batches_are_those_of_all_together():
    x = RANDOM.standard_normal((10, 3, 4, 4)) + 2
    found = Statistics()
    found.add(x[:7], 1)
    found.add(x[7:], 1)
    np.testing.assert_allclose(found.mean, x.mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(found.variance, x.var(axis=(0, 2, 3)))


@pytest.mark.pytorch
def test_a_settled_module_answers_as_before_and_trains_on_its_own_statistics():
    torch = pytest.importorskip("torch")
    from edgekit_converters.training.torch_settle import settle_torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.ReLU(), torch.nn.Linear(6, 2))
    x = RANDOM.standard_normal((64, 4)).astype(np.float32) * 3 + 1
    given = torch.from_numpy(x)
    before = model.eval()(given).detach()
    settle_torch(model.train(), [x])
    assert model.training
    torch.testing.assert_close(model.eval()(given).detach(), before)
    # The same batch in training, which normalizes by it.
    torch.testing.assert_close(model.train()(given).detach(), before, rtol=1e-3, atol=1e-4)


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside Keras
def test_a_settled_keras_model_answers_as_before_and_trains_on_its_own_statistics():
    keras = pytest.importorskip("keras")
    from edgekit_converters.training.keras_settle import settle_keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(6), keras.layers.BatchNormalization(), keras.layers.ReLU(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    x = RANDOM.standard_normal((96, 4)).astype(np.float32) * 3 + 1
    before = model(x, training=False).numpy()
    settle_keras(model, [x])
    np.testing.assert_allclose(model(x, training=False).numpy(), before, rtol=1e-4, atol=1e-5)
    # The same batch in training, which normalizes by it.
    np.testing.assert_allclose(model(x, training=True).numpy(), before, rtol=1e-3, atol=1e-3)

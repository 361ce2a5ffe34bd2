"""The loss of distillation against its formula, in both frameworks."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import UsageError
from edgekit.prune import Distillation

RANDOM = np.random.default_rng(0)
STUDENT, TEACHER = (RANDOM.standard_normal((6, 5)).astype(np.float32) for _ in range(2))
LABELS = RANDOM.integers(0, 5, 6)


def softmax(logits):
    raised = np.exp(logits.astype(np.float64))
    return raised / raised.sum(axis=-1, keepdims=True)


def expected(temperature, alpha):
    wanted, found = softmax(TEACHER / temperature), softmax(STUDENT / temperature)
    apart = (wanted * np.log(wanted / found)).sum(axis=-1).mean()
    hard = -np.log(softmax(STUDENT)[np.arange(6), LABELS]).mean()
    return alpha * temperature**2 * apart + (1 - alpha) * hard


@pytest.mark.pytorch
@pytest.mark.parametrize(("temperature", "alpha"), [(4.0, 0.5), (1.0, 1.0), (2.0, 0.0)])
def test_the_loss_in_pytorch_is_the_formula(temperature, alpha):
    torch = pytest.importorskip("torch")
    student, teacher, labels = (torch.from_numpy(array) for array in (STUDENT, TEACHER, LABELS))
    found = Distillation(temperature, alpha).torch(student, teacher, labels)
    assert float(found) == pytest.approx(expected(temperature, alpha), rel=1e-5)


@pytest.mark.pytorch
def test_the_teacher_gets_no_gradient_in_pytorch():
    torch = pytest.importorskip("torch")
    student, teacher = (torch.tensor(array, requires_grad=True) for array in (STUDENT, TEACHER))
    Distillation(alpha=0.9).torch(student, teacher, torch.from_numpy(LABELS)).backward()
    assert teacher.grad is None
    assert bool(student.grad.abs().sum() > 0)


@pytest.mark.pytorch
def test_pixels_have_a_class_each_in_pytorch():
    torch = pytest.importorskip("torch")
    student, teacher = (torch.from_numpy(array).T.reshape(1, 5, 6) for array in (STUDENT, TEACHER))
    found = Distillation(3.0, 0.7).torch(student, teacher, torch.from_numpy(LABELS)[None])
    assert float(found) == pytest.approx(expected(3.0, 0.7), rel=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize(("temperature", "alpha"), [(4.0, 0.5), (1.0, 1.0), (2.0, 0.0)])
def test_the_loss_in_keras_is_the_formula(temperature, alpha):
    pytest.importorskip("keras")
    found = Distillation(temperature, alpha).keras(STUDENT, TEACHER, LABELS)
    assert float(found) == pytest.approx(expected(temperature, alpha), rel=1e-5)


@pytest.mark.pytorch
@pytest.mark.tensorflow
def test_numbers_are_compared_by_their_squares_in_both():
    torch = pytest.importorskip("torch")
    pytest.importorskip("keras")
    targets = np.zeros_like(STUDENT)
    wanted = 0.25 * ((STUDENT - TEACHER) ** 2).mean() + 0.75 * (STUDENT**2).mean()
    tensors = (torch.from_numpy(array) for array in (STUDENT, TEACHER, targets))
    loss = Distillation(alpha=0.25)
    assert float(loss.torch_numbers(*tensors)) == pytest.approx(wanted, rel=1e-5)
    assert float(loss.keras_numbers(STUDENT, TEACHER, targets)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"alpha": 1.5}])
def test_a_loss_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        Distillation(**wrong)

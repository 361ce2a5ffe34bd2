"""`Distillation`: the loss of a small network that learns from the answers of the large one it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from edgekit.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


@final
@dataclass(frozen=True, slots=True)
class Distillation:
    """After G. Hinton, O. Vinyals and J. Dean, "Distilling the Knowledge in a Neural Network", 2015.

    The loss of a classifier is ``alpha * T^2 * KL(softmax(teacher / T) || softmax(student / T)) + (1 - alpha) * CE(labels)``; of
    numbers, ``alpha * MSE(teacher) + (1 - alpha) * MSE(targets)``. Means over the samples. ``T`` is the ``temperature``.
    """

    temperature: float = 4.0
    alpha: float = 0.5

    def __post_init__(self) -> None:
        if self.temperature <= 0 or not 0 <= self.alpha <= 1:
            raise UsageError(
                f"temperature is {self.temperature}, alpha is {self.alpha}; expected temperature > 0 and alpha from 0 to 1"
            )

    def torch(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """Logits (N, classes, ...) of both networks and labels (N, ...) to a number. The teacher gets no gradient."""
        from torch.nn import functional

        heat = self.temperature
        wanted = functional.log_softmax(teacher.detach() / heat, 1)
        found = functional.log_softmax(student / heat, 1)
        apart = (wanted.exp() * (wanted - found)).sum(1).mean()
        return self.alpha * heat**2 * apart + (1 - self.alpha) * functional.cross_entropy(student, labels)

    def torch_numbers(self, student: Tensor, teacher: Tensor, targets: Tensor) -> Tensor:
        """For regression, and with targets of the teacher's own inside (alpha 1) for features: tensors of one shape."""
        from torch.nn import functional

        taught = functional.mse_loss(student, teacher.detach())
        return self.alpha * taught + (1 - self.alpha) * functional.mse_loss(student, targets)

    def keras(self, student: Any, teacher: Any, labels: Any) -> Any:
        """Logits (N, ..., classes) of both networks and labels (N, ...) to a number. The teacher gets no gradient."""
        from keras import ops

        heat = self.temperature
        wanted = ops.log_softmax(ops.stop_gradient(teacher) / heat, -1)
        found = ops.log_softmax(student / heat, -1)
        apart = ops.mean(ops.sum(ops.exp(wanted) * (wanted - found), -1))
        hard = ops.mean(ops.sparse_categorical_crossentropy(labels, student, from_logits=True))
        return self.alpha * heat**2 * apart + (1 - self.alpha) * hard

    def keras_numbers(self, student: Any, teacher: Any, targets: Any) -> Any:
        """For regression, and with targets of the teacher's own inside (alpha 1) for features: tensors of one shape."""
        from keras import ops

        taught = ops.mean(ops.square(student - ops.stop_gradient(teacher)))
        return self.alpha * taught + (1 - self.alpha) * ops.mean(ops.square(student - targets))

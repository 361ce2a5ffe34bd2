"""`keras`: masks for the weights of a Keras 3 network, for any loop; `keras_callback` for ``fit``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.prune.amount import Mask
from edgekit.prune.pruner import MaskPruner, Stepper, mask_pruner
from edgekit.prune.schedule import Schedule

if TYPE_CHECKING:
    import keras as keras_package

_KERNELS = ("kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel")


def keras(
    model: keras_package.Model, amount: str = "50%", *, schedule: Schedule | None = None, skip: Sequence[str] = ()
) -> MaskPruner:
    """A pruner of the kernels of a Keras model: "50%" of each, or "2:4" along its inputs. For TensorFlow and PyTorch as backends.

    ``skip``: patterns of variable paths that stay whole ("dense_3/*"). Without a ``schedule`` all is pruned at once. Call the
    pruner's ``step`` after each ``train_on_batch`` or ``optimizer.apply``, or give it to `keras_callback`. Raises UsageError.
    """
    _check_backend()
    return mask_pruner(_weights(model), amount, schedule, skip)


def keras_callback(pruner: Stepper) -> keras_package.callbacks.Callback:
    """What ``model.fit(callbacks=[...])`` takes: it calls the pruner's ``step`` after each batch."""
    import keras

    class Pruning(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped here
        def set_model(self, model: keras_package.Model) -> None:
            super().set_model(model)
            if getattr(model, "steps_per_execution", 1) != 1:
                raise UsageError(
                    f"the model is compiled with steps_per_execution={model.steps_per_execution}; expected 1, since pruned "
                    "weights are put to zero between the steps"
                )

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            pruner.step()

    return Pruning()


def _check_backend() -> None:
    import keras

    if keras.backend.backend() not in ("tensorflow", "torch"):
        raise UsageError(
            f"Keras runs on {keras.backend.backend()!r}, whose training keeps the weights to itself between the steps; expected "
            "'tensorflow' or 'torch'. Set KERAS_BACKEND before keras is imported."
        )


def _weights(model: keras_package.Model) -> Iterator[KerasWeights]:
    for layer in model._flatten_layers(include_self=False):
        for variable in layer._trainable_variables:
            if variable.name in _KERNELS and len(variable.shape) >= 2 and variable.trainable:
                # A loaded model's paths lack the name of the model that was saved.
                name = str(variable.path).removeprefix(f"{model.name}/")
                yield KerasWeights(name, variable, _input_axis(layer, len(variable.shape)))


def _input_axis(layer: Any, rank: int) -> int:
    """The axis of a kernel (..., inputs, outputs) that the layer sums over, the last of them."""
    equation = getattr(layer, "equation", None)
    if equation is None:
        return rank - 1 if type(layer).__name__.endswith("Transpose") else rank - 2
    operands, _, result = equation.partition("->")
    kernel = operands.rpartition(",")[2].strip()
    return max(axis for axis, letter in enumerate(kernel) if letter not in result)


@final
class KerasWeights:
    """A kernel; ``axis`` is the one that its layer sums over."""

    def __init__(self, name: str, variable: keras_package.Variable, axis: int) -> None:
        self.name, self._variable, self._axis = name, variable, axis
        self._mask: NDArray[np.bool_] | None = None
        self._factor: Any = None

    def read(self) -> NDArray[np.floating]:
        array = np.asarray(self._variable.numpy(), np.float32)
        return np.moveaxis(array, self._axis, -1)

    def set_mask(self, mask: Mask) -> None:
        self.load_mask(np.moveaxis(mask, -1, self._axis))

    def apply(self) -> None:
        if self._mask is not None:
            self._variable.assign(self._variable.value * self._factor)

    def saved_mask(self) -> NDArray[np.bool_]:
        return np.ones(self._variable.shape, bool) if self._mask is None else self._mask

    def load_mask(self, saved: Any) -> None:
        import keras

        self._mask = np.asarray(saved, bool)
        self._factor = keras.ops.convert_to_tensor(self._mask, dtype=self._variable.dtype)

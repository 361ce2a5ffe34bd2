"""A Keras model of the user's process as a hub, and where in it the model's weights are."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from edgekit.protocols import ReadOptions
from edgekit_converters.hub import Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.prune.split_sizes import with_split_sizes
from edgekit_converters.sources.keras import KerasSource
from edgekit_converters.training.keras_parameters import keras_parameters, keras_values, set_keras_values, weight_names
from edgekit_converters.training.keras_rebuild import rebuilt
from edgekit_converters.training.keras_settle import call, settle_keras
from edgekit_converters.training.network import Masks
from edgekit_converters.training.parameters import Values, unmistakable
from edgekit_converters.training.provenance import Kept, Provenance, provenance_of
from edgekit_converters.training.tags import Tags

if TYPE_CHECKING:
    import keras


@final
class KerasNetwork:
    """A `training.network.Network` over a functional or Sequential model."""

    def __init__(self, model: keras.Model) -> None:
        self.hub, self.provenance = read_keras_model(model)
        self._model = model

    def values(self) -> Values:
        return keras_values(self._model)

    def silence(self, masks: Masks) -> None:
        from keras import ops

        names = weight_names(self._model)
        for variable in self._model.trainable_variables:
            if (mask := masks.get(names.get(id(variable), ""))) is not None:
                variable.assign(variable.value * ops.convert_to_tensor(mask.astype(np.float32)))

    def cut(self, values: Values, kept: Mapping[str, Kept]) -> keras.Model:
        whole = rebuilt(self._model, {})
        set_keras_values(whole, values)
        return rebuilt(whole, kept)

    def answers(self, model: keras.Model, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        from keras import ops, tree

        given = [ops.convert_to_tensor(array) for array in samples]
        return [np.asarray(ops.convert_to_numpy(one)) for one in tree.flatten(call(model, given))]

    def settle(self, model: keras.Model, samples: Sequence[NDArray[Any]]) -> None:
        settle_keras(model, samples)


def read_keras_model(model: keras.Model) -> tuple[Hub, Provenance]:
    """The normalized hub of a functional or Sequential model. The model is not changed.

    Raises SourceError when it can't be read, ConversionError when its weights can't be followed, UsageError for other models.
    """
    copy = rebuilt(model, {})
    tags = Tags.of(keras_parameters(copy))
    set_keras_values(copy, unmistakable(tags.parameters, keras_values(copy)))
    hub = _hub(copy)
    set_keras_values(copy, {one.name: tags.values(one) for one in tags.parameters})
    with np.errstate(all="ignore"):  # what constants are folded to is of no interest where it is no tag
        tagged = _hub(copy)
    return hub, provenance_of(tags, hub, tagged)


def _hub(model: keras.Model) -> Hub:
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        return with_split_sizes(normalize(KerasSource().read(path, ReadOptions())))

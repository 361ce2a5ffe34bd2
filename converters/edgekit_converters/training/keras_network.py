"""A Keras model of the user's process as a hub, and where in it the model's weights are."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit.protocols import ReadOptions
from edgekit_converters.hub import Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.sources.keras import KerasSource
from edgekit_converters.training.keras_parameters import keras_parameters, set_keras_values
from edgekit_converters.training.keras_rebuild import rebuilt
from edgekit_converters.training.provenance import Provenance, provenance_of
from edgekit_converters.training.tags import Tags

if TYPE_CHECKING:
    import keras


def read_keras_model(model: keras.Model) -> tuple[Hub, Provenance]:
    """The normalized hub of a functional or Sequential model. The model is not changed.

    Raises SourceError when it can't be read, ConversionError when its weights can't be followed, UsageError for other models.
    """
    copy = rebuilt(model, {})
    tags = Tags.of(keras_parameters(copy))
    hub = _hub(copy)
    set_keras_values(copy, {one.name: tags.values(one) for one in tags.parameters})
    with np.errstate(all="ignore"):  # what constants are folded to is of no interest where it is no tag
        tagged = _hub(copy)
    return hub, provenance_of(tags, hub, tagged)


def _hub(model: keras.Model) -> Hub:
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        return normalize(KerasSource().read(path, ReadOptions()))

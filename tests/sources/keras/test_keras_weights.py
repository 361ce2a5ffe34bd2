"""Weights that a layer keeps in parts of its own, as recurrent layers do in their cells."""

from __future__ import annotations

import numpy as np
from keras_files import input_layer, layer, normal, sequential, write_h5, write_keras

from edgekit_converters.sources.keras import weights
from edgekit_converters.sources.keras.archive import opened
from edgekit_converters.sources.keras.config import parse_model
from edgekit_converters.sources.keras.rules.core import passes_through
from edgekit_converters.sources.keras.table import Rule

ROLES = (
    "forward_layer/cell/kernel",
    "forward_layer/cell/bias",
    "backward_layer/cell/kernel",
    "backward_layer/cell/bias",
)


def test_roles_with_a_part_are_found_in_its_folder_and_in_the_flat_list(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "rules", lambda: {"Bidirectional": Rule(passes_through, lambda _: ROLES)})
    entries = [input_layer("x", 4, 3), layer("Bidirectional", "both")]
    config = sequential(*((entry["class_name"], entry["config"]) for entry in entries))
    arrays = [normal(3, 8), normal(8, seed=1), normal(3, 8, seed=2), normal(8, seed=3)]
    places = [
        f"layers/bidirectional/{side}/cell/vars/{n}" for side in ("forward_layer", "backward_layer") for n in (0, 1)
    ]
    files = [
        write_keras(tmp_path / "m.keras", config, dict(zip(places, arrays, strict=True))),
        write_h5(tmp_path / "m.h5", config, {"both": {f"w{n}:0": array for n, array in enumerate(arrays)}}),
    ]
    for file in files:
        with opened(file) as archive:
            found = weights.load_weights(archive, parse_model(archive.config))
        assert list(found["both"]) == list(ROLES)
        for ours, theirs in zip(found["both"].values(), arrays, strict=True):
            np.testing.assert_array_equal(ours, theirs)

"""The values inside a recurrent layer are those that lead to its outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from recurrent_models import recurrent

from edgekit_converters.hub.expose_recurrent import expose_recurrent, role_name
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.quantize.calibrate import tapped_model
from edgekit_converters.quantize.calibrate_session import Calculator


def inside(kind: str, roles: tuple[str, ...], **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the layer gives, and the values of ``roles``, for one random input."""
    hub = normalize(recurrent(kind, **settings))
    exposed = expose_recurrent(hub, {"layer"})
    random = np.random.default_rng(1)
    feeds = {spec.name: random.standard_normal(spec.shape).astype(np.float32) for spec in hub.inputs}
    names = [*(spec.name for spec in hub.outputs), *(role_name("layer", role) for role in roles)]
    values = Calculator(tapped_model(exposed, names)).run(names, feeds)
    found = dict(zip(names, values, strict=True))
    return {name: found[name] for name in names if ":" not in name}, {r: found[role_name("layer", r)] for r in roles}


@pytest.mark.parametrize("states", [False, True])
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_the_cell_ends_where_the_layer_says(direction: str, states: bool) -> None:
    outputs, found = inside("LSTM", ("cell", "kept", "added", "hidden"), direction=direction, states=states)
    last = 0 if direction == "reverse" else -1
    np.testing.assert_allclose(found["cell"][last], outputs["y2"][0], atol=1e-5)
    np.testing.assert_allclose(found["kept"] + found["added"], found["cell"], atol=1e-5)
    np.testing.assert_allclose(found["hidden"], outputs["y0"][:, 0], atol=1e-6)


@pytest.mark.parametrize("reset_after", [0, 1])
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_a_gru_is_its_candidate_and_its_change(direction: str, reset_after: int) -> None:
    settings = {"direction": direction, "states": True, "linear_before_reset": reset_after}
    _, found = inside("GRU", ("candidate", "change", "hidden"), **settings)
    np.testing.assert_allclose(np.tanh(found["candidate"]) + found["change"], found["hidden"], atol=1e-5)


def test_a_rnn_squashes_its_gates() -> None:
    _, found = inside("RNN", ("gates", "projected", "recalled", "hidden"))
    np.testing.assert_allclose(found["projected"] + found["recalled"], found["gates"], atol=1e-6)
    np.testing.assert_allclose(np.tanh(found["gates"]), found["hidden"], atol=1e-6)

"""Recurrent layers in the plan: int8 weights, float state, no samples."""

from __future__ import annotations

import numpy as np
import pytest
from recurrent_models import recurrent

from edgekit.protocols import Silent
from edgekit.recipe import Precision, Recipe, Rule
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.quantize.quant_plan import Execution, Use
from edgekit_converters.quantize.quantize import Quantized, quantize

CPU = Target("cpu", "this machine")
KINDS = ("RNN", "LSTM", "GRU")


def quantized(hub: Hub, recipe: Recipe, target: Target = CPU) -> Quantized:
    return quantize(normalize(hub), recipe, target, None, Silent())


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.INT8_DYNAMIC])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_int8_with_one_scale_a_row(kind: str, precision: Precision) -> None:
    hub = recurrent(kind)
    plan = quantized(hub, Recipe(precision)).plan
    assert plan.execution("layer") is (Execution.WEIGHT_ONLY if kind == "RNN" else Execution.DYNAMIC)
    for index in (1, 2):
        weight = hub.model.graph[0].inputs[index].const_value.numpy()
        stored = plan.constants[Use("layer", index)]
        assert stored.integers.shape == weight.shape
        assert stored.params.scale.shape == (weight.shape[1],)
        step = stored.params.scale.reshape(1, -1, 1)
        assert (np.abs(stored.integers * step - weight) <= 0.75 * step).all()


def test_the_report_says_what_an_int8_layer_keeps_in_float() -> None:
    (kept,) = quantized(recurrent("LSTM"), Recipe(Precision.INT8)).float_nodes
    assert (kept.node, kept.op) == ("layer", "LSTM")
    assert "more than 8 bits" in kept.reason


def test_a_layer_kept_float_has_no_integers() -> None:
    recipe = Recipe(Precision.INT8, rules=(Rule("layer", Precision.FLOAT32),))
    plan = quantized(recurrent("GRU"), recipe).plan
    assert plan.execution("layer") is Execution.FLOAT
    assert not plan.constants


def test_float16_halves_the_weights() -> None:
    assert quantized(recurrent("GRU"), Recipe(Precision.FLOAT16)).plan.execution("layer") is Execution.WEIGHT_ONLY

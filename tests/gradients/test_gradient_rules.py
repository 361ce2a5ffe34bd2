"""Every rule against central differences: the vector-Jacobian product in a random direction is the directional derivative."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from gradient_cases import CURVES, PICTURE, PICTURES, POSITIVE, ROWS, SEQUENCES, VECTOR, Body, made, random

from edgekit.errors import ConversionError
from edgekit_converters.gradients.backward import backward
from edgekit_converters.gradients.rules import RULES
from edgekit_converters.hub.run import hub_session
from edgekit_converters.quantize.calibrate_session import Calculator

CASES = [
    *(pytest.param(VECTOR, body, False, id=name) for name, body in CURVES.items()),
    *(pytest.param(VECTOR, body, True, id=name) for name, body in POSITIVE.items()),
    *(pytest.param(ROWS, body, False, id=name) for name, body in SEQUENCES.items()),
    *(pytest.param(PICTURE, body, False, id=name) for name, body in PICTURES.items()),
]


@pytest.mark.parametrize(("shape", "body", "positive"), CASES)
def test_the_gradient_is_the_directional_derivative(shape: tuple[int, ...], body: Body, positive: bool) -> None:
    hub = made(shape, body)
    x = random(*shape, seed=17) * 1.3
    x = np.abs(x) + 0.3 if positive else x
    session = hub_session(hub)
    y = session.run({"x": x})["y"]
    along, probe, step = random(*shape, seed=8), random(*y.shape, seed=9), 2e-3
    ahead, behind = (session.run({"x": (x + sign * step * along)})["y"].astype(np.float64) for sign in (1, -1))
    wanted = float(((ahead - behind) / (2 * step) * probe).sum())
    found = backward(hub, ["y"], ["x"])
    gradient = gradients_of(found.model, found.gradients["x"], {"x": x, found.probes["y"]: probe})
    assert gradient.shape == x.shape
    scale = np.linalg.norm(gradient) * np.linalg.norm(along)
    assert abs(float((gradient * along).sum()) - wanted) < 2e-3 * scale


def gradients_of(model: ir.Model, value: ir.Value, feeds: dict[str, np.ndarray]) -> np.ndarray:
    proto = ir.to_proto(model)
    del proto.graph.output[:]
    proto.graph.output.append(ir.to_proto(value))
    found: np.ndarray = Calculator(proto).run([value.name or ""], feeds)[0]
    return found


def test_every_rule_has_a_case() -> None:
    """Swish stands in no graph of this opset; the shape operators come in pairs."""
    used = {node.op_type for case in CASES for node in made(*case.values[:2]).model.graph}
    assert set(RULES) - used <= {"Swish"}


def test_what_several_readers_pass_back_is_added_up() -> None:
    hub = made(VECTOR, lambda graph, x: graph.op("Mul", graph.op("Exp", x), graph.op("Add", x, graph.op("Exp", x))))
    found = backward(hub, ["y"], ["x"])
    x = random(*VECTOR)
    gradient = gradients_of(found.model, found.gradients["x"], {"x": x, found.probes["y"]: np.ones_like(x)})
    np.testing.assert_allclose(gradient, np.exp(x) * (x + 1) + 2 * np.exp(2 * x), rtol=1e-5)


def test_an_operator_without_a_gradient_is_refused_by_name() -> None:
    hub = made(
        VECTOR, lambda graph, x: graph.op("Exp", graph.op("CumSum", x, graph.constant(np.array(1)), name="running"))
    )
    with pytest.raises(ConversionError, match=r"node 'running' \(CumSum\) has no gradient.*second-order"):
        backward(hub, ["y"], ["x"])

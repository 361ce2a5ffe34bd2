"""Activations that an exporter spelled out are found again, however they were written."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.remove_no_ops import remove_dead_code
from edgekit_converters.hub.restore_activations import restore_activations

PASSES = (restore_activations,) * 3 + (remove_dead_code,)
SHAPE = ["batch", 4, 3]


def hub_of(formula):
    graph = GraphBuilder()
    x = graph.input("x", "float32", SHAPE)
    graph.output(formula(graph, x), "y")
    return graph.build("test")


def clip(graph, x, low=0.0, high=6.0):
    return graph.op("Clip", x, graph.constant(low), graph.constant(high))


def plus(graph, x, number):
    return graph.op("Add", x, graph.constant(number))


def times(graph, x, number):
    return graph.op("Mul", x, graph.constant(number))


HARD_SWISH = {
    "product, then divided": lambda g, x: g.op("Div", g.op("Mul", x, clip(g, plus(g, x, 3.0))), g.constant(6.0)),
    "gate divided first": lambda g, x: g.op("Mul", x, g.op("Div", clip(g, plus(g, x, 3.0)), g.constant(6.0))),
    "gate scaled first": lambda g, x: g.op("Mul", times(g, clip(g, plus(g, x, 3.0)), 1 / 6), x),
    "x scaled first": lambda g, x: g.op("Mul", times(g, x, 1 / 6), clip(g, plus(g, x, 3.0))),
    "relu and min": lambda g, x: times(
        g, g.op("Mul", x, g.op("Min", g.op("Relu", plus(g, x, 3.0)), g.constant(6.0))), 1 / 6
    ),
    "max and min": lambda g, x: g.op(
        "Div",
        g.op("Mul", g.op("Min", g.op("Max", plus(g, x, 3.0), g.constant(0.0)), g.constant(6.0)), x),
        g.constant(6.0),
    ),
    "hard sigmoid": lambda g, x: g.op("Mul", x, g.op("HardSigmoid", x, alpha=1 / 6, beta=0.5)),
    "unit clip": lambda g, x: g.op("Mul", x, clip(g, plus(g, times(g, x, 1 / 6), 0.5), 0.0, 1.0)),
}
GELU = {
    "halved last": lambda g, x: times(g, g.op("Mul", x, plus(g, erf(g, x), 1.0)), 0.5),
    "halved first": lambda g, x: g.op("Mul", times(g, x, 0.5), plus(g, erf(g, x), 1.0)),
    "halved inside": lambda g, x: g.op("Mul", plus(g, times(g, erf(g, x), 0.5), 0.5), x),
    "argument divided": lambda g, x: times(
        g, g.op("Mul", plus(g, g.op("Erf", g.op("Div", x, g.constant(math.sqrt(2)))), 1.0), x), 0.5
    ),
}
GELU_TANH = {
    "cube by pow": lambda g, x: g.op(
        "Mul",
        times(g, x, 0.5),
        plus(g, g.op("Tanh", times(g, g.op("Add", x, cube(g, x)), math.sqrt(2 / math.pi))), 1.0),
    ),
    "factored": lambda g, x: g.op(
        "Mul",
        times(g, x, 0.5),
        plus(
            g,
            g.op(
                "Tanh",
                g.op("Mul", times(g, x, 0.7978845608), plus(g, times(g, g.op("Mul", x, x), 0.044715), 1.0)),
            ),
            1.0,
        ),
    ),
}


def erf(graph, x):
    return graph.op("Erf", times(graph, x, math.sqrt(0.5)))


def cube(graph, x):
    return times(graph, graph.op("Pow", x, graph.constant(3.0)), 0.044715)


@pytest.mark.parametrize("spelling", HARD_SWISH)
def test_hard_swish(after, ops, spelling):
    assert ops(after(hub_of(HARD_SWISH[spelling]), *PASSES)) == {"HardSwish": 1}


@pytest.mark.parametrize("spelling", GELU)
def test_exact_gelu(after, ops, spelling):
    hub = after(hub_of(GELU[spelling]), *PASSES)
    assert ops(hub) == {"Gelu": 1}
    assert hub.model.graph[0].attributes["approximate"].value == "none"


@pytest.mark.parametrize("spelling", GELU_TANH)
def test_gelu_of_tanh(after, ops, spelling):
    hub = after(hub_of(GELU_TANH[spelling]), *PASSES)
    assert ops(hub) == {"Gelu": 1}
    assert hub.model.graph[0].attributes["approximate"].value == "tanh"


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (lambda g, x: clip(g, plus(g, times(g, x, 0.2), 0.5), 0.0, 1.0), "HardSigmoid"),
        (lambda g, x: g.op("Div", clip(g, plus(g, x, 3.0)), g.constant(6.0)), "HardSigmoid"),
        (lambda g, x: g.op("Min", g.op("Relu", x), g.constant(6.0)), "Clip"),
        (lambda g, x: g.op("Max", g.op("Min", x, g.constant(6.0)), g.constant(0.0)), "Clip"),
        (lambda g, x: g.op("Max", g.constant(0.0), x), "Relu"),
        (lambda g, x: g.op("Log", plus(g, g.op("Exp", x), 1.0)), "Softplus"),
        (lambda g, x: g.op("Mul", x, g.op("Tanh", g.op("Log", plus(g, g.op("Exp", x), 1.0)))), "Mish"),
        (lambda g, x: g.op("Div", g.constant(1.0), plus(g, g.op("Exp", g.op("Neg", x)), 1.0)), "Sigmoid"),
        (lambda g, x: g.op("Reciprocal", plus(g, g.op("Exp", times(g, x, -1.0)), 1.0)), "Sigmoid"),
        (lambda g, x: g.op("Max", times(g, x, 0.1), x), "LeakyRelu"),
        (lambda g, x: g.op("Where", g.op("Greater", x, g.constant(0.0)), x, times(g, x, 0.1)), "LeakyRelu"),
        (lambda g, x: g.op("Sub", g.op("Relu", x), times(g, g.op("Relu", g.op("Neg", x)), 0.3)), "LeakyRelu"),
    ],
)
def test_other_activations(after, ops, formula, expected):
    assert ops(after(hub_of(formula), *PASSES)) == {expected: 1}


def test_slopes_a_channel_make_a_prelu(after, ops):
    slopes = np.float32([[0.1], [0.2], [-0.3], [0.4]])

    def formula(graph, x):
        negative = graph.op("Mul", graph.constant(-slopes), graph.op("Relu", graph.op("Neg", x)))
        return graph.op("Add", negative, graph.op("Relu", x))

    assert ops(after(hub_of(formula), *PASSES)) == {"PRelu": 1}


@pytest.mark.parametrize(
    "formula",
    [
        lambda g, x: g.op("Mul", x, g.op("Sigmoid", x)),
        lambda g, x: g.op("Mul", x, clip(g, plus(g, x, 2.0))),
        lambda g, x: times(g, g.op("Mul", x, plus(g, g.op("Erf", x), 1.0)), 0.5),
        lambda g, x: g.op("Max", x, g.constant(np.float32([0, 1, 2]))),
        lambda g, x: g.op("Max", times(g, x, 1.5), x),
    ],
)
def test_what_only_looks_like_an_activation_stays(ops, formula):
    hub = hub_of(formula)
    assert restore_activations(hub.model) == 0

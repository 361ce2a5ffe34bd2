"""Fully connected layers have one form: Gemm with weights (outputs, inputs) and a bias."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.form_gemm import form_gemm, give_bias

RANDOM = np.random.default_rng(2)


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("bias", [(4,), (1, 4), ()])
def test_a_matrix_product_with_a_bias_becomes_gemm(after, ops, bias):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 6])
    y = graph.op(
        "Add", graph.constant(floats(*bias)), graph.op("MatMul", x, graph.constant(floats(6, 4)), name="dense")
    )
    graph.output(y, "y")
    hub = after(graph.build("test"), form_gemm)
    (gemm,) = hub.model.graph
    assert ops(hub) == {"Gemm": 1}
    assert gemm.name == "dense"
    assert tuple(gemm.inputs[1].shape) == (4, 6)
    assert tuple(gemm.inputs[2].shape) == (4,)


def test_factors_and_orientation_of_gemm_are_folded(after):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 6])
    y = graph.op("Gemm", x, graph.constant(floats(6, 4)), graph.constant(floats(1, 4)), alpha=0.5, beta=2.0)
    graph.output(y, "y")
    (gemm,) = after(graph.build("test"), form_gemm).model.graph
    assert gemm.attributes["alpha"].value == gemm.attributes["beta"].value == gemm.attributes["transB"].value == 1


def test_a_product_of_two_activations_and_one_of_rank_three_stay(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", [4, 4])
    z = graph.input("z", "float32", [2, 4, 4])
    graph.output(graph.op("MatMul", x, x), "square")
    graph.output(graph.op("MatMul", z, graph.constant(floats(4, 4))), "batched")
    assert ops(after(graph.build("test"), form_gemm)) == {"MatMul": 2}


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose", "Gemm"])
def test_every_layer_gets_a_bias(after, op):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 4] if op == "Gemm" else ["batch", 4, 5, 5])
    weight = {"Conv": (6, 2, 3, 3), "ConvTranspose": (4, 3, 3, 3), "Gemm": (4, 6)}[op]
    graph.output(graph.op(op, x, graph.constant(floats(*weight)), **({} if op == "Gemm" else {"group": 2})), "y")
    (node,) = after(graph.build("test"), give_bias).model.graph
    assert tuple(node.inputs[2].shape) == (6,)

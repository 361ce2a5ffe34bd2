"""Batch normalizations and constant factors go into the layer beside them without changing what it computes."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.fold_affine import fold_affine
from edgekit_converters.hub.form_gemm import form_gemm

RANDOM = np.random.default_rng(0)


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def batch_norm(graph, x, channels):
    parameters = [graph.constant(array) for array in (floats(channels), floats(channels), floats(channels))]
    variance = graph.constant(np.abs(floats(channels)) + 0.1)
    return graph.op("BatchNormalization", x, *parameters, variance, epsilon=1e-3)


@pytest.mark.parametrize(("groups", "biased"), [(1, True), (1, False), (2, True), (4, False)])
def test_batch_normalization_folds_into_the_convolution_before_it(after, ops, groups, biased):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 4, 7, 7])
    bias = [graph.constant(floats(8))] if biased else []
    y = graph.op("Conv", x, graph.constant(floats(8, 4 // groups, 3, 3)), *bias, group=groups, pads=[1, 1, 1, 1])
    graph.output(batch_norm(graph, y, 8), "y")
    assert ops(after(graph.build("test"), fold_affine)) == {"Conv": 1}


@pytest.mark.parametrize("groups", [1, 2])
def test_batch_normalization_folds_into_a_transposed_convolution(after, ops, groups):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 4, 5, 5])
    y = graph.op("ConvTranspose", x, graph.constant(floats(4, 3, 3, 3)), group=groups, strides=[2, 2])
    graph.output(batch_norm(graph, y, 3 * groups), "y")
    assert ops(after(graph.build("test"), fold_affine)) == {"ConvTranspose": 1}


@pytest.mark.parametrize("shape", [(), (1,), (5, 1, 1), (1, 5, 1, 1)])
def test_products_quotients_and_sums_a_channel_fold_backward(after, ops, shape):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 6, 6])
    y = graph.op("Conv", x, graph.constant(floats(5, 3, 1, 1)))
    y = graph.op("Mul", graph.constant(floats(*shape)), y)
    y = graph.op("Add", y, graph.constant(floats(*shape)))
    y = graph.op("Div", y, graph.constant(np.abs(floats(*shape)) + 0.5))
    y = graph.op("Sub", graph.constant(floats(*shape)), y)
    graph.output(graph.op("Neg", y), "y")
    assert ops(after(graph.build("test"), fold_affine)) == {"Conv": 1}


def test_a_summand_that_varies_over_the_picture_stays(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 6, 6])
    y = graph.op("Conv", x, graph.constant(floats(5, 3, 1, 1)))
    graph.output(graph.op("Add", y, graph.constant(floats(5, 6, 6))), "y")
    assert ops(after(graph.build("test"), fold_affine)) == {"Conv": 1, "Add": 1}


def test_a_convolution_that_somebody_else_reads_stays_as_it_is(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 6, 6])
    y = graph.op("Conv", x, graph.constant(floats(5, 3, 1, 1)))
    graph.output(batch_norm(graph, y, 5), "normalized")
    graph.output(y, "raw")
    assert ops(after(graph.build("test"), fold_affine)) == {"Conv": 1, "BatchNormalization": 1}


@pytest.mark.parametrize("groups", [1, 2])
def test_batch_normalization_folds_into_an_unpadded_convolution_after_it(after, ops, groups):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 4, 6, 6])
    y = graph.op("Conv", batch_norm(graph, x, 4), graph.constant(floats(6, 4 // groups, 3, 3)), group=groups)
    graph.output(y, "y")
    assert ops(after(graph.build("test"), fold_affine, tolerance=1e-5)) == {"Conv": 1}


def test_a_shift_does_not_fold_across_padding_but_a_factor_does(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 4, 6, 6])
    shifted = graph.op("Conv", batch_norm(graph, x, 4), graph.constant(floats(2, 4, 3, 3)), pads=[1, 1, 1, 1])
    scaled = graph.op("Mul", x, graph.constant(floats(4, 1, 1)))
    scaled = graph.op("Conv", scaled, graph.constant(floats(2, 4, 3, 3)), pads=[1, 1, 1, 1])
    graph.output(shifted, "shifted")
    graph.output(scaled, "scaled")
    assert ops(after(graph.build("test"), fold_affine)) == {"BatchNormalization": 1, "Conv": 2}


def test_affine_layers_fold_into_gemm_on_both_sides(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 6])
    y = graph.op("Gemm", batch_norm(graph, x, 6), graph.constant(floats(6, 4)), graph.constant(floats(4)))
    graph.output(batch_norm(graph, y, 4), "y")
    assert ops(after(graph.build("test"), form_gemm, fold_affine, tolerance=1e-5)) == {"Gemm": 1}


def test_a_shared_weight_is_folded_for_one_use_only(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 4, 4])
    weight = graph.constant(floats(3, 3, 1, 1), "shared")
    graph.output(batch_norm(graph, graph.op("Conv", x, weight), 3), "normalized")
    graph.output(graph.op("Conv", x, weight), "plain")
    assert ops(after(graph.build("test"), fold_affine)) == {"Conv": 2}, (
        "the normalization is gone, and both outputs hold"
    )

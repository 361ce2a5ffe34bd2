"""Columns times matrix rows are what the operator computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sparse_networks import Layers, Samples, answers

from edgekit_converters.sparsify.columns import columns_at, position_count
from edgekit_converters.sparsify.matrices import WIDEST, matrices_of


@pytest.mark.parametrize(
    ("group", "attributes"),
    [
        (1, {"pads": [1, 0, 2, 1]}),
        (1, {"pads": [1] * 4, "strides": [2, 1]}),
        (1, {"pads": [2] * 4, "dilations": [2, 2]}),
        (2, {"pads": [0] * 4}),
        (8, {"pads": [1] * 4, "strides": [2, 2]}),
        (1, {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        (1, {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
        (1, {"auto_pad": "VALID"}),
    ],
)
def test_a_convolution_at_chosen_positions(group: int, attributes: dict[str, Any]) -> None:
    net = Layers(8, 7, 6)
    weight = net.weight(16, 8 // group, 3, 3, fan_in=9)
    hub = net.built(net.graph.op("Conv", net.x, weight, group=group, **attributes))
    samples = Samples(net.shape, 3)
    wanted = np.moveaxis(answers(hub, samples.x), 1, -1).reshape(-1, 16)
    (matrix,) = matrices_of(next(iter(hub.model.graph)))
    assert position_count(matrix, samples.x) == len(wanted)
    places = np.arange(0, len(wanted), 3)
    rows = columns_at(matrix, samples.x, places) @ matrix.weights.transpose(0, 2, 1)
    np.testing.assert_allclose(rows.transpose(1, 0, 2).reshape(len(places), -1), wanted[places], atol=1e-4)


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_dense_layer(transposed: int) -> None:
    net = Layers(12)
    shape = (20, 12) if transposed else (12, 20)
    hub = net.built(net.graph.op("Gemm", net.x, net.weight(*shape, fan_in=12), transB=transposed))
    samples = Samples(net.shape, 5)
    (matrix,) = matrices_of(next(iter(hub.model.graph)))
    rows = columns_at(matrix, samples.x, np.arange(5))[0] @ matrix.weights[0].T
    np.testing.assert_allclose(rows, answers(hub, samples.x), atol=1e-4)


@pytest.mark.parametrize("group", [1, 2])
def test_a_transposed_convolution_whose_outputs_have_one_row_each(group: int) -> None:
    net = Layers(8, 3, 3)
    weight = net.weight(8, 12 // group, 2, 2, fan_in=8)
    hub = net.built(net.graph.op("ConvTranspose", net.x, weight, strides=[2, 2], group=group))
    samples = Samples(net.shape, 2)
    (matrix,) = matrices_of(next(iter(hub.model.graph)))
    rows = columns_at(matrix, samples.x, np.arange(18)) @ matrix.weights.transpose(0, 2, 1)
    found = rows.transpose(1, 0, 2).reshape(2, 3, 3, 12, 2, 2).transpose(0, 3, 1, 4, 2, 5).reshape(2, 12, 6, 6)
    np.testing.assert_allclose(found, answers(hub, samples.x), atol=1e-4)


def test_a_wide_matrix_is_cut_into_chunks_that_add_up() -> None:
    net = Layers(512, 3, 3)
    hub = net.built(net.graph.op("Conv", net.x, net.weight(6, 512, 3, 3, fan_in=4608), pads=[1] * 4))
    samples = Samples(net.shape, 2)
    (matrix,) = matrices_of(next(iter(hub.model.graph)))
    assert matrix.chunks > 1
    assert matrix.shape[2] <= WIDEST
    rows = (columns_at(matrix, samples.x, np.arange(18)) @ matrix.weights.transpose(0, 2, 1)).sum(axis=0)
    wanted = np.moveaxis(answers(hub, samples.x), 1, -1).reshape(18, 6)
    np.testing.assert_allclose(rows, wanted, atol=1e-3)
    value = matrix.node.inputs[1]
    assert value is not None
    assert value.const_value is not None
    assert np.array_equal(matrix.give(matrix.weights, (6, 512, 3, 3)), value.const_value.numpy())


def test_a_cut_keeps_the_channels_together_where_they_are_no_whole_fours() -> None:
    net = Layers(254, 3, 3)
    hub = net.built(net.conv(net.x, 254, 6))
    (matrix,) = matrices_of(next(iter(hub.model.graph)))
    assert matrix.shape[2] == 3 * 254


@pytest.mark.parametrize("name", ["Conv", "ConvTranspose", "Gemm"])
def test_weights_come_back_as_they_went(name: str) -> None:
    net = Layers(8) if name == "Gemm" else Layers(8, 5, 5)
    shape = {"Conv": (12, 4, 3, 2), "ConvTranspose": (8, 6, 3, 2), "Gemm": (8, 12)}[name]
    settings = {} if name == "Gemm" else {"group": 2}
    hub = net.built(net.graph.op(name, net.x, net.weight(*shape, fan_in=8), **settings))
    (matrix,) = matrices_of(next(iter(hub.model.graph)))
    value = matrix.node.inputs[1]
    assert value is not None
    assert value.const_value is not None
    assert np.array_equal(matrix.give(matrix.weights, shape), value.const_value.numpy())

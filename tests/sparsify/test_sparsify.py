"""A hub with zeros: as many as asked for, where they cost least, made up for; and the same zeros in both files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sparse_networks import NETWORKS, Layers, Samples, answers, picture_classifier

from edgekit.errors import ConversionError, RecipeError, UsageError
from edgekit.protocols import Silent
from edgekit.recipe import Recipe, Rule
from edgekit.sparsity import parse_sparsity
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.quantize import quantize
from edgekit_converters.sparsify.matrices import matrices_of
from edgekit_converters.sparsify.sparsify import Sparsified, sparsify
from edgekit_converters.sparsify.written import zeros_in
from edgekit_converters.writers.write import write

TARGET = Target("cpu", "CPU")


def made(hub: Hub, samples: Samples, recipe: Recipe) -> Sparsified:
    return sparsify(hub, recipe, TARGET, samples, Silent())


def relative_error(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    return float(np.square(found - wanted).mean() / wanted.var())


def smallest_left_out(hub: Hub, share: float) -> Hub:
    """What pruning by magnitude does: the same share of every matrix."""
    hub = hub.clone()
    for matrix in [matrix for node in hub.model.graph for matrix in matrices_of(node)]:
        value = matrix.node.inputs[matrix.index]
        assert value is not None
        assert value.const_value is not None
        array = value.const_value.numpy().copy()
        array[np.abs(array) < np.quantile(np.abs(array), share)] = 0
        import onnx_ir as ir

        value.const_value = ir.Tensor(array, name=value.name)
    return hub


@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_layer_gets_zeros_and_loses_less_than_by_magnitude(name: str) -> None:
    hub, samples = NETWORKS[name]()
    found = made(hub, samples, Recipe(sparsify="50%"))
    zeros = sum(matrix.zeros for matrix in found.matrices)
    assert zeros / sum(matrix.weights for matrix in found.matrices) == pytest.approx(0.5, abs=0.01)
    wanted = answers(hub, samples.x)
    plain = relative_error(answers(smallest_left_out(hub, 0.5), samples.x), wanted)
    assert relative_error(answers(found.hub, samples.x), wanted) < 0.6 * plain


@pytest.mark.parametrize("pattern", ["2:4", "1:4", "block=4x1:50%", "block=1x4:50%"])
def test_the_pattern_holds_in_the_weights(pattern: str) -> None:
    hub, samples = picture_classifier()
    found = made(hub, samples, Recipe(sparsify=pattern))
    sparsity = parse_sparsity(pattern)
    patterned = {matrix.name for matrix in found.matrices if matrix.pattern}
    assert patterned
    for matrix in [matrix for node in found.hub.model.graph for matrix in matrices_of(node)]:
        if matrix.name not in patterned:
            continue
        kept = matrix.weights != 0
        if sparsity.group is not None:
            assert kept.reshape(-1, sparsity.group).sum(axis=1).max() <= sparsity.kept_of_group
        else:
            rows, columns = sparsity.block
            height, width = kept.shape[1] // rows * rows, kept.shape[2]
            tiles = kept[:, :height].reshape(kept.shape[0], height // rows, rows, width // columns, columns)
            assert np.isin(tiles.sum(axis=(2, 4)), (0, rows * columns)).all()


def test_a_depthwise_layer_of_one_input_channel_stays_dense_under_n_of_m() -> None:
    hub, samples = picture_classifier()
    found = made(hub, samples, Recipe(sparsify="2:4"))
    depthwise = next(matrix for matrix in found.matrices if matrix.weights == 16 * 9)
    assert depthwise.pattern == ""
    assert depthwise.zeros == 0
    assert "dense" in depthwise.reason


def odd_widths() -> tuple[Hub, Samples]:
    """As pruning leaves them: 3, 13, 10 and 7 input channels."""
    net = Layers(3, 9, 9)
    x = net.relu(net.conv(net.x, 3, 13))
    x = net.relu(net.conv(x, 13, 20, kernel=1))
    x = net.relu(net.conv(x, 20, 14, group=2))
    x = net.relu(net.conv(x, 14, 7, kernel=1))
    x = net.graph.op("Flatten", net.graph.op("GlobalAveragePool", x))
    return net.built(net.dense(x, 7, 20)), Samples(net.shape)


@pytest.mark.parametrize("pattern", ["2:4", "1:4"])
def test_layers_of_any_width_hold_n_of_m_up_to_their_last_channel(pattern: str) -> None:
    hub, samples = odd_widths()
    sparsity = parse_sparsity(pattern)
    found = made(hub, samples, Recipe(rules=(Rule("*", sparsify=pattern),)))
    assert sparsity.group is not None
    matrices = [matrix for node in found.hub.model.graph for matrix in matrices_of(node)]
    assert [matrix.channels for matrix in matrices] == [3, 13, 10, 14, 7]
    for matrix in matrices:
        kept = (matrix.weights != 0).reshape(-1, matrix.channels)
        filled = np.pad(kept, ((0, 0), (0, -matrix.channels % sparsity.group))).reshape(len(kept), -1, sparsity.group)
        assert filled.sum(axis=-1).max() == sparsity.kept_of_group
        assert (kept.sum(axis=1) == sparsity.kept_of(matrix.channels)).all()
    wanted = answers(hub, samples.x)
    assert relative_error(answers(found.hub, samples.x), wanted) < (0.3 if pattern == "2:4" else 0.9)


def test_what_a_rule_asks_for_is_not_spared() -> None:
    net = Layers(16, 6, 6)
    hub = net.built(net.conv(net.relu(net.conv(net.x, 16, 48)), 48, 4, kernel=1))
    samples = Samples(net.shape)
    spared = made(hub, samples, Recipe(sparsify="2:4"))
    named = made(hub, samples, Recipe(sparsify="2:4", rules=(Rule("*", sparsify="2:4"),)))
    assert [matrix.pattern for matrix in spared.matrices] == ["2:4", ""]
    assert "cost more" in spared.matrices[1].reason
    assert [matrix.pattern for matrix in named.matrices] == ["2:4", "2:4"]


def test_a_rule_leaves_a_layer_dense_to_the_bit() -> None:
    hub, samples = picture_classifier()
    found = made(hub, samples, Recipe(sparsify="50%", rules=(Rule("Gemm*", sparsify="none"),)))
    before, after = (list(each.model.graph)[-1].inputs[1] for each in (hub, found.hub))
    assert before is not None
    assert after is not None
    assert np.array_equal(before.const_value.numpy(), after.const_value.numpy())  # type: ignore[union-attr]


def test_the_mean_behind_a_clamp_is_the_dense_one() -> None:
    net = Layers(8, 6, 6)
    hub = net.built(net.relu(net.conv(net.x, 8, 16)))
    samples = Samples(net.shape)
    found = made(hub, samples, Recipe(sparsify="70%"))
    wanted, got = (answers(each, samples.x).mean(axis=(0, 2, 3)) for each in (hub, found.hub))
    np.testing.assert_allclose(got, wanted, atol=0.01)


def test_the_same_samples_give_the_same_weights() -> None:
    hub, samples = picture_classifier()
    one, other = (made(hub, samples, Recipe(sparsify="50%")) for _ in range(2))
    assert one.hub.to_bytes() == other.hub.to_bytes()


@pytest.mark.parametrize("file_format", ["tflite", "onnx"])
def test_the_zeros_are_in_the_int8_file(file_format: str, tmp_path: Path) -> None:
    hub, samples = picture_classifier()
    recipe = Recipe(sparsify="50%")
    found = made(hub, samples, recipe)
    quantized = quantize(found.hub, recipe, TARGET, samples, Silent())
    path = tmp_path / f"net.{file_format}"
    write(file_format, quantized.hub, quantized.plan, path, recipe, TARGET, {})
    counted = zeros_in(path)
    assert counted.weights == sum(matrix.weights for matrix in found.matrices)
    assert counted.zeros >= sum(matrix.zeros for matrix in found.matrices)
    assert counted.zeros / counted.weights == pytest.approx(0.5, abs=0.03)
    assert counted.zipped_bytes < counted.size_bytes == path.stat().st_size


def test_without_samples_it_says_what_to_give() -> None:
    hub, _ = picture_classifier()
    with pytest.raises(UsageError, match="--calibrate"):
        sparsify(hub, Recipe(sparsify="50%"), TARGET, None, Silent())


def test_a_pattern_that_fits_nothing_is_an_error() -> None:
    net = Layers(16, 9, 9)
    hub = net.built(net.conv(net.x, 16, 16, group=16))
    with pytest.raises(ConversionError, match="several input channels"):
        made(hub, Samples(net.shape), Recipe(sparsify="2:4"))


def test_a_rule_that_names_no_node_is_an_error() -> None:
    hub, samples = picture_classifier()
    with pytest.raises(RecipeError, match="Gemn"):
        made(hub, samples, Recipe(sparsify="50%", rules=(Rule("Gemn*", sparsify="none"),)))

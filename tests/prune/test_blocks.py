"""Residual branches go as a whole: which are found, that nothing else changes, and that rules and the choice take them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from more_networks import masked_heads
from picture_networks import Blocks
from prunable_networks import NETWORKS, attention, feeds_for, mobile, residual
from samples_in_memory import Samples
from test_silent_units import onnx_answers, tflite_answers
from test_stream import Encoder

from edgekit.errors import RecipeError
from edgekit.figures import PrunedBlock
from edgekit.protocols import ReadOptions, Silent
from edgekit.prune_text import removed
from edgekit.pruning import Blocks as Mode
from edgekit.pruning import PruneRule, Pruning
from edgekit.reading import find_source, read_hub
from edgekit.recipe import recipe_from_dict
from edgekit_converters.hub import Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.prune import stream
from edgekit_converters.prune.blocks import with_blocks
from edgekit_converters.prune.branches import residual_branches
from edgekit_converters.prune.consumers import consumers_of
from edgekit_converters.prune.costs import costs_of
from edgekit_converters.prune.kernel_time import INT8_ONNX, MEAN, kernel_time
from edgekit_converters.prune.loss import Judge
from edgekit_converters.prune.prune import Pruned, prune
from edgekit_converters.prune.removal import remove
from edgekit_converters.prune.repair import repair
from edgekit_converters.prune.trace import trace
from edgekit_converters.quantize.operands import operand_of, with_operands
from edgekit_converters.quantize.quant_plan import Use

TOLERANCE = 1e-5
"""Of the largest answer."""


def pre_norm() -> Hub:
    return normalize(Encoder(norm_first=True).hub(depth=2, masked=True))


def post_norm() -> Hub:
    return normalize(Encoder(norm_first=False).hub(depth=2, masked=True))


def inside_out() -> Hub:
    """A residual block within the branch of another one, both behind one convolution."""
    blocks = Blocks(31)
    op = blocks.graph.op
    x = op("Relu", blocks.conv(blocks.graph.input("x", "float32", ["N", 3, 8, 8]), 3, 16))
    inner = op("Relu", blocks.conv(x, 16, 24))
    inner = op("Add", inner, blocks.conv(op("Relu", blocks.conv(inner, 24, 16)), 16, 24))
    x = op("Add", blocks.conv(op("Relu", inner), 24, 16), x)
    blocks.graph.output(blocks.dense(op("Flatten", op("GlobalAveragePool", x)), 16, 5), "y")
    return normalize(blocks.graph.build("test"))


def side_by_side() -> Hub:
    """Two branches that read the same value, added one after the other."""
    blocks = Blocks(32)
    op = blocks.graph.op
    x = op("Relu", blocks.conv(blocks.graph.input("x", "float32", ["N", 3, 8, 8]), 3, 16))
    branches = [blocks.conv(op("Relu", blocks.conv(x, 16, 16)), 16, 16) for _ in range(2)]
    x = op("Add", op("Add", x, branches[0]), branches[1])
    blocks.graph.output(blocks.dense(op("Flatten", op("GlobalAveragePool", x)), 16, 5), "y")
    return normalize(blocks.graph.build("test"))


BRANCHES: dict[str, tuple[Callable[[], Hub], int]] = {
    "mobile": (mobile, 2),
    "residual": (residual, 1),
    "attention": (attention, 1),
    "flat heads": (lambda: attention(flat_heads=True), 1),
    "masked heads": (masked_heads, 1),
    "pre-norm": (pre_norm, 4),
    "post-norm": (post_norm, 4),
    "inside out": (inside_out, 2),
    "side by side": (side_by_side, 2),
}
EACH = [(name, place) for name, (_, count) in BRANCHES.items() for place in range(min(count, 2))]


def samples_for(hub: Hub, seed: int = 1, count: int = 48) -> Samples:
    return Samples(**feeds_for(hub, seed, count))


def without(hub: Hub, *scopes: str, **settings: object) -> Pruned:
    rules = tuple(PruneRule(scope, remove=True) for scope in scopes)
    return prune(hub, Pruning(rules=rules, force=True, **settings), None, samples_for(hub), None, Silent())


def with_nothing_from(hub: Hub, layer: str) -> Hub:
    """The layer's weights at 0, so that it gives its bias alone."""
    use = Use(layer, 1)
    return with_operands(hub, {use: np.zeros_like(operand_of(hub, use))})


@pytest.mark.parametrize("name", BRANCHES)
def test_every_residual_branch_is_found_and_nothing_else(name: str) -> None:
    make, count = BRANCHES[name]
    branches = residual_branches(make())
    assert len(branches) == count
    assert len({branch.name for branch in branches}) == count


@pytest.mark.parametrize("name", ["grouped", "channels last", "stacked LSTM"])
def test_networks_without_residuals_have_none(name: str) -> None:
    assert residual_branches(NETWORKS[name]()) == ()


def test_sums_of_what_does_not_read_each_other_are_no_branches() -> None:
    """A projected shortcut, two inputs, a gated sum, an activation spelt with a sum."""
    blocks = Blocks(33)
    op = blocks.graph.op
    x = op("Relu", blocks.conv(blocks.graph.input("x", "float32", ["N", 3, 8, 8]), 3, 16))
    x = op("Add", blocks.conv(x, 16, 16, kernel=1), blocks.conv(x, 16, 16))
    x = op("Add", x, blocks.conv(blocks.graph.input("other", "float32", ["N", 3, 8, 8]), 3, 16))
    gate = op("Sigmoid", blocks.conv(x, 16, 16))
    closed = op("Sub", blocks.graph.constant(np.float32(1)), gate)
    x = op("Add", op("Mul", gate, blocks.conv(x, 16, 16)), op("Mul", closed, x))
    x = op("Add", x, op("Mul", op("Mul", x, x), x))
    blocks.graph.output(blocks.dense(op("Flatten", op("GlobalAveragePool", x)), 16, 5), "y")
    assert residual_branches(normalize(blocks.graph.build("test"))) == ()


@pytest.mark.parametrize(("name", "place"), EACH)
def test_a_branch_that_gives_a_constant_is_removed_at_no_loss(name: str, place: int, tmp_path: Path) -> None:
    hub = BRANCHES[name][0]()
    branch = residual_branches(hub)[place]
    hub = with_nothing_from(hub, branch.layers[-1])
    smaller = without(hub, branch.name, repair=False)
    assert not branch.nodes & {node.name for node in smaller.hub.model.graph}
    feeds = feeds_for(hub, seed=2, batch=1)
    wanted = onnx_answers(hub, feeds)
    for found in (onnx_answers(smaller.hub, feeds), tflite_answers(smaller.hub, feeds, tmp_path / "smaller.tflite")):
        for output, array in wanted.items():
            np.testing.assert_allclose(found[output], array, atol=TOLERANCE * np.abs(array).max())


@pytest.mark.parametrize("name", BRANCHES)
def test_what_a_block_costs_is_what_the_smaller_network_lacks(name: str) -> None:
    hub = BRANCHES[name][0]()
    found = with_blocks(hub, trace(hub), residual_branches(hub), samples_for(hub))
    for block in found.blocks:
        stays = found.without(block.units)
        smaller = remove(hub, found, stays)
        again = trace(smaller)
        costs, left = costs_of(hub, found), costs_of(smaller, again)
        assert costs.macs(stays) == pytest.approx(left.macs(again.none_removed()))
        for rates in (MEAN, INT8_ONNX):
            kernels = kernel_time(hub, found, costs.mac_terms, rates)
            others = kernel_time(smaller, again, left.mac_terms, rates)
            assert kernels.left(stays) == pytest.approx(others.left(again.none_removed()))


@pytest.mark.parametrize(("name", "place"), [("pre-norm", 1), ("pre-norm", 2), ("post-norm", 1), ("mobile", 1)])
def test_the_layer_before_takes_in_what_is_left_of_a_block(name: str, place: int) -> None:
    """Into the bias of a dense layer that adds to the stream, of a normalization, of a convolution."""
    hub = BRANCHES[name][0]()
    branch = residual_branches(hub)[place]
    left = {node.name for node in without(hub, branch.name).hub.model.graph}
    assert left == {node.name for node in hub.model.graph} - branch.nodes - {branch.adding}


def test_a_block_goes_with_those_inside_it() -> None:
    hub = inside_out()
    inner, outer = residual_branches(hub)
    assert inner.nodes < outer.nodes
    told = without(hub, "Conv*").figures
    assert [block.name for block in told.blocks] == [outer.name]
    assert not told.layers


def test_channels_of_a_stream_and_blocks_of_it_go_together() -> None:
    hub = mobile()
    branch = residual_branches(hub)[1]
    rules = (PruneRule(branch.name, remove=True),)
    found = prune(hub, Pruning(macs=0.7, rules=rules, force=True), None, samples_for(hub), None, Silent())
    assert [block.name for block in found.figures.blocks] == [branch.name]
    assert found.figures.layers
    assert found.figures.macs[1] <= 0.3 * found.figures.macs[0]
    feeds = feeds_for(hub, 3, 2)
    assert onnx_answers(found.hub, feeds)["y"].shape == (2, 5)


def test_auto_takes_the_block_that_gives_nothing_before_any_channel() -> None:
    hub = pre_norm()
    branch = residual_branches(hub)[2]
    hub = with_nothing_from(hub, branch.layers[-1])
    part = Pruning(macs=0.1, blocks=Mode.AUTO)
    told = prune(hub, part, None, samples_for(hub), None, Silent()).figures
    assert [(block.name, block.by_rule) for block in told.blocks] == [(branch.name, False)]
    assert told.layers == ()
    kept = Pruning(macs=0.1, blocks=Mode.AUTO, rules=(PruneRule(branch.layers[0], most=0.5),))
    assert prune(hub, kept, None, samples_for(hub), None, Silent()).figures.blocks == ()


def test_layers_behind_make_good_what_the_stream_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = normalize(Encoder(norm_first=True).hub())
    samples, losses = samples_for(hub, count=600), []
    found = with_blocks(hub, trace(hub), residual_branches(hub)[1:2], samples)
    stays = found.without(found.blocks[0].units)
    for behind in (0, stream.BEHIND):
        monkeypatch.setattr(stream, "BEHIND", behind)
        smaller = repair(hub, found, consumers_of(hub, found), stays, samples, Silent())
        losses.append(Judge(hub, samples_for(hub, 2, 100), 50).quality(smaller).loss)
    assert losses[1] < 0.95 * losses[0]


def test_a_rule_that_holds_no_whole_branch_says_which_there_are() -> None:
    hub = residual()
    branch = residual_branches(hub)[0]
    with pytest.raises(RecipeError, match=f"only a part of {branch.name!r}"):
        without(hub, branch.layers[0])
    with pytest.raises(RecipeError, match="no residual branch"):
        without(NETWORKS["channels last"](), "*")


@pytest.mark.parametrize("rule", [{"most": 0.5}, {"least": 4}, {"remove": "yes"}])
def test_a_rule_removes_or_keeps_but_not_both(rule: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="remove"):
        recipe_from_dict({"prune": {"macs": 0.3, "rules": [{"scope": "a", "remove": True, **rule}]}}, "r.toml")


def test_rules_that_remove_are_goal_enough() -> None:
    recipe = recipe_from_dict({"prune": {"blocks": "auto", "rules": [{"scope": "a", "remove": True}]}}, "r.toml")
    assert recipe.prune is not None
    assert (recipe.prune.goal, recipe.prune.option) == ("the blocks that rules remove", "")
    with pytest.raises(RecipeError, match="nothing for its goal"):
        recipe_from_dict({"prune": {"blocks": "auto"}}, "r.toml")


def test_the_report_names_the_blocks_and_why_they_went() -> None:
    hub = residual()
    told = without(hub, "Conv_[23]").figures
    (block,) = told.blocks
    assert block == PrunedBlock("Conv_2 ... Conv_3", ("Conv_2", "Conv_3"), block.macs, block.sqnr_db, by_rule=True)
    assert block.macs == pytest.approx(1 - told.macs[1] / told.macs[0])
    (line,) = [line for line in removed(told) if "blocks removed" in line]
    assert line.startswith("blocks removed: Conv_2 ... Conv_3 (by a rule; 53.4% of the multiply-accumulates, ")


def test_a_block_goes_where_no_channel_may() -> None:
    blocks = Blocks(34)
    x = blocks.graph.input("x", "float32", ["N", 8, 6, 6])
    blocks.graph.output(blocks.graph.op("Add", x, blocks.graph.op("Relu", blocks.conv(x, 8, 8))), "y")
    left = without(normalize(blocks.graph.build("test")), "*")
    assert [node.op_type for node in left.hub.model.graph] == ["Add"]
    assert left.figures.macs[1] == 0


@pytest.mark.pytorch
@pytest.mark.filterwarnings("ignore")  # the exporters' own
@pytest.mark.parametrize("norm_first", [True, False])
def test_layers_of_pytorch_have_two_branches_each(norm_first: bool, tmp_path: Path) -> None:
    import torch

    layer = torch.nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1, batch_first=True, norm_first=norm_first)
    network = torch.nn.Sequential(layer, torch.nn.Linear(16, 3)).eval()
    torch.nn.init.zeros_(layer.linear2.weight)
    free = ({0: torch.export.Dim("batch", max=64)},)
    program = torch.export.export(network, (torch.zeros(2, 6, 16),), dynamic_shapes=free)
    torch.export.save(program, tmp_path / "net.pt2")
    hub = read_hub(find_source(tmp_path / "net.pt2"), tmp_path / "net.pt2", ReadOptions())
    assert len(residual_branches(hub)) == 2
    smaller, x = without(hub, residual_branches(hub)[1].name).hub, torch.randn(2, 6, 16)
    (found,) = onnx_answers(smaller, {hub.inputs[0].name: x.numpy()}).values()
    np.testing.assert_allclose(found, network(x).detach().numpy(), atol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside Keras
def test_blocks_of_keras_with_dropout_and_normalization_are_found(tmp_path: Path) -> None:
    import keras

    x = start = keras.layers.Input((8, 8, 3))
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    inner = keras.layers.BatchNormalization()(keras.layers.DepthwiseConv2D(3, padding="same")(x))
    inner = keras.layers.Conv2D(16, 1)(keras.layers.Activation("silu")(inner))
    x = keras.layers.Add()([x, keras.layers.Dropout(0.2)(keras.layers.BatchNormalization()(inner))])
    model = keras.Model(start, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
    model.save(tmp_path / "net.keras")
    hub = read_hub(find_source(tmp_path / "net.keras"), tmp_path / "net.keras", ReadOptions())
    (branch,) = residual_branches(hub)
    assert branch.axis == 1
    assert len(branch.layers) == 2

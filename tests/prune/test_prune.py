"""Pruning as a whole: the goal is reached, repaired weights answer better than what is merely cut, limits hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from prunable_networks import NETWORKS, feeds_for, mobile, residual, stacked
from samples_in_memory import Samples

from edgekit.errors import ConversionError, RecipeError, UsageError
from edgekit.protocols import Silent
from edgekit.pruning import Importance, PruneRule, Pruning
from edgekit.task_loss import task_loss
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.edit import static_shape
from edgekit_converters.hub.run import hub_session
from edgekit_converters.prune.consumers import consumers_of
from edgekit_converters.prune.costs import costs_of
from edgekit_converters.prune.loss import Judge
from edgekit_converters.prune.prune import Pruned, prune
from edgekit_converters.prune.removal import remove
from edgekit_converters.prune.repair import repair
from edgekit_converters.prune.trace import trace


def samples_for(hub: Hub, count: int = 64, seed: int = 1) -> Samples:
    """Of networks whose first axis counts the samples."""
    return Samples(**feeds_for(hub, seed, count))


def pruned(hub: Hub, pruning: Pruning, limit_drop: float | None = None, measure=None) -> Pruned:
    return prune(hub, pruning, limit_drop, samples_for(hub), measure, Silent())


def wide_dense(hidden: int = 32, copies: int = 2) -> Hub:
    """A hidden layer in which every unit is there several times over: one of each is enough."""
    graph, random = GraphBuilder(), np.random.default_rng(4)
    first = np.tile(random.standard_normal((6, hidden // copies)), (1, copies)).astype(np.float32)
    second = random.standard_normal((hidden, 4)).astype(np.float32)
    biases = [graph.constant(np.full(count, 0.1, np.float32)) for count in (hidden, 4)]
    x = graph.input("x", "float32", ["N", 6])
    inner = graph.op("Relu", graph.op("Gemm", x, graph.constant(first), biases[0], name="hidden"))
    graph.output(graph.op("Gemm", inner, graph.constant(second), biases[1], name="head"), "y")
    return graph.build("test")


def test_units_that_are_there_twice_go_at_little_loss() -> None:
    hub = wide_dense()
    found = prune(hub, Pruning(macs=0.5), None, samples_for(hub, 256), None, Silent())
    assert found.figures.macs == (32 * 10, 16 * 10)
    feeds = feeds_for(hub, 9, 20)
    wanted = hub_session(hub).run(feeds)["y"]
    error = hub_session(found.hub).run(feeds)["y"] - wanted
    assert np.square(error).mean() < 0.03 * wanted.var()


@pytest.mark.parametrize("make", [mobile, residual])
def test_the_share_of_multiply_accumulates_asked_for_is_reached_with_counts_that_kernels_like(make) -> None:
    hub = make()
    found = pruned(hub, Pruning(macs=0.3, force=True))
    before, after = found.figures.macs
    assert 0.45 * before < after <= 0.7 * before
    assert all(layer.left % 2 == 0 for layer in found.figures.layers)
    again = trace(found.hub)
    assert round(costs_of(found.hub, again).macs(again.none_removed())) == after
    assert found.hub.inputs == hub.inputs


@pytest.mark.parametrize("name", [name for name in NETWORKS if "stacked" not in name and "flat" not in name])
def test_repaired_weights_answer_better_than_those_that_are_left(name: str) -> None:
    hub = NETWORKS[name]()
    found = trace(hub)
    random = np.random.default_rng(2)
    gone = [random.choice(space.units, len(space.units) // 4, replace=False) for space in found.spaces]
    stays = found.without(np.concatenate(gone))
    judge = Judge(hub, samples_for(hub, 32, 7), 16)
    smaller = repair(hub, found, consumers_of(hub, found), stays, samples_for(hub, 256), Silent())
    assert judge.quality(smaller).loss < 0.9 * judge.quality(remove(hub, found, stays)).loss


def test_columns_without_padding_are_those_of_the_tokens_alone() -> None:
    (consumer,) = consumers_of(hub := NETWORKS["attention"](), trace(hub))
    array = np.random.default_rng(0).standard_normal((2, 6, 32)).astype(np.float32)
    rows = consumer.columns(array.reshape(12, 32), 100, 0)
    np.testing.assert_array_equal(rows, consumer.columns(array, 100, 0))


class Sequences(Samples):
    """Time comes first: a sample is a slice of the second axis."""

    def __len__(self) -> int:
        return next(iter(self._arrays.values())).shape[1]

    def batches(self, size: int):
        from edgekit.protocols import Batch

        for start in range(len(self)):
            arrays = {name: array[:, start : start + 1] for name, array in self._arrays.items()}
            yield Batch(arrays, whole=True)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_recurrent_units_go_and_the_others_are_refitted(kind: str) -> None:
    hub = stacked(kind)
    found = prune(hub, Pruning(macs=0.3, force=True), None, Sequences(**feeds_for(hub, 3, 96)), None, Silent())
    assert found.figures.macs[1] <= 0.7 * found.figures.macs[0]
    assert found.figures.found.sqnr_db > 3


def test_a_goal_that_is_measured_is_reached_with_as_few_cuts_as_possible() -> None:
    hub = wide_dense(64, 1)

    def size(candidate: Hub) -> float:
        return float(sum(value.const_value.size for value in candidate.model.graph.initializers.values()))

    limit = round(0.6 * size(hub))
    found = pruned(hub, Pruning(size_bytes=limit, force=True), measure=size)
    assert 0.45 * size(hub) < size(found.hub) <= limit


def test_the_limit_on_the_loss_stops_before_the_goal_and_says_what_the_next_cut_costs() -> None:
    found = pruned(wide_dense(64, 1), Pruning(macs=0.9, force=True), limit_drop=13.0)
    figures = found.figures
    assert figures.found.drop_points + figures.found.margin_points <= 13.0
    beyond = figures.steps[figures.steps.index(figures.found) + 1]
    assert beyond.drop_points + beyond.margin_points > 13.0
    assert "the limit is 13 points" in figures.stopped


def test_a_network_that_breaks_down_is_refused_unless_it_is_forced() -> None:
    with pytest.raises(ConversionError, match=r"ruins it.*channels = \"any\".*--force"):
        pruned(wide_dense(64, 1), Pruning(macs=0.9))
    before, after = pruned(wide_dense(64, 1), Pruning(macs=0.9, force=True)).figures.macs
    assert after < 0.2 * before


def test_a_goal_that_nothing_reaches_is_told_as_such() -> None:
    with pytest.raises(ConversionError, match=r"ruins it.*; even so, no more can be removed for the goal of"):
        pruned(wide_dense(64, 1), Pruning(macs=0.999))


def test_rules_keep_what_they_name() -> None:
    hub = wide_dense()
    with pytest.raises(RecipeError, match="let nothing go: 'hidden' keep all units"):
        pruned(hub, Pruning(macs=0.5, rules=(PruneRule("hidden", 0.0),)))
    half = pruned(hub, Pruning(macs=0.9, force=True, rules=(PruneRule("*", 0.0), PruneRule("hid*", 0.25))))
    assert [(layer.units, layer.left) for layer in half.figures.layers] == [(32, 24)]
    with pytest.raises(RecipeError, match="no node of the model matches"):
        pruned(hub, Pruning(macs=0.5, rules=(PruneRule("hiden", 0.0),)))


def test_a_rule_says_how_many_units_stay_at_least() -> None:
    """And what stays is a whole number of the kernels' blocks, of 8 channels here."""
    found = pruned(wide_dense(), Pruning(macs=0.9, force=True, rules=(PruneRule("hidden", least=20),)))
    assert [layer.left for layer in found.figures.layers] == [24]


def test_a_rule_for_what_makes_no_channels_is_told_from_one_that_matches_nothing() -> None:
    hub = residual()
    (name, *_) = [node.name for node in hub.model.graph if node.op_type == "MaxPool"]
    with pytest.raises(RecipeError, match=rf"'{name}', but no layer that makes channels"):
        pruned(hub, Pruning(macs=0.5, rules=(PruneRule(name, 0.0),)))


@pytest.mark.parametrize("least", [-1, 2.5])
def test_the_least_of_a_rule_is_a_number_of_units(least: int) -> None:
    with pytest.raises(RecipeError, match="expected a number of units"):
        PruneRule("head", least=least)


@pytest.mark.parametrize("importance", Importance)
def test_every_importance_makes_a_network(importance: Importance) -> None:
    assert pruned(mobile(), Pruning(macs=0.2, importance=importance, force=True)).figures.macs[1] > 0


def test_second_order_sees_what_others_make_up_for() -> None:
    """Twins that are large, and a unit that is small but alone: the small one stays, one of the twins goes."""
    graph = GraphBuilder()
    first = graph.constant(np.array([[2.0, 2.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.5]], np.float32))
    inner = graph.op("Gemm", graph.input("x", "float32", ["N", 3]), first, graph.constant(np.zeros(4, np.float32)))
    head = graph.constant(np.ones((4, 2), np.float32)), graph.constant(np.zeros(2, np.float32))
    graph.output(graph.op("Gemm", inner, *head), "y")
    hub = graph.build("test")
    gentle = Pruning(macs=0.2)
    assert pruned(hub, gentle).figures.found.sqnr_db > 20
    assert pruned(hub, Pruning(macs=0.2, importance=Importance.ACTIVATION)).figures.found.sqnr_db < 15


def test_pruning_wants_samples_and_something_to_remove() -> None:
    for samples, found in ((None, "none"), (samples_for(mobile(), 3), "3")):
        with pytest.raises(UsageError, match=f"needs 4 sample inputs at least and got {found}.*--calibrate"):
            prune(mobile(), Pruning(macs=0.2), None, samples, None, Silent())
    graph = GraphBuilder()
    graph.output(graph.op("Relu", graph.input("x", "float32", ["N", 3])), "y")
    with pytest.raises(ConversionError, match="no layer of this network can be pruned"):
        pruned(graph.build("test"), Pruning(macs=0.2))


@pytest.mark.parametrize(
    "goals", [{}, {"macs": 0.1, "latency_ms": 3.0}, {"units": 1.5}, {"macs": 30.0}, {"size_bytes": -1}]
)
def test_a_pruning_without_one_sensible_goal_is_refused(goals: dict[str, float]) -> None:
    with pytest.raises(RecipeError):
        Pruning(**goals)  # type: ignore[arg-type]


def test_a_part_of_every_layers_units_goes_in_counts_that_kernels_like() -> None:
    found = pruned(mobile(), Pruning(units=0.25, force=True, rules=(PruneRule("Conv_4", 0.0),))).figures
    assert found.stopped == ""
    assert len(found.layers) >= 4
    assert "Conv_4" not in [layer.name for layer in found.layers]
    for layer in found.layers:
        assert 0.5 * layer.units <= layer.left <= 0.75 * layer.units


def test_without_repair_the_weights_that_stay_are_as_they_were() -> None:
    hub = wide_dense(32, 1)
    found = pruned(hub, Pruning(units=0.5, importance=Importance.MAGNITUDE, repair=False, force=True))
    whole, left = (
        next(node for node in each.model.graph if node.name == "head").inputs[1].const_value.numpy()
        for each in (hub, found.hub)
    )
    assert len(left) == 16
    assert all(any(np.array_equal(row, other) for other in whole) for row in left)


class Labelled(Samples):
    """Samples whose labels are what a network decides, but for the first ``wrong``."""

    def __init__(self, hub: Hub, wrong: int, **arrays: np.ndarray) -> None:
        super().__init__(**arrays)
        self._labels = hub_session(hub).run(arrays)["y"].argmax(axis=1)
        self._labels[:wrong] = (self._labels[:wrong] + 1) % 4

    def batches(self, size: int):
        place = 0
        for batch in super().batches(size):
            yield dataclasses.replace(batch, labels=self._labels[place : place + len(batch)])
            place += len(batch)


def test_with_labels_the_limit_is_of_what_they_tell() -> None:
    hub = wide_dense(64, 1)
    samples = Labelled(hub, 40, **feeds_for(hub, 1, 400))
    found = prune(hub, Pruning(macs=0.9), 10.0, samples, None, Silent(), task_loss(None, samples)).figures
    assert found.judged_by == "top1"
    assert "points of top1 lost, repaired; the limit is 10 points" in found.stopped
    taken = found.steps.index(found.found)
    exceeding = found.steps[taken + 1]
    assert found.found.drop_points + found.found.margin_points <= 10.0
    assert exceeding.drop_points + exceeding.margin_points > 10.0
    assert len(found.steps) >= taken + 2


def test_a_metric_that_wants_labels_is_not_taken_where_there_are_none() -> None:
    hub = wide_dense(64, 1)
    samples = samples_for(hub)
    found = prune(hub, Pruning(macs=0.2), 20.0, samples, None, Silent(), task_loss("top1", samples)).figures
    assert found.judged_by == ""


def autoencoder() -> Hub:
    """Eight units between six numbers and the same six."""
    graph, random = GraphBuilder(), np.random.default_rng(6)
    shapes = ((6, 8), (8,), (8, 6), (6,))
    first, one, second, other = (graph.constant(random.standard_normal(each).astype(np.float32)) for each in shapes)
    inner = graph.op("Relu", graph.op("Gemm", graph.input("x", "float32", ["N", 6]), first, one))
    graph.output(graph.op("Gemm", inner, second, other), "y")
    return graph.build("test")


def binary() -> Hub:
    """One answer, yes or no."""
    graph, random = GraphBuilder(), np.random.default_rng(7)
    shapes = ((6, 32), (32,), (32, 1), (1,))
    first, one, second, other = (graph.constant(random.standard_normal(each).astype(np.float32)) for each in shapes)
    inner = graph.op("Relu", graph.op("Gemm", graph.input("x", "float32", ["N", 6]), first, one))
    graph.output(graph.op("Sigmoid", graph.op("Gemm", inner, second, other)), "y")
    return graph.build("test")


def test_an_autoencoder_is_judged_by_its_signal_and_takes_no_limit_in_points() -> None:
    found = pruned(autoencoder(), Pruning(macs=0.2, force=True)).figures
    assert found.found.drop_points is None
    assert found.found.cost(found.judged_by) == ""
    with pytest.raises(UsageError, match=r"limit of 2 points can't be kept.*decide nothing"):
        pruned(autoencoder(), Pruning(macs=0.2), limit_drop=2.0)


def test_answers_of_yes_or_no_are_decisions() -> None:
    costs = [step.drop_points for step in pruned(binary(), Pruning(macs=0.9, force=True)).figures.steps]
    assert costs[0] == 0.0
    assert max(costs) > 0.0


def test_a_metric_without_margins_is_taken_as_it_is() -> None:
    hub = wide_dense(64, 1)
    samples = Labelled(hub, 10, **feeds_for(hub, 1, 200))
    task = task_loss("balanced-accuracy", samples)
    figures = prune(hub, Pruning(macs=0.9, force=True), 25.0, samples, None, Silent(), task).figures
    assert figures.judged_by == "balanced-accuracy"
    assert figures.samples == (200, 200)
    assert figures.found.drop_points + figures.found.margin_points <= 25.0


def test_a_limit_that_the_samples_cannot_show_is_refused_with_how_many_could() -> None:
    hub = wide_dense(32, 1)
    with pytest.raises(
        ConversionError, match=r"One of the 64 samples.* is 1\.6 points: for a limit of 1, give 400 samples"
    ):
        pruned(hub, Pruning(macs=0.9), limit_drop=1.0)


def test_with_one_sample_held_out_cuts_still_cost_something() -> None:
    hub = wide_dense()
    figures = prune(hub, Pruning(macs=0.5, force=True), None, samples_for(hub, 4), None, Silent()).figures
    assert figures.found.sqnr_db < 60


def called_at_every_step() -> Hub:
    """One dense cell, three times."""
    graph, random = GraphBuilder(), np.random.default_rng(8)
    first, cell, last = (
        graph.constant(0.2 * random.standard_normal(shape).astype(np.float32)) for shape in ((6, 32), (32, 32), (32, 4))
    )
    state = graph.op("Relu", graph.op("MatMul", graph.input("x", "float32", ["N", 6]), first))
    for _ in range(3):
        state = graph.op("Add", state, graph.op("Tanh", graph.op("MatMul", state, cell)))
    graph.output(graph.op("MatMul", state, last), "y")
    return graph.build("test")


def test_weights_of_a_cell_that_is_called_at_every_step_stay_one_constant() -> None:
    smaller = pruned(called_at_every_step(), Pruning(macs=0.4, force=True)).hub
    cells = [node.inputs[1] for node in smaller.model.graph if node.op_type == "MatMul"][1:4]
    assert len(set(cells)) == 1
    assert cells[0] is not None
    rows, columns = static_shape(cells[0]) or (0, 0)
    assert 0 < rows == columns < 32

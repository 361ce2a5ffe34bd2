"""What the report says of pruning: what went, what that gained, and where it gained nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.figures import Agreement, LatencyFigures, Prunable, PrunableLayer, PrunedLayer, PruneFigures, PruneStep
from edgekit.prune_text import MOST_LAYERS, course, prunable_lines, prune_lines, removed
from edgekit.report import Entry, ModelFacts, Report, Role

WHOLE = PruneStep(1.0, 120.0, 0.0)
TAKEN, NEXT = PruneStep(0.8, 15.0, 4.0), PruneStep(0.7, 9.0, 12.0)
FIGURES = PruneFigures("20%", (1000, 800), (100, 90), (150, 50), TAKEN, (WHOLE, TAKEN, NEXT))


def latency(ms: float) -> LatencyFigures:
    return LatencyFigures(ms, 0.97 * ms, 1.03 * ms, ms, ms, ms, 1000, 1)


def report(pruned_ms: float) -> Report:
    return Report(
        model=ModelFacts("net.onnx", "onnx"),
        settings={},
        entries=(
            Entry("unpruned int8 onnx", Role.UNPRUNED, format="onnx", latency=latency(1.0)),
            Entry("net.int8.onnx", Role.ARTIFACT, format="onnx", latency=latency(pruned_ms)),
        ),
        pruning=FIGURES,
    )


def speed(pruned_ms: float) -> str:
    [line] = [line for line in prune_lines(report(pruned_ms)) if line.startswith("net.int8.onnx takes")]
    return line


def test_a_file_that_is_faster_is_told_to_be() -> None:
    assert speed(0.8) == "net.int8.onnx takes 80.0% of the time of unpruned int8 onnx"


@pytest.mark.parametrize("ms", [1.01, 1.43])
def test_a_file_that_gained_nothing_is_told_why_that_may_be(ms: float) -> None:
    assert "no gain in this runtime" in speed(ms)


def test_a_gain_within_the_error_of_the_timing_is_no_certain_one() -> None:
    assert "the intervals overlap" in speed(0.99)
    assert "the intervals overlap" not in speed(0.8)


def test_the_way_and_the_next_cut_are_told_with_what_they_cost() -> None:
    *_, head, taken, further = prune_lines(report(0.8))
    assert "50 of 200 samples" in head
    assert "without labels: by decisions that change" in head
    assert taken == "   80% left   15.0 dB  4.0 of 100 decisions changed (taken)"
    assert further == "   70% left    9.0 dB  12.0 of 100 decisions changed (further)"


def test_labels_tell_points_of_the_metric() -> None:
    step = PruneStep(0.8, 15.0, 4.0, 1.5)
    labelled = PruneFigures("20%", (1000, 800), (100, 90), (150, 50), step, (WHOLE, step), judged_by="top1")
    *_, head, taken = prune_lines(Report(model=ModelFacts("net.onnx", "onnx"), settings={}, pruning=labelled))
    assert head.endswith("by their labels:")
    assert taken == "   80% left   15.0 dB  4.0 (+-1.5) points of top1 lost (taken)"


def test_where_nothing_is_decided_the_signal_alone_is_told() -> None:
    step = PruneStep(0.8, 15.0, None)
    figures = PruneFigures("20%", (1000, 800), (100, 90), (150, 50), step, (PruneStep(1.0, 120.0, None), step))
    *_, head, taken = prune_lines(Report(model=ModelFacts("net.onnx", "onnx"), settings={}, pruning=figures))
    assert "by the signal" in head
    assert taken == "   80% left   15.0 dB (taken)"


def test_with_a_limit_every_sample_judges_and_repaired_states_say_so() -> None:
    step = PruneStep(0.8, 15.0, 0.4, 0.5, repaired=True)
    figures = PruneFigures(
        "90%", (1000, 800), (100, 90), (200, 200), step, (WHOLE, step), judged_by="top1", crossed=True
    )
    *_, head, taken = prune_lines(Report(model=ModelFacts("net.onnx", "onnx"), settings={}, pruning=figures))
    assert head == "what cuts cost on 200 samples, each judged by weights that were fitted to others, by their labels:"
    assert taken == "   80% left   15.0 dB  0.4 (+-0.5) points of top1 lost, repaired (taken)"


def test_of_many_states_a_few_are_told() -> None:
    steps = tuple(PruneStep(1 - part / 100, 30.0 - part, float(part)) for part in range(61))
    figures = PruneFigures("40%", (1000, 600), (100, 90), (150, 50), steps[40], steps)
    rows = course(figures)
    assert [row.mark for row in rows] == [""] * 5 + ["taken"] + ["further"] * 5
    assert rows[6].step == steps[41]


def test_a_network_that_was_not_pruned_has_no_such_lines() -> None:
    assert prune_lines(Report(model=ModelFacts("net.onnx", "onnx"), settings={})) == []


def test_what_went_is_told_in_a_unit_that_shows_it_and_by_layer() -> None:
    layers = tuple(PrunedLayer(f"conv{n}", 32, 24) for n in range(MOST_LAYERS + 3))
    figures = replace(FIGURES, macs=(2_660_000, 1_700_000), parameters=(23_700, 15_600), layers=layers, protected=())
    head, narrower = removed(figures)
    assert head == "pruned for 20%: multiply-accumulates 2.66 -> 1.7 M (-36.1%), parameters 23.7 -> 15.6 k (-34.2%)"
    assert narrower.startswith("narrower: conv0 32 -> 24, conv1 32 -> 24, ")
    assert narrower.endswith(f"conv{MOST_LAYERS - 1} 32 -> 24, and 3 more (--json lists all)")


def test_what_could_go_is_told_with_what_must_stay_as_wide() -> None:
    found = Prunable((PrunableLayer("a", 16, 16, ("a", "b")), PrunableLayer("c", 8, 2, ("c",))), ("head: it is read",))
    assert list(prunable_lines(found))[1:] == [
        "  a: 16, together with b",
        "  c: 8, of which the rules let 2 go",
        "  all stay: head: it is read",
    ]


@pytest.mark.parametrize(
    ("units", "signal_db", "channels", "told"),
    [(64, 6.0, "fast", True), (64, 6.0, "any", False), (64, 12.0, "fast", False), (160, 6.0, "fast", False)],
)
def test_small_layers_that_lost_much_are_told_of_finer_counts(
    units: int, signal_db: float, channels: str, told: bool
) -> None:
    figures = replace(FIGURES, layers=(PrunedLayer("conv", units, units - 16),), channels=channels)
    agreement = Agreement(300, signal_db, 0.9, 1.0, 0.7, 0.0, 0.0, 0, ())
    pruned = Entry("pruned float32 onnx", Role.PRUNED, format="onnx", agreement=agreement)
    lines = prune_lines(replace(report(0.8), entries=(pruned,), pruning=figures))
    assert any('channels = "any"' in line for line in lines) is told

"""GPU, NPU and options of XNNPACK: LiteRT's compiled models, what they take, and why they can't be had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import ArtifactError, FeedError, RuntimeUnavailableError, UsageError
from edgekit.protocols import Delegate, PlacedOp, Session, SessionOptions
from edgekit.recipe import Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.model import Hub
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite
from edgekit_runtimes.flat_graph import FlatGraph
from edgekit_runtimes.litert import LiteRt
from edgekit_runtimes.litert_compiled import refuse_unfit

HAS_GPU = "GPU" in LiteRt().probe().accelerators


def opened(path: Path, *delegates: str, threads: int = 1) -> Session:
    return LiteRt().open(path, SessionOptions(threads=threads, delegates=tuple(map(Delegate.parse, delegates))))


def answer(session: Session) -> list[int]:
    feeds = {
        spec.name: np.random.default_rng(2).integers(-128, 128, spec.shape).astype(np.int8) for spec in session.inputs
    }  # type: ignore[arg-type]  # the shapes of the file are numbers
    outputs = session.run(feeds)
    assert list(outputs) == [spec.name for spec in session.outputs]
    return [int(value) for value in next(iter(outputs.values())).ravel()]


def written(hub: Hub, folder: Path) -> Path:
    write_tflite(hub, QuantPlan(Precision.FLOAT32), folder / "m.tflite", TfliteOptions())
    return folder / "m.tflite"


def left(session: Session) -> dict[str, PlacedOp]:
    return {op.op: op for op in session.placement().ops if op.device == "builtin"}


def test_xnnpack_with_its_own_flags_answers_and_is_placed_as_in_the_interpreter(integer_digits: Path) -> None:
    plain, flagged = opened(integer_digits), opened(integer_digits, "XNNPACK:flags=qs8+qu8", threads=2)
    assert (flagged.inputs, flagged.outputs) == (plain.inputs, plain.outputs)
    assert answer(flagged) == answer(plain)
    assert flagged.placement().ops == plain.placement().ops


def test_a_flag_that_is_left_out_leaves_ops_to_the_interpreter_and_is_the_reason(integer_digits: Path) -> None:
    placed = left(opened(integer_digits, "XNNPACK:flags=none"))
    assert placed["CONV_2D"].why == "the flags 0x0 leave it out"
    assert placed["SOFTMAX"].why == "XNNPACK computes SOFTMAX in float32 only"


def test_packed_weights_are_kept_and_used_again(integer_digits: Path, tmp_path: Path) -> None:
    cache = tmp_path / "weights.cache"
    expected = answer(opened(integer_digits))
    for _ in range(2):
        assert answer(opened(integer_digits, f"XNNPACK:weight_cache={cache}")) == expected
    assert cache.stat().st_size > 1000


@pytest.mark.parametrize(
    ("delegates", "says"),
    [
        (("XNNPACK:speed=9",), "XNNPACK has no option 'speed'; it has weight_cache and flags"),
        (("XNNPACK:flags=qs9",), "XNNPACK has no flag 'qs9'; expected a number, or some of qs8, qu8"),
        (("GPU:depth=1",), "the GPU has no option 'depth'; it has enforce_f32"),
        (("GPU:enforce_f32=maybe",), "expected true or false"),
        (("NPU:speed=9",), "the NPU has no option 'speed'; it has dispatch and compiler"),
        (("GPU", "NPU"), "a model is compiled for one of them"),
        (("GPU", "edgetpu"), "'edgetpu' belongs to LiteRT's interpreter"),
        (("GPU", "reference"), "'reference' belongs to LiteRT's interpreter"),
    ],
)
def test_wrong_options_are_usage_errors(integer_digits: Path, delegates: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        opened(integer_digits, *delegates)


def test_a_cache_in_no_folder_is_an_error(integer_digits: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match="there is no such folder"):
        opened(integer_digits, "XNNPACK:weight_cache=/nowhere/weights.cache")


@pytest.mark.parametrize("delegates", [("NPU",), ("NPU", "XNNPACK")], ids=["alone", "the rest on the CPU"])
def test_an_absent_npu_is_an_error_with_litert_own_reason_and_no_fallback(
    integer_digits: Path, delegates: tuple[str, ...]
) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"the NPU can't be used .*name their folders"):
        opened(integer_digits, *delegates)


def test_a_folder_without_the_vendors_library_is_told(integer_digits: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"there is no libLiteRtDispatch_\*\.so in"):
        opened(integer_digits, f"NPU:dispatch={tmp_path}")


@pytest.mark.skipif(HAS_GPU, reason="there is a Vulkan driver")
@pytest.mark.parametrize("delegates", [("GPU",), ("GPU", "XNNPACK")], ids=["alone", "the rest on the CPU"])
def test_an_absent_gpu_is_an_error_with_litert_own_reason_and_no_fallback(
    integer_digits: Path, delegates: tuple[str, ...]
) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"the GPU can't be used .*No adapters found.*Vulkan driver"):
        opened(integer_digits, *delegates)


@pytest.mark.skipif(not HAS_GPU, reason="there is no Vulkan driver")
def test_a_gpu_takes_the_whole_file_and_is_named(integer_digits: Path) -> None:
    session = opened(integer_digits, "GPU")
    placement = session.placement()
    assert {op.device for op in placement.ops} == {"GPU"}
    assert placement.notes[0].startswith("the GPU is ")
    assert np.abs(np.array(answer(session)) - answer(opened(integer_digits))).max() <= 2


@pytest.mark.skipif(not HAS_GPU, reason="there is no Vulkan driver")
def test_what_a_gpu_leaves_needs_xnnpack_named_behind_it(tmp_path: Path) -> None:
    graph = GraphBuilder()
    x = graph.op("Relu", graph.input("x", "float32", (1, 8)))
    graph.output(graph.op("Mod", x, graph.constant(np.float32(3)), fmod=1), "y")
    path = written(graph.build("test"), tmp_path)
    with pytest.raises(RuntimeUnavailableError, match="--delegate GPU --delegate XNNPACK lets the CPU take the rest"):
        opened(path, "GPU")
    placed = opened(path, "GPU", "XNNPACK").placement()
    assert {"GPU", "XNNPACK"} <= {op.device for op in placed.ops}
    assert "GPU: ABS: Expected" in " ".join(op.why for op in placed.ops if op.device == "XNNPACK")


def test_feeds_are_checked_as_everywhere(integer_digits: Path) -> None:
    session = opened(integer_digits, "XNNPACK:flags=qs8")
    with pytest.raises(FeedError, match="no array was given"):
        session.run({})
    session.close()
    with pytest.raises(UsageError, match="is closed"):
        answer(session)


def test_a_damaged_file_is_an_artifact_error(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"no model at all")
    with pytest.raises(ArtifactError, match="not a TFLite file"):
        opened(tmp_path / "m.tflite", "XNNPACK:flags=qs8")


def test_a_file_that_keeps_its_state_is_refused() -> None:
    kept = FlatGraph(
        (), (), {}, ({"op_name": "UNIDIRECTIONAL_SEQUENCE_LSTM", "inputs": [], "outputs": []},), {}, frozenset()
    )
    with pytest.raises(
        RuntimeUnavailableError, match="UNIDIRECTIONAL_SEQUENCE_LSTM, which keeps its state from run to run"
    ):
        refuse_unfit(kept, "m.tflite")

"""Streams over real files in real runtimes: chunk after chunk gives what the whole sequence gives."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conversion import Converted, convert
from numpy.typing import NDArray
from streaming_models import CHANNELS, UNITS, chunk_network, chunks_of_signal, conv_network, signal, write_onnx_file

import edgekit
from edgekit.artifact import State
from edgekit.errors import FeedError, UsageError
from edgekit_converters.hub.run import hub_session

STEPS, CHUNKS = 4, 60
FORMATS = ("tflite", "onnx")
STATES = (State("cache", "new_cache"), State("hidden", "new_hidden"))


def whole_answer(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network gives at the end of the whole sequence."""
    return hub_session(chunk_network(sound.shape[2], carried=False)).run({"x": sound})["y"]


def streamed(path: Path, chunks: NDArray[np.float32], **options: Any) -> NDArray[np.float32]:
    """(chunks, units)."""
    with edgekit.load(path) as model, model.stream(**options) as stream:
        return np.concatenate([stream(chunk[np.newaxis]) for chunk in chunks])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_onnx_file(chunk_network(STEPS), tmp_path_factory.mktemp("model") / "m.onnx")


@pytest.fixture(scope="module")
def floats(model: Path) -> Path:
    """The folder of the float files."""
    converted = convert(model, model.parent / "float", "--precision", "float32", "--no-checks")
    assert converted.code == 0
    return converted.out


@pytest.fixture(scope="module")
def quantized(model: Path) -> Converted:
    """Int8 files, calibrated and checked on consecutive chunks."""
    for name, seed in (("calibrate", 1), ("evaluate", 2)):
        np.savez(model.parent / f"{name}.npz", x=chunks_of_signal(signal(STEPS * CHUNKS, seed), STEPS))
    samples = ("--calibrate", str(model.parent / "calibrate.npz"), "--evaluate", str(model.parent / "evaluate.npz"))
    converted = convert(model, model.parent / "int8", *samples, "--io", "int8")
    assert converted.code == 0, converted.err
    return converted


@pytest.mark.parametrize("file_format", FORMATS)
def test_chunks_give_what_the_whole_sequence_gives(floats: Path, file_format: str) -> None:
    sound = signal(STEPS * CHUNKS)
    found = streamed(floats / f"m.float32.{file_format}", chunks_of_signal(sound, STEPS))
    for chunks in (1, 7, CHUNKS):
        np.testing.assert_allclose(found[chunks - 1], whole_answer(sound[:, :, : STEPS * chunks])[0], atol=1e-5)


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_manifest_names_the_states(floats: Path, file_format: str) -> None:
    with edgekit.load(floats / f"m.float32.{file_format}") as opened:
        assert opened.manifest is not None
        assert opened.manifest.states == opened.states == STATES
        stream = opened.stream()
        assert [spec.name for spec in stream.inputs] == ["x"]
        assert [spec.name for spec in stream.outputs] == ["y"]


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_stream_begins_anew(floats: Path, file_format: str) -> None:
    chunks = chunks_of_signal(signal(STEPS * 5), STEPS)
    with edgekit.load(floats / f"m.float32.{file_format}") as opened:
        first, other = opened.stream(), opened.stream()
        start = first(chunks[:1])
        for chunk in chunks[1:]:
            first(chunk[np.newaxis])
            np.testing.assert_array_equal(other(chunks[:1]), start)  # streams of one model know nothing of each other
            other.reset()
        first.reset()
        assert first.values == {}
        np.testing.assert_array_equal(first(chunks[:1]), start)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_stream_goes_on_from_values_that_were_kept(floats: Path, file_format: str) -> None:
    path, chunks = floats / f"m.float32.{file_format}", chunks_of_signal(signal(STEPS * 6), STEPS)
    with edgekit.load(path) as opened:
        stream = opened.stream()
        for chunk in chunks[:3]:
            stream(chunk[np.newaxis])
        later = streamed(path, chunks[3:], initial=stream.values)
    np.testing.assert_array_equal(later, streamed(path, chunks)[3:])


def test_an_initial_value_from_the_recipe_fills_the_state(model: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[[states]]\ninput = "hidden"\noutput = "new_hidden"\ninitial = 0.5\n', "utf-8")
    made = convert(model, tmp_path, "--recipe", str(recipe), "--precision", "float32", "--to", "onnx", "--no-checks")
    x = signal(STEPS)
    expected = hub_session(chunk_network(STEPS)).run(
        {"x": x, "cache": np.zeros((1, CHANNELS, 2), np.float32), "hidden": np.full((1, 1, UNITS), 0.5, np.float32)}
    )
    np.testing.assert_allclose(streamed(made.out / "m.float32.onnx", x), expected["y"], atol=1e-6)


def test_a_call_that_fails_leaves_the_states(floats: Path) -> None:
    chunks = chunks_of_signal(signal(STEPS * 2), STEPS)
    with edgekit.load(floats / "m.float32.tflite") as opened:
        stream = opened.stream()
        stream(chunks[:1])
        with pytest.raises(FeedError):
            stream(np.zeros((1, CHANNELS, STEPS + 1), np.float32))
        np.testing.assert_array_equal(stream(chunks[1:]), streamed(opened.path, chunks)[1:])


@pytest.mark.parametrize(
    ("initial", "words"),
    [
        ({"x": np.zeros(3)}, "'x' is no state of the model"),
        ({"hidden": np.zeros((1, 1, UNITS))}, "is float64 .* takes float32"),
        ({"hidden": np.zeros((1, 2, UNITS), np.float32)}, r"float32 \(1, 2, 6\); the model takes float32 \(1, 1, 6\)"),
    ],
)
def test_initial_values_that_do_not_fit_are_refused(floats: Path, initial: dict[str, Any], words: str) -> None:
    with edgekit.load(floats / "m.float32.onnx") as opened, pytest.raises(FeedError, match=words):
        opened.stream(initial=initial)


def test_wrong_feeds_are_refused(floats: Path) -> None:
    chunk, hidden = np.zeros((1, CHANNELS, STEPS), np.float32), np.zeros((1, 1, UNITS), np.float32)
    with edgekit.load(floats / "m.float32.onnx") as opened:
        stream = opened.stream()
        with pytest.raises(FeedError, match="carries 'hidden' itself"):
            stream.run({"x": chunk, "hidden": hidden})
        with pytest.raises(FeedError, match="takes 1 inputs"):
            stream(chunk, hidden)


def test_a_file_without_a_manifest_streams_by_its_names(model: Path, floats: Path) -> None:
    chunks = chunks_of_signal(signal(STEPS * 3), STEPS)
    np.testing.assert_allclose(streamed(model, chunks), streamed(floats / "m.float32.onnx", chunks), atol=1e-6)


def test_names_that_tell_nothing_are_told_by_the_caller(tmp_path: Path) -> None:
    path = write_onnx_file(chunk_network(STEPS, second="cache_out"), tmp_path / "m.onnx")
    chunks = chunks_of_signal(signal(STEPS * 3), STEPS)
    states = {"cache": "cache_out", "hidden": "new_hidden"}
    with edgekit.load(path) as opened, pytest.raises(UsageError, match="names the output 'z'"):
        opened.stream(states={"cache": "z"})
    with edgekit.load(path) as opened, opened.stream(states=states) as stream:
        outputs = [stream.run({"x": chunk[np.newaxis]}) for chunk in chunks]
    assert set(outputs[0]) == {"y", "new_cache"}
    np.testing.assert_allclose(outputs[-1]["y"], whole_answer(signal(STEPS * 3)), atol=1e-5)


def test_targets_without_float_units_carry_integers(tmp_path: Path) -> None:
    model = write_onnx_file(conv_network(STEPS), tmp_path / "m.onnx")
    sound = signal(STEPS * CHUNKS)[:, :, np.newaxis]
    chunks = np.concatenate(np.split(sound, CHUNKS, axis=3))
    np.savez(tmp_path / "x.npz", x=chunks)
    made = convert(model, tmp_path, "--target", "ethos-u55", "--calibrate", str(tmp_path / "x.npz"), "--no-checks")
    assert made.code == 0, made.err
    with edgekit.load(tmp_path / "m.int8.tflite") as opened, opened.stream() as stream:
        assert {spec.dtype for spec in (*opened.inputs, *opened.outputs)} == {"int8"}
        found = np.concatenate([stream(chunk[np.newaxis]) for chunk in chunks], axis=3)
    expected = hub_session(conv_network(sound.shape[3], carried=False)).run({"x": sound})["y"]
    assert 10 * np.log10((expected**2).sum() / ((found - expected) ** 2).sum()) > 35


def test_the_example_streams(quantized: Converted, capsys: pytest.CaptureFixture[str]) -> None:
    example = Path(__file__).parent.parent / "examples" / "streaming.py"
    samples = str(quantized.out.parent / "evaluate.npz")
    runpy.run_path(str(example))["main"](str(quantized.out / "m.int8.onnx"), samples)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "carried from call to call: new_cache -> cache, new_hidden -> hidden"
    assert len(lines) == CHUNKS + 1


def test_a_model_without_states_says_so(tmp_path: Path) -> None:
    path = write_onnx_file(chunk_network(STEPS, carried=False), tmp_path / "m.onnx")
    with edgekit.load(path) as opened, pytest.raises(UsageError, match="has no states to carry"):
        opened.stream()


@pytest.mark.parametrize("file_format", FORMATS)
def test_int8_files_follow_the_float_network(quantized: Converted, file_format: str) -> None:
    sound = signal(STEPS * CHUNKS, seed=3)
    found = streamed(quantized.out / f"m.int8.{file_format}", chunks_of_signal(sound, STEPS))
    expected = whole_answer(sound)
    assert np.abs(found[-1] - expected[0]).max() < 0.05 * np.abs(expected).max()


@pytest.mark.parametrize("file_format", FORMATS)
def test_states_stay_float_where_the_other_ends_are_integers(quantized: Converted, file_format: str) -> None:
    manifest = quantized.manifest(f"m.int8.{file_format}")
    types = {spec["name"]: spec["dtype"] for side in ("inputs", "outputs") for spec in manifest[side]}
    assert (types["x"], types["y"]) == ("int8", "int8")
    assert {types[name] for state in STATES for name in (state.input, state.output)} == {"float32"}
    with edgekit.load(quantized.out / f"m.int8.{file_format}") as opened:
        assert {spec.name: spec.dtype for spec in (*opened.inputs, *opened.outputs)} == types


def test_chunks_are_checked_as_streams(quantized: Converted) -> None:
    report = quantized.document
    assert report["model"]["states"] == [
        {"input": state.input, "output": state.output, "initial": 0.0} for state in STATES
    ]
    assert any("consecutive chunks" in note for note in report["notes"])
    measured = [entry["agreement"] for entry in report["entries"] if entry["agreement"]]
    assert len(measured) == 4
    assert all([output["name"] for output in agreement["outputs"]] == ["y"] for agreement in measured)
    assert all(agreement["samples"] == CHUNKS and agreement["sqnr_db"] > 25 for agreement in measured)

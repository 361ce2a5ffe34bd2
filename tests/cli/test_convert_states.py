"""States and fixed inputs on the command line: ``convert``, ``run``, ``check``, ``inspect``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conversion import convert
from streaming_models import chunk_network, chunks_of_signal, signal, write_onnx_file

import edgekit
from edgekit.cli.border import run
from edgekit.errors import RecipeError
from edgekit.recipe import recipe_from_dict
from edgekit.streaming import Stream

STEPS = 4
FLOAT = ("--precision", "float32", "--no-checks", "--to", "onnx")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose cache goes out under two names that could be its state's."""
    return write_onnx_file(chunk_network(STEPS, second="cache_out"), tmp_path_factory.mktemp("model") / "m.onnx")


@pytest.fixture(scope="module")
def files(model: Path) -> Path:
    return convert(model, model.parent / "out", "--state", "cache=new_cache", *FLOAT).out


@pytest.fixture(scope="module")
def samples(model: Path) -> str:
    """Twelve chunks of two streams, with labels."""
    x = chunks_of_signal(signal(STEPS * 12), STEPS)
    np.savez(model.parent / "chunks.npz", x=x, group=np.arange(12) // 8, y=np.arange(12) % 6)
    return str(model.parent / "chunks.npz")


def test_a_state_that_could_be_several_is_noted(model: Path, tmp_path: Path) -> None:
    made = convert(model, tmp_path, *FLOAT)
    assert [state["input"] for state in made.document["model"]["states"]] == ["hidden"]
    assert any("tell with --state cache=OUTPUT" in note for note in made.document["notes"])


def test_a_state_that_was_told_is_carried(files: Path) -> None:
    with edgekit.load(files / "m.float32.onnx") as opened:
        assert [str(state) for state in opened.states] == ["new_cache -> cache", "new_hidden -> hidden"]


def test_none_means_that_nothing_is_carried(model: Path, tmp_path: Path, samples: str) -> None:
    made = convert(model, tmp_path, "--state", "none", *FLOAT)
    assert made.document["model"]["states"] == []
    refused = convert(model, tmp_path, "--state", "none", "--calibrate", samples)
    assert refused.code == 1
    assert "need none: convert with --state INPUT=OUTPUT" in refused.document["error"]["message"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--state", "cache"), "write INPUT=OUTPUT"),
        (("--state", "cache=y"), "can't go round"),
        (("--input-value", "x"), "write sr=16000"),
        (("--input-value", "x=many"), "write sr=16000"),
        (("--input-value", "z=1"), "names the input 'z'"),
    ],
)
def test_wrong_options_are_wrong_usage(model: Path, tmp_path: Path, options: tuple[str, str], words: str) -> None:
    made = convert(model, tmp_path, *FLOAT, *options)
    assert made.code == 2
    assert words in made.document["error"]["message"]


def test_a_fixed_input_is_gone(model: Path, tmp_path: Path) -> None:
    made = convert(model, tmp_path, "--input-value", "hidden=0.25", "--state", "cache=new_cache", *FLOAT)
    assert [spec["name"] for spec in made.manifest("m.float32.onnx")["inputs"]] == ["x", "cache"]


def test_run_streams_chunks(files: Path, samples: str, tmp_path: Path) -> None:
    file = files / "m.float32.onnx"
    assert run(["run", str(file), "--input", samples, "--output", str(tmp_path / "out.npz")]) == 0
    chunks = np.load(samples)["x"]
    with edgekit.load(file) as opened:
        expected = [answer for part in (chunks[:8], chunks[8:]) for answer in _answers(opened.stream(), part)]
    with np.load(tmp_path / "out.npz") as written:
        np.testing.assert_array_equal(written["y"], np.concatenate(expected))


def _answers(stream: Stream, chunks: np.ndarray) -> list[np.ndarray]:
    return [stream.run({"x": chunk[np.newaxis]})["y"] for chunk in chunks]


def test_bench_times_the_first_chunk(files: Path, samples: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--input", samples, "--min-seconds", "0.05", "--processes", "1", "--starts", "1", "--json")
    assert run(["bench", str(files / "m.float32.onnx"), *options]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["latency"]["min_ns"] > 0


def test_check_streams_chunks(files: Path, model: Path, samples: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(files / "m.float32.onnx")
    assert run(["check", file, "--against", str(model), "--samples", samples, "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)["entries"][1]
    assert [output["name"] for output in entry["agreement"]["outputs"]] == ["y", "cache_out"]
    assert entry["agreement"]["sqnr_db"] > 110


def test_check_fixes_inputs_of_the_model_compared_with(
    model: Path, samples: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = ("--input-value", "hidden=0.25")
    made = convert(model, tmp_path, *fixed, "--state", "cache=new_cache", *FLOAT)
    options = ("--against", str(model), "--samples", samples, "--json")
    assert run(["check", str(made.out / "m.float32.onnx"), *options, *fixed]) == 0
    assert json.loads(capsys.readouterr().out)["entries"][1]["agreement"]["sqnr_db"] > 110
    assert run(["check", str(made.out / "m.float32.onnx"), *options, "--input-value", "z=1"]) == 2


def test_inspect_shows_the_states(files: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(files / "m.float32.onnx"), "--json"]) == 0
    states = json.loads(capsys.readouterr().out)["states"]
    assert [(state["input"], state["output"]) for state in states] == [("cache", "new_cache"), ("hidden", "new_hidden")]
    assert run(["inspect", str(model)]) == 0
    assert "carried from call to call: new_hidden -> hidden" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"states": {"input": "a"}}, r"expected \[\[states\]\] tables"),
        ({"states": [{"input": "a", "outptu": "b"}]}, "unknown key 'outptu'"),
        ({"states": [{"input": "a"}]}, r"\[\[states\]\] 1"),
        ({"states": [{"input": "a", "output": "b", "initial": "zero"}]}, "expected a number"),
    ],
)
def test_a_recipe_with_wrong_states_is_refused(raw: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        recipe_from_dict(raw, "recipe.toml")

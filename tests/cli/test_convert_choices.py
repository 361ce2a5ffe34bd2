"""What the options of ``edgekit convert`` put into the files: precision, element types, targets, formats, recipes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from conversion import CALIBRATE, DIGITS, UNCHECKED, Converted, convert

import edgekit
from edgekit.target import builtin_targets, load_target

SQNR_DB = {"int8": 40.0, "int8-dynamic": 35.0, "float16": 55.0, "float32": 110.0}
CLASSES_RIGHT = 0.97


def answers(path: Path) -> np.ndarray:
    """The probabilities (100, 10) that a file gives for the first 100 evaluation samples."""
    with edgekit.load(path) as model:
        return np.asarray(model(np.load(DIGITS / "evaluate.npz")["x"][:100].astype(np.float32)))


def sqnr_db(expected: np.ndarray, found: np.ndarray) -> float:
    noise = max(float(((expected - found) ** 2).sum()), 1e-30)
    return 10 * float(np.log10((expected**2).sum() / noise))


@pytest.fixture(scope="module")
def expected(digits: Path) -> np.ndarray:
    return answers(digits)


@pytest.mark.parametrize("precision", SQNR_DB)
def test_every_precision_gives_two_files_close_to_the_original(
    digits: Path, tmp_path: Path, expected: np.ndarray, precision: str
) -> None:
    samples = CALIBRATE if precision == "int8" else ()
    made = convert(digits, tmp_path, "--precision", precision, "--no-checks", *samples)
    assert made.code == 0, made.err
    for file_format in ("tflite", "onnx"):
        name = f"digits.{precision}.{file_format}"
        assert made.manifest(name)["precision"] == precision
        assert sqnr_db(expected, answers(tmp_path / name)) > SQNR_DB[precision], name


def test_fewer_bits_make_smaller_files(digits: Path, tmp_path: Path) -> None:
    made = [convert(digits, tmp_path, "--precision", name, *UNCHECKED) for name in ("int8", "float16", "float32")]
    for index in range(2):
        small, half, full = [each.document["entries"][index]["size_bytes"] for each in made]
        assert small < half < full


@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_integer_inputs_and_outputs_are_integers_in_the_file_and_numbers_for_the_caller(
    digits: Path, tmp_path: Path, expected: np.ndarray, io: str
) -> None:
    made = convert(digits, tmp_path, "--io", io, *UNCHECKED)
    assert made.code == 0, made.err
    for name in ("digits.int8.tflite", "digits.int8.onnx"):
        manifest = made.manifest(name)
        assert manifest["inputs"][0]["dtype"] == io
        with edgekit.load(tmp_path / name) as model:
            assert model.inputs[0].dtype == io
        assert (answers(tmp_path / name).argmax(axis=1) == expected.argmax(axis=1)).mean() > CLASSES_RIGHT


def test_integers_at_an_end_that_stays_float_are_refused_in_every_format(digits: Path, tmp_path: Path) -> None:
    made = convert(digits, tmp_path, "--io", "int8", "--keep-float", "digit*", *UNCHECKED)
    assert made.code == 1
    assert [failure["stage"] for failure in made.document["failures"]] == ["write tflite", "write onnx"]
    assert all("keeps 'digit' in float" in failure["message"] for failure in made.document["failures"])
    assert made.files == {"report.json"}


@pytest.mark.parametrize("name", builtin_targets())
def test_every_target_gets_files_that_run_here(digits: Path, tmp_path: Path, expected: np.ndarray, name: str) -> None:
    target = load_target(name)
    made = convert(digits, tmp_path, "--target", name, *UNCHECKED)
    assert made.code == 0, made.document
    assert {f"digits.int8.{each}" for each in target.formats} == {
        file for file in made.files if file.endswith((".tflite", ".onnx"))
    }
    for file_format in target.formats:
        file = f"digits.int8.{file_format}"
        assert made.manifest(file)["target"] == name
        assert made.manifest(file)["inputs"][0]["dtype"] == target.io.value
        assert (answers(tmp_path / file).argmax(axis=1) == expected.argmax(axis=1)).mean() > CLASSES_RIGHT


def test_one_format_alone(digits: Path, tmp_path: Path) -> None:
    made = convert(digits, tmp_path, "--to", "tflite", *UNCHECKED)
    assert made.code == 0
    assert made.files == {"digits.int8.tflite", "digits.int8.tflite.json", "report.json"}


def test_without_checks_the_report_has_sizes_and_no_measured_figures(digits: Path, tmp_path: Path) -> None:
    report = convert(digits, tmp_path, *UNCHECKED).document
    assert [entry["role"] for entry in report["entries"]] == ["artifact", "artifact"]
    for entry in report["entries"]:
        assert entry["size_bytes"] > 0
        assert (entry["accuracy"], entry["agreement"], entry["latency"]) == (None, None, None)


def float_nodes(made: Converted) -> set[str]:
    return {node["node"] for node in made.document["float_nodes"]}


def test_kept_nodes_stay_float_and_are_named(digits: Path, tmp_path: Path) -> None:
    plain = convert(digits, tmp_path / "plain", "--effort", "plain", *UNCHECKED)
    kept = convert(digits, tmp_path / "kept", "--effort", "plain", "--keep-float", "conv2d_1*", *UNCHECKED)
    assert {name for name in float_nodes(kept) - float_nodes(plain) if name.startswith("conv2d_1")}
    sizes = [each.document["entries"][1]["size_bytes"] for each in (plain, kept)]
    assert sizes[1] > sizes[0]


def test_a_recipe_file_is_obeyed_and_options_win_over_it(digits: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'precision = "int8"\neffort = "plain"\nobserver = "percentile"\nio = "uint8"\n'
        '[[rules]]\nscope = "conv2d_1*"\nprecision = "float32"\n[budgets]\nsize-bytes = 10\n'
    )
    made = convert(digits, tmp_path / "out", "--recipe", str(recipe), "--io", "int8", "--limit-size", "1MB", *UNCHECKED)
    assert made.code == 0, made.document
    stored = made.manifest("digits.int8.onnx")["recipe"]
    assert (stored["effort"], stored["observer"], stored["io"]) == ("plain", "percentile", "int8")
    assert any(name.startswith("conv2d_1") for name in float_nodes(made))
    assert convert(digits, tmp_path / "out", "--recipe", str(recipe), *UNCHECKED).code == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("precison = 'int8'\n", "unknown key 'precison'"),
        ("effort = 'most'\n", "expected one of: plain, standard"),
        ("[preprocess]\nscale = 0\n", "preprocess.scale holds 0"),
        ("precision = \n", "is not valid TOML"),
    ],
)
def test_a_wrong_recipe_is_wrong_usage(digits: Path, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "recipe.toml").write_text(text)
    made = convert(digits, tmp_path / "out", "--recipe", str(tmp_path / "recipe.toml"), *UNCHECKED)
    assert made.code == 2
    assert says in made.err
    assert "recipe.toml" in made.err or "preprocess." in made.err


def test_a_file_without_float_operators_is_tflite_alone(digits: Path, tmp_path: Path, expected: np.ndarray) -> None:
    made = convert(digits, tmp_path, "--integer-only", *CALIBRATE, "--evaluate", str(DIGITS / "evaluate.npz"))
    assert made.code == 0, made.err
    assert "digits.int8.onnx" not in made.files
    assert made.document["settings"]["operators"] == "integers only"
    assert sqnr_db(expected, answers(tmp_path / "digits.int8.tflite")) > 30


def test_an_onnx_file_cannot_do_without_float_operators(digits: Path, tmp_path: Path) -> None:
    made = convert(digits, tmp_path, "--integer-only", "--to", "onnx", *UNCHECKED)
    assert made.code == 2
    assert "--to tflite" in made.document["error"]["message"]


def test_only_int8_does_without_float_operators(digits: Path, tmp_path: Path) -> None:
    made = convert(digits, tmp_path, "--integer-only", "--precision", "float16", *UNCHECKED)
    assert made.code == 2
    assert "integer-only needs precision int8" in made.document["error"]["message"]


def test_a_recipe_asks_for_files_without_float_operators(digits: Path, tmp_path: Path) -> None:
    recipe = DIGITS.parent / "recipes" / "integer_only.toml"
    made = convert(digits, tmp_path, "--recipe", str(recipe), *UNCHECKED)
    assert made.code == 0, made.err
    assert made.manifest("digits.int8.tflite")["inputs"][0]["dtype"] == "int8"


def test_zeros_are_in_both_files_and_in_the_report(digits: Path, tmp_path: Path, expected: np.ndarray) -> None:
    made = convert(digits, tmp_path, "--sparsify", "50%", *UNCHECKED)
    assert made.code == 0, made.err
    zeros = made.document["sparsity"]
    assert zeros["wanted"] == "50%"
    assert sum(one["zeros"] for one in zeros["matrices"]) == pytest.approx(
        0.5 * sum(one["weights"] for one in zeros["matrices"]), rel=0.01
    )
    for file in zeros["files"]:
        assert file["zeros"] / file["weights"] > 0.48
        assert file["zipped_bytes"] < 0.75 * file["size_bytes"]
    assert any("no runtime here has a kernel that skips them" in note for note in made.document["notes"])
    for name in ("digits.int8.tflite", "digits.int8.onnx"):
        assert (answers(tmp_path / name).argmax(axis=1) == expected.argmax(axis=1)).mean() > CLASSES_RIGHT


def test_zeros_are_placed_in_what_pruning_leaves(digits: Path, tmp_path: Path) -> None:
    made = convert(digits, tmp_path, "--prune", "20%", "--sparsify", "50%", *UNCHECKED)
    assert made.code == 0, made.err
    alone = convert(digits, tmp_path / "alone", "--sparsify", "50%", *UNCHECKED)
    weights, before = (sum(one["weights"] for one in each.document["sparsity"]["matrices"]) for each in (made, alone))
    assert weights < 0.9 * before
    assert sum(one["zeros"] for one in made.document["sparsity"]["matrices"]) == pytest.approx(weights / 2, rel=0.01)


def test_pruned_to_any_width_every_layer_holds_two_of_four(digits: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[prune]\nmacs = 0.3\nchannels = "any"\n\n[[rules]]\nscope = "*"\nsparsify = "2:4"\n')
    made = convert(digits, tmp_path, "--recipe", str(recipe), "--precision", "float32", *UNCHECKED)
    assert made.code == 0, made.err
    dense = {one["reason"] for one in made.document["sparsity"]["matrices"] if one["pattern"] != "2:4"}
    assert dense == {"left dense: 1 input channel(s) to an output can't hold 2:4"}
    model = onnx.load(tmp_path / "digits.float32.onnx")
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    convolutions = [arrays[node.input[1]] for node in model.graph.node if node.op_type == "Conv"]
    assert any(weight.shape[1] % 4 for weight in convolutions[1:])
    for weight in convolutions:
        kept = np.moveaxis(weight != 0, 1, -1)
        filled = np.pad(kept, ((0, 0),) * (kept.ndim - 1) + ((0, -kept.shape[-1] % 4),))
        assert filled.reshape(-1, 4).sum(axis=1).max() <= 2


def test_a_recipe_says_where_zeros_go(digits: Path, tmp_path: Path) -> None:
    recipe = DIGITS.parent / "recipes" / "sparse.toml"
    made = convert(digits, tmp_path, "--recipe", str(recipe), *UNCHECKED, "--precision", "float32")
    matrices = {one["name"]: one for one in made.document["sparsity"]["matrices"]}
    assert matrices["digit"]["zeros"] == 0
    assert any(one["pattern"] == "50%" for one in matrices.values())


def test_a_sparsity_that_says_nothing_is_a_usage_error(digits: Path, tmp_path: Path) -> None:
    made = convert(digits, tmp_path, "--sparsify", "half", *UNCHECKED)
    assert made.code == 2
    assert "2:4" in made.document["error"]["message"]

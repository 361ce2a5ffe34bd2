"""Models that can't be converted: one message that names the file or the node, an exit code, nothing left."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from conversion import DIGITS, UNCHECKED, Converted, convert

from edgekit_converters.hub.build import GraphBuilder

KERAS = DIGITS / "digits_cnn.keras"


def refused(model: Path, out: Path, *options: str) -> Converted:
    """The answer to a model that must be refused cleanly."""
    made = convert(model, out, *UNCHECKED, *options)
    assert made.code == 1
    assert made.document["schema"] == "edgekit.error/1"
    assert made.err.startswith("error: ")
    assert made.err.count("\n") == 1
    assert not made.out.exists()
    return made


@pytest.mark.parametrize("name", ["none.onnx", "none.keras", "none.h5", "none.pt2", "none.pb", "none"])
def test_a_missing_model(tmp_path: Path, name: str) -> None:
    assert f"there is no model at '{tmp_path / name}'" in refused(tmp_path / name, tmp_path / "out").err


def test_a_damaged_onnx_file(digits: Path, tmp_path: Path) -> None:
    model = tmp_path / "cut.onnx"
    model.write_bytes(digits.read_bytes()[:5000])
    made = refused(model, tmp_path / "out")
    assert "cut.onnx is damaged" in made.err
    assert made.document["error"]["kind"] == "SourceError"


def test_a_damaged_keras_file(tmp_path: Path) -> None:
    model = tmp_path / "cut.keras"
    model.write_bytes(KERAS.read_bytes()[:100_000])
    assert "cut.keras" in refused(model, tmp_path / "out").err


def test_a_keras_file_whose_weights_are_damaged(tmp_path: Path) -> None:
    model = tmp_path / "hollow.keras"
    with zipfile.ZipFile(KERAS) as source, zipfile.ZipFile(model, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            copy.writestr(name, content if name.endswith(".json") else content[: len(content) // 2])
    assert "hollow.keras" in refused(model, tmp_path / "out").err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.onnx", b""),
        ("noise.onnx", bytes(range(256)) * 8),
        ("text.keras", b"hello"),
        ("empty.h5", b""),
        ("noise.h5", b"\x89HDF\r\n\x1a\n" + bytes(200)),
        ("zip.pt2", b"PK\x03\x04"),
        ("pickle.pt", b"\x80\x02}q."),
        ("notes.txt", b"no model"),
        ("model.tflite", bytes(64)),
        ("no_suffix", bytes(64)),
    ],
)
def test_content_that_is_no_model(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert name in refused(tmp_path / name, tmp_path / "out").err


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["graph.pb", "folder"])
def test_a_damaged_tensorflow_model(tmp_path: Path, name: str) -> None:
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    model = tmp_path / name
    protobuf = model if model.suffix else model / "saved_model.pb"
    protobuf.parent.mkdir(exist_ok=True)
    protobuf.write_bytes(b"\x0a\xff\xff")
    assert name in refused(model, tmp_path / "out").err


def test_an_empty_folder_is_no_saved_model(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert "is not a model that edgekit reads" in refused(tmp_path / "folder", tmp_path / "out").err


def test_weights_alone_need_a_factory(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    made = convert(tmp_path / "w.safetensors", tmp_path / "out", *UNCHECKED)
    assert made.code == 2
    assert "--factory module:callable" in made.err


def test_another_frameworks_file_under_a_wrong_suffix(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "onnx_inside.keras").write_bytes(digits.read_bytes())
    assert "onnx_inside.keras" in refused(tmp_path / "onnx_inside.keras", tmp_path / "out").err


def test_a_layer_without_a_rule_is_named_with_a_way_out(tmp_path: Path) -> None:
    model = tmp_path / "custom.keras"
    with zipfile.ZipFile(KERAS) as source, zipfile.ZipFile(model, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                content = content.replace(b'"class_name": "DepthwiseConv2D"', b'"class_name": "Wavelet"')
            copy.writestr(name, content)
    made = refused(model, tmp_path / "out")
    assert "Wavelet" in made.err
    assert "ONNX" in made.err


def unsupported(build: GraphBuilder) -> None:
    value = build.op("MatMul", build.input("x", "float32", ("n", 4, 4)), build.constant(np.eye(4, dtype=np.float32)))
    build.output(build.op("Det", value, name="determinant"), "y")


def integer_free(build: GraphBuilder) -> None:
    value = build.op("MatMul", build.input("x", "float32", ("n", 4, 4)), build.constant(np.eye(4, dtype=np.float32)))
    build.output(build.op("Erf", value, name="error_function"), "y")


@pytest.mark.parametrize(
    ("make", "target", "says"),
    [
        (unsupported, "cpu", "node 'determinant' uses Det, which the TFLite writer cannot emit"),
        (integer_free, "ethos-u55", "error_function (Erf has no int8 form)"),
    ],
)
def test_an_operator_that_the_format_or_target_lacks_is_named(
    tmp_path: Path, make: Callable[[GraphBuilder], None], target: str, says: str
) -> None:
    build = GraphBuilder()
    make(build)
    ir.save(build.build("test").model, tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).normal(size=(8, 4, 4)).astype(np.float32))
    samples = ("--calibrate", str(tmp_path / "x.npz"), "--no-checks", "--to", "tflite", "--target", target)
    made = convert(tmp_path / "m.onnx", tmp_path / "out", *samples)
    assert made.code == 1
    failures = [failure["message"] for failure in made.document.get("failures", ())]
    assert says in made.err + "".join(failures)
    assert made.files <= {"report.json"}


def test_debug_shows_the_traceback_of_the_child(tmp_path: Path) -> None:
    (tmp_path / "noise.onnx").write_bytes(b"noise")
    made = convert(tmp_path / "noise.onnx", tmp_path / "out", *UNCHECKED, "--debug")
    assert "in the child process:" in made.err
    assert made.err.splitlines()[-1].startswith("error: ")

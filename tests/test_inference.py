"""The on-device library on real files in real runtimes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgekit
from edgekit.artifact import Artifact, Manifest, TensorSpec, sha256_of
from edgekit.errors import ArtifactError, FeedError, RuntimeUnavailableError, UnknownNameError, UsageError
from edgekit.inference import find_runtime
from edgekit.protocols import Availability
from edgekit.recipe import IoType, Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.model import Hub
from edgekit_converters.quantize.params import per_tensor
from edgekit_converters.quantize.quant_plan import Execution, NodePlan, QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

SCALE, ZERO_POINT = 0.25, -20


def relu_hub() -> Hub:
    graph = GraphBuilder()
    graph.output(graph.op("Relu", graph.input("x", "float32", (1, 4)), name="relu"), "y")
    return graph.build("test")


@pytest.fixture
def quantized(tmp_path: Path) -> Path:
    """A TFLite file with int8 ends: ``y = relu(x)``."""
    encoding = per_tensor(SCALE, ZERO_POINT)
    plan = QuantPlan(Precision.INT8, values={"x": encoding, "y": encoding}, nodes={"relu": NodePlan(Execution.INTEGER)})
    write_tflite(relu_hub(), plan, tmp_path / "m.tflite", TfliteOptions(io=IoType.INT8))
    return tmp_path / "m.tflite"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "m.onnx"
    path.write_bytes(relu_hub().to_bytes())
    return path


def add_manifest(path: Path, preprocess: dict[str, object] | None = None) -> None:
    spec = (TensorSpec("x", "float32", (1, 4)),)
    manifest = Manifest(
        path.name, sha256_of(path), path.stat().st_size, "onnx", "float32", spec, spec, 0, preprocess=preprocess
    )
    Artifact.manifest_path(path).write_text(manifest.to_json(), "utf-8")


def test_quantized_ends_are_real_numbers_for_the_caller(quantized: Path) -> None:
    with edgekit.load(quantized) as model:
        found = model(np.array([[-3.0, 0.25, 1.6, 500.0]], np.float32))
    assert found.dtype == np.float32
    assert found.tolist() == [[0.0, 0.25, 1.5, (127 - ZERO_POINT) * SCALE]]  # 1.6 is 6.4 steps


def test_raw_leaves_the_files_own_integers(quantized: Path) -> None:
    with edgekit.load(quantized) as model:
        found = model.run({"x": np.array([[-128, -20, 0, 127]], np.int8)}, raw=True)["y"]
    assert found.dtype == np.int8
    assert found.tolist() == [[-20, -20, 0, 127]]


def test_real_numbers_for_raw_and_integers_without_are_refused(quantized: Path) -> None:
    with edgekit.load(quantized) as model:
        with pytest.raises(FeedError, match="has dtype float32; expected int8"):
            model(np.zeros((1, 4), np.float32), raw=True)
        with pytest.raises(FeedError, match="raw=True"):
            model(np.zeros((1, 4), np.int8))


@pytest.mark.parametrize("raw", [False, True])
def test_any_number_of_samples_goes_through_a_batch_of_1(quantized: Path, raw: bool) -> None:
    samples = np.arange(12, dtype=np.int8 if raw else np.float32).reshape(3, 4)
    with edgekit.load(quantized) as model:
        together = model(samples, raw=raw)
        single = [model(samples[n : n + 1], raw=raw) for n in range(3)]
    np.testing.assert_array_equal(together, np.concatenate(single))


def test_both_formats_of_one_model_answer_alike(quantized: Path, plain: Path) -> None:
    array = np.array([[-1.0, 0.5, 2.0, 4.0]], np.float32)
    with edgekit.load(quantized) as one, edgekit.load(plain) as other:
        assert one(array).tolist() == other(array).tolist()
        assert (one.runtime, other.runtime) == ("litert", "onnxruntime")


def test_threads_are_passed_on(plain: Path) -> None:
    with edgekit.load(plain, threads=2) as model:
        assert model(np.ones((1, 4), np.float32)).tolist() == [[1, 1, 1, 1]]
    with pytest.raises(UsageError, match="threads is 0"):
        edgekit.load(plain, threads=0)


def test_several_outputs_come_as_a_dict_by_name(tmp_path: Path) -> None:
    graph = GraphBuilder()
    a, b = graph.input("a", "float32", (1, 2)), graph.input("b", "float32", (1, 2))
    graph.output(graph.op("Sub", a, b), "difference")
    graph.output(graph.op("Add", a, b), "sum")
    path = tmp_path / "two.onnx"
    path.write_bytes(graph.build("test").to_bytes())
    with edgekit.load(path) as model:
        one, other = np.array([[5, 6]], np.float32), np.array([[1, 2]], np.float32)
        found = model(one, other)
        assert isinstance(found, dict)
        assert {name: array.tolist() for name, array in found.items()} == {"difference": [[4, 4]], "sum": [[6, 8]]}
        with pytest.raises(FeedError, match=r"has 2 inputs \(a, b\); 1 arrays were given"):
            model(one)


def test_a_changed_file_is_refused_before_a_runtime_opens_it(plain: Path) -> None:
    add_manifest(plain)
    edgekit.load(plain).close()
    plain.write_bytes(plain.read_bytes() + b"\0")
    with pytest.raises(ArtifactError, match="was changed after it was written"):
        edgekit.load(plain)


def test_the_manifest_is_there_where_edgekit_wrote_one(plain: Path) -> None:
    with edgekit.load(plain) as model:
        assert model.manifest is None
    add_manifest(plain)
    with edgekit.load(plain) as model:
        assert model.manifest is not None
        assert model.manifest.precision == "float32"


def test_preprocess_does_what_the_recipe_did(plain: Path, tmp_path: Path) -> None:
    add_manifest(plain, {"resize": [2, 2], "mean": [127.5], "scale": [127.5], "layout": "NCHW"})
    pixels = np.full((4, 6, 3), 255, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "white.png")
    with edgekit.load(plain) as model:
        for picture in (pixels, tmp_path / "white.png", str(tmp_path / "white.png")):
            array = model.preprocess(picture)
            assert array.shape == (1, 3, 2, 2)
            assert (array == 1.0).all()


def test_preprocess_without_a_table_says_what_to_do(plain: Path) -> None:
    with edgekit.load(plain) as model, pytest.raises(UsageError, match=r"no \[preprocess\] table"):
        model.preprocess(np.zeros((2, 2, 3), np.uint8))


def test_a_model_tells_its_placement(plain: Path) -> None:
    with edgekit.load(plain) as model:
        assert [op.op for op in model.placement().ops] == ["Relu"]


def test_an_unknown_runtime_suggests_the_nearest(plain: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'onnxruntime'"):
        edgekit.load(plain, runtime="onnxruntim")


def test_a_runtime_of_another_format_is_refused(plain: Path) -> None:
    with pytest.raises(ArtifactError, match="is not a file that the runtime 'litert' opens"):
        edgekit.load(plain, runtime="litert")


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    path.write_bytes(b"x")
    with pytest.raises(ArtifactError, match=r"expected the suffix \.onnx or \.tflite"):
        edgekit.load(path)


def test_no_runtime_at_all_names_every_way_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgekit_runtimes.litert import LiteRt
    from edgekit_runtimes.tflite_runtime import TfliteRuntime

    for kind in (LiteRt, TfliteRuntime):
        absent = Availability(False, reason="not installed", remedy=f"pip install {kind.name}")
        monkeypatch.setattr(kind, "probe", lambda self, absent=absent: absent)
    with pytest.raises(RuntimeUnavailableError, match=r"pip install litert.*pip install tflite_runtime"):
        find_runtime(Path("m.tflite"))


def test_the_library_needs_neither_converters_nor_click(plain: Path) -> None:
    code = (
        "import sys, numpy, edgekit\n"
        f"with edgekit.load({str(plain)!r}) as model: model(numpy.ones((1, 4), 'float32'))\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('click', 'onnx', 'PIL', 'edgekit_converters')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.data
def test_an_integer_autoencoder_reproduces_its_input() -> None:
    folder = os.environ.get("EDGEKIT_DATA")
    if not folder:
        pytest.skip("EDGEKIT_DATA names no folder of real data")
    samples = np.random.default_rng(0).normal(0, 4, (3, 640)).astype(np.float32)
    files = Path(folder) / "mlperf_tiny"
    with edgekit.load(files / "ad01_int8.tflite") as integer, edgekit.load(files / "ad01_fp32.tflite") as real:
        one, other = integer(samples), real(samples)
    assert isinstance(one, np.ndarray)
    assert isinstance(other, np.ndarray)
    assert one.shape == (3, 640)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.95

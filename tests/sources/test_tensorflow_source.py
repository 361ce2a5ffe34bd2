from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edgekit import isolation
from edgekit.protocols import ReadOptions
from edgekit_converters.sources.onnx import OnnxSource
from edgekit_converters.sources.tensorflow import TensorflowSource

ort = pytest.importorskip("onnxruntime")
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(not (find_spec("tensorflow") and find_spec("tf2onnx")), reason="needs tensorflow and tf2onnx"),
]

SOURCE = TensorflowSource()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    isolation.run("tensorflow_models:write_all", str(folder))
    return folder


@pytest.fixture(scope="module")
def answers(models):
    return isolation.run("tensorflow_export_all:export_all", str(models)).value


def expected(models, name):
    with np.load(models / f"expected_{name}.npz") as arrays:
        feeds = {key[3:]: arrays[key] for key in arrays.files if key.startswith("in_")}
        return feeds, {key[4:]: arrays[key] for key in arrays.files if key.startswith("out_")}


def assert_outputs(hub, feeds, wanted):
    found = ort.InferenceSession(hub.to_bytes()).run([spec.name for spec in hub.outputs], feeds)
    assert [spec.name for spec in hub.outputs] == sorted(wanted)
    for spec, array in zip(hub.outputs, found, strict=True):
        np.testing.assert_allclose(array, wanted[spec.name], rtol=0, atol=1e-5 * max(1.0, np.abs(array).max()))


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("network", {"image": ("batch", 8, 8, 2)}),
        ("two_inputs", {"zeta": ("batch", 4), "alpha": ("batch", 2)}),
        ("callable", {"x": ("batch", 4)}),
        ("frozen.pb", {"x": ("batch", 4)}),
    ],
)
def test_the_hub_gives_tensorflows_outputs_under_the_models_names(name, inputs, models, answers):
    assert answers[name][0] == "read", answers[name]
    hub = OnnxSource().read(models / f"{name}.onnx", ReadOptions())
    assert {spec.name: spec.shape for spec in hub.inputs} == inputs
    assert_outputs(hub, *expected(models, name))


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("python", "UntrustedSourceError", "calls a Python function"),
        ("open_size", "SourceError", "--input-shape x=1,..."),
        ("no_onnx_form", "UnsupportedLayerError", "no ONNX form of Betainc"),
        ("text", "SourceError", "is text"),
        ("which", "SourceError", "has the signatures first, second"),
        ("nothing", "SourceError", "no signature"),
        ("damaged", "SourceError", "saved_model.pb is damaged"),
        ("damaged.pb", "SourceError", "no frozen TensorFlow graph"),
    ],
)
def test_what_cannot_be_read_says_why(name, kind, words, answers):
    assert answers[name][0] == kind, answers[name]
    assert words in answers[name][1]


def test_reader_and_reference_agree_through_their_child_processes(models):
    feeds, wanted = expected(models, "two_inputs")
    hub = SOURCE.read(models / "two_inputs", ReadOptions())
    assert hub.framework == "tensorflow"
    assert "exported by tf2onnx" in hub.notes
    assert_outputs(hub, feeds, wanted)
    with SOURCE.reference(models / "two_inputs" / "saved_model.pb", ReadOptions()) as reference:
        found = reference.run(feeds)
    assert {spec.name for spec in reference.inputs} == {"zeta", "alpha"}
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.data
@pytest.mark.slow
def test_a_saved_model_whose_optimizer_is_unknown_gives_its_outputs():
    if "EDGEKIT_DATA" not in os.environ:
        pytest.skip("EDGEKIT_DATA does not name the folder of models")
    path = Path(os.environ["EDGEKIT_DATA"], "mlperf_tiny", "kws_ref_model")
    feeds = {"input_1": np.random.default_rng(0).standard_normal((4, 49, 10, 1)).astype(np.float32)}
    hub = SOURCE.read(path, ReadOptions())
    assert hub.inputs[0].shape == ("batch", 49, 10, 1)
    with SOURCE.reference(path, ReadOptions()) as reference:
        assert_outputs(hub, feeds, reference.run(feeds))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("basic_pitch") is None, reason="needs the package basic-pitch")
def test_the_saved_model_and_the_onnx_file_of_one_network_give_equal_hubs():
    spec = find_spec("basic_pitch")
    folder = Path(spec.origin).parent / "saved_models" / "icassp_2022"
    saved, written = SOURCE.read(folder / "nmp", ReadOptions()), OnnxSource().read(folder / "nmp.onnx", ReadOptions())
    sound = np.random.default_rng(0).standard_normal((2, 43844, 1)).astype(np.float32)
    answers = [ort.InferenceSession(hub.to_bytes()).run(None, {hub.inputs[0].name: sound}) for hub in (saved, written)]
    by_shape_and_mean = [sorted(outputs, key=lambda array: (array.shape, float(array.mean()))) for outputs in answers]
    for one, other in zip(*by_shape_and_mean, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)

"""How the reader is found, and what Keras itself answers as the reference."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from keras_files import functional, input_layer, layer, normal, run, sequential, write_h5, write_keras

from edgekit import registry
from edgekit.protocols import ReadOptions
from edgekit_converters.sources.keras import KerasSource
from edgekit_converters.sources.keras.activations import FUNCTIONS
from edgekit_converters.sources.keras.table import rules

DENSE = sequential(
    ("InputLayer", {"name": "x", "batch_shape": [None, 3]}),
    ("Dense", {"name": "d", "units": 2, "use_bias": False, "activation": "softmax"}),
)


def test_the_registry_knows_it():
    assert isinstance(registry.source("keras"), KerasSource)
    assert registry.source("keras").probe().available


def test_it_matches_by_suffix_and_by_content(tmp_path):
    source = KerasSource()
    package = write_keras(tmp_path / "m.keras", DENSE, {"layers/dense/vars/0": normal(3, 2)})
    assert source.matches(package)
    assert source.matches(package.rename(tmp_path / "model.zip"))
    assert source.matches(write_h5(tmp_path / "m.H5", DENSE, {}))
    (tmp_path / "m.onnx").write_bytes(b"PK\x03\x04")
    assert not source.matches(tmp_path / "m.onnx")
    assert not source.matches(tmp_path)
    assert not source.matches(tmp_path / "absent.keras")


def test_reading_imports_no_framework(tmp_path):
    path = write_keras(tmp_path / "m.keras", DENSE, {"layers/dense/vars/0": normal(3, 2)})
    program = (
        "import sys; from pathlib import Path; from edgekit.protocols import ReadOptions; "
        "from edgekit_converters.sources.keras import KerasSource; assert not {'onnx', 'h5py'} & set(sys.modules); "
        f"KerasSource().read(Path({str(path)!r}), ReadOptions()); "
        "assert not {'keras', 'tensorflow', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_reference_is_what_keras_answers_in_its_own_process(tmp_path):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    layers = [
        input_layer("b", 4),
        input_layer("a", 3),
        layer("Dense", "d", ("a", 0, 0), units=4, use_bias=False),
        layer("Add", "sum", ("d", 0, 0), ("b", 0, 0)),
    ]
    config = functional(layers, ["b", "a"], [["sum", 0, 0], ["d", 0, 0]])
    path = write_h5(
        tmp_path / "m.h5", config, {"d": {"kernel:0": normal(3, 4)}}, keras_version="2.4.0", backend="tensorflow"
    )
    b, a = normal(5, 4), normal(5, 3, seed=1)
    reference = KerasSource().reference(path, ReadOptions())
    assert reference is not None
    try:
        answered = reference.run({"a": a, "b": b})
    finally:
        reference.close()
    assert list(answered) == ["sum", "d"]
    for ours, theirs in zip(run(path, b, a), answered.values(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_there_is_no_reference_where_keras_3_computes_another_function_or_fails(tmp_path):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    old = functional(
        [input_layer("x", 3), layer("Activation", "a", ("x", 0, 0), activation="hard_sigmoid")], ["x"], [["a", 0, 0]]
    )
    path = write_h5(tmp_path / "old.h5", old, {}, keras_version="2.4.0")
    assert KerasSource().reference(path, ReadOptions()) is None
    keras_1 = sequential(("Dense", {"name": "d", "output_dim": 2, "bias": False, "batch_input_shape": [None, 3]}))
    path = write_h5(tmp_path / "older.h5", keras_1, {"d": {"d_W": normal(3, 2)}}, keras_version="1.2.2")
    assert KerasSource().reference(path, ReadOptions()) is None


def test_the_documentation_names_every_layer_and_activation():
    page = (Path(__file__).parents[3] / "docs" / "sources" / "keras.md").read_text("utf-8")
    words = set(re.findall(r"\w+", page))
    layers = {kind for kind in rules() if "." not in kind}
    assert not (layers | set(FUNCTIONS)) - words

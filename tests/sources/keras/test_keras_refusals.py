"""What the reader does not read: every refusal names the layer or file, says why and what to do."""

from __future__ import annotations

import json
import zipfile

import h5py
import numpy as np
import pytest
from keras_files import functional, input_layer, layer, normal, read, sequential, write_h5, write_keras

from edgekit.errors import SourceError, UnsupportedLayerError, UntrustedSourceError
from edgekit.protocols import ReadOptions


def one_layer(kind: str, **config: object) -> dict[str, object]:
    """A functional model of an input ``x`` and the layer ``it``."""
    return functional([input_layer("x", 4), layer(kind, "it", ("x", 0, 0), **config)], ["x"], [["it", 0, 0]])


def test_a_lambda_is_refused_without_being_run(tmp_path):
    path = write_h5(tmp_path / "m.h5", one_layer("Lambda", function=["4wEAAAA=", None, None]), {})
    with pytest.raises(UntrustedSourceError, match=r"'it' is a Lambda.*does not run.*SavedModel"):
        read(path)


@pytest.mark.parametrize("kind", ["Hashing", "IntegerLookup", "StringLookup", "TextVectorization"])
def test_preparing_layers_are_refused_by_name(tmp_path, kind):
    path = write_h5(tmp_path / "m.h5", one_layer(kind), {})
    with pytest.raises(UnsupportedLayerError, match=rf"'it' is of class {kind}, which prepares data.*your own code"):
        read(path)


@pytest.mark.parametrize("kind", ["ConvLSTM3D", "MyLayer"])
def test_a_layer_without_a_rule_is_refused_by_name(tmp_path, kind):
    path = write_h5(tmp_path / "m.h5", one_layer(kind), {})
    with pytest.raises(UnsupportedLayerError, match=rf"'it' is of class {kind}.*ONNX"):
        read(path)


def test_a_sampling_layer_is_refused_with_both_ways_around_it(tmp_path):
    path = write_h5(tmp_path / "m.h5", one_layer("Sampling"), {})
    with pytest.raises(UnsupportedLayerError, match=r"'it' is of class Sampling.*z_mean.*noise as an Input.*ONNX"):
        read(path)


def test_a_layer_inside_a_wrapper_in_a_nested_model_is_named_with_its_path(tmp_path):
    wrapped = layer(
        "TimeDistributed", "wrap", ("z", 0, 0), layer={"class_name": "ConvLSTM3D", "config": {"name": "cell"}}
    )
    inner = functional([input_layer("z", 3, 4), wrapped], ["z"], [["wrap", 0, 0]])
    inner |= {"name": "inner", "inbound_nodes": [[["x", 0, 0]]]}
    path = write_h5(tmp_path / "m.h5", functional([input_layer("x", 3, 4), inner], ["x"], [["inner", 1, 0]]), {})
    with pytest.raises(UnsupportedLayerError, match="'inner/wrap/cell' is of class ConvLSTM3D"):
        read(path)


def test_a_registered_custom_class_is_refused(tmp_path):
    custom = {**layer("Dense", "mine"), "module": "my_package.layers", "registered_name": "my_package>Dense"}
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": [custom]}}
    with pytest.raises(UnsupportedLayerError, match="'mine' is of the custom class 'Dense'"):
        read(write_keras(tmp_path / "m.keras", config, {"vars/0": np.zeros(1)}))


def test_a_model_that_keras_quantized_is_refused(tmp_path):
    policy = {"module": "keras", "class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}
    path = write_h5(tmp_path / "m.h5", one_layer("Dense", units=3, dtype=policy), {})
    with pytest.raises(UnsupportedLayerError, match=r"'it' is already quantized.*before quantize"):
        read(path)


def test_a_custom_activation_is_refused_by_name(tmp_path):
    path = write_h5(tmp_path / "m.h5", one_layer("Activation", activation="wobble"), {})
    with pytest.raises(UnsupportedLayerError, match="'it' has the activation 'wobble'"):
        read(path)


def test_a_subclassed_model_is_refused(tmp_path):
    path = write_h5(tmp_path / "m.h5", {"class_name": "MyModel", "config": {}}, {})
    with pytest.raises(UnsupportedLayerError, match="class 'MyModel'"):
        read(path)


def test_a_file_of_weights_only_says_how_to_save_the_model(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as store:
        store.create_dataset("dense/kernel:0", data=normal(2, 2))
    with pytest.raises(SourceError, match=r"weights only.*model\.save"):
        read(tmp_path / "w.h5")


def test_a_model_without_an_input_shape_asks_for_it(tmp_path):
    config = sequential(("Dense", {"name": "d", "units": 2, "use_bias": False}))
    path = write_h5(tmp_path / "m.h5", config, {"d": {"kernel": normal(3, 2)}})
    with pytest.raises(SourceError, match=r"shape of input 'd_input'.*--input-shape"):
        read(path)
    assert read(path, ReadOptions({"": (1, 3)})).inputs[0].shape == ("batch", 3)


def test_a_given_shape_that_contradicts_the_file_is_refused(tmp_path):
    path = write_h5(tmp_path / "m.h5", one_layer("Dropout"), {})
    with pytest.raises(SourceError, match=r"'x' has shape \(None, 4\)"):
        read(path, ReadOptions({"x": (1, 5)}))


def test_unknown_sizes_stay_symbolic_or_become_the_given_ones(tmp_path):
    pool = layer("MaxPooling2D", "pool", ("x", 0, 0), pool_size=2)
    config = functional([input_layer("x", None, None, 3), pool], ["x"], [["pool", 0, 0]])
    path = write_h5(tmp_path / "m.h5", config, {})
    assert read(path).inputs[0].shape == ("batch", "x_1", "x_2", 3)
    assert read(path, ReadOptions({"": (1, 8, 6, 3)})).outputs[0].shape == ("batch", 4, 3, 3)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "takes 2 weights"),
        ({"it": {"kernel": normal(4, 3)}}, r"takes 2 weights \(kernel, bias\) but the file holds 1"),
        ({"it": {"kernel": normal(5, 3), "bias": normal(3)}}, "'it' .Dense. does not fit its input"),
        ({"it": {"kernel": normal(4), "bias": normal(3)}}, "'kernel' has shape .4,.; expected 2 axes"),
    ],
)
def test_weights_that_do_not_fit_are_an_error_that_names_the_layer(tmp_path, weights, message):
    path = write_h5(tmp_path / "m.h5", one_layer("Dense", units=3), weights)
    with pytest.raises(SourceError, match=message):
        read(path)


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        {"class_name": "Sequential"},
        {"class_name": "Sequential", "config": []},
        {"class_name": "Model", "config": {"layers": [{"class_name": 7}]}},
        functional([input_layer("x", 4)], ["x"], [["y", 0, 0]]),
        functional([input_layer("x", 4)], ["x"], [["x", 3, 0]]),
        functional([input_layer("x", -4)], ["x"], [["x", 0, 0]]),
        functional([input_layer("x", 2**40)], ["x"], [["x", 0, 0]]),
        functional([input_layer("x", 4), input_layer("x", 4)], ["x"], [["x", 0, 0]]),
        functional([input_layer("x", 4), layer("ReLU", "a", ("b", 0, 0)), layer("ReLU", "b", ("a", 0, 0))], ["x"], [["a", 0, 0]]),
        functional([input_layer("x", 4), layer("Reshape", "a", ("x", 0, 0), target_shape="no")], ["x"], [["a", 0, 0]]),
        functional([input_layer("x", 4), layer("Reshape", "a", ("x", 0, 0), target_shape=[0, 3])], ["x"], [["a", 0, 0]]),
        functional([input_layer("x", 4), layer("Conv2D", "a", ("x", 0, 0))], ["x"], [["a", 0, 0]]),
        functional([input_layer("x", 4), layer("ZeroPadding1D", "a", ("x", 0, 0), padding=-1)], ["x"], [["a", 0, 0]]),
        functional([input_layer("x", 4, 4), layer("MaxPooling1D", "a", ("x", 0, 0), strides=0)], ["x"], [["a", 0, 0]]),
        functional([input_layer("x", 4), layer("Permute", "a", ("x", 0, 0), dims=[2, 3])], ["x"], [["a", 0, 0]]),
    ],
    ids=lambda config: json.dumps(config)[:60],
)  # fmt: skip
def test_a_damaged_configuration_is_a_source_error(tmp_path, config):
    path = write_h5(tmp_path / "m.h5", config, {})
    with pytest.raises(SourceError):
        read(path)


def test_a_configuration_nested_without_end_is_a_source_error(tmp_path):
    deep = "[" * 100_000
    with h5py.File(tmp_path / "m.h5", "w") as store:
        store.create_dataset("x", data=[0])
        store.attrs["model_config"] = "{}"
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as package:
        package.writestr("config.json", deep)
        package.writestr("model.weights.h5", (tmp_path / "m.h5").read_bytes())
    with pytest.raises(SourceError, match="not readable JSON"):
        read(tmp_path / "m.keras")


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_file_cut_anywhere_is_a_source_error(tmp_path, name):
    config = sequential(("Dense", {"name": "d", "units": 64, "use_bias": False, "batch_input_shape": [None, 64]}))
    if name == "m.h5":
        path = write_h5(tmp_path / name, config, {"d": {"kernel": normal(64, 64)}})
    else:
        path = write_keras(tmp_path / name, config, {"layers/dense/vars/0": normal(64, 64)})
    read(path)
    whole = path.read_bytes()
    for part in (0, 1, 7, 100, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:part])
        with pytest.raises(SourceError):
            read(path)


def test_bytes_overwritten_anywhere_give_a_hub_or_a_source_error(tmp_path):
    config = sequential(("Dense", {"name": "d", "units": 4, "use_bias": False, "batch_input_shape": [None, 4]}))
    path = write_h5(tmp_path / "m.h5", config, {"d": {"kernel": normal(4, 4)}})
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    refused = 0
    for place in generator.integers(8, len(whole), 60):
        path.write_bytes(whole[:place] + generator.bytes(4) + whole[place + 4 :])
        try:
            read(path)
        except SourceError:
            refused += 1
    assert 0 < refused < 60, "some bytes matter, and some do not"


def test_a_compressed_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("config.json", "{}")
        package.writestr("model.weights.h5", b"")
    raw = path.read_bytes()
    info = zipfile.ZipFile(path).getinfo("config.json")
    assert info.file_size == 2
    place = raw.index(b"PK\x01\x02") + 24  # the uncompressed size in the central directory
    path.write_bytes(raw[:place] + (2**31).to_bytes(4, "little") + raw[place + 4 :])
    with pytest.raises(SourceError, match="made to exhaust memory"):
        read(path)


def test_an_array_that_claims_more_than_is_stored_is_refused(tmp_path):
    config = sequential(("Dense", {"name": "d", "units": 4, "use_bias": False, "batch_input_shape": [None, 4]}))
    path = write_h5(tmp_path / "m.h5", config, {"d": {}})
    with h5py.File(path, "a") as store:
        folder = store["model_weights/d"]
        folder.create_dataset("kernel", shape=(10**6, 10**6), dtype="f4", chunks=(1000, 1000))
        folder.attrs["weight_names"] = [b"kernel"]
    with pytest.raises(SourceError, match="claims shape"):
        read(path)


def test_weights_outside_the_file_are_refused(tmp_path):
    config = sequential(("Dense", {"name": "d", "units": 4, "use_bias": False, "batch_input_shape": [None, 4]}))
    with h5py.File(tmp_path / "secret.h5", "w") as store:
        store.create_dataset("kernel", data=normal(4, 4))
    path = write_h5(tmp_path / "m.h5", config, {"d": {}})
    with h5py.File(path, "a") as store:
        store["model_weights/d"].attrs["weight_names"] = [b"kernel"]
        store["model_weights/d/kernel"] = h5py.ExternalLink("secret.h5", "kernel")
    with pytest.raises(SourceError, match="link to elsewhere"):
        read(path)
    (tmp_path / "raw.bin").write_bytes(bytes(64))
    path = write_h5(tmp_path / "n.h5", config, {"d": {}})
    with h5py.File(path, "a") as store:
        store["model_weights/d"].attrs["weight_names"] = [b"kernel"]
        store["model_weights/d"].create_dataset(
            "kernel", shape=(4, 4), dtype="f4", external=[(str(tmp_path / "raw.bin"), 0, 64)]
        )
    with pytest.raises(SourceError, match="not stored as plain numbers"):
        read(path)


def test_a_missing_file_and_a_file_of_another_kind_are_source_errors(tmp_path):
    with pytest.raises(SourceError, match="there is no model file"):
        read(tmp_path / "none.keras")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(SourceError, match="neither a zip nor an HDF5"):
        read(tmp_path / "text.h5")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as package:
        package.writestr("readme", "")
    with pytest.raises(SourceError, match=r"without config\.json"):
        read(tmp_path / "other.keras")

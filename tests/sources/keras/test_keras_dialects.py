"""Keras 1 and 2 files, made by hand, against what their layers are defined to compute."""

from __future__ import annotations

import numpy as np
import pytest
from keras_files import (
    correlate,
    functional,
    input_layer,
    layer,
    normal,
    read,
    run,
    sequential,
    write_h5,
    write_keras,
)

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def test_keras_1_sequential_with_channels_first_stores_kernels_as_output_input_rows_columns(tmp_path):
    kernel, bias, dense = normal(5, 2, 3, 3), normal(5, seed=1), normal(5 * 2 * 3, 4, seed=2)
    config = sequential(
        (
            "Convolution2D",
            {
                "name": "conv", "nb_filter": 5, "nb_row": 3, "nb_col": 3, "border_mode": "valid", "bias": True,
                "subsample": [1, 1], "activation": "relu", "dim_ordering": "th",
                "batch_input_shape": [None, 2, 6, 8],
            },
        ),
        ("MaxPooling2D", {"name": "pool", "pool_size": [2, 2], "strides": [2, 2], "dim_ordering": "th", "border_mode": "valid"}),
        ("Dropout", {"name": "drop", "p": 0.5}),
        ("Flatten", {"name": "flat"}),
        ("Dense", {"name": "dense", "output_dim": 4, "activation": "linear", "bias": False}),
    )  # fmt: skip
    weights = {"conv": {"conv_W": kernel, "conv_b": bias}, "dense": {"dense_W": dense}}
    path = write_h5(tmp_path / "old.h5", config, weights, keras_version="1.2.2")
    x = normal(2, 2, 6, 8, seed=3)

    convolved = correlate(x.transpose(0, 2, 3, 1), kernel.transpose(2, 3, 1, 0)) + bias
    relu = np.maximum(convolved, 0).transpose(0, 3, 1, 2)
    pooled = relu.reshape(2, 5, 2, 2, 3, 2).max(axis=(3, 5))
    (found,) = run(path, x)
    np.testing.assert_allclose(found, pooled.reshape(2, -1) @ dense, **CLOSE)
    hub = read(path)
    assert [spec.name for spec in hub.inputs] == ["conv_input"]
    assert "does not say its backend" in hub.notes[0]


def test_kernels_that_theano_trained_are_turned_around(tmp_path):
    kernel = normal(3, 3, 2, 4)
    layers = [
        input_layer("x", 6, 6, 2),
        layer("Conv2D", "conv", ("x", 0, 0), filters=4, kernel_size=[3, 3], use_bias=False),
    ]
    config = functional(layers, ["x"], [["conv", 0, 0]])
    x = normal(1, 6, 6, 2, seed=1)
    for backend, expected in (("theano", kernel[::-1, ::-1]), ("tensorflow", kernel), ("cntk", kernel)):
        path = write_h5(
            tmp_path / f"{backend}.h5", config, {"conv": {"kernel:0": kernel}}, backend=backend, keras_version="2.1.6"
        )
        np.testing.assert_allclose(run(path, x)[0], correlate(x, expected), **CLOSE)


def test_keras_1_convolution_over_time_stores_a_kernel_of_four_axes(tmp_path):
    kernel = normal(3, 1, 2, 5)
    conv = {
        "name": "conv",
        "nb_filter": 5,
        "filter_length": 3,
        "border_mode": "valid",
        "subsample_length": 1,
        "bias": False,
    }
    config = sequential(("Convolution1D", {**conv, "batch_input_shape": [None, 7, 2]}))
    path = write_h5(tmp_path / "old.h5", config, {"conv": {"conv_W": kernel}})
    x = normal(2, 7, 2, seed=1)
    expected = correlate(x[:, :, None], kernel)[:, :, 0]
    np.testing.assert_allclose(run(path, x)[0], expected, **CLOSE)


@pytest.mark.parametrize(("mode", "join"), [("sum", np.add), ("mul", np.multiply), ("max", np.maximum)])
def test_keras_1_merge_joins_two_inputs(tmp_path, mode, join):
    layers = [input_layer("a", 3), input_layer("b", 3), layer("Merge", "m", ("a", 0, 0), ("b", 0, 0), mode=mode)]
    path = write_h5(tmp_path / "old.h5", functional(layers, ["a", "b"], [["m", 0, 0]]), {})
    a, b = normal(4, 3), normal(4, 3, seed=1)
    np.testing.assert_allclose(run(path, a, b)[0], join(a, b), **CLOSE)


def test_keras_1_merge_concatenates_along_its_axis(tmp_path):
    merge = layer("Merge", "m", ("a", 0, 0), ("b", 0, 0), mode="concat", concat_axis=1)
    config = functional([input_layer("a", 2, 3), input_layer("b", 4, 3), merge], ["a", "b"], [["m", 0, 0]])
    path = write_h5(tmp_path / "old.h5", config, {})
    a, b = normal(4, 2, 3), normal(4, 4, 3, seed=1)
    np.testing.assert_array_equal(run(path, a, b)[0], np.concatenate([a, b], axis=1))


def test_layers_of_a_nested_keras_1_model_are_found_at_the_top(tmp_path):
    inner = sequential(
        ("Dense", {"name": "inner_dense", "output_dim": 2, "bias": False, "batch_input_shape": [None, 3]})
    )
    config = {
        "class_name": "Sequential",
        "config": [inner, {"class_name": "Activation", "config": {"name": "act", "activation": "tanh"}}],
    }
    kernel = normal(3, 2)
    path = write_h5(tmp_path / "old.h5", config, {"inner_dense": {"inner_dense_W": kernel}})
    x = normal(4, 3, seed=1)
    np.testing.assert_allclose(run(path, x)[0], np.tanh(x @ kernel), **CLOSE)


@pytest.mark.parametrize(("version", "slope"), [("2.4.0", 0.2), ("3.1.0", 1 / 6)])
def test_hard_sigmoid_is_that_of_the_version_that_wrote_the_file(tmp_path, version, slope):
    layers = [input_layer("x", 9), layer("Activation", "act", ("x", 0, 0), activation="hard_sigmoid")]
    path = write_h5(tmp_path / "m.h5", functional(layers, ["x"], [["act", 0, 0]]), {}, keras_version=version)
    x = np.linspace(-4, 4, 9, dtype=np.float32)[None]
    np.testing.assert_allclose(run(path, x)[0], np.clip(slope * x + 0.5, 0, 1), **CLOSE)


def test_calls_of_a_nested_keras_2_model_are_counted_from_one(tmp_path):
    inner = functional(
        [input_layer("z", 3), layer("Dense", "d", ("z", 0, 0), units=3, use_bias=False)], ["z"], [["d", 0, 0]]
    )
    inner |= {"name": "inner", "inbound_nodes": [[["x", 0, 0]], [["inner", 1, 0]]]}
    config = functional([input_layer("x", 3), inner], ["x"], [["inner", 2, 0], ["inner", 1, 0]])
    kernel = normal(3, 3)
    path = write_h5(tmp_path / "m.h5", config, {"inner": {"d/kernel:0": kernel}}, keras_version="2.3.1")
    x = normal(4, 3, seed=1)
    twice, once = run(path, x)
    np.testing.assert_allclose(once, x @ kernel, **CLOSE)
    np.testing.assert_allclose(twice, x @ kernel @ kernel, **CLOSE)
    assert [spec.name for spec in read(path).outputs] == ["inner", "inner_2"]


def test_operations_of_tensorflow_between_keras_2_layers_are_read(tmp_path):
    product = layer("TFOpLambda", "product", ("x", 0, 0, {"y": 3.0, "name": None}), function="math.multiply")
    rest = layer("TFOpLambda", "rest", ("_CONSTANT_VALUE", -1, 1.0, {"y": ["product", 0, 0]}), function="math.subtract")
    spec = {"slice_spec": [_slice(None, None), _slice(1, 3)]}
    item = layer("SlicingOpLambda", "item", ("rest", 0, 0, spec), function="__operators__.getitem")
    layers = [input_layer("x", 4), product, rest, item]
    path = write_h5(tmp_path / "m.h5", functional(layers, ["x"], [["item", 0, 0]]), {}, keras_version="2.11.0")
    x = normal(2, 4)
    np.testing.assert_allclose(run(path, x)[0], (1 - x * 3)[:, 1:3], **CLOSE)


def test_weights_of_frozen_layers_of_a_nested_model_come_behind_the_trained_ones(tmp_path):
    def norm(name: str, before: str, trainable: bool) -> dict[str, object]:
        return layer("BatchNormalization", name, (before, 0, 0), axis=-1, epsilon=0.0, trainable=trainable)

    inner = functional([input_layer("z", 2), norm("one", "z", False), norm("two", "one", True)], ["z"], [["two", 0, 0]])
    inner |= {"name": "inner", "inbound_nodes": [[["x", 0, 0]]]}
    config = functional([input_layer("x", 2), inner], ["x"], [["inner", 1, 0]])
    values = [
        5.0,
        7.0,
        2.0,
        3.0,
        11.0,
        4.0,
        13.0,
        9.0,
    ]  # two: gamma beta; one: gamma beta mean variance; two: mean variance
    arrays = {f"weight_{n}:0": np.full(2, value, np.float32) for n, value in enumerate(values)}
    path = write_h5(tmp_path / "m.h5", config, {"inner": arrays}, keras_version="2.4.0")
    x = normal(3, 2)
    one = (x - 11) / 2 * 2 + 3
    np.testing.assert_allclose(run(path, x)[0], (one - 13) / 3 * 5 + 7, **CLOSE)


def test_folders_without_names_are_counted_by_class(tmp_path):
    dense = {"units": 2, "use_bias": False}
    config = sequential(
        ("InputLayer", {"name": "x", "batch_shape": [None, 2]}),
        ("Dense", {"name": "zeta", **dense}),
        ("Dense", {"name": "alpha", **dense}),
    )
    first, second = normal(2, 2), normal(2, 2, seed=1)
    x = normal(3, 2, seed=2)
    for root, other in (("layers", "dense_1"), ("_layer_checkpoint_dependencies", "dense_2")):
        arrays = {f"{root}/dense/vars/0": first, f"{root}/{other}/vars/0": second}
        path = write_keras(tmp_path / f"{root}.keras", config, arrays)
        np.testing.assert_allclose(run(path, x)[0], x @ first @ second, **CLOSE)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_weights_become_float32(tmp_path, dtype):
    kernel = normal(2, 2).astype(np.float16).astype(np.float32)
    if dtype == "float16":
        stored = kernel.astype(np.float16)
    else:
        kernel = (kernel.view(np.uint32) & 0xFFFF0000).view(np.float32)
        stored = (kernel.view(np.uint32) >> 16).astype(np.uint16).view("V2")
    config = sequential(
        ("InputLayer", {"name": "x", "batch_shape": [None, 2]}),
        ("Dense", {"name": "d", "units": 2, "use_bias": False, "dtype": f"mixed_{dtype}"}),
    )
    path = write_keras(tmp_path / "m.keras", config, {"layers/dense/vars/0": stored})
    x = normal(3, 2, seed=1)
    np.testing.assert_allclose(run(path, x)[0], x @ kernel, **CLOSE)
    assert "half precision" in read(path).notes[0]


def test_channels_first_layers_compute_what_channels_last_ones_do(tmp_path):
    arrays = {
        "conv": {"k": normal(3, 3, 2, 4), "b": normal(4, seed=1)},
        "up": {"k": normal(3, 3, 5, 4, seed=2), "b": normal(5, seed=3)},
        "norm": {name: np.abs(normal(5, seed=4)) + n for n, name in enumerate("gbmv")},
        "sep": {"d": normal(3, 3, 5, 2, seed=5), "p": normal(1, 1, 10, 3, seed=6), "b": normal(3, seed=7)},
    }
    x, outputs = normal(2, 7, 9, 2, seed=8), {}
    for order, axis, shape in (("channels_last", -1, (7, 9, 2)), ("channels_first", 1, (2, 7, 9))):
        layers = [
            input_layer("x", *shape),
            layer("Conv2D", "conv", ("x", 0, 0), filters=4, kernel_size=3, strides=2, padding="same", data_format=order),
            layer("Conv2DTranspose", "up", ("conv", 0, 0), filters=5, kernel_size=3, strides=2, data_format=order),
            layer("BatchNormalization", "norm", ("up", 0, 0), axis=[axis]),
            layer("ZeroPadding2D", "pad", ("norm", 0, 0), padding=[[1, 0], [2, 3]], data_format=order),
            layer("SeparableConv2D", "sep", ("pad", 0, 0), filters=3, kernel_size=3, data_format=order),
            layer("AveragePooling2D", "pool", ("sep", 0, 0), pool_size=2, padding="same", data_format=order),
            layer("Cropping2D", "crop", ("pool", 0, 0), cropping=[[0, 1], [1, 0]], data_format=order),
            layer("UpSampling2D", "resize", ("crop", 0, 0), size=2, interpolation="bilinear", data_format=order),
            layer("Flatten", "flat", ("resize", 0, 0), data_format=order),
            layer("GlobalMaxPooling2D", "most", ("resize", 0, 0), data_format=order),
        ]  # fmt: skip
        config = functional(layers, ["x"], [["flat", 0, 0], ["most", 0, 0]])
        path = write_h5(tmp_path / f"{order}.h5", config, arrays, keras_version="2.4.0")
        outputs[order] = run(path, x if order == "channels_last" else x.transpose(0, 3, 1, 2))
    for last, first in zip(*outputs.values(), strict=True):
        np.testing.assert_allclose(first, last, **CLOSE)


def _slice(start: int | None, stop: int | None) -> dict[str, int | None]:
    return {"start": start, "stop": stop, "step": None}

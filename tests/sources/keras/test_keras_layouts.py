"""How the graphs look: transposes only where channels-last meets channels-first for good, names of layers, weights once."""

from __future__ import annotations

from keras_files import functional, input_layer, layer, normal, ops, read, write_h5

KERNEL = normal(3, 3, 4, 4)
POINT = normal(1, 1, 4, 4)


def convolution(name: str, before: str, **config: object) -> dict[str, object]:
    return layer(
        "Conv2D",
        name,
        (before, 0, 0),
        **{"filters": 4, "kernel_size": 3, "padding": "same", "use_bias": False, **config},
    )


def hub_of(tmp_path, layers, outputs, kernels):
    arrays = {name: {"kernel:0": POINT if "point" in name else KERNEL} for name in kernels}
    config = functional(layers, ["x"], [[name, 0, 0] for name in outputs])
    return read(write_h5(tmp_path / "m.h5", config, arrays, keras_version="2.4.0"))


def test_a_residual_network_has_one_transpose_in_front_and_one_behind(tmp_path):
    layers = [
        input_layer("x", 8, 8, 4),
        convolution("one", "x", activation="relu"),
        layer("ZeroPadding2D", "pad", ("one", 0, 0), padding=1),
        layer("MaxPooling2D", "pool", ("pad", 0, 0), pool_size=3, strides=1),
        convolution("two", "pool"),
        layer("Concatenate", "both", ("two", 0, 0), ("one", 0, 0)),
        layer("Add", "sum", ("two", 0, 0), ("one", 0, 0)),
        layer("UpSampling2D", "up", ("sum", 0, 0)),
        convolution("three", "up"),
        layer("Cropping2D", "crop", ("three", 0, 0), cropping=1),
    ]
    hub = hub_of(tmp_path, layers, ["crop"], ["one", "two", "three"])
    found = ops(hub)
    assert found.count("Transpose") == 2
    assert found[0] == found[-1] == "Transpose"


def test_squeeze_and_excite_needs_no_transpose_of_its_own(tmp_path):
    layers = [
        input_layer("x", 8, 8, 4),
        convolution("one", "x"),
        layer("GlobalAveragePooling2D", "mean", ("one", 0, 0)),
        layer("Reshape", "row", ("mean", 0, 0), target_shape=[1, 1, 4]),
        convolution("point", "row", kernel_size=1, activation="sigmoid"),
        layer("Multiply", "scaled", ("one", 0, 0), ("point", 0, 0)),
        convolution("two", "scaled"),
        layer("GlobalMaxPooling2D", "most", ("two", 0, 0)),
    ]
    hub = hub_of(tmp_path, layers, ["most"], ["one", "point", "two"])
    expected = ["Transpose", "Conv", "GlobalAveragePool", "Conv", "Sigmoid", "Mul", "Conv", "GlobalMaxPool", "Flatten"]
    assert ops(hub) == expected


def test_flatten_of_a_single_cell_needs_no_transpose(tmp_path):
    layers = [
        input_layer("x", 8, 8, 4),
        convolution("one", "x"),
        layer("AveragePooling2D", "mean", ("one", 0, 0), pool_size=8),
        layer("Flatten", "flat", ("mean", 0, 0)),
    ]
    assert ops(hub_of(tmp_path, layers, ["flat"], ["one"])) == ["Transpose", "Conv", "AveragePool", "Flatten"]


def test_permute_to_channels_first_takes_the_convolution_as_it_is(tmp_path):
    layers = [
        input_layer("x", 8, 8, 4),
        convolution("one", "x"),
        layer("Permute", "turn", ("one", 0, 0), dims=[3, 1, 2]),
    ]
    assert ops(hub_of(tmp_path, layers, ["turn"], ["one"])) == ["Transpose", "Conv"]


def test_layers_that_do_nothing_leave_no_node(tmp_path):
    layers = [
        input_layer("x", 4),
        layer("Dropout", "drop", ("x", 0, 0), rate=0.5),
        layer("GaussianNoise", "noise", ("drop", 0, 0), stddev=0.1),
        layer("Reshape", "same", ("noise", 0, 0), target_shape=[4]),
        layer("ReLU", "relu", ("same", 0, 0)),
    ]
    assert ops(hub_of(tmp_path, layers, ["relu"], [])) == ["Relu"]


def test_a_shared_layer_has_its_weights_once_and_nodes_bear_the_names_of_layers(tmp_path):
    shared = convolution("conv", "x", activation="relu")
    shared["inbound_nodes"] = [[["x", 0, 0]], [["conv", 0, 0]]]
    config = functional([input_layer("x", 8, 8, 4), shared], ["x"], [["conv", 1, 0]])
    hub = read(write_h5(tmp_path / "m.h5", config, {"conv": {"kernel:0": KERNEL}}, keras_version="2.4.0"))
    assert list(hub.model.graph.initializers) == ["conv/kernel"]
    names = [node.name for node in hub.model.graph if node.op_type != "Transpose"]
    assert names == ["conv", "conv/relu", "conv_2", "conv/relu_2"]


def test_unknown_sizes_take_automatic_padding_only_where_the_padding_depends_on_them(tmp_path):
    layers = [input_layer("x", None, None, 4), convolution("one", "x"), convolution("two", "one", strides=2)]
    hub = hub_of(tmp_path, layers, ["two"], ["one", "two"])
    one, two = (node.attributes for node in hub.model.graph if node.op_type == "Conv")
    assert one["pads"].as_ints() == (1, 1, 1, 1)
    assert two["auto_pad"].as_string() == "SAME_UPPER"

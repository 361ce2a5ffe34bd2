"""Keras models of one or two layers, by name: what the reader must agree with Keras on. Built when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Build = Callable[[Any, Any], Any]
"""(keras, keras.layers) to a model."""

IMAGE, WIDE, SERIES, VOLUME, ROW = (8, 10, 4), (9, 7, 3), (12, 4), (6, 6, 6, 2), (6,)


def one(shape: tuple[int | None, ...], make: Callable[[Any], Any]) -> Build:
    """A model of one layer."""
    return lambda keras, layers: keras.Sequential([keras.Input(shape, name="x"), make(layers)])


def joined(make: Callable[[Any], Any], *shapes: tuple[int, ...]) -> Build:
    """A model that joins several inputs."""

    def build(keras: Any, layers: Any) -> Any:
        inputs = [keras.Input(shape, name=f"x{n}") for n, shape in enumerate(shapes)]
        return keras.Model(inputs, make(layers)(inputs))

    return build


def function(shape: tuple[int, ...], make: Callable[[Any, Any], Any]) -> Build:
    """A functional model of operations: ``make(keras, x)``."""

    def build(keras: Any, layers: Any) -> Any:
        x = keras.Input(shape, name="x")
        return keras.Model(x, make(keras, x))

    return build


def behind_convolution(make: Callable[[Any], Any]) -> Build:
    """A layer that gets a channels-first tensor from a convolution."""
    return lambda keras, layers: keras.Sequential(
        [keras.Input(IMAGE), layers.Conv2D(4, 3, padding="same"), make(layers)]
    )


CORE: Mapping[str, Build] = {
    "dense": one(ROW, lambda la: la.Dense(5, activation="relu")),
    "dense without bias": one(ROW, lambda la: la.Dense(5, use_bias=False)),
    "dense on three axes": one(SERIES, lambda la: la.Dense(5, activation="softmax")),
    "dense behind convolution": behind_convolution(lambda la: la.Dense(5)),
    "embedding": lambda keras, la: keras.Sequential([keras.Input((7,), dtype="int32"), la.Embedding(11, 3)]),
    "embedding of floats": one((7,), lambda la: la.Embedding(11, 3)),
    "time distributed dense": one((5, 6), lambda la: la.TimeDistributed(la.Dense(3))),
    "time distributed convolution": one((5, *IMAGE), lambda la: la.TimeDistributed(la.Conv2D(3, 3, activation="relu"))),
    "time distributed flatten": one((5, *IMAGE), lambda la: la.TimeDistributed(la.Flatten())),
    "time distributed model": lambda keras, la: keras.Sequential(
        [
            keras.Input((5, *IMAGE)),
            la.TimeDistributed(keras.Sequential([keras.Input(IMAGE), la.Conv2D(2, 3), la.BatchNormalization()])),
        ]
    ),
    "spectral normalization": one(IMAGE, lambda la: la.SpectralNormalization(la.Conv2D(3, 3))),
    "dropouts": lambda keras, la: keras.Sequential(
        [
            keras.Input(IMAGE),
            *(la.Dropout(0.5), la.SpatialDropout2D(0.5), la.GaussianNoise(0.1), la.GaussianDropout(0.1)),
            *(la.AlphaDropout(0.1), la.ActivityRegularization(0.1), la.Identity()),
        ]
    ),
    "rescaling": one(IMAGE, lambda la: la.Rescaling(1 / 127.5, offset=-1.0)),
    "rescaling of bytes": lambda keras, la: keras.Sequential(
        [keras.Input(IMAGE, dtype="uint8"), la.Rescaling([0.1, 0.2, 0.3, 0.4]), la.Conv2D(2, 3)]
    ),
}

CONVOLUTIONS: Mapping[str, Build] = {
    **{
        f"conv2d {padding} stride {stride} kernel {kernel}": one(
            WIDE,
            lambda la, p=padding, s=stride, k=kernel: la.Conv2D(5, k, strides=s, padding=p, activation="relu"),
        )
        for padding in ("same", "valid")
        for stride in (1, 2, (2, 3))
        for kernel in (1, 3, (2, 5))
    },
    "conv2d dilated": one(IMAGE, lambda la: la.Conv2D(5, 3, dilation_rate=(1, 2), padding="same")),
    "conv2d grouped": one(IMAGE, lambda la: la.Conv2D(6, 3, groups=2, use_bias=False)),
    "conv2d of unknown size": one((None, None, 3), lambda la: la.Conv2D(5, 3, strides=2, padding="same")),
    "conv1d": one(SERIES, lambda la: la.Conv1D(5, 3, strides=2, padding="same")),
    "conv1d causal": one(SERIES, lambda la: la.Conv1D(5, 3, padding="causal", dilation_rate=2)),
    "conv1d causal strided": one(SERIES, lambda la: la.Conv1D(5, 3, padding="causal", strides=2)),
    "conv3d": one(VOLUME, lambda la: la.Conv3D(3, (2, 3, 3), strides=(1, 2, 2), padding="same")),
    "depthwise": one(IMAGE, lambda la: la.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2)),
    "depthwise dilated": one(IMAGE, lambda la: la.DepthwiseConv2D(3, dilation_rate=2, padding="same")),
    "depthwise 1d": one(SERIES, lambda la: la.DepthwiseConv1D(3, padding="same", depth_multiplier=2)),
    "separable": one(IMAGE, lambda la: la.SeparableConv2D(6, 3, strides=2, padding="same", depth_multiplier=2)),
    "separable 1d": one(SERIES, lambda la: la.SeparableConv1D(6, 3, use_bias=False, activation="silu")),
    **{
        f"transposed {padding} stride {stride} kernel {kernel}": one(
            (5, 6, 3), lambda la, p=padding, s=stride, k=kernel: la.Conv2DTranspose(4, k, strides=s, padding=p)
        )
        for padding in ("same", "valid")
        for stride in (1, 2, 3)
        for kernel in (2, 3, 4)
    },
    "transposed extra same": one(
        (5, 6, 3), lambda la: la.Conv2DTranspose(4, 3, strides=2, padding="same", output_padding=1)
    ),
    "transposed extra same 0": one(
        (5, 6, 3), lambda la: la.Conv2DTranspose(4, 3, strides=2, padding="same", output_padding=0)
    ),
    "transposed extra valid": one((5, 6, 3), lambda la: la.Conv2DTranspose(4, 3, strides=3, output_padding=(1, 2))),
    "transposed dilated": one((5, 6, 3), lambda la: la.Conv2DTranspose(4, 3, dilation_rate=2)),
    "transposed 1d": one(SERIES, lambda la: la.Conv1DTranspose(4, 3, strides=2, padding="same", use_bias=False)),
    "transposed 3d": one(VOLUME, lambda la: la.Conv3DTranspose(3, 3, strides=2, padding="same")),
}

NORMALIZATIONS: Mapping[str, Build] = {
    "batch on rows": one(ROW, lambda la: la.BatchNormalization()),
    "batch on images": one(IMAGE, lambda la: la.BatchNormalization(epsilon=0.01)),
    "batch behind convolution": behind_convolution(lambda la: la.BatchNormalization(scale=False)),
    "batch without offset": one(IMAGE, lambda la: la.BatchNormalization(center=False)),
    "batch bare": one(IMAGE, lambda la: la.BatchNormalization(center=False, scale=False)),
    "batch on axis 1": one(IMAGE, lambda la: la.BatchNormalization(axis=1)),
    "batch on axis 2": one(IMAGE, lambda la: la.BatchNormalization(axis=2)),
    "batch behind dense": lambda keras, la: keras.Sequential(
        [keras.Input(SERIES), la.Dense(3), la.BatchNormalization()]
    ),
    "layer": one(IMAGE, lambda la: la.LayerNormalization()),
    "layer behind convolution": behind_convolution(lambda la: la.LayerNormalization(epsilon=1e-6)),
    "layer on two axes": one(IMAGE, lambda la: la.LayerNormalization(axis=(-2, -1))),
    "layer without offset": one(IMAGE, lambda la: la.LayerNormalization(center=False)),
    "layer bare": one(IMAGE, lambda la: la.LayerNormalization(center=False, scale=False)),
    "rms": one(SERIES, lambda la: la.RMSNormalization()),
    "group": one(IMAGE, lambda la: la.GroupNormalization(groups=2)),
    "group behind convolution": behind_convolution(lambda la: la.GroupNormalization(groups=4, scale=False)),
    "instance": one(IMAGE, lambda la: la.GroupNormalization(groups=-1, center=False)),
    "unit": one(IMAGE, lambda la: la.UnitNormalization()),
    "unit on two axes": behind_convolution(lambda la: la.UnitNormalization(axis=(1, 2))),
    "normalization": one(IMAGE, lambda la: la.Normalization()),
    "normalization on two axes": one(SERIES, lambda la: la.Normalization(axis=(1, 2))),
    "normalization given": one(IMAGE, lambda la: la.Normalization(mean=[1.0, 2, 3, 4], variance=[4.0, 3, 2, 1])),
    "normalization of one number": one(SERIES, lambda la: la.Normalization(mean=3.0, variance=2.0, invert=True)),
}

_NAMES = "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear"
_NAMES += " log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus"
_NAMES += " sparse_sigmoid squareplus swish tanh tanh_shrink"
ACTIVATIONS: Mapping[str, Build] = {
    **{f"{name} by name": one(IMAGE, lambda la, n=name: la.Activation(n)) for name in _NAMES.split()},
    **{
        f"{name} in convolution": one(IMAGE, lambda la, n=name: la.Conv2D(4, 3, activation=n))
        for name in _NAMES.split()
    },
    "relu with all": one(ROW, lambda la: la.ReLU(max_value=2.0, negative_slope=0.3, threshold=0.5)),
    "relu with top": one(ROW, lambda la: la.ReLU(max_value=1.5)),
    "relu6 layer": one(ROW, lambda la: la.ReLU(max_value=6.0)),
    "relu with slope": one(ROW, lambda la: la.ReLU(negative_slope=0.2)),
    "relu with slope and top": one(ROW, lambda la: la.ReLU(negative_slope=0.2, max_value=1.0)),
    "relu with threshold": one(ROW, lambda la: la.ReLU(threshold=0.5)),
    "leaky": one(ROW, lambda la: la.LeakyReLU(0.1)),
    "leaky as activation": one(ROW, lambda la: la.Dense(4, activation=la.LeakyReLU(0.1))),
    "prelu": one(IMAGE, lambda la: la.PReLU()),
    "prelu shared": behind_convolution(lambda la: la.PReLU(shared_axes=[1, 2])),
    "elu": one(ROW, lambda la: la.ELU(0.7)),
    "softmax on axis 1": behind_convolution(lambda la: la.Softmax(axis=1)),
    "gelu tanh": function(ROW, lambda keras, x: keras.activations.gelu(x, approximate=True)),
    "threshold": function(ROW, lambda keras, x: keras.activations.threshold(x, 0.3, -1.0)),
}

POOLINGS: Mapping[str, Build] = {
    **{
        f"{kind} {padding} {strides}": one(
            WIDE,
            lambda la, k=kind, p=padding, s=strides: getattr(la, k)(pool_size=(3, 2), strides=s, padding=p),
        )
        for kind in ("MaxPooling2D", "AveragePooling2D")
        for padding in ("same", "valid")
        for strides in (None, 1, (2, 3))
    },
    "max 1d": one(SERIES, lambda la: la.MaxPooling1D(3, padding="same")),
    "average 1d": one(SERIES, lambda la: la.AveragePooling1D(3, strides=2, padding="same")),
    "max 3d": one(VOLUME, lambda la: la.MaxPooling3D(2)),
    "average 3d": one(VOLUME, lambda la: la.AveragePooling3D(4, strides=3, padding="same")),
    "average of unknown size": one((None, None, 3), lambda la: la.AveragePooling2D(3, strides=2, padding="same")),
    **{
        f"{kind} keepdims {keep} {place}": build(lambda la, k=kind, kd=keep: getattr(la, k)(keepdims=kd))
        for kind in ("GlobalAveragePooling2D", "GlobalMaxPooling2D")
        for keep in (False, True)
        for place, build in (("alone", lambda make: one(IMAGE, make)), ("behind convolution", behind_convolution))
    },
    "global 1d": one(SERIES, lambda la: la.GlobalAveragePooling1D()),
    "global 3d": one(VOLUME, lambda la: la.GlobalMaxPooling3D()),
    "adaptive average": one(IMAGE, lambda la: la.AdaptiveAveragePooling2D((4, 5))),
}

MERGES: Mapping[str, Build] = {
    **{
        kind: joined(lambda la, k=kind: getattr(la, k)(), *([IMAGE] * (2 if kind == "Subtract" else 3)))
        for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    },
    "add of ranks": joined(lambda la: la.Add(), IMAGE, (4,)),
    "multiply broadcast": joined(lambda la: la.Multiply(), IMAGE, (1, 1, 4)),
    "concatenate": joined(lambda la: la.Concatenate(), IMAGE, IMAGE),
    "concatenate on axis 1": joined(lambda la: la.Concatenate(axis=1), IMAGE, IMAGE, IMAGE),
    "dot": joined(lambda la: la.Dot(axes=1), ROW, ROW),
    "cosine": joined(lambda la: la.Dot(axes=-1, normalize=True), ROW, ROW),
    "dot of matrices": joined(lambda la: la.Dot(axes=(2, 2)), (5, 4), (3, 4)),
    "dot of inner axes": joined(lambda la: la.Dot(axes=(1, 1)), (4, 5), (4, 3)),
    "dot of matrix and vector": joined(lambda la: la.Dot(axes=(2, 1)), (5, 4), (4,)),
    "dot of vector and matrix": joined(lambda la: la.Dot(axes=(1, 2)), (4,), (5, 4)),
}

RESHAPES: Mapping[str, Build] = {
    "flatten": one(IMAGE, lambda la: la.Flatten()),
    "flatten behind convolution": behind_convolution(lambda la: la.Flatten()),
    "flatten of rows": one(ROW, lambda la: la.Flatten()),
    "reshape": one(IMAGE, lambda la: la.Reshape((4, 5, -1))),
    "reshape behind convolution": behind_convolution(lambda la: la.Reshape((-1, 4))),
    "permute": one(IMAGE, lambda la: la.Permute((3, 1, 2))),
    "permute behind convolution": behind_convolution(lambda la: la.Permute((3, 1, 2))),
    "permute and convolution": lambda keras, la: keras.Sequential(
        [keras.Input((4, 8, 10)), la.Permute((2, 3, 1)), la.Conv2D(3, 3), la.Permute((2, 1, 3)), la.MaxPooling2D(2)]
    ),
    "repeat": one(ROW, lambda la: la.RepeatVector(3)),
    "pad 1d": one(SERIES, lambda la: la.ZeroPadding1D((1, 2))),
    "pad 2d": one(IMAGE, lambda la: la.ZeroPadding2D(((1, 2), (3, 0)))),
    "pad 2d evenly": behind_convolution(lambda la: la.ZeroPadding2D((1, 2))),
    "pad 3d": one(VOLUME, lambda la: la.ZeroPadding3D(((1, 0), (0, 2), (1, 1)))),
    "crop 1d": one(SERIES, lambda la: la.Cropping1D((1, 2))),
    "crop 2d": behind_convolution(lambda la: la.Cropping2D(((1, 0), (2, 3)))),
    "crop 2d nothing": one(IMAGE, lambda la: la.Cropping2D(0)),
    "crop 3d": one(VOLUME, lambda la: la.Cropping3D(1)),
    "up 1d": one(SERIES, lambda la: la.UpSampling1D(3)),
    "up 2d": one(IMAGE, lambda la: la.UpSampling2D((2, 3))),
    "up 2d bilinear": one(IMAGE, lambda la: la.UpSampling2D((2, 3), interpolation="bilinear")),
    "up 3d": one(VOLUME, lambda la: la.UpSampling3D(2)),
    "resizing": one(IMAGE, lambda la: la.Resizing(13, 5)),
    "resizing to the nearest": one(IMAGE, lambda la: la.Resizing(13, 5, interpolation="nearest")),
    "resizing to sizes that float scales miss": one((13, 14, 3), lambda la: la.Resizing(9, 9, interpolation="nearest")),
    "resizing smoothly to sizes that float scales miss": one((13, 14, 3), lambda la: la.Resizing(9, 9)),
    "center crop": behind_convolution(lambda la: la.CenterCrop(5, 7)),
}

OPERATIONS: Mapping[str, Build] = {
    "arithmetic": function(
        IMAGE, lambda keras, x: (2.0 - x * 3.0) / (keras.ops.square(x) + 1.0) + keras.ops.abs(-x) ** 1.5
    ),
    "roots": function(ROW, lambda keras, x: keras.ops.sqrt(keras.ops.exp(x)) + keras.ops.rsqrt(keras.ops.abs(x) + 1.0)),
    "mean": function(IMAGE, lambda keras, x: keras.ops.mean(x, axis=(1, 2))),
    "mean kept": function(IMAGE, lambda keras, x: x - keras.ops.mean(x, axis=-1, keepdims=True)),
    "sum behind convolution": function(IMAGE, lambda keras, x: keras.ops.sum(keras.layers.Conv2D(3, 3)(x), axis=1)),
    "maximum": function(ROW, lambda keras, x: keras.ops.maximum(x, 0.5) + keras.ops.max(x, axis=-1, keepdims=True)),
    "concatenate": function(IMAGE, lambda keras, x: keras.ops.concatenate([x, x * 2.0], axis=1)),
    "stack": function(ROW, lambda keras, x: keras.ops.stack([x, x * 2.0], axis=1)),
    "reshape": function(IMAGE, lambda keras, x: keras.ops.reshape(x, (-1, 20, 16))),
    "transpose": function(IMAGE, lambda keras, x: keras.ops.transpose(x, (0, 3, 2, 1))),
    "expand and squeeze": function(ROW, lambda keras, x: keras.ops.squeeze(keras.ops.expand_dims(x, 1), axis=1)),
    "items": function(
        IMAGE, lambda keras, x: keras.ops.concatenate([x[:, 1:7:2, 3, :], x[:, ::-1, -1][:, 5:]], axis=1)
    ),
    "items behind convolution": function(IMAGE, lambda keras, x: keras.layers.Conv2D(4, 3)(x)[..., :2]),
    "new axis": function(ROW, lambda keras, x: x[:, None, 2:]),
    "relu": function(ROW, lambda keras, x: keras.ops.relu(x) + keras.ops.leaky_relu(x, 0.3) + keras.ops.gelu(x)),
    "softmax": function(SERIES, lambda keras, x: keras.ops.softmax(x, axis=1)),
    "clip": function(ROW, lambda keras, x: keras.ops.clip(x, -0.5, 0.7)),
    "matmul": function(SERIES, lambda keras, x: keras.ops.matmul(x, keras.ops.transpose(x, (0, 2, 1)))),
    "split": function(IMAGE, lambda keras, x: keras.ops.split(x, 2, axis=-1)),
    "broadcast": function(IMAGE, lambda keras, x: x * keras.ops.mean(x, axis=(0, 1, 2))),
}


def _shared(keras: Any, la: Any) -> Any:
    x, y = keras.Input(IMAGE, name="left"), keras.Input(IMAGE, name="right")
    twice = la.Conv2D(4, 3, padding="same", name="shared")
    return keras.Model([x, y], [la.Add()([twice(x), twice(twice(y))]), twice(y)])


def _nested(keras: Any, la: Any) -> Any:
    deep = keras.Sequential([keras.Input(IMAGE), la.Conv2D(4, 3, padding="same"), la.BatchNormalization()], name="deep")
    x = keras.Input(IMAGE)
    middle = keras.Model(x, [deep(la.Conv2D(4, 1, name="my layer")(x)), la.BatchNormalization()(x)], name="middle")
    y = keras.Input(IMAGE, name="image")
    first, second = middle(y)
    third, _ = middle(la.Add()([first, second]))
    return keras.Model(y, {"b": la.Flatten(name="flat")(third), "a": second})


def _frozen(keras: Any, la: Any) -> Any:
    model = _nested(keras, la)
    model.get_layer("middle").get_layer("deep").trainable = False
    return model


def _frozen_within(keras: Any, la: Any) -> Any:
    model = _nested(keras, la)
    model.get_layer("middle").trainable = False
    return model


def _nested_without_inputs(keras: Any, la: Any) -> Any:
    first = keras.Sequential([la.Conv2D(3, 3), la.BatchNormalization()])
    last = keras.Sequential([la.Dense(3, trainable=False), la.Dense(2)])
    model = keras.Sequential([first, la.Flatten(), last])
    model.build((None, *IMAGE))
    return model


def _squeeze_and_excite(keras: Any, la: Any) -> Any:
    x = keras.Input(IMAGE)
    y = la.Conv2D(8, 3, padding="same", activation="relu")(x)
    z = la.Reshape((1, 1, 8))(la.GlobalAveragePooling2D()(y))
    z = la.Conv2D(8, 1, activation="sigmoid")(la.Conv2D(2, 1, activation="relu")(z))
    return keras.Model(x, la.Conv2D(3, 1)(la.Multiply()([y, z])))


def _dict_inputs(keras: Any, la: Any) -> Any:
    inputs = {"zeta": keras.Input(ROW, name="zeta"), "alpha": keras.Input((3,), name="alpha")}
    return keras.Model(inputs, la.Concatenate()([la.Dense(2)(inputs["zeta"]), inputs["alpha"]]))


def _input_is_output(keras: Any, la: Any) -> Any:
    x = keras.Input(ROW, name="x")
    return keras.Model(x, [x, la.Dense(2, name="x_2")(x), la.Dense(2)(x)])


STRUCTURES: Mapping[str, Build] = {
    "shared": _shared,
    "nested": _nested,
    "frozen": _frozen,
    "frozen within": _frozen_within,
    "nested without inputs": _nested_without_inputs,
    "squeeze and excite": _squeeze_and_excite,
    "dict inputs": _dict_inputs,
    "input is output": _input_is_output,
}
ALL = {
    f"{family}: {name}": build
    for family, cases in {
        "core": CORE,
        "convolution": CONVOLUTIONS,
        "normalization": NORMALIZATIONS,
        "activation": ACTIVATIONS,
        "pooling": POOLINGS,
        "merge": MERGES,
        "reshape": RESHAPES,
        "operation": OPERATIONS,
        "structure": STRUCTURES,
    }.items()
    for name, build in cases.items()
}

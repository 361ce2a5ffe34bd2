"""Writes all models of the TensorFlow tests into a folder, in one process: importing TensorFlow takes seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

INPUTS = {
    "network": {"image": (3, 8, 8, 2)},
    "two_inputs": {"zeta": (3, 4), "alpha": (3, 2)},
    "callable": {"x": (3, 4)},
    "frozen.pb": {"x": (3, 4)},
}


def write_all(request, progress):
    """For each readable model, its inputs and TensorFlow's outputs, into ``expected_NAME.npz``."""
    folder = Path(request)
    tf.random.set_seed(0)
    for make in (network, two_inputs, called):
        make(folder)
    frozen(folder)
    refused(folder)


class Network(tf.Module):
    def __init__(self):
        super().__init__()
        make = tf.random.Generator.from_seed(1).normal
        self.kernel = tf.Variable(make((3, 3, 2, 6)))
        self.depthwise = tf.Variable(make((3, 3, 6, 1)))
        self.matrix = tf.Variable(make((6, 5)))
        self.scale = tf.Variable(make((6,)))

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 2), tf.float32, name="image")])
    def infer(self, image):
        y = tf.nn.relu6(tf.nn.conv2d(image, self.kernel, 2, "SAME") * self.scale)
        y = tf.nn.depthwise_conv2d(tf.nn.elu(y), self.depthwise, (1, 1, 1, 1), "SAME")
        y = tf.image.resize(tf.nn.gelu(y), (8, 8), "nearest")
        logits = tf.reduce_mean(tf.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0))), (1, 2)) @ self.matrix
        return {"logits": logits, "best": tf.argmax(logits, -1)}


def network(folder):
    model = Network()
    tf.saved_model.save(model, str(folder / "network"), signatures={"classify": model.infer})
    expect(folder, "network", model.infer)


class TwoInputs(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((None, 4), name="zeta"), tf.TensorSpec((None, 2), name="alpha")])
    def infer(self, zeta, alpha):
        return {"wide": tf.concat([zeta, alpha], 1), "narrow": tf.reduce_sum(zeta, 1) - alpha[:, 0]}


def two_inputs(folder):
    model = TwoInputs()
    signatures = {"other": model.infer, "serving_default": model.infer}
    tf.saved_model.save(model, str(folder / "two_inputs"), signatures=signatures)
    expect(folder, "two_inputs", model.infer)


class Called(tf.Module):
    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(tf.random.normal((4, 4)))

    @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
    def __call__(self, x):
        return tf.tanh(x @ self.weight)


def called(folder):
    model = Called()
    tf.saved_model.save(model, str(folder / "callable"), signatures={})
    expect(folder, "callable", lambda x: {"output": model(x)})


def frozen(folder):
    weight = tf.Variable(tf.random.normal((4, 3)))
    function = tf.function(lambda x: tf.nn.softmax(x @ weight, name="answer"))
    concrete = function.get_concrete_function(tf.TensorSpec((None, 4), name="x"))
    graph = convert_variables_to_constants_v2(concrete).graph.as_graph_def()
    (folder / "frozen.pb").write_bytes(graph.SerializeToString())
    expect(folder, "frozen.pb", lambda x: {"Identity": function(x)})


def expect(folder, name, function):
    random = np.random.default_rng(0)
    feeds = {key: random.standard_normal(shape).astype(np.float32) for key, shape in INPUTS[name].items()}
    results = function(**{key: tf.constant(value) for key, value in feeds.items()})
    arrays = {f"in_{key}": value for key, value in feeds.items()} | {
        f"out_{key}": v.numpy() for key, v in results.items()
    }
    np.savez(folder / f"expected_{name}.npz", **arrays)


def refused(folder):
    models = {
        "python": lambda x: tf.py_function(lambda v: v + 1, [x], tf.float32),
        "open_size": lambda x: x * 2.0,
        "no_onnx_form": lambda x: tf.raw_ops.Betainc(a=tf.abs(x), b=tf.abs(x), x=tf.sigmoid(x)),
        "text": lambda x: tf.strings.length(x),
    }
    for name, function in models.items():
        shape, dtype = ((None, None), tf.float32) if name == "open_size" else ((None, 4), tf.float32)
        spec = tf.TensorSpec(shape, tf.string if name == "text" else dtype, name="x")
        model = tf.Module()
        model.infer = tf.function(function, input_signature=[spec])
        tf.saved_model.save(model, str(folder / name), signatures={"serving_default": model.infer})
    model = tf.Module()
    model.infer = tf.function(lambda x: x + 1.0, input_signature=[tf.TensorSpec((None, 4), name="x")])
    tf.saved_model.save(model, str(folder / "which"), signatures={"first": model.infer, "second": model.infer})
    tf.saved_model.save(tf.Module(), str(folder / "nothing"), signatures={})
    tf.saved_model.save(model, str(folder / "damaged"), signatures={"first": model.infer})
    (folder / "damaged" / "saved_model.pb").write_bytes(b"\xff damaged")
    (folder / "damaged.pb").write_bytes(b"\xff damaged")

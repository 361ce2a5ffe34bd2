"""Operations between layers: Keras 3's `keras.ops` and TensorFlow's functions in functional models of Keras 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from edgekit_converters.sources.keras.activations import FUNCTIONS, clip
from edgekit_converters.sources.keras.call import LayerCall, Operand, axes_removed
from edgekit_converters.sources.keras.rules.merging import concatenated
from edgekit_converters.sources.keras.rules.reshaping import reshaped
from edgekit_converters.sources.keras.settings import Settings
from edgekit_converters.sources.keras.table import Emit, reads
from edgekit_converters.sources.keras.value import Value

_BINARY = {
    "Add": ("ops.Add", "tf.math.add", "tf.__operators__.add"),
    "Div": ("ops.Divide", "ops.TrueDivide", "tf.math.truediv", "tf.math.divide", "tf.realdiv"),
    "Max": ("ops.Maximum", "tf.math.maximum"),
    "Min": ("ops.Minimum", "tf.math.minimum"),
    "Mul": ("ops.Multiply", "tf.math.multiply"),
    "Pow": ("ops.Power", "tf.math.pow"),
    "Sub": ("ops.Subtract", "tf.math.subtract"),
}
_UNARY = {
    "Abs": ("ops.Absolute", "ops.Abs", "tf.math.abs"),
    "Ceil": ("ops.Ceil", "tf.math.ceil"),
    "Cos": ("ops.Cos", "tf.math.cos"),
    "Erf": ("ops.Erf", "tf.math.erf"),
    "Exp": ("ops.Exp", "tf.math.exp"),
    "Floor": ("ops.Floor", "tf.math.floor"),
    "Log": ("ops.Log", "tf.math.log"),
    "Neg": ("ops.Negative", "tf.math.negative"),
    "Sin": ("ops.Sin", "tf.math.sin"),
    "Sqrt": ("ops.Sqrt", "tf.math.sqrt"),
}
_ACTIVATIONS = {
    "celu": ("ops.Celu",),
    "elu": ("ops.Elu", "tf.nn.elu"),
    "gelu": ("ops.Gelu", "tf.nn.gelu"),
    "glu": ("ops.Glu",),
    "hard_shrink": ("ops.HardShrink",),
    "hard_sigmoid": ("ops.HardSigmoid",),
    "hard_silu": ("ops.HardSilu",),
    "hard_tanh": ("ops.HardTanh",),
    "leaky_relu": ("ops.LeakyRelu", "tf.nn.leaky_relu"),
    "log_sigmoid": ("ops.LogSigmoid", "tf.math.log_sigmoid"),
    "log_softmax": ("ops.LogSoftmax", "tf.nn.log_softmax"),
    "mish": ("ops.Mish",),
    "relu": ("ops.Relu", "ops.ReLU", "tf.nn.relu"),
    "relu6": ("ops.Relu6", "tf.nn.relu6"),
    "selu": ("ops.Selu", "tf.nn.selu"),
    "sigmoid": ("ops.Sigmoid", "tf.math.sigmoid", "tf.nn.sigmoid"),
    "silu": ("ops.Silu", "tf.nn.silu", "tf.nn.swish"),
    "soft_shrink": ("ops.SoftShrink",),
    "softmax": ("ops.Softmax", "tf.nn.softmax"),
    "softplus": ("ops.Softplus", "tf.math.softplus", "tf.nn.softplus"),
    "softsign": ("ops.Softsign", "tf.math.softsign", "tf.nn.softsign"),
    "sparse_plus": ("ops.SparsePlus",),
    "sparse_sigmoid": ("ops.SparseSigmoid",),
    "squareplus": ("ops.Squareplus",),
    "tanh": ("ops.Tanh", "tf.math.tanh", "tf.nn.tanh"),
    "tanh_shrink": ("ops.TanhShrink",),
    "threshold": ("ops.Threshold",),
}
_REDUCTIONS = {
    "ReduceMax": ("ops.Max", "ops.Amax", "tf.math.reduce_max"),
    "ReduceMean": ("ops.Mean", "tf.math.reduce_mean"),
    "ReduceMin": ("ops.Min", "ops.Amin", "tf.math.reduce_min"),
    "ReduceProd": ("ops.Prod", "tf.math.reduce_prod"),
    "ReduceSum": ("ops.Sum", "tf.math.reduce_sum"),
}


def table(rows: Mapping[str, Sequence[str]], make: Callable[[str], Emit]) -> tuple[Emit, ...]:
    """One rule a row: what ``make`` returns for the row's name, for all of the row's classes."""
    return tuple(reads(*kinds)(make(row)) for row, kinds in rows.items())


def _binary(op_type: str) -> Emit:
    def emit(call: LayerCall) -> Value:
        left, right = (term(item) for item in operands(call, 2))
        return call.binary(op_type, left, right)

    return emit


def _unary(op_type: str) -> Emit:
    def emit(call: LayerCall) -> Value:
        return call.unary(op_type, call.only)

    return emit


def _activation(name: str) -> Emit:
    def emit(call: LayerCall) -> Value:
        return FUNCTIONS[name](call, call.only, options(call), "")

    return emit


def _reduction(op_type: str) -> Emit:
    def emit(call: LayerCall) -> Value:
        return reduced(call, op_type, call.only)

    return emit


def reduced(call: LayerCall, op_type: str, x: Value) -> Value:
    """The reduction over the operation's axes, all of them by default."""
    given = options(call)
    axes = [axis % x.rank for axis in given.integers("axis", tuple(range(x.rank)))]
    keep = given.flag("keepdims", False)
    layout = x.preferred
    places = call.constant(np.array(sorted(layout.index(axis) for axis in axes), np.int64), "axes")
    made = call.node(op_type, x.variant(layout), places, keepdims=int(keep))
    return call.value(made, layout if keep else axes_removed(layout, axes))


BINARY = table(_BINARY, _binary)
UNARY = table(_UNARY, _unary)
ACTIVATIONS = table(_ACTIVATIONS, _activation)
REDUCTIONS = table(_REDUCTIONS, _reduction)


@reads("ops.Square", "tf.math.square")
def square(call: LayerCall) -> Value:
    return call.binary("Mul", call.only, call.only)


@reads("ops.Rsqrt", "tf.math.rsqrt")
def reciprocal_root(call: LayerCall) -> Value:
    return call.unary("Reciprocal", call.unary("Sqrt", call.only, "root"))


@reads("ops.Clip", "tf.clip_by_value")
def clipped(call: LayerCall) -> Value:
    names = ("x_min", "x_max", "clip_value_min", "clip_value_max")
    given = (*call.arguments[1:], *(call.keywords.get(key, call.settings.get(key)) for key in names))
    low, high = (float(bound) for bound in given if isinstance(bound, (int, float)))
    return clip(call, call.only, low, high, "")


@reads("ops.Cast", "tf.cast")
def cast(call: LayerCall) -> Value:
    name = str(options(call).get("dtype") or call.arguments[1])
    name = "float32" if name in ("float16", "bfloat16", "float64", "float32") else name
    target = ir.DataType.from_numpy(np.dtype(name))
    return call.only if call.only.dtype == name else call.unary("Cast", call.only, to=target.value)


@reads("ops.Matmul", "tf.linalg.matmul")
def matmul(call: LayerCall) -> Value:
    left, right = call.inputs
    flips = [options(call).flag(f"transpose_{side}", False) for side in "ab"]
    sides = [_flipped(value) if flip else value for value, flip in zip((left, right), flips, strict=True)]
    return call.value(call.node("MatMul", *(value.plain for value in sides)))


def _flipped(value: Value) -> Value:
    return value.permuted((*range(value.rank - 2), value.rank - 1, value.rank - 2))


@reads("ops.Concatenate", "tf.concat")
def concatenate(call: LayerCall) -> Value:
    return concatenated(call, call.inputs, options(call, ("axis",)).integer("axis", -1))


@reads("ops.Stack", "tf.stack")
def stack(call: LayerCall) -> Value:
    axis = options(call).integer("axis", 0)
    place = call.constant(np.array([axis % (call.inputs[0].rank + 1)], np.int64), "axis")
    rows = [call.node("Unsqueeze", value.plain, place, part="expand") for value in call.inputs]
    return call.value(call.node("Concat", *rows, axis=axis))


@reads("ops.Split", "tf.split")
def split(call: LayerCall) -> list[Value]:
    x, given = call.only, options(call, ("indices_or_sections",))
    layout = x.preferred
    count = given.integer("indices_or_sections", given.integer("num_or_size_splits", -1))
    axis = layout.index(given.integer("axis", 0) % x.rank)
    variant = x.variant(layout)
    pieces = call.graph.ops("Split", variant, outputs=count, name=call.name, axis=axis, num_outputs=count)
    return [call.value(piece, layout) for piece in pieces]


@reads("ops.Reshape", "tf.reshape")
def reshape(call: LayerCall) -> Value:
    """Sizes with the batch first: -1, or the batch's where the others keep the number of elements."""
    x, given = call.only, options(call, ("newshape",))
    key = "newshape" if given.get("newshape") is not None else "shape"
    target = given.integers(key)
    elements = x.shape[1:]
    if target[0] != -1 and None not in elements:
        raise call.unsupported(f"reshapes to {list(target)}, which fixes the batch; use -1 as the first size")
    return reshaped(call, x, target[1:])


@reads("ops.Transpose", "tf.transpose", "tf.compat.v1.transpose")
def transpose(call: LayerCall) -> Value:
    x, given = call.only, options(call, ("axes",))
    key = "perm" if given.get("perm") is not None else "axes"
    order = tuple(axis % x.rank for axis in given.integers(key, tuple(reversed(range(x.rank)))))
    return x.permuted(order)


@reads("ops.ExpandDims", "tf.expand_dims")
def expand_dims(call: LayerCall) -> Value:
    x = call.only
    axes = [axis % (x.rank + 1) for axis in options(call, ("axis",)).integers("axis")]
    return call.value(call.node("Unsqueeze", x.plain, call.constant(np.array(axes, np.int64), "axes")))


@reads("ops.Squeeze", "tf.squeeze", "tf.compat.v1.squeeze")
def squeeze(call: LayerCall) -> Value:
    x = call.only
    ones = tuple(axis for axis, size in enumerate(x.shape) if size == 1)
    return dropped(call, x, [axis % x.rank for axis in options(call, ("axis",)).integers("axis", ones)])


def dropped(call: LayerCall, x: Value, axes: Sequence[int]) -> Value:
    """The tensor without these axes of size 1."""
    if not axes:
        return x
    layout = x.preferred
    places = call.constant(np.array(sorted(layout.index(axis) for axis in axes), np.int64), "squeezed_axes")
    return call.value(call.node("Squeeze", x.variant(layout), places), axes_removed(layout, axes))


@reads("ops.GetItem", "tf.__operators__.getitem")
def get_item(call: LayerCall) -> Value:
    """Slices, single indices, new axes and an ellipsis, all constant."""
    x = call.only
    key = call.arguments[1] if len(call.arguments) > 1 else call.keywords.get("slice_spec", call.keywords.get("key"))
    items = list(key) if isinstance(key, tuple) else [key]
    whole = x.rank - sum(isinstance(item, (int, slice)) for item in items)
    place = items.index(...) if ... in items else len(items)
    items[place : place + 1] = [slice(None)] * whole
    axes = [item for item in items if isinstance(item, (int, slice))]
    if len(axes) != x.rank or len(axes) + items.count(None) != len(items):
        raise call.unsupported(f"takes the items {key} of {x.rank} axes; readable are constant slices and indices")
    taken = dropped(call, _sliced(call, x, axes), [axis for axis, item in enumerate(axes) if isinstance(item, int)])
    new = [axis for axis, item in enumerate(item for item in items if not isinstance(item, int)) if item is None]
    if not new:
        return taken
    return call.value(call.node("Unsqueeze", taken.plain, call.constant(np.array(new, np.int64), "new_axes")))


def _sliced(call: LayerCall, x: Value, items: Sequence[int | slice]) -> Value:
    layout = x.preferred
    cuts = [(layout.index(axis), *_bounds(item)) for axis, item in enumerate(items) if item != slice(None)]
    if not cuts:
        return x
    places, starts, stops, steps = (
        call.constant(np.array(row, np.int64), name)
        for row, name in zip(zip(*cuts, strict=True), ("axes", "starts", "stops", "steps"), strict=True)
    )
    return call.value(call.node("Slice", x.variant(layout), starts, stops, places, steps), layout)


def _bounds(item: int | slice) -> tuple[int, int, int]:
    """Start, stop and step as ONNX's Slice wants them."""
    far = np.iinfo(np.int64).max
    if isinstance(item, int):
        return item, item + 1 if item != -1 else far, 1
    step = item.step or 1
    first, last = (0, far) if step > 0 else (far, -far)
    return first if item.start is None else item.start, last if item.stop is None else item.stop, step


def options(call: LayerCall, positional: Sequence[str] = ()) -> Settings:
    """The operation's configuration, keywords and, by these names, the arguments behind the first."""
    named = dict(zip(positional, call.arguments[1:], strict=False))
    return Settings({**call.settings.values, **call.keywords, **named})


def operands(call: LayerCall, count: int) -> list[Operand]:
    names = ("x1", "x2", "x", "y", "a", "b")
    found = [*call.arguments, *(call.keywords[name] for name in names if name in call.keywords)]
    if len(found) != count:
        raise ValueError(f"it is called with {len(found)} operands; expected {count}")
    return found


def term(item: Operand) -> Value | float | np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return item if isinstance(item, Value) else np.asarray(item, np.float32)

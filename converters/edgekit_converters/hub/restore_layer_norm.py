"""Find layer normalizations that an exporter spelled out (mean, difference, square, mean, root, quotient)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import Editor, attribute, constant, nodes_of, producer, scalar, sole_consumer
from edgekit_converters.hub.expressions import affine, product_of, reduced_axes


def restore_layer_norm(model: ir.Model) -> int:
    """Rebuild LayerNormalization over the last axes, with its scale and bias where they are constants.

    Requires: constants are initializers, inferred shapes. Returns the changes.
    """
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, "Div", "Mul", "Add"):
        found = _quotient(node, edit) or _moments(node, edit) or _with_parameter(node, edit)
        if found is not None:
            edit.replace_node(node, found)
            changes += 1
    return changes


class _Deviation(NamedTuple):
    """``x - mean(x)`` over the axes from ``axis`` to the last."""

    source: ir.Value
    axis: int


def _quotient(node: ir.Node, edit: Editor) -> ir.Value | None:
    """``(x - mean) / sqrt(var + epsilon)``, also as a product with the reciprocal root."""
    top, bottom = _numerator_and_root(node)
    if top is None or bottom is None:
        return None
    deviation, epsilon = _deviation(top), None
    if deviation is not None:
        epsilon = _epsilon(bottom, deviation)
    if deviation is None or epsilon is None:
        return None
    return _layer_norm(deviation, epsilon, None, None, node, edit)


def _numerator_and_root(node: ir.Node) -> tuple[ir.Value | None, ir.Value | None]:
    """The value and what stands under the root by which it is divided."""
    if node.op_type == "Div":
        root = producer(node.inputs[1], "Sqrt")
        return node.inputs[0], None if root is None else root.inputs[0]
    if node.op_type == "Mul":
        for value, factor in (node.inputs, tuple(node.inputs)[::-1]):
            under = _under_reciprocal_root(factor)
            if under is not None:
                return value, under
    return None, None


def _under_reciprocal_root(value: ir.Value | None) -> ir.Value | None:
    """v, when ``value`` is 1 / sqrt(v)."""
    made = producer(value, "Reciprocal", "Div", "Pow")
    if made is None:
        return None
    if made.op_type == "Pow":
        return made.inputs[0] if scalar(made.inputs[1]) == -0.5 else None
    if made.op_type == "Div" and scalar(made.inputs[0]) != 1.0:
        return None
    root = producer(made.inputs[-1], "Sqrt")
    return None if root is None else root.inputs[0]


def _deviation(value: ir.Value | None) -> _Deviation | None:
    made = producer(value, "Sub")
    if made is None or made.inputs[0] is None or made.inputs[1] is None:
        return None
    source, mean = made.inputs[0], made.inputs[1]
    axis = _mean_axis(mean, source)
    return None if axis is None else _Deviation(source, axis)


def _mean_axis(mean: ir.Value, source: ir.Value) -> int | None:
    """First axis of a mean over the last axes of ``source`` that keeps them as ones."""
    made = producer(mean, "ReduceMean")
    if made is None or made.inputs[0] is not source or source.shape is None or not attribute(made, "keepdims", 1):
        return None
    rank = len(source.shape)
    axes = reduced_axes(made, rank)
    return axes[0] if axes and axes[0] > 0 and axes == tuple(range(axes[0], rank)) else None


def _epsilon(value: ir.Value, deviation: _Deviation) -> float | None:
    """epsilon, when ``value`` is ``mean((x - mean)^2) + epsilon``."""
    variance, scale, epsilon = affine(value)
    made = producer(variance, "ReduceMean")
    if scale != 1.0 or epsilon < 0.0 or made is None or made.inputs[0] is None:
        return None
    square = made.inputs[0]
    coefficient, factors = product_of(square)
    if coefficient != 1.0 or len(factors) != 2 or _mean_axis(variance, square) != deviation.axis:
        return None
    return epsilon if all(_deviation(factor) == deviation for factor in factors) else None


def _moments(node: ir.Node, edit: Editor) -> ir.Value | None:
    """``x m + (beta - mean m)`` with ``m = gamma / sqrt(var + epsilon)``, as TensorFlow writes it."""
    if node.op_type != "Add":
        return None
    for one, other in (node.inputs, tuple(node.inputs)[::-1]):
        scaled, shift = producer(one, "Mul"), producer(other, "Sub")
        shifted = producer(shift.inputs[1], "Mul") if shift is not None else None
        if scaled is None or shift is None or shifted is None:
            continue
        shared = [value for value in scaled.inputs if value in shifted.inputs]
        if len(shared) != 1 or shared[0] is None:
            continue
        found = _moments_with(scaled, shifted, shared[0], shift.inputs[0], node, edit)
        if found is not None:
            return found
    return None


def _moments_with(
    scaled: ir.Node, shifted: ir.Node, factor: ir.Value, beta: ir.Value | None, node: ir.Node, edit: Editor
) -> ir.Value | None:
    source, mean = _other_input(scaled, factor), _other_input(shifted, factor)
    gamma, under = _gamma_and_root(factor)
    axis = _mean_axis(mean, source) if source is not None and mean is not None else None
    if under is None or axis is None or source is None or mean is None:
        return None
    deviation = _Deviation(source, axis)
    epsilon = _epsilon(under, deviation)
    if epsilon is None:
        return None
    return _layer_norm(deviation, epsilon, gamma, beta, node, edit)


def _gamma_and_root(factor: ir.Value) -> tuple[ir.Value | None, ir.Value | None]:
    under = _under_reciprocal_root(factor)
    if under is not None:
        return None, under
    made = producer(factor, "Mul")
    for root, gamma in (made.inputs, tuple(made.inputs)[::-1]) if made is not None else ():
        under = _under_reciprocal_root(root)
        if under is not None and constant(gamma) is not None:
            return gamma, under
    return None, None


def _layer_norm(
    deviation: _Deviation, epsilon: float, gamma: ir.Value | None, beta: ir.Value | None, node: ir.Node, edit: Editor
) -> ir.Value | None:
    tail = _static_tail(deviation.source, deviation.axis)
    if tail is None:
        return None
    scale = np.ones(tail, np.float32) if gamma is None else _spread(gamma, tail)
    bias = None if beta is None else _spread(beta, tail)
    if scale is None or (beta is not None and bias is None):
        return None
    inputs = [deviation.source, edit.constant(scale, f"{node.name}_scale")]
    if bias is not None:
        inputs.append(edit.constant(bias, f"{node.name}_bias"))
    return edit.node(
        "LayerNormalization", inputs, before=node, like=node.outputs[0], axis=deviation.axis, epsilon=epsilon
    )


def _with_parameter(node: ir.Node, edit: Editor) -> ir.Value | None:
    """A factor or summand of the normalized shape after a LayerNormalization that has none yet."""
    for value, parameter in (node.inputs, tuple(node.inputs)[::-1]) if node.op_type in ("Mul", "Add") else ():
        made = producer(value, "LayerNormalization")
        if (
            made is None
            or value is None
            or parameter is None
            or sole_consumer(value) is not node
            or made.inputs[0] is None
        ):
            continue
        tail = _static_tail(made.inputs[0], attribute(made, "axis", -1))
        array = None if tail is None else _spread(parameter, tail)
        scale = constant(made.inputs[1])
        if (
            array is None
            or scale is None
            or (len(made.inputs) > 2 and (node.op_type == "Mul" or made.inputs[2] is not None))
        ):
            continue
        if node.op_type == "Mul":
            inputs: list[ir.Value | None] = [made.inputs[0], edit.constant(array * scale, f"{made.name}_scale")]
        else:
            inputs = [made.inputs[0], made.inputs[1], edit.constant(array, f"{made.name}_bias")]
        kept = {name: attribute(made, name) for name in ("axis", "epsilon") if name in made.attributes}
        return edit.node("LayerNormalization", inputs, before=node, like=node.outputs[0], **kept)
    return None


def _other_input(node: ir.Node, value: ir.Value) -> ir.Value | None:
    first, second = node.inputs
    return second if first is value else first


def _static_tail(value: ir.Value, axis: int) -> tuple[int, ...] | None:
    """The dimensions from ``axis`` on, when they are numbers."""
    if value.shape is None:
        return None
    tail = tuple(dim for dim in tuple(value.shape)[axis:] if isinstance(dim, int))
    return tail if len(tail) == len(tuple(value.shape)[axis:]) else None


def _spread(parameter: ir.Value, tail: tuple[int, ...]) -> NDArray[np.float32] | None:
    """The constant at the normalized shape; None when it varies along other axes."""
    array = constant(parameter)
    if array is None or array.dtype != np.float32:
        return None
    while array.ndim > len(tail) and array.shape[0] == 1:
        array = array[0]
    if array.ndim > len(tail):
        return None
    try:
        return np.ascontiguousarray(np.broadcast_to(array, tail))
    except ValueError:
        return None

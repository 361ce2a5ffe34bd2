"""Find activations that an exporter spelled out in arithmetic, and write them as the one operator they are.

A quantizer must see them whole: HardSwish has one output range, its four steps would each have their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, attribute, constant, producer, same_shape, scalar, static_shape
from edgekit_converters.hub.expressions import affine, clamp_of, close, product_of

Rule = Callable[[ir.Node, Editor], ir.Value | None]
"""What the node's output may be replaced by, or None."""


def restore_activations(model: ir.Model) -> int:
    """Rebuild Relu, Clip, Sigmoid, HardSigmoid, HardSwish, Gelu, Softplus, Mish, LeakyRelu and PRelu.

    Requires: constants are initializers, inferred shapes. SiLU stays ``Mul(x, Sigmoid(x))``. Returns the activations found.
    """
    edit = Editor(model)
    changes = 0
    for node in list(model.graph):
        for rule in _RULES.get(node.op_type, ()) if node.domain == "" else ():
            found = rule(node, edit)
            if found is not None:
                edit.replace_node(node, found)
                changes += 1
                break
    return changes


def _clip_from_min_max(node: ir.Node, edit: Editor) -> ir.Value | None:
    """``Max(x, c)`` and ``Min(x, c)`` with a plain number."""
    if len(node.inputs) != 2:
        return None
    numbers = [scalar(value) for value in node.inputs]
    position = 1 if numbers[1] is not None else 0
    number, source = numbers[position], node.inputs[1 - position]
    if number is None or source is None or not same_shape(source, node.outputs[0]) or not _is_float(source):
        return None
    ends = (number, math.inf) if node.op_type == "Max" else (-math.inf, number)
    return _clip(source, *ends, node, edit)


def _merged_clip(node: ir.Node, edit: Editor) -> ir.Value | None:
    """A Clip of a Clip or Relu is one Clip; one that only cuts below 0 is a Relu."""
    outer = clamp_of(node.outputs[0])
    if outer is None or not _is_float(outer[0]):
        return None
    source, low, high = outer
    inner = clamp_of(source)
    if inner is not None and max(low, inner[1]) <= min(high, inner[2]):
        return _clip(inner[0], max(low, inner[1]), min(high, inner[2]), node, edit)
    if node.op_type == "Clip" and (low, high) == (0.0, math.inf):
        return edit.node("Relu", [source], before=node, like=node.outputs[0])
    return None


def _clip(source: ir.Value, low: float, high: float, node: ir.Node, edit: Editor) -> ir.Value:
    like = node.outputs[0]
    if (low, high) == (0.0, math.inf):
        return edit.node("Relu", [source], before=node, like=like)
    name = node.name or "Clip"
    ends = [
        edit.floats(end, f"{name}_{side}") if math.isfinite(end) else None
        for end, side in ((low, "min"), (high, "max"))
    ]
    return edit.node("Clip", [source, *(ends if ends[1] is not None else ends[:1])], before=node, like=like)


def _hard_sigmoid(node: ir.Node, edit: Editor) -> ir.Value | None:
    """``clip(a x + b, 0, 1)`` and ``clip(x + 3, 0, 6) / 6``."""
    coefficient, factors = product_of(node.outputs[0]) if node.op_type != "Clip" else (1.0, (node.outputs[0],))
    clamp = clamp_of(factors[0]) if len(factors) == 1 else None
    if clamp is None or clamp[1] != 0.0 or not math.isfinite(clamp[2]) or not close(coefficient * clamp[2], 1.0):
        return None
    source, scale, offset = affine(clamp[0])
    if offset == 0.0 or not same_shape(source, node.outputs[0]):
        return None
    alpha, beta = scale * coefficient, offset * coefficient
    return edit.node("HardSigmoid", [source], before=node, like=node.outputs[0], alpha=alpha, beta=beta)


def _hard_swish(node: ir.Node, edit: Editor) -> ir.Value | None:
    """``x * clip(x + 3, 0, 6) / 6`` and ``x * HardSigmoid(x)`` of slope 1/6."""
    coefficient, factors = product_of(node.outputs[0])
    if len(factors) != 2:
        return None
    for source, gate in (factors, factors[::-1]):
        if source is _gate_source(gate, coefficient) and same_shape(source, node.outputs[0]):
            return edit.node("HardSwish", [source], before=node, like=node.outputs[0])
    return None


def _gate_source(gate: ir.Value, coefficient: float) -> ir.Value | None:
    """x, when ``coefficient * gate`` is clip(x / 6 + 1/2, 0, 1)."""
    made = producer(gate, "HardSigmoid")
    if made is not None:
        slope, middle = attribute(made, "alpha", 0.2), attribute(made, "beta", 0.5)
        return made.inputs[0] if close(slope, 1 / 6) and close(middle, 0.5) and close(coefficient, 1.0) else None
    clamp = clamp_of(gate)
    if clamp is None or clamp[1] != 0.0 or not close(clamp[2] * coefficient, 1.0):
        return None
    source, scale, offset = affine(clamp[0])
    return source if close(scale * coefficient, 1 / 6) and close(offset * coefficient, 0.5) else None


def _gelu(node: ir.Node, edit: Editor) -> ir.Value | None:
    """``x (1 + erf(x / sqrt 2)) / 2`` and its tanh approximation (Hendrycks and Gimpel, arXiv:1606.08415)."""
    coefficient, factors = product_of(node.outputs[0])
    if len(factors) != 2:
        return None
    for source, gate in (factors, factors[::-1]):
        inner, scale, offset = affine(gate)
        bell = producer(inner, "Erf", "Tanh")
        if bell is None or not close(scale * coefficient, 0.5) or not close(offset * coefficient, 0.5):
            continue
        argument = bell.inputs[0]
        assert argument is not None
        fits = _is_erf_argument if bell.op_type == "Erf" else _is_tanh_argument
        if fits(argument, source) and same_shape(source, node.outputs[0]):
            how = "none" if bell.op_type == "Erf" else "tanh"
            return edit.node("Gelu", [source], before=node, like=node.outputs[0], approximate=how)
    return None


def _is_erf_argument(argument: ir.Value, source: ir.Value) -> bool:
    coefficient, factors = product_of(argument)
    return factors == (source,) and close(coefficient, math.sqrt(0.5))


def _is_tanh_argument(argument: ir.Value, source: ir.Value) -> bool:
    """``sqrt(2/pi) (x + c x^3)`` or ``sqrt(2/pi) x (1 + c x^2)`` with c = 0.044715."""
    coefficient, factors = product_of(argument)
    if not close(coefficient, math.sqrt(2 / math.pi)):
        return False
    if len(factors) == 2:
        bracket = factors[0] if factors[1] is source else factors[1]
        inner, scale, offset = affine(bracket)
        return source in factors and close(offset, 1.0) and _is_power(inner, scale, source, 2)
    total = producer(factors[0], "Add") if len(factors) == 1 else None
    if total is None:
        return False
    one, other = total.inputs
    assert one is not None
    assert other is not None
    return (one is source and _is_power(other, 1.0, source, 3)) or (other is source and _is_power(one, 1.0, source, 3))


def _is_power(value: ir.Value, scale: float, source: ir.Value, exponent: int) -> bool:
    coefficient, factors = product_of(value)
    return factors == (source,) * exponent and close(coefficient * scale, 0.044715)


def _mish(node: ir.Node, edit: Editor) -> ir.Value | None:
    """``x tanh(softplus(x))`` (Misra, arXiv:1908.08681)."""
    coefficient, factors = product_of(node.outputs[0])
    if len(factors) != 2 or coefficient != 1.0:
        return None
    for source, gate in (factors, factors[::-1]):
        outer = producer(gate, "Tanh")
        inner = producer(outer.inputs[0], "Softplus") if outer is not None else None
        if inner is not None and inner.inputs[0] is source:
            return edit.node("Mish", [source], before=node, like=node.outputs[0])
    return None


def _softplus(node: ir.Node, edit: Editor) -> ir.Value | None:
    """``log(1 + exp(x))``."""
    assert node.inputs[0] is not None
    inner, scale, offset = affine(node.inputs[0])
    exponential = producer(inner, "Exp")
    if exponential is None or (scale, offset) != (1.0, 1.0):
        return None
    return edit.node("Softplus", [exponential.inputs[0]], before=node, like=node.outputs[0])


def _sigmoid(node: ir.Node, edit: Editor) -> ir.Value | None:
    """``1 / (1 + exp(-x))``."""
    if node.op_type == "Div" and scalar(node.inputs[0]) != 1.0:
        return None
    bottom = node.inputs[-1]
    assert bottom is not None
    inner, scale, offset = affine(bottom)
    exponential = producer(inner, "Exp")
    if exponential is None or (scale, offset) != (1.0, 1.0) or exponential.inputs[0] is None:
        return None
    source, slope, shift = affine(exponential.inputs[0])
    if (slope, shift) != (-1.0, 0.0) or not same_shape(source, node.outputs[0]):
        return None
    return edit.node("Sigmoid", [source], before=node, like=node.outputs[0])


def _leaky_relu_from_max(node: ir.Node, edit: Editor) -> ir.Value | None:
    """``max(x, a x)`` with 0 < a < 1."""
    if len(node.inputs) != 2:
        return None
    for source, scaled in (node.inputs, tuple(node.inputs)[::-1]):
        if source is None or scaled is None:
            continue
        coefficient, factors = product_of(scaled)
        if factors == (source,) and 0.0 < coefficient < 1.0:
            return edit.node("LeakyRelu", [source], before=node, like=node.outputs[0], alpha=coefficient)
    return None


def _leaky_relu_from_halves(node: ir.Node, edit: Editor) -> ir.Value | None:
    """``relu(x) - a relu(-x)``; ``a`` a plain number (LeakyRelu) or one a channel (PRelu)."""
    sign = -1.0 if node.op_type == "Sub" else 1.0
    for positive, negative in (node.inputs, tuple(node.inputs)[::-1])[: 1 if sign < 0 else 2]:
        made = producer(positive, "Relu")
        source = made.inputs[0] if made is not None else None
        if source is None or negative is None:
            continue
        coefficient, factors = product_of(negative)
        slopes = [factor for factor in factors if constant(factor) is not None]
        halves = [factor for factor in factors if constant(factor) is None]
        if len(halves) != 1 or len(slopes) > 1 or not _is_relu_of_negative(halves[0], source):
            continue
        return _prelu(source, -sign * coefficient, slopes[0] if slopes else None, node, edit)
    return None


def _is_relu_of_negative(value: ir.Value, source: ir.Value) -> bool:
    made = producer(value, "Relu")
    if made is None or made.inputs[0] is None:
        return False
    return affine(made.inputs[0]) == (source, -1.0, 0.0)


def _prelu(source: ir.Value, factor: float, slopes: ir.Value | None, node: ir.Node, edit: Editor) -> ir.Value | None:
    output = node.outputs[0]
    if not same_shape(source, output):
        return None
    if slopes is None:
        return edit.node("LeakyRelu", [source], before=node, like=output, alpha=factor)
    array = constant(slopes)
    assert array is not None
    if array.ndim > len(output.shape or ()):
        return None
    slope = edit.constant(np.asarray(array * factor, np.float32), f"{node.name}_slope")
    return edit.node("PRelu", [source, slope], before=node, like=output)


def _leaky_relu_from_where(node: ir.Node, edit: Editor) -> ir.Value | None:
    """``where(x > 0, x, a x)``."""
    condition, source, scaled = node.inputs
    compared = producer(condition, "Greater", "GreaterOrEqual")
    if compared is None or compared.inputs[0] is not source or scalar(compared.inputs[1]) != 0.0:
        return None
    if source is None or scaled is None or static_shape(compared.inputs[1]) not in ((), (1,)):
        return None
    coefficient, factors = product_of(scaled)
    if factors != (source,) or not same_shape(source, node.outputs[0]):
        return None
    return edit.node("LeakyRelu", [source], before=node, like=node.outputs[0], alpha=coefficient)


def _is_float(value: ir.Value) -> bool:
    return value.dtype is ir.DataType.FLOAT


_RULES: dict[str, tuple[Rule, ...]] = {
    "Max": (_clip_from_min_max, _leaky_relu_from_max),
    "Min": (_clip_from_min_max,),
    "Clip": (_merged_clip, _hard_sigmoid),
    "Relu": (_merged_clip,),
    "Mul": (_hard_swish, _hard_sigmoid, _gelu, _mish),
    "Div": (_sigmoid, _hard_swish, _hard_sigmoid, _gelu),
    "Reciprocal": (_sigmoid,),
    "Log": (_softplus,),
    "Add": (_leaky_relu_from_halves,),
    "Sub": (_leaky_relu_from_halves,),
    "Where": (_leaky_relu_from_where,),
}

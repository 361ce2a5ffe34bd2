"""Compute what depends on shapes alone, also where a dimension is symbolic, so that reshapes get constant shapes.

Exporters write ``x.view(x.size(0), -1)`` as Shape, Gather, Concat, Reshape. Followed element by element, the new shape is
``[batch, -1]``, which a constant says as ``[0, -1]``: the batch stays symbolic and the chain goes away.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, attribute, constant, dims, integers, nodes_of

Element = int | str | None
"""A number, the name of a symbolic dimension (known not to be negative), or None: anything."""
Known = dict[ir.Value, tuple[Element, ...]]


def fold_shapes(model: ir.Model) -> int:
    """Replace shape computations by constants, and shapes of Reshape and Expand by constants with 0, -1 and 1.

    Requires: inferred shapes. Ensures: no Shape node of which only static dimensions are read. Returns the changes.
    """
    edit = Editor(model)
    known: Known = {}
    changes = 0
    for node in list(model.graph):
        if node.domain != "" or len(node.outputs) != 1:
            continue
        elements = _evaluate(node, known)
        if elements is not None:
            known[node.outputs[0]] = elements
            changes += _fold(node, elements, edit)
    for node in nodes_of(model, "Reshape", "Expand"):
        changes += _make_constant(node, known, edit) or _keep_symbol(node, edit)
    return changes


def _evaluate(node: ir.Node, known: Known) -> tuple[Element, ...] | None:
    rule = _RULES.get(node.op_type)
    return None if rule is None else rule(node, known)


def _fold(node: ir.Node, elements: tuple[Element, ...], edit: Editor) -> int:
    output = node.outputs[0]
    numbers = [element for element in elements if isinstance(element, int)]
    if len(numbers) != len(elements) or output.shape is None or output.dtype is None:
        return 0
    shape = () if len(output.shape) == 0 else (len(numbers),)
    array = np.asarray(numbers, output.dtype.numpy()).reshape(shape)
    edit.replace(output, edit.constant(array, output.name or "shape"))
    graph = node.graph
    assert graph is not None
    graph.remove(node, safe=True)
    return 1


def _elements(value: ir.Value | None, known: Known) -> tuple[Element, ...] | None:
    if value is None or value.shape is None or len(value.shape) > 1:
        return None
    if value in known:
        return known[value]
    array = constant(value)
    if array is not None and array.dtype == np.bool_:
        return tuple(int(item) for item in array.reshape(-1))
    return integers(value)


def _shape(node: ir.Node, known: Known) -> tuple[Element, ...] | None:
    found = dims(node.inputs[0])
    return None if found is None else found[attribute(node, "start", 0) : attribute(node, "end")]


def _size(node: ir.Node, known: Known) -> tuple[Element, ...] | None:
    found = dims(node.inputs[0])
    numbers = [dim for dim in found or () if isinstance(dim, int)]
    return (int(np.prod(numbers)),) if found is not None and len(numbers) == len(found) else None


def _same(node: ir.Node, known: Known) -> tuple[Element, ...] | None:
    """Squeeze, Unsqueeze, Reshape, Identity: at most one axis, so the elements stay what they are."""
    output = node.outputs[0]
    return None if output.shape is None or len(output.shape) > 1 else _elements(node.inputs[0], known)


def _cast(node: ir.Node, known: Known) -> tuple[Element, ...] | None:
    kept = (ir.DataType.INT64, ir.DataType.INT32)
    return _same(node, known) if attribute(node, "to") in kept else None


def _gather(node: ir.Node, known: Known) -> tuple[Element, ...] | None:
    source, picks = _elements(node.inputs[0], known), integers(node.inputs[1])
    if source is None or picks is None or len(node.outputs[0].shape or ()) > 1:
        return None
    if any(not -len(source) <= pick < len(source) for pick in picks):
        return None
    return tuple(source[pick] for pick in picks)


def _slice(node: ir.Node, known: Known) -> tuple[Element, ...] | None:
    source = _elements(node.inputs[0], known)
    bounds = [integers(value) for value in node.inputs[1:]]
    if source is None or any(bound is None or len(bound) != 1 for bound in bounds):
        return None
    numbers = [bound[0] for bound in bounds if bound is not None]
    start, stop, step = numbers[0], numbers[1], numbers[3] if len(numbers) > 3 else 1
    if step < 0 and stop < -len(source):
        return source[start::step]
    return source[start:stop:step]


def _concat(node: ir.Node, known: Known) -> tuple[Element, ...] | None:
    parts = [_elements(value, known) for value in node.inputs]
    if any(part is None for part in parts):
        return None
    return tuple(element for part in parts if part is not None for element in part)


def _elementwise(
    compute: Callable[[Element, Element], Element],
) -> Callable[[ir.Node, Known], tuple[Element, ...] | None]:
    def rule(node: ir.Node, known: Known) -> tuple[Element, ...] | None:
        pair = _broadcast([_elements(value, known) for value in node.inputs])
        return None if pair is None else tuple(compute(one, other) for one, other in zip(*pair, strict=True))

    return rule


def _broadcast(parts: Sequence[tuple[Element, ...] | None]) -> list[tuple[Element, ...]] | None:
    present = [part for part in parts if part is not None]
    if len(present) != len(parts):
        return None
    length = max(len(part) for part in present)
    if any(len(part) not in (1, length) for part in present):
        return None
    return [part * length if len(part) == 1 else part for part in present]


def _arithmetic(compute: Callable[[int, int], int]) -> Callable[[Element, Element], Element]:
    def element(one: Element, other: Element) -> Element:
        return compute(one, other) if isinstance(one, int) and isinstance(other, int) else None

    return element


def _multiply(one: Element, other: Element) -> Element:
    if 1 in (one, other):
        return other if one == 1 else one
    return one * other if isinstance(one, int) and isinstance(other, int) else None


def _divide(one: Element, other: Element) -> Element:
    """Integer division of ONNX cuts towards zero."""
    if other == 1:
        return one
    if not isinstance(one, int) or not isinstance(other, int) or other == 0:
        return None
    return int(abs(one) // abs(other)) * (1 if one * other >= 0 else -1)


def _equal(one: Element, other: Element) -> Element:
    if isinstance(one, int) and isinstance(other, int):
        return int(one == other)
    numbers = [item for item in (one, other) if isinstance(item, int)]
    if None not in (one, other) and numbers and numbers[0] < 0:
        return 0
    return 1 if one is not None and one == other else None


def _where(node: ir.Node, known: Known) -> tuple[Element, ...] | None:
    parts = _broadcast([_elements(value, known) for value in node.inputs])
    if parts is None:
        return None
    chosen: list[Element] = []
    for condition, yes, no in zip(*parts, strict=True):
        chosen.append(None if not isinstance(condition, int) else yes if condition else no)
    return tuple(chosen)


def _constant_of_shape(node: ir.Node, known: Known) -> tuple[Element, ...] | None:
    length = _elements(node.inputs[0], known)
    filler = node.attributes.get("value")
    if length is None or len(length) != 1 or not isinstance(length[0], int) or length[0] > _LONGEST or filler is None:
        return None
    array = filler.as_tensor().numpy()
    return (int(array.reshape(-1)[0]),) * length[0] if array.dtype.kind in "iub" else None


def _make_constant(node: ir.Node, known: Known, edit: Editor) -> int:
    wanted = known.get(node.inputs[1]) if node.inputs[1] is not None else None
    if wanted is None or node.inputs[1] is None or constant(node.inputs[1]) is not None:
        return 0
    numbers = (_reshape_numbers if node.op_type == "Reshape" else _expand_numbers)(node, wanted)
    if numbers is None:
        return 0
    node.replace_input_with(1, edit.index(numbers, f"{node.name or node.op_type}_shape"))
    return 1


def _reshape_numbers(node: ir.Node, wanted: tuple[Element, ...]) -> list[int] | None:
    """0 where a symbolic dimension stays in its place, -1 for the one that is left."""
    source = dims(node.inputs[0])
    if attribute(node, "allowzero", 0) or source is None:
        return None
    numbers = []
    for index, element in enumerate(wanted):
        stays = element is not None and index < len(source) and source[index] == element
        numbers.append(element if isinstance(element, int) else 0 if stays else -1)
    open_dims = sum(number == -1 for number in numbers)
    if open_dims <= 1:
        return numbers
    return None


def _keep_symbol(node: ir.Node, edit: Editor) -> int:
    """0 instead of the -1 that stands for the input's one symbolic dimension, so that inference knows it by name."""
    numbers, source = integers(node.inputs[1]), dims(node.inputs[0])
    if node.op_type != "Reshape" or numbers is None or source is None or attribute(node, "allowzero", 0):
        return 0
    open_dims = [index for index, number in enumerate(numbers) if number == -1]
    symbols = [index for index, dim in enumerate(source) if not isinstance(dim, int)]
    if open_dims != symbols or len(symbols) != 1 or 0 in numbers or 0 in source:
        return 0
    fixed = math.prod(dim for dim in source if isinstance(dim, int))
    if fixed != math.prod(number for number in numbers if number != -1):
        return 0
    kept = [0 if number == -1 else number for number in numbers]
    node.replace_input_with(1, edit.index(kept, f"{node.name or node.op_type}_shape"))
    return 1


def _expand_numbers(node: ir.Node, wanted: tuple[Element, ...]) -> list[int] | None:
    """1 where the input already has the symbolic dimension."""
    source = dims(node.inputs[0])
    if source is None:
        return None
    numbers: list[int] = []
    for position, element in enumerate(reversed(wanted)):
        if isinstance(element, int):
            numbers.append(element)
        elif element is not None and position < len(source) and source[-1 - position] == element:
            numbers.append(1)
        else:
            return None
    return numbers[::-1]


_RULES: dict[str, Callable[[ir.Node, Known], tuple[Element, ...] | None]] = {
    "Shape": _shape,
    "Size": _size,
    "Identity": _same,
    "Squeeze": _same,
    "Unsqueeze": _same,
    "Reshape": _same,
    "Cast": _cast,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Add": _elementwise(_arithmetic(operator.add)),
    "Sub": _elementwise(_arithmetic(operator.sub)),
    "Max": _elementwise(_arithmetic(max)),
    "Min": _elementwise(_arithmetic(min)),
    "Mul": _elementwise(_multiply),
    "Div": _elementwise(_divide),
    "Equal": _elementwise(_equal),
    "Where": _where,
    "ConstantOfShape": _constant_of_shape,
}
_LONGEST = 64

"""Reductions of nothing, scatters that reduce, determinants, products of several tensors."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgekit_converters.writers.tflite.ops.einsum import Equation, parsed
from edgekit_converters.writers.tflite.spelling import Spelling, spells

_OF_NOTHING = {
    "ReduceL1": 0.0,
    "ReduceL2": 0.0,
    "ReduceLogSum": -math.inf,
    "ReduceLogSumExp": -math.inf,
    "ReduceMax": -math.inf,
    "ReduceMin": math.inf,
    "ReduceProd": 1.0,
    "ReduceSum": 0.0,
    "ReduceSumSquare": 0.0,
}
_REDUCTIONS = {"mul": "ReduceProd", "max": "ReduceMax", "min": "ReduceMin"}
_JOINED = {"mul": "Mul", "max": "Max", "min": "Min"}
_NEUTRAL = {"mul": 1.0, "max": -3.4e38, "min": 3.4e38}
_LARGEST = 1 << 22


@spells(*_OF_NOTHING)
def reduce_nothing(spelling: Spelling) -> ir.Value | None:
    """Over an empty axis a constant: the number that changes nothing. ONNX Runtime and TFLite have no kernels for it."""
    node = spelling.node
    if 0 not in node.shape():
        return None
    number, dtype = _OF_NOTHING[node.op], node.dtype()
    if 0 in node.output_shape():
        raise node.unsupported("its result is empty, and TFLite has no empty tensors")
    if dtype == np.bool_:
        return spelling.constant(np.full(node.output_shape(), number > 0))
    if dtype.kind != "f" and math.isinf(number):
        number = np.iinfo(dtype).min if number < 0 else np.iinfo(dtype).max
    return spelling.constant(np.full(node.output_shape(), number, dtype))


@spells("ScatterElements", "ScatterND")
def scatter_reduced(spelling: Spelling) -> ir.Value | None:
    """Products and extremes: what every update would change is laid out, reduced, and joined with the data."""
    node = spelling.node
    reduction = node.text("reduction", "none")
    if reduction not in _REDUCTIONS:
        return None
    places, updates, flat = _element_places(spelling) if node.op == "ScatterElements" else _row_places(spelling)
    count = spelling.shape(updates)[0]
    if count * math.prod(flat) > _LARGEST or node.dtype() not in (np.float32, np.int32, np.int64):
        raise node.unsupported(
            f"the reduction {reduction!r} of {count} updates is too large, or not of float32 or int32"
        )
    rows = spelling.constant(np.arange(flat[0]).reshape(1, flat[0], 1))
    hits = spelling.op("Equal", spelling.reshape(places, (count, 1, 1)), rows)
    neutral = spelling.constant(np.array(_limit(reduction, node.dtype())), like=updates)
    laid = spelling.op("Where", hits, spelling.reshape(updates, (count, 1, flat[1])), neutral)
    axes = spelling.constant(np.array([0]))
    changed = spelling.op(_REDUCTIONS[reduction], laid, axes, keepdims=0)
    data = spelling.reshape(node.value(0), flat)
    return spelling.reshape(spelling.op(_JOINED[reduction], data, changed), node.shape())


def _limit(reduction: str, dtype: np.dtype[np.generic]) -> float:
    if dtype.kind == "f" or reduction == "mul":
        return _NEUTRAL[reduction]
    return np.iinfo(np.int32).min if reduction == "max" else np.iinfo(np.int32).max


def _element_places(spelling: Spelling) -> tuple[ir.Value, ir.Value, tuple[int, int]]:
    """Position in memory of every update, the updates in a row, and the data's shape as (elements, 1)."""
    node = spelling.node
    shape, axis = node.shape(), node.integer("axis", 0) % node.rank()
    strides = [math.prod(shape[place + 1 :]) for place in range(len(shape))]
    grid = np.indices(node.shape(1))
    base = sum(
        (grid[place] * strides[place] for place in range(len(shape)) if place != axis),
        np.zeros(node.shape(1), np.int64),
    )
    index = spelling.op("Mod", spelling.cast(node.value(1), np.int64), spelling.constant(shape[axis]))
    place = spelling.op("Add", spelling.op("Mul", index, spelling.constant(strides[axis])), spelling.constant(base))
    count = math.prod(node.shape(1))
    return spelling.reshape(place, (count,)), spelling.reshape(node.value(2), (count, 1)), (math.prod(shape), 1)


def _row_places(spelling: Spelling) -> tuple[ir.Value, ir.Value, tuple[int, int]]:
    """Row of every update where the axes that the indices name are one."""
    node = spelling.node
    depth = node.shape(1)[-1]
    head, tail = node.shape()[:depth], math.prod(node.shape()[depth:])
    strides = np.array([math.prod(head[place + 1 :]) for place in range(depth)])
    index = spelling.op("Mod", spelling.cast(node.value(1), np.int64), spelling.constant(np.array(head)))
    scaled = spelling.op("Mul", index, spelling.constant(strides))
    place = spelling.op("ReduceSum", scaled, spelling.constant(np.array([-1])), keepdims=0)
    count = math.prod(node.shape(1)[:-1])
    return spelling.reshape(place, (count,)), spelling.reshape(node.value(2), (count, tail)), (math.prod(head), tail)


@spells("Einsum")
def einsum_of_many(spelling: Spelling) -> ir.Value | None:
    """Diagonals first, then the tensors two by two from the left; each product keeps what is still asked for."""
    node = spelling.node
    equation = parsed(node.text("equation", ""), [node.rank(index) for index in range(node.input_count)])
    repeated = any(len(set(letters)) != len(letters) for letters in equation.inputs)
    if len(equation.inputs) <= 2 and not repeated:
        return None
    terms = [_diagonal(spelling, node.value(index), letters) for index, letters in enumerate(equation.inputs)]
    while len(terms) > 2:
        terms = [_product(spelling, terms[:2], terms[2:], equation), *terms[2:]]
    left = ",".join(letters for _, letters in terms)
    return spelling.op("Einsum", *(value for value, _ in terms), equation=f"{left}->{equation.output}")


_Term = tuple[ir.Value, str]


def _product(spelling: Spelling, pair: list[_Term], others: list[_Term], equation: Equation) -> _Term:
    asked = equation.output + "".join(letters for _, letters in others)
    kept = "".join(letter for letter in dict.fromkeys(pair[0][1] + pair[1][1]) if letter in asked)
    text = f"{pair[0][1]},{pair[1][1]}->{kept}"
    return spelling.op("Einsum", pair[0][0], pair[1][0], equation=text), kept


def _diagonal(spelling: Spelling, value: ir.Value, letters: str) -> _Term:
    """Every subscript once: of axes with the same one the diagonal."""
    repeated = [letter for letter in dict.fromkeys(letters) if letters.count(letter) > 1]
    for letter in repeated:
        while letters.count(letter) > 1:
            first, second = letters.index(letter), letters.rindex(letter)
            rest = [place for place in range(len(letters)) if place not in (first, second)]
            value = spelling.transpose(value, (*rest, first, second))
            size = spelling.shape(value)[-1]
            pairs = spelling.constant(np.arange(size) * (size + 1))
            flat = spelling.reshape(value, (*spelling.shape(value)[:-2], size * size))
            value = spelling.op("Gather", flat, pairs, axis=len(rest))
            letters = "".join(letters[place] for place in rest) + letter
    return value, letters


@spells("Det")
def determinant(spelling: Spelling) -> ir.Value:
    """Developed by the first row, for matrices of at most 3 rows."""
    node = spelling.node
    size = node.shape()[-1]
    if size > 3:
        raise node.unsupported(f"its matrices have {size} rows; expected at most 3")
    lead = node.shape()[:-2]
    cells = {
        (row, column): spelling.reshape(_cell(spelling, row, column), lead)
        for row in range(size)
        for column in range(size)
    }
    return _minor(spelling, cells, 0, tuple(range(size)))


def _cell(spelling: Spelling, row: int, column: int) -> ir.Value:
    rank = spelling.node.rank()
    return spelling.slice(spelling.slice(spelling.node.value(0), rank - 2, row, row + 1), rank - 1, column, column + 1)


def _minor(spelling: Spelling, cells: dict[tuple[int, int], ir.Value], row: int, columns: tuple[int, ...]) -> ir.Value:
    if len(columns) == 1:
        return cells[row, columns[0]]
    total: ir.Value | None = None
    for place, column in enumerate(columns):
        rest = _minor(spelling, cells, row + 1, columns[:place] + columns[place + 1 :])
        term = spelling.op("Mul", cells[row, column], rest)
        total = term if total is None else spelling.op("Sub" if place % 2 else "Add", total, term)
    assert total is not None
    return total

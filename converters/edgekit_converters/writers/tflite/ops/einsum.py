"""Einsum of one or two tensors: sums, transpositions and one batch matrix product."""

from __future__ import annotations

import math
import string
from dataclasses import dataclass

import numpy as np

from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import identity
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.tape import Tape


@dataclass(frozen=True, slots=True)
class Equation:
    """One letter an axis; an ellipsis has become letters of its own."""

    inputs: tuple[str, ...]
    output: str


@lowers("Einsum")
def einsum(node: HubNode, out: FlatGraph) -> None:
    equation = parsed(node.text("equation", ""), [node.rank(index) for index in range(node.input_count)])
    if len(equation.inputs) > 2 or any(len(set(letters)) != len(letters) for letters in equation.inputs):
        raise node.unsupported("only one or two tensors without repeated subscripts can be written")
    terms = [
        _summed(out.tape, _Term(out.read(node, index, identity(node.rank(index))), letters), equation, index)
        for index, letters in enumerate(equation.inputs)
    ]
    result = terms[0] if len(terms) == 1 else _product(out.tape, terms[0], terms[1], equation.output)
    out.bind(node, _arranged(out.tape, result, equation.output))


def parsed(text: str, ranks: list[int]) -> Equation:
    """The equation with explicit output and no ellipsis. Without an arrow the output has, in alphabetical order, the
    letters that occur once."""
    left, arrow, right = text.replace(" ", "").partition("->")
    terms = left.split(",")
    free = [letter for letter in string.ascii_letters if letter not in left + right]
    widths = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    widest = max((width for term, width in zip(terms, widths, strict=True) if "..." in term), default=0)
    batch = "".join(free[:widest])
    inputs = tuple(term.replace("...", batch[widest - width :]) for term, width in zip(terms, widths, strict=True))
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        right = ("..." if "..." in left else "") + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return Equation(inputs, right.replace("...", batch))


@dataclass(frozen=True, slots=True)
class _Term:
    """A tensor and the letter of each of its axes."""

    tensor: FlatTensor
    letters: str

    def size(self, letters: str) -> int:
        return math.prod(self.tensor.shape[self.letters.index(letter)] for letter in letters)


def _summed(tape: Tape, term: _Term, equation: Equation, index: int) -> _Term:
    """Without the axes that occur nowhere else."""
    elsewhere = equation.output + "".join(equation.inputs[:index] + equation.inputs[index + 1 :])
    gone = [place for place, letter in enumerate(term.letters) if letter not in elsewhere]
    if not gone:
        return term
    axes = tape.constant(np.array(gone, np.int32), name="axes")
    shape = tuple(size for place, size in enumerate(term.tensor.shape) if place not in gone)
    table = options("ReducerOptions", keepDims=False)
    total = tape.compute("SUM", term.tensor, axes, builtin_options=table, shape=shape)
    return _Term(total, "".join(letter for place, letter in enumerate(term.letters) if place not in gone))


def _product(tape: Tape, left: _Term, right: _Term, output: str) -> _Term:
    """(batch, rows, inner) x (batch, inner, columns): the letters in both terms are batch or inner."""
    both = [letter for letter in left.letters if letter in right.letters]
    batch = "".join(letter for letter in both if letter in output)
    inner = "".join(letter for letter in both if letter not in output)
    rows = "".join(letter for letter in left.letters if letter not in both)
    columns = "".join(letter for letter in right.letters if letter not in both)
    first = _grouped(tape, left, batch, rows, inner)
    second = _grouped(tape, right, batch, inner, columns)
    shape = (first.shape[0], first.shape[1], second.shape[2])
    product = tape.compute("BATCH_MATMUL", first, second, builtin_options=options("BatchMatMulOptions"), shape=shape)
    sizes = [left.size(letter) if letter in left.letters else right.size(letter) for letter in batch + rows + columns]
    return _Term(tape.reshape(product, sizes), batch + rows + columns)


def _grouped(tape: Tape, term: _Term, *groups: str) -> FlatTensor:
    """The tensor with one axis a group of letters."""
    ordered = tape.transpose(term.tensor, tuple(term.letters.index(letter) for letter in "".join(groups)))
    return tape.reshape(ordered, [term.size(group) for group in groups])


def _arranged(tape: Tape, term: _Term, output: str) -> FlatTensor:
    return tape.transpose(term.tensor, tuple(term.letters.index(letter) for letter in output))

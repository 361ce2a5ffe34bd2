"""A node's weight as matrices (groups, rows, columns): a row makes one output, the columns meet the inputs it reads.

Columns of a convolution run over the kernel's positions and, innermost, the input channels: groups of N:M lie along the channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import attribute
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.scheme import constant_array, is_constant, name_of
from edgekit_converters.rules import RECURRENT
from edgekit_converters.sparsify.solve import Floats

SMALLEST = 64
"""Weights below which a matrix stays as it is."""

BIAS = 2
"""The input of a convolution or a Gemm that holds its bias."""

WIDEST = 2048
"""Columns of which the products are kept; wider matrices are cut into chunks of columns that make up for one another no more."""


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """The weight at input ``index`` of ``node``. ``channels``: input channels a group, the innermost part of the columns.

    ``chunks``: parts that the columns of a group are cut into, each a group of ``shape`` of its own.
    """

    node: ir.Node
    index: int
    shape: tuple[int, int, int]
    channels: int
    chunks: int = 1

    @property
    def groups(self) -> int:
        """Groups of the operator."""
        return self.shape[0] // self.chunks

    @property
    def use(self) -> Use:
        return Use(name_of(self.node), self.index)

    @property
    def weights(self) -> Floats:
        value = self.node.inputs[self.index]
        assert value is not None
        return self.take(constant_array(value))

    @property
    def reads_states(self) -> bool:
        """Whether a recurrent layer multiplies its own state with it."""
        return self.node.op_type in RECURRENT and self.index == RECURRENT[self.node.op_type][1]

    @property
    def name(self) -> str:
        return name_of(self.node) if self.node.op_type not in RECURRENT else f"{name_of(self.node)}:{'XWR'[self.index]}"

    @property
    def size(self) -> int:
        groups, rows, columns = self.shape
        return groups * rows * columns

    @property
    def has_bias(self) -> bool:
        """Whether a constant vector is added to the outputs, so that the weights need not meet their means."""
        if self.node.op_type not in ("Conv", "ConvTranspose", "Gemm") or len(self.node.inputs) <= BIAS:
            return False
        bias = self.node.inputs[BIAS]
        if bias is None or not is_constant(bias) or attribute(self.node, "beta", 1.0) != 1.0:
            return False
        return constant_array(bias).size == self.outputs

    @property
    def outputs(self) -> int:
        """Outputs that a bias has an entry for."""
        taps = math.prod(self.spatial) if self.node.op_type == "ConvTranspose" else 1
        return self.groups * self.shape[1] // taps

    @property
    def overlap(self) -> int:
        """Of the rows of a transposed convolution for one output, one in so many reaches a place."""
        strides = attribute(self.node, "strides", (1,) * len(self.spatial))
        return math.prod(strides) if self.node.op_type == "ConvTranspose" else 1

    @property
    def spatial(self) -> tuple[int, ...]:
        """Sides of a convolution's kernel."""
        value = self.node.inputs[self.index]
        assert value is not None
        assert value.const_value is not None
        return tuple(value.const_value.numpy().shape[2:])

    def take(self, weight: NDArray[np.float32]) -> Floats:
        """The weight, in the hub's layout, as matrices."""
        op, groups = self.node.op_type, self.groups
        if op == "Conv":
            weight = np.moveaxis(weight, 1, -1)
        elif op == "ConvTranspose":  # (I, O / group, ...): rows are outputs and kernel positions
            weight = np.moveaxis(weight.reshape(groups, -1, *weight.shape[1:]), 1, -1)
        elif op == "MatMul" or (op == "Gemm" and not attribute(self.node, "transB", 0)):
            weight = weight.T
        return self.cut(np.ascontiguousarray(weight, np.float32).reshape(groups, self.shape[1], -1))

    def cut(self, rows: Floats) -> Floats:
        """(groups, any number, columns) with the chunks as groups."""
        if self.chunks == 1:
            return rows
        parts = rows.reshape(self.groups, rows.shape[1], self.chunks, -1).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(parts).reshape(self.shape[0], rows.shape[1], -1)

    def give(self, matrices: Floats, like: tuple[int, ...]) -> NDArray[np.float32]:
        """Matrices as a weight of the shape ``like`` in the hub's layout."""
        op, groups = self.node.op_type, self.groups
        if self.chunks > 1:
            parts = matrices.reshape(groups, self.chunks, *matrices.shape[1:])
            matrices = np.ascontiguousarray(parts.transpose(0, 2, 1, 3)).reshape(groups, matrices.shape[1], -1)
        if op == "Conv":
            weight = np.moveaxis(matrices.reshape(like[0], *like[2:], like[1]), -1, 1)
        elif op == "ConvTranspose":
            weight = np.moveaxis(matrices.reshape(groups, *like[1:], like[0] // groups), -1, 1)
        elif op == "MatMul" or (op == "Gemm" and not attribute(self.node, "transB", 0)):
            weight = matrices[0].T
        else:
            weight = matrices
        return np.ascontiguousarray(weight, np.float32).reshape(like)


def matrices_of(node: ir.Node) -> list[Matrix]:
    """The weights of a node that may become sparse; none for operators without any, and for the smallest."""
    found = [_matrix(node, index) for index in _INDICES.get(node.op_type, ()) if index < len(node.inputs)]
    return [matrix for matrix in found if matrix is not None and matrix.size >= SMALLEST]


_INDICES = {"Conv": (1,), "ConvTranspose": (1,), "Gemm": (1,), "MatMul": (1,)} | dict.fromkeys(RECURRENT, (1, 2))


def _matrix(node: ir.Node, index: int) -> Matrix | None:
    value, data = node.inputs[index], node.inputs[0]
    if value is None or data is None or not is_constant(value) or is_constant(data):
        return None
    if value.dtype != ir.DataType.FLOAT or value.shape is None or len(value.uses()) > 1:
        return None  # what serves several layers would have to become several matrices
    sizes = _sizes(node, tuple(dim for dim in value.shape if isinstance(dim, int)))
    if sizes is None:
        return None
    groups, rows, columns, channels = sizes
    chunks = _chunks(columns, channels)
    return Matrix(node, index, (groups * chunks, rows, columns // chunks), channels, chunks) if chunks else None


def _sizes(node: ir.Node, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Groups, rows, columns and the channels among the columns; None for a weight that is no plain matrix."""
    groups = int(attribute(node, "group", 1))
    if node.op_type == "Conv":
        return groups, shape[0] // groups, math.prod(shape[1:]), shape[1]
    if node.op_type == "ConvTranspose":
        return groups, math.prod(shape[1:]), shape[0] // groups, shape[0] // groups
    if node.op_type in RECURRENT:
        return shape[0], shape[1], shape[2], shape[2]
    if len(shape) != 2 or attribute(node, "transA", 0) or attribute(node, "alpha", 1.0) != 1.0:
        return None
    rows, columns = shape if attribute(node, "transB", 0) else shape[::-1]
    return 1, rows, columns, columns


def _chunks(columns: int, channels: int) -> int:
    """Into how many equal parts the columns are cut; 0 where that is not possible.

    Each holds whole fours where the channels are whole fours, otherwise all channels of a kernel position or of several.
    """
    whole = 4 if channels % 4 == 0 else channels if channels <= WIDEST else 1
    fits = (count for count in range(1, columns) if columns % count == 0 and columns // count <= WIDEST)
    return next((count for count in fits if columns // count % whole == 0), 1 if columns <= WIDEST else 0)

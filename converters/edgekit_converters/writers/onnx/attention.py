"""Attention spelled out in a dozen nodes, written as the one operator that opset 23 has for it.

ONNX Runtime's kernel reads and writes the heads where they lie, so the transpositions fall away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import attribute, nodes_of, producer, scalar, sole_consumer
from edgekit_converters.quantize.scheme import name_of, value_name
from edgekit_converters.writers.onnx.editor import GraphEditor

OPSET = 23
"""The first one with Attention."""

_BY_HEAD = (0, 2, 1, 3)
"""From (batch, tokens, heads, width) to (batch, heads, tokens, width), and back."""

_BY_HEAD_TURNED = (0, 2, 3, 1)
"""To (batch, heads, width, tokens): the key, ready for the product."""


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    """A (batch, tokens, width) value whose width is split into heads."""

    source: ir.Value
    tokens: int
    heads: int


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """``factor * left @ right + mask``."""

    left: ir.Value | None
    right: ir.Value | None
    factor: float
    mask: ir.Value | None


@dataclass(frozen=True, slots=True, eq=False)
class _Attention:
    """``softmax(factor * query key^T + mask) value``, with the heads joined in ``result``."""

    query: _Split
    key: _Split
    value: _Split
    scores: _Scores
    result: ir.Value


def fuse_attention(model: ir.Model, editor: GraphEditor) -> int:
    """Put Attention in the place of its parts; returns how many. The model is of opset 23 afterwards if there is any."""
    masks: dict[ir.Value, ir.Value] = {}
    found = [attention for node in nodes_of(model, "Softmax") if (attention := _match(node)) is not None]
    for attention in found:
        inputs = [attention.query.source, attention.key.source, attention.value.source]
        if (mask := attention.scores.mask) is not None:
            if mask not in masks:
                masks[mask] = _with_rows(mask, attention.query.tokens, editor)
            inputs.append(masks[mask])
        maker = attention.result.producer()
        assert maker is not None
        (result,) = editor.node(
            "Attention",
            inputs,
            name_of(maker),
            q_num_heads=attention.query.heads,
            kv_num_heads=attention.key.heads,
            scale=attention.scores.factor,
        )
        result.shape, result.type = attention.result.shape, attention.result.type
        editor.replace(attention.result, result)
        _pass_name_on(attention.result, result)
    if found:
        model.graph.opset_imports[""] = OPSET
    return len(found)


def _pass_name_on(old: ir.Value, new: ir.Value) -> None:
    """The plan knows the value by the hub's name; a model output has passed it on already."""
    if not new.is_graph_output():
        name, old.name = old.name, new.name
        new.name = name


def _with_rows(mask: ir.Value, tokens: int, editor: GraphEditor) -> ir.Value:
    """The mask with a row a query: the operator broadcasts samples and heads alone."""
    assert mask.shape is not None
    if mask.shape[-2] != 1 or tokens == 1:
        return mask
    rows = editor.initializer(f"{value_name(mask)}_rows", np.zeros((tokens, 1), np.float32))
    return editor.node("Add", [mask, rows], value_name(mask))[0]


def _match(softmax: ir.Node) -> _Attention | None:
    scores = _scores(softmax.inputs[0]) if attribute(softmax, "axis", -1) in (-1, 3) else None
    mixing = sole_consumer(softmax.outputs[0])
    if scores is None or mixing is None or mixing.op_type != "MatMul" or mixing.inputs[0] is not softmax.outputs[0]:
        return None
    query, key = _split(scores.left, _BY_HEAD), _split(scores.right, _BY_HEAD_TURNED)
    value, result = _split(mixing.inputs[1], _BY_HEAD), _joined(mixing.outputs[0])
    if query is None or key is None or value is None or result is None:
        return None
    if not query.heads == key.heads == value.heads or not _fits(scores.mask, query.tokens, key.tokens):
        return None
    return _Attention(query, key, value, scores, result)


def _scores(value: ir.Value | None) -> _Scores | None:
    addition = producer(value, "Add")
    if addition is None:
        return _scaled_product(value, None)
    for inner, mask in (addition.inputs, tuple(addition.inputs)[::-1]):
        found = _scaled_product(inner, mask)
        if found is not None:
            return found
    return None


def _scaled_product(value: ir.Value | None, mask: ir.Value | None) -> _Scores | None:
    scaling = producer(value, "Mul")
    factor = scalar(scaling.inputs[1]) if scaling is not None else 1.0
    product = producer(scaling.inputs[0] if scaling is not None else value, "MatMul")
    if factor is None or product is None:
        return None
    if any(sole_consumer(node.outputs[0]) is None for node in (scaling, product) if node is not None):
        return None
    return _Scores(product.inputs[0], product.inputs[1], factor, mask)


def _fits(mask: ir.Value | None, queries: int, keys: int) -> bool:
    """Whether a mask is (queries, keys) or (batch, heads, queries, keys), where sizes of 1 but for the keys' are all right."""
    if mask is None:
        return True
    sizes = tuple(mask.shape or ())
    return len(sizes) in (2, 4) and sizes[-1] == keys and sizes[-2] in (1, queries) and mask.dtype is ir.DataType.FLOAT


def _split(value: ir.Value | None, permutation: tuple[int, ...]) -> _Split | None:
    """What stands in front of ``Transpose(Reshape(x))``."""
    turned = producer(value, "Transpose")
    parted = producer(turned.inputs[0], "Reshape") if turned is not None else None
    if turned is None or parted is None or attribute(turned, "perm") != permutation:
        return None
    source, sizes = parted.inputs[0], _tail(parted.outputs[0])
    if source is None or sizes is None or len(sizes) != 3 or _tail(source) != (sizes[0], sizes[1] * sizes[2]):
        return None
    return _Split(source, sizes[0], sizes[1])


def _joined(value: ir.Value) -> ir.Value | None:
    """What ``Reshape(Transpose(x))`` makes of the heads."""
    turned = sole_consumer(value)
    if turned is None or turned.op_type != "Transpose" or attribute(turned, "perm") != _BY_HEAD:
        return None
    merged, sizes = sole_consumer(turned.outputs[0]), _tail(turned.outputs[0])
    if merged is None or merged.op_type != "Reshape" or sizes is None or len(sizes) != 3:
        return None
    result: ir.Value = merged.outputs[0]
    return result if _tail(result) == (sizes[0], sizes[1] * sizes[2]) else None


def _tail(value: ir.Value) -> tuple[int, ...] | None:
    """The sizes behind the first axis, when they are numbers."""
    sizes = tuple(value.shape or ())[1:]
    numbers = tuple(size for size in sizes if isinstance(size, int))
    return numbers if numbers and len(numbers) == len(sizes) else None

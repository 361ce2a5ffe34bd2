"""`smooth`: an equal hub whose products lose less to int8: input channels are scaled to one another, outliers computed apart.

A product ``x W`` equals ``(x / s) (s W)``. With ``s`` large where the channel of ``x`` is, the inputs take one scale better and
the weights, which have a scale per column, hardly worse. Source: G. Xiao et al., "SmoothQuant", ICML 2023, equation 4. The
exponent is searched per input, by the error of the quantized product itself. Channels that stay far larger than all others are
multiplied in float: T. Dettmers et al., "LLM.int8()", NeurIPS 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from edgekit.protocols import Dataset, Progress
from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import Editor
from edgekit_converters.quantize.quant_plan import Execution
from edgekit_converters.quantize.scheme import Scheme, constant_array, name_of, value_name
from edgekit_converters.quantize.smooth_choice import Choice, choose
from edgekit_converters.quantize.smooth_fold import fold_factors
from edgekit_converters.quantize.smooth_rows import sample_rows
from edgekit_converters.quantize.tokens import bias_addition


def smooth(hub: Hub, scheme: Scheme, samples: Dataset, progress: Progress) -> Hub:
    """A new hub that computes the same in float; the hub itself where it has no products of tokens."""
    names = _readers(hub, scheme)
    if not names:
        return hub
    rows = sample_rows(hub, list(names), samples, progress)
    nodes = {name_of(node): node for node in hub.model.graph}
    choices: dict[str, Choice] = {}
    progress.stage("smooth", len(names))
    for value, readers in names.items():
        weights = [constant_array(_weight(nodes[name])) for name in readers]
        choices[value] = choose(rows[value], np.concatenate(weights, axis=1))
        progress.step()
    return _applied(hub, names, choices)


def _readers(hub: Hub, scheme: Scheme) -> dict[str, list[str]]:
    """Products by the value that they read; those that read one value share its factors."""
    found: dict[str, list[str]] = {}
    for node in hub.model.graph:
        if scheme.nodes[name_of(node)].execution is Execution.PRODUCT:
            found.setdefault(value_name(node.inputs[0]), []).append(name_of(node))
    return found


def _applied(hub: Hub, names: Mapping[str, Sequence[str]], choices: Mapping[str, Choice]) -> Hub:
    result = hub.clone()
    edit = Editor(result.model)
    nodes = {name_of(node): node for node in result.model.graph}
    for value, readers in names.items():
        choice, group = choices[value], [nodes[name] for name in readers]
        source = group[0].inputs[0]
        if choice.plain or source is None:
            continue
        for node in group:
            _add_outliers(node, source, choice, edit)
        scaled = _scaled(source, group, choice, edit)
        for node in group:
            _scale_weights(node, choice, edit)
            node.replace_input_with(0, scaled)
    result.model.graph.sort()
    return result


def _scaled(source: ir.Value, group: Sequence[ir.Node], choice: Choice, edit: Editor) -> ir.Value:
    """``source / factors``, outliers zero: made so from the start where nothing else reads it, else by a node."""
    factors = np.where(choice.outliers, 0.0, 1.0 / choice.factors).astype(np.float32)
    alone = {use.node for use in source.uses()} == set(group) and not source.is_graph_output()
    if alone and fold_factors(source, factors, edit):
        return source
    vector = edit.constant(factors, f"{source.name}_smoothing")
    return edit.node("Mul", [source, vector], before=group[0], like=source, hint=f"{group[0].name}/smoothing")


def _scale_weights(node: ir.Node, choice: Choice, edit: Editor) -> None:
    weight = constant_array(_weight(node))
    kept = np.where(choice.outliers, 0.0, choice.factors)[:, np.newaxis]
    node.replace_input_with(1, edit.constant((weight * kept).astype(np.float32), f"{_weight(node).name}_smooth"))


def _add_outliers(node: ir.Node, source: ir.Value, choice: Choice, edit: Editor) -> None:
    """``source[..., outliers] W[outliers]`` in float, added behind the product and its bias."""
    channels = np.flatnonzero(choice.outliers)
    if not channels.size:
        return
    addition = bias_addition(node)
    last = node if addition is None else addition[0]
    output, name = last.outputs[0], name_of(node)
    index = edit.index(channels.tolist(), f"{name}_outliers")
    picked = edit.node("Gather", [source, index], before=last, hint=f"{name}/outliers", axis=-1)
    assert source.shape is not None
    picked.type, picked.shape = source.type, ir.Shape((*source.shape[:-1], channels.size))
    rows = edit.constant(constant_array(_weight(node))[channels], f"{name}_outlier_weight")
    product = edit.node("MatMul", [picked, rows], before=last, like=output, hint=f"{name}/outlier_product")
    total = edit.node("Add", [output, product], before=last, like=output, hint=f"{name}/outlier_sum")
    edit.replace(output, total)
    summing = total.producer()
    assert summing is not None
    summing.replace_input_with(0, output)


def _weight(node: ir.Node) -> ir.Value:
    weight = node.inputs[1]
    assert weight is not None
    return weight

"""Let convolutions and poolings pad for themselves: explicit pads instead of ``auto_pad``, and Pads of constants folded in."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import (
    Editor,
    attribute,
    constant,
    dims,
    integers,
    nodes_of,
    producer,
    scalar,
    static_shape,
)


def fold_pads(model: ir.Model) -> int:
    """Fold constant Pads into the Conv, MaxPool or AveragePool that reads them, where the result is exactly the same.

    Requires: inferred shapes. Ensures: no ``auto_pad`` where the spatial shape is static. Returns the changes.
    """
    edit = Editor(model)
    changes = sum(_make_explicit(node) for node in nodes_of(model, "Conv", "MaxPool", "AveragePool", "LpPool"))
    for node in nodes_of(model, "Conv", "MaxPool", "AveragePool"):
        changes += _absorb(node)
    for node in nodes_of(model, "Pad"):
        changes += _spell_all_axes(node, edit)
    return changes


def _make_explicit(node: ir.Node) -> int:
    """Pads in numbers for SAME_UPPER and SAME_LOWER: as many as make ``ceil(size / stride)`` outputs."""
    how = attribute(node, "auto_pad", "NOTSET")
    if how == "NOTSET":
        return 0
    kernel = _kernel(node)
    source = dims(node.inputs[0])
    if kernel is None or source is None:
        return 0
    pads = [0] * (2 * len(kernel))
    if how != "VALID":
        for axis, (size, extent, stride) in enumerate(
            zip(source[2:], kernel, _list(node, "strides", len(kernel)), strict=True)
        ):
            if not isinstance(size, int):
                return 0
            total = max((math.ceil(size / stride) - 1) * stride + extent - size, 0)
            small, large = total // 2, total - total // 2
            pads[axis], pads[axis + len(kernel)] = (small, large) if how == "SAME_UPPER" else (large, small)
    node.attributes.pop("auto_pad")
    node.attributes["pads"] = ir.AttrInt64s("pads", pads)
    return 1


def _kernel(node: ir.Node) -> list[int] | None:
    """The window in each spatial axis, dilation included."""
    shape = attribute(node, "kernel_shape")
    if shape is None and node.op_type == "Conv":
        weight = static_shape(node.inputs[1])
        shape = None if weight is None else weight[2:]
    if shape is None:
        return None
    return [(size - 1) * step + 1 for size, step in zip(shape, _list(node, "dilations", len(shape)), strict=True)]


def _list(node: ir.Node, name: str, length: int) -> list[int]:
    return list(attribute(node, name, (1,) * length))


def _absorb(node: ir.Node) -> int:
    pad = producer(node.inputs[0], "Pad")
    kernel = _kernel(node)
    if pad is None or kernel is None or attribute(node, "auto_pad", "NOTSET") != "NOTSET":
        return 0
    added = _spatial_pads(pad, len(kernel))
    if added is None or not _is_equal(node, pad, kernel, added):
        return 0
    own = list(attribute(node, "pads", (0,) * len(added)))
    total = [one + other for one, other in zip(own, added, strict=True)]
    node.attributes["pads"] = ir.AttrInt64s("pads", total)
    if node.op_type == "AveragePool":
        node.attributes["count_include_pad"] = ir.AttrInt64("count_include_pad", 1)
    node.replace_input_with(0, pad.inputs[0])
    return 1


def _spatial_pads(pad: ir.Node, spatial: int) -> list[int] | None:
    """Pads of the spatial axes, begins then ends; None when other axes are padded, or something is cut off."""
    full = _all_pads(pad)
    if full is None or len(full) != 2 * (spatial + 2) or attribute(pad, "mode", "constant") != "constant":
        return None
    begins, ends = full[: spatial + 2], full[spatial + 2 :]
    if any(begins[:2]) or any(ends[:2]) or min(full) < 0:
        return None
    return begins[2:] + ends[2:]


def _all_pads(pad: ir.Node) -> list[int] | None:
    """Begins then ends of every axis."""
    pads, source = integers(pad.inputs[1]), dims(pad.inputs[0])
    axes = integers(pad.inputs[3]) if len(pad.inputs) > 3 and pad.inputs[3] is not None else None
    if pads is None or source is None or (len(pad.inputs) > 3 and pad.inputs[3] is not None and axes is None):
        return None
    if axes is None:
        return list(pads)
    full = [0] * (2 * len(source))
    for position, axis in enumerate(axes):
        full[axis % len(source)] = pads[position]
        full[axis % len(source) + len(source)] = pads[position + len(axes)]
    return full


def _is_equal(node: ir.Node, pad: ir.Node, kernel: list[int], added: list[int]) -> bool:
    """Whether the node's own padding means the same as the Pad's number."""
    filler = scalar(pad.inputs[2]) if len(pad.inputs) > 2 and pad.inputs[2] is not None else 0.0
    own = list(attribute(node, "pads", (0,) * len(added)))
    if filler is None:
        return False
    if node.op_type == "Conv":
        return filler == 0.0
    # Runtimes ask that a pooling's padding is smaller than its window; ceil_mode looks at the pads.
    window = list(attribute(node, "kernel_shape")) * 2
    if attribute(node, "ceil_mode", 0) or any(a + b >= size for a, b, size in zip(own, added, window, strict=True)):
        return False
    if node.op_type == "AveragePool":
        return filler == 0.0 and (not any(own) or attribute(node, "count_include_pad", 0) == 1)
    if len(node.outputs) > 1:
        return False
    return filler <= float(np.finfo(np.float32).min) or (filler == 0.0 and _is_never_negative(pad.inputs[0]))


def _is_never_negative(value: ir.Value | None) -> bool:
    made = producer(value, "Relu", "Sigmoid", "HardSigmoid", "Softmax", "Clip", "MaxPool", "Abs", "Exp", "Softplus")
    if made is None or made.op_type == "MaxPool":
        return made is not None and _is_never_negative(made.inputs[0])
    if made.op_type != "Clip":
        return True
    low = scalar(made.inputs[1]) if len(made.inputs) > 1 else None
    return low is not None and low >= 0.0


def _spell_all_axes(pad: ir.Node, edit: Editor) -> int:
    """Pads for every axis instead of an axes input, and no value where it is 0."""
    full = _all_pads(pad)
    has_axes = len(pad.inputs) > 3 and pad.inputs[3] is not None
    if full is None or not has_axes or constant(pad.inputs[3]) is None:
        return 0
    pad.replace_input_with(1, edit.index(full, f"{pad.name}_pads"))
    pad.replace_input_with(3, None)
    pad.resize_inputs(3)
    return 1

"""From the opset of the file to the project's: adapters for the operators whose attributes, inputs or meaning changed.

Only what differs is listed: most new versions of an operator merely admit more types. Sources: the "Changelog" of the ONNX
operators, https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.errors import SourceError, UnsupportedLayerError
from edgekit_converters.hub.edit import Editor, attribute, constant, dims
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.model import OPSET

OLDEST_OPSET = 7


def upgrade(model: ir.Model, path: Path) -> None:
    """Bring a model of an older opset, in place, to `OPSET`; a newer one stays. Requires: no functions, no Constant nodes.

    Raises SourceError for an opset below 7 whose operators have changed since, UnsupportedLayerError for a node that has no
    equal at `OPSET`.
    """
    opset = model.graph.opset_imports[""]
    if opset < OLDEST_OPSET and not _is_unchanged(model, opset):
        raise SourceError(
            f"{path} has opset {opset}; edgekit reads opset {OLDEST_OPSET} and newer. Export it again with a newer exporter."
        )
    affected = [
        (node, adapter)
        for node in ir.traversal.RecursiveGraphIterator(model.graph)
        for adapter in _ADAPTERS.get(node.op_type, ())
        if node.domain == "" and opset < adapter.until
    ]
    if any(adapter.needs_shapes for _, adapter in affected):
        infer_shapes(model)
    edit = Editor(model)
    for node, adapter in affected:
        if node.graph is not None:
            adapter.run(node, edit, opset)
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        node.version = None
    model.graph.opset_imports[""] = max(opset, OPSET)


def _is_unchanged(model: ir.Model, opset: int) -> bool:
    """Whether every operator is the same in the model's opset as in the oldest that is read."""
    schema = onnx.defs.get_schema
    return all(
        onnx.defs.has(node.op_type, opset, "")
        and schema(node.op_type, opset, "").since_version == schema(node.op_type, OLDEST_OPSET, "").since_version
        for node in ir.traversal.RecursiveGraphIterator(model.graph)
        if node.domain == ""
    )


def changed_between(op_type: str, one: int, other: int) -> bool:
    """Whether an operator's attributes, inputs or meaning differ between two opsets."""
    low, high = sorted((one, other))
    return any(low < adapter.until <= high for adapter in _ADAPTERS.get(op_type, ()))


class Adapter(NamedTuple):
    """``run`` mends a node whose model has an opset below ``until``."""

    until: int
    run: Callable[[ir.Node, Editor, int], None]
    needs_shapes: bool = False


def _attributes_to_inputs(*names: str) -> Callable[[ir.Node, Editor, int], None]:
    """The attributes became inputs, in this order after the first input."""

    def run(node: ir.Node, edit: Editor, opset: int) -> None:
        inputs: list[ir.Value | None] = [node.inputs[0]]
        for name in names:
            found = node.attributes.pop(name, None)
            if found is None:
                inputs.append(None)
            else:
                dtype = np.float32 if found.type in (ir.AttributeType.FLOAT, ir.AttributeType.FLOATS) else np.int64
                inputs.append(edit.constant(np.asarray(found.value, dtype), f"{node.name or node.op_type}_{name}"))
        while inputs[-1] is None:
            inputs.pop()
        if len(node.inputs) == 1:
            _set_inputs(node, inputs)

    return run


def _set_inputs(node: ir.Node, inputs: list[ir.Value | None]) -> None:
    node.resize_inputs(len(inputs))
    for index, value in enumerate(inputs):
        node.replace_input_with(index, value)


def _slice(node: ir.Node, edit: Editor, opset: int) -> None:
    _attributes_to_inputs("starts", "ends", "axes")(node, edit, opset)


def _top_k(node: ir.Node, edit: Editor, opset: int) -> None:
    if (k := node.attributes.pop("k", None)) is not None:
        _set_inputs(node, [node.inputs[0], edit.index([k.as_int()], f"{node.name or 'TopK'}_k")])


def _dropout(node: ir.Node, edit: Editor, opset: int) -> None:
    """Without training it passes its input on; a mask that is read is zeros, as ONNX Runtime gives it."""
    source = node.inputs[0]
    assert source is not None
    node.attributes.clear()
    if len(node.outputs) > 1 and (node.outputs[1].uses() or node.outputs[1].is_graph_output()):
        shape = edit.node("Shape", [source], before=node)
        filler: NDArray[Any] = np.zeros(1, np.float32 if opset < 10 else np.bool_)
        mask = edit.node("ConstantOfShape", [shape], before=node, like=node.outputs[1], value=ir.tensor(filler))
        edit.replace(node.outputs[1], mask)
    _set_inputs(node, [source])


def _softmax(node: ir.Node, edit: Editor, opset: int) -> None:
    """Before opset 13 it worked on the input flattened to two dimensions at ``axis`` (default 1)."""
    source = node.inputs[0]
    assert source is not None
    shape = dims(source)
    if shape is None:
        raise UnsupportedLayerError(
            f"node {node.name!r}: the meaning of {node.op_type} in opset {opset} depends on the rank of its input, which is "
            "unknown. Export the model with opset 13 or newer."
        )
    axis = int(attribute(node, "axis", 1))
    axis += len(shape) if axis < 0 else 0
    if all(dim == 1 for dim in shape[axis + 1 :]):
        node.attributes["axis"] = ir.AttrInt64("axis", axis)
        return
    flat = edit.node("Flatten", [source], before=node, axis=axis)
    result = edit.node(node.op_type, [flat], before=node, axis=1)
    back = edit.node("Shape", [source], before=node)
    edit.replace_node(node, edit.node("Reshape", [result, back], before=node, like=node.outputs[0]))


def _batch_normalization(node: ir.Node, edit: Editor, opset: int) -> None:
    """Before opset 9 ``spatial=0`` normalized every position by itself; before 14 extra outputs meant training."""
    if attribute(node, "training_mode", 0):
        raise UnsupportedLayerError(
            f"node {node.name!r} is a BatchNormalization in training mode. Export for inference."
        )
    if any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        raise UnsupportedLayerError(
            f"node {node.name!r}: the statistics of BatchNormalization are read. Export for inference."
        )
    spatial = attribute(node, "spatial", 1)
    node.attributes.pop("spatial", None)
    if len(node.outputs) > 1:
        node.resize_outputs(1)
    if spatial:
        return
    source, scale, bias, mean, variance = node.inputs
    output = node.outputs[0]
    epsilon = edit.floats(float(attribute(node, "epsilon", 1e-5)))
    deviation = edit.node("Sqrt", [edit.node("Add", [variance, epsilon], before=node)], before=node)
    centred = edit.node("Sub", [source, mean], before=node, like=output)
    factor = edit.node("Div", [scale, deviation], before=node)
    scaled = edit.node("Mul", [centred, factor], before=node, like=output)
    edit.replace_node(node, edit.node("Add", [scaled, bias], before=node, like=output))


def _upsample(node: ir.Node, edit: Editor, opset: int) -> None:
    """Upsample became Resize in opset 10, with the coordinates now named asymmetric and floor."""
    source = node.inputs[0]
    scales = (
        node.inputs[1] if opset >= 9 else edit.floats(attribute(node, "scales"), f"{node.name or 'Upsample'}_scales")
    )
    mode = "nearest" if attribute(node, "mode", "nearest") == "nearest" else "linear"
    resized = edit.node("Resize", [source, None, scales], before=node, like=node.outputs[0], mode=mode)
    _use_asymmetric_coordinates(resized.producer())
    edit.replace_node(node, resized)


def _resize(node: ir.Node, edit: Editor, opset: int) -> None:
    """Opset 11 added the region of interest and named the coordinates; 13 dropped tf_half_pixel_for_nn."""
    if opset < 11:
        _set_inputs(node, [node.inputs[0], None, node.inputs[1]])
        _use_asymmetric_coordinates(node)
        return
    if attribute(node, "coordinate_transformation_mode", "half_pixel") == "tf_half_pixel_for_nn":
        # floor((x + .5) / scale) is half_pixel's (x + .5) / scale - .5, rounded with ties upwards.
        if attribute(node, "nearest_mode", "round_prefer_floor") != "floor":
            raise UnsupportedLayerError(
                f"node {node.name!r}: Resize with tf_half_pixel_for_nn needs nearest_mode=floor"
            )
        node.attributes["coordinate_transformation_mode"] = ir.AttrString(
            "coordinate_transformation_mode", "half_pixel"
        )
        node.attributes["nearest_mode"] = ir.AttrString("nearest_mode", "round_prefer_ceil")
    if len(node.inputs) > 2 and (scales := constant(node.inputs[2])) is not None and not scales.size:
        node.replace_input_with(2, None)


def _use_asymmetric_coordinates(node: ir.Node | None) -> None:
    assert node is not None
    for name, value in (("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")):
        node.attributes[name] = ir.AttrString(name, value)


def _split(node: ir.Node, edit: Editor, opset: int) -> None:
    """Opset 13 made the sizes an input; 18 wants the number of outputs said where there are no sizes."""
    _attributes_to_inputs("split")(node, edit, opset)
    if len(node.inputs) == 1 or node.inputs[1] is None:
        node.attributes["num_outputs"] = ir.AttrInt64("num_outputs", len(node.outputs))


def _scatter(node: ir.Node, edit: Editor, opset: int) -> None:
    node.op_type = "ScatterElements"


def _roi_align(node: ir.Node, edit: Editor, opset: int) -> None:
    name = "coordinate_transformation_mode"
    node.attributes[name] = ir.AttrString(name, "output_half_pixel")


def _grid_sample(node: ir.Node, edit: Editor, opset: int) -> None:
    renamed = {"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest"}
    node.attributes["mode"] = ir.AttrString("mode", renamed[attribute(node, "mode", "bilinear")])


def _dft(node: ir.Node, edit: Editor, opset: int) -> None:
    axis = edit.constant(np.asarray(attribute(node, "axis", 1), np.int64), f"{node.name or 'DFT'}_axis")
    node.attributes.pop("axis", None)
    length = node.inputs[1] if len(node.inputs) > 1 else None
    _set_inputs(node, [node.inputs[0], length, axis])


def _group_normalization(node: ir.Node, edit: Editor, opset: int) -> None:
    """Opset 21 wants scale and bias per channel instead of per group."""
    groups, shape = int(attribute(node, "num_groups")), dims(node.inputs[0])
    channels = None if shape is None else shape[1]
    if not isinstance(channels, int):
        raise UnsupportedLayerError(f"node {node.name!r}: GroupNormalization of an unknown number of channels")
    for index in (1, 2):
        column = edit.node("Unsqueeze", [node.inputs[index], edit.index([1])], before=node)
        spread = edit.node("Expand", [column, edit.index([groups, channels // groups])], before=node)
        node.replace_input_with(index, edit.node("Reshape", [spread, edit.index([channels])], before=node))


def _refuse_batched_scan(node: ir.Node, edit: Editor, opset: int) -> None:
    raise UnsupportedLayerError(
        f"node {node.name!r}: Scan of opset 8 (batched). Export the model with opset 9 or newer."
    )


_REDUCTIONS = (
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSumSquare",
)
_ADAPTERS: dict[str, tuple[Adapter, ...]] = {
    "BatchNormalization": (Adapter(14, _batch_normalization),),
    "Clip": (Adapter(11, _attributes_to_inputs("min", "max")),),
    "DFT": (Adapter(20, _dft),),
    "Dropout": (Adapter(12, _dropout),),
    "GridSample": (Adapter(20, _grid_sample),),
    "GroupNormalization": (Adapter(21, _group_normalization, needs_shapes=True),),
    "Hardmax": (Adapter(13, _softmax, needs_shapes=True),),
    "LogSoftmax": (Adapter(13, _softmax, needs_shapes=True),),
    "Pad": (Adapter(11, _attributes_to_inputs("pads", "value")),),
    "Resize": (Adapter(13, _resize),),
    "RoiAlign": (Adapter(16, _roi_align),),
    "Scan": (Adapter(9, _refuse_batched_scan),),
    "Scatter": (Adapter(11, _scatter),),
    "Slice": (Adapter(10, _slice),),
    "Softmax": (Adapter(13, _softmax, needs_shapes=True),),
    "Split": (Adapter(18, _split),),
    "Squeeze": (Adapter(13, _attributes_to_inputs("axes")),),
    "TopK": (Adapter(10, _top_k),),
    "Unsqueeze": (Adapter(13, _attributes_to_inputs("axes")),),
    "Upsample": (Adapter(10, _upsample),),
    "ReduceSum": (Adapter(13, _attributes_to_inputs("axes")),),
    **dict.fromkeys(_REDUCTIONS, (Adapter(18, _attributes_to_inputs("axes")),)),
}

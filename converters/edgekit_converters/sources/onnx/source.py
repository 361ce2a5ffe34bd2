"""`OnnxSource`: ONNX files to hubs, and ONNX Runtime on the original file as the reference."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnx_ir as ir
import onnx_ir.passes.common as common_passes

from edgekit.errors import SourceError, UnsupportedLayerError
from edgekit.protocols import Availability, Progress, ReadOptions, Session
from edgekit_converters.hub.fix_inputs import bind_input_values
from edgekit_converters.hub.fold_constants import fold_constants, lift_constants
from edgekit_converters.hub.fold_shapes import fold_shapes
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.input_shapes import bind_input_shapes
from edgekit_converters.hub.model import IR_VERSION, OPSET, Hub
from edgekit_converters.hub.passes import until_settled
from edgekit_converters.hub.run import file_session
from edgekit_converters.hub.single_precision import make_single_precision
from edgekit_converters.hub.tidy import name_dimensions
from edgekit_converters.sources.onnx.contrib import replace_contrib_operators
from edgekit_converters.sources.onnx.functions import expand_newer_operators, inline_functions
from edgekit_converters.sources.onnx.load import load_model, root_cause
from edgekit_converters.sources.onnx.upgrade import changed_between, upgrade


class OnnxSource:
    """Reads any ``.onnx`` file of opset 7 and up."""

    name = "onnx"

    def matches(self, path: Path) -> bool:
        return path.suffix.lower() == ".onnx"

    def probe(self) -> Availability:
        try:
            return Availability(True, version("onnx"))
        except PackageNotFoundError:
            return Availability(False, reason="onnx is not installed", remedy="pip install 'edgekit-ml[convert]'")

    def read(self, path: Path, options: ReadOptions, progress: Progress | None = None) -> Hub:
        """The hub of the model. Raises SourceError and its kind."""
        model = load_model(path)
        try:
            return self._convert(model, path, options)
        except ir.serde.SerdeError as error:
            raise SourceError(
                f"{path} is damaged: an attribute of a node is not of the type it says ({root_cause(error)}). Export it again."
            ) from error

    def _convert(self, model: ir.Model, path: Path, options: ReadOptions) -> Hub:
        _require_tensors(model, path)
        _trim(model)
        notes = _describe_quantization(model)
        inline_functions(model, changed_between)
        lift_constants(model)
        name_dimensions(model)
        bind_input_shapes(model, options.input_shapes)
        bind_input_values(model, options.input_values)
        upgrade(model, path)
        expand_newer_operators(model)
        replace_contrib_operators(model, path)
        if make_single_precision(model):
            notes += ("the model's other float types were made float32, inputs and outputs included",)
        model.graph.opset_imports[""] = OPSET
        infer_shapes(model)
        _require_ranks(model, path)
        return Hub(model, "onnx", path, notes, fixed_inputs=tuple(options.input_values))

    def reference(self, path: Path, options: ReadOptions) -> Session | None:
        """ONNX Runtime on the original file. Raises ConversionError when it can't open it."""
        return file_session(path)


def _require_tensors(model: ir.Model, path: Path) -> None:
    """Lists and optional values can't be the input or output of an artifact."""
    for value in (*model.graph.inputs, *model.graph.outputs):
        if value.type is not None and not isinstance(value.type, ir.TensorType):
            side = "input" if value.is_graph_input() else "output"
            raise UnsupportedLayerError(
                f"{path}: the {side} {value.name!r} is no tensor but {value.type}. Export the model with one {side} a tensor."
            )


def _trim(model: ir.Model) -> None:
    """Initializers are no inputs; documentation and metadata don't travel on."""
    common_passes.RemoveInitializersFromInputsPass()(model)
    common_passes.ClearMetadataAndDocStringPass()(model)
    model.ir_version = IR_VERSION


def _require_ranks(model: ir.Model, path: Path) -> None:
    """Where inference alone doesn't find the rank of an output, fold what decides it; then refuse."""
    if any(value.shape is None for value in model.graph.outputs):
        until_settled(model, (fold_constants, fold_shapes, infer_shapes))
    for value in (*model.graph.inputs, *model.graph.outputs):
        if value.shape is None or value.dtype is None:
            side = "input" if value.is_graph_input() else "output"
            raise SourceError(
                f"{path}: the rank of the {side} {value.name!r} is unknown. Give the inputs' shapes with --input-shape, or "
                "export the model with shapes."
            )


def _describe_quantization(model: ir.Model) -> tuple[str, ...]:
    quantized = [node for node in ir.traversal.RecursiveGraphIterator(model.graph) if node.op_type in _QUANTIZED]
    if not quantized:
        return ()
    return (
        f"the model is quantized already: it has {len(quantized)} nodes such as {quantized[0].op_type}. They are kept as they "
        "are; converting the float model gives better results",
    )


_QUANTIZED = frozenset(
    {
        "QuantizeLinear",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "QLinearConv",
        "QLinearMatMul",
        "ConvInteger",
        "MatMulInteger",
    }
)

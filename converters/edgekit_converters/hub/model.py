"""`Hub`: the one model in memory between reading and writing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.artifact import State, TensorSpec

if TYPE_CHECKING:
    import onnx_ir as ir

OPSET = 21
"""The one ONNX opset of the project. 21 has int16 Q/DQ, Gelu, LayerNormalization and GroupNormalization; newer ones
bump Conv and the poolings, which runtimes on boards in the field don't know yet."""

IR_VERSION = 10


@dataclass(frozen=True, slots=True)
class Hub:
    """A float32 ONNX model with promises.

    After `normalize` (a reader alone promises only those marked *):

    * * one graph, default domain only, opset `OPSET`, `IR_VERSION`; no functions, no subgraphs where they can be folded;
    * * inputs and outputs have the user's names, order and layout; no input is an initializer;
    * every node has a unique, non-empty name; every value has a name, a dtype and a shape of known rank;
    * the first axis of inputs may be symbolic (the batch); everything else is static unless the model needs it;
    * no Constant nodes: constants are initializers; no Identity, no Dropout, no foldable subexpression;
    * RNN, LSTM and GRU are time-first (layout 0) and, unless their activations have parameters, of one direction;
    * BatchNormalization after Conv/ConvTranspose/Gemm is folded; a MatMul of rank 2 with an added constant is Gemm.

    ``framework`` is where it came from ("keras", "onnx", ...). ``notes`` are sentences for the report about what the
    reader decided for the user. ``companions``: files of the source that an artifact is of no use without, a tokenizer's say.
    ``states``: what the model keeps from call to call, as far as the reader knows. ``fixed_inputs``: those that became
    constants.
    """

    model: ir.Model
    framework: str
    source: Path | None = None
    notes: tuple[str, ...] = field(default=())
    companions: tuple[Path, ...] = field(default=())
    states: tuple[State, ...] = field(default=())
    fixed_inputs: tuple[str, ...] = field(default=())

    def with_model(self, model: ir.Model, *notes: str) -> Hub:
        return replace(self, model=model, notes=self.notes + notes)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return tuple(_spec(value) for value in self.model.graph.inputs)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return tuple(_spec(value) for value in self.model.graph.outputs)

    def clone(self) -> Hub:
        """A copy that may be edited; tensors are shared, since they are never edited in place."""
        return self.with_model(self.model.clone())

    def to_bytes(self) -> bytes:
        """The serialized ONNX ModelProto (at most 2 GB)."""
        import onnx_ir as ir

        serialized: bytes = ir.to_proto(self.model).SerializeToString()
        return serialized


def _spec(value: ir.Value) -> TensorSpec:
    assert value.name is not None
    assert value.dtype is not None
    assert value.shape is not None
    shape = tuple(dim if isinstance(dim, int) else str(dim.value or "?") for dim in value.shape)
    return TensorSpec(name=value.name, dtype=str(value.dtype.numpy()), shape=shape)

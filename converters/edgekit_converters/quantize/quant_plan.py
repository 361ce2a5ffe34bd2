"""`QuantPlan`: what the writers are told to do. Data only; `plan` makes it, the writers obey it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from edgekit.recipe import Precision
from edgekit_converters.quantize.params import QuantParams, QuantType


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """One input of one hub node. Parameters of constants belong to a use: one bias may serve two convolutions."""

    node: str
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedConstant:
    """Integers of a constant, in the layout the constant has in the hub (a Conv weight: OIHW), and their encoding.

    ``dtype`` of ``params`` is INT8 for weights, INT32 for biases.
    """

    integers: NDArray[Any]
    params: QuantParams

    def __post_init__(self) -> None:
        if self.integers.dtype != self.params.dtype.dtype:
            raise ValueError(
                f"integers are {self.integers.dtype} but their encoding says {self.params.dtype.numpy_name}"
            )


class Execution(enum.Enum):
    """How a node computes."""

    INTEGER = "integer"
    """Reads and writes integers: every quantizable input and output has an encoding."""
    DYNAMIC = "dynamic"
    """Int8 weights, float activations that the runtime quantizes per call."""
    PRODUCT = "product"
    """Int8 weights and input, float result. The input is quantized in its calibrated encoding where the runtime has a kernel for
    that (ONNX Runtime) and per call where it has not (LiteRT); the weights are the same integers."""
    WEIGHT_ONLY = "weight-only"
    """Weights stored as int8 or float16 and turned into float when the model loads, or when rows of them are looked up."""
    FUSED = "fused"
    """An activation that the node before it performs (see `Fusion`)."""
    FLOAT = "float"


@dataclass(frozen=True, slots=True)
class Fusion:
    """An activation node that runs inside the node before it.

    ``producer -> (raw value) -> activation -> output``: the raw value never exists in an artifact and has no encoding.
    With ``implied`` the integer range of ``output`` already clips as the activation would, and the writers emit nothing
    for it (fused activation NONE in TFLite, no node in ONNX). Otherwise it is written as fused activation / as a node
    between the producer and Q.
    """

    activation: str
    output: str
    implied: bool


@dataclass(frozen=True, slots=True)
class NodePlan:
    """``reason``: why the node is not INTEGER although int8 was asked for; shown in the report. ``activations``: the type of what
    an INTEGER node reads and writes, INT8 or INT16."""

    execution: Execution
    reason: str = ""
    activations: QuantType = QuantType.INT8


@dataclass(frozen=True, slots=True, eq=False)
class QuantPlan:
    """Everything the writers need besides the hub.

    ``values``: encoding of activation values by hub value name: int8 (the ONNX writer may store them as uint8 with zero_point +
    128) or, in files without float operators, int16. A value that is absent stays float. What a recurrent layer keeps to itself
    is here under the names of `hub.recurrent_roles`.
    ``uses``: encodings that one input wants other than its value's own (a requantization before a Concat, say), and that of the
    input of every PRODUCT node, whose value may be float otherwise.
    ``constants``: integers of weights, biases and constant operands by use.
    ``fusions``: by producer node name. Also given for float precisions: TFLite fuses there too.
    ``nodes``: by node name, for every node of the hub.
    ``float_ends``: inputs and outputs of the model that stay float where integers are asked for at its ends: states, which would
    be rounded once more at every call.
    ``ends``: int8 encodings of those inputs and outputs of the model that are int16 inside.
    """

    precision: Precision
    values: Mapping[str, QuantParams] = field(default_factory=dict)
    uses: Mapping[Use, QuantParams] = field(default_factory=dict)
    constants: Mapping[Use, QuantizedConstant] = field(default_factory=dict)
    fusions: Mapping[str, Fusion] = field(default_factory=dict)
    nodes: Mapping[str, NodePlan] = field(default_factory=dict)
    float_ends: frozenset[str] = frozenset()
    ends: Mapping[str, QuantParams] = field(default_factory=dict)

    def execution(self, node: str) -> Execution:
        plan = self.nodes.get(node)
        return plan.execution if plan is not None else Execution.FLOAT

    def encoding(self, use: Use, value: str) -> QuantParams | None:
        """Encoding in which the input ``use`` reads the value named ``value``; None when it reads float."""
        return self.uses.get(use) or self.values.get(value)

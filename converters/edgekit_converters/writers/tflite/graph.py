"""`FlatGraph`: what an op function reads its inputs from and writes its result to.

It keeps, per hub value, the physical tensors that hold it (see `Variants`): layouts and encodings are made on first
need, each once. A hub Transpose therefore emits nothing, and a channels-last network has no transposition inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit.recipe import Precision
from edgekit_converters.hub.expose_recurrent import role_name
from edgekit_converters.quantize.params import QuantParams, QuantType
from edgekit_converters.quantize.quant_plan import Execution, QuantPlan, Use
from edgekit_converters.writers.tflite.activations import FusedActivation, fused_activation
from edgekit_converters.writers.tflite.flat_model import FlatTensor
from edgekit_converters.writers.tflite.layout import (
    Permutation,
    between,
    identity,
    moves_data,
    permuted,
    reshaped,
)
from edgekit_converters.writers.tflite.node import HubNode, constant_of, hub_dtype, static_shape, value_name
from edgekit_converters.writers.tflite.table import integer_ops
from edgekit_converters.writers.tflite.tape import Tape
from edgekit_converters.writers.tflite.variants import Variants, View, encoding_key, view_of
from edgekit_converters.writers.tflite.weights import Weights


class FlatGraph:
    """Obeys the plan: ``read`` gives an input in the encoding the node computes with, ``output`` a tensor in the
    encoding of its result. ``tape`` has the operators themselves. ``unroll_steps`` as in `TfliteOptions`."""

    def __init__(self, plan: QuantPlan, nodes: Mapping[str, HubNode], tape: Tape, unroll_steps: int) -> None:
        self.tape = tape
        self.unroll_steps = unroll_steps
        self._plan = plan
        self._nodes = nodes
        self._integer_ops = frozenset(integer_ops())
        self._views: dict[str, View] = {}
        self._absorbed: set[str] = set()
        self._producer_of_fused = {fusion.activation: name for name, fusion in plan.fusions.items()}
        self._folded: dict[tuple[str, object], FlatTensor] = {}

    def subgraph(self) -> FlatGraph:
        """The same plan on a tape of its own, for a control operator; it sees none of this graph's tensors."""
        return FlatGraph(self._plan, self._nodes, Tape(), self.unroll_steps)

    # What the plan says of a node

    def execution(self, node: HubNode) -> Execution:
        """How the node computes. An activation that its producer did not absorb computes as the producer does; a node
        whose op has no int8 rule computes in float. Products have no kernel that reads integers and gives float: they quantize
        per call."""
        found = self._plan.execution(node.name)
        if found is Execution.PRODUCT:
            return Execution.DYNAMIC
        if found is Execution.FUSED:
            producer = self._nodes[self._producer_of_fused[node.name]]
            found = Execution.INTEGER if self.execution(producer) is Execution.INTEGER else Execution.FLOAT
        if found is Execution.INTEGER and node.op not in self._integer_ops:
            return Execution.FLOAT
        return found

    def is_integer(self, node: HubNode) -> bool:
        return self.execution(node) is Execution.INTEGER

    def width(self, node: HubNode) -> QuantType:
        """The type of an integer node's activations, INT8 or INT16."""
        found = self._plan.nodes.get(self._producer_of_fused.get(node.name, node.name))
        return QuantType.INT8 if found is None else found.activations

    def roles(self, node: HubNode) -> dict[str, QuantParams]:
        """Encodings of the values inside a recurrent layer, by role; none in float."""
        prefix = role_name(node.name, "")
        return {
            name.removeprefix(prefix): found for name, found in self._plan.values.items() if name.startswith(prefix)
        }

    def is_absorbed(self, node: HubNode) -> bool:
        """Whether the node before it performs this activation already."""
        return node.name in self._absorbed

    def input_params(self, node: HubNode, index: int) -> QuantParams | None:
        """The encoding in which the node reads an input; None for float and for plain integers."""
        value = node.value(index)
        if not self.is_integer(node) or hub_dtype(value) != np.float32:
            return None
        use, name = Use(node.name, index), value_name(value)
        stored = self._plan.constants.get(use)
        found = stored.params if stored is not None else self._plan.encoding(use, name) or self._raw_params(value)
        return self._required(found, node, f"input {name!r}")

    def output_params(self, node: HubNode, index: int = 0) -> QuantParams | None:
        """The encoding in which the node writes an output; None for float and for plain integers."""
        value = node.output(index)
        if not self.is_integer(node) or hub_dtype(value) != np.float32:
            return None
        found = self._plan.values.get(value_name(value)) or self._raw_params(value)
        return self._required(found, node, f"output {value_name(value)!r}")

    # Reading

    def view(self, value: ir.Value) -> View:
        """A value's tensors; those of a constant are made now, in float."""
        name = value_name(value)
        if name not in self._views:
            array = constant_of(value)
            assert array is not None, f"{name} is read before it is written"
            self._views[name] = view_of(self.tape.constant(array, name=name), array.shape, identity(array.ndim))
        return self._views[name]

    def layouts(self, node: HubNode, index: int = 0) -> list[Permutation]:
        """The permutations in which an input exists, its producer's first."""
        return self.view(node.value(index)).layouts()

    def layout(self, node: HubNode, index: int = 0) -> Permutation:
        """The permutation in which an input was produced."""
        return self.layouts(node, index)[0]

    def common_layout(self, node: HubNode, indices: Sequence[int] | None = None) -> Permutation:
        """The permutation that asks for the least data to be moved, for a node whose output broadcasts its inputs."""
        rank = len(node.output_shape())
        chosen = range(node.input_count) if indices is None else indices
        views = [self.view(node.value(i)) for i in chosen if node.has(i) and node.constant(i) is None]
        candidates = [layout for view in views if len(view.shape) == rank for layout in view.layouts()]
        if not candidates:
            return identity(rank)
        return min(dict.fromkeys(candidates), key=lambda layout: sum(_moved(view, layout) for view in views))

    def read(self, node: HubNode, index: int, permutation: Permutation | None = None) -> FlatTensor:
        """An input in the encoding the node computes with, held in ``permutation`` (its producer's by default).

        A permutation of higher rank than the input's reads it broadcast: with axes of size 1 in front of its own.
        """
        if node.constant(index) is not None:
            return self._read_constant(node, index, permutation)
        return self.read_as(node, index, permutation, self.input_params(node, index))

    def read_float(self, node: HubNode, index: int, permutation: Permutation | None = None) -> FlatTensor:
        """An input in float (or as plain integers), whatever the plan says."""
        return self.read_as(node, index, permutation, None)

    def read_as(
        self, node: HubNode, index: int, permutation: Permutation | None, params: QuantParams | None
    ) -> FlatTensor:
        """An input in an encoding that the op function chooses."""
        view = self.view(node.value(index))
        layout = view.layouts()[0] if permutation is None else permutation
        lead = len(layout) - len(view.shape)
        own = tuple(axis - lead for axis in layout if axis >= lead)
        tensor = self.materialize(view, own, params)
        return self.tape.reshape(tensor, permuted((1,) * lead + view.shape, layout)) if lead else tensor

    def materialize(self, view: View, permutation: Permutation, params: QuantParams | None) -> FlatTensor:
        """The tensor that holds a view in a permutation and an encoding; made when it does not exist."""
        target, tensors = view.stored(permutation), view.variants.tensors
        origin = self._origin(view.variants, target)
        key = (target, encoding_key(params))
        if key not in tensors:
            if origin.params is None and params is not None and (target, None) not in tensors:
                tensors[key] = self._relaid(view.variants, self._encoded(view.variants, params), target)
            else:
                tensors[key] = self.tape.encode(self._in_origin_encoding(view.variants, target), params)
        return tensors[key]

    def read_flattened(self, node: HubNode, index: int) -> tuple[FlatTensor, NDArray[np.intp] | None]:
        """A (rows, columns) input, as it lies in memory: column j of the tensor is logical column ``order[j]``.

        None for the logical order. The one reader that can undo the order (in its weights) saves a transposition.
        """
        view = self.view(node.value(index))
        source = view.variants.source
        if view.variants.origin is not None or source is None or view.axes != (0, 1):
            return self.read(node, index, (0, 1)), None
        layout = source.layouts()[0]
        if layout[0] != 0 or source.shape[0] != view.shape[0]:
            return self.read(node, index, (0, 1)), None
        tensor = self.materialize(source, layout, self.input_params(node, index))
        key = (value_name(node.value(index)), encoding_key(tensor.params))
        if key not in self._folded:
            self._folded[key] = self.tape.reshape(tensor, view.shape)
        columns = np.arange(view.shape[1]).reshape(source.shape[1:])
        return self._folded[key], columns.transpose([axis - 1 for axis in layout[1:]]).reshape(-1)

    # Constants

    def weights(self, node: HubNode, index: int) -> Weights:
        """A constant input as the plan stores it: integers with their encoding, or float (the bias of a product that quantizes
        per call, too); plain integers as they are."""
        array = node.required_constant(index, f"input {index}")
        name, execution = value_name(node.value(index)), self.execution(node)
        stored = self._plan.constants.get(Use(node.name, index))
        quantized = execution is Execution.INTEGER or (
            execution in (Execution.DYNAMIC, Execution.WEIGHT_ONLY)
            and stored is not None
            and stored.params.dtype is QuantType.INT8
        )
        if stored is not None and quantized:
            return Weights(stored.integers, stored.params, name)
        if stored is not None and stored.params.dtype is QuantType.INT32:
            return Weights(stored.params.dequantize(stored.integers), None, name)
        params = self.input_params(node, index)
        return Weights(array if params is None else params.quantize(array), params, name)

    def stored_weights(self, node: HubNode, index: int) -> Weights:
        """A constant whose integers the plan must hold (a bias, whose scale is not the reader's to choose)."""
        stored = self._plan.constants.get(Use(node.name, index))
        self._required(stored.params if stored is not None else None, node, f"constant input {index}")
        assert stored is not None
        return Weights(stored.integers, stored.params, value_name(node.value(index)))

    def place(self, node: HubNode, weights: Weights, hybrid: bool = False) -> FlatTensor:
        """The tensor of a constant. Integers become float behind a DEQUANTIZE unless the node computes on integers;
        ``hybrid`` says that its kernel takes int8 weights beside float activations."""
        execution = self.execution(node)
        if weights.params is None:
            halved = self._plan.precision is Precision.FLOAT16 and execution is Execution.WEIGHT_ONLY
            if halved and weights.array.dtype == np.float32:
                return self._dequantized(weights.with_array(_half(weights.array)))
            return self.tape.constant(weights.array, name=weights.name)
        if execution is Execution.INTEGER or (execution is Execution.DYNAMIC and hybrid):
            return self.tape.constant(weights.array, weights.params, weights.name)
        return self._dequantized(weights)

    # Writing

    def output(
        self, node: HubNode, permutation: Permutation | None = None, index: int = 0, params: QuantParams | None = None
    ) -> FlatTensor:
        """The tensor for the operator that computes the node's output, in the plan's encoding.

        ``params`` overrides the plan's encoding where the kernel fixes it (a softmax, a max pool); readers that want
        the plan's get it behind a QUANTIZE.
        """
        shape = node.output_shape(index)
        layout = identity(len(shape)) if permutation is None else permutation
        chosen = params if params is not None else self.output_params(node, index)
        dtype = physical_dtype(hub_dtype(node.output(index)))
        tensor = self.tape.temporary(permuted(shape, layout), dtype, chosen, value_name(node.output(index)))
        return self.bind(node, tensor, layout, index)

    def fused_output(self, node: HubNode, permutation: Permutation | None = None) -> tuple[FlatTensor, FusedActivation]:
        """As `output`, for an operator with a fused activation: absorbs the activation that the plan fuses with it."""
        fusion = self._plan.fusions.get(node.name)
        if fusion is None:
            return self.output(node, permutation), FusedActivation.NONE
        activation = self._nodes[fusion.activation]
        implied = fusion.implied and self.is_integer(node)
        fused = FusedActivation.NONE if implied else fused_activation(activation)
        if fused is None:
            return self.output(node, permutation), FusedActivation.NONE
        self._absorbed.add(activation.name)
        return self._output_of_activation(node, activation, permutation), fused

    def absorb(self, node: HubNode) -> None:
        """Declare that the node before it computes this one too, whose output has been or will be bound."""
        self._absorbed.add(node.name)

    def sole_reader(self, node: HubNode) -> HubNode | None:
        """The one node that reads the output, where nothing else does and the plan fuses nothing with ``node``."""
        value = node.output()
        readers = value.consumers()
        if len(readers) != 1 or value.is_graph_output() or node.name in self._plan.fusions:
            return None
        return self._nodes[readers[0].name or ""]

    def bind(
        self, node: HubNode, tensor: FlatTensor, permutation: Permutation | None = None, index: int = 0
    ) -> FlatTensor:
        """Declare that ``tensor`` holds the node's output in ``permutation`` (as computed by operators already added)."""
        shape = node.output_shape(index)
        layout = identity(len(shape)) if permutation is None else permutation
        assert tensor.shape == permuted(shape, layout), f"{node.name}: {tensor.shape} for {shape} held in {layout}"
        if tensor.name.startswith(f"{node.name}/"):
            tensor.name = self.tape.unique_name(value_name(node.output(index)))
        self._views[value_name(node.output(index))] = view_of(tensor, shape, layout)
        return tensor

    def declare(self, value: ir.Value, tensor: FlatTensor) -> None:
        """Enter a graph input."""
        shape = static_shape(value)
        self._views[value_name(value)] = view_of(tensor, shape, identity(len(shape)))

    # Nodes that move no data

    def alias(self, node: HubNode, permutation: Permutation | None = None) -> None:
        """The output is the first input, transposed by ``permutation``; nothing is written."""
        view = self.view(node.value(0))
        self._views[value_name(node.output())] = view if permutation is None else view.transposed(permutation)

    def reshape(self, node: HubNode) -> None:
        """The output is the first input with the output's shape; the data moves only when a reader needs it to."""
        view, shape = self.view(node.value(0)), node.output_shape()
        params = self._origin(view.variants).params
        for layout in view.layouts():
            kept = reshaped(view.shape, shape, layout)
            if kept is not None:
                tensor = self.tape.reshape(self.materialize(view, layout, params), permuted(shape, kept))
                self.bind(node, tensor, kept)
                return
        deferred = Variants(shape, None, identity(len(shape)), source=view)
        self._views[value_name(node.output())] = View(deferred, identity(len(shape)))

    # Helpers

    def _raw_params(self, value: ir.Value) -> QuantParams | None:
        """The encoding of a value between a producer and the activation fused with it: the activation's output's."""
        producer = value.producer()
        fusion = self._plan.fusions.get(producer.name or "") if producer is not None else None
        return self._plan.values.get(fusion.output) if fusion is not None else None

    def _required(self, found: QuantParams | None, node: HubNode, what: str) -> QuantParams:
        if found is None:
            raise ConversionError(
                f"the plan computes node {node.name!r} ({node.op}) on integers but gives no encoding for its {what}. "
                f"Keep the node in float (--keep-float {node.name!r})."
            )
        return found

    def _read_constant(self, node: HubNode, index: int, permutation: Permutation | None) -> FlatTensor:
        weights = self.weights(node, index)
        rank = len(weights.shape)
        if permutation is not None:
            lead = len(permutation) - rank
            axis = weights.params.axis if weights.params is not None else None
            widened = weights.reshape((1,) * lead + weights.shape, None if axis is None else axis + lead)
            weights = widened.transpose(permutation)
        return self.place(node, weights)

    def _origin(self, variants: Variants, wanted: Permutation | None = None) -> FlatTensor:
        """The tensor that the others are made from. One that waits for its reshape is made as its first reader wants it,
        if the source can be transposed so that the reshape keeps that; else in logical order."""
        if variants.origin is None:
            assert variants.source is not None
            source = variants.source
            layout = identity(len(variants.shape)) if wanted is None else wanted
            order = reshaped(variants.shape, source.shape, layout)
            if order is None:
                layout, order = identity(len(variants.shape)), identity(len(source.shape))
            plain = self.materialize(source, order, self._origin(source.variants).params)
            variants.permutation = layout
            variants.origin = self.tape.reshape(plain, permuted(variants.shape, layout))
        return variants.made()

    def _encoded(self, variants: Variants, params: QuantParams) -> FlatTensor:
        key = (variants.permutation, encoding_key(params))
        if key not in variants.tensors:
            variants.tensors[key] = self.tape.encode(variants.made(), params)
        return variants.tensors[key]

    def _in_origin_encoding(self, variants: Variants, target: Permutation) -> FlatTensor:
        key = (target, encoding_key(variants.made().params))
        if key not in variants.tensors:
            variants.tensors[key] = self._relaid(variants, variants.made(), target)
        return variants.tensors[key]

    def _relaid(self, variants: Variants, tensor: FlatTensor, target: Permutation) -> FlatTensor:
        return self.tape.transpose(tensor, between(variants.permutation, target))

    def _dequantized(self, weights: Weights) -> FlatTensor:
        constant = self.tape.constant(weights.array, weights.params, weights.name)
        key = (constant.name, "dequantized")
        if key not in self._folded:
            output = self.tape.temporary(constant.shape, np.float32, None, f"{constant.name}/float")
            self._folded[key] = self.tape.add("DEQUANTIZE", (constant,), output)
        return self._folded[key]

    def _output_of_activation(self, node: HubNode, activation: HubNode, permutation: Permutation | None) -> FlatTensor:
        shape = node.output_shape()
        layout = identity(len(shape)) if permutation is None else permutation
        params = self.output_params(node) if self.is_integer(node) else None
        name = value_name(activation.output())
        tensor = self.tape.temporary(permuted(shape, layout), np.float32, params, name)
        self._views[name] = view_of(tensor, shape, layout)
        return tensor


def physical_dtype(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """The element type a hub value has inside the file: int64 is computed as int32."""
    return np.dtype(np.int32) if dtype == np.int64 else dtype


def _half(array: NDArray[np.float32]) -> NDArray[np.float16]:
    limit = float(np.finfo(np.float16).max)
    return np.clip(array, -limit, limit).astype(np.float16)


def _moved(view: View, layout: Permutation) -> int:
    """Elements that have to move for a view to be read in (the trailing axes of) ``layout``."""
    lead = len(layout) - len(view.shape)
    own = tuple(axis - lead for axis in layout if axis >= lead)
    existing = view.layouts()
    if own in existing:
        return 0
    produced = existing[0]
    steps = between(produced, own)
    return int(np.prod(view.shape)) if moves_data(permuted(view.shape, produced), steps) else 0

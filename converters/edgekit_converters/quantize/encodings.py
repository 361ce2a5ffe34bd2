"""From ranges to encodings: which values share one, which are fixed, which input wants its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx_ir as ir

from edgekit.errors import ConversionError
from edgekit_converters.hub import Hub
from edgekit_converters.hub.expose_recurrent import role_name
from edgekit_converters.quantize.node_rules import fixed_params, integer_rule
from edgekit_converters.quantize.params import QuantParams, QuantType, per_tensor
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.recurrent import cell_params, fixed_state, initial_states, is_fused, shared_states
from edgekit_converters.quantize.scheme import (
    Scheme,
    clamp_bounds,
    constant_array,
    data_inputs,
    is_constant,
    name_of,
    value_name,
)
from edgekit_converters.quantize.ties import MOST_AVERAGED, MOST_TRIES, STEP, averages_alike, rounds_alike
from edgekit_converters.quantize.wide import value_types
from edgekit_converters.rules import RECURRENT, Encoding

Range = tuple[float, float]

SMALLEST_RANGE = 1e-6
"""Width below which a value counts as constant zero; its scale only has to be a valid number."""


HEADROOM = 2.0
"""Of a 16-bit encoding: one bit of fifteen, none of which a kernel would miss."""


@dataclass(frozen=True, slots=True)
class Encodings:
    """``values`` and ``uses`` as in `QuantPlan`; ``implied``: producers whose fused clamp the integer range performs."""

    values: Mapping[str, QuantParams]
    uses: Mapping[Use, QuantParams]
    implied: frozenset[str]


def encodings(hub: Hub, scheme: Scheme, ranges: Mapping[str, Range], *, symmetric: bool) -> Encodings:
    """Encodings of all values in ``scheme.encoded``.

    Values tied by an op that computes on equal encodings (Concat, MaxPool, Reshape, ...) form a group with one encoding,
    the union of their ranges. An input that can't join its group (its encoding is fixed by the specification, or joining
    would break the clamp fused into its producer) keeps its own and is requantized for that use.
    """
    groups = _Groups(hub, scheme, ranges)
    for node in hub.model.graph:
        if scheme.integer(node) and integer_rule(node).output is Encoding.SHARED:
            groups.tie(node)
        if scheme.integer(node) and node.op_type in RECURRENT:
            groups.tie_states(node)
    for node in hub.model.graph:
        if scheme.integer(node) and node.op_type not in RECURRENT:
            groups.avoid_ties(node, symmetric)
    values = {name: groups.encoding(name, symmetric) for name in scheme.encoded}
    uses = {use: groups.encoding(output, symmetric) for use, output in groups.apart.items()}
    uses |= dict(groups.other_widths(hub, symmetric, uses))
    return Encodings(values, uses, frozenset(_implied(hub, scheme, values)))


def encode(low: float, high: float, *, symmetric: bool, dtype: QuantType = QuantType.INT8) -> QuantParams:
    """Per-tensor int8 encoding of the range ``low .. high``, widened to hold 0 exactly.

    Asymmetric: 255 steps over the range. Symmetric: zero point 0 and 127 steps on either side. INT16: symmetric, as the kernels
    demand, and twice as wide as the range, which leaves room for what calibration has not seen.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < SMALLEST_RANGE:
        high = low + SMALLEST_RANGE
    if dtype is QuantType.INT16:
        return per_tensor(HEADROOM * max(-low, high) / dtype.high, 0, dtype)
    if symmetric:
        return per_tensor(max(-low, high) / 127, 0)
    scale = (high - low) / 255
    return per_tensor(scale, int(np.clip(np.rint(-128 - low / scale), -128, 127)))


class _Groups:
    """Union-find over value names, with the range and the fixed encoding of each group."""

    def __init__(self, hub: Hub, scheme: Scheme, ranges: Mapping[str, Range]) -> None:
        self.apart: dict[Use, str] = {}
        self._scheme = scheme
        self._types = value_types(hub, scheme)
        self._parent = {name: name for name in scheme.encoded}
        self._range: dict[str, Range | None] = {name: ranges.get(name) for name in scheme.encoded}
        self._fixed: dict[str, QuantParams] = {}
        self._shrink: dict[str, float] = {}
        self._cells: set[str] = set()
        self._clamps = dict(_fused_bounds(hub, scheme))
        for node in hub.model.graph:
            if scheme.integer(node) and (params := fixed_params(node.op_type, scheme.width(node))) is not None:
                self._fixed[value_name(node.outputs[0])] = params
                _require_room(node, params, ranges.get(value_name(node.outputs[0])))

    def tie(self, node: ir.Node) -> None:
        """Give the node's data inputs and outputs one encoding, or note that an input stays apart."""
        root = self._find(value_name(node.outputs[0]))
        for output in node.outputs[1:]:
            root = self._join(root, value_name(output))
        operands = list(data_inputs(node, integer_rule(node)))
        extent = self._extent_of_all(node, root, [value for _, value in operands])
        for index, value in operands:
            if is_constant(value):
                continue
            if self._types[value_name(value)] is self._types[root] and self._may_join(
                root, value_name(value), extent, alone=len(operands) == 1
            ):
                root = self._join(root, value_name(value))
            else:
                self.apart[Use(name_of(node), index)] = value_name(node.outputs[0])
        self._range[root] = extent

    def tie_states(self, node: ir.Node) -> None:
        """Give the outputs of a recurrent layer, and the initial states that it reads, the encodings of its states."""
        for role, output in shared_states(node):
            self._join(role, output)
        for index, role, value in initial_states(node):
            self.apart[Use(name_of(node), index)] = role
            root = self._find(role)
            given = _extent(constant_array(value)) if is_constant(value) else self._range_of(value_name(value))
            self._range[root] = _union(self._range[root], given)
        if (params := fixed_state(node)) is not None:
            self._fixed[self._find(role_name(name_of(node), "hidden"))] = params
        if is_fused(node):
            self._cells.add(role_name(name_of(node), "cell"))

    def _extent_of_all(self, node: ir.Node, root: str, operands: list[ir.Value]) -> Range | None:
        """The range that holds every operand, and the constant that a Pad writes."""
        extent = _union(self._range[root], _pad_value(node))
        for value in operands:
            known = _extent(constant_array(value)) if is_constant(value) else self._range_of(value_name(value))
            extent = _union(extent, known)
        return extent

    def avoid_ties(self, node: ir.Node, symmetric: bool) -> None:
        """Shrink the range of a sum or mean by a hair where its scales would make the runtimes round differently."""
        root = self._find(self._scheme.output_of(node))
        operands = [self._find(value_name(v)) for _, v in data_inputs(node, integer_rule(node)) if not is_constant(v)]
        if root in operands or root in self._fixed or self._scheme.width(node) is QuantType.INT16:
            return
        alike = _rounding_test(node, [self.encoding(name, symmetric) for name in operands])
        if alike is None:
            return
        for attempt in range(MOST_TRIES):
            self._shrink[root] = 1.0 - attempt * STEP
            if alike(self.encoding(root, symmetric)):
                return
        del self._shrink[root]

    def encoding(self, name: str, symmetric: bool) -> QuantParams:
        root = self._find(name)
        dtype = self._types[name]
        if root in self._fixed and (dtype is QuantType.INT16 or not symmetric):
            return self._fixed[root]
        low, high = self._known_range(name)
        if name in self._cells:
            return cell_params(low, high)
        shrink = self._shrink.get(root, 1.0)
        return encode(low * shrink, high * shrink, symmetric=symmetric, dtype=dtype)

    def other_widths(
        self, hub: Hub, symmetric: bool, known: Mapping[Use, QuantParams]
    ) -> Iterator[tuple[Use, QuantParams]]:
        """Encodings of the inputs that a node reads in more or fewer bits than their values have."""
        for node in hub.model.graph:
            if not self._scheme.integer(node):
                continue
            width = self._scheme.width(node)
            for index, value in data_inputs(node, integer_rule(node)):
                use = Use(name_of(node), index)
                if not is_constant(value) and use not in known and self._types[value_name(value)] is not width:
                    yield use, encode(*self._known_range(value_name(value)), symmetric=symmetric, dtype=width)

    def _known_range(self, name: str) -> Range:
        found = self._range_of(name)
        if found is None:
            raise ConversionError(
                f"calibration saw no range for the value {name!r}. Give samples that reach it, or keep its node float."
            )
        return found

    def _find(self, name: str) -> str:
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name

    def _join(self, first: str, second: str) -> str:
        first, second = self._find(first), self._find(second)
        if first == second:
            return first
        self._parent[second] = first
        self._range[first] = _union(self._range[first], self._range[second])
        if second in self._fixed:
            self._fixed[first] = self._fixed.pop(second)
        bounds = [bound for root in (first, second) if (bound := self._clamps.pop(root, None)) is not None]
        if bounds:
            self._clamps[first] = bounds[0]
        return first

    def _may_join(self, root: str, name: str, extent: Range | None, *, alone: bool) -> bool:
        """Whether the value can take the encoding of the group, whose range is ``extent``, without loss."""
        root, other = self._find(root), self._find(name)
        if other == root:
            return True
        if alone:
            return not (other in self._fixed and root in self._fixed)
        if other in self._fixed or root in self._fixed:
            return False
        return _within(extent, self._clamps.get(other))

    def _range_of(self, name: str) -> Range | None:
        root = self._find(name)
        if root in self._fixed:
            return self._fixed[root].real_range()
        return self._range[root]


def _require_room(node: ir.Node, params: QuantParams, seen: Range | None) -> None:
    """Integers that become numbers keep their bits: those that don't fit would come out as others."""
    low, high = params.real_range()
    if node.op_type == "Cast" and seen is not None and not (low <= seen[0] and seen[1] <= high):
        raise ConversionError(
            f"node {name_of(node)!r} (Cast) makes numbers of integers from {seen[0]:g} to {seen[1]:g}; a file without float "
            f"operators holds {low:g} to {high:g}. Scale them in the application, or leave --integer-only out."
        )


def _rounding_test(node: ir.Node, operands: list[QuantParams]) -> Callable[[QuantParams], bool] | None:
    """Tells of an output encoding whether all runtimes round the node's results alike; None for ops of which all do."""
    if node.op_type in ("Add", "Sub") and len(operands) == 2:
        return partial(rounds_alike, *operands)
    if node.op_type == "GlobalAveragePool" and (count := _averaged(node)) is not None and count <= MOST_AVERAGED:
        return partial(averages_alike, operands[0], count)
    return None


def _averaged(node: ir.Node) -> int | None:
    """How many numbers a global pool averages; None when that is not fixed."""
    value = node.inputs[0]
    sizes = [size for size in (value.shape or ())[2:] if isinstance(size, int)] if value is not None else []
    rank = len(value.shape) if value is not None and value.shape is not None else 0
    return math.prod(sizes) if len(sizes) == rank - 2 else None


def _union(first: Range | None, second: Range | None) -> Range | None:
    if first is None or second is None:
        return first or second
    return min(first[0], second[0]), max(first[1], second[1])


def _extent(array: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Range:
    return float(array.min()), float(array.max())


def _pad_value(node: ir.Node) -> Range | None:
    """The constant a Pad writes has to be in range; -inf and other kinds of padding say nothing."""
    if node.op_type != "Pad" or len(node.inputs) < 3 or node.inputs[2] is None or not is_constant(node.inputs[2]):
        return None
    value = float(constant_array(node.inputs[2]).reshape(-1)[0])
    return (value, value) if np.isfinite(value) else None


def _fused_bounds(hub: Hub, scheme: Scheme) -> Iterator[tuple[str, tuple[float | None, float | None]]]:
    """(value, bounds) of every fused clamp of an integer node."""
    nodes = {name_of(node): node for node in hub.model.graph}
    for producer, fusion in scheme.fusions.items():
        bounds = clamp_bounds(nodes[fusion.activation])
        if bounds is not None and scheme.integer(nodes[producer]):
            yield fusion.output, bounds


def _within(extent: Range | None, bounds: tuple[float | None, float | None] | None) -> bool:
    """Whether a range lies inside the bounds of a clamp (None: no bound), within a hundredth of a step."""
    if extent is None or bounds is None:
        return True
    slack = (extent[1] - extent[0]) / 25_500
    low, high = bounds
    return (low is None or extent[0] >= low - slack) and (high is None or extent[1] <= high + slack)


def _implied(hub: Hub, scheme: Scheme, values: Mapping[str, QuantParams]) -> Iterator[str]:
    """Producers whose output encoding ends where the fused clamp does, give or take half a step of zero-point rounding."""
    bounds = dict(_fused_bounds(hub, scheme))
    for producer, fusion in scheme.fusions.items():
        if fusion.output not in bounds:
            continue
        low, high = bounds[fusion.output]
        params = values[fusion.output]
        reach = params.real_range()
        step = float(params.scale)
        if (low is None or reach[0] >= low - 0.51 * step) and (high is None or reach[1] <= high + 0.51 * step):
            yield producer

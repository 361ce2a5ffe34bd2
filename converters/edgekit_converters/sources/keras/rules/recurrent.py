"""Recurrent layers, one way and both."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from edgekit_converters.sources.keras.call import LayerCall, tensors_of
from edgekit_converters.sources.keras.cells import RECURRENT, Recurrence, recurrence, two_ways
from edgekit_converters.sources.keras.recurrence import Pass, go_over
from edgekit_converters.sources.keras.rules.merging import concatenated
from edgekit_converters.sources.keras.settings import Settings
from edgekit_converters.sources.keras.states import carried_states, give_back
from edgekit_converters.sources.keras.table import reads
from edgekit_converters.sources.keras.unrolled import turned
from edgekit_converters.sources.keras.value import Value


def _roles(kind: str, settings: Settings) -> tuple[str, ...]:
    return recurrence(kind, settings).roles


def _masks(call: LayerCall) -> tuple[Value | None, ...]:
    """The sequence keeps its mask; the last output has none."""
    return (call.mask,) if call.settings.flag("return_sequences", False) else ()


def _one_way(call: LayerCall) -> list[Value]:
    layer = recurrence(call.layer.kind, call.settings)
    sequence, initial = _operands(call)
    run = _gone_over(call, layer, sequence, initial, "")
    output = run.last
    if layer.return_sequences:
        output = turned(call, run.outputs) if layer.backwards else run.outputs
        output = output.permuted((1, 0, 2)) if layer.time_major else output
    return [output, *(run.states if layer.return_state else ())]


ONE_WAY = tuple(reads(kind, weights=partial(_roles, kind), masks=_masks)(partial(_one_way)) for kind in RECURRENT)


def _two_roles(settings: Settings) -> tuple[str, ...]:
    return two_ways(settings).roles


def _two_masks(call: LayerCall) -> tuple[Value | None, ...]:
    layer = two_ways(call.settings)
    return (call.mask,) * (2 if layer.merge == "none" else 1) if layer.forward.return_sequences else ()


@reads("Bidirectional", weights=_two_roles, masks=_two_masks)
def bidirectional(call: LayerCall) -> list[Value]:
    """Both ways over the sequence, each output at its own step, joined."""
    layer = two_ways(call.settings)
    sequence, initial = _operands(call)
    half = len(initial) // 2
    ways = [
        _gone_over(call, way, sequence, states, part)
        for way, states, part in (
            (layer.forward, initial[:half], "forward"),
            (layer.backward, initial[half:], "backward"),
        )
    ]
    outputs = [run.outputs if layer.forward.return_sequences else run.last for run in ways]
    if layer.forward.backwards and layer.forward.return_sequences:
        outputs = [turned(call, output) for output in outputs]
    if layer.forward.time_major and layer.forward.return_sequences:
        outputs = [output.permuted((1, 0, 2)) for output in outputs]
    states = [state for run in ways for state in run.states] if layer.forward.return_state else []
    return [*_merged(call, outputs, layer.merge), *states]


def _merged(call: LayerCall, outputs: Sequence[Value], how: str) -> list[Value]:
    forward, backward = outputs
    match how:
        case "concat":
            return [concatenated(call, (forward, backward), -1)]
        case "sum":
            return [call.binary("Add", forward, backward)]
        case "ave":
            return [call.binary("Mul", call.binary("Add", forward, backward, "sum"), 0.5)]
        case "mul":
            return [call.binary("Mul", forward, backward)]
        case "none":
            return [forward, backward]
    raise ValueError(f"merge_mode is {how!r}; expected concat, sum, ave, mul or none")


def _gone_over(call: LayerCall, layer: Recurrence, sequence: Value, initial: Sequence[Value], part: str) -> Pass:
    """The pass over the sequence; a stateful layer begins where the call before ended."""
    sequence = sequence.permuted((1, 0, 2)) if layer.time_major else sequence
    if sequence.rank != 3:
        raise ValueError(f"it takes (batch, steps, features), but gets {sequence.rank} axes")
    mask = _mask(call)
    if mask is not None and layer.time_major:
        raise call.unsupported("hides steps of a time-major sequence; readable are masks of (batch, steps)")
    carries = layer.stateful and not initial
    if carries:
        initial = carried_states(call, layer.cells, sequence, part)
    run = go_over(call, layer, sequence, initial, mask, part)
    if carries:
        give_back(call, layer.cells, run.states, part)
    return run


def _mask(call: LayerCall) -> Value | None:
    """The mask that the layer heeds. Keras 3 heeds only an explicit one where it is called with initial states by keyword."""
    stated = call.provenance.major >= 3 and call.keywords.get("initial_state") is not None
    return None if stated and call.keywords.get("mask") is None else call.mask


def _operands(call: LayerCall) -> tuple[Value, list[Value]]:
    """The sequence and the initial states, which Keras 2 gives beside it and Keras 3 by keyword."""
    if call.keywords.get("constants") is not None or call.settings.get("num_constants"):
        raise call.unsupported("gets constants for its cell; readable are a sequence and initial states")
    first, *beside = tensors_of(call.arguments)
    return first, beside + tensors_of((call.keywords.get("initial_state"),))

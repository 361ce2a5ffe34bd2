"""Which inputs of a model take what an output gave in the call before: told by the user, by the reader, or by their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from edgekit.artifact import State, TensorSpec
from edgekit.errors import UsageError


@dataclass(frozen=True, slots=True)
class FoundStates:
    """``notes``: sentences on inputs that may be states, where the names leave several outputs to choose from."""

    states: tuple[State, ...]
    notes: tuple[str, ...] = ()


def decide_states(
    given: Sequence[State] | None, known: Sequence[State], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> FoundStates:
    """``given`` by the user (None: nothing said, (): there are none), then those ``known`` to the reader, then those found.

    Raises UsageError where a state that was given has no such input or output, or the two don't fit one another.
    """
    if given is not None and not given:
        return FoundStates(())
    chosen = list(given or ())
    for state in chosen:
        _require_fit(state, inputs, outputs)
    _require_distinct(chosen)
    chosen += [state for state in known if not _taken(state, chosen)]
    found = find_states(_without(inputs, {s.input for s in chosen}), _without(outputs, {s.output for s in chosen}))
    return FoundStates((*chosen, *found.states), found.notes)


def find_states(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> FoundStates:
    """Pairs of one dtype and shape whose names say that they are one state: ``state`` and ``stateN``, ``h0`` and ``hn``,
    ``cache_in`` and ``cache_out``, ``cached_key_1`` and ``new_cached_key_1``; or ``cache`` and a numbered output, ``output_1``,
    where only these two are of that shape.

    A model with no other input, or no other output, has no states: it is called once.
    """
    states: list[State] = []
    notes: dict[str, str] = {}
    for stems in (_Stems(_exact_input, _exact_output), _Stems(_loose_input, _loose_output), _Stems(_any, _nameless)):
        free = _without(inputs, {s.input for s in states}), _without(outputs, {s.output for s in states})
        made, doubts = _matched(*free, stems)
        states += made
        notes |= doubts
    if len(states) >= min(len(inputs), len(outputs)):
        return FoundStates(())
    settled = {state.input for state in states}
    return FoundStates(tuple(states), tuple(note for name, note in notes.items() if name not in settled))


@dataclass(frozen=True, slots=True)
class _Stems:
    """What remains of a name without the words that tell the state before a call from the one after it."""

    of_input: Callable[[Sequence[str]], str]
    of_output: Callable[[Sequence[str]], str]


def _matched(
    inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], stems: _Stems
) -> tuple[list[State], dict[str, str]]:
    """States without doubt, and for inputs with several fitting outputs a sentence."""
    states: list[State] = []
    doubts: dict[str, str] = {}
    pairs = list(_pairs(inputs, outputs, stems))
    for own in dict.fromkeys(spec.name for spec, _ in pairs):
        fitting = [output.name for spec, output in pairs if spec.name == own]
        rivals = [spec.name for spec, output in pairs if output.name in fitting]
        if len(fitting) == len(rivals) == 1:
            states.append(State(own, fitting[0]))
        else:
            listed = ", ".join(map(repr, fitting))
            doubts[own] = f"the input {own!r} may be a state that {listed} continues: tell with --state {own}=OUTPUT"
    return states, doubts


def _pairs(
    inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], stems: _Stems
) -> Iterator[tuple[TensorSpec, TensorSpec]]:
    for spec in inputs:
        words = _words(spec.name)
        if not _STATE_WORDS & set(words):
            continue
        stem = stems.of_input(words)
        for output in outputs:
            if stem and stem == stems.of_output(_words(output.name)) and _fit(spec, output):
                yield spec, output


def _words(name: str) -> list[str]:
    """Lower-case words and numbers of a name: "stateN" -> state, n; "hn" -> h, n; "lstm_h_out:0" -> lstm, h, out."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", re.sub(r":\d+$", "", name))
    words = [part.lower() for part in parts]
    return [piece for word in words for piece in (tuple(word) if word in _SHORT else (word,))]


def _exact_input(words: Sequence[str]) -> str:
    return " ".join(word for word in words if word not in _BEFORE)


def _exact_output(words: Sequence[str]) -> str:
    return " ".join(word for word in words if word not in _AFTER)


def _loose_input(words: Sequence[str]) -> str:
    """Without a 0 at the end too: the state at step 0."""
    return _exact_input(words).removesuffix(" 0")


def _loose_output(words: Sequence[str]) -> str:
    """Without a 1 at the end too, as tracers number the second value of one name."""
    return _exact_output(words).removesuffix(" 1")


def _any(words: Sequence[str]) -> str:
    """Of an input whose name says that it is a state, whatever its output is called."""
    return "any"


def _nameless(words: Sequence[str]) -> str:
    """The same of an output that PyTorch numbered."""
    return "any" if len(words) == 2 and words[0] == "output" and words[1].isdigit() else ""


def _fit(spec: TensorSpec, output: TensorSpec) -> bool:
    """One dtype, one rank, no dimension of two different numbers."""
    return (
        spec.dtype == output.dtype
        and len(spec.shape) == len(output.shape)
        and all(
            one == other or not (isinstance(one, int) and isinstance(other, int))
            for one, other in zip(spec.shape, output.shape, strict=True)
        )
    )


def _require_fit(state: State, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
    spec = _named(state.input, inputs, f"the input {state.input!r}", state)
    output = _named(state.output, outputs, f"the output {state.output!r}", state)
    if not _fit(spec, output):
        raise UsageError(
            f"the state {state.input}={state.output} can't go round: the input is {_text(spec)}, the output {_text(output)}"
        )


def _named(name: str, specs: Sequence[TensorSpec], what: str, state: State) -> TensorSpec:
    for spec in specs:
        if spec.name == name:
            return spec
    known = ", ".join(repr(spec.name) for spec in specs)
    raise UsageError(f"the state {state.input}={state.output} names {what}, which the model has not; it has {known}")


def _require_distinct(states: Sequence[State]) -> None:
    for names in ([s.input for s in states], [s.output for s in states]):
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise UsageError(
                f"{twice!r} is named in two states; each input takes one output, each output goes to one input"
            )


def _taken(state: State, others: Iterable[State]) -> bool:
    return any(state.input == other.input or state.output == other.output for other in others)


def _without(specs: Sequence[TensorSpec], names: set[str]) -> tuple[TensorSpec, ...]:
    return tuple(spec for spec in specs if spec.name not in names)


def _text(spec: TensorSpec) -> str:
    return f"{spec.dtype} {'x'.join(map(str, spec.shape)) or 'scalar'}"


_BEFORE = frozenset({"in", "input", "prev", "previous", "old", "past", "init", "initial", "last", "x"})
_AFTER = frozenset({"out", "output", "next", "new", "n", "y", "present", "updated", "final"})
_SHORT = frozenset({"hn", "cn", "hx", "cx", "hy", "cy"})
_STATE_WORDS = frozenset(
    {
        "state",
        "states",
        "hidden",
        "cell",
        "cache",
        "caches",
        "cached",
        "memory",
        "mem",
        "mems",
        "carry",
        "buffer",
        "buf",
    }
    | {"context", "ctx", "recurrent", "rnn", "lstm", "gru", "h", "c"}
)

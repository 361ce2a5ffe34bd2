"""The arguments of a layer's calls, out of the two forms in which Keras writes ``inbound_nodes``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.errors import SourceError
from edgekit_converters.sources.keras.graph import Argument, Call, Group, Literal, Ref

_CONSTANT = "_CONSTANT_VALUE"


def modern_calls(layer: str, nodes: Sequence[object]) -> tuple[Call, ...]:
    """Keras 3: a node is ``{"args": [...], "kwargs": {...}}`` with serialized tensors."""
    calls = []
    for number, node in enumerate(nodes):
        if not isinstance(node, Mapping):
            raise SourceError(f"inbound node {number} of layer {layer!r} is not a mapping; the file is damaged")
        arguments = tuple(decode(item) for item in node.get("args", ()))
        keywords = {str(key): decode(value) for key, value in node.get("kwargs", {}).items()}
        calls.append(Call(layer, number, arguments, keywords))
    return tuple(calls)


def legacy_calls(layer: str, nodes: Sequence[object], layers: frozenset[str]) -> tuple[Call, ...]:
    """Keras 1 and 2: a node is a list of ``[layer, call, output, keywords]``, or one such entry alone."""
    calls = []
    for number, node in enumerate(nodes):
        entries = _entries(node, layer)
        raw: object = next((entry[3] for entry in entries if len(entry) > 3 and entry[3]), {})
        if not isinstance(raw, Mapping):
            raise SourceError(f"inbound node {number} of layer {layer!r} has wrong keywords; the file is damaged")
        first = tuple(_legacy_tensor(entry) for entry in entries)
        arguments = first if len(first) == 1 else (Group(first),)
        keywords = {str(key): _legacy_argument(value, layers) for key, value in raw.items()}
        calls.append(Call(layer, number, arguments, keywords))
    return tuple(calls)


def tensor_refs(raw: object, where: str) -> tuple[Ref, ...]:
    """The tensors of ``input_layers`` or ``output_layers``; those of a mapping in the order of its sorted keys, as Keras does."""
    if isinstance(raw, Mapping):
        raw = [raw[key] for key in sorted(raw)]
    if _is_entry(raw):
        return (_ref(raw[0], raw[1], raw[2]),)  # type: ignore[index]  # _is_entry says that it is a list
    if not isinstance(raw, (list, tuple)) or not raw:
        raise SourceError(f"{where} is {raw!r}; expected a list of [layer, call, output]. The file is damaged")
    return tuple(ref for item in raw for ref in tensor_refs(item, where))


def decode(raw: object) -> Argument:
    """One serialized argument of Keras 3."""
    if isinstance(raw, Mapping):
        return _decode_mapping(raw)
    if isinstance(raw, (list, tuple)):
        return _group([decode(item) for item in raw])
    return Literal(raw)


def _decode_mapping(raw: Mapping[str, object]) -> Argument:
    kind, config = raw.get("class_name"), raw.get("config")
    match kind, config:
        case "__keras_tensor__", {"keras_history": [layer, call, output, *_]}:
            return _ref(layer, call, output)
        case "__slice__", {"start": start, "stop": stop, "step": step}:
            return Literal(slice(start, stop, step))
        case "__tuple__", {"value": items} if isinstance(items, list):
            return decode(items)
        case (("__numpy__" | "__tensor__"), {"value": value}):
            return decode(value)
        case "__ellipsis__", _:
            return Literal(...)
    if kind is not None:
        return Literal(str(kind))
    return _group([decode(raw[key]) for key in sorted(raw)])


def _group(items: list[Argument]) -> Argument:
    if all(isinstance(item, Literal) for item in items):
        return Literal(tuple(item.value for item in items if isinstance(item, Literal)))
    return Group(tuple(items))


def _is_entry(raw: object) -> bool:
    """``[layer, call, output]``, perhaps with keywords behind."""
    if not isinstance(raw, (list, tuple)) or not 3 <= len(raw) <= 4 or not isinstance(raw[0], str):
        return False
    return isinstance(raw[1], int) and (isinstance(raw[2], int) or raw[0] == _CONSTANT)


def _entries(node: object, layer: str) -> list[Sequence[object]]:
    """All entries of a node, which may be nested in lists or in a mapping."""
    if isinstance(node, Mapping):
        node = [node[key] for key in sorted(node)]
    if _is_entry(node):
        return [node]  # type: ignore[list-item]  # _is_entry says that it is a list
    if not isinstance(node, (list, tuple)):
        raise SourceError(
            f"layer {layer!r} has the inbound node {node!r}; expected [layer, call, output]. The file is damaged"
        )
    return [entry for item in node for entry in _entries(item, layer)]


def _legacy_tensor(entry: Sequence[object]) -> Argument:
    if entry[0] == _CONSTANT:
        return decode(entry[2])
    return _ref(entry[0], entry[1], entry[2])


def _legacy_argument(raw: object, layers: frozenset[str]) -> Argument:
    if isinstance(raw, (list, tuple)):
        if _is_entry(raw) and raw[0] in layers:
            return _ref(raw[0], raw[1], raw[2])
        return _group([_legacy_argument(item, layers) for item in raw])
    if isinstance(raw, Mapping) and raw.keys() == {"start", "stop", "step"}:
        start, stop, step = (_bound(raw[key]) for key in ("start", "stop", "step"))
        return Literal(slice(start, stop, step))
    return decode(raw)


def _bound(raw: object) -> int | None:
    if raw is not None and not isinstance(raw, int):
        raise SourceError(f"a slice has the bound {raw!r}; only constant bounds are readable")
    return raw


def _ref(layer: object, call: object, output: object) -> Ref:
    if not isinstance(layer, str) or not isinstance(call, int) or not isinstance(output, int):
        raise SourceError(f"the file refers to the tensor {[layer, call, output]!r}; expected [layer, call, output]")
    return Ref(layer, call, output)

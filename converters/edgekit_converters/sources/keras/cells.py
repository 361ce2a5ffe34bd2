"""`Recurrence`: what a recurrent layer's configuration says, the same for LSTM(...), RNN(LSTMCell(...)) and stacked cells."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.errors import UnsupportedLayerError
from edgekit_converters.sources.keras.config import WAY_OUT, parse_layer
from edgekit_converters.sources.keras.settings import Settings


class CellKind(enum.Enum):
    """A kind of cell: ONNX's op, the place of each of its gates among Keras's, the states it carries."""

    SIMPLE = ("RNN", (0,), ("h",))
    LSTM = ("LSTM", (0, 3, 1, 2), ("h", "c"))
    """Keras: input, forget, cell, output. ONNX: input, output, forget, cell."""
    GRU = ("GRU", (0, 1, 2), ("h",))

    def __init__(self, op_type: str, gates: tuple[int, ...], states: tuple[str, ...]) -> None:
        self.op_type, self.gates, self.states = op_type, gates, states


_LAYERS = {
    "SimpleRNN": CellKind.SIMPLE,
    "LSTM": CellKind.LSTM,
    "GRU": CellKind.GRU,
    "CuDNNLSTM": CellKind.LSTM,
    "CuDNNGRU": CellKind.GRU,
}
_CELLS = {"SimpleRNNCell": CellKind.SIMPLE, "LSTMCell": CellKind.LSTM, "GRUCell": CellKind.GRU}
_FOLDERS = {CellKind.SIMPLE: "simple_rnn_cell", CellKind.LSTM: "lstm_cell", CellKind.GRU: "gru_cell"}
RECURRENT = (*_LAYERS, "RNN")
_GATES_OF_KERAS_1 = {CellKind.LSTM: "icfo", CellKind.GRU: "zrh"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; ``part`` is the folder of its weights within the layer's, ``cudnn`` says that they are in cuDNN's form."""

    kind: CellKind
    settings: Settings
    part: str
    cudnn: bool = False

    @property
    def units(self) -> int:
        return self.settings.integer("units")

    @property
    def roles(self) -> tuple[str, ...]:
        """The cell's weights in the order of the file. Keras 1 has three arrays a gate unless it was asked for the GPU form."""
        own: tuple[str, ...] = ("kernel", "recurrent_kernel")
        if self.settings.flag("use_bias", True):
            own = (*own, "bias")
        if self.settings.get("consume_less") in ("cpu", "mem") and self.kind in _GATES_OF_KERAS_1:
            own = tuple(f"{array}_{gate}" for gate in _GATES_OF_KERAS_1[self.kind] for array in "WUb")
        return tuple(f"{self.part}/{role}" for role in own)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A recurrent layer: its cells from the first to the last, and what it gives."""

    cells: tuple[Cell, ...]
    return_sequences: bool
    return_state: bool
    backwards: bool
    stateful: bool
    zero_output: bool
    """Give zeros for hidden steps instead of the step before."""
    time_major: bool

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(role for cell in self.cells for role in cell.roles)


def recurrence(kind: str, settings: Settings, part: str = "") -> Recurrence:
    """The recurrent layer of that class. Raises UnsupportedLayerError for cells that are not Keras's own."""
    return Recurrence(
        _cells(kind, settings, f"{part}cell"),
        return_sequences=settings.flag("return_sequences", False),
        return_state=settings.flag("return_state", False),
        backwards=settings.flag("go_backwards", False),
        stateful=settings.flag("stateful", False),
        zero_output=settings.flag("zero_output_for_mask", False),
        time_major=settings.flag("time_major", False),
    )


@dataclass(frozen=True, slots=True)
class TwoWays:
    """A Bidirectional layer; ``merge`` is sum, mul, ave, concat or none."""

    forward: Recurrence
    backward: Recurrence
    merge: str

    @property
    def roles(self) -> tuple[str, ...]:
        return (*self.forward.roles, *self.backward.roles)


def two_ways(settings: Settings) -> TwoWays:
    """The two layers of a Bidirectional. The backward one is the forward one turned around unless the file has its own."""
    inner = _nested(settings.get("layer"), settings)
    forward = _zeroing(recurrence(inner.kind, inner.settings, "forward_layer/"))
    other = _nested(settings.get("backward_layer") or settings.get("layer"), settings)
    turned = Settings({**other.settings.values, "go_backwards": not forward.backwards})
    backward = _zeroing(recurrence(other.kind, turned, "backward_layer/"))
    merge = settings.text("merge_mode", "none") if "merge_mode" in settings.values else "concat"
    return TwoWays(forward, backward, merge)


def _zeroing(layer: Recurrence) -> Recurrence:
    """In a Bidirectional layer hidden steps of a sequence are zeros, whatever the file says."""
    return dataclasses.replace(layer, zero_output=layer.return_sequences)


@dataclass(frozen=True, slots=True)
class _Nested:
    kind: str
    settings: Settings


def _nested(raw: object, settings: Settings) -> _Nested:
    if not isinstance(raw, Mapping):
        raise ValueError(f"its layer or cell is {str(raw)[:60]!r}; expected a mapping")
    layer = parse_layer(raw, f"{settings.text('name', '')}/")
    return _Nested(layer.kind, layer.settings)


def _cells(kind: str, settings: Settings, part: str) -> tuple[Cell, ...]:
    if kind in _LAYERS:
        return (Cell(_LAYERS[kind], settings, part, cudnn=kind.startswith("CuDNN")),)
    if kind != "RNN":
        raise _unreadable(kind, settings)
    inner = _nested(settings.get("cell"), settings)
    if inner.kind != "StackedRNNCells":
        return (_cell(inner, settings, part),)
    raw = inner.settings.get("cells")
    if not isinstance(raw, (list, tuple)) or not raw:
        raise ValueError("its cells are missing")
    used: dict[CellKind, int] = {}
    cells = []
    for entry in raw:
        cell = _cell(_nested(entry, settings), settings, "")
        count = used.get(cell.kind, 0)
        used[cell.kind] = count + 1
        folder = f"{part}/cells/{_FOLDERS[cell.kind]}{f'_{count}' if count else ''}"
        cells.append(Cell(cell.kind, cell.settings, folder))
    return tuple(cells)


def _cell(nested: _Nested, settings: Settings, part: str) -> Cell:
    if nested.kind not in _CELLS:
        raise _unreadable(nested.kind, settings)
    return Cell(_CELLS[nested.kind], nested.settings, part)


def _unreadable(kind: str, settings: Settings) -> UnsupportedLayerError:
    return UnsupportedLayerError(
        f"layer {settings.get('name')!r} repeats a {kind}; readable are {', '.join((*_LAYERS, *_CELLS))} "
        f"and StackedRNNCells of them. {WAY_OUT}"
    )

"""`Recipe`: what to do with a model. Loads from TOML; a later rule wins; an unknown key is an error."""

from __future__ import annotations

import dataclasses
import enum
import fnmatch
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.artifact import State
from edgekit.errors import RecipeError
from edgekit.pruning import Blocks, Channels, Importance, PruneRule, Pruning
from edgekit.sparsity import Sparsity, parse_sparsity


class Precision(enum.Enum):
    """What numbers an artifact holds. The value is the middle part of its file name."""

    INT8 = "int8"
    INT8_DYNAMIC = "int8-dynamic"
    FLOAT16 = "float16"
    FLOAT32 = "float32"

    @property
    def calibrated(self) -> bool:
        """True when sample inputs are needed."""
        return self is Precision.INT8


class Effort(enum.Enum):
    """How much work goes into the accuracy of int8."""

    PLAIN = "plain"
    STANDARD = "standard"


class Observer(enum.Enum):
    """How calibration chooses a range from what it saw."""

    MIN_MAX = "min-max"
    MOVING_AVERAGE = "moving-average"
    PERCENTILE = "percentile"
    ENTROPY = "entropy"
    MEAN_SQUARED_ERROR = "mse"


class IoType(enum.Enum):
    """Element type of an artifact's inputs and outputs."""

    FLOAT32 = "float32"
    INT8 = "int8"
    UINT8 = "uint8"


class Prefer(enum.Enum):
    """What to choose where a fast and a small form of a layer differ."""

    SPEED = "speed"
    SIZE = "size"


DENSE = "none"
"""In the place of a sparsity: no zeros are made."""

UNROLL_STEPS = 128
"""Steps up to which a recurrent layer is written step by step by default: about 1.7 KB of operators each."""


@dataclass(frozen=True, slots=True)
class Preprocess:
    """From a picture or recording to the model's float input: ``(resized pixels - mean) / scale``.

    ``resize``: (height, width) or None. ``crop``: "center" (resize the short side, cut the middle), "none" (stretch).
    ``layout``: "NHWC" or "NCHW". ``channels``: "RGB", "BGR" or "L". ``mean`` and ``scale``: one number or one a channel, in pixel
    units (0..255) for pictures, in full-scale units (-1..1) for sound. ``sample_rate``: samples a second to which
    recordings are resampled; None: they are taken as they are.
    """

    resize: tuple[int, int] | None = None
    crop: str = "none"
    layout: str = "NHWC"
    channels: str = "RGB"
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    sample_rate: int | None = None

    def __post_init__(self) -> None:
        _choice("preprocess.crop", self.crop, ("none", "center"))
        _choice("preprocess.layout", self.layout, ("NHWC", "NCHW"))
        _choice("preprocess.channels", self.channels, ("RGB", "BGR", "L"))
        if self.resize is not None and (len(self.resize) != 2 or min(self.resize) < 1):
            raise RecipeError(f"preprocess.resize is {self.resize}; expected two positive numbers: height, width")
        for name in ("mean", "scale"):
            if len(getattr(self, name)) not in (1, 3):
                raise RecipeError(f"preprocess.{name} has {len(getattr(self, name))} numbers; expected 1 or 3")
        if self.sample_rate is not None and self.sample_rate < 1:
            raise RecipeError(f"preprocess.sample_rate is {self.sample_rate}; expected samples a second, as in 16000")
        if 0.0 in self.scale:
            raise RecipeError("preprocess.scale holds 0, by which the pixels would be divided")


@dataclass(frozen=True, slots=True)
class Rule:
    """One quantize rule: nodes whose name matches ``scope`` (shell wildcards). None leaves a setting as it was."""

    scope: str
    precision: Precision | None = None
    """FLOAT32 keeps the nodes float."""
    observer: Observer | None = None
    sparsify: str | None = None
    """Zeros among the nodes' weights, as in `Recipe.sparsify`; "none" leaves them dense."""

    def __post_init__(self) -> None:
        if self.sparsify not in (None, DENSE):
            parse_sparsity(str(self.sparsify))


@dataclass(frozen=True, slots=True)
class Budgets:
    """Limits whose breach makes the exit code 1. None: no limit."""

    drop_points: float | None = None
    """Largest loss of the task metric against the original, in points (1 point = .01 for rates)."""
    latency_ms: float | None = None
    size_bytes: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to do. The command line's options are laid over the recipe file's entries."""

    precision: Precision = Precision.INT8
    effort: Effort = Effort.STANDARD
    observer: Observer | None = None
    """None: the effort's own choice."""
    io: IoType = IoType.FLOAT32
    rules: tuple[Rule, ...] = ()
    budgets: Budgets = field(default_factory=Budgets)
    preprocess: Preprocess | None = None
    prefer: Prefer = Prefer.SPEED
    unroll_steps: int = UNROLL_STEPS
    """Longest recurrent layer that TFLite files hold step by step where speed is preferred; longer ones become loops."""
    states: tuple[State, ...] | None = None
    """What is carried from call to call. None: as the reader or the names tell; (): nothing."""
    prune: Pruning | None = None
    """What is removed before the network is quantized."""
    sparsify: str | None = None
    """Zeros among the weights: "50%", "2:4" or "block=1x4:70%"; None or "none": none (docs/sparsity.md)."""
    integer_only: bool = False
    """No float operator in the file, whatever the target: 8-bit or, where those would ruin the result, 16-bit integers."""

    def __post_init__(self) -> None:
        if self.integer_only and self.precision is not Precision.INT8:
            raise RecipeError(
                f"integer-only needs precision int8, and the precision is {self.precision.value}; leave one of them out"
            )
        if self.sparsify not in (None, DENSE):
            parse_sparsity(str(self.sparsify))
        if self.unroll_steps < 1:
            raise RecipeError(f"unroll-steps is {self.unroll_steps}; expected 1 or more")

    def precision_of(self, node: str) -> Precision:
        """Precision asked for a node; the last matching rule wins."""
        found = self.precision
        for rule in self.rules:
            if rule.precision is not None and fnmatch.fnmatchcase(node, rule.scope):
                found = rule.precision
        return found

    def observer_of(self, node: str) -> Observer | None:
        found = self.observer
        for rule in self.rules:
            if rule.observer is not None and fnmatch.fnmatchcase(node, rule.scope):
                found = rule.observer
        return found

    @property
    def sparsifies(self) -> bool:
        """True where any node's weights are to have zeros."""
        return any(text not in (None, DENSE) for text in (self.sparsify, *(rule.sparsify for rule in self.rules)))

    def sparsity_of(self, node: str) -> Sparsity | None:
        """Zeros asked for among a node's weights; the last matching rule wins."""
        found = self.sparsify
        for rule in self.rules:
            if rule.sparsify is not None and fnmatch.fnmatchcase(node, rule.scope):
                found = rule.sparsify
        return None if found in (None, DENSE) else parse_sparsity(str(found))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and the manifest."""
        return _plain(dataclasses.asdict(self))  # type: ignore[no-any-return]  # a dict stays a dict


def load_recipe(path: Path) -> Recipe:
    """Read a TOML recipe. Raises RecipeError with the path of the wrong entry."""
    return recipe_from_dict(read_toml(path), str(path))


def recipe_from_dict(raw: Mapping[str, Any], where: str) -> Recipe:
    """Build a Recipe from parsed TOML; ``where`` names the file in errors."""
    parts = dict(raw)
    rules = tuple(_build(Rule, rule, f"{where}: [[rules]] {n + 1}") for n, rule in enumerate(parts.pop("rules", ())))
    budgets = _build(Budgets, parts.pop("budgets", {}), f"{where}: [budgets]")
    preprocess = parts.pop("preprocess", None)
    if preprocess is not None:
        preprocess = preprocess_from_dict(preprocess, f"{where}: [preprocess]")
    states = _states(parts.pop("states", None), where)
    prune = _pruning(parts.pop("prune", None), f"{where}: [prune]")
    base = _build(Recipe, parts, where)
    recipe: Recipe = dataclasses.replace(
        base, rules=rules, budgets=budgets, preprocess=preprocess, states=states, prune=prune
    )
    return recipe


def _pruning(raw: Any, where: str) -> Pruning | None:
    """``[prune]`` with a goal, and ``[[prune.rules]]`` for layers that are to keep more."""
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        raise RecipeError(f"{where} is {raw!r}; expected a table")
    parts = dict(raw)
    tables = parts.pop("rules", [])
    if not isinstance(tables, list):
        raise RecipeError(f"{where}: rules is {tables!r}; expected [[prune.rules]], one table a rule")
    rules = tuple(_build(PruneRule, rule, f"{where}: [[prune.rules]] {n + 1}") for n, rule in enumerate(tables))
    pruning: Pruning = _build(Pruning, {**parts, "rules": rules}, where)
    return pruning


def _states(raw: Any, where: str) -> tuple[State, ...] | None:
    """``[[states]]`` tables; an empty list says that there are none."""
    if raw is None:
        return None
    if not isinstance(raw, list):
        raise RecipeError(f"{where}: states is {raw!r}; expected [[states]] tables with input and output")
    return tuple(_build(State, state, f"{where}: [[states]] {n + 1}") for n, state in enumerate(raw))


def preprocess_from_dict(raw: Mapping[str, Any], where: str) -> Preprocess:
    """Build a Preprocess from TOML or from a manifest."""
    entries: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    for name in ("mean", "scale"):
        if isinstance(entries.get(name), (int, float)):
            entries[name] = (float(entries[name]),)
    preprocess: Preprocess = _build(Preprocess, entries, where)
    return preprocess


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file. Raises RecipeError when it is missing or not TOML."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise RecipeError(f"cannot read {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not valid TOML: {error}") from error


def _build(kind: Any, raw: Any, where: str) -> Any:
    """An instance of the dataclass ``kind`` from plain values, enums by their values; unknown keys are errors."""
    if not isinstance(raw, Mapping):
        raise RecipeError(f"{where} is {raw!r}; expected a table")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in raw.items():
        name = key.replace("-", "_")
        if name not in fields:
            raise RecipeError(f"{where} has the unknown key {key!r}; known: {', '.join(sorted(fields))}")
        values[name] = _parse_enum(str(fields[name].type), value, f"{where}: {key}")
        _require_plain(str(fields[name].type), value, f"{where}: {key}")
    for name, each in fields.items():
        if name not in values and each.default is each.default_factory is dataclasses.MISSING:
            raise RecipeError(
                f"{where} has no {name!r}; expected {', '.join(map(repr, fields))}, of which some may be left out"
            )
    try:
        return kind(**values)
    except (RecipeError, TypeError) as error:
        raise RecipeError(f"{where}: {error}") from error


_PLAIN: Mapping[str, tuple[tuple[type, ...], str]] = {
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "str": ((str,), "a text in quotes"),
}


def _require_plain(annotation: str, value: Any, where: str) -> None:
    """Raises RecipeError for a value that is not of the field's type, where that is a plain one (or None)."""
    kind, _, rest = annotation.partition(" | ")
    if kind not in _PLAIN or (value is None and rest == "None"):
        return
    types, expected = _PLAIN[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and kind != "bool"):
        raise RecipeError(f"{where} is {value!r}; expected {expected}")


def _parse_enum(annotation: str, value: Any, where: str) -> Any:
    for kind in (Precision, Effort, Observer, IoType, Prefer, Importance, Channels, Blocks):
        if annotation.split(" ")[0] == kind.__name__:
            try:
                return kind(value)
            except ValueError:
                known = ", ".join(str(member.value) for member in kind)
                raise RecipeError(f"{where} is {value!r}; expected one of: {known}") from None
    return value


def _choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise RecipeError(f"{name} is {value!r}; expected one of: {', '.join(known)}")


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value

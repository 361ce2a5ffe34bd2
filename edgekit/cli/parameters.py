"""Types of the command line's parameters: text becomes a typed value here and nowhere else."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edgekit.gates import FallbackLimit
    from edgekit.protocols import Delegate

    FallbackBase = click.ParamType[FallbackLimit]
    DelegateBase = click.ParamType[Delegate]
    FloatType = click.ParamType[float]
    IntType = click.ParamType[int]
    NamedShapeType = click.ParamType[tuple[str, tuple[int, ...]]]
    NamedNumberType = click.ParamType[tuple[str, float]]
    PairType = click.ParamType[tuple[str, str]]
    CountsBase = click.ParamType[tuple[int, ...]]
    GoalType = click.ParamType[dict[str, float]]
else:  # click before 8.4 has no generic parameter types
    CountsBase = DelegateBase = FallbackBase = FloatType = GoalType = IntType = click.ParamType
    NamedShapeType = NamedNumberType = PairType = click.ParamType

_QUANTITY = re.compile(r"^\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-zµμ%]*)\s*$")


class _Quantity(FloatType):
    """A number with a unit. ``units``: unit in lower case -> factor; the empty unit is the default one."""

    def __init__(self, name: str, units: dict[str, float], example: str) -> None:
        self.name, self._units, self._example = name, units, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        match = _QUANTITY.match(value)
        if match is None or match[2].lower() not in self._units:
            known = ", ".join(unit for unit in self._units if unit)
            self.fail(
                f"{value!r} is not understood as {self.name}; write {self._example} (units: {known}).", param, ctx
            )
        return float(match[1]) * self._units[match[2].lower()]


POINTS = _Quantity("points", {"": 1.0, "%": 1.0, "points": 1.0, "pt": 1.0}, "0.5")
"""Points of a metric (1 point = .01 of a rate): "0.5" or "0.5%" -> 0.5."""

MILLISECONDS = _Quantity(
    "duration", {"": 1.0, "ms": 1.0, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "s": 1e3, "min": 6e4}, "10ms"
)
"""A duration in milliseconds: "10ms", "300us", "1.5s"; a bare number is milliseconds."""

SECONDS = _Quantity(
    "duration",
    {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "min": 60.0, "m": 60.0, "h": 3600.0},
    "2s",
)
"""A duration in seconds: "2s", "500ms"; a bare number is seconds."""

DECIBELS = _Quantity("decibels", {"": 1.0, "db": 1.0}, "30dB")


class SizeType(IntType):
    """Bytes: "500KB" and "2MB" are decimal, "512KiB" and "2MiB" binary; a bare number is bytes."""

    name = "size"

    _FACTORS = _Quantity(
        "size",
        {
            "": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9,
            "kib": 2**10, "mib": 2**20, "gib": 2**30,
        },
        "500KB",
    )  # fmt: skip

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return round(self._FACTORS.convert(value, param, ctx))


SIZE = SizeType()


class ShapeType(NamedShapeType):
    """An input's shape, "NAME=1x3x224x224", or "1,3,224,224" for the only input (name "")."""

    name = "shape"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        if isinstance(value, tuple):
            return value
        name, _, text = value.rpartition("=")
        try:
            shape = tuple(int(size) for size in re.split(r"[x,]", text.strip().strip("()[]")))
        except ValueError:
            self.fail(f"{value!r} is not a shape; write input=1x3x224x224 or 1,3,224,224.", param, ctx)
        if min(shape) < 1:
            self.fail(f"{value!r} has a size below 1; give every axis, the batch too, as in 1x3x224x224.", param, ctx)
        return name.strip(), shape


SHAPE = ShapeType()


class NamedNumber(NamedNumberType):
    """A number for an input: "sr=16000"."""

    name = "named number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        name, found, text = value.rpartition("=")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not found or not name.strip() or not math.isfinite(number):
            self.fail(f"{value!r} is not an input and its number; write sr=16000.", param, ctx)
        return name.strip(), number


NAMED_NUMBER = NamedNumber()


class StateType(PairType):
    """An input and the output that it takes in the next call: "state=stateN"; "none" (a pair of "") for no states at all."""

    name = "state"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        if value == "none":
            return "", ""
        source, _, output = (part.strip() for part in value.partition("="))
        if not source or not output:
            self.fail(f"{value!r} is not a state; write INPUT=OUTPUT, as in state=stateN, or none.", param, ctx)
        return source, output


STATE = StateType()


class ShareType(FloatType):
    """A fraction between the limits: "3%" or "0.03" -> .03."""

    name = "share"

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = math.nan
        if not self._low <= share <= self._high:
            self.fail(f"{value!r} is not between {self._low:.0%} and {self._high:.1%}; write 3% or 0.03.", param, ctx)
        return share


SHARE = ShareType(0.0, 10.0)
CONFIDENCE = ShareType(0.5, 0.999)


class CountsType(CountsBase):
    """Numbers from 1 on, separated by commas: "1,2,4"."""

    name = "counts"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            counts = tuple(dict.fromkeys(int(part) for part in value.split(",")))
        except ValueError:
            counts = (0,)
        if min(counts) < 1:
            self.fail(f"{value!r} is not understood; write numbers from 1 on, as in 1,2,4.", param, ctx)
        return counts


COUNTS = CountsType()


class SettingType(PairType):
    """An option that is handed on as it is: "memory-mode=Sram_Only"."""

    name = "setting"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        key, found, text = value.partition("=")
        if not found or not key.strip(" -"):
            self.fail(f"{value!r} is not an option and its value; write memory-mode=Sram_Only.", param, ctx)
        return key.strip(" -"), text.strip()


SETTING = SettingType()


class DelegateType(DelegateBase):
    """An execution provider or delegate with its options: "openvino:device_type=CPU", "/opt/npu/libnpu.so:cache=/tmp"."""

    name = "delegate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Delegate:
        from edgekit.errors import UsageError
        from edgekit.protocols import Delegate

        if isinstance(value, Delegate):
            return value
        try:
            return Delegate.parse(value)
        except UsageError as error:
            self.fail(f"{error}.", param, ctx)


DELEGATE = DelegateType()


class FallbackLimitType(FallbackBase):
    """What may be left to the CPU: "5%" or "0%" of the multiply-accumulates, "3ops"."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> FallbackLimit:
        from edgekit.gates import FallbackLimit, FallbackUnit

        if isinstance(value, FallbackLimit):
            return value
        match = _QUANTITY.match(value)
        units = {"%": FallbackUnit.MACS, "ops": FallbackUnit.OPS, "op": FallbackUnit.OPS}
        if match is None or match[2].lower() not in units:
            self.fail(f"{value!r} is not understood; write 5% (of the multiply-accumulates) or 3ops.", param, ctx)
        return FallbackLimit(float(match[1]), units[match[2].lower()])


FALLBACK_LIMIT = FallbackLimitType()


class PruneGoalType(GoalType):
    """The goal of pruning as an entry of `Pruning`: "30%" -> {"macs": .3}, "units=50%", "latency=10ms", "size=500KB"."""

    name = "goal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, float]:
        if isinstance(value, dict):
            return value
        kind, found, text = (part.strip() for part in value.rpartition("="))
        if (kind, found) == ("latency", "="):
            return {"latency_ms": self._positive(MILLISECONDS.convert(text, param, ctx), value, param, ctx)}
        if (kind, found) == ("size", "="):
            return {"size_bytes": self._positive(SIZE.convert(text, param, ctx), value, param, ctx)}
        match = _QUANTITY.match(text)
        if (kind, found) not in (("", ""), ("units", "=")) or match is None or match[2] not in ("", "%"):
            self.fail(f"{value!r} is not a goal; write 30%, units=50%, latency=10ms or size=500KB.", param, ctx)
        share = float(match[1]) / (100 if match[2] else 1)
        if not 0 < share < 1:
            self.fail(f"{value!r} is {100 * share:g} %; more than 0 and less than 100 % can go, as in 30%.", param, ctx)
        return {kind or "macs": share}

    def _positive(self, goal: float, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if not goal > 0:
            self.fail(f"{value!r} is nothing; write latency=10ms or size=500KB.", param, ctx)
        return goal


PRUNE_GOAL = PruneGoalType()

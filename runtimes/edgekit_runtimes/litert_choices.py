"""Which delegates LiteRT's compiled models serve, and their options as LiteRT wants them.

    XNNPACK:weight_cache=PATH,flags=qs8+qu8      packed weights kept in a file; the flags of xnnpack_delegate.h
    GPU:enforce_f32=true                         the fields of LiteRT's GpuOptions
    NPU:dispatch=FOLDER,compiler=FOLDER          folders of a vendor's libraries; those of the package otherwise

GPU and NPU must take every op; with XNNPACK named behind them, that takes what they leave.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.errors import RuntimeUnavailableError, UsageError
from edgekit.protocols import Delegate, SessionOptions
from edgekit_runtimes.known_delegates import find_library

ACCELERATORS = ("GPU", "NPU")


@dataclass(frozen=True, slots=True)
class Choice:
    """How a model is compiled. ``accelerator``: "GPU", "NPU" or "" for XNNPACK alone; ``xnnpack``: takes (the rest of) the ops.

    ``flags``: None for XNNPACK's own. ``settings``: of the accelerator.
    """

    accelerator: str = ""
    xnnpack: bool = True
    flags: int | None = None
    weight_cache: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def choice_of(options: SessionOptions) -> Choice | None:
    """How the options want the model compiled; None where the interpreter does all that they ask for. Raises UsageError."""
    named = [(_name(delegate), delegate) for delegate in options.delegates]
    accelerators = [name for name, _ in named if name in ACCELERATORS]
    xnnpack = [delegate for name, delegate in named if name == "XNNPACK"]
    if not accelerators and not any(delegate.options for delegate in xnnpack):
        return None
    _refuse_others(options, [delegate for name, delegate in named if name not in (*ACCELERATORS, "XNNPACK")])
    if len(accelerators) > 1:
        raise UsageError(f"name one of {' and '.join(accelerators)}; a model is compiled for one of them")
    found = Choice(xnnpack=bool(xnnpack))
    for name, delegate in named:
        if name == "XNNPACK":
            found = _with_xnnpack(found, delegate)
        else:
            found = dataclasses.replace(found, accelerator=name, settings=delegate.options)
    return found


def compiled_accelerators() -> tuple[str, ...]:
    """Accelerators whose driver is on this machine, as far as files tell: nothing is loaded. An NPU has to be tried."""
    return ("GPU",) if find_library(("libvulkan.so.1",)) else ()


def _name(delegate: Delegate) -> str:
    return "" if delegate.library else delegate.name.upper()


def _refuse_others(options: SessionOptions, others: Sequence[Delegate]) -> None:
    if options.kernels != "default":
        raise UsageError(
            f"the {options.kernels} kernels run without a delegate; leave out {options.delegates[0].name!r}"
        )
    if others:
        raise UsageError(
            f"{str(others[0])!r} belongs to LiteRT's interpreter; GPU, NPU and options of XNNPACK belong to its compiled models. "
            "Name one or the other"
        )


def _with_xnnpack(choice: Choice, delegate: Delegate) -> Choice:
    for key, value in delegate.options.items():
        if key == "weight_cache":
            if not Path(value).absolute().parent.is_dir():
                raise RuntimeUnavailableError(f"XNNPACK can't keep its weights in {value!r}: there is no such folder")
            choice = dataclasses.replace(choice, weight_cache=value)
        elif key == "flags":
            choice = dataclasses.replace(choice, flags=_flags(value))
        else:
            raise UsageError(f"XNNPACK has no option {key!r}; it has weight_cache and flags, and --threads")
    return choice


def _flags(text: str) -> int:
    """A number ("3", "0x3"), or names joined by +."""
    try:
        return int(text, 0)
    except ValueError:
        pass
    names = [name for name in text.lower().split("+") if name != "none"]
    unknown = [name for name in names if name not in _FLAGS]
    if unknown:
        raise UsageError(
            f"XNNPACK has no flag {unknown[0]!r}; expected a number, or some of {', '.join(_FLAGS)} joined by +"
        )
    return sum(_FLAGS[name] for name in dict.fromkeys(names))


_FLAGS = {
    "qs8": 0x1,
    "qu8": 0x2,
    "force_fp16": 0x4,
    "dynamic_fully_connected": 0x8,
    "variable_operators": 0x10,
    "transient_indirection_buffer": 0x20,
    "latest_operators": 0x40,
    "subgraph_reshaping": 0x80,
}
"""TFLITE_XNNPACK_DELEGATE_FLAG_* of tflite/delegates/xnnpack/xnnpack_delegate.h."""

"""Compiling a TFLite file with LiteRT for what was chosen, and the reason where that can't be had."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from edgekit.errors import RuntimeUnavailableError, UsageError
from edgekit_runtimes.litert_choices import Choice
from edgekit_runtimes.native_messages import caught


class PartlyTakenError(RuntimeUnavailableError):
    """The accelerator is there and does not take every op; ``ops``: its words on those that it leaves."""

    def __init__(self, name: str, file: str, ops: tuple[str, ...]) -> None:
        which = f" ({'; '.join(ops)})" if ops else ""
        super().__init__(
            f"the {name} does not take every op of {file}{which}; --delegate {name} --delegate XNNPACK lets the CPU take the "
            "rest, and the placement tells which"
        )
        self.ops = ops


def compiled(content: bytes, threads: int, choice: Choice, file: str) -> tuple[Any, str]:
    """The compiled model, and what is known of the device that it runs on.

    Raises RuntimeUnavailableError with what LiteRT said, UsageError for a setting that the accelerator does not have.
    """
    library = _library()
    environment, options = _environment(library, choice), _options(library, threads, choice)
    model, failure = None, ""
    with caught() as messages:
        try:
            made = library.Environment.create(options=environment) if environment else None
            model = library.CompiledModel.from_buffer(content, environment=made, options=options)
        except RuntimeError as error:
            failure = str(error)
    if model is None:
        raise _error((*messages.lines, *failure.splitlines()), choice, file)
    if choice.accelerator and not model.is_fully_accelerated():
        _require_presence(messages.lines, choice, file)
    return model, _adapter(messages.lines)


def _require_presence(lines: Sequence[str], choice: Choice, file: str) -> None:
    """LiteRT compiles for the CPU alone where an NPU is absent, with a warning."""
    if _ABSENT[choice.accelerator].search("\n".join(lines)):
        raise _error(lines, choice, file)
    if not choice.xnnpack:
        raise PartlyTakenError(choice.accelerator, file, _refused(lines))


def _library() -> Any:
    try:
        library = import_module("ai_edge_litert.compiled_model")
    except ImportError as error:
        raise RuntimeUnavailableError(f"this LiteRT has no compiled models: {error}. {_UPDATE}") from error
    if not hasattr(library, "Options"):
        raise RuntimeUnavailableError(f"this LiteRT's compiled models have no options. {_UPDATE}")
    return library


_UPDATE = "pip install -U ai-edge-litert"


def _options(library: Any, threads: int, choice: Choice) -> Any:
    accelerators = library.HardwareAccelerator
    wanted = accelerators.CPU if choice.xnnpack else accelerators(0)
    if choice.accelerator:
        wanted |= accelerators[choice.accelerator]
    cpu = library.CpuOptions(
        num_threads=threads, xnnpack_flags=choice.flags, xnnpack_weight_cache_path=choice.weight_cache
    )
    gpu = _gpu_options(library, choice) if choice.accelerator == "GPU" else None
    return library.Options(hardware_accelerators=wanted, cpu_options=cpu if choice.xnnpack else None, gpu_options=gpu)


def _gpu_options(library: Any, choice: Choice) -> Any:
    known = library.GpuOptions.__dataclass_fields__
    for key, value in choice.settings.items():
        if key not in known:
            raise UsageError(f"the GPU has no option {key!r}; it has {', '.join(known)}")
        if value.lower() not in _TRUTH:
            raise UsageError(f"the GPU's option {key} is {value!r}; expected true or false")
    return library.GpuOptions(**{key: _TRUTH[value.lower()] for key, value in choice.settings.items()})


_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def _environment(library: Any, choice: Choice) -> Any:
    """Where a vendor's libraries are; None for LiteRT's own folders."""
    if choice.accelerator != "NPU" or not choice.settings:
        return None
    for key, folder in choice.settings.items():
        if key not in _NPU_LIBRARIES:
            raise UsageError(
                f"the NPU has no option {key!r}; it has dispatch and compiler, folders of the vendor's libraries"
            )
        if not any(Path(folder).glob(_NPU_LIBRARIES[key])):
            raise RuntimeUnavailableError(f"the NPU can't be used: there is no {_NPU_LIBRARIES[key]} in {folder!r}")
    return library.EnvironmentOptions(
        dispatch_library_path=choice.settings.get("dispatch", ""),
        compiler_plugin_path=choice.settings.get("compiler", ""),
    )


_NPU_LIBRARIES = {"dispatch": "libLiteRtDispatch_*.so", "compiler": "libLiteRtCompilerPlugin_*.so"}


def _refused(said: Sequence[str]) -> tuple[str, ...]:
    """The GPU's own words on each op that it does not take: "ABS: Expected 0 const input tensor(s), ..."."""
    found: list[str] = []
    listed = False
    for line in said:
        if "operations are not supported by GPU" in line:
            listed = True
        elif listed and _OP_REASON.match(line):
            found.append(line.rstrip("."))
        else:
            listed = False
    return tuple(dict.fromkeys(found))


_OP_REASON = re.compile(r"[A-Z][A-Z0-9_]*: ")


def _error(said: Sequence[str], choice: Choice, file: str) -> RuntimeUnavailableError:
    """What went wrong, out of much that LiteRT logs."""
    name = choice.accelerator or "XNNPACK"
    text = "\n".join(said)
    if choice.accelerator and "Some ops are not accelerated" in text and not _ABSENT[name].search(text):
        return PartlyTakenError(name, file, _refused(said))
    aside = _ASIDE.get(name)
    causes = [_plain(line) for line in said if _CAUSE.search(line) and not (aside and aside.search(line))]
    remedy = f". {_REMEDIES[name]}" if name in _REMEDIES else ""
    why = "; ".join(dict.fromkeys(causes)) or "LiteRT tells no reason"
    return RuntimeUnavailableError(f"the {name} can't be used for {file}: {why}{remedy}")


def _plain(line: str) -> str:
    """Without the log's level, time and place in the source."""
    plain = re.sub(r"^└?\s*((ERROR|WARNING|Warning):\s*)?(\[[^\]]*\]\s*)?", "", line)
    return re.sub(r"^[EWI]\d{4} \S+\s+\d+ \S+\]\s*", "", plain).rstrip(". ")


_CAUSE = re.compile(
    r"Could ?n['o]t load|could not be loaded|cannot open|No adapters|No compiler plugin|required\.|[Nn]ot supported|unsupported"
)
_ABSENT = {
    "GPU": re.compile(r"No adapters found"),
    "NPU": re.compile(r"NPU accelerator could not be loaded|No compiler plugin found"),
}
_ASIDE = {"GPU": re.compile(r"NPU|CompilerPlugin"), "NPU": re.compile(r"GPU|Gpu|Some ops are not")}
"""What is said of other accelerators than the one that is asked for."""
_REMEDIES = {
    "GPU": "LiteRT's GPU needs a Vulkan driver (Debian: libvulkan1 and the driver of the GPU)",
    "NPU": "LiteRT's NPU needs the vendor's libraries: name their folders, NPU:dispatch=FOLDER,compiler=FOLDER",
}


def _adapter(lines: Sequence[str]) -> str:
    """The GPU that was chosen, in LiteRT's words: also one that is only software."""
    found = re.search(r"Selected adapter: ([^,]+),.*adapterType=(.+)", "\n".join(lines))
    return f"the GPU is {found[1]} ({found[2].strip()})" if found else ""

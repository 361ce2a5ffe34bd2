"""Execution providers that come as a library of their own and are registered with the ONNX Runtime that is installed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekit.errors import RuntimeUnavailableError, UsageError

DEVICE = "device_type"
"""The option that picks among a plug-in's devices: CPU, GPU or NPU. It is not handed on."""
_PREFERRED = ("NPU", "GPU", "CPU")


@dataclass(frozen=True, slots=True)
class PluginLibrary:
    """A library and the name to register it under."""

    name: str
    path: Path


def packaged(name: str, module: str) -> PluginLibrary | None:
    """The library of an installed Python package: such packages answer ``get_library_path()``."""
    if not module or find_spec(module) is None:
        return None
    return PluginLibrary(name, Path(importlib.import_module(module).get_library_path()))


def registered(name: str) -> bool:
    """Whether a plug-in of that name is registered already: ONNX Runtime then lists it among the providers of its build."""
    import onnxruntime

    devices = onnxruntime.get_ep_devices() if hasattr(onnxruntime, "get_ep_devices") else ()
    return any(device.ep_name == name and "library_path" in device.ep_metadata for device in devices)


def register(library: PluginLibrary) -> tuple[str, tuple[Any, ...]]:
    """The provider's name and its devices here. Raises RuntimeUnavailableError: no plug-in, or one that can't be loaded."""
    import onnxruntime

    from edgekit_runtimes.onnxruntime_native import native_errors, one_line

    if not hasattr(onnxruntime, "register_execution_provider_library"):
        raise RuntimeUnavailableError(
            f"ONNX Runtime {onnxruntime.__version__} takes no plug-in libraries, so not {str(library.path)!r}. "
            "Install onnxruntime 1.24 or newer."
        )
    before = {device.ep_name for device in onnxruntime.get_ep_devices()}
    try:
        onnxruntime.register_execution_provider_library(library.name, str(library.path))
    except native_errors() as error:
        if "already registered" not in str(error):
            raise RuntimeUnavailableError(
                f"{str(library.path)!r} can't be used as a plug-in of ONNX Runtime {onnxruntime.__version__}: "
                f"{one_line(error)}"
            ) from error
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == library.name]
    if not devices:
        devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name not in before]
    return (str(devices[0].ep_name) if devices else library.name), tuple(devices)


def choose_device(name: str, devices: Sequence[Any], options: Mapping[str, str]) -> Any:
    """The device that ``device_type`` asks for; without it an NPU before a GPU before the CPU.

    Raises RuntimeUnavailableError when there is none, UsageError when there is none of that type.
    """
    if not devices:
        raise RuntimeUnavailableError(
            f"the plug-in {name} is loaded, but none of this machine's processors is one that it supports ({_machine()}). "
            "Leave it out to run on the CPU."
        )
    by_type = {device.device.type.name: device for device in reversed(devices)}
    wanted = options.get(DEVICE)
    if wanted is not None and wanted.upper() not in by_type:
        raise UsageError(f"{name} has no {DEVICE} {wanted!r} here; it has {', '.join(sorted(by_type))}")
    order = (wanted.upper(),) if wanted is not None else _PREFERRED
    return next(by_type[each] for each in order if each in by_type)


def _machine() -> str:
    """The hardware that ONNX Runtime found, as it calls it."""
    import onnxruntime

    found = {(device.device.type.name, device.device.vendor) for device in onnxruntime.get_ep_devices()}
    return ", ".join(f"{kind} of {vendor or 'an unknown maker'}" for kind, vendor in sorted(found))

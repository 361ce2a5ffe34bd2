"""Which execution providers can be used here, and how those that a user asks for are started."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekit.errors import RuntimeUnavailableError
from edgekit.protocols import Absent, Delegate
from edgekit_runtimes.onnxruntime_catalogue import CATALOGUE, CPU, SUFFIX, KnownProvider, full_name, known
from edgekit_runtimes.onnxruntime_plugins import DEVICE, PluginLibrary, choose_device, packaged, register, registered
from edgekit_runtimes.shared_libraries import loads, missing_libraries

REMOTE = "AzureExecutionProvider"
"""Calls a service elsewhere: nothing that runs a file here."""


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """A provider to open a file with. ``device``: of a plug-in, ONNX Runtime's own object; None for one that is built in."""

    name: str
    options: Mapping[str, str]
    device: Any = None
    fixed_shapes: bool = False


def choose(delegates: Sequence[Delegate], path: Path, threads: int) -> tuple[Provider, ...]:
    """What was asked for, ready to open ``path``; the CPU, which comes last in any case, is left out.

    Raises RuntimeUnavailableError with the reason and the command that helps, UsageError for a wrong option.
    """
    chosen = [_plugin_of(delegate, path, threads) or _built_in(delegate, path, threads) for delegate in delegates]
    return tuple(provider for provider in chosen if provider.name != CPU)


def named() -> tuple[str, ...]:
    """Full names of the providers that the installed build and packages bring, whether they would start or not."""
    built_in = _built_in_names()
    plugins = [each.name for each in CATALOGUE if each.module and find_spec(each.module) is not None]
    return tuple(dict.fromkeys((*built_in[:-1], *plugins, *built_in[-1:])))


def available() -> tuple[str, ...]:
    """Full names of the providers that start here, as far as that can be told without a file. Loads their libraries."""
    plugins = [known_one.name for known_one in CATALOGUE if _plugin_works(known_one)]
    usable = [name for name in _built_in_names() if not _lacking(name)]
    return tuple(dict.fromkeys((*usable[:-1], *plugins, *usable[-1:])))


def absent() -> tuple[Absent, ...]:
    """The known providers that can't be had here: why, and what would bring them."""
    usable = available()
    return tuple(Absent(each.short, *_why(each)) for each in CATALOGUE if each.name not in usable)


def _plugin_of(delegate: Delegate, path: Path, threads: int) -> Provider | None:
    """The provider of a library that was named by its path, or of an installed package."""
    if delegate.library is not None:
        if not delegate.library.is_file():
            raise RuntimeUnavailableError(
                f"there is no plug-in library {str(delegate.library)!r}. {_here()} is what runs here; "
                f"it has {', '.join(available())}."
            )
        return _registered(PluginLibrary(_name_of(delegate.library), delegate.library), delegate, path, threads)
    found = known(delegate.name)
    name = full_name(delegate.name, _built_in_names())
    short = name.lower().removesuffix(SUFFIX)
    library = packaged(name, found.module if found else f"onnxruntime_ep_{short}")
    if library is None or (name in _built_in_names() and not registered(name)):
        return None
    return _registered(library, delegate, path, threads)


def _registered(library: PluginLibrary, delegate: Delegate, path: Path, threads: int) -> Provider:
    name, devices = register(library)
    device = choose_device(name, devices, delegate.options)
    found = known(name)
    options = found.completed(delegate.options, path, threads) if found else dict(delegate.options)
    return Provider(name, {key: value for key, value in options.items() if key != DEVICE}, device, _fixed(found))


def _name_of(library: Path) -> str:
    """The name to register a library under: plug-ins that are known go by the provider's, others by the file's."""
    for each in CATALOGUE:
        if f"_{each.short}" in library.stem.lower():
            return each.name
    return library.stem


def _built_in(delegate: Delegate, path: Path, threads: int) -> Provider:
    name, found = full_name(delegate.name, _built_in_names()), known(delegate.name)
    lacking = _lacking(name) if name in _built_in_names() else ()
    if name not in _built_in_names() or lacking:
        reason, remedy = _why(found) if found else ("nothing that is installed brings it", "")
        raise RuntimeUnavailableError(
            f"{_here()} has no usable execution provider {delegate.name!r}: {reason}. It has {', '.join(available())}."
            + (f" To get it: {remedy}." if remedy else "")
            + " Leave it out to run on the CPU."
        )
    options = found.completed(delegate.options, path, threads) if found else dict(delegate.options)
    return Provider(name, options, None, _fixed(found))


def _why(provider: KnownProvider) -> tuple[str, str]:
    """Why it can't be had here, and the command that helps."""
    remedy = provider.command + (f" ({provider.hint})" if provider.hint else "")
    if provider.name in _built_in_names():
        lacking = _lacking(provider.name)
        driver = f" ({provider.driver} comes with the hardware's driver)" if provider.driver in lacking else ""
        return f"libraries that it needs are missing: {', '.join(lacking)}{driver}", remedy
    if provider.module and (library := _packaged(provider)) is not None:
        if lacking := missing_libraries(library.path):
            return f"libraries that its plug-in needs are missing: {', '.join(lacking)}", remedy
        return _plugin_failure(library), remedy
    driver = f", and this machine has no driver for it ({provider.driver})" if _no_driver(provider) else ""
    return f"it needs {provider.package}, which is not installed{driver}", remedy


def _plugin_failure(library: PluginLibrary) -> str:
    """What keeps an installed plug-in from being used."""
    try:
        name, devices = register(library)
        choose_device(name, devices, {})
    except RuntimeUnavailableError as error:
        return str(error)
    return "it can be used"


def _plugin_works(provider: KnownProvider) -> bool:
    library = _packaged(provider)
    return library is not None and _plugin_failure(library) == "it can be used"


def _packaged(provider: KnownProvider) -> PluginLibrary | None:
    """The plug-in's library; None where its package is not installed or is broken."""
    try:
        return packaged(provider.name, provider.module)
    except (ImportError, OSError):
        return None


def _no_driver(provider: KnownProvider) -> bool:
    return bool(provider.driver) and not loads(provider.driver)


def _lacking(name: str) -> tuple[str, ...]:
    """Libraries that a built-in provider needs and this machine has not."""
    import onnxruntime

    short = name.lower().removesuffix(SUFFIX)
    library = Path(onnxruntime.__file__).parent / "capi" / f"libonnxruntime_providers_{short}.so"
    if not library.is_file():
        return ()
    found = known(name)
    if found is not None and found.driver and hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it can't find
            onnxruntime.preload_dlls()
    return missing_libraries(library)


def _built_in_names() -> tuple[str, ...]:
    """Execution providers of the installed build that compute on this machine."""
    import onnxruntime

    return tuple(name for name in onnxruntime.get_available_providers() if name != REMOTE)


def _fixed(found: KnownProvider | None) -> bool:
    return found is not None and found.fixed_shapes


def _here() -> str:
    import onnxruntime

    packages = packages_distributions().get("onnxruntime", ["unknown"])
    return f"ONNX Runtime {onnxruntime.__version__} (package {', '.join(sorted(set(packages)))})"

"""Opening ONNX Runtime's own session so that nothing falls back in silence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import ArtifactError, RuntimeUnavailableError, UsageError
from edgekit.protocols import SessionOptions
from edgekit_runtimes import onnxruntime_log
from edgekit_runtimes.native_messages import caught_with_output
from edgekit_runtimes.onnxruntime_catalogue import CPU
from edgekit_runtimes.onnxruntime_providers import Provider

_ERRORS_ONLY, _EVERYTHING = 3, 0
_DAMAGED = ("InvalidProtobuf", "InvalidGraph", "NoSuchFile", "NoModel")
_RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"
_MOST_REASONS = 3


def open_native(path: Path, options: SessionOptions, providers: Sequence[Provider], profile: str | None = None) -> Any:
    """ONNX Runtime's session. ``profile``: prefix of the file with the record of its runs.

    Raises ArtifactError (damaged file), UsageError (wrong option), RuntimeUnavailableError: a provider did not start, or
    started and took none of the ops, so that all would run on the CPU.
    """
    settings = native_options(options, providers, path)
    if profile is not None:
        settings.enable_profiling, settings.profile_file_prefix = True, profile
    if profile is not None or providers:
        settings.add_session_config_entry(_RECORD_ASSIGNMENT, "1")
    if not providers:
        return _created(path, settings, providers)
    session, complaints = _create_loud(path, settings, providers)
    _verify_start(session, providers, complaints)
    _verify_part(path, options, session, providers, complaints)
    return session


def _create_loud(path: Path, settings: Any, providers: Sequence[Provider]) -> tuple[Any, tuple[str, ...]]:
    """The session with what its providers complained of. Raises RuntimeUnavailableError with that."""
    with caught_with_output() as printed:
        try:
            session, failure = _created(path, settings, providers), None
        except RuntimeUnavailableError as error:
            session, failure = None, error
    complaints = onnxruntime_log.complaints(printed.text)
    if failure is not None:
        raise RuntimeUnavailableError(_because(str(failure), complaints)) from failure
    return session, complaints


def _created(path: Path, settings: Any, providers: Sequence[Provider]) -> Any:
    import onnxruntime

    built_in = [(provider.name, dict(provider.options)) for provider in providers if provider.device is None]
    listed = None if len(built_in) < len(providers) else [*built_in, (CPU, {})]
    try:
        session = onnxruntime.InferenceSession(str(path), settings, providers=listed, enable_fallback=0)
    except native_errors() as error:
        if providers and type(error).__name__ not in _DAMAGED:
            names = " and ".join(provider.name for provider in providers)
            raise RuntimeUnavailableError(f"{names} can't open {path.name}: {one_line(error)}") from error
        raise ArtifactError(f"{path} is not an ONNX file that ONNX Runtime can open: {one_line(error)}") from error
    session.disable_fallback()
    return session


def _verify_start(session: Any, providers: Sequence[Provider], complaints: Sequence[str]) -> None:
    running = session.get_providers()
    for provider in providers:
        if provider.name not in running:
            raise RuntimeUnavailableError(
                _because(f"{provider.name} is there, but did not start with {_told(provider)}", complaints)
            )


def _verify_part(
    path: Path, options: SessionOptions, session: Any, providers: Sequence[Provider], complaints: Sequence[str]
) -> None:
    """Raises where every op would run on the CPU. ONNX Runtime lists a provider also when it failed and took nothing."""
    names = {provider.name for provider in providers}
    assigned = assignment(session)
    if not assigned or any(name in names for name, _ in assigned):
        return
    said = _reasons(refusals(path, options, providers)) or complaints
    raise RuntimeUnavailableError(
        _because(
            f"{' and '.join(sorted(names))} took none of the {len(assigned)} ops of {path.name}: it would run on the CPU alone",
            said,
        )
    )


def assignment(session: Any) -> list[tuple[str, Any]]:
    """The provider of every op of the graph, before providers make one op of their part; empty where it wasn't recorded."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return []
    return [
        (str(part.ep_name), node) for part in session.get_provider_graph_assignment_info() for node in part.get_nodes()
    ]


def refusals(path: Path, options: SessionOptions, providers: Sequence[Provider]) -> dict[str, str]:
    """Why ops are left to the CPU, by name, as far as the providers say so when they are told to say all."""
    settings = native_options(options, providers, path)
    settings.log_severity_level = _EVERYTHING
    with caught_with_output() as printed:
        try:
            _created(path, settings, providers)
        except RuntimeUnavailableError:
            return {}
    return onnxruntime_log.refusals(printed.text)


def _reasons(refused: dict[str, str]) -> list[str]:
    found = Counter(refused.values())
    return [f"{reason} ({count} ops)" for reason, count in found.most_common(_MOST_REASONS)]


def _because(message: str, said: Sequence[str]) -> str:
    reasons = "; ".join(each.rstrip(". ") for each in said[:_MOST_REASONS])
    return f"{message}{': ' if reasons else ''}{reasons}. Leave it out to run on the CPU."


def _told(provider: Provider) -> str:
    return ", ".join(f"{key}={value}" for key, value in provider.options.items()) or "its own defaults"


def native_options(options: SessionOptions, providers: Sequence[Provider], path: Path) -> Any:
    """Raises UsageError for an option that ONNX Runtime has not."""
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    known = {"all": levels.ORT_ENABLE_ALL, "basic": levels.ORT_ENABLE_BASIC, "none": levels.ORT_DISABLE_ALL}
    if options.optimization not in known:
        raise UsageError(f"optimization is {options.optimization!r}; expected one of: {', '.join(known)}")
    if options.threads < 1:
        raise UsageError(f"threads is {options.threads}; expected 1 or more")
    if options.kernels != "default":
        raise UsageError(f"ONNX Runtime has no {options.kernels!r} kernels; it has the default ones")
    native = onnxruntime.SessionOptions()
    native.intra_op_num_threads, native.inter_op_num_threads = options.threads, 1
    native.graph_optimization_level = known[options.optimization]
    native.log_severity_level = _ERRORS_ONLY
    if options.threads == 1:
        native.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if providers:
        _add_plugins(native, providers)
    if any(provider.fixed_shapes for provider in providers):
        for name in open_batches(path):
            native.add_free_dimension_override_by_name(name, 1)
    for key, value in options.settings.items():
        native.add_session_config_entry(key, value)
    return native


def _add_plugins(native: Any, providers: Sequence[Provider]) -> None:
    plugins = [provider for provider in providers if provider.device is not None]
    if plugins and len(plugins) < len(providers):
        built_in = next(provider.name for provider in providers if provider.device is None)
        raise UsageError(
            f"{plugins[0].name} is a plug-in and {built_in} is built in: ONNX Runtime opens a file with one kind"
        )
    for provider in plugins:
        native.add_provider_for_devices([provider.device], dict(provider.options))


def open_batches(path: Path) -> tuple[str, ...]:
    """Names of the open first dimensions of a file's inputs."""
    import onnxruntime

    plain = onnxruntime.SessionOptions()
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    plain.log_severity_level = _ERRORS_ONLY
    inputs = _created(path, plain, ()).get_inputs()
    return tuple(dict.fromkeys(entry.shape[0] for entry in inputs if entry.shape and isinstance(entry.shape[0], str)))


def native_errors() -> tuple[type[Exception], ...]:
    """The exceptions of ONNX Runtime's native part, which share no base class of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    found = [kind for kind in vars(native).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return (*found, RuntimeError, ValueError)


def one_line(error: Exception) -> str:
    """The message without its error-code prefix and line breaks."""
    return re.sub(r"^\d+ : \w+ : ", "", " ".join(str(error).split("] : ", 1)[-1].split()))

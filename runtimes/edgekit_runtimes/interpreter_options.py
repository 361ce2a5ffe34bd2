"""Opening a TFLite interpreter with the options of a session; one path for all packages that bring it."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import ArtifactError, RuntimeUnavailableError, UsageError
from edgekit.protocols import Availability, Delegate, SessionOptions, TimedOp
from edgekit_runtimes.external_delegate import ExternalDelegate, load_external
from edgekit_runtimes.installed import require
from edgekit_runtimes.interpreter import Interpreter, InterpreterSession, last_line
from edgekit_runtimes.interpreter_placement import Share, partitions_of
from edgekit_runtimes.interpreter_times import op_times
from edgekit_runtimes.known_delegates import installed, library_of

_RESOLVERS = {"default": "AUTO", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}
"""`SessionOptions.kernels` to the interpreter's OpResolverType."""


def accelerators() -> tuple[str, ...]:
    """What an interpreter can be asked for on this machine."""
    return ("XNNPACK", "builtin", "reference", *installed())


def open_interpreter(
    runtime: str, availability: Availability, module_name: str, path: Path, options: SessionOptions
) -> InterpreterSession:
    """Raises RuntimeUnavailableError (package or delegate absent), UsageError (unknown option), ArtifactError (damaged file)."""
    options = checked(runtime, availability, path, options)
    try:
        interpreter = _interpreter(module_name, options, model_path=str(path))
    except (RuntimeError, ValueError) as error:
        raise ArtifactError(f"{path} is not a TFLite file that {runtime} can open: {error}") from error
    delegates = _load(runtime, options.delegates)
    shares = tuple(_apply(interpreter, delegate) for delegate in delegates)
    return InterpreterSession(interpreter, path, shares, xnnpack=options.kernels == "default")


def time_ops(
    runtime: str, availability: Availability, module_name: str, path: Path, options: SessionOptions
) -> tuple[TimedOp, ...]:
    """The file's ops, each with its time. Raises as `open_interpreter`."""
    ops = open_interpreter(runtime, availability, module_name, path, options).placement().ops
    options = checked(runtime, availability, path, options)

    def open_content(content: bytes) -> Interpreter:
        interpreter = _interpreter(module_name, options, model_content=content)
        for delegate in _load(runtime, options.delegates):
            _apply(interpreter, delegate)
        return interpreter

    return op_times(path.read_bytes(), ops, open_content)


def checked(runtime: str, availability: Availability, path: Path, options: SessionOptions) -> SessionOptions:
    """The options with kernels that were asked for as a delegate ("reference") in their place. Raises as `open_interpreter`."""
    require(runtime, availability)
    options = _with_kernels(options)
    if options.kernels not in _RESOLVERS:
        raise UsageError(f"kernels is {options.kernels!r}; expected one of: {', '.join(_RESOLVERS)}")
    if options.kernels != "default" and any(map(_is_xnnpack, options.delegates)):
        raise UsageError(f"the {options.kernels} kernels run without a delegate; leave out 'XNNPACK'")
    if options.threads < 1:
        raise UsageError(f"threads is {options.threads}; expected 1 or more")
    if options.settings:
        raise UsageError(f"{runtime} has no setting {next(iter(options.settings))!r}; it takes none")
    if not path.is_file():
        raise ArtifactError(f"there is no model file {str(path)!r}")
    return options


def _with_kernels(options: SessionOptions) -> SessionOptions:
    named = [delegate for delegate in options.delegates if delegate.name.lower() in ("builtin", "reference")]
    if not named:
        return options
    others = tuple(delegate for delegate in options.delegates if delegate not in named)
    return dataclasses.replace(options, delegates=others, kernels=named[0].name.lower())


def _interpreter(module_name: str, options: SessionOptions, **model: str | bytes) -> Interpreter:
    module: Any = importlib.import_module(module_name)
    interpreter: Interpreter = module.Interpreter(
        **model,
        num_threads=options.threads,
        experimental_op_resolver_type=getattr(module.OpResolverType, _RESOLVERS[options.kernels]),
    )
    return interpreter


def _load(runtime: str, delegates: Sequence[Delegate]) -> list[ExternalDelegate]:
    usable = f"it has {', '.join(accelerators())}"
    loaded = []
    for delegate in delegates:
        if not _is_xnnpack(delegate):
            loaded.append(load_external(delegate, library_of(delegate, usable)))
        elif delegate.options:
            raise UsageError(f"{runtime} takes no options of XNNPACK; litert does")
    return loaded


def _apply(interpreter: Interpreter, delegate: ExternalDelegate) -> Share:
    """Let the delegate take its ops, before XNNPACK takes what is left (when tensors are allocated).

    The interpreter's own list of delegates keeps it alive, and is emptied after the graph is gone.
    """
    before = partitions_of(interpreter._get_ops_details())
    interpreter._delegates.append(delegate)
    try:
        interpreter._interpreter.ModifyGraphWithDelegate(delegate.pointer)
    except (RuntimeError, ValueError) as error:
        raise RuntimeUnavailableError(
            f"the delegate {delegate.name!r} failed on this file: {last_line(error)}"
        ) from error
    return Share(delegate.name, len(partitions_of(interpreter._get_ops_details())) - len(before))


def _is_xnnpack(delegate: Delegate) -> bool:
    return delegate.library is None and delegate.name.upper() == "XNNPACK"

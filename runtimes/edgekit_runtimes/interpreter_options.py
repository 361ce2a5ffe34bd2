"""Opening a TFLite interpreter with the options of a session; one path for all packages that bring it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from edgekit.errors import ArtifactError, RuntimeUnavailableError, UsageError
from edgekit.protocols import Availability, SessionOptions, TimedOp
from edgekit_runtimes.interpreter import Interpreter, InterpreterSession
from edgekit_runtimes.interpreter_times import op_times

_RESOLVERS = {"default": "AUTO", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}
"""`SessionOptions.kernels` to the interpreter's OpResolverType."""


def open_interpreter(
    runtime: str, availability: Availability, module_name: str, path: Path, options: SessionOptions
) -> InterpreterSession:
    """Raises RuntimeUnavailableError (package or delegate absent), UsageError (unknown option), ArtifactError (damaged file)."""
    _check_usable(runtime, availability, path, options)
    try:
        interpreter = _interpreter(module_name, options, model_path=str(path))
    except (RuntimeError, ValueError) as error:
        raise ArtifactError(f"{path} is not a TFLite file that {runtime} can open: {error}") from error
    return InterpreterSession(interpreter, path)


def time_ops(
    runtime: str, availability: Availability, module_name: str, path: Path, options: SessionOptions
) -> tuple[TimedOp, ...]:
    """The file's ops, each with its time. Raises as `open_interpreter`."""
    ops = open_interpreter(runtime, availability, module_name, path, options).placement().ops

    def open_content(content: bytes) -> Interpreter:
        return _interpreter(module_name, options, model_content=content)

    return op_times(path.read_bytes(), ops, open_content)


def _interpreter(module_name: str, options: SessionOptions, **model: str | bytes) -> Interpreter:
    module: Any = importlib.import_module(module_name)
    interpreter: Interpreter = module.Interpreter(
        **model,
        num_threads=options.threads,
        experimental_op_resolver_type=getattr(module.OpResolverType, _RESOLVERS[options.kernels]),
    )
    return interpreter


def _check_usable(runtime: str, availability: Availability, path: Path, options: SessionOptions) -> None:
    if not availability.available:
        raise RuntimeUnavailableError(f"{runtime} can't be used: {availability.reason}. {_try(availability)}")
    _check(runtime, options)
    if not path.is_file():
        raise ArtifactError(f"there is no model file {str(path)!r}")


def _check(runtime: str, options: SessionOptions) -> None:
    for delegate in options.delegates:
        if delegate.name.upper() != "XNNPACK":
            raise RuntimeUnavailableError(
                f"{runtime} has no delegate {str(delegate.library or delegate.name)!r} here; it has XNNPACK"
            )
    if options.kernels not in _RESOLVERS:
        raise UsageError(f"kernels is {options.kernels!r}; expected one of: {', '.join(_RESOLVERS)}")
    if options.delegates and options.kernels != "default":
        raise UsageError(
            f"the {options.kernels} kernels run without a delegate; leave out {options.delegates[0].name!r}"
        )
    if options.threads < 1:
        raise UsageError(f"threads is {options.threads}; expected 1 or more")
    if options.settings:
        raise UsageError(f"{runtime} has no setting {next(iter(options.settings))!r}; it takes none")


def _try(availability: Availability) -> str:
    return f"Install it with: {availability.remedy}" if availability.remedy else ""

"""Every error that a user can cause, as one tree.

::

    EdgekitError
    ├── UsageError               the command line or a recipe is wrong (exit code 2)
    │   ├── RecipeError          a recipe or target file has an unknown or wrong entry
    │   └── UnknownNameError     no runtime, source, target or metric of that name
    ├── PluginError              what another package adds can't be loaded
    ├── MissingPackageError      a package is not installed; names the extra that brings it
    ├── SourceError              a model file can't be read
    │   ├── UnsupportedLayerError  the reader has no rule for a layer or operator
    │   └── UntrustedSourceError   reading it would execute code of the file
    ├── DatasetError             samples are missing, damaged or do not fit the model
    ├── ConversionError          quantizing or writing failed
    │   └── UnsupportedOpError   a writer can't emit an operator
    ├── ArtifactError            a written file is missing, damaged or was changed after it was written
    ├── FeedError                inputs given to a session have a wrong name, shape or dtype
    │   └── RaggedOutputError    an output's first axis does not count the samples
    ├── RuntimeUnavailableError  a runtime, provider or delegate can't be used here
    ├── CompilerError            a processor's compiler is absent or failed
    ├── DeviceError              a device can't be reached, or lacks what running a model there needs
    ├── MeasurementError         a figure can't be measured as asked (too few samples, empty input)
    └── StageCrashError          a native library ended the process that ran a stage

A message says what was found, what was expected, where, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EdgekitError(Exception):
    """Base of all errors that end a command with one message and no traceback."""

    exit_code = 1


class UsageError(EdgekitError):
    """The command line, a recipe or a parameter is wrong."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe or target file has an unknown key or a wrong value."""


class UnknownNameError(UsageError):
    """No entry of that name; suggests the nearest one."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names) or 'none'}."
        super().__init__(f"there is no {kind} named {name!r}. {hint}")


class PluginError(EdgekitError):
    """A package's entry point names something that can't be loaded, or that raises when it is made."""

    def __init__(self, kind: str, name: str, package: str, error: Exception) -> None:
        super().__init__(
            f"the {kind} {name!r} of the package {package or 'unknown'!r} can't be loaded: {type(error).__name__}: {error}. "
            "Repair or uninstall that package"
        )


class MissingPackageError(EdgekitError):
    """A package that the task needs is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'edgekit-ml[{extra}]'"
        )


class SourceError(EdgekitError):
    """A model file is missing, damaged or of an unknown kind."""


class UnsupportedLayerError(SourceError):
    """A reader has no rule for a layer or operator of the source."""


class UntrustedSourceError(SourceError):
    """Reading the file would execute code it contains."""


class DatasetError(EdgekitError):
    """Samples are missing, damaged or do not fit the model."""


class ConversionError(EdgekitError):
    """Quantizing or writing failed."""


class UnsupportedOpError(ConversionError):
    """A writer can't emit an operator."""

    def __init__(self, op: str, node: str, target_format: str, reason: str = "", supported: Iterable[str] = ()) -> None:
        near = difflib.get_close_matches(op, list(supported), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "docs/ops.md lists what it can emit."
        why = f": {reason}." if reason else "."
        super().__init__(f"node {node!r} uses {op}, which the {target_format} writer cannot emit{why} {hint}")
        self.op, self.node = op, node


class ArtifactError(EdgekitError):
    """A written file is missing, damaged, or not the one its manifest describes."""


class FeedError(EdgekitError):
    """Inputs given to a session have a wrong name, shape or dtype."""


class RaggedOutputError(FeedError):
    """An output has no batch axis by which runs over several samples could be joined."""


class RuntimeUnavailableError(EdgekitError):
    """A runtime, provider or delegate can't be used on this machine."""


class CompilerError(EdgekitError):
    """A vendor's compiler is not installed, does not know what is asked, or failed."""


class DeviceError(EdgekitError):
    """A device can't be reached, was lost in the middle of work, or lacks what running a model there needs."""


class MeasurementError(EdgekitError):
    """A figure can't be measured as asked."""


class StageCrashError(EdgekitError):
    """A native library ended the process that ran a stage."""

"""The user's function that makes a module: ``module:callable`` or ``file.py:callable``. Runs in a child process."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from edgekit.errors import SourceError, UsageError

if TYPE_CHECKING:
    import torch


def make_module(reference: str) -> torch.nn.Module:
    """What the user's callable returns. Raises UsageError when there is none or it makes no module."""
    import torch

    where, _, attribute = reference.rpartition(":")
    if not where or not attribute:
        raise UsageError(f"--factory is {reference!r}; expected module:callable or file.py:callable")
    factory: object = _imported(where, reference)
    for name in attribute.split("."):
        if not hasattr(factory, name):
            raise UsageError(f"--factory {reference!r}: {where} has no {name!r}")
        factory = getattr(factory, name)
    if not callable(factory):
        raise UsageError(f"--factory {reference!r} is a {type(factory).__name__}; expected a function or class")
    try:
        module = factory()
    except Exception as error:  # the user's code may raise anything
        raise SourceError(f"--factory {reference!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(module, torch.nn.Module):
        raise UsageError(f"--factory {reference!r} made a {type(module).__name__}; expected a torch.nn.Module")
    return module


def _imported(where: str, reference: str) -> ModuleType:
    # At the end, so that no file of the working folder shadows an installed package.
    sys.path.append(str(Path.cwd()))
    try:
        return _from_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except (ImportError, OSError) as error:
        raise UsageError(f"--factory {reference!r} can't be imported from {Path.cwd()}: {error}") from error
    except Exception as error:  # the user's code may raise anything
        raise SourceError(f"--factory {reference!r}: importing it failed: {type(error).__name__}: {error}") from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    sys.path.append(str(path.parent.resolve()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module

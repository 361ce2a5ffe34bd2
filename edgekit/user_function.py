"""A function of the user's, named as ``module:function``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.errors import UsageError


def load_function(reference: str, purpose: str) -> Callable[..., Any]:
    """The function; modules are looked for in the current folder first. Raises UsageError when it is not there."""
    module_name, _, attribute = reference.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        raise UsageError(f"{purpose} {reference!r}: there is no file or module {error.name!r} here") from error
    except AttributeError as error:
        raise UsageError(f"{purpose} {reference!r}: module {module_name!r} has no {attribute!r}") from error
    if not callable(function):
        raise UsageError(f"{purpose} {reference!r} is not a function")
    return function  # type: ignore[no-any-return]  # callable() does not narrow Any

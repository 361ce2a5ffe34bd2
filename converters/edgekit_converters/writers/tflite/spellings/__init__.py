"""Spellings by family. `load` enters them all in the table (`spells`)."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Import every family of this folder; each enters its functions once."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)

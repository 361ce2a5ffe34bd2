"""A place without child processes, for tests of what is measured rather than of where: a child takes half a second to start."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgekit.conditions import Conditions
from edgekit.isolation import Outcome
from edgekit.place import Here, RuntimeChoice
from edgekit.protocols import Progress, Session, SessionOptions, Silent


class InProcess:
    """This process, which counts the calls that would be processes of their own.

    ``scripted``: by the function's name what answers in its place, so that a figure is known beforehand.
    """

    name = ""
    emulated = False

    def __init__(self, scripted: Mapping[str, Callable[[Any], object]] | None = None) -> None:
        self._here = Here()
        self._scripted = scripted or {}
        self.calls: list[str] = []

    def runtime(self, path: Path, name: str | None = None) -> RuntimeChoice:
        return self._here.runtime(path, name)

    def send(self, path: Path) -> Path:
        return self._here.send(path)

    def open_file(self, path: Path, runtime: str | None, options: SessionOptions) -> Session:
        return self._here.open_file(path, runtime, options)

    def run(
        self, function: str, request: object, progress: Progress | None = None, *, stage: str | None = None
    ) -> Outcome:
        self.calls.append(function)
        if (answer := self._scripted.get(function)) is not None:
            return Outcome(answer(request), peak_memory_bytes=1, cpu_seconds=0.0)
        module, _, name = function.partition(":")
        value = getattr(importlib.import_module(module), name)(request, progress or Silent())
        return Outcome(value, peak_memory_bytes=1, cpu_seconds=0.0)

    def conditions(self) -> Conditions:
        return self._here.conditions()

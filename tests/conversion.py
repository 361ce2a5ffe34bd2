"""`edgekit convert` as a user runs it, and what it left."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.cli.border import run
from edgekit.cli.console import Console

DIGITS = Path(__file__).parent.parent / "examples" / "digits"
CALIBRATE = ("--calibrate", str(DIGITS / "calibrate.npz"))
UNCHECKED = (*CALIBRATE, "--no-checks")


@dataclass(frozen=True, slots=True)
class Converted:
    """``document`` is what stood on stdout, ``err`` what stood on stderr."""

    out: Path
    code: int
    document: dict[str, Any]
    err: str

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.out.iterdir()} if self.out.is_dir() else set()

    def manifest(self, file: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.out / f"{file}.json").read_text("utf-8"))
        return found


def convert(model: Path | str, out: Path, *options: str) -> Converted:
    """Run ``edgekit convert MODEL -o OUT --json`` with the options."""
    stdout, stderr = io.StringIO(), io.StringIO()
    code = run(["convert", str(model), "-o", str(out), "--json", *options], Console(stdout, stderr))
    return Converted(out, code, json.loads(stdout.getvalue()), stderr.getvalue())

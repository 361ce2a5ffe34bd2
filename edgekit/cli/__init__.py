"""The command line. Each command is one file, imported when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the command ``edgekit``: runs it and leaves the process with its exit code."""
    from edgekit.cli.border import run

    sys.exit(run(sys.argv[1:] if argv is None else argv))

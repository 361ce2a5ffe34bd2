"""``python -m edgekit.cli`` is the command ``edgekit``."""

from edgekit.cli import main

main()

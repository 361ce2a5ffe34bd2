"""What the runtimes ask of the packages that they adapt: the installed version, and an error where there is none."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from edgekit.errors import RuntimeUnavailableError
from edgekit.protocols import Availability


def installed_version(distribution: str) -> str:
    """ "" for a copy without its package's records, and for builds that come under another name."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def require(runtime: str, availability: Availability) -> None:
    """Raises RuntimeUnavailableError, with the reason and the remedy, for a runtime that can't be used."""
    if not availability.available:
        raise RuntimeUnavailableError(f"{runtime} can't be used: {availability.words}")

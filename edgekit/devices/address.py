"""`Address`: where a device is, as a value that crosses to child processes."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit import registry
from edgekit.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Address:
    """``url``: "ssh://pi@kitchen:2222", "emulated://raspberry-pi-4", "local". ``python`` None: the best found there.

    ``name``: what the user calls it. Raises UnknownNameError for a scheme that no transport has.
    """

    url: str
    python: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.scheme not in registry.names("transport"):
            raise UnknownNameError("way to reach a device", self.scheme, registry.names("transport"))
        if not self.name:
            object.__setattr__(self, "name", self.url)

    @property
    def scheme(self) -> str:
        return self.url.partition("://")[0]

    @property
    def place(self) -> str:
        """What follows the scheme."""
        return self.url.partition("://")[2]


def is_url(text: str) -> bool:
    """Whether ``text`` says where a device is, rather than what the inventory calls it."""
    return "://" in text or text == "local"

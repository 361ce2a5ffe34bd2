"""What a text like ``samples.npz[0:200]`` names: where the samples are, of what kind, and which of them."""

from __future__ import annotations

import enum
import re
from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import DatasetError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".gif", ".tif", ".tiff"})
SOUND_SUFFIXES = frozenset({".wav", ".wave"})

_SLICE = re.compile(r"^(?P<base>.*)\[(?P<start>\d*):(?P<stop>\d*)\]$")
_FACTORY = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")


class Kind(enum.Enum):
    """A kind of samples, with how an error names it."""

    ARRAYS = ".npz or .npy file"
    CSV = ".csv file"
    TEXTS = ".txt file"
    PICTURES = "folder of pictures"
    SOUNDS = "folder of .wav files"
    GENERATOR = "module:function"


@dataclass(frozen=True, slots=True)
class Location:
    """``base`` is the text without the slice; ``start`` and ``stop`` are the slice's ends."""

    text: str
    base: str
    kind: Kind
    start: int = 0
    stop: int | None = None

    @property
    def path(self) -> Path:
        return Path(self.base)

    def last_wanted(self, offset: int, limit: int | None) -> int | None:
        """No sample from this one on is needed; None when all are."""
        ends = [self.stop, None if limit is None else self.start + offset + limit]
        return min((end for end in ends if end is not None), default=None)

    def window(self, samples: Sized, offset: int, limit: int | None) -> tuple[int, int]:
        """First sample and the one after the last. Raises DatasetError when there are fewer than the slice asks for."""
        if offset < 0 or (limit is not None and limit < 1):
            raise DatasetError(
                f"offset is {offset} and limit {limit}; expected an offset of 0 or more, a limit of 1 or more"
            )
        start = self.start + offset
        count = len(samples)
        if count == 0:
            raise DatasetError(f"{self.base} holds no samples")
        stop = count if self.stop is None else self.stop
        if stop > count or start >= stop:
            raise DatasetError(f"{self.base} holds {count} samples; {start}:{stop} is no part of them")
        return start, stop if limit is None else min(stop, start + limit)


def parse_location(text: str) -> Location:
    """Raises DatasetError when nothing is there or its kind is unknown."""
    base, start, stop = text, 0, None
    if (match := _SLICE.match(text)) and not Path(text).exists():
        base, start = match["base"], int(match["start"] or 0)
        stop = int(match["stop"]) if match["stop"] else None
    if stop is not None and stop <= start:
        raise DatasetError(f"the slice of {text!r} is empty; expected [first:one after the last]")
    return Location(text, base, _kind_of(base), start, stop)


def _kind_of(base: str) -> Kind:
    path = Path(base)
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.exists():
        if _FACTORY.match(base):
            return Kind.GENERATOR
        raise DatasetError(f"there are no samples at {base!r}; expected {_known_kinds()}")
    suffix = path.suffix.lower()
    if suffix in (".npz", ".npy"):
        return Kind.ARRAYS
    if suffix in (".csv", ".tsv"):
        return Kind.CSV
    if suffix == ".txt":
        return Kind.TEXTS
    raise DatasetError(f"{base} is of no known kind; expected {_known_kinds()}")


def _kind_of_folder(path: Path) -> Kind:
    for file in sorted(path.rglob("*")):
        suffix = file.suffix.lower()
        if suffix in PICTURE_SUFFIXES:
            return Kind.PICTURES
        if suffix in SOUND_SUFFIXES:
            return Kind.SOUNDS
    raise DatasetError(
        f"the folder {path} holds neither pictures ({', '.join(sorted(PICTURE_SUFFIXES))}) nor .wav files"
    )


def _known_kinds() -> str:
    return ", ".join(kind.value for kind in Kind)

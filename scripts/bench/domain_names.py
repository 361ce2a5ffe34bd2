"""Real domain names from a package of lists, and names as malware generates them, with the features that dgaintel takes.

Each generator follows the published description of a family's algorithm.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterator
from itertools import islice

import numpy as np
from models import packaged_file
from numpy.typing import NDArray

LISTS = ("tranco10k", "university_domains")
LENGTH = 82
_ALPHABET = "-.0123456789_abcdefghijklmnopqrstuvwxyz"
_FIRST_DAY = datetime.date(2024, 1, 1)


def features(names: list[str]) -> NDArray[np.int32]:
    """(names, 82): the place of each character in the alphabet, zeros behind the name; as dgaintel's own code does it."""
    rows = np.zeros((len(names), LENGTH), np.int32)
    for row, name in zip(rows, names, strict=True):
        for place, character in enumerate(name[:LENGTH]):
            row[place] = _ALPHABET.index(character) if character in _ALPHABET else 1
    return rows


def real_names(count: int) -> list[str]:
    """Popular sites and universities, as many of each, drawn from all over the lists."""
    random, each = np.random.default_rng(0), count // len(LISTS)
    found: list[str] = []
    for name in LISTS:
        folder = "pymispwarninglists/data/misp-warninglists/lists"
        listed = json.loads(packaged_file("pymispwarninglists", f"{folder}/{name}/list.json").read_text("utf-8"))[
            "list"
        ]
        plain = sorted({entry.lower() for entry in listed if set(entry.lower()) <= set(_ALPHABET)})
        found += [plain[row] for row in random.permutation(len(plain))[:each]]
    return found


def generated_names(count: int) -> list[str]:
    """As many of each of four families."""
    families = (_cryptolocker(), _ramnit(), _murofet(), _dyre())
    return [name for family in families for name in islice(family, count // len(families))]


def _cryptolocker() -> Iterator[str]:
    """15 letters, each from three shift registers that the day, month and year start."""
    for day_number in range(100_000):
        date = _FIRST_DAY + datetime.timedelta(day_number)
        year, month, day, letters = date.year, date.month, date.day, ""
        for _ in range(15):
            year = ((year ^ 8 * year) >> 11) ^ ((year & 0xFFFFFFF0) << 17)
            month = ((month ^ 4 * month) >> 25) ^ 16 * (month & 0xFFFFFFF8)
            day = ((day ^ (day << 13)) >> 19) ^ ((day & 0xFFFFFFFE) << 12)
            letters += chr((year ^ month ^ day) % 25 + ord("a"))
            year, month, day = year & 0xFFFFFFFF, month & 0xFFFFFFFF, day & 0xFFFFFFFF
        yield f"{letters}.{('com', 'net', 'biz', 'ru', 'org', 'info')[day_number % 6]}"


def _ramnit() -> Iterator[str]:
    """8 to 19 letters from the generator of Park and Miller, each name starting where the one before ended."""
    seed = 0x0F2C5A31
    while True:
        seed = _park_miller(seed)
        length, letters = seed % 12 + 8, ""
        for _ in range(length):
            seed = _park_miller(seed)
            letters += chr(seed % 25 + ord("a"))
        yield f"{letters}.com"


def _park_miller(seed: int) -> int:
    return 16807 * seed % 0x7FFFFFFF


def _murofet() -> Iterator[str]:
    """The MD5 sum of date and number, half a byte a letter where the two halves make one."""
    number = 0
    while True:
        date = _FIRST_DAY + datetime.timedelta(number // 800)
        start = bytes([(date.year + 48) & 0xFF, date.month, date.day, 0]) + (number % 800 * 2).to_bytes(4, "little")
        digest = hashlib.md5(start, usedforsecurity=False).digest()
        codes = ((byte & 0x0F) + (byte >> 4) for byte in digest)
        letters = "".join(chr(code + ord("a")) for code in codes if code < 26)
        yield f"{letters}.{('ru', 'biz', 'info', 'org', 'net', 'com')[number % 6]}"
        number += 1


def _dyre() -> Iterator[str]:
    """A letter and 33 hexadecimal digits of the SHA-256 sum of date and number."""
    number = 0
    while True:
        date = _FIRST_DAY + datetime.timedelta(number // 333)
        digest = hashlib.sha256(f"{date.year}-{date.month}-{date.day}{number % 333}".encode()).hexdigest()
        yield f"{chr(number % 333 % 26 + ord('a'))}{digest[3:36]}.{('cc', 'ws', 'to', 'in', 'hk', 'cn', 'tk', 'so')[number % 8]}"
        number += 1

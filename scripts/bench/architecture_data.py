"""What the networks of `architectures` are trained, calibrated and measured on: real samples, split once with a fixed seed."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from models import WORK, data_file
from numpy.typing import NDArray

CALIBRATE, EVALUATE = 512, 256
"""Samples to calibrate on, and others, which no network is trained on, to measure on."""

NOISE = 16
"""Numbers that a generator makes a picture of."""

TOKENS = 32
VOCABULARY = 2000
CHARACTERS = 48

Arrays = tuple[NDArray[Any], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """``x``, ``y`` to train on; ``calibrate`` is a part of ``x``, ``evaluate`` is not."""

    x: NDArray[Any]
    y: NDArray[np.int64]
    calibrate: NDArray[Any]
    evaluate: NDArray[Any]

    def file(self, name: str, input_name: str) -> Path:
        """The calibration samples as .npz under the name of a model's input."""
        path = WORK / "architectures" / f"{name}.calibrate.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{input_name: self.calibrate})
        return path


def samples(data: str) -> Samples:
    """Of one of `DATA`."""
    x, y = DATA[data]()
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    return Samples(x[EVALUATE:], y[EVALUATE:], x[EVALUATE : EVALUATE + CALIBRATE], x[:EVALUATE])


def _connections() -> Arrays:
    """NSL-KDD records as (N, 49): numbers on a logarithmic scale of 0..1, protocol and flag one-hot; attack or not."""
    rows = _rows("nsl_kdd/KDDTrain+_20Percent.txt")
    numbers = np.array([[float(cell) for cell in (row[0], *row[4:41])] for row in rows], np.float32)
    numbers = np.log1p(numbers)
    numbers /= np.maximum(numbers.max(axis=0), 1e-6)
    chosen = [_one_hot([row[column] for row in rows]) for column in (1, 3)]
    labels = np.array([row[41] != "normal" for row in rows], np.int64)
    return np.concatenate([numbers, *chosen], axis=1).astype(np.float32), labels


def _pictures() -> Arrays:
    """CIFAR-10 as (N, 32, 32, 3) in -1..1."""
    data = np.load(data_file("cifar10_train.npz"))
    return (data["x"].astype(np.float32) - 127.5) / 127.5, data["y"].astype(np.int64).reshape(-1)


def _spectrograms() -> Arrays:
    """Spoken digits as (N, 30, 40) log-mel spectrograms, two frames in one."""
    from spoken_digits import spoken_digits_samples

    spoken_digits_samples()
    parts = [np.load(WORK / f"digits_{part}.npz") for part in ("train", "evaluate")]
    x = np.concatenate([part["x"] for part in parts])[:, :60]
    return x.reshape(len(x), 30, 2, 40).mean(axis=2), np.concatenate([part["y"] for part in parts])


def _digits() -> Arrays:
    """Handwritten digits of scikit-learn as (N, 8, 8, 1) in 0..1."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images[..., None] / 16).astype(np.float32), data.target.astype(np.int64)


def _noise() -> Arrays:
    """What a generator is fed: normal (N, 16)."""
    return np.random.default_rng(1).standard_normal((2048, NOISE)).astype(np.float32), np.zeros(2048, np.int64)


def _reviews() -> Arrays:
    """Sentences of film reviews as (N, 32) numbers of words, 0 behind their end, 1 for rare words; praise or not."""
    sentences = [(line.split(), label) for label, line in _sentences()]
    common = Counter(word for words, _ in sentences for word in words).most_common(VOCABULARY - 2)
    numbers = {word: index + 2 for index, (word, _) in enumerate(common)}
    x = np.zeros((len(sentences), TOKENS), np.int32)
    for row, (words, _) in zip(x, sentences, strict=True):
        row[: len(words)] = [numbers.get(word, 1) for word in words][:TOKENS]
    return x, np.array([label for _, label in sentences], np.int64)


def _text() -> Arrays:
    """The first 48 characters of the reviews that are as long, (N, 48); nothing to tell."""
    lines = [line[:CHARACTERS] for _, line in _sentences() if len(line) >= CHARACTERS]
    x = np.array([[_character(letter) for letter in line] for line in lines], np.int32)
    return x, np.zeros(len(x), np.int64)


LETTERS = " abcdefghijklmnopqrstuvwxyz.,'-"
"""Characters of the texts; whatever else occurs is the one number behind them."""


def _character(letter: str) -> int:
    found = LETTERS.find(letter)
    return found if found >= 0 else len(LETTERS)


def _sentences() -> Iterator[tuple[int, str]]:
    for label, name in enumerate(("neg", "pos")):
        path = data_file(f"rt_polarity/rt-polarity.{name}")
        yield from ((label, line.strip()) for line in path.read_text("latin-1").splitlines())


def _rows(name: str) -> list[list[str]]:
    with data_file(name).open(newline="") as file:
        return list(csv.reader(file))


def _one_hot(cells: list[str]) -> NDArray[np.float32]:
    kinds = sorted(set(cells))
    return np.array([[cell == kind for kind in kinds] for cell in cells], np.float32)


DATA: Mapping[str, Callable[[], Arrays]] = {
    "connections": _connections,
    "pictures": _pictures,
    "spectrograms": _spectrograms,
    "digits": _digits,
    "noise": _noise,
    "reviews": _reviews,
    "text": _text,
}

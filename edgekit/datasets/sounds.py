"""Samples in a folder of .wav files (PCM of 8, 16, 24 or 32 bits), mono, in full-scale units -1..1."""

from __future__ import annotations

import wave
from collections.abc import Iterator, Sequence
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.datasets.file_labels import files_in, label_files
from edgekit.datasets.location import SOUND_SUFFIXES
from edgekit.datasets.names import only_input
from edgekit.errors import DatasetError, MissingPackageError
from edgekit.protocols import Batch
from edgekit.recipe import Preprocess

Samples = NDArray[np.float32]


class SoundStore:
    """Recordings in the order of their paths; channels are averaged, the end is padded with silence or cut off."""

    def __init__(
        self,
        folder: Path,
        inputs: Sequence[TensorSpec],
        preprocess: Preprocess | None,
        labels: str | None,
    ) -> None:
        self._spec = only_input(inputs, "a folder of recordings")
        self._shape = _recording_shape(self._spec)
        self._mean, self._scale = (preprocess.mean[0], preprocess.scale[0]) if preprocess else (0.0, 1.0)
        self._files = files_in(folder, SOUND_SUFFIXES)
        self._labels = label_files(folder, self._files, labels)
        self._rate = preprocess.sample_rate if preprocess else None
        self.notes = (f"recordings are padded or cut to {max(self._shape)} samples",)

    def __len__(self) -> int:
        return len(self._files)

    def stream(self, start: int, stop: int, size: int) -> Iterator[Batch]:
        for first in range(start, stop, size):
            last = min(stop, first + size)
            sounds = np.stack([self._recording(file) for file in self._files[first:last]])
            labels = None if self._labels is None else self._labels[first:last]
            yield Batch({self._spec.name: sounds}, labels)

    def _recording(self, file: Path) -> Samples:
        samples, rate = read_wav(file)
        if self._rate is not None and rate != self._rate:
            samples = _resampled(samples, rate, self._rate)
        elif self._rate is None and rate != (first := _rate(self._files[0])):
            raise DatasetError(
                f"{file} has {rate} samples a second, {self._files[0].name} {first}. Say which rate the model wants: "
                f"--sample-rate {first}"
            )
        length = max(self._shape)
        fitted = np.zeros(length, np.float32)
        fitted[: len(samples)] = samples[:length]
        scaled = (fitted - np.float32(self._mean)) / np.float32(self._scale)
        return np.asarray(scaled, np.float32).reshape(self._shape)


def read_wav(file: Path) -> tuple[Samples, int]:
    """Mono samples in -1..1 and the rate in samples a second. Raises DatasetError when it is no PCM .wav file."""
    try:
        with wave.open(str(file), "rb") as stream:
            channels, width, rate = stream.getnchannels(), stream.getsampwidth(), stream.getframerate()
            raw = stream.readframes(stream.getnframes())
    except (wave.Error, EOFError, OSError) as error:
        raise DatasetError(
            f"cannot read {file}: {error or 'it ends early'}. Expected PCM of 8, 16, 24 or 32 bits."
        ) from error
    raw = raw[: len(raw) // (width * channels) * (width * channels)]
    mono = _full_scale(raw, width).reshape(-1, channels).mean(axis=1)
    return mono.astype(np.float32), rate


def _full_scale(raw: bytes, width: int) -> Samples:
    """PCM bytes as fractions of full scale. 8-bit samples are unsigned, all others signed little-endian."""
    if width == 1:
        return (np.frombuffer(raw, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)
    # Widen to 32 bits by putting the bytes at the top: the sign comes along.
    wide = np.zeros((len(raw) // width, 4), np.uint8)
    wide[:, 4 - width :] = np.frombuffer(raw, np.uint8).reshape(-1, width)
    return (wide.view("<i4")[:, 0] / 2.0**31).astype(np.float32)


def _rate(file: Path) -> int:
    with wave.open(str(file), "rb") as stream:
        return stream.getframerate()


def _resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    try:
        from scipy.signal import resample_poly
    except ModuleNotFoundError as error:
        raise MissingPackageError("scipy", "convert", "resampling recordings") from error
    common = gcd(rate, wanted)
    return np.asarray(resample_poly(samples, wanted // common, rate // common), np.float32)


def _recording_shape(spec: TensorSpec) -> tuple[int, ...]:
    """(T,), (T, 1) or (1, T)."""
    shape = tuple(size for size in spec.shape[1:] if isinstance(size, int))
    if len(shape) != len(spec.shape) - 1 or sum(size > 1 for size in shape) != 1:
        raise DatasetError(
            f"input {spec.name!r} has shape {spec.shape}; recordings need (batch, samples) of a fixed length. "
            f"Models that take spectra need an .npz file or a module:function."
        )
    return shape

"""From a picture to a model's float input, in numpy alone, so that host and device compute the same to the bit.

Resizing is bilinear with antialiasing: a triangle filter whose half width is one source pixel when enlarging and
``source / target`` pixels when shrinking, applied along the rows, then along the columns, with fixed-point weights of
22 bits and rounding to uint8 after each pass. The pixels equal those of Pillow's ``Image.resize(size, BILINEAR)``;
from version 13 Pillow takes the columns first in some shrinking resizes, where a pixel may then differ by 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DatasetError, MissingPackageError
from edgekit.recipe import Preprocess

Pixels = NDArray[np.uint8]


def apply(pixels: Pixels, preprocess: Preprocess) -> NDArray[np.float32]:
    """The model input of one picture, without a batch axis: (H, W, C) or, for layout NCHW, (C, H, W).

    ``pixels``: (H, W) grey, (H, W, 1) grey, (H, W, 3) RGB or (H, W, 4) RGBA, whose alpha is dropped; uint8.
    Raises DatasetError for anything else.
    """
    picture = _channels(_checked(pixels), preprocess.channels)
    if preprocess.resize is not None:
        picture = _fit(picture, preprocess.resize, preprocess.crop)
    mean, scale = (np.asarray(entry, np.float32) for entry in (preprocess.mean, preprocess.scale))
    values: NDArray[np.float32] = (picture.astype(np.float32) - mean) / scale
    return np.ascontiguousarray(values.transpose(2, 0, 1)) if preprocess.layout == "NCHW" else values


def read_picture(path: Path) -> Pixels:
    """Pixels of a picture file as `apply` takes them: (H, W, 1) or (H, W) grey, else (H, W, 3) RGB.

    Orientation tags are ignored. A ``.npy`` file is read without Pillow. Raises DatasetError when the file is missing or damaged.
    """
    try:
        if path.suffix == ".npy":
            return _checked(np.load(path, allow_pickle=False))
        return _decode(path)
    except (OSError, ValueError, SyntaxError) as error:
        raise DatasetError(f"cannot read the picture {str(path)!r}: {error}") from error


def resize(picture: Pixels, height: int, width: int) -> Pixels:
    """``picture`` (H, W, C) stretched to (height, width, C); see the head of this file for the filter."""
    rows = picture if picture.shape[1] == width else _resample(picture.swapaxes(0, 1), width).swapaxes(0, 1)
    return rows if picture.shape[0] == height else _resample(rows, height)


def _decode(path: Path) -> Pixels:
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise MissingPackageError("pillow", "convert", f"decoding {path.name}") from error
    with Image.open(path) as picture:
        return np.asarray(picture if picture.mode == "L" else picture.convert("RGB"))


def _checked(pixels: NDArray[Any]) -> Pixels:
    if pixels.dtype != np.uint8:
        raise DatasetError(f"the picture has dtype {pixels.dtype}; expected uint8 pixels from 0 to 255")
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise DatasetError(
            f"the picture has shape {pixels.shape}; expected (H, W), or (H, W, C) with 1, 3 or 4 channels"
        )
    return pixels


def _channels(picture: Pixels, channels: str) -> Pixels:
    """The picture in the channel order asked for; grey by ITU-R BT.601 luma in 16-bit fixed point, as Pillow has it."""
    color = picture[:, :, :3]
    if channels == "L":
        if color.shape[2] == 1:
            return color
        luma: Pixels = ((color.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32) + 0x8000) >> 16).astype(
            np.uint8
        )
        return luma[:, :, np.newaxis]
    if color.shape[2] == 1:
        return np.repeat(color, 3, axis=2)
    return color[:, :, ::-1] if channels == "BGR" else color


def _fit(picture: Pixels, size: tuple[int, int], crop: str) -> Pixels:
    """ "none": stretch to ``size``. "center": keep the proportions, cover ``size``, cut the middle."""
    height, width = size
    if crop == "none":
        return resize(picture, height, width)
    factor = max(height / picture.shape[0], width / picture.shape[1])
    covering = resize(
        picture, max(height, round(picture.shape[0] * factor)), max(width, round(picture.shape[1] * factor))
    )
    top, left = (covering.shape[0] - height) // 2, (covering.shape[1] - width) // 2
    return covering[top : top + height, left : left + width]


def _resample(picture: Pixels, length: int) -> Pixels:
    """The first axis resampled to ``length``. float64 holds the integer sums (below 2**31) exactly, whatever their order."""
    weights = _weights(picture.shape[0], length)
    sums = np.tensordot(weights, picture.astype(np.float64), axes=1)
    pixels: Pixels = np.clip((sums.astype(np.int64) + _HALF) >> _PRECISION_BITS, 0, 255).astype(np.uint8)
    return pixels


def _weights(source: int, target: int) -> NDArray[np.float64]:
    """(target, source) integer-valued weights of the triangle filter, ``2**22`` standing for 1."""
    step = source / target
    support = max(step, 1.0)
    weights = np.zeros((target, source))
    for row in range(target):
        center = (row + 0.5) * step
        first, last = max(int(center - support + 0.5), 0), min(int(center + support + 0.5), source)
        distance = (np.arange(first, last) - center + 0.5) * (1.0 / support)
        triangle = np.maximum(1.0 - np.abs(distance), 0.0)
        weights[row, first:last] = np.floor(triangle / triangle.sum() * (1 << _PRECISION_BITS) + 0.5)
    return weights


_PRECISION_BITS = 22
_HALF = 1 << (_PRECISION_BITS - 1)

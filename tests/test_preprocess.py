"""Preprocessing equals Pillow's to the bit and says what is wrong with a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgekit.errors import DatasetError
from edgekit.preprocess import apply, read_picture, resize
from edgekit.recipe import Preprocess

SIDE = st.integers(1, 40)


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def by_pillow(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Rows first in every version: from 13 on a single call may take the columns first."""
    bilinear = Image.Resampling.BILINEAR
    rows = Image.fromarray(pixels).resize((width, pixels.shape[0]), bilinear)
    return np.asarray(rows.resize((width, height), bilinear))


@settings(max_examples=60, deadline=None)
@given(SIDE, SIDE, SIDE, SIDE, st.integers(0, 9))
def test_resize_equals_pillow_bilinear(height: int, width: int, to_height: int, to_width: int, seed: int) -> None:
    pixels = picture(height, width, seed=seed)
    np.testing.assert_array_equal(resize(pixels, to_height, to_width), by_pillow(pixels, to_height, to_width))


def test_resize_equals_pillow_on_a_large_picture() -> None:
    pixels = picture(480, 640)
    np.testing.assert_array_equal(resize(pixels, 224, 224), by_pillow(pixels, 224, 224))


def test_center_crop_keeps_the_proportions_and_cuts_the_middle() -> None:
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 200
    out = apply(pixels, Preprocess(resize=(5, 5), crop="center"))
    assert out.shape == (5, 5, 3)
    assert (out[:, 1:4] == 200).all()


def test_mean_and_scale_are_per_channel_and_layout_moves_channels_first() -> None:
    pixels = np.full((2, 4, 3), 10, np.uint8)
    out = apply(pixels, Preprocess(layout="NCHW", mean=(10.0, 8.0, 6.0), scale=(1.0, 2.0, 4.0)))
    assert out.shape == (3, 2, 4)
    assert out.dtype == np.float32
    assert out.flags.c_contiguous
    assert out[:, 0, 0].tolist() == [0.0, 1.0, 1.0]


def test_bgr_reverses_the_channels() -> None:
    pixels = np.array([[[1, 2, 3]]], np.uint8)
    assert apply(pixels, Preprocess(channels="BGR")).ravel().tolist() == [3, 2, 1]


def test_grey_equals_pillow_luma() -> None:
    pixels = picture(9, 7)
    expected = np.asarray(Image.fromarray(pixels).convert("L"))
    np.testing.assert_array_equal(apply(pixels, Preprocess(channels="L"))[:, :, 0], expected)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1)])
def test_a_grey_picture_is_repeated_for_rgb(shape: tuple[int, ...]) -> None:
    assert apply(np.full(shape, 7, np.uint8), Preprocess()).shape == (4, 5, 3)


def test_alpha_is_dropped() -> None:
    assert apply(picture(3, 3, 4), Preprocess()).shape == (3, 3, 3)


def test_float_pixels_are_refused() -> None:
    with pytest.raises(DatasetError, match="dtype float32; expected uint8"):
        apply(np.zeros((2, 2, 3), np.float32), Preprocess())  # type: ignore[arg-type]  # the error is what is tested


def test_a_wrong_number_of_channels_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"shape \(2, 2, 5\)"):
        apply(np.zeros((2, 2, 5), np.uint8), Preprocess())


@pytest.mark.parametrize("name", ["p.png", "p.npy"])
def test_read_picture_gives_the_pixels_of_the_file(tmp_path: Path, name: str) -> None:
    pixels, path = picture(5, 6), tmp_path / name
    if path.suffix == ".npy":
        np.save(path, pixels)
    else:
        Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(read_picture(path), pixels)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"broken\.jpg"):
        read_picture(path)

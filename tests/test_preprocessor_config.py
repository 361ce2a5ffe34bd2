"""The steps of a Hugging Face folder's preprocessor_config.json."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.preprocess import apply
from edgekit.preprocessor_config import described_preprocess

VIT = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.5, 0.25, 0.2],
    "rescale_factor": 1 / 255,
    "size": {"height": 4, "width": 6},
}


def described(folder, **changes):
    (folder / "preprocessor_config.json").write_text(json.dumps({**VIT, **changes}))
    return described_preprocess(folder)


def test_pixels_become_what_transformers_makes_of_them(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    wanted = (pixels / 255 - VIT["image_mean"]) / VIT["image_std"]
    steps = described(tmp_path)
    assert steps is not None
    assert steps.resize == (4, 6)
    np.testing.assert_allclose(apply(pixels, steps), wanted.transpose(2, 0, 1), atol=1e-5)


def test_steps_that_are_switched_off_are_left_out(tmp_path):
    steps = described(tmp_path, do_resize=False, do_normalize=False)
    assert steps is not None
    assert steps.resize is None
    assert steps.mean == (0.0,)
    assert steps.scale == pytest.approx((255.0,))


@pytest.mark.parametrize("changes", [{"do_center_crop": True}, {"size": {"shortest_edge": 4}}, {"image_std": [0.0]}])
def test_what_a_recipe_can_not_say_is_left_to_the_user(changes, tmp_path):
    assert described(tmp_path, **changes) is None


def test_a_folder_without_pictures_has_none(tmp_path):
    assert described_preprocess(tmp_path) is None
    (tmp_path / "preprocessor_config.json").write_text('{"sampling_rate": 16000}')
    assert described_preprocess(tmp_path) is None

"""`described_preprocess`: how a Hugging Face folder says its network takes pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.recipe import Preprocess

FILE = "preprocessor_config.json"
LARGEST_PIXEL = 255.0


def described_preprocess(model: Path) -> Preprocess | None:
    """The steps of ``preprocessor_config.json``; None where there is none, or where it asks for steps that `Preprocess` lacks."""
    path = model / FILE
    if not path.is_file():
        return None
    try:
        described = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return _steps(described) if isinstance(described, dict) and "image_mean" in described else None


def _steps(described: Mapping[str, Any]) -> Preprocess | None:
    size, wanted = described.get("size"), described.get("do_resize", True)
    size = {"height": size, "width": size} if isinstance(size, int) else size
    fits = isinstance(size, dict) and {"height", "width"} <= set(size)
    if (wanted and not fits) or described.get("do_center_crop"):
        return None
    resize = (int(size["height"]), int(size["width"])) if wanted and isinstance(size, dict) else None
    # transformers computes (pixel * factor - mean) / std, a recipe (pixel - mean) / scale.
    factor = float(described.get("rescale_factor", 1.0 / LARGEST_PIXEL)) if described.get("do_rescale", True) else 1.0
    mean, deviation = (0.0,), (1.0,)
    if described.get("do_normalize", True):
        mean, deviation = tuple(described["image_mean"]), tuple(described.get("image_std") or (1.0,))
    if factor <= 0 or not all(math.isfinite(number) and number for number in deviation):
        return None
    return Preprocess(
        resize=resize,
        layout="NCHW",
        mean=tuple(number / factor for number in mean),
        scale=tuple(number / factor for number in deviation),
    )

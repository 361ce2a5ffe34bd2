"""The tokenizer that came with a model: texts to the arrays that its network takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import Artifact, TensorSpec
from edgekit.errors import DatasetError, MissingPackageError

TOKENIZER = "tokenizer.json"

Text = str | tuple[str, str]
"""A text, or two that belong together."""

_FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""Inputs of text networks, and what the tokenizer calls them."""


def tokenizer_of(model: Path) -> Path | None:
    """The tokenizer.json of a Hugging Face folder, or the one kept beside a file that was converted from such a folder."""
    if model.is_dir():
        return model / TOKENIZER if (model / TOKENIZER).is_file() else None
    manifest = Artifact.open(model).manifest if model.is_file() else None
    kept = manifest.companions if manifest is not None else {}
    return next((model.parent / path for path in kept if Path(path).name == TOKENIZER), None)


class Tokenizer:
    """Cuts and pads to the length that the network takes."""

    def __init__(self, path: Path, inputs: Sequence[TensorSpec]) -> None:
        """Raises DatasetError for a network that wants more than tokens, and for a damaged file; MissingPackageError."""
        self._inputs = tuple(inputs)
        self._length = _length(inputs)
        self._tokenizer = _opened(path)
        own = self._tokenizer.padding or {"pad_token": _padding_token(path), "pad_id": None}
        padding = {
            key: own[key] for key in ("direction", "pad_id", "pad_type_id", "pad_token") if own.get(key) is not None
        }
        if "pad_id" not in padding:
            # A network without a token of its own for padding never reads what the mask leaves out.
            padding["pad_id"] = self._tokenizer.token_to_id(padding.get("pad_token", "")) or 0
        self._tokenizer.enable_padding(**padding, length=self._length)
        if self._length is not None:
            self._tokenizer.enable_truncation(self._length)

    @property
    def description(self) -> str:
        return f"{self._length} tokens each, by {TOKENIZER}" if self._length else f"tokens by {TOKENIZER}"

    def feeds(self, texts: Sequence[Text]) -> dict[str, NDArray[np.int64]]:
        """(texts, tokens) int64 by input name."""
        encodings = self._tokenizer.encode_batch(list(texts))
        return {
            spec.name: np.array([getattr(encoding, _FIELDS[spec.name]) for encoding in encodings], np.int64)
            for spec in self._inputs
        }


def _length(inputs: Sequence[TensorSpec]) -> int | None:
    """How many tokens the network takes; None when any number will do."""
    others = [spec.name for spec in inputs if spec.name not in _FIELDS]
    if others:
        raise DatasetError(
            f"texts give {', '.join(_FIELDS)}, but the model also takes {', '.join(others)}. "
            "Give all of its inputs in an .npz file."
        )
    sizes = {spec.shape[1] for spec in inputs if len(spec.shape) == 2}
    size = sizes.pop() if len(sizes) == 1 else None
    return size if isinstance(size, int) else None


def _opened(path: Path) -> Any:
    try:
        import tokenizers
    except ModuleNotFoundError as error:
        raise MissingPackageError("tokenizers", "huggingface", "turning texts into tokens") from error
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # whatever the library raises, the file can't be read
        raise DatasetError(
            f"{path} is no tokenizer that tokenizers {tokenizers.__version__} can read: {error}"
        ) from error


def _padding_token(path: Path) -> str | None:
    """The one that tokenizer_config.json names, as text or as an object."""
    beside = path.with_name("tokenizer_config.json")
    try:
        token = json.loads(beside.read_text("utf-8")).get("pad_token")
    except (OSError, ValueError, AttributeError):
        return None
    return token.get("content") if isinstance(token, dict) else token

"""What a Hugging Face model folder holds, found out without transformers and without loading any weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError, UntrustedSourceError

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
COMPANIONS = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "preprocessor_config.json",
    "processor_config.json",
)
"""Files that turn text, pictures or sound into the network's inputs, and its outputs into labels."""

_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max"}


@dataclass(frozen=True, slots=True)
class Pooling:
    """How a sentence embedding is made of the token embeddings: "mean", "cls" or "max", and whether its length becomes 1."""

    kind: str
    normalized: bool


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """``architecture`` is the class of transformers that the weights belong to; ``input_names`` what the tokenizer gives."""

    path: Path
    architecture: str
    input_names: tuple[str, ...]
    companions: tuple[Path, ...]
    pooling: Pooling | None = None
    notes: tuple[str, ...] = ()


def looks_like_huggingface(path: Path) -> bool:
    """Whether a folder has the configuration of a transformers model, and weights beside it."""
    if not (path / CONFIG).is_file() or not any((path / name).is_file() for name in (*WEIGHTS, "pytorch_model.bin")):
        return False
    try:
        return "model_type" in _json(path / CONFIG)
    except SourceError:
        return False


def inspect_folder(path: Path) -> ModelFolder:
    """Raises SourceError when something is missing or damaged, UntrustedSourceError when the folder needs code of its own."""
    if not (path / CONFIG).is_file():
        raise SourceError(f"{path} is no Hugging Face model folder: it has no {CONFIG}")
    config = _json(path / CONFIG)
    _refuse_own_code(path, config)
    if not any((path / name).is_file() for name in WEIGHTS):
        raise SourceError(
            f"{path} has no {WEIGHTS[0]}. Weights in a pickle (pytorch_model.bin) may execute code; save the model again with "
            "model.save_pretrained(folder), which writes safetensors."
        )
    architectures = config.get("architectures") or []
    if not architectures:
        raise SourceError(
            f'{path / CONFIG} names no architecture; expected an entry like "architectures": ["BertModel"]'
        )
    tokenizer = path / "tokenizer_config.json"
    names = _json(tokenizer).get("model_input_names", []) if tokenizer.is_file() else []
    pooling, notes = _pooling(path)
    found = tuple(path / name for name in COMPANIONS if (path / name).is_file())
    return ModelFolder(path, str(architectures[0]), tuple(names), found, pooling, notes)


def _refuse_own_code(path: Path, config: dict[str, Any]) -> None:
    if "auto_map" in config:
        modules = sorted({str(name).rpartition(".")[0] for name in config["auto_map"].values()})
        raise UntrustedSourceError(
            f"{path} brings Python code of its own ({', '.join(modules)}), which edgekit does not execute. Export the model with "
            "torch.export.save or to ONNX where you trust it, and convert that file."
        )


def _pooling(path: Path) -> tuple[Pooling | None, tuple[str, ...]]:
    """The sentence embedding that sentence-transformers describes in modules.json; a note where it can't be read."""
    if not (path / "modules.json").is_file():
        return None, ()
    modules = _json(path / "modules.json")
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]) or modules[0].get("path"):
        return None, (f"the sentence embedding is left out: its modules are {', '.join(kinds)}",)
    settings = _json(path / str(modules[1]["path"]) / CONFIG)
    chosen = [kind for key, kind in _POOLINGS.items() if settings.get(key)]
    others = [
        key for key, value in settings.items() if key.startswith("pooling_mode") and value and key not in _POOLINGS
    ]
    if len(chosen) != 1 or others:
        return None, (f"the sentence embedding is left out: it pools by {', '.join([*chosen, *others])}",)
    return Pooling(chosen[0], kinds[-1] == "Normalize"), ()


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise SourceError(f"{path} is not JSON: {error}. Download it again.") from error

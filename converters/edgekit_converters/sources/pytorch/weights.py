"""Weights out of a file and into a module, nothing executed. Runs in a child process."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from edgekit.errors import SourceError
from edgekit_converters.sources.pytorch.files import PytorchFile

if TYPE_CHECKING:
    import torch

    from edgekit_converters.sources.pytorch.requests import NetworkRequest

_CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model", "module", "params", "net", "ema")
_PARALLEL_PREFIX = "module."
_NAMES_SHOWN = 6


def read_weights(file: PytorchFile) -> object:
    """What the file holds, read without executing anything. Raises SourceError."""
    import torch

    try:
        if file.safetensors:
            from safetensors.torch import load_file

            return load_file(file.path, device="cpu")
        return torch.load(file.path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{file.path} holds no weights that can be read safely: {reason}") from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise SourceError(f"{file.path} is no valid safetensors file: {error}. Download or save it again.") from error


def load_weights(module: torch.nn.Module, found: object, request: NetworkRequest) -> tuple[str, ...]:
    """Put the weights into the module, all of them; notes about what was done to their names.

    Raises SourceError with the missing, unexpected and misshapen keys.
    """
    weights, notes = _state_dict(found, request)
    expected = module.state_dict()
    problems = [
        *_listed("missing in the file", (k for k in expected if k not in weights and not _is_counter(k))),
        *_listed("not in the module", (k for k in weights if k not in expected)),
        *_listed("of another shape", _misshapen(expected, weights)),
    ]
    if problems:
        raise SourceError(
            f"the weights in {request.file.path} don't fit the module that --factory {request.options.factory} makes: "
            f"{'; '.join(problems)}. Let the factory make the network these weights were trained in."
        )
    module.load_state_dict(dict(weights), strict=False)
    return notes


def _state_dict(found: object, request: NetworkRequest) -> tuple[Mapping[str, torch.Tensor], tuple[str, ...]]:
    import torch

    notes: tuple[str, ...] = ()
    while isinstance(found, Mapping) and not any(isinstance(value, torch.Tensor) for value in found.values()):
        inner = next((key for key in _CHECKPOINT_KEYS if isinstance(found.get(key), Mapping)), None)
        if inner is None:
            break
        found, notes = found[inner], (*notes, f"weights taken from the checkpoint's entry {inner!r}")
    if not isinstance(found, Mapping) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        held = (
            f"a mapping with the keys {list(found)[:5]}" if isinstance(found, Mapping) else f"a {type(found).__name__}"
        )
        raise SourceError(
            f"{request.file.path} holds {held}; expected a state_dict: names of parameters and their tensors"
        )
    if found and all(str(key).startswith(_PARALLEL_PREFIX) for key in found):
        found = {key[len(_PARALLEL_PREFIX) :]: value for key, value in found.items()}
        notes = (*notes, f"the prefix {_PARALLEL_PREFIX!r} of all weights' names was left out")
    return found, notes


def _misshapen(expected: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> Iterable[str]:
    for key, want in expected.items():
        if key in weights and weights[key].shape != want.shape:
            yield f"{key} ({list(weights[key].shape)}, the module has {list(want.shape)})"


def _is_counter(key: str) -> bool:
    """Old files lack batch normalization's step counters, which evaluation does not use."""
    return key.endswith("num_batches_tracked")


def _listed(what: str, keys: Iterable[str]) -> list[str]:
    names = list(keys)
    if not names:
        return []
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return [f"{what}: {', '.join(names[:_NAMES_SHOWN])}{more}"]

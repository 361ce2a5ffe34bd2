"""Which inputs a Hugging Face network takes, and an example of each. Runs in a child process."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit_converters.sources.huggingface.requests import FolderRequest
from edgekit_converters.sources.pytorch.inputs import Examples, Parameters, examples_from_file

if TYPE_CHECKING:
    import torch

DEFAULT_TOKENS = 128

_TEXT = ("input_ids", "attention_mask", "token_type_ids")
_EXAMPLE_ROWS = 2
_SHORTEST_TEXT = 0.6
"""Of the length: the real tokens of the example's shortest row."""


def example_inputs(module: torch.nn.Module, request: FolderRequest) -> tuple[Examples, tuple[str, ...]]:
    """An example of each input the network is converted for, and notes about what was chosen. Raises UsageError."""
    import torch

    taken = [name for name, p in inspect.signature(module.forward).parameters.items() if p.kind is not p.VAR_KEYWORD]
    if request.options.example is not None:
        parameters = Parameters(tuple(taken), (module.main_input_name,))
        return examples_from_file(request.options.example, parameters, request.folder.path), ()
    shapes, notes = _shapes(module, request, taken)
    doubled = all(shape[0] == 1 for shape in shapes.values())
    rows = {name: (_EXAMPLE_ROWS, *shape[1:]) if doubled else shape for name, shape in shapes.items()}
    arrays = {name: _example(name, shape, module) for name, shape in rows.items()}
    return Examples({name: torch.from_numpy(array) for name, array in arrays.items()}, doubled), notes


def _shapes(
    module: Any, request: FolderRequest, taken: list[str]
) -> tuple[dict[str, tuple[int, ...]], tuple[str, ...]]:
    """The shapes of the user, of the one input he names first those of its companions too, else the network's own."""
    main, given = module.main_input_name, dict(request.options.input_shapes)
    unknown = [name for name in given if name and name not in taken]
    if unknown:
        raise UsageError(f"no input is called {unknown[0]!r}; the network takes {', '.join(taken)}")
    if given and "" not in given:
        if main not in given:
            raise UsageError(f"the input {main!r} has no shape; give --input-shape {main}=1,...")
        return {name: _sizes(given[name]) for name in taken if name in given}, ()
    if "" in given:
        return dict.fromkeys(_companions(main, module, request, taken), _sizes(given[""])), ()
    shape, note = _own_shape(main, module, request)
    return dict.fromkeys(_companions(main, module, request, taken), shape), (note,)


def _sizes(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(max(size, 1) for size in shape)


def _companions(main: str, module: Any, request: FolderRequest, taken: list[str]) -> list[str]:
    """The inputs beside the main one that a tokenizer gives and that have its shape."""
    if main != "input_ids":
        return [main]
    listed = request.folder.input_names or ("input_ids", "attention_mask", "token_type_ids")
    kinds = getattr(module.config, "type_vocab_size", 0) or 0
    return [name for name in _TEXT if name in taken and name in listed and (name != "token_type_ids" or kinds > 1)]


def _own_shape(main: str, module: Any, request: FolderRequest) -> tuple[tuple[int, ...], str]:
    """The shape that the configuration speaks of, and the note that says so."""
    config = module.config
    if main == "input_ids":
        longest = getattr(config, "max_position_embeddings", DEFAULT_TOKENS) or DEFAULT_TOKENS
        length = min(DEFAULT_TOKENS, longest)
        return (
            1,
            length,
        ), f"{length} tokens, since no length was asked for; --input-shape 1,{2 * length} gives another"
    size = getattr(config, "image_size", None)
    if main == "pixel_values" and size is not None:
        height, width = size if isinstance(size, (list, tuple)) else (size, size)
        shape = (1, getattr(config, "num_channels", 3), height, width)
        return shape, f"pictures of {height} x {width}, as the configuration says"
    frames, bins = getattr(config, "max_length", None), getattr(config, "num_mel_bins", None)
    if main == "input_values" and frames and bins:
        return (1, frames, bins), f"spectrograms of {frames} x {bins}, as the configuration says"
    raise UsageError(
        f"{request.folder.path} does not say how large its input {main!r} is. Give --input-shape, e.g. 1,16000 for a "
        "second of sound."
    )


def _example(name: str, shape: tuple[int, ...], module: Any) -> NDArray[Any]:
    random = np.random.default_rng(0)
    if name == "input_ids":
        return random.integers(0, module.config.vocab_size, shape)
    if name.endswith("mask") and len(shape) == 2:
        lengths = np.linspace(1.0, _SHORTEST_TEXT, shape[0]) * shape[1]
        return (np.arange(shape[1]) < np.ceil(lengths)[:, None]).astype(np.int64)
    if name == "token_type_ids":
        return random.integers(0, 2, shape)
    if name == "position_ids":
        return np.broadcast_to(np.arange(shape[-1]), shape).astype(np.int64)
    return random.standard_normal(shape).astype(np.float32)

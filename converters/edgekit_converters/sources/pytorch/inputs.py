"""The inputs of a module: their names by its forward function, examples by the user's shapes or file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DatasetError, UsageError

if TYPE_CHECKING:
    import torch

    from edgekit_converters.sources.pytorch.requests import NetworkRequest

_EXAMPLE_ROWS = 2
"""Exporters treat a batch of one as a constant; two keep it a variable."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a forward function takes. ``variadic``: any number by position, named by the user."""

    names: tuple[str, ...]
    required: tuple[str, ...]
    variadic: bool = False


def parameters_of(module: torch.nn.Module) -> Parameters:
    found = inspect.signature(module.forward).parameters.values()
    single = [p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY, p.KEYWORD_ONLY)]
    required = tuple(p.name for p in single if p.default is p.empty)
    variadic = not single and any(p.kind is p.VAR_POSITIONAL for p in found)
    return Parameters(tuple(p.name for p in single), required, variadic)


def script_parameters_of(module: torch.jit.ScriptModule) -> Parameters:
    arguments = module.forward.schema.arguments[1:]
    required = tuple(argument.name for argument in arguments if not argument.has_default_value())
    return Parameters(tuple(argument.name for argument in arguments), required)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """By input name, in the order of the forward function. ``doubled``: two samples, although the user gave one."""

    tensors: dict[str, torch.Tensor]
    doubled: bool


def examples_of(parameters: Parameters, request: NetworkRequest) -> Examples:
    """An example of each input that the user named. Raises UsageError."""
    options = request.options
    arrays = _from_file(options.example, parameters) if options.example else _from_shapes(parameters, request)
    if not parameters.variadic:
        _check_names(arrays, parameters, request.file.path)
    return _examples(arrays, parameters)


def examples_from_file(path: Path, parameters: Parameters, source: Path) -> Examples:
    """An example of each input in an .npz file, for the network that came from ``source``. Raises UsageError and DatasetError."""
    arrays = _from_file(path, parameters)
    _check_names(arrays, parameters, source)
    return _examples(arrays, parameters)


def _examples(arrays: Mapping[str, NDArray[Any]], parameters: Parameters) -> Examples:
    import torch

    names = list(arrays) if parameters.variadic else [name for name in parameters.names if name in arrays]
    doubled = all(array.ndim and len(array) == 1 for array in arrays.values())
    chosen = {name: np.repeat(arrays[name], _EXAMPLE_ROWS, axis=0) if doubled else arrays[name] for name in names}
    return Examples({name: torch.from_numpy(array) for name, array in chosen.items()}, doubled)


def _from_shapes(parameters: Parameters, request: NetworkRequest) -> dict[str, NDArray[Any]]:
    shapes = _named(request.options.input_shapes, parameters)
    if not shapes:
        wanted = ", ".join(parameters.required or parameters.names) or "input"
        raise UsageError(
            f"{request.file.path} does not say how large its inputs are ({wanted}). Give --input-shape, e.g. 1,3,224,224 or "
            "NAME=1,3,224,224 for each of several inputs, or --example with an .npz file of samples."
        )
    random = np.random.default_rng(0)
    sizes = {name: tuple(max(dim, 1) for dim in shape) for name, shape in shapes.items()}
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in sizes.items()}


def _from_file(path: Path, parameters: Parameters) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            held = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path} is no .npz file of plain arrays: {error}") from error
    if not parameters.variadic and not set(held) & set(parameters.names):
        unnamed = [name for name in held if name != "y"]
        held = {"": held[unnamed[0]]} if len(unnamed) == 1 else held
    held = {name: array for name, array in _named(held, parameters).items() if name != "y" or "y" in parameters.names}
    return {name: _as_example(array) for name, array in held.items()}


def _as_example(array: NDArray[Any]) -> NDArray[Any]:
    rows = array[:_EXAMPLE_ROWS] if array.ndim else array
    return np.ascontiguousarray(rows.astype(np.float32) if array.dtype.kind == "f" else rows)


def _named(given: Mapping[str, Any], parameters: Parameters) -> dict[str, Any]:
    """The key "" stands for the only input that must be given, else for the first."""
    first = (*parameters.required, *parameters.names, "input")[0]
    return {name or first: value for name, value in given.items()}


def _check_names(arrays: Mapping[str, Any], parameters: Parameters, source: Path) -> None:
    unknown = [name for name in arrays if name not in parameters.names]
    missing = [name for name in parameters.required if name not in arrays]
    if unknown or missing:
        what = f"no input is called {unknown[0]!r}" if unknown else f"the input {missing[0]!r} has no shape"
        raise UsageError(
            f"{source}: {what}. The network takes {', '.join(parameters.names)} (required: "
            f"{', '.join(parameters.required) or 'none'}); give a shape or example for each one to be converted."
        )

"""From a PyTorch file to a `Network`, in evaluation mode and float32. Runs in a child process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgekit.errors import SourceError
from edgekit_converters.sources.pytorch.factory import make_module
from edgekit_converters.sources.pytorch.files import Content
from edgekit_converters.sources.pytorch.inputs import examples_of, parameters_of, script_parameters_of
from edgekit_converters.sources.pytorch.network import Network
from edgekit_converters.sources.pytorch.program import program_network
from edgekit_converters.sources.pytorch.weights import load_weights, read_weights

if TYPE_CHECKING:
    import torch

    from edgekit_converters.sources.pytorch.requests import NetworkRequest


def load(request: NetworkRequest) -> Network:
    """The network of a file. Raises SourceError and its kind, UsageError for wrong options."""
    return _LOADERS[request.file.content](request)


def _load_program(request: NetworkRequest) -> Network:
    import torch

    if not request.options.trust_source:
        # torch.export.load asks for full unpickling of parts of the archive; this overrules it.
        os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    try:
        program = torch.export.load(request.file.path)
    except Exception as error:  # whatever torch raises, the file can't be read
        raise _unreadable(request, error) from error
    return program_network(program, request)


def _load_script(request: NetworkRequest) -> Network:
    import torch

    try:
        module = torch.jit.load(request.file.path, map_location="cpu")
    except Exception as error:  # whatever torch raises, the file can't be read
        raise _unreadable(request, error) from error
    module = module.float().eval()
    examples = examples_of(script_parameters_of(module), request)
    return Network(module, lambda tensors: module(*tensors), examples.tensors, doubled=examples.doubled)


def _load_weights(request: NetworkRequest) -> Network:
    module = make_module(request.options.factory or "")
    notes = load_weights(module, read_weights(request.file), request)
    return _module_network(module, request, notes)


def _load_pickled(request: NetworkRequest) -> Network:
    """Only with ``trust_source``: the caller has checked."""
    import torch

    try:
        found = torch.load(request.file.path, map_location="cpu", weights_only=False)
    except Exception as error:  # the code of the file may raise anything
        raise _unreadable(request, error) from error
    if isinstance(found, torch.nn.Module):
        return _module_network(found, request, ())
    if request.options.factory is None:
        raise SourceError(
            f"{request.file.path} holds a {type(found).__name__}, no module. If weights are in it, give --factory."
        )
    module = make_module(request.options.factory)
    return _module_network(module, request, load_weights(module, found, request))


def _module_network(module: torch.nn.Module, request: NetworkRequest, notes: tuple[str, ...]) -> Network:
    module = module.float().eval().requires_grad_(False)
    parameters = parameters_of(module)
    examples = examples_of(parameters, request)
    names = list(examples.tensors)
    by_position = [name for name, given in zip(parameters.names, names, strict=False) if name == given]

    def call(tensors: object) -> object:
        values = list(tensors)  # type: ignore[call-overload]  # a sequence of tensors
        count = len(values) if parameters.variadic else len(by_position)
        return module(*values[:count], **dict(zip(names[count:], values[count:], strict=True)))

    return Network(module, call, examples.tensors, doubled=examples.doubled, notes=notes)


def _unreadable(request: NetworkRequest, error: Exception) -> SourceError:
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return SourceError(
        f"{request.file.path} is {request.file.content.value} that PyTorch can't load: {reason}. It may be damaged, or made by "
        "another version of PyTorch."
    )


_LOADERS: dict[Content, Callable[[NetworkRequest], Network]] = {
    Content.EXPORTED_PROGRAM: _load_program,
    Content.TORCHSCRIPT: _load_script,
    Content.WEIGHTS: _load_weights,
    Content.PICKLED_OBJECT: _load_pickled,
}

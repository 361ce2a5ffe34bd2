"""The network of a model folder in PyTorch: exported, and the reference. Runs in a child process."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

from edgekit.errors import SourceError
from edgekit.protocols import Progress
from edgekit_converters.sources.huggingface.folder import Pooling
from edgekit_converters.sources.huggingface.inputs import example_inputs
from edgekit_converters.sources.huggingface.requests import FolderExport, FolderRequest
from edgekit_converters.sources.pytorch.export import export_session
from edgekit_converters.sources.pytorch.network import Network, TorchSession, open_network

if TYPE_CHECKING:
    import torch

_UNUSED_OUTPUTS = ("past_key_values", "hidden_states", "attentions", "cross_attentions", "loss")
_SMALLEST_LENGTH = 1e-12


def export(request: FolderExport, progress: Progress) -> tuple[str, ...]:
    """Write the network as ONNX; notes for the report. Raises SourceError."""
    warnings.simplefilter("ignore")
    progress.stage("loading the network with transformers")
    session = open_network(_load(request.request))
    return export_session(session, request.request.folder.path, request.onnx_path, progress)


def open_reference(request: FolderRequest, progress: Progress) -> TorchSession:
    """The session of a folder's network."""
    return open_network(_load(request))


def _load(request: FolderRequest) -> Network:
    """The network in evaluation mode and float32, its attention spelled out in matrix products and a softmax."""
    # Before transformers is imported: it must never look for anything on the network.
    os.environ.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"})
    folder = request.folder
    module = _pretrained(request).float().eval().requires_grad_(False)
    if getattr(module.config, "is_encoder_decoder", False):
        raise SourceError(
            f"{folder.path} holds {folder.architecture}, an encoder with a decoder, which generates in a loop. Convert its "
            "encoder and decoder each by itself, exported with torch.export.save."
        )
    examples, notes = example_inputs(module, request)
    names = list(examples.tensors)

    def call(tensors: Any) -> object:
        named = dict(zip(names, tensors, strict=True))
        return _tensors(module(**named, return_dict=True), folder.pooling, named.get("attention_mask"))

    return Network(module, call, examples.tensors, doubled=examples.doubled, notes=(*folder.notes, *notes))


def _pretrained(request: FolderRequest) -> Any:
    import transformers

    folder = request.folder
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    kind = getattr(transformers, folder.architecture, None)
    if kind is None or not issubclass(kind, transformers.PreTrainedModel):
        raise SourceError(
            f"{folder.path} holds {folder.architecture}, which transformers {transformers.__version__} does not know. Install "
            "the version that the model was made with."
        )
    try:
        return kind.from_pretrained(
            folder.path, local_files_only=True, use_safetensors=True, attn_implementation="eager"
        )
    except Exception as error:  # whatever transformers raises, the folder can't be read
        reason = " ".join(str(error).split())[:300]
        raise SourceError(f"{folder.path}: transformers can't load {folder.architecture}: {reason}") from error


def _tensors(outputs: Any, pooling: Pooling | None, mask: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """The network's outputs by their names in transformers; the sentence embedding alone where the folder describes one."""
    if pooling is not None:
        return {"sentence_embedding": _pooled(outputs["last_hidden_state"], pooling, mask)}
    import torch

    named = {name: value for name, value in outputs.items() if name not in _UNUSED_OUTPUTS}
    return {name: value for name, value in named.items() if isinstance(value, torch.Tensor)}


def _pooled(tokens: torch.Tensor, pooling: Pooling, mask: torch.Tensor | None) -> torch.Tensor:
    """As sentence-transformers pools: over the tokens that the mask keeps."""
    import torch

    kept = torch.ones_like(tokens[..., :1]) if mask is None else mask.unsqueeze(-1).to(tokens.dtype)
    if pooling.kind == "cls":
        sentence = tokens[:, 0]
    elif pooling.kind == "max":
        sentence = (tokens + (kept - 1.0) * 1e9).amax(dim=1)
    else:
        sentence = (tokens * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1e-9)
    return torch.nn.functional.normalize(sentence, dim=-1, eps=_SMALLEST_LENGTH) if pooling.normalized else sentence

"""`HuggingfaceSource`: local model folders to hubs, and transformers itself as the reference; both in child processes."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from edgekit import isolation
from edgekit.errors import MissingPackageError, UsageError
from edgekit.protocols import Availability, Progress, ReadOptions, Session
from edgekit_converters.hub.model import Hub
from edgekit_converters.sources.exporting import read_exported
from edgekit_converters.sources.huggingface.folder import inspect_folder, looks_like_huggingface
from edgekit_converters.sources.huggingface.requests import FolderExport, FolderRequest


class HuggingfaceSource:
    """Reads folders with config.json and safetensors, through the classes of an installed transformers. Nothing is downloaded and
    no code of the folder is executed."""

    name = "huggingface"

    def matches(self, path: Path) -> bool:
        return looks_like_huggingface(path)

    def probe(self) -> Availability:
        try:
            return Availability(True, version("transformers"))
        except PackageNotFoundError:
            remedy = "pip install 'edgekit-ml[huggingface]'"
            return Availability(False, reason="transformers is not installed", remedy=remedy)

    def read(self, path: Path, options: ReadOptions, progress: Progress | None = None) -> Hub:
        """The hub of the network, checked against its own outputs in PyTorch.

        Raises UntrustedSourceError for a folder with code of its own, UsageError for input shapes that don't fit, and SourceError
        for a folder that can't be read.
        """
        request = _checked_request(path, options)
        return read_exported(
            "edgekit_converters.sources.huggingface.network:export",
            lambda onnx_path: FolderExport(request, onnx_path),
            "reading the Hugging Face model",
            progress,
            framework=self.name,
            source=path,
            companions=request.folder.companions,
        )

    def reference(self, path: Path, options: ReadOptions) -> Session | None:
        """The network in PyTorch, in float32 and evaluation mode. Raises as `read`."""
        if find_spec("transformers") is None:
            return None
        return isolation.open_session(
            "edgekit_converters.sources.huggingface.network:open_reference",
            _checked_request(path, options),
            stage="the Hugging Face reference",
        )


def _checked_request(path: Path, options: ReadOptions) -> FolderRequest:
    folder = inspect_folder(path)
    if options.factory is not None:
        raise UsageError(f"{path} says itself which network it holds, so --factory has no place here; leave it out")
    for package, extra in (("torch", "pytorch"), ("transformers", "huggingface")):
        if find_spec(package) is None:
            raise MissingPackageError(package, extra, f"reading {path.name}")
    return FolderRequest(folder, options)

"""`PytorchSource`: PyTorch files to hubs, and PyTorch itself as the reference; both in child processes."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from edgekit import isolation
from edgekit.errors import MissingPackageError, SourceError, UntrustedSourceError, UsageError
from edgekit.protocols import Availability, Progress, ReadOptions, Session
from edgekit_converters.hub.model import Hub
from edgekit_converters.sources.exporting import read_exported
from edgekit_converters.sources.pytorch.archive import check_exported_program
from edgekit_converters.sources.pytorch.files import Content, PytorchFile, inspect_file, looks_like_pytorch
from edgekit_converters.sources.pytorch.requests import ExportRequest, NetworkRequest


class PytorchSource:
    """Reads exported programs (``.pt2``), TorchScript, and weights with a factory that makes their module."""

    name = "pytorch"

    def matches(self, path: Path) -> bool:
        return looks_like_pytorch(path)

    def probe(self) -> Availability:
        try:
            return Availability(True, version("torch"))
        except PackageNotFoundError:
            return Availability(False, reason="torch is not installed", remedy="pip install 'edgekit-ml[pytorch]'")

    def read(self, path: Path, options: ReadOptions, progress: Progress | None = None) -> Hub:
        """The hub of the network, checked against PyTorch's own outputs.

        Raises UntrustedSourceError for a file that would execute code, UsageError for a factory or input shape that is
        missing or wrong, and SourceError for a file or network that can't be read.
        """
        request = _checked_request(path, options)
        return read_exported(
            "edgekit_converters.sources.pytorch.export:export",
            lambda onnx_path: ExportRequest(request, onnx_path),
            "reading the PyTorch model",
            progress,
            framework=self.name,
            source=path,
        )

    def reference(self, path: Path, options: ReadOptions) -> Session | None:
        """The network in PyTorch, in float32 and evaluation mode. Raises as `read`."""
        if find_spec("torch") is None:
            return None
        return isolation.open_session(
            "edgekit_converters.sources.pytorch.network:open_reference",
            _checked_request(path, options),
            stage="the PyTorch reference",
        )


def _checked_request(path: Path, options: ReadOptions) -> NetworkRequest:
    """What can be refused without torch is refused before torch is asked for."""
    file = inspect_file(path)
    _check_trust(file, options)
    if file.content is Content.WEIGHTS and options.factory is None:
        raise UsageError(
            f"{path} holds {file.content.value}, not the network they belong to. Name the function that makes the module: "
            "--factory module:callable, or --factory file.py:callable. Or export the network with torch.export.save (.pt2)."
        )
    if file.content in (Content.EXPORTED_PROGRAM, Content.TORCHSCRIPT) and options.factory is not None:
        raise UsageError(f"{path} holds {file.content.value}, which needs no --factory; leave the option out")
    if find_spec("torch") is None:
        raise MissingPackageError("torch", "pytorch", f"reading {path.name}")
    if file.safetensors and find_spec("safetensors") is None:
        raise MissingPackageError("safetensors", "pytorch", f"reading {path.name}")
    if options.example is not None and not options.example.is_file():
        raise SourceError(f"there is no example file {str(options.example)!r}")
    return NetworkRequest(file, options)


def _check_trust(file: PytorchFile, options: ReadOptions) -> None:
    if options.trust_source:
        return
    if file.content is Content.PICKLED_OBJECT:
        raise UntrustedSourceError(
            f"{file.path} is {file.content.value}: loading it would execute code ({', '.join(file.foreign[:4])}). Save the "
            "weights alone with torch.save(model.state_dict(), ...) and give --factory, export the network with "
            "torch.export.save (.pt2), or use --trust-source if you trust its author."
        )
    if file.content is Content.EXPORTED_PROGRAM:
        check_exported_program(file.path)

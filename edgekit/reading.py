"""Which reader takes a model file, and what its outputs are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgekit import registry
from edgekit.errors import MissingPackageError, RuntimeUnavailableError, SourceError
from edgekit.protocols import ReadOptions, Session, Source


def find_source(path: Path, name: str | None = None) -> Source:
    """The reader of that name, or the first whose files look like ``path``.

    Raises SourceError when there is no such file or no reader takes it, UnknownNameError for an unknown name.
    """
    if not path.exists():
        raise SourceError(f"there is no model at {str(path)!r}")
    if name is not None:
        return registry.source(name)
    for known in registry.names("source"):
        found = registry.source(known)
        if found.matches(path):
            return found
    raise SourceError(
        f"{path} is not a model that edgekit reads (.onnx, .keras, .h5, a SavedModel folder, .pb, .pt2, .pt, .pth, "
        ".safetensors, a Hugging Face folder). Say which framework it comes from with --from."
    )


@dataclass(frozen=True, slots=True)
class Reference:
    """A session that gives the outputs to compare with. ``original`` says whether the source's own framework runs there."""

    session: Session
    original: bool
    description: str


def open_reference(source: Source, path: Path, options: ReadOptions, fallback: Callable[[], Session]) -> Reference:
    """The original framework on the source file, or, where it is not installed or can't load it, what ``fallback`` opens:
    the float model as edgekit read it."""
    try:
        session = source.reference(path, options)
    except (MissingPackageError, RuntimeUnavailableError):
        session = None
    if session is not None:
        return Reference(session, True, f"the original model in {source.name}")
    return Reference(fallback(), False, "the float model as edgekit read it, in ONNX Runtime")

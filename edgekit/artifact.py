"""A written model file, what its manifest says of it, and how files come to their names."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import ArtifactError

MANIFEST_SCHEMA = "edgekit.manifest/1"


@dataclass(frozen=True, slots=True)
class Quantization:
    """Per-tensor affine encoding of a model input or output: ``real = scale * (q - zero_point)``."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output: ``shape`` holds ints, or a name for a symbolic dimension; ``dtype`` is numpy's name."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    quantization: Quantization | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What a model keeps from call to call: its ``input`` takes what its ``output`` gave in the call before.

    ``initial`` fills the input of the first call.
    """

    input: str
    output: str
    initial: float = 0.0

    def __str__(self) -> str:
        start = f", {self.initial:g} at first" if self.initial else ""
        return f"{self.output} -> {self.input}{start}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What stands in ``<file>.json`` beside an artifact. JSON schema: docs/json.md."""

    file: str
    sha256: str
    size_bytes: int
    format: str
    """"tflite" or "onnx"."""
    precision: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    parameters: int
    source: Mapping[str, Any] = field(default_factory=dict)
    """framework, file name, sha256 of the source model."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    preprocess: Mapping[str, Any] | None = None
    target: str = "cpu"
    versions: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    companions: Mapping[str, str] = field(default_factory=dict)
    """sha256 of the files that turn text, pictures or sound into the inputs, by their path beside the artifact."""
    states: tuple[State, ...] = ()
    """What goes from an output to an input of the next call."""
    schema: str = MANIFEST_SCHEMA

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @staticmethod
    def from_json(text: str, where: str) -> Manifest:
        """Raises ArtifactError when the text is not a manifest of this schema."""
        try:
            raw = json.loads(text)
            if raw["schema"] != MANIFEST_SCHEMA:
                raise ArtifactError(f"{where} has schema {raw['schema']!r}; this edgekit reads {MANIFEST_SCHEMA!r}")
            for side in ("inputs", "outputs"):
                raw[side] = tuple(_spec_from_json(spec) for spec in raw[side])
            raw["states"] = tuple(State(**state) for state in raw.get("states", ()))
            return Manifest(**raw)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{where} is not an edgekit manifest: {error!r}. Convert the model again.") from error


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model file and, where edgekit wrote it, its manifest."""

    path: Path
    manifest: Manifest | None

    @staticmethod
    def manifest_path(path: Path) -> Path:
        return path.with_name(path.name + ".json")

    @staticmethod
    def open(path: Path) -> Artifact:
        """Find the file and its manifest; verify the sha256 before anything parses the file.

        Raises ArtifactError when the file is missing or differs from what its manifest says.
        """
        if not path.is_file():
            raise ArtifactError(f"there is no model file {str(path)!r}")
        beside = Artifact.manifest_path(path)
        if not beside.is_file():
            return Artifact(path, None)
        manifest = Manifest.from_json(beside.read_text("utf-8"), str(beside))
        found = sha256_of(path)
        if found != manifest.sha256:
            raise ArtifactError(
                f"{path} was changed after it was written: sha256 is {found[:12]}…, its manifest says "
                f"{manifest.sha256[:12]}…. Convert again, or remove {beside.name} to open it unverified."
            )
        return Artifact(path, manifest)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; it becomes ``path`` only when the block ends without an error.

    The file is flushed to the disk before it is renamed, so that a crash or a full disk leaves the old file or none.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _spec_from_json(raw: Mapping[str, Any]) -> TensorSpec:
    quantization = raw.get("quantization")
    return TensorSpec(
        name=raw["name"],
        dtype=raw["dtype"],
        shape=tuple(raw["shape"]),
        quantization=Quantization(**quantization) if quantization else None,
    )

"""Which reader takes a model file, and what its outputs are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgekit import registry
from edgekit.artifact import TensorSpec
from edgekit.errors import MissingPackageError, PluginError, RuntimeUnavailableError, SourceError, UsageError
from edgekit.protocols import Feeds, Placement, Progress, ReadOptions, Session, Silent, Source


def find_source(path: Path, name: str | None = None) -> Source:
    """The reader of that name, or the first whose files look like ``path``.

    Raises SourceError when there is no such file or no reader takes it, UnknownNameError for an unknown name.
    """
    if not path.exists():
        raise SourceError(f"there is no model at {str(path)!r}")
    if name is not None:
        return registry.source(name)
    broken = []
    for known in registry.names("source"):
        try:
            found = registry.source(known)
        except PluginError as error:
            broken.append(f" {error}.")
            continue
        if found.matches(path):
            return found
    if path.suffix == ".tflite":
        raise SourceError(
            f"{path} is a file that edgekit writes and checks, not one that it converts: give the model that it was made from "
            "(.keras, .h5, a SavedModel folder, .onnx, ...)"
        )
    raise SourceError(
        f"{path} is not a model that edgekit reads (.onnx, .keras, .h5, a SavedModel folder, .pb, .pt2, .pt, .pth, "
        ".safetensors, a Hugging Face folder). Say which framework it comes from with --from." + "".join(broken)
    )


def read_hub(source: Source, path: Path, options: ReadOptions, progress: Progress | None = None) -> Any:
    """The model as a normalized hub, without the inputs that ``options`` make constants.

    Raises SourceError and its kinds, UsageError for options that don't fit the model.
    """
    hub = registry.stage("fix_inputs")(source.read(path, options, progress or Silent()), options.input_values)
    return registry.stage("normalize")(hub)


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
        return Reference(with_fixed_inputs(session, options), True, f"the original model in {source.name}")
    return Reference(fallback(), False, "the float model as edgekit read it, in ONNX Runtime")


def with_fixed_inputs(session: Session, options: ReadOptions) -> Session:
    """The session without the inputs that ``options`` make constants. Raises UsageError for an input that it has not."""
    names = [spec.name for spec in session.inputs]
    for name in options.input_values:
        if name not in names:
            raise UsageError(
                f"--input-value names the input {name!r}; the model's inputs are {', '.join(map(repr, names))}"
            )
    return _FixedInputs(session, options) if options.input_values else session


@final
class _FixedInputs:
    """Feeds the inputs that are constants, and shows the others."""

    def __init__(self, session: Session, options: ReadOptions) -> None:
        self._session, values = session, options.input_values
        fixed = [spec for spec in session.inputs if spec.name in values]
        self._fixed = {spec.name: _filled(spec, values[spec.name], options.input_shapes) for spec in fixed}
        self.inputs = tuple(spec for spec in session.inputs if spec.name not in values)
        self.outputs = session.outputs

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return self._session.run({**feeds, **self._fixed})

    def placement(self) -> Placement:
        return self._session.placement()

    def close(self) -> None:
        self._session.close()


def _filled(spec: TensorSpec, number: float, shapes: Mapping[str, tuple[int, ...]]) -> NDArray[Any]:
    shape = shapes.get(spec.name, spec.shape)
    return np.full([dim if isinstance(dim, int) else 1 for dim in shape], number).astype(spec.dtype)

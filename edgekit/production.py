"""Write the artifacts of a conversion, each with its manifest; a format that fails does not take the others with it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from edgekit import registry
from edgekit.artifact import Artifact, Manifest, State, sha256_of, written_whole
from edgekit.errors import ConversionError, EdgekitError
from edgekit.protocols import Progress
from edgekit.recipe import Precision, Recipe
from edgekit.target import Target

SUFFIXES = {"tflite": ".tflite", "onnx": ".onnx"}


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """What is to be written: a hub and its plan (both opaque here), and what the manifests say about their origin."""

    stem: str
    hub: Any
    plan: Any
    recipe: Recipe
    target: Target
    source: Mapping[str, Any]
    input_shapes: Mapping[str, tuple[int, ...]]
    companions: tuple[Path, ...] = ()
    """Files of the source (a tokenizer's, say) that are copied beside the artifacts."""
    states: tuple[State, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One format: the artifact, or why there is none."""

    file_format: str
    artifact: Artifact | None
    seconds: float
    failure: str = ""


def artifact_path(folder: Path, stem: str, precision: Precision, file_format: str) -> Path:
    """``folder/<stem>.<precision>.<format>``: scripts rely on it."""
    return folder / f"{stem}.{precision.value}{SUFFIXES[file_format]}"


@contextmanager
def output_folder(folder: Path) -> Iterator[None]:
    """Make the output folder; where the block fails and nothing was written, a new folder goes again.

    Raises ConversionError when it is a file or can't be written to.
    """
    existed = folder.is_dir()
    _prepare(folder)
    try:
        yield
    except BaseException:
        if not existed:
            with suppress(OSError):  # not empty: what was finished stays
                folder.rmdir()
        raise


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder / "edgekit-probe"):
            pass
        (folder / "edgekit-probe").unlink()
    except (FileExistsError, NotADirectoryError) as error:
        raise ConversionError(f"the output {folder} is a file; give a folder with -o") from error
    except OSError as error:
        raise ConversionError(
            f"the output folder {folder} is not writable: {error.strerror}. Choose another with -o."
        ) from error


def produce(product: Product, formats: Sequence[str], folder: Path, progress: Progress) -> tuple[Outcome, ...]:
    """Write every format into ``folder``. A failing format becomes an `Outcome` that says why."""
    return tuple(_outcomes(product, formats, folder, progress))


def _outcomes(product: Product, formats: Sequence[str], folder: Path, progress: Progress) -> Iterator[Outcome]:
    companions = _copy_companions(product, folder)
    for file_format in formats:
        progress.stage(f"write {file_format}")
        began = time.perf_counter()
        try:
            artifact = _write(product, file_format, folder, companions)
        except EdgekitError as error:
            yield Outcome(file_format, None, time.perf_counter() - began, str(error))
        except ModuleNotFoundError as error:
            missing = registry.missing_package(error, f"writing {file_format} files")
            yield Outcome(file_format, None, time.perf_counter() - began, str(missing))
        else:
            yield Outcome(file_format, artifact, time.perf_counter() - began)


def _copy_companions(product: Product, folder: Path) -> dict[str, str]:
    """Copy them into ``<stem>.companions``; sha256 by path from ``folder`` on."""
    digests: dict[str, str] = {}
    for source in product.companions:
        path = folder / f"{product.stem}.companions" / source.name
        path.parent.mkdir(exist_ok=True)
        with written_whole(path) as part:
            shutil.copyfile(source, part)
        digests[path.relative_to(folder).as_posix()] = sha256_of(path)
    return digests


def _write(product: Product, file_format: str, folder: Path, companions: Mapping[str, str]) -> Artifact:
    path = artifact_path(folder, product.stem, product.recipe.precision, file_format)
    written = registry.stage("write")(
        file_format, product.hub, product.plan, path, product.recipe, product.target, product.input_shapes
    )
    preprocess = product.recipe.preprocess
    manifest = Manifest(
        file=path.name,
        sha256=sha256_of(path),
        size_bytes=path.stat().st_size,
        format=file_format,
        precision=product.recipe.precision.value,
        inputs=written.inputs,
        outputs=written.outputs,
        parameters=written.parameters,
        source=product.source,
        recipe=product.recipe.to_dict(),
        preprocess=asdict(preprocess) if preprocess else None,
        target=product.target.name,
        versions=tool_versions(),
        companions=companions,
        states=product.states,
    )
    write_manifest(path, manifest)
    return Artifact(path, manifest)


def write_manifest(path: Path, manifest: Manifest) -> None:
    with written_whole(Artifact.manifest_path(path)) as part:
        part.write_text(manifest.to_json(), "utf-8")


def tool_versions() -> dict[str, str]:
    """Versions of the packages that had a part in an artifact."""
    found = {}
    builds = ("onnxruntime", "onnxruntime-openvino", "onnxruntime-qnn", "onnxruntime-gpu")
    for package in ("edgekit-ml", "numpy", "onnx", "onnx-ir", *builds, "ai-edge-litert", "flatbuffers"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found

"""`Target`: what a device wants. One TOML file a device in `edgekit/targets`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import RecipeError
from edgekit.plugins import all_names, find_entry, loading
from edgekit.recipe import IoType, Recipe, read_toml

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


@dataclass(frozen=True, slots=True)
class Peak:
    """The best that a device can do, for estimates. Rates are of one core; 0: not known, or no limit.

    ``weight_bytes_per_second``: of the memory that weights lie in, where that is another one (flash). ``cache_bytes``: what
    fits in there costs no memory traffic. ``processor``: part of the name by which the machine knows itself, so that what is
    measured there can be set against the estimate. ``sources``: where the figures come from.
    """

    int8_macs_per_second: float = 0.0
    float32_macs_per_second: float = 0.0
    memory_bytes_per_second: float = 0.0
    weight_bytes_per_second: float = 0.0
    cache_bytes: int = 0
    processor: str = ""
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.int8_macs_per_second or self.float32_macs_per_second):
            raise RecipeError("[peak] needs int8-macs-per-second or float32-macs-per-second")
        if not self.sources:
            raise RecipeError("[peak] needs sources: where its figures come from")


@dataclass(frozen=True, slots=True)
class Target:
    """A device profile. ``formats`` in order of preference; ``runtimes`` by format.

    ``activations``: "asymmetric" or "symmetric" (TensorRT). ``onnx_activation_type``: "uint8" where ONNX Runtime's
    unsigned kernels are faster (x86), "int8" elsewhere. ``onnx_contrib_ops``: ONNX files may use ONNX Runtime's own operators
    (int8 LSTM), which TensorRT does not know. ``onnx_opset``: the newest that its ONNX Runtime knows; from 23 on,
    int8 files have Attention as one operator. ``fixed_batch``: batch written into TFLite files.
    ``integer_only``: no float op may remain (Edge TPU, Ethos-U). ``memory_bytes``: RAM of the board, 0 when unknown.
    ``flash_bytes``: where files lie on a microcontroller, 0 elsewhere. ``runtime``: the engine of the device, which checks run in
    where it is installed; "" for the first one that opens the file. Its time here says nothing about the device.
    ``compiler``, ``accelerator``: what `edgekit compile` uses for it, where its files must be compiled.
    ``sources``: where the figures come from. ``peak``: for estimates of latency.
    """

    name: str
    title: str
    formats: tuple[str, ...] = ("tflite", "onnx")
    activations: str = "asymmetric"
    onnx_activation_type: str = "uint8"
    onnx_contrib_ops: bool = True
    onnx_opset: int = 21
    fixed_batch: int = 1
    io: IoType = IoType.FLOAT32
    integer_only: bool = False
    compiler: str = ""
    accelerator: str = ""
    delegates: tuple[str, ...] = ()
    cores: int = 0
    memory_bytes: int = 0
    flash_bytes: int = 0
    runtime: str = ""
    notes: str = ""
    sources: tuple[str, ...] = ()
    peak: Peak | None = None

    def serving(self, recipe: Recipe) -> Target:
        """This device as the recipe wants it used: without float operators where it asks for that."""
        return dataclasses.replace(self, integer_only=self.integer_only or recipe.integer_only)

    def __post_init__(self) -> None:
        if self.activations not in ("asymmetric", "symmetric"):
            raise RecipeError(
                f"target {self.name}: activations is {self.activations!r}; expected asymmetric or symmetric"
            )
        if self.onnx_activation_type not in ("int8", "uint8"):
            raise RecipeError(f"target {self.name}: onnx-activation-type is {self.onnx_activation_type!r}")
        if self.onnx_opset < 21:
            raise RecipeError(f"target {self.name}: onnx-opset is {self.onnx_opset}; files have 21 at least")
        if not set(self.formats) <= {"tflite", "onnx"}:
            raise RecipeError(f"target {self.name}: formats are {self.formats}; known: tflite, onnx")
        if self.fixed_batch < 1:
            raise RecipeError(f"target {self.name}: fixed-batch is {self.fixed_batch}; expected 1 or more")


def builtin_targets() -> tuple[str, ...]:
    """Names of the profiles that come with edgekit."""
    folder = resources.files("edgekit") / "targets"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def target_names() -> tuple[str, ...]:
    """All profiles that can be named: the built-in ones, then those of other packages (entry points ``edgekit.targets``)."""
    return all_names("target", builtin_targets())


def load_target(name_or_path: str) -> Target:
    """A profile by name, or a TOML file by path. Raises UnknownNameError, RecipeError or PluginError."""
    if name_or_path.endswith(".toml"):
        return _from_file(Path(name_or_path))
    with resources.as_file(_profile(name_or_path)) as path:
        return _from_file(path)


def _profile(name: str) -> Traversable:
    """The profile's file: in this package, or ``<name>.toml`` in the package that an entry point of that name names."""
    builtin = builtin_targets()
    if name in builtin:
        return resources.files("edgekit") / "targets" / f"{name}.toml"
    entry = find_entry("target", name, builtin)
    with loading("target", entry):
        found = resources.files(entry.value) / f"{name}.toml"
        if not found.is_file():
            raise FileNotFoundError(f"{entry.value} has no {name}.toml")
        return found


def _from_file(path: Path) -> Target:
    raw = {key.replace("-", "_"): value for key, value in read_toml(path).items()}
    known = set(Target.__dataclass_fields__)
    for key in raw:
        if key not in known:
            raise RecipeError(f"{path} has the unknown key {key!r}; known: {', '.join(sorted(known))}")
    raw.setdefault("name", path.stem)
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    try:
        if "peak" in values:
            values["peak"] = _peak(values["peak"], path)
        if "io" in values:
            values["io"] = IoType(values["io"])
        return Target(**values)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{path}: {error}") from error


def _peak(raw: Any, path: Path) -> Peak:
    if not isinstance(raw, dict):
        raise RecipeError(f"{path}: peak is {raw!r}; expected a table, [peak]")
    named: dict[str, Any] = {
        key.replace("-", "_"): tuple(value) if isinstance(value, list) else value for key, value in raw.items()
    }
    for key in named:
        if key not in Peak.__dataclass_fields__:
            known = ", ".join(sorted(Peak.__dataclass_fields__))
            raise RecipeError(f"{path}: [peak] has the unknown key {key!r}; known: {known}")
    return Peak(**named)

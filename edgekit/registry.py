"""Names to implementations: built-ins as strings, strangers by entry points, nothing imported before it is asked for.

A package adds a runtime by the entry point group ``edgekit.runtimes``, a reader by ``edgekit.sources``, a metric by
``edgekit.metrics``, a compiler by ``edgekit.compilers`` and a way to reach devices by ``edgekit.transports``; an entry's value is
``module:attribute``. A device profile is a TOML file in a package that an entry of ``edgekit.targets`` names (docs/plugins.md).
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from edgekit.errors import MissingPackageError, PluginError
from edgekit.plugins import all_names, find_entry, loading
from edgekit.protocols import Availability, Runtime, Session, SessionOptions, Source, Transport

RUNTIMES = {
    "onnxruntime": "edgekit_runtimes.onnxruntime:OnnxRuntime",
    "litert": "edgekit_runtimes.litert:LiteRt",
    "tflite_runtime": "edgekit_runtimes.tflite_runtime:TfliteRuntime",
    "tflite_micro": "edgekit_runtimes.tflite_micro:TfliteMicro",
}
SOURCES = {
    "keras": "edgekit_converters.sources.keras:KerasSource",
    "onnx": "edgekit_converters.sources.onnx:OnnxSource",
    "tensorflow": "edgekit_converters.sources.tensorflow:TensorflowSource",
    "huggingface": "edgekit_converters.sources.huggingface:HuggingfaceSource",
    "pytorch": "edgekit_converters.sources.pytorch:PytorchSource",
}
METRICS = {
    "topk": "edgekit.metrics:TopK",
    "balanced-accuracy": "edgekit.metrics:BalancedAccuracy",
    "f1": "edgekit.metrics:F1",
    "binary-accuracy": "edgekit.metrics:BinaryAccuracy",
    "mse": "edgekit.metrics:squared_error",
    "mae": "edgekit.metrics:absolute_error",
    "reconstruction-mse": "edgekit.metrics:reconstruction_error",
    "auc": "edgekit.metrics:Auc",
    "anomaly-auc": "edgekit.metrics:AnomalyAuc",
    "cosine": "edgekit.metrics:Cosine",
}
TRANSPORTS = {
    "local": "edgekit_runtimes.devices.local:LocalTransport",
    "ssh": "edgekit_runtimes.devices.ssh:SshTransport",
    "emulated": "edgekit_runtimes.devices.emulated:EmulatedTransport",
}
COMPILERS = {
    "vela": "edgekit_converters.compilers.vela:VelaCompiler",
    "edgetpu": "edgekit_converters.compilers.edgetpu:EdgeTpuCompiler",
    "tensorrt": "edgekit_converters.compilers.tensorrt:TensorRtCompiler",
}
STAGES = {
    "fix_inputs": "edgekit_converters.hub.fix_inputs:fix_inputs",
    "normalize": "edgekit_converters.hub.normalize:normalize",
    "prune": "edgekit_converters.prune.prune:prune",
    "residual_branches": "edgekit_converters.prune.branches:residual_branches",
    "decide": "edgekit_converters.quantize.quantize:decide",
    "sparsify": "edgekit_converters.sparsify.sparsify:sparsify",
    "zeros_in": "edgekit_converters.sparsify.written:zeros_in",
    "quantize": "edgekit_converters.quantize.quantize:quantize",
    "hub_session": "edgekit_converters.hub.run:hub_session",
    "write": "edgekit_converters.writers.write:write",
    "inspect": "edgekit_converters.inspection:inspect_here",
    "torch_channels": "edgekit_converters.training.begin:torch_channels",
    "keras_channels": "edgekit_converters.training.begin:keras_channels",
}


def names(kind: str) -> tuple[str, ...]:
    """All names of a kind ("runtime", "source", "metric", "transport", "compiler"): built-ins, then entry points of others."""
    return all_names(kind, _builtins(kind))


def runtime(name: str) -> Runtime:
    """The runtime of that name. Raises UnknownNameError."""
    found: Runtime = _made("runtime", name)
    return found


def runtimes() -> tuple[Runtime, ...]:
    """All runtimes, built-in ones first; a plug-in's that can't be loaded is one that can't be used, and says why."""
    return tuple(_runtime_or_broken(name) for name in names("runtime"))


def source(name: str) -> Source:
    """The reader of that name. Raises UnknownNameError."""
    found: Source = _made("source", name)
    return found


def metric(name: str) -> Any:
    """What makes that metric from the name of the output to judge ("" the first). Raises UnknownNameError."""
    return _load("metric", name)


def transport(scheme: str, address: str) -> Transport:
    """The way to the device at ``scheme://address``. Raises UnknownNameError and DeviceError."""
    found: Transport = _load("transport", scheme)(address)
    return found


def compiler(name: str) -> Any:
    """The `edgekit.compilation.Compiler` of that name. Raises UnknownNameError."""
    return _made("compiler", name)


def stage(name: str) -> Any:
    """A stage's function, "normalize" for instance. Raises MissingPackageError when its packages are absent."""
    return load_attribute(STAGES[name], f"the stage {name!r}")


def load_attribute(reference: str, purpose: str) -> Any:
    """Import ``module:attribute``; a package that is missing becomes an error that names the extra."""
    module_name, _, attribute = reference.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        raise missing_package(error, purpose) from error


def missing_package(error: ModuleNotFoundError, purpose: str) -> Exception:
    """The error that names the package's extra; ``error`` itself where it is a module of edgekit that is not there."""
    package = (error.name or str(error)).partition(".")[0]
    if package.startswith("edgekit"):
        return error
    if package == "ai_edge_litert" and sys.version_info < (3, 11):
        purpose += " (on Python 3.11 or newer)"
    return MissingPackageError(package, _EXTRA_OF_PACKAGE.get(package, "convert"), purpose)


_EXTRA_OF_PACKAGE = {
    "ai_edge_litert": "tflite",
    "onnxruntime": "onnx",
    "tensorflow": "tensorflow",
    "tf2onnx": "tensorflow",
    "tflite_runtime": "tflite-runtime",
    "tflite_micro": "microcontroller",
    "torch": "pytorch",
    "transformers": "huggingface",
    "safetensors": "pytorch",
}


def _builtins(kind: str) -> dict[str, str]:
    return {
        "runtime": RUNTIMES,
        "source": SOURCES,
        "metric": METRICS,
        "transport": TRANSPORTS,
        "compiler": COMPILERS,
    }[kind]


def _load(kind: str, name: str) -> Any:
    builtin = _builtins(kind)
    if name in builtin:
        return load_attribute(builtin[name], f"the {kind} {name!r}")
    entry = find_entry(kind, name, builtin)
    with loading(kind, entry):
        return entry.load()


def _made(kind: str, name: str) -> Any:
    """An instance of what is registered under that name. Raises UnknownNameError and PluginError."""
    make, builtin = _load(kind, name), _builtins(kind)
    if name in builtin:
        return make()
    with loading(kind, find_entry(kind, name, builtin)):
        return make()


def _runtime_or_broken(name: str) -> Runtime:
    try:
        return runtime(name)
    except PluginError as error:
        return _BrokenRuntime(name, error)


class _BrokenRuntime:
    """Stands in the list of runtimes for a plug-in's that can't be loaded."""

    formats = ()

    def __init__(self, name: str, error: PluginError) -> None:
        self.name, self._error = name, error

    def probe(self) -> Availability:
        return Availability(False, reason=str(self._error))

    def open(self, path: Path, options: SessionOptions) -> Session:
        raise self._error

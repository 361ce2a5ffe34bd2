"""edgekit: quantize trained networks once, write TFLite and ONNX, run and check both on small devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit import prune
    from edgekit.inference import Model, load

__all__ = ["Model", "__version__", "load", "prune"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the on-device library, or that for training, on first use, so that ``import edgekit`` stays fast."""
    if name == "prune":
        import importlib

        return importlib.import_module("edgekit.prune")
    if name in ("Model", "load"):
        from edgekit import inference

        return getattr(inference, name)
    raise AttributeError(f"module 'edgekit' has no attribute {name!r}")

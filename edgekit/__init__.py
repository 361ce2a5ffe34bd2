"""edgekit: quantize trained networks once, write TFLite and ONNX, run and check both on small devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.inference import Model, load

__all__ = ["Model", "__version__", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the on-device library on first use, so that ``import edgekit`` stays fast."""
    if name in ("Model", "load"):
        from edgekit import inference

        return getattr(inference, name)
    raise AttributeError(f"module 'edgekit' has no attribute {name!r}")

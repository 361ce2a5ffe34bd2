"""Inputs and outputs as sessions describe them, from the lists of TFLite's interpreters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.artifact import Quantization, TensorSpec
from edgekit.errors import ArtifactError

TensorDetails = Mapping[str, Any]
"""One entry of an interpreter's own input and output lists: name, index, shape, shape_signature, dtype, quantization."""

STATEFUL_OPS = frozenset(
    f"{direction}{kind}"
    for direction in ("", "UNIDIRECTIONAL_SEQUENCE_", "BIDIRECTIONAL_SEQUENCE_")
    for kind in ("LSTM", "RNN")
) | {"SVDF"}
"""Ops that carry their state from one invoke to the next."""


def specs(details: Sequence[TensorDetails], names: Sequence[str]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name, _dtype(entry), _shape(entry), _quantization(entry))
        for name, entry in zip(names, details, strict=True)
    )


def _dtype(entry: TensorDetails) -> str:
    dtype = np.dtype(entry["dtype"])
    if dtype.kind in "SUO":
        raise ArtifactError(f"tensor {entry['name']!r} holds strings; edgekit runs tensors of numbers only")
    return dtype.name


def _shape(entry: TensorDetails) -> tuple[int | str, ...]:
    """The allocated shape; open dimensions get a name, but for the batch, which stays as the file is allocated (1)."""
    shape = [int(dim) for dim in entry["shape"]]
    signature = [int(dim) for dim in entry["shape_signature"]] or shape
    return tuple(
        f"dim{axis}" if signature[axis] < 0 and (axis > 0 or len(shape) == 1) else size
        for axis, size in enumerate(shape)
    )


def _quantization(entry: TensorDetails) -> Quantization | None:
    scale, zero_point = entry["quantization"]
    return Quantization(float(scale), int(zero_point)) if scale else None


def tensor_names(
    details: Sequence[TensorDetails], signatures: Mapping[str, Mapping[str, Mapping[str, int]]], side: str
) -> tuple[str, ...]:
    """The signature's names in the order of ``details``; without a signature the tensors' own, less TensorFlow's trimmings."""
    wanted = sorted(int(entry["index"]) for entry in details)
    for signature in signatures.values():
        if sorted(signature[side].values()) == wanted:
            by_name = sorted((index, name) for name, index in signature[side].items())
            ranked = sorted(range(len(details)), key=lambda position: int(details[position]["index"]))
            placed = dict(zip(ranked, (name for _, name in by_name), strict=True))
            return tuple(placed[position] for position in range(len(details)))
    plain = tuple(re.sub(r":\d+$", "", str(entry["name"]).removeprefix("serving_default_")) for entry in details)
    return plain if len(set(plain)) == len(plain) else tuple(str(entry["name"]) for entry in details)


def fixed(tensors: Sequence[TensorDetails]) -> list[TensorDetails]:
    """With the shapes that the file is allocated with, for engines that keep to them."""
    return [{**tensor, "shape_signature": tensor["shape"]} for tensor in tensors]

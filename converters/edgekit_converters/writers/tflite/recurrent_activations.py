"""The activation functions of recurrent layers, on tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.tape import Tape

_PLAIN = {"sigmoid": "LOGISTIC", "tanh": "TANH", "relu": "RELU", "elu": "ELU"}
_PARAMETERS = {"hardsigmoid": (0.2, 0.5), "elu": (1.0, 0.0), "leakyrelu": (0.01, 0.0), "affine": (1.0, 0.0)}
"""Default alpha and beta of the functions that have them."""
_HAS_BETA = ("hardsigmoid", "affine")


@dataclass(frozen=True, slots=True)
class Activation:
    """One function: its ONNX name in lower case, and its parameters where it has any."""

    name: str
    alpha: float = 0.0
    beta: float = 0.0

    @property
    def builtin(self) -> str:
        """The operator, of a function that is one."""
        return _PLAIN[self.name]

    def apply(self, tape: Tape, data: FlatTensor) -> FlatTensor:
        if self.name in _PLAIN:
            return tape.compute(_PLAIN[self.name], data)
        if self.name == "leakyrelu":
            return tape.compute("LEAKY_RELU", data, builtin_options=options("LeakyReluOptions", alpha=self.alpha))
        if self.name == "softsign":
            return tape.compute("DIV", data, tape.compute("ADD", tape.compute("ABS", data), tape.constant(1.0)))
        sloped = tape.compute("MUL", data, tape.constant(self.alpha))
        shifted = tape.compute("ADD", sloped, tape.constant(self.beta))
        if self.name == "affine":
            return shifted
        return tape.compute("MINIMUM", tape.compute("MAXIMUM", shifted, tape.constant(0.0)), tape.constant(1.0))


def activations_of(node: HubNode, defaults: Sequence[str]) -> tuple[Activation, ...]:
    """The node's functions, in order. Raises UnsupportedOpError for one that has no form here."""
    attribute = node.node.attributes.get("activations")
    names = [name.lower() for name in (defaults if attribute is None else attribute.as_strings())]
    for name in names:
        if name not in (*_PLAIN, *_PARAMETERS, "softsign"):
            raise node.unsupported(f"its activation {name} has no form in TFLite here")
    found = tuple(_with_parameters(names, _floats(node, "activation_alpha"), _floats(node, "activation_beta")))
    if any(entry.name == "elu" and not np.isclose(entry.alpha, 1.0) for entry in found):
        raise node.unsupported("its Elu has an alpha other than 1")
    return found


def _with_parameters(names: Sequence[str], alphas: list[float], betas: list[float]) -> Iterator[Activation]:
    """Functions take their parameters from the lists in order, and the defaults where a list has ended."""
    for name in names:
        alpha, beta = _PARAMETERS.get(name, (0.0, 0.0))
        if name in _PARAMETERS and alphas:
            alpha = alphas.pop(0)
        if name in _HAS_BETA and betas:
            beta = betas.pop(0)
        yield Activation(name, alpha, beta)


def _floats(node: HubNode, name: str) -> list[float]:
    attribute = node.node.attributes.get(name)
    return [] if attribute is None else list(attribute.as_floats())

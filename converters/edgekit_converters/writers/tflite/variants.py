"""The physical tensors of a hub value: each layout and encoding is made once, on first need."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgekit_converters.quantize.params import QuantParams
from edgekit_converters.writers.tflite.flat_model import FlatTensor, Shape
from edgekit_converters.writers.tflite.layout import Permutation, compose, identity, inverse

EncodingKey = tuple[str, bytes, bytes, int | None] | None


def encoding_key(params: QuantParams | None) -> EncodingKey:
    """Equal for equal encodings; None for float (and for integers that stand for themselves)."""
    if params is None:
        return None
    return params.dtype.numpy_name, params.scale.tobytes(), params.zero_point.tobytes(), params.axis


@dataclass(slots=True)
class Variants:
    """All tensors that hold one value. ``origin`` is the one its producer wrote; the others are made from it.

    Without an origin nothing exists yet: the value is ``source`` reshaped, to be written when a reader needs it.
    """

    shape: Shape
    origin: FlatTensor | None
    permutation: Permutation
    source: View | None = None
    tensors: dict[tuple[Permutation, EncodingKey], FlatTensor] = field(default_factory=dict)

    def made(self) -> FlatTensor:
        """The origin, which must exist, entered among the tensors."""
        assert self.origin is not None
        self.tensors.setdefault((self.permutation, encoding_key(self.origin.params)), self.origin)
        return self.origin


@dataclass(frozen=True, slots=True)
class View:
    """A value as the (transposed) reading of some `Variants`: logical axis i is axis ``axes[i]`` of the variants."""

    variants: Variants
    axes: Permutation

    @property
    def shape(self) -> Shape:
        return tuple(self.variants.shape[axis] for axis in self.axes)

    def transposed(self, permutation: Permutation) -> View:
        return View(self.variants, compose(self.axes, permutation))

    def stored(self, permutation: Permutation) -> Permutation:
        """From a permutation of the value to the one of the variants."""
        return compose(self.axes, permutation)

    def layouts(self) -> list[Permutation]:
        """The permutations in which the value exists already, its producer's first."""
        if self.variants.origin is not None:
            self.variants.made()
        back = inverse(self.axes)
        stored = [self.variants.permutation, *(permutation for permutation, _ in self.variants.tensors)]
        return list(dict.fromkeys(compose(back, permutation) for permutation in stored))


def view_of(tensor: FlatTensor, shape: Shape, permutation: Permutation) -> View:
    """A value of logical ``shape`` whose only tensor so far is ``tensor``, held in ``permutation``."""
    return View(Variants(shape, tensor, permutation), identity(len(shape)))

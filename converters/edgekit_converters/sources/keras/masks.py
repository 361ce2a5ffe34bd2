"""What layers do to the masks that Masking and Embedding make: the rules for those that keep them.

A mask is (N, T) bool and travels with its tensor. Keras 3 also writes it into functional models, as operations and as the keyword
``mask``, which goes first.
"""

from __future__ import annotations

from functools import reduce

from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.value import Value


def kept(call: LayerCall) -> tuple[Value | None, ...]:
    """The layer treats steps alike: its output has the mask of its input."""
    return (call.mask,)


def joined(call: LayerCall) -> tuple[Value | None, ...]:
    """A step of elementwise merged tensors counts where it does in any of them; no mask where one has none."""
    masks = [value.mask for value in call.inputs]
    shown = [mask for mask in masks if mask is not None]
    return (either(call, shown),) if shown and len(shown) == len(masks) else ()


def either(call: LayerCall, masks: list[Value]) -> Value:
    return reduce(lambda left, right: call.binary("Or", left, right, "mask"), dict.fromkeys(masks))


def both(call: LayerCall, masks: list[Value]) -> Value | None:
    """The steps that every mask shows; None where there is no mask."""
    return reduce(lambda left, right: call.binary("And", left, right, "mask"), masks) if masks else None

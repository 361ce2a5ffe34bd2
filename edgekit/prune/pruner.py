"""`MaskPruner`: zeros in a network's weights that stay zero while the user's own loop trains it."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.prune.amount import Amount, Mask, parse_amount
from edgekit.prune.schedule import OneShot, Schedule

_STEP = "step"


class Stepper(Protocol):
    """What a training loop calls after each step of its optimizer."""

    def step(self) -> None: ...


class MaskedWeights(Protocol):
    """A tensor of weights that can be masked, in its framework."""

    @property
    def name(self) -> str: ...

    def read(self) -> NDArray[np.floating]:
        """The weights with the axis that the layer sums over at the end."""

    def set_mask(self, mask: Mask) -> None:
        """Keep the weights where ``mask``, in the order of `read`, is true."""

    def apply(self) -> None:
        """Put the weights that are masked back to zero."""

    def saved_mask(self) -> Any:
        """The mask as the framework saves it: a tensor in the weights' own order."""

    def load_mask(self, saved: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Sparsity:
    """What was pruned. ``by_tensor``: the part of zeros by name. ``left_alone``: tensors that were not pruned, and why."""

    zeros: int
    weights: int
    by_tensor: Mapping[str, float]
    left_alone: Mapping[str, str]

    @property
    def share(self) -> float:
        """Zeros of all weights of the pruned tensors."""
        return self.zeros / self.weights


def mask_pruner(
    weights: Iterable[MaskedWeights], amount: str, schedule: Schedule | None, skip: Sequence[str]
) -> MaskPruner:
    """A pruner of those whose name matches no pattern of ``skip`` and whose shape the amount fits. Raises UsageError."""
    wanted = parse_amount(amount)
    tensors: list[MaskedWeights] = []
    left_alone: dict[str, str] = {}
    for one in weights:
        shape = one.read().shape
        if any(fnmatch.fnmatchcase(one.name, pattern) for pattern in skip):
            left_alone[one.name] = "it is skipped"
        elif not wanted.fits(shape):
            left_alone[one.name] = f"its {shape[-1]} inputs are no multiple of the group's size"
        else:
            tensors.append(one)
    return MaskPruner(tensors, wanted, schedule or OneShot(), left_alone)


@final
class MaskPruner:
    """Call `step` after each step of the optimizer. Save `state_dict` beside the optimizer's in a checkpoint.

    The masks are applied after each step, so that no optimizer's momentum or weight decay brings a pruned weight back.
    """

    def __init__(
        self, tensors: Sequence[MaskedWeights], amount: Amount, schedule: Schedule, left_alone: Mapping[str, str]
    ) -> None:
        if not tensors:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in left_alone.items()) or "it has no weights"
            raise UsageError(f"nothing in this network can be pruned as asked ({reasons})")
        self._tensors, self._amount, self._schedule = tuple(tensors), amount, schedule
        self.left_alone = dict(left_alone)
        self._steps = 0
        self._choose_if_due()

    def step(self) -> None:
        """Count a step of the optimizer, choose what is pruned where the schedule says so, put pruned weights to zero."""
        self._steps += 1
        self._choose_if_due()
        for tensor in self._tensors:
            tensor.apply()

    def finish(self) -> Sparsity:
        """Prune all that is still due; what the network's weights hold then is final. The pruner isn't needed any more."""
        if self._schedule.share(self._steps) < 1.0:
            self._choose(1.0)
        for tensor in self._tensors:
            tensor.apply()
        return self.sparsity()

    def sparsity(self) -> Sparsity:
        """Zeros that the weights hold now."""
        arrays = {tensor.name: tensor.read() for tensor in self._tensors}
        zeros = {name: int(np.count_nonzero(array == 0)) for name, array in arrays.items()}
        shares = {name: zeros[name] / array.size for name, array in arrays.items()}
        return Sparsity(sum(zeros.values()), sum(array.size for array in arrays.values()), shares, self.left_alone)

    def state_dict(self) -> dict[str, Any]:
        """The masks by the names of their tensors, and the number of steps; for ``torch.save`` or ``numpy.savez``."""
        return {tensor.name: tensor.saved_mask() for tensor in self._tensors} | {_STEP: self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a pruner of the same network left off. Raises UsageError when the state is of another network."""
        wanted, found = {tensor.name for tensor in self._tensors} | {_STEP}, set(state)
        if wanted != found:
            raise UsageError(
                f"the pruner's state lacks {sorted(wanted - found)[:3]} and has {sorted(found - wanted)[:3]} besides; expected "
                "the state of a pruner of the same network, made with the same arguments"
            )
        for tensor in self._tensors:
            if state[tensor.name].shape != tensor.saved_mask().shape:
                raise UsageError(
                    f"the mask of {tensor.name!r} is {tuple(state[tensor.name].shape)}, its weights "
                    f"{tuple(tensor.saved_mask().shape)}; expected the state of a pruner of the same network"
                )
        for tensor in self._tensors:
            tensor.load_mask(state[tensor.name])
            tensor.apply()
        self._steps = int(state[_STEP])

    def _choose_if_due(self) -> None:
        if self._schedule.due(self._steps):
            self._choose(self._schedule.share(self._steps))

    def _choose(self, share: float) -> None:
        for tensor in self._tensors:
            weights = tensor.read()
            if not math.isfinite(float(np.abs(weights).sum())):
                raise UsageError(f"the weights {tensor.name!r} are not finite; the training has diverged")
            tensor.set_mask(self._amount.mask(weights, share))
            tensor.apply()

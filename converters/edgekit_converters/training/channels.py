"""`Channels`: the units of the user's network that are to go, silenced while it is trained or removed from a copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConversionError, UsageError
from edgekit.protocols import Progress
from edgekit_converters.hub import Hub
from edgekit_converters.hub.run import hub_session
from edgekit_converters.prune.consumers import consumers_of, read_spaces
from edgekit_converters.prune.costs import costs_of
from edgekit_converters.prune.dependencies import Dependencies
from edgekit_converters.prune.repair import repair
from edgekit_converters.prune.trace import trace
from edgekit_converters.training.choice import choose
from edgekit_converters.training.followable import followable, followable_as
from edgekit_converters.training.network import Masks, Network, masks_of
from edgekit_converters.training.parameters import Values
from edgekit_converters.training.provenance import Kept, Provenance
from edgekit_converters.training.restore import restored
from edgekit_converters.training.samples import Samples
from edgekit_converters.training.shared import refittable, shared
from edgekit_converters.training.ties import tied

TOLERANCE = 1e-4
"""Of the largest answer: between the network with silent units and the one without them. Float32 rounding is below 1e-5."""
_TRIED = 4
"""Samples on which two networks are compared."""
_REFIT_TOLERANCE = 1e-2
"""Between the refitted network and the refitted hub, whose folded constants round differently."""
_UNREAD = "no layer that could be refitted sums over its channels, so that it can't be told what they are worth"

_SHOWN = 3


@final
class Channels:
    """Decided when it is made: ``share`` of the multiply-accumulates goes.

    ``left_alone``: layers that keep all their units, and why.
    """

    def __init__(self, network: Network, samples: Sequence[NDArray[Any]], share: float, progress: Progress) -> None:
        self._network, self._samples = network, samples
        self._dataset = Samples.of(samples, [spec.name for spec in network.hub.inputs])
        self._progress = progress
        _require_finite(network.values())
        hub = network.hub
        traced = shared(trace(hub), network.provenance)
        self._traced = tied(traced, network.provenance, _strengths(network.provenance, network.values(), traced))
        self._found, failing = followable(self._traced, self._try)
        self._consumers = consumers_of(hub, self._found)
        self._refitted = refittable(self._consumers, network.provenance)
        read = {space.name for space in read_spaces(self._found.spaces, self._consumers)}
        unread = {space.name: _UNREAD for space in self._found.spaces if space.name not in read}
        self.left_alone = {one.node: one.reason for one in self._traced.protected} | failing | unread
        if not read:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in list(self.left_alone.items())[:_SHOWN])
            raise ConversionError(f"no layer of this network can lose channels. {reasons}")
        self._stays = self._chosen(share)
        self._costs = costs_of(hub, self._found)
        self._hush(self._found.none_removed())

    def _chosen(self, share: float) -> NDArray[np.bool_]:
        """What stays. Layers that can lose a unit on trial, but not those chosen, are left alone, and it is chosen anew."""
        while True:
            readers = self._consumers, self._refitted
            stays = choose(self._network.hub, self._found, *readers, share, self._dataset, self._progress)
            self._found, failing = followable_as(self._found, stays, self._try)
            if not failing:
                return stays
            self.left_alone |= failing

    @property
    def macs(self) -> tuple[float, float]:
        """Multiply-accumulates of one sample, before and after."""
        return self._costs.macs(self._found.none_removed()), self._costs.macs(self._stays)

    @property
    def units(self) -> dict[str, tuple[int, int]]:
        """Units before and after, by the name of the layer that makes them."""
        return {space.name: (len(space.units), int(self._stays[space.units].sum())) for space in self._found.spaces}

    def silence(self, part: float) -> None:
        """Choose this part (0..1) of the units that are to go, the weakest first, and put their weights to zero."""
        values = self._network.values()
        _require_finite(values)
        strengths = _strengths(self._network.provenance, values, self._found)
        sounds = self._sounds.copy()
        for space in self._found.spaces:
            going = space.units[~self._stays[space.units]]
            weakest = going[np.argsort(strengths[going], kind="stable")]
            sounds[weakest[: round(part * len(going))]] = False
        self._hush(sounds)
        self.apply()

    def apply(self) -> None:
        """Put the weights of silent units back to zero."""
        self._network.silence(self._masks)

    def removed(self) -> Any:
        """A copy of the network as it is now without the units that go. Its answers are those of the network with silent ones."""
        return self._network.cut(self._network.values(), self._kept(self._stays))

    def repaired(self) -> Any:
        """As `removed`, with the weights that remain refitted on the samples, layer by layer."""
        network, hub = self._network, self._network.hub
        refitted = repair(hub, self._found, self._refitted, self._stays, self._dataset, self._progress)
        values = restored(network.provenance, hub, refitted, self._found, self._stays, network.values())
        model = network.cut(values, self._kept(self._stays))
        self._compare_with_hub(model, refitted)
        network.settle(model, self._samples)
        return model

    def state(self) -> dict[str, NDArray[np.bool_]]:
        return {"stays": self._stays.copy(), "sounds": self._sounds.copy()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Raises UsageError when the state is of another network."""
        found = {name: np.shape(state[name]) for name in ("stays", "sounds") if name in state}
        wanted = dict.fromkeys(("stays", "sounds"), self._stays.shape)
        if found != wanted:
            raise UsageError(
                f"the pruner's state has the masks {found}; expected {wanted}, the state of a pruner of the same network"
            )
        self._stays = np.asarray(state["stays"], bool)
        self._hush(np.asarray(state["sounds"], bool))
        self.apply()

    def _kept(self, stays: NDArray[np.bool_]) -> dict[str, Kept]:
        return self._network.provenance.kept(self._found, stays)

    def _hush(self, sounds: NDArray[np.bool_]) -> None:
        """All units but these are silent from now on. The masks are kept: they are needed after each step of the training."""
        self._sounds = sounds
        self._masks: Masks = masks_of(self._kept(sounds), self._network.provenance)

    def _try(self, stays: NDArray[np.bool_]) -> None:
        """Raises ConversionError where the network without units does not answer as with silent ones."""
        network, values = self._network, self._network.values()
        kept = network.provenance.kept(self._traced, stays)
        masks = masks_of(kept, network.provenance)
        silent = {name: array * masks[name] if name in masks else array for name, array in values.items()}
        few = [array[:_TRIED] for array in self._samples]
        whole, cut = network.cut(silent, {}), network.cut(values, kept)
        if (apart := _apart(network.answers(cut, few), network.answers(whole, few))) > TOLERANCE:
            raise ConversionError(f"without it the network answers otherwise, by {apart:.1e} of its largest answer")

    def _compare_with_hub(self, model: Any, refitted: Hub) -> None:
        """Raises ConversionError where the network in its own framework is not the refitted hub."""
        few = [array[:_TRIED] for array in self._samples]
        feeds = next(self._dataset.batches(_TRIED)).feeds
        wanted = list(hub_session(refitted).run(feeds).values())
        if (apart := _apart(self._network.answers(model, few), wanted)) > _REFIT_TOLERANCE:
            raise ConversionError(
                f"the refitted weights can't be brought back into the network: it answers otherwise by {apart:.1e} of its "
                "largest answer. Fine-tune it without them: give a schedule, call step() once, then finish()."
            )


def _require_finite(values: Values) -> None:
    for name, array in values.items():
        if not np.isfinite(array).all():
            raise UsageError(f"the weights {name!r} are not finite; the training has diverged")


def _apart(found: Sequence[NDArray[Any]], wanted: Sequence[NDArray[Any]]) -> float:
    """The largest difference, relative to the largest answer."""
    if [array.shape for array in found] != [array.shape for array in wanted]:
        return float("inf")
    return max(
        float(np.abs(one - other).max(initial=0)) / max(float(np.abs(other).max(initial=0)), 1e-6)
        for one, other in zip(found, wanted, strict=True)
    )


def _strengths(provenance: Provenance, values: Values, found: Dependencies) -> NDArray[np.float64]:
    """The squares of all weights that a unit has a part in, as the network holds them now."""
    numbers = np.concatenate([[0], provenance.squares(values)])  # NONE + 1 is 0
    strengths = np.zeros(found.unit_count + 1)
    for cut in found.cuts:
        ids = provenance.operands.get(cut.use)
        if ids is not None:
            others = tuple(axis for axis in range(ids.ndim) if axis != cut.axis)
            np.add.at(strengths, cut.units, numbers[ids + 1].sum(axis=others))
    return strengths

"""Channels, units and heads that go as a whole: a smaller network in the user's own framework, before or after training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from edgekit import registry
from edgekit.errors import UsageError
from edgekit.prune.amount import parse_share
from edgekit.prune.schedule import Schedule

if TYPE_CHECKING:
    import keras
    from torch import nn

_STEP = "step"


@dataclass(frozen=True, slots=True, eq=False)
class Smaller:
    """``model``: a new module or model of the user's framework, to be trained on, saved or converted.

    ``macs``: multiply-accumulates of a sample before and after. ``units``: channels (units, heads) before and after by layer.
    ``left_alone``: layers that could lose none, and why.
    """

    model: Any
    macs: tuple[float, float]
    units: Mapping[str, tuple[int, int]]
    left_alone: Mapping[str, str]


class _Channels(Protocol):
    """What `edgekit_converters.training` knows of the network."""

    @property
    def macs(self) -> tuple[float, float]: ...
    @property
    def units(self) -> Mapping[str, tuple[int, int]]: ...
    @property
    def left_alone(self) -> Mapping[str, str]: ...
    def silence(self, part: float) -> None: ...
    def apply(self) -> None: ...
    def removed(self) -> Any: ...
    def repaired(self) -> Any: ...
    def state(self) -> dict[str, NDArray[np.bool_]]: ...
    def load_state(self, state: Mapping[str, Any]) -> None: ...


@final
class ChannelPruner:
    """Call `step` after each step of the optimizer where there is a schedule; `finish` gives the smaller network.

    Without a schedule, or before the first step, `finish` refits the weights that remain on the samples: begin training with
    that network. With one, the network is trained while its channels fall silent, and they are then removed as they are.
    """

    def __init__(self, channels: _Channels, schedule: Schedule | None) -> None:
        self._channels, self._schedule = channels, schedule
        self._steps = 0

    def step(self) -> None:
        """Count a step of the optimizer, silence what the schedule says, keep silent channels silent."""
        if self._schedule is None:
            raise UsageError(
                "the pruner was made without a schedule; give one, or call finish() and train what it returns"
            )
        self._steps += 1
        if self._schedule.due(self._steps):
            self._channels.silence(self._schedule.share(self._steps))
        else:
            self._channels.apply()

    def finish(self) -> Smaller:
        """The network without the channels that were to go. The user's own one stays as it is, silent channels included."""
        channels = self._channels
        if self._steps:
            channels.silence(1.0)
            model = channels.removed()
        else:
            model = channels.repaired()
        return Smaller(model, channels.macs, channels.units, channels.left_alone)

    def state_dict(self) -> dict[str, Any]:
        """Which channels go and which are silent, and the number of steps; arrays of numpy."""
        return {**self._channels.state(), _STEP: self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a pruner of the same network left off. Raises UsageError when the state is of another network."""
        if _STEP not in state:
            raise UsageError(
                f"the pruner's state has {sorted(state)}, but no {_STEP!r}; expected what state_dict() of such a pruner gave"
            )
        self._channels.load_state(state)
        self._steps = int(state[_STEP])


def torch_channels(
    model: nn.Module, samples: Any, amount: str = "30%", *, schedule: Schedule | None = None
) -> ChannelPruner:
    """A pruner that removes this part of the multiply-accumulates of a PyTorch module.

    ``samples``: an array or tensor (N, ...) of inputs, or a sequence of them for several inputs; 150 to 250 are enough. They
    choose the channels and refit the weights. Raises UsageError, SourceError for a module that can't be exported, and
    ConversionError for one whose parameters can't be followed.
    """
    share = parse_share(amount)
    return ChannelPruner(registry.stage("torch_channels")(model, _arrays(samples), share), schedule)


def keras_channels(
    model: keras.Model, samples: Any, amount: str = "30%", *, schedule: Schedule | None = None
) -> ChannelPruner:
    """As `torch_channels`, for a functional or Sequential Keras 3 model."""
    share = parse_share(amount)
    return ChannelPruner(registry.stage("keras_channels")(model, _arrays(samples), share), schedule)


def _arrays(samples: Any) -> Sequence[NDArray[Any]]:
    several = samples if isinstance(samples, (list, tuple)) else (samples,)
    arrays = [np.asarray(one.detach().cpu() if hasattr(one, "detach") else one) for one in several]
    if shapes := [array.shape for array in arrays if not array.size]:
        raise UsageError(f"the samples are of shape {shapes[0]}; expected (N, ...) with 150 to 250 typical inputs")
    return arrays

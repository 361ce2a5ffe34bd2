"""What a caller may choose about a .tflite file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.errors import UsageError
from edgekit.recipe import UNROLL_STEPS, IoType


@dataclass(frozen=True, slots=True)
class TfliteOptions:
    """``batch``: the fixed size of the first axis. ``input_shapes``: static shapes by input name, for models with other
    symbolic dimensions. ``io``: element type of inputs and outputs that are float in the model. ``integer_only``: refuse
    to write a file in which any tensor is float. ``unroll_steps``: recurrent layers of at most so many steps are written step
    by step; longer ones as a loop, which is smaller and slower."""

    batch: int = 1
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    io: IoType = IoType.FLOAT32
    integer_only: bool = False
    unroll_steps: int = UNROLL_STEPS

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UsageError(f"the fixed batch is {self.batch}; expected 1 or more")

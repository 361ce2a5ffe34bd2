"""Which stored array belongs to which input of the model."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from edgekit.artifact import TensorSpec
from edgekit.errors import DatasetError

SINGLE = "x"
LABELS = "y"
GROUPS = "group"


def match_names(found: Collection[str], inputs: Sequence[TensorSpec], where: str) -> dict[str, str]:
    """Stored name by input name. Raises DatasetError with what was found and what is expected."""
    names = [spec.name for spec in inputs]
    if all(name in found for name in names):
        return {name: name for name in names}
    if len(names) == 1 and SINGLE in found:
        return {names[0]: SINGLE}
    or_single = f" (or {SINGLE!r})" if len(names) == 1 else ""
    carried = " Inputs that an output of the call before continues need none: convert with --state INPUT=OUTPUT."
    raise DatasetError(
        f"{where} holds the arrays {_quoted(found)}; the model's inputs are {_quoted(names)}{or_single}. "
        f"Save one array an input under its name.{carried if len(names) > 1 else ''}"
    )


def only_input(inputs: Sequence[TensorSpec], what: str) -> TensorSpec:
    """The model's one input. Raises DatasetError when there are several."""
    if len(inputs) != 1:
        names = _quoted([spec.name for spec in inputs])
        raise DatasetError(f"{what} feeds one input, but the model has {len(inputs)}: {names}. Use an .npz file.")
    return inputs[0]


def _quoted(names: Collection[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"

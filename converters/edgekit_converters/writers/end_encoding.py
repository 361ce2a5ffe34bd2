"""The encoding that a model's own input or output has in a file, the same for every format."""

from __future__ import annotations

from edgekit.errors import ConversionError
from edgekit.recipe import IoType
from edgekit_converters.quantize.params import QuantParams, QuantType
from edgekit_converters.quantize.quant_plan import QuantPlan

_STORAGE = {IoType.INT8: QuantType.INT8, IoType.UINT8: QuantType.UINT8}


def end_encoding(name: str, numpy_dtype: str, plan: QuantPlan, io: IoType) -> QuantParams | None:
    """How the float value ``name`` is stored where ``io`` asks for integers; None where it stays as the hub has it.

    Raises ConversionError when integers are asked for and the plan keeps the value in float.
    """
    if io is IoType.FLOAT32 or numpy_dtype != "float32" or name in plan.float_ends:
        return None
    params = plan.ends.get(name) or plan.values.get(name)
    if params is None:
        raise ConversionError(
            f"{io.value} inputs and outputs were asked for, but the plan keeps {name!r} in float. "
            "Use float32 inputs and outputs (--io float32), or quantize the nodes at the model's ends."
        )
    return params.stored_as(_STORAGE[io])

"""ConvLSTM, written out step by step."""

from __future__ import annotations

import numpy as np

from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.padding import window_padding
from edgekit_converters.sources.keras.settings import Settings
from edgekit_converters.sources.keras.table import reads
from edgekit_converters.sources.keras.unrolled import Functions, lstm_step, over_steps, turned
from edgekit_converters.sources.keras.value import Value, channels_first


def _cell_weights(settings: Settings) -> tuple[str, ...]:
    bias = ("cell/bias",) if settings.flag("use_bias", True) else ()
    return ("cell/kernel", "cell/recurrent_kernel", *bias)


@reads("ConvLSTM1D", "ConvLSTM2D", weights=_cell_weights)
def conv_lstm(call: LayerCall) -> list[Value]:
    """An LSTM whose products are convolutions: over the input's steps all at once, over the state step by step."""
    settings = call.settings
    refused = [key for key in ("stateful",) if settings.flag(key, False)]
    if refused or not call.channels_last or len(call.inputs) != 1 or call.mask is not None:
        raise call.unsupported(
            "keeps its state, has a mask or initial states, or its channels first; readable is the plain form"
        )
    sequence = turned(call, call.only) if settings.flag("go_backwards", False) else call.only
    projected = _over_input(call, sequence)
    of_gates = "sigmoid" if call.provenance.major >= 3 else "hard_sigmoid"
    functions = Functions(settings.get("recurrent_activation") or of_gates, settings.values.get("activation", "tanh"))

    def step(row: Value, states: list[Value], part: str) -> list[Value]:
        total = call.binary("Add", row, _over_state(call, states[0], part), part)
        return lstm_step(call, functions, total, states[1], part)

    outputs, last, carry = over_steps(call, projected, (), step, 2, 4, "")
    output = outputs if settings.flag("return_sequences", False) else last
    return [output, *([last, carry] if settings.flag("return_state", False) else [])]


def _over_input(call: LayerCall, sequence: Value) -> Value:
    """(N, T, sizes..., 4 * filters): the steps become part of the batch for one convolution."""
    kernel = call.weight("cell/kernel", sequence.rank - 1)
    rank, filters = kernel.ndim - 2, kernel.shape[-1]
    steps, *sizes = sequence.shape[1:]
    if steps is None or None in sizes:
        raise call.unsupported("needs every size but the batch's; give them with --input-shape")
    target = call.constant(np.array([-1, *(size or 1 for size in sizes)], np.int64), "pictures_sizes")
    pictures = call.value(call.node("Reshape", sequence.plain, target, part="pictures"))
    strides, dilations = (call.settings.spatial(key, rank, 1) for key in ("strides", "dilation_rate"))
    pads = window_padding(call.settings.text("padding", "valid"), sizes[:-1], kernel.shape[:rank], strides, dilations)
    bias = [call.constant(call.weight("cell/bias", 1), "cell/bias")] if "cell/bias" in call.weights else []
    weight = call.constant(kernel.transpose(rank + 1, rank, *range(rank)), "cell/kernel")
    layout = channels_first(rank + 2)
    made = call.node(
        "Conv",
        pictures.variant(layout),
        weight,
        *bias,
        part="input",
        kernel_shape=list(kernel.shape[:rank]),
        strides=list(strides),
        dilations=list(dilations),
        **pads,
    )
    assert made.shape is not None
    shape = call.constant(np.array([-1, steps, filters, *made.shape[2:]], np.int64), "steps_sizes")
    unfolded = call.node("Reshape", made, shape, part="steps")
    return call.value(unfolded, (0, 1, rank + 2, *range(2, rank + 2)))


def _over_state(call: LayerCall, state: Value, part: str) -> Value:
    kernel = call.weight("cell/recurrent_kernel", state.rank)
    rank = kernel.ndim - 2
    sizes = kernel.shape[:rank]
    weight = call.constant(kernel.transpose(rank + 1, rank, *range(rank)), "cell/recurrent_kernel")
    layout = channels_first(state.rank)
    pads = window_padding("same", state.shape[1:-1], sizes, (1,) * rank, (1,) * rank)
    made = call.node("Conv", state.variant(layout), weight, part=part, kernel_shape=list(sizes), **pads)
    return call.value(made, layout)

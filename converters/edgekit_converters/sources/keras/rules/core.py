"""Dense, embeddings, and the layers that do nothing at inference."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.sources.keras.activations import activated
from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.masks import kept
from edgekit_converters.sources.keras.settings import Settings
from edgekit_converters.sources.keras.table import reads
from edgekit_converters.sources.keras.value import Value, native


def kernel_and_bias(settings: Settings) -> tuple[str, ...]:
    return ("kernel", "bias") if settings.flag("use_bias", True) else ("kernel",)


@reads("Dense", weights=kernel_and_bias, masks=kept)
def dense(call: LayerCall) -> Value:
    """Gemm for (N, features); MatMul over the last axis of more."""
    x = call.only
    kernel = call.constant(call.weight("kernel", 2), "kernel")
    bias = call.constant(call.weight("bias", 1), "bias") if "bias" in call.weights else None
    if x.rank == 2:
        operands = (x.plain, kernel) if bias is None else (x.plain, kernel, bias)
        return activated(call, call.value(call.node("Gemm", *operands)))
    product = call.node("MatMul", x.plain, kernel)
    return activated(call, call.value(product if bias is None else call.node("Add", product, bias, part="bias_add")))


def _embeddings(_: Settings) -> tuple[str, ...]:
    return ("embeddings",)


def _zeros_hidden(call: LayerCall) -> tuple[Value | None, ...]:
    """``mask_zero``: the number 0 stands for a step that does not count."""
    if not call.settings.flag("mask_zero", False):
        return ()
    numbers = Value(call.graph, {native(call.only.rank): integers(call, call.only)})
    return (call.unary("Not", call.binary("Equal", numbers, 0, "hidden"), "mask"),)


@reads("Embedding", weights=_embeddings, masks=_zeros_hidden)
def embedding(call: LayerCall) -> Value:
    table = call.constant(call.weight("embeddings", 2), "embeddings")
    return call.value(call.node("Gather", table, integers(call, call.only), axis=0))


def integers(call: LayerCall, x: Value) -> ir.Value:
    """The tensor as whole numbers that Gather takes."""
    if x.dtype in ("int32", "int64"):
        return x.plain
    from onnx import TensorProto

    return call.node("Cast", x.plain, part="cast", to=TensorProto.INT32)


@reads(
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomFlip",
    "RandomGrayscale",
    "RandomHeight",
    "RandomHue",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomWidth",
    "RandomZoom",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "ops.ConvertToTensor",
    "ops.StopGradient",
    "tf.convert_to_tensor",
    "tf.stop_gradient",
    "tf.identity",
    masks=kept,
)
def passes_through(call: LayerCall) -> Value:
    """At inference these give their input."""
    return call.only


@reads("TimeDistributed", masks=kept)
def time_distributed(call: LayerCall) -> Value:
    """The wrapped layer on every step: the steps become part of the batch and are taken apart again behind it."""
    inner, x = call.layer.wrapped, call.only
    assert inner is not None
    if inner.kind == "Dense":  # works on the last axis whatever stands before
        return call.apply(inner, (x,), {})[0]
    folded = Value(call.graph, {native(x.rank - 1): _reshaped(call, x, (-1, *x.shape[2:]), "fold")})
    result = call.apply(inner, (folded,), {})[0]
    return call.value(_reshaped(call, result, (-1, x.shape[1], *result.shape[1:]), "unfold"))


def _reshaped(call: LayerCall, x: Value, shape: tuple[int | None, ...], part: str) -> ir.Value:
    if None in shape:
        raise call.unsupported("needs every size but the batch's; give them with --input-shape")
    target = call.constant(np.array(shape, np.int64), f"{part}_shape")
    return call.node("Reshape", x.plain, target, part=part)


def _vector_u(_: Settings) -> tuple[str, ...]:
    return ("vector_u",)


@reads("SpectralNormalization")
def spectral_normalization(call: LayerCall) -> Value:
    """At inference the wrapped layer with its kernel, which training left normalized."""
    assert call.layer.wrapped is not None
    return call.apply(call.layer.wrapped, (call.only,), {})[0]

"""Which factors and outliers make a product lose least to int8, by trying."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.quantize.encodings import encode
from edgekit_converters.quantize.smooth_rows import Rows
from edgekit_converters.quantize.weights import weight_params

EXPONENTS = (0.5, 0.7, 0.8, 0.9)
OUTLIER_COUNTS = (4, 8)
CHANNELS_PER_OUTLIER = 32
"""At least, for a branch in float to be cheap."""

SMOOTHING_GAIN = 0.8
"""Of the squared error that must be left at most for factors to be worth a product of their own."""
OUTLIER_GAIN = 0.5
"""The same for a branch in float."""
SMALLEST = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """``factors``: (channels,), by which inputs are divided and weights multiplied. ``outliers``: (channels,), which are computed
    in float."""

    factors: NDArray[np.float64]
    outliers: NDArray[np.bool_]
    error: float
    """Squared, relative to the product's own square."""

    @property
    def plain(self) -> bool:
        return bool((self.factors == 1.0).all()) and not self.outliers.any()


def choose(rows: Rows, weight: NDArray[np.float32]) -> Choice:
    """The cheapest choice that no other beats by much; ``weight``: (channels, columns) of all products that read the rows."""
    best = _smoothed_where_it_pays(rows, weight, 0)
    for count in (count for count in OUTLIER_COUNTS if count * CHANNELS_PER_OUTLIER <= len(weight)):
        apart = _smoothed_where_it_pays(rows, weight, count)
        if apart.error < OUTLIER_GAIN * best.error:
            best = apart
    return best


def _smoothed_where_it_pays(rows: Rows, weight: NDArray[np.float32], outlier_count: int) -> Choice:
    plain = _choice(rows, weight, 0.0, outlier_count)
    smoothed = min((_choice(rows, weight, exponent, outlier_count) for exponent in EXPONENTS), key=_error)
    return smoothed if smoothed.error < SMOOTHING_GAIN * plain.error else plain


def _choice(rows: Rows, weight: NDArray[np.float32], exponent: float, outlier_count: int) -> Choice:
    reach = np.maximum(np.maximum(-rows.low, rows.high), SMALLEST).astype(np.float64)
    strength = np.maximum(np.abs(weight).max(axis=1), SMALLEST).astype(np.float64)
    factors = reach**exponent / strength ** (1.0 - exponent) if exponent else np.ones(len(reach))
    factors = factors / np.exp(np.log(factors).mean()) if exponent else factors
    outliers = np.zeros(len(reach), bool)
    if outlier_count:
        outliers[np.argsort(reach / factors)[-outlier_count:]] = True
    return Choice(factors, outliers, _loss(rows, weight, factors, outliers))


def _loss(rows: Rows, weight: NDArray[np.float32], factors: NDArray[np.float64], outliers: NDArray[np.bool_]) -> float:
    """Squared error of the quantized product, in parts of the square of the whole."""
    inner = ~outliers
    divisor = factors[inner].astype(np.float32)
    data, scaled = rows.kept[:, inner] / divisor, weight[inner] * divisor[:, np.newaxis]
    low, high = rows.low[inner] / divisor, rows.high[inner] / divisor
    data_params = encode(float(low.min()), float(high.max()), symmetric=False)
    weight_steps = weight_params(scaled, 1)
    coarse = data_params.dequantize(data_params.quantize(data)) @ weight_steps.dequantize(weight_steps.quantize(scaled))
    whole = rows.kept @ weight
    return float(np.square(coarse - data @ scaled).sum() / max(float(np.square(whole).sum()), SMALLEST))


def _error(choice: Choice) -> float:
    return choice.error

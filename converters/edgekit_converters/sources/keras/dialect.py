"""Keras 1 and 2 said in Keras 3's words: class names, argument names and merge modes."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.errors import UnsupportedLayerError

_KINDS = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
    "AvgPool3D": "AveragePooling3D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution2D": "Conv2D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3D": "Conv3D",
    "Convolution3DTranspose": "Conv3DTranspose",
    "Deconvolution2D": "Conv2DTranspose",
    "DepthwiseConvolution1D": "DepthwiseConv1D",
    "DepthwiseConvolution2D": "DepthwiseConv2D",
    "GlobalAvgPool1D": "GlobalAveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalAvgPool3D": "GlobalAveragePooling3D",
    "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "GlobalMaxPool3D": "GlobalMaxPooling3D",
    "GroupQueryAttention": "GroupedQueryAttention",
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "MaxPool3D": "MaxPooling3D",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "SyncBatchNormalization": "BatchNormalization",
    "TimeDistributedDense": "Dense",
}
_ARGUMENTS = {
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "border_mode": "padding",
    "filter_length": "kernel_size",
    "nb_filter": "filters",
    "nb_feature": "filters",
    "inner_activation": "recurrent_activation",
    "output_dim": "units",
    "subsample": "strides",
    "subsample_length": "strides",
}
_ARGUMENTS_OF = {
    "Conv1D": {"padding": "padding"},
    "Dropout": {"p": "rate"},
    "ELU": {"alpha": "alpha"},
    "Embedding": {"output_dim": "output_dim"},
    "LeakyReLU": {"alpha": "negative_slope"},
    "MaxPooling1D": {"pool_length": "pool_size", "stride": "strides"},
    "AveragePooling1D": {"pool_length": "pool_size", "stride": "strides"},
    "UpSampling1D": {"length": "size"},
}
_MERGES = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "concat": "Concatenate",
    "dot": "Dot",
    "cos": "Dot",
}


def modern(kind: str, raw: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Class and configuration in Keras 3's words. Raises UnsupportedLayerError for a Keras 1 form that has no such words."""
    kind = _KINDS.get(kind, kind)
    config = {_argument(kind, key): value for key, value in raw.items()}
    if "data_format" not in config and (ordering := config.pop("dim_ordering", None)) is not None:
        config["data_format"] = "channels_first" if ordering == "th" else "channels_last"
    if {"nb_row", "nb_col"} <= config.keys():
        depth = [config["kernel_dim1"]] if "kernel_dim1" in config else []
        config["kernel_size"] = [*depth, config["nb_row"], config["nb_col"]]
    if {"kernel_dim1", "kernel_dim2", "kernel_dim3"} <= config.keys():
        config["kernel_size"] = [config["kernel_dim1"], config["kernel_dim2"], config["kernel_dim3"]]
    if kind == "Merge":
        return _merge(config)
    if kind == "BatchNormalization" and config.get("mode", 0) != 0:
        raise UnsupportedLayerError(
            f"layer {config.get('name')!r} is a Keras 1 BatchNormalization of mode {config['mode']}, which normalizes by the "
            "statistics of the batch at hand; only mode 0 has fixed statistics. Train it with mode 0."
        )
    return kind, config


def _argument(kind: str, key: str) -> str:
    own = _ARGUMENTS_OF.get(kind, {})
    return own.get(key) or _ARGUMENTS.get(key, key)


def _merge(config: dict[str, object]) -> tuple[str, dict[str, object]]:
    mode = config.get("mode")
    if not isinstance(mode, str) or mode not in _MERGES or config.get("layers"):
        raise UnsupportedLayerError(
            f"layer {config.get('name')!r} is a Keras 1 Merge of mode {mode!r}"
            f"{' over branches of its own' if config.get('layers') else ''}; "
            f"readable are {', '.join(_MERGES)} between layers of a functional model."
        )
    config["axis"] = config.get("concat_axis", -1)
    config["axes"] = config.get("dot_axes", -1)
    config["normalize"] = mode == "cos"
    return _MERGES[mode], config

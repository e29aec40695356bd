"""Configurations of Keras 1 in the words of Keras 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CLASSES = {
    "Convolution2D": "Conv2D",
    "AtrousConvolution2D": "Conv2D",
    "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution2D": "Conv2DTranspose",
}
_MERGES = {"concat": "Concatenate", "sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum"}
_FIELDS = {
    "nb_filter": "filters",
    "subsample": "strides",
    "border_mode": "padding",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "output_dim": "units",
    "p": "rate",
}
_ORDERS = {"tf": "channels_last", "th": "channels_first"}
# Only training needs them, or Keras 2 reads them from the weights.
_DROPPED = (
    *("init", "gamma_init", "beta_init", "W_regularizer", "b_regularizer", "gamma_regularizer"),
    *("beta_regularizer", "W_constraint", "b_constraint", "mode", "input_dim", "input_dtype", "output_shape"),
    *("create_input_layer", "sparsity_target", "nb_row", "nb_col", "dim_ordering", "activity_regularizer"),
)


def translated(config: Any) -> Any:
    """A configuration of Keras 1 as one of Keras 2. What is unknown stays as it is."""
    if isinstance(config, list):
        return [translated(each) for each in config]
    if not isinstance(config, Mapping):
        return config
    kind, fields = config.get("class_name"), config.get("config")
    if not isinstance(kind, str) or not isinstance(fields, Mapping):
        return {key: translated(each) for key, each in config.items()}
    if "layers" in fields:  # a functional model
        return {**config, "config": {key: translated(each) for key, each in fields.items()}}
    if kind == "Merge":
        merged = {"axis": fields.get("concat_axis", -1)} if fields.get("mode") == "concat" else {}
        name = _MERGES.get(str(fields.get("mode")), "Merge")
        return {**config, "class_name": name, "config": {"name": fields.get("name"), **merged}}
    return {**config, "class_name": _CLASSES.get(kind, kind), "config": _fields(fields)}


def _fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a layer."""
    kept = {_FIELDS.get(key, key): translated(each) for key, each in fields.items() if key not in _DROPPED}
    if "nb_row" in fields and "nb_col" in fields:
        kept["kernel_size"] = [fields["nb_row"], fields["nb_col"]]
    if fields.get("dim_ordering") in _ORDERS:
        kept["data_format"] = _ORDERS[fields["dim_ordering"]]
    return kept

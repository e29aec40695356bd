"""Attributes and constants of a TensorFlow graph's nodes, as an exported graph has them."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from dreamkit.errors import ModelError, shown


def sides(node: Any, name: str) -> list[int]:
    """Height and width of an attribute that has four values."""
    return (list(node.attr[name].list.i) or [1, 1, 1, 1])[1:3]


def spans_channels(node: Any, name: str) -> bool:
    """Whether an attribute of four values differs from one along the batch or the channels."""
    values = list(node.attr[name].list.i) or [1, 1, 1, 1]
    return bool(values[0] != 1 or values[3] != 1)


def window_attributes(node: Any) -> dict[str, Any]:
    """Strides, and the padding: `same`, `valid`, or top, bottom, left and right.

    Raises:
        ModelError: channels come first.
    """
    if node.attr["data_format"].s not in (b"", b"NHWC"):
        raise unsupported(node, "with channels first")
    padding: str | list[int] = node.attr["padding"].s.decode().lower()
    if padding == "explicit":
        padding = list(node.attr["explicit_paddings"].list.i)[2:6]
    return {"strides": sides(node, "strides"), "padding": padding}


def per_channel(node: Any, values: NDArray[Any]) -> NDArray[Any]:
    """A constant as one number, or one for each channel where they differ.

    Raises:
        ModelError: it differs along height or width.
    """
    if values.size > 1 and values.shape[-1] != values.size:
        raise unsupported(node, "with a constant that differs between positions")
    flat = values.reshape(-1)
    return flat[:1] if (flat == flat[0]).all() else flat


def unsupported(node: Any, detail: str = "") -> ModelError:
    """The error for a node that an exported graph has no operation for."""
    return ModelError(f"{f'{node.op} {detail}'.rstrip()} ({shown(node.name, 80)}) is not supported")

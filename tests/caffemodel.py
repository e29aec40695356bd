"""Writes caffemodels for the tests, in protobuf's wire format."""

from __future__ import annotations

import numpy as np


def varint(number):
    """Seven bits in each byte, the lowest first; a negative number as 64 bits."""
    number &= (1 << 64) - 1
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])


def length_field(number, data):
    """A field with a length: a string, a message or packed numbers."""
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint_field(number, value):
    """A field with a whole number."""
    return varint(number << 3) + varint(value)


def blob(array, *, form="packed"):
    """One array of weights: `packed`, `unpacked`, `double`, `loose` (unpacked double) or `legacy`."""
    array = np.asarray(array)
    if form == "legacy":
        sides = (1,) * (4 - array.ndim) + array.shape
        head = b"".join(varint_field(1 + at, side) for at, side in enumerate(sides))
    else:
        head = length_field(7, length_field(1, b"".join(varint(side) for side in array.shape)))
    floats, doubles = array.astype("<f4").ravel(), array.astype("<f8").ravel()
    if form == "unpacked":
        return head + b"".join(varint(5 << 3 | 5) + value.tobytes() for value in floats)
    if form == "loose":
        return head + b"".join(varint(8 << 3 | 1) + value.tobytes() for value in doubles)
    return head + (
        length_field(8, doubles.tobytes()) if form == "double" else length_field(5, floats.tobytes())
    )


def caffemodel(weights, *, form="packed", v1=False):
    """A file with the weights `{layer: arrays}`, in today's format or V1."""
    layer, name, blobs = (2, 4, 6) if v1 else (100, 1, 7)
    written = length_field(1, "a network")
    for each, arrays in weights.items():
        kind = varint_field(5, 4) if v1 else length_field(2, "Any")
        held = b"".join(length_field(blobs, blob(array, form=form)) for array in arrays)
        written += length_field(layer, length_field(name, each) + kind + held)
    return written

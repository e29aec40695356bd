"""Writes caffemodels for the tests: protobuf's wire format from the other side."""

from __future__ import annotations

import numpy as np


def varint(number):
    """Seven bits to a byte, the lowest first; a negative number as 64 bits."""
    number &= (1 << 64) - 1
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])


def part(number, data):
    """A field with a length: a text, a message or packed numbers."""
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def whole(number, value):
    return varint(number << 3) + varint(value)


def blob(array, *, form="packed"):
    """One array of weights: `packed`, `unpacked`, `double`, `loose` (unpacked double) or `legacy`."""
    array = np.asarray(array)
    if form == "legacy":
        sides = (1,) * (4 - array.ndim) + array.shape
        head = b"".join(whole(1 + at, side) for at, side in enumerate(sides))
    else:
        head = part(7, part(1, b"".join(varint(side) for side in array.shape)))
    floats, doubles = array.astype("<f4").ravel(), array.astype("<f8").ravel()
    if form == "unpacked":
        return head + b"".join(varint(5 << 3 | 5) + value.tobytes() for value in floats)
    if form == "loose":
        return head + b"".join(varint(8 << 3 | 1) + value.tobytes() for value in doubles)
    return head + (part(8, doubles.tobytes()) if form == "double" else part(5, floats.tobytes()))


def caffemodel(weights, *, form="packed", v1=False):
    """A file of `{layer: arrays}`, with today's layers or V1's."""
    layer, name, blobs = (2, 4, 6) if v1 else (100, 1, 7)
    written = part(1, "a network")
    for each, arrays in weights.items():
        kind = whole(5, 4) if v1 else part(2, "Any")
        held = b"".join(part(blobs, blob(array, form=form)) for array in arrays)
        written += part(layer, part(name, each) + kind + held)
    return written

"""A network that takes one size of picture, on pictures of any size: they are cut into windows of just that
size, and the maps of the windows are put together.

Windows overlap where a picture is no multiple of them. Each activation is taken from the window whose centre
is nearest, so that it sees about as much on every side. A map of one position is the mean over all windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def on_windows(
    network: Callable[[Any], Sequence[Any]], size: tuple[int, int], strides: Sequence[int]
) -> Callable[[Any], list[Any]]:
    """The function from pictures `(n, height, width, 3)` of any size to the maps of `network`.

    Args:
        network: from one picture `(height, width, 3)` to its maps `(height / stride, width / stride,
            channels)`, or `(1, 1, channels)` where the stride is 0.
        size: the height and width of its picture.
        strides: of its maps, each a divisor of the largest one, which divides the size.

    Pictures whose sides are no multiples of the largest stride are continued by reflection, below and at the
    right, and their maps with them. They must be at least as large as the window.
    """
    unit = max([each for each in strides if each] or [1])

    def forward(pictures: Any) -> list[Any]:
        height, width = tf.unstack(tf.shape(pictures)[1:3])
        paddings = [[0, 0], [0, -height % unit], [0, -width % unit], [0, 0]]
        padded = tf.pad(pictures, paddings, "SYMMETRIC")
        rows = _starts((height + -height % unit) // unit, size[0] // unit)
        columns = _starts((width + -width % unit) // unit, size[1] // unit)
        windows = _cut(padded, rows * unit, columns * unit, size)
        count = tf.shape(pictures)[0]
        maps = tf.vectorized_map(network, windows, fallback_to_while_loop=False)
        found = []
        for each, stride in zip(maps, strides, strict=True):
            channels = each.shape[-1]
            if not stride:
                apart = tf.reshape(each, [count, -1, 1, channels])
                found.append(tf.reduce_mean(apart, 1, keepdims=True))
                continue
            cells = [side // stride for side in size]
            apart = tf.reshape(each, [count, tf.size(rows), tf.size(columns), *cells, channels])
            joined = tf.reshape(
                tf.transpose(apart, [0, 1, 3, 2, 4, 5]),
                [count, tf.size(rows) * cells[0], tf.size(columns) * cells[1], channels],
            )
            for axis, starts in ((1, rows), (2, columns)):
                joined = tf.gather(
                    joined, _nearest(starts, size[axis - 1] // unit, unit // stride), axis=axis
                )
            found.append(joined)
        return found

    return forward


def _starts(length: Any, window: int) -> Any:
    """Where windows begin along an axis of `length`: as few as cover it, evenly spread."""
    count = -(-length // window)
    return tf.range(count) * (length - window) // tf.maximum(count - 1, 1)


def _cut(pictures: Any, rows: Any, columns: Any, size: tuple[int, int]) -> Any:
    """The windows of all pictures, `(n, height, width, 3)`."""
    height, width = size
    down = tf.reshape(rows[:, None] + tf.range(height), [-1])
    right = tf.reshape(columns[:, None] + tf.range(width), [-1])
    found = tf.gather(tf.gather(pictures, down, axis=1), right, axis=2)
    apart = tf.reshape(found, [-1, tf.size(rows), height, tf.size(columns), width, 3])
    return tf.reshape(tf.transpose(apart, [0, 1, 3, 2, 4, 5]), [-1, height, width, 3])


def _nearest(starts: Any, window: int, parts: int) -> Any:
    """For each place along an axis, its index in the windows' places one after another.

    `starts` and `window` count units, and a unit has `parts` places.
    """
    length = starts[-1] + window
    units = tf.range(length)
    # Twice the distance to the centre of each window, in whole numbers.
    distances = tf.abs(2 * units[:, None] + 1 - (2 * starts + window)[None])
    nearest = tf.argmin(distances, axis=1, output_type=tf.int32)
    inside = units - tf.gather(starts, nearest)
    first = (nearest * window + inside) * parts
    return tf.reshape(first[:, None] + tf.range(parts), [-1])

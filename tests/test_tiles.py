"""The cover is exact at every size: pure arithmetic, no TensorFlow."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.engine.tiles import cover, split

sides = st.integers(1, 3000)
tile_sizes = st.integers(1, 700)


@st.composite
def axes(draw):
    """A length, a tile size and a least size that the engine may ask for."""
    length = draw(sides)
    tile_size = draw(tile_sizes)
    return length, tile_size, draw(st.integers(1, min(length, tile_size)))


@given(axes())
def test_cores_cover_each_pixel_exactly_once(axis):
    length, tile_size, min_size = axis
    seen = np.zeros(length, int)
    for start, core in split(length, tile_size, min_size).spans:
        seen[start : start + core] += 1
    assert (seen == 1).all()


@given(axes())
def test_windows_are_alike_and_bounded(axis):
    length, tile_size, min_size = axis
    window, spans, _ = split(length, tile_size, min_size)
    cores = [core for _, core in spans]
    assert max(cores) - min(cores) <= 1
    assert max(cores) <= window
    assert min_size <= window <= min(tile_size, length)


def test_a_picture_within_one_tile_is_one_window():
    whole = cover((300, 512), 512, 75)
    assert [axis.window for axis in whole] == [300, 512]
    assert whole.reach == (0, 0)


def test_a_tile_as_large_as_the_least_size_still_covers():
    window, spans, _ = split(76, 75, 75)
    assert window == 75
    assert [span.core for span in spans] == [38, 38]


@given(axes(), axes())
def test_batches_hold_every_tile_within_the_budget(rows, columns):
    tile_size = max(rows[1], columns[1], max(rows[0], columns[0]) // 30)  # a thousand tiles or so
    whole = cover((rows[0], columns[0]), tile_size, 1)
    batches = list(whole.batches(tile_size))
    assert whole.windows(tile_size) == (len(batches[0]), whole.rows.window, whole.columns.window, 3)
    area = whole.rows.window * whole.columns.window
    assert sum(map(len, batches)) == len(whole.rows.spans) * len(whole.columns.spans)
    assert len({tile for batch in batches for tile in batch}) == sum(map(len, batches))
    assert all(len(batch) * area <= max(tile_size**2, area) for batch in batches)


@given(axes())
def test_rolls_within_reach_move_seams_over_every_pixel(axis):
    length, tile_size, _ = axis
    whole = cover((length, 1), tile_size, 1)
    if len(whole.rows.spans) == 1:
        return
    seams = {span.start for span in whole.rows.spans}
    reach = whole.reach[0]
    touched = {(seam - roll) % length for seam in seams for roll in range(-reach, reach + 1)}
    assert touched == set(range(length))

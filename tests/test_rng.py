"""The draws against Philox written down from its paper, so that another language can follow."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from test_resize import resized

from dreamkit.engine import rng

WORD = 2**64
seeds = st.integers(0, WORD - 1)


def philox(key: tuple[int, int], counter: tuple[int, int, int, int]) -> tuple[int, ...]:
    """Philox4x64-10 in plain integers (Salmon et al. 2011)."""
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        left, right = a * 0xD2E7470EE14C6C93, c * 0xCA5A826395121157
        a, b, c, d = right // WORD ^ b ^ k0, right % WORD, left // WORD ^ d ^ k1, left % WORD
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) % WORD, (k1 + 0xBB67AE8584CAA73B) % WORD
    return a, b, c, d


def test_the_published_known_answer():
    """From the test vectors of Random123, key and counter zero."""
    assert [f"{word:016x}" for word in philox((0, 0), (0, 0, 0, 0))] == [
        "16554d9eca36314c",
        "db20fe9d672d0fdc",
        "d7e772cee186176b",
        "7e68b68aec7ba23b",
    ]


@given(seeds, st.integers(0, 40), st.integers(0, 10**6))
def test_words_are_philox_blocks(seed, octave, step):
    drawn = rng.words(seed, octave=octave, step=step, purpose=0, count=6)
    blocks = [word for b in (1, 2) for word in philox((seed, 0), (b, step, octave, 0))]
    assert [int(word) for word in drawn] == blocks[:6]


@given(seeds, st.integers(0, 40), st.integers(0, 1000), st.integers(0, 4096), st.integers(0, 4096))
def test_a_roll_is_within_reach_and_repeats(seed, octave, step, down, right):
    roll = rng.roll(seed, octave, step, (down, right))
    assert abs(roll[0]) <= down
    assert abs(roll[1]) <= right
    assert roll == rng.roll(seed, octave, step, (down, right))


def test_each_step_octave_and_seed_rolls_afresh():
    rolls = {rng.roll(s, o, t, (10**6, 10**6)) for s in range(5) for o in range(5) for t in range(20)}
    assert len(rolls) == 500


def test_rolls_reach_every_offset():
    rows = {rng.roll(0, 0, step, (3, 0)) for step in range(200)}
    assert rows == {(row, 0) for row in range(-3, 4)}


@settings(max_examples=15)
@given(seeds, st.integers(1, 70), st.integers(1, 70))
def test_clouds_follow_their_description(seed, height, width):
    total = np.zeros((height, width, 3))
    k = 0
    while k == 0 or np.ceil(min(height, width) / 2**k) >= 4:
        size = int(np.ceil(height / 2**k)), int(np.ceil(width / 2**k))
        drawn: list[int] = []
        block = 1
        while len(drawn) < size[0] * size[1] * 3:
            drawn += [
                byte for word in philox((seed, 0), (block, 0, k, 1)) for byte in word.to_bytes(8, "little")
            ]
            block += 1
        layer = np.array(drawn[: size[0] * size[1] * 3]).reshape(*size, 3) - 127.5
        total += 2 ** (k / 2) * resized(layer, (height, width))
        k += 1
    expected = (total - total.mean()) / (total.std() or 1) * 32 + 128
    ours = rng.clouds(seed, (height, width))
    assert ours.dtype == np.uint8
    assert np.abs(ours - np.clip(expected, 0, 255)).max() < 0.51


def test_clouds_differ_with_the_seed():
    assert not np.array_equal(rng.clouds(0, (64, 64)), rng.clouds(1, (64, 64)))

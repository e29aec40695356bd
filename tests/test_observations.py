"""What a layer sees in photographs: places taken at random, the strongest places, and what is kept."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import dreamkit
from dreamkit.concepts.features import square
from dreamkit.errors import DreamkitWarning, ImageError, Interrupted
from dreamkit.media import atomic, paths
from dreamkit.models.spec import ModelSpec
from dreamkit.observations import examples, observer, store
from dreamkit.observations.observer import KEPT, Part

COUNT, LAYER, SAMPLES = 11, "second", 3


@pytest.fixture
def network(loaded_once):
    return dreamkit.load(tiny.provider())


@pytest.fixture
def folder(make_pictures):
    return make_pictures(COUNT)


def observed(network, photographs, **options):
    spec = ModelSpec(network)
    return store.observe(spec, network, LAYER, photographs, samples=SAMPLES, **options)


def maps_of(network, photographs):
    """The activations of each photograph, with their places at the edge left out."""
    look = network.activations([LAYER])
    found = []
    for path in photographs:
        with Image.open(path) as image:
            pixels = square(np.asarray(image))
        (maps,) = look(pixels[None])
        found.append(maps[0])
    return np.stack(found)


def test_places_are_taken_inside_the_map_and_each_once(network, folder):
    seen = observed(network, folder).seen
    maps = maps_of(network, folder)
    assert seen.activations.shape == (COUNT * SAMPLES, 5)
    assert seen.map_size.tolist() == list(maps.shape[1:3])
    np.testing.assert_array_equal(seen.taken_at[:, 0], np.repeat(np.arange(COUNT), SAMPLES))
    number, row, column = seen.taken_at.T
    np.testing.assert_allclose(seen.activations, maps[number, row, column], atol=1e-5)
    assert len(np.unique(seen.taken_at, axis=0)) == len(seen.taken_at)
    height, width = maps.shape[1:3]
    assert min(row.min(), column.min()) >= 1
    assert row.max() <= height - 2
    assert column.max() <= width - 2


def test_the_strongest_places_are_those_that_a_search_of_all_finds(network, folder):
    seen = observed(network, folder).seen
    inside = maps_of(network, folder)[:, 1:-1, 1:-1]
    largest = inside.reshape(COUNT, -1, 5).max(1)
    for channel in range(5):
        order = np.argsort(-largest[:, channel], kind="stable")[:KEPT]
        np.testing.assert_allclose(seen.strongest[:, channel], largest[order, channel], atol=1e-5)
        number, row, column = seen.strongest_at[:, channel].T
        np.testing.assert_array_equal(number, order)
        np.testing.assert_allclose(
            inside[number, row - 1, column - 1, channel], seen.strongest[:, channel], atol=1e-5
        )


def test_another_seed_takes_other_places(network, folder):
    first, again, other = (observed(network, folder, seed=seed).seen.taken_at for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_was_looked_at_is_not_looked_at_again(network, folder, monkeypatch):
    monkeypatch.setattr(store, "_OF_PART", 4)
    told = []
    first = observed(network, folder, on_picture=lambda done, total: told.append((done, total)))
    assert told == [(4, COUNT), (8, COUNT), (11, COUNT)]
    parts = sorted(first.folder.iterdir())
    assert len(parts) == 3
    parts[1].write_bytes(parts[1].read_bytes()[:-40])  # damaged
    parts[2].unlink()
    told.clear()
    again = observed(network, folder, on_picture=lambda done, total: told.append((done, total)))
    assert told == [(8, COUNT), (11, COUNT)]
    same(first.seen, again.seen)
    told.clear()
    same(first.seen, observed(network, folder, on_picture=lambda *of: told.append(of)).seen)
    assert told == []


def test_parts_do_not_matter(network, folder, monkeypatch):
    whole = observed(network, folder)
    for each in whole.folder.iterdir():
        each.unlink()
    monkeypatch.setattr(store, "_OF_PART", 4)
    same(whole.seen, observed(network, folder).seen)


def test_photographs_that_changed_are_looked_at_again(network, folder):
    first = observed(network, folder)
    Image.fromarray(np.zeros((90, 70, 3), np.uint8)).save(folder[3])
    again = observed(network, folder)
    assert again.folder != first.folder
    assert (again.seen.activations != first.seen.activations).any()


def test_an_interruption_keeps_what_was_looked_at(network, folder, monkeypatch):
    monkeypatch.setattr(store, "_OF_PART", 4)

    def interrupt(done, _total):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="8 of 11 photographs were looked at and kept"):
        observed(network, folder, on_picture=interrupt)
    told = []
    observed(network, folder, on_picture=lambda done, _total: told.append(done))
    assert told == [11]


def test_a_photograph_that_cannot_be_read_is_left_out_by_name(network, folder):
    with open(folder[2], "wb") as file:
        file.write(b"no picture")
    with pytest.warns(DreamkitWarning, match=r"a photograph was left out: .*02\.png") as warned:
        found = observed(network, folder)
    assert len(warned) == 1
    assert 2 not in found.seen.taken_at[:, 0]
    assert len(found.seen.activations) == (COUNT - 1) * SAMPLES


def test_none_that_can_be_read_is_an_error(network, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no picture")
    files = [str(tmp_path / name) for name in ("a.png", "b.png")]
    with pytest.warns(DreamkitWarning), pytest.raises(ImageError, match="none of the photographs can be"):
        observed(network, files)
    with pytest.raises(ImageError, match="cannot read .*gone.png"):
        observed(network, [str(tmp_path / "gone.png")])


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30))
def test_merging_keeps_the_largest_and_the_first_of_equals(values):
    parts = [observer.empty(1)]
    for number, value in enumerate(values):
        part = observer.empty(1)
        part.strongest[0], part.strongest_at[0, 0, 0] = value, number
        parts.append(part)
    order = sorted(range(len(values)), key=lambda number: -values[number])[:KEPT]
    for found in (observer.merged(parts), observer.merged([observer.merged(parts[:5]), *parts[5:]])):
        assert found.strongest[: len(order), 0].tolist() == [values[number] for number in order]
        assert found.strongest_at[: len(order), 0, 0].tolist() == order


def test_a_crop_shows_what_lies_around_the_place(network, tmp_path):
    pixels = np.zeros((300, 300, 3), np.uint8)
    pixels[:, :150], pixels[:150, 150:] = [250, 0, 0], [0, 250, 0]
    path = tmp_path / "quarters.png"
    Image.fromarray(pixels).save(path)
    found = observed(network, [str(path)])
    height, width = found.seen.map_size
    corners = [[0, 1, 1], [0, 1, width - 2], [0, height // 2, width // 2]]
    left, right, middle = examples.crops(found, np.array(corners, np.int32), 20)
    assert (left == [250, 0, 0]).all()
    assert (right == [0, 250, 0]).all()
    assert [tuple(middle[row, column]) for row, column in ((3, 3), (3, 16), (16, 16))] == [
        (250, 0, 0), (0, 250, 0), (0, 0, 0),
    ]  # fmt: skip


def test_a_channel_that_nothing_wakes_has_no_examples(network, folder):
    found = observed(network, folder)
    seen = found.seen._replace(strongest=-np.abs(found.seen.strongest))
    found = store.Observations(LAYER, folder, found.side, Part(*seen), found.folder)
    assert examples.of_channel(found, 0).shape == (0, 3)
    tiled = examples.tiled(examples.crops(found, examples.of_channel(found, 0), 16), KEPT, 31)
    assert tiled.shape == (31, 31, 3)
    assert len(np.unique(tiled)) == 1


def test_a_full_disk_is_one_line(network, folder, monkeypatch):
    def full(*_args, **_options):
        raise ImageError("no space left on the device")

    monkeypatch.setattr(atomic, "write", full)
    with pytest.raises(ImageError, match="no space left"):
        observed(network, folder)
    assert not any((paths.cache() / "observations").rglob("*.npz"))

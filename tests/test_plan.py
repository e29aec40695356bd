"""Plans, the bound on memory, and what happens where memory runs out all the same."""

from __future__ import annotations

from threading import Barrier

import numpy as np
import pytest
import tensorflow as tf
import tiny
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import dreamkit
from dreamkit import DreamConfig
from dreamkit.cli.terminal import duration
from dreamkit.engine import masked_objective, memory, plan
from dreamkit.engine.loop import dream, planned
from dreamkit.engine.memory import MemoryPlan, copies
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.tf import compiled_step, network
from dreamkit.errors import ConfigError, DreamkitWarning, NetworkMemoryError
from dreamkit.media.image_metadata import read_recipe


@pytest.fixture
def net():
    return network.load(tiny.provider(), None)


def config(**options):
    return DreamConfig(**{"octaves": 2, "steps": 3, "tile_size": 128, "jitter": 3, **options})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 2.27),  # the photograph, the pixels, and the dream so far twice at 1 / 1.4
        ({"octave_scale": 2.0}, 2.25),
        ({"octave_scale": 1.1}, 1.25 + 2 / 1.21),
        ({"l2": 1.0}, 3.25),
        ({"smooth": "laplacian"}, 3.25),
        ({"rotate": 5.0, "smooth": "laplacian"}, 5.25),
        ({"space": "fourier"}, 7.25),
        ({"alpha": "importance"}, 3.25),
        ({"views": 2}, 3.25),
        ({"views": 2, "crop": 0.5}, 5.25),
        ({"space": "maco"}, 11.25),
    ],
)
def test_copies_are_stated(options, expected):
    assert copies(DreamConfig(**options), objectives=1, masks=0) == pytest.approx(expected, abs=0.01)
    more = copies(DreamConfig(**options), objectives=2, masks=3)
    assert more >= copies(DreamConfig(**options), objectives=1, masks=0) + 2


def test_a_plan_is_what_the_dream_then_does(net, photo):
    options = config(tile_size=32)
    made = planned(photo, [LoadedModel(net)], options)
    seen = []
    outcome = dream(photo, [LoadedModel(net)], options, lambda step: seen.append((step.size, step.steps)))
    assert [(octave.size, octave.steps) for octave in made.octaves] == list(dict.fromkeys(seen))
    assert [octave.size for octave in made.octaves] == outcome.sizes
    assert made.octaves[-1].tiles == (2, 2)
    assert made.octaves[-1].window == (20, 28)
    assert (made.tile_size, outcome.tile_size) == (32, 32)
    assert made.seconds > 0
    assert made.memory.picture == pytest.approx(made.memory.copies * 12 * 40 * 56, abs=12)


def test_a_guide_and_a_neuron_are_planned_too(net, photo):
    for layers, guide in (("second@3x4", None), ("second", photo), ("second:2,first", None)):
        assert planned(photo, [LoadedModel(net)], config(layers=layers), guide=guide).memory.total > 0


def at_most(monkeypatch, tile_size, *, base=10**9):
    """A machine on which tiles larger than `tile_size` need more than 2000 MB."""
    monkeypatch.setattr(memory, "resident", lambda: (base, base))
    most = tile_size**2

    def tiles(live, shapes):
        return live

    monkeypatch.setattr(plan.memory, "tile_bytes", tiles)
    monkeypatch.setattr(
        masked_objective.MaskedObjective,
        "live_bytes",
        lambda self, size, tile_size: 10**9 if min(tile_size**2, np.prod(size)) > most else 10**8,
    )


def test_max_memory_makes_tiles_smaller_until_the_plan_fits(net, photo, monkeypatch):
    at_most(monkeypatch, 40)
    outcome = dream(photo, [LoadedModel(net)], config(max_memory=1500))
    assert outcome.tile_size == 32
    same = dream(photo, [LoadedModel(net)], config(tile_size=32))
    np.testing.assert_array_equal(outcome.pixels, same.pixels)
    assert planned(photo, [LoadedModel(net)], config(max_memory=1500)).tile_size == 32
    assert planned(photo, [LoadedModel(net)], config(max_memory=2100)).tile_size == 128


@pytest.fixture
def in_pairs(monkeypatch):
    """A processor that computes two batches of tiles at once, whatever this one does."""
    monkeypatch.setattr(compiled_step, "devices", lambda: ["", ""])


@pytest.mark.usefixtures("in_pairs")
def test_batches_are_computed_one_by_one_before_tiles_become_smaller(net, photo, monkeypatch):
    monkeypatch.setattr(memory, "resident", lambda: (0, 0))
    monkeypatch.setattr(plan.memory, "tile_bytes", lambda live, shapes: live * 1000)

    def needs(tile_size):
        return planned(photo, [LoadedModel(net)], config(tile_size=tile_size, octaves=1)).memory

    one_tile, two_tiles = needs(56), needs(32)  # of 56 x 40 pixels, and of 28 x 20
    assert two_tiles.tiles == pytest.approx(one_tile.tiles / 2, rel=0.1)
    just_one = config(tile_size=32, octaves=1, max_memory=int(two_tiles.total * 0.7 / 1e6))
    made = planned(photo, [LoadedModel(net)], just_one)
    assert made.tile_size == 32
    assert made.memory.tiles == pytest.approx(two_tiles.tiles / 2, rel=0.05)


@pytest.mark.usefixtures("in_pairs")
def test_where_two_batches_are_too_many_the_dream_goes_on_with_one(net, photo, monkeypatch):
    options = config(tile_size=32)
    expected = dream(photo, [LoadedModel(net)], options)
    call, both_are_there, failed = compiled_step.CompiledStep.__call__, Barrier(2, timeout=60), []

    def scarce(self, *arguments):
        if len(failed) < 2:
            both_are_there.wait()
            failed.append(None)
            raise RESOURCES
        return call(self, *arguments)

    monkeypatch.setattr(compiled_step.CompiledStep, "__call__", scarce)
    outcome = dream(photo, [LoadedModel(net)], options)
    assert outcome.tile_size == 32
    np.testing.assert_array_equal(outcome.pixels, expected.pixels)


def test_what_cannot_fit_is_said(net, photo, monkeypatch):
    at_most(monkeypatch, 40)
    with pytest.raises(
        ConfigError, match="takes about 1100 MB with tiles of 32 pixels, the smallest, and max_memory is 900"
    ):
        dream(photo, [LoadedModel(net)], config(max_memory=900))


BYTES = st.integers(0, 10**10)


@given(base=BYTES, picture=BYTES, tiles=BYTES, before=BYTES)
def test_the_peak_may_have_been_before_the_dream(base, picture, tiles, before):
    total = MemoryPlan(base, 2.25, picture, tiles, before).total
    assert total == max(base + picture + tiles, before)


def test_what_this_process_holds_is_told():
    now, most = memory.resident()
    assert 10**8 < now <= most < 10**11


# Where memory runs out


def out_of_memory(monkeypatch, largest, error):
    """Steps over more than `largest` pixels fail with `error`."""
    call = compiled_step.CompiledStep.__call__

    def failing(self, pixels, *rest):
        if np.prod(pixels.shape[:3]) > largest:
            raise error
        return call(self, pixels, *rest)

    monkeypatch.setattr(compiled_step.CompiledStep, "__call__", failing)


def opened(error, message):
    return error(None, None, message)


RESOURCES = opened(tf.errors.ResourceExhaustedError, "OOM when allocating tensor with shape[1,64,64,64]")
ONEDNN = opened(
    tf.errors.AbortedError,
    "Operation received an exception:Status: 1, message: could not create a primitive, in file ops.cc:1112",
)


@pytest.mark.parametrize("error", [RESOURCES, ONEDNN, MemoryError()], ids=["TensorFlow", "oneDNN", "NumPy"])
def test_the_dream_goes_on_with_smaller_tiles(net, photo, monkeypatch, error):
    options = config(tile_size=64, layers="first,second")
    expected = dream(photo, [LoadedModel(net)], config(tile_size=32, layers="first,second"))
    out_of_memory(monkeypatch, 32 * 32, error)
    with pytest.warns(DreamkitWarning, match="for tiles of 64 pixels; the dream continues with 32"):
        outcome = dream(photo, [LoadedModel(net)], options)
    assert outcome.tile_size == 32
    np.testing.assert_array_equal(outcome.pixels, expected.pixels)


def test_memory_that_runs_out_midway_costs_a_step_and_no_more(net, photo, monkeypatch):
    """The second octave's tiles are too large: the first keeps its own, and the picture is whole."""
    whole = dream(photo, [LoadedModel(net)], config(tile_size=64))
    heard = []
    out_of_memory(monkeypatch, 35 * 45, RESOURCES)
    with pytest.warns(DreamkitWarning, match="64 pixels") as said:
        outcome = dream(photo, [LoadedModel(net)], config(tile_size=64), heard.append)
    assert len(said) == 1
    assert [step.step for step in heard] == [1, 2, 3, 1, 2, 3]
    assert outcome.tile_size == 32
    # Tiles and rolls differ from there on, so the pictures are alike, not the same.
    assert np.corrcoef(outcome.pixels.ravel(), whole.pixels.ravel())[0, 1] > 0.99
    assert (outcome.pixels != photo).any(-1).mean() > 0.9


def test_without_any_memory_the_smallest_tile_is_named(net, photo, monkeypatch):
    out_of_memory(monkeypatch, 0, RESOURCES)
    with (
        pytest.warns(DreamkitWarning),
        pytest.raises(NetworkMemoryError, match="even for tiles of 32 pixels") as said,
    ):
        dream(photo, [LoadedModel(net)], config(tile_size=64))
    assert "\n" not in str(said.value)


def test_other_errors_of_tensorflow_stay_what_they_are(net, photo, monkeypatch):
    out_of_memory(monkeypatch, 0, opened(tf.errors.AbortedError, "Status: 2, message: another"))
    with pytest.raises(tf.errors.AbortedError):
        dream(photo, [LoadedModel(net)], config())


def test_a_picture_that_does_not_fit_is_said(net, photo, monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr("dreamkit.engine.octave_schemes.resize", full)
    with pytest.raises(NetworkMemoryError, match="too little memory for a picture of 56 x 40 pixels"):
        dream(photo, [LoadedModel(net)], config())


# Through the real entry point

TINY = ["--model", "tiny", "--octaves", "2", "--steps", "2"]


def test_a_dry_run_tells_and_writes_nothing(run, picture, tmp_path):
    before = sorted(tmp_path.iterdir())
    code, out, err = run("dream", picture, *TINY, "--tile-size", "32", "--dry-run")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("octave 1/2: 40 x 29, ")
    assert lines[1] == "octave 2/2: 56 x 40, 4 tiles of 28 x 20, 2 steps"
    assert lines[2].startswith("memory: about ")
    assert lines[-1] == "nothing was dreamed or written"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("text", "megabytes"),
    [("4000", 4000), ("4GB", 4000), ("1.5 gb", 1500), ("800MB", 800), ("0.8G", 800), ("5m", 5)],
)
def test_memory_is_given_in_megabytes_or_with_a_unit(text, megabytes):
    from dreamkit.option_values import read_megabytes

    assert read_megabytes(text) == megabytes


@pytest.mark.parametrize("text", ["much", "", "-5", "4TB", "1e3", "0", "0.0001MB", "9" * 30])
def test_memory_that_makes_no_sense_is_said(run, picture, text):
    code, out, err = run("dream", picture, *TINY, f"--max-memory={text}")
    assert (code, out) == (1, "")
    assert err.startswith("error: max_memory is ")
    assert err.count("\n") == 1


def test_a_dream_in_too_little_memory_is_refused_before_the_first_step(run, picture, tmp_path):
    code, _, err = run("dream", picture, *TINY, "--max-memory", "20MB", "-q")
    assert code == 1
    assert "with tiles of 32 pixels, the smallest, and max_memory is 20" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.jpg"]


def test_redo_takes_the_tiles_that_memory_left(run, picture, tmp_path, monkeypatch):
    with monkeypatch.context() as scarce:
        out_of_memory(scarce, 32 * 32, RESOURCES)
        code, _, err = run(
            "dream", picture, *TINY, "--tile-size", "64", "--max-memory", "50GB", "-o", "a.png", "-q"
        )
    assert code == 0
    assert err == "warning: too little memory for tiles of 64 pixels; the dream continues with 32\n"
    recipe = read_recipe(tmp_path / "a.png")
    assert (recipe["options"]["tile_size"], recipe["effective"]["tile_size"]) == (64, 32)
    assert run("redo", "a.png", picture, "-o", "b.png", "-q") == (0, "", "")
    again = read_recipe(tmp_path / "b.png")
    assert (again["options"]["tile_size"], again["options"]["max_memory"]) == (32, None)
    a, b = (np.asarray(Image.open(tmp_path / name)) for name in ("a.png", "b.png"))
    np.testing.assert_array_equal(a, b)


def test_a_plan_by_the_library(run, picture):
    made = dreamkit.plan(picture, "tiny", octaves=3, steps=1, tile_size=64)
    assert len(made.octaves) == 3
    with pytest.raises(ConfigError, match="no option 'step'"):
        dreamkit.plan(picture, "tiny", step=1)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.031, "0.031 seconds"),
        (4.25, "4.2 seconds"),
        (64, "64 seconds"),
        (600, "10 minutes"),
        (9000, "2.5 hours"),
    ],
)
def test_durations_in_words(seconds, said):
    assert duration(seconds) == said

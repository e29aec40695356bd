"""Pictures that follow each other: unlike those before, or from one objective to another; textures."""

from __future__ import annotations

import numpy as np
import published
import pytest
import tiny
from test_comparing import slope

import dreamkit
from dreamkit import DreamConfig, vis
from dreamkit.engine.masked_objective import MaskedObjective
from dreamkit.engine.tf import network
from dreamkit.errors import ConfigError, LayerError
from dreamkit.terms import parse_terms

KERNELS = tiny.kernels()
OPTIONS = {"recipe": None, "size": (24, 32), "octaves": 1, "steps": 3, "tile_size": 64}
SMALL_TILES = {**OPTIONS, "tile_size": 32}


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


@pytest.fixture
def guide():
    rows, columns = np.mgrid[0:17, 0:23]
    return np.stack([rows * 9, columns * 7, 255 - rows * 5], -1).astype(np.uint8)


def seen(pixels, layer="second"):
    return tiny.activations(np.asarray(pixels, float), KERNELS)[layer]


def gram(maps):
    flat = maps.reshape(-1, maps.shape[-1])
    found = np.einsum("pi,pj->ij", flat, flat)
    return found / np.sqrt((found**2).sum())


def alike(a, b):
    return float((gram(a) * gram(b)).sum())


@pytest.mark.parametrize("channels", [(), (1, 4)])
def test_a_texture_is_the_cosine_between_gram_matrices(net, photo, guide, channels):
    pixels = photo[:12, :14]
    term = {"layer": "second", "guide": True} | ({"channels": channels} if channels else {})
    config = DreamConfig(layers=[term], guide_style="texture", tile_size=64)
    pull = MaskedObjective(net, parse_terms(config.layers, net), config, guide=guide, size=(12, 14))
    found = np.empty(pixels.shape, np.float32)
    stats = pull.gradient(pixels.astype(np.float32), (0, 0), found, 64)
    chosen = list(channels) or slice(None)

    def value(a):
        return alike(a[..., chosen], seen(guide)[..., chosen])

    expected = published.gradient(pixels.astype(float), KERNELS, {"second": lambda a: slope(value, a)})
    np.testing.assert_allclose(found, expected, rtol=5e-3, atol=2e-4 * np.abs(expected).max())
    assert stats.weighted == pytest.approx(value(seen(pixels)), rel=1e-4)


def test_a_picture_has_its_own_texture(net, photo):
    config = DreamConfig(layers=["second"], guide_style="texture", tile_size=64)
    pull = MaskedObjective(net, parse_terms(config.layers, net), config, guide=photo, size=photo.shape[:2])
    out = np.empty(photo.shape, np.float32)
    assert pull.gradient(photo.astype(np.float32), (0, 0), out, 64).weighted == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("apart", [0.5, 0])
def test_diverse_pictures_are_dreams_unlike_those_before(net, apart):
    objective = vis.channel("second", 3)
    sheet = vis.diverse(objective, net, count=3, apart=apart, seed=5, **SMALL_TILES)
    assert list(sheet.renderings) == ["picture 0", "picture 1", "picture 2"]
    pictures = [each.pixels for each in sheet.renderings.values()]
    first = sheet.renderings["picture 0"].objective
    for number, found in enumerate(pictures):
        options = {**SMALL_TILES, "balance": False, "guide_style": "texture", "seed": 5 + number}
        layers = [{"layer": "second", "channels": [3]}]
        if number and apart:
            layers.append({"layer": "second", "guide": True, "weight": -apart * abs(first)})
            options["guide"] = np.hstack(pictures[:number])  # which tiles are large enough for
            options["tile_size"] = 32 * number
        assert np.array_equal(found, dreamkit.dream(None, net, layers=layers, **options))


def test_they_are_less_alike_than_pictures_of_other_seeds(net):
    def likeness(apart):
        options = {**OPTIONS, "steps": 20, "normalise": "mean-abs"}
        sheet = vis.diverse(vis.channel("second", 3), net, count=3, apart=apart, **options)
        maps = [seen(each.pixels) for each in sheet.renderings.values()]
        return np.mean([alike(maps[a], maps[b]) for a in range(3) for b in range(a)])

    assert likeness(20.0) < likeness(0) - 0.01


def test_they_differ_in_the_layer_that_is_named(net):
    sheet = vis.diverse(vis.channel("second", 3), net, count=2, layer="first", **OPTIONS)
    dreamed = sheet.renderings["picture 1"].recipe["models"][0]["dreamed"]
    assert dreamed["second:3"] == 1.0
    assert dreamed["first"] < 0


@pytest.mark.parametrize("near", [0.5, 0])
def test_a_row_turns_from_one_objective_to_another(net, near):
    first, last = vis.channel("second", 0), vis.channel("first", 2)
    sheet = vis.between(first, last, net, count=3, layer="first", near=near, seed=2, **OPTIONS)
    assert list(sheet.renderings) == ["0%", "50%", "100%"]
    start, middle, end = [each.pixels for each in sheet.renderings.values()]
    options = {**OPTIONS, "balance": False, "seed": 2}
    zero, two = {"layer": "second", "channels": [0]}, {"layer": "first", "channels": [2]}
    assert np.array_equal(start, dreamkit.dream(None, net, layers=[zero], **options))
    reached = sheet.renderings["0%"].objective
    length = np.linalg.norm(seen(start, "first"), axis=-1).mean()
    held = sheet.renderings["50%"].recipe["options"].get("hold")
    assert held == ({"first": pytest.approx(near * abs(reached) / length, rel=1e-4)} if near else None)
    del options["size"]
    options["start"] = "noise"
    half = [{**zero, "weight": 0.5}, {**two, "weight": 0.5}]
    assert np.array_equal(middle, dreamkit.dream(start, net, layers=half, hold=held, **options))
    assert np.array_equal(end, dreamkit.dream(middle, net, layers=[two], hold=held, **options))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda one, net: vis.diverse(one, net, count=1, **OPTIONS), "count is 1; .* 2 to 16"),
        (lambda one, net: vis.diverse(one, net, apart=-1, **OPTIONS), "apart is -1; it takes a number, 0 to"),
        (lambda one, net: vis.diverse(one, net, guide_style="match", **OPTIONS), "guide_style is given"),
        (lambda one, net: vis.diverse(one, [net, net], **OPTIONS), "of one network"),
        (
            lambda one, net: vis.diverse(one + vis.channel("first", 0), net, **OPTIONS),
            "not of one layer; say with layer=",
        ),
        (lambda one, net: vis.between(one, one, net, count=17, **OPTIONS), "count is 17; .* 2 to 16"),
        (lambda one, net: vis.between(one, one, net, near=101, **OPTIONS), "near is 101; it takes"),
        (lambda one, net: vis.between(one, one, net, hold={"low": 1}, **OPTIONS), "hold is given"),
        (lambda one, net: vis.between(one, 3, net, **OPTIONS), "the objective is a int"),
    ],
)
def test_what_is_refused(net, make, message):
    with pytest.raises(ConfigError, match=message):
        make(vis.channel("second", 3), net)


def test_a_layer_that_does_not_exist_is_refused_before_anything_is_dreamed(net):
    for make in (
        lambda: vis.diverse(vis.channel("second", 3), net, layer="third", **OPTIONS),
        lambda: vis.between(vis.channel("second", 3), vis.channel("third", 3), net, layer="first", **OPTIONS),
    ):
        with pytest.raises(LayerError, match="third"):
            make()

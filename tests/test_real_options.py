"""All that can be asked of a dream, on real networks: Inception v3, pocket, and a converted classifier."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
from conftest import DATA, ROOT, skip_without_converter
from PIL import Image

import dreamkit
from dreamkit import Preprocess, recipes
from dreamkit.convert import conversion
from dreamkit.convert.options import ConversionOptions
from dreamkit.errors import DreamkitWarning
from dreamkit.models import converted

skip_without_converter()

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(900)]
QUICK = {"octaves": 1, "steps": 3}


@pytest.fixture(scope="module")
def inception5h(tmp_path_factory):
    folder = DATA / "caffe" / "inception5h"
    if not folder.is_dir():
        pytest.skip(f"no test data: {folder} is absent (set DREAMKIT_TEST_DATA)")
    made = tmp_path_factory.mktemp("models") / "inception5h"
    options = ConversionOptions(preprocess=Preprocess(order="BGR", mean=(117, 117, 117)))
    files = folder / "inception5h.prototxt", folder / "inception5h.caffemodel"
    conversion.from_caffe(*files, made, options, lambda _: None)
    return dreamkit.load(converted.provider(made))


@pytest.fixture(scope="module")
def nets(inception5h, inception_weights):
    inception = dreamkit.load("inception_v3", inception_weights)
    return {"inception_v3": inception, "pocket": dreamkit.load("pocket"), "inception5h": inception5h}


def picture(name, side):
    with Image.open(ROOT / "docs" / "pictures" / f"{name}.jpg") as image:
        image.thumbnail((side, side))
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def coffee():
    return picture("coffee", 200)


@pytest.fixture(scope="module")
def chelsea():
    return picture("chelsea", 160)


def mask(photo):
    half = np.zeros(photo.shape[:2], np.uint8)
    half[:, photo.shape[1] // 2 :] = 255
    return half


networks = pytest.mark.parametrize(
    "name", [pytest.param("inception_v3", marks=pytest.mark.long), "pocket", "inception5h"]
)

OPTIONS = {
    "low": {"layers": "low"},
    "high": {"layers": "high"},
    "60 %": {"layers": "60%"},
    "a channel": {"layers": "mid:7"},
    "channels": {"layers": "mid:7+20=2,low=-0.5"},
    "a neuron": {"layers": "mid@3x2"},
    "a direction": {"layers": "direction"},
    "keep": {"color": "keep"},
    "decorrelated": {"color": "decorrelated"},
    "laplacian": {"smooth": "laplacian"},
    "tv": {"tv": 0.3},
    "l2": {"l2": 5.0},
    "turned": {"rotate": 10.0, "zoom": 0.1},
    "fourier": {"space": "fourier", "step_size": 0.05},
    "smooth pooling": {"pooling": "smooth"},
    "average pooling": {"pooling": "average"},
    "scheduled": {"schedule": [{"layers": "high", "steps": 2}, {"layers": "low", "jitter": 3}]},
    **{
        recipe: {"recipe": recipe}
        for recipe in recipes.built_in()
        # Of the moods that their own layers alone set apart, one.
        if recipe not in ("default", "clockwork", "creatures", "garden", "jungle", "shells")
    },
}


@networks
def test_every_option_dreams_another_dream_on_every_network(nets, coffee, name):
    net = nets[name]
    seen = {"plain": dreamkit.dream(coffee, net, **QUICK)}
    for option, asked in OPTIONS.items():
        more = dict(asked)
        if more.get("layers") == "direction":
            layer = net.at_depth(0.5)
            counts = np.random.default_rng(0).normal(size=net.channels(layer))
            more["layers"] = [{"layer": layer, "direction": counts.tolist()}]
        if "recipe" in more:  # with octaves of its own, the smallest of which may be too small
            more |= {"layers": "mid", "octaves": 1, "first_octave": 0}
            if more["recipe"] == "atlas":  # which dreams directions, such as that of a channel
                more["layers"] = "mid:7"
        if "schedule" in more:
            more["octaves"] = 2
        seen[option] = dreamkit.dream(coffee, net, **{**QUICK, **more})
        assert np.abs(seen[option].astype(float) - coffee).mean() > 0.2, option
    del seen["60 %"]  # which is inception5h's default layer
    for option, found in seen.items():
        assert not any(np.array_equal(found, other) for key, other in seen.items() if key != option), option


@networks
def test_guides_and_masks_work_on_every_network(nets, coffee, chelsea, name):
    net, half = nets[name], mask(coffee)
    plain = dreamkit.dream(coffee, net, **QUICK)
    for style in ("match", "texture", "channels"):
        guided = dreamkit.dream(coffee, net, guide=chelsea, guide_style=style, **QUICK)
        assert not np.array_equal(guided, plain)
        masked = dreamkit.dream(coffee, net, guide=chelsea, guide_style=style, mask=half, **QUICK)
        assert np.array_equal(masked[:, : coffee.shape[1] // 2], coffee[:, : coffee.shape[1] // 2])
        assert not np.array_equal(masked, coffee)


def test_all_three_dream_together(nets, coffee):
    shares = [
        dreamkit.ModelSpec(net, weight) for net, weight in zip(nets.values(), (1.0, 0.5, -0.25), strict=True)
    ]
    together = dreamkit.render(coffee, shares, **QUICK)
    assert [model["name"] for model in together.recipe["models"]] == list(nets)
    assert np.abs(together.pixels.astype(float) - coffee).mean() > 1


def test_a_class_rises(nets):
    """From nothing, a class is the network's first guess."""
    net = nets["inception5h"]
    made = dreamkit.dream(None, net, recipe="lucid", layers=[{"class": 643}], size=224, steps=64)
    (scores,) = net.activations([net.provider.head])(made[None].astype(np.float32))
    assert scores.mean((0, 1, 2)).argmax() == 643


def test_a_channel_that_stays_silent_wakes_where_the_gradient_of_relu_is_redirected(nets):
    net = nets["inception5h"]
    for steps, awake in ((0, False), (16, True)):
        told = pytest.warns(DreamkitWarning, match="nothing in the picture activates mixed4c:242")
        with nullcontext() if awake else told:
            made = dreamkit.dream(
                None, net, recipe="lucid", layers="mixed4c:242", size=96, steps=32, redirected_relu=steps
            )
        (seen,) = net.activations(["mixed4c"])(made[None].astype(np.float32))
        assert (seen[..., 242].mean() > 100) == awake
        assert (made.std() > 15) == awake


@pytest.mark.long
def test_lucid_raises_single_channels_further_than_the_default(nets):
    net, layer, higher = nets["inception5h"], "mixed4c", 0
    chosen = range(0, 512, 64)
    for channel in chosen:
        reached = []
        for recipe, steps in (("default", 32), ("lucid", 64)):  # the default passes through two octaves
            made = dreamkit.dream(
                None, net, recipe=recipe, layers=f"{layer}:{channel}", size=144, noise="faint", steps=steps
            )
            (seen,) = net.activations([layer])(made[None].astype(np.float32))
            reached.append(seen[..., channel].mean())
        higher += reached[1] > reached[0]
    assert len(chosen) == 8
    assert higher >= 7

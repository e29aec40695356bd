"""What can be asked of a dream on the command line: each option once, and what is wrong about it."""

# ruff: noqa: E501 - a table reads best with a line for each case
from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from command_lines import changed
from PIL import Image

from dreamkit.media.image_metadata import read_recipe
from dreamkit.media.images import read

ONE = ["--model", "tiny", "--octaves", "1", "--steps", "2", "--tile-size", "64", "--jitter", "2", "-q"]
ONE += ["--smooth", "none"]  # which hides little in so few pixels

pytestmark = pytest.mark.usefixtures("second", "loaded_once")


def pixels(path):
    return read(path, 10**6).pixels


# Every option has an effect

OPTIONS = {
    # option: (more of the command line, what the recipe says)
    "--guide-style channels": (["--guide", "guide.png"], {"guide_style": "channels"}),
    "--strength wild": ([], {"strength": 2.0}),
    "--strength 0.25": ([], {"strength": 0.25}),
    "--blend 0.5": ([], {"blend": 0.5}),
    "--color keep": ([], {"color": 1.0}),
    "--color free": ([], {"color": 0.0}),
    "--color 0.9": ([], {"color": 0.9}),
    "--colour decorrelated": (["--color", "free"], {"color": 0.5}),
    "--octaves 2": ([], {"octaves": 2}),
    "--octave-scale 1.9": (["--octaves", "2"], {"octave_scale": 1.9}),
    "--octave-scheme whole": (["--octaves", "2"], {"octave_scheme": "whole"}),
    "--octave-scheme lost-detail": (["--octaves", "2"], {"octave_scheme": "lost-detail"}),
    "--first-octave -1": ([], {"first_octave": -1}),
    "--steps 1": ([], {"steps": 1}),
    "--step-size 0.1": ([], {"step_size": 0.1}),
    "--unit 50": ([], {"unit": [50.0, 50.0, 50.0]}),
    "--unit 1,20,300e-1": ([], {"unit": [1.0, 20.0, 30.0]}),
    "--objective mean": ([], {"objective": "mean"}),
    "--no-balance": (["--step-size", "0.2"], {"balance": False}),
    "--border 3": ([], {"border": 3}),
    "--normalise std": ([], {"normalise": "std"}),
    "--normalize score": ([], {"normalise": "score"}),
    "--smooth gaussian": ([], {"smooth": "gaussian"}),
    "--smooth-width 3": (["--smooth", "gaussian"], {"smooth_width": 3.0}),
    "--smooth laplacian": ([], {"smooth": "laplacian"}),
    "--smooth-levels 1": (["--smooth", "laplacian"], {"smooth_levels": 1}),
    "--tv 1": ([], {"tv": 1.0}),
    "--l2 9": ([], {"l2": 9.0}),
    "--no-clip": (["--step-size", "0.9", "--color", "free"], {"clip": False}),  # which natural colours are in
    "--max-objective 1e-9": ([], {"max_objective": 1e-9}),
    "--space fourier": ([], {"space": "fourier"}),
    "--space maco": ([], {"space": "maco"}),
    "--jitter 0": ([], {"jitter": 0}),
    "--rotate 20": ([], {"rotate": 20.0}),
    "--zoom 0.3": ([], {"zoom": 0.3}),
    "--upscale 1.5": ([], {"upscale": 1.5}),
    "--seed 5": ([], {"seed": 5}),
    "--clouds 60": (["--seed", "5"], {"clouds": 60.0}),
    "--layers high": ([], {"layers": ["high"]}),
    "-l low:1": ([], {"layers": ["low:1"]}),
    "-l low@3x4": ([], {"layers": ["low@3x4"]}),
    "-l low:1+2@3x4=-1": ([], {"layers": ["low:1+2@3x4=-1"]}),
}  # fmt: skip


@pytest.mark.heavy
def test_every_option_has_an_effect_and_is_in_the_recipe(run, picture, photo, tmp_path):
    Image.fromarray(photo[::-1, ::-1].copy()).save(tmp_path / "guide.png")
    plain = {}
    for number, (option, (more, told)) in enumerate(OPTIONS.items()):
        if tuple(more) not in plain:
            assert run("dream", picture, *changed(ONE, *more), "-o", f"plain-{number}.png") == (0, "", ""), (
                more
            )
            plain[tuple(more)] = tmp_path / f"plain-{number}.png"
        path = tmp_path / f"{number}.png"
        line = changed(changed(ONE, *more), *option.split())
        assert run("dream", picture, *line, "-o", path) == (0, "", ""), option
        before, now = (read_recipe(each)["options"] for each in (plain[tuple(more)], path))
        assert now == {**before, **told}, option
        assert not np.array_equal(pixels(path), pixels(plain[tuple(more)])), option


def test_noise_has_an_effect(run, tmp_path):
    for noise in ("clouds", "faint", "white"):
        assert run("dream", *ONE, "--size", "24", "--noise", noise, "-o", f"{noise}.png") == (0, "", "")
        assert read_recipe(tmp_path / f"{noise}.png")["options"]["noise"] == noise
    spreads = [
        pixels(tmp_path / f"{noise}.png").astype(float).std() for noise in ("faint", "clouds", "white")
    ]
    assert spreads[0] < min(spreads[1:])
    assert not np.array_equal(pixels(tmp_path / "clouds.png"), pixels(tmp_path / "white.png"))


def test_a_guide_and_a_mask_have_an_effect(run, picture, photo, tmp_path):
    Image.fromarray(photo[::-1, ::-1].copy()).save(tmp_path / "guide.png")
    mask = np.zeros((40, 56), np.uint8)
    mask[:, :20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(mask[::2, ::2].copy()).save(tmp_path / "half.png")
    run("dream", picture, *ONE, "-o", "plain.png")
    assert run("dream", picture, *ONE, "--guide", "guide.png", "-o", "guided.png") == (0, "", "")
    assert read_recipe(tmp_path / "guided.png")["guide"]["name"] == "guide.png"
    assert not np.array_equal(pixels(tmp_path / "guided.png"), pixels(tmp_path / "plain.png"))
    source = pixels(picture)
    for name in ("mask.png", "half.png", "=mask.png"):
        assert run("dream", picture, *ONE, "--mask", name, "-o", "masked.png", "--overwrite") == (0, "", "")
        masked = pixels(tmp_path / "masked.png")
        assert np.array_equal(masked[:, 22:], source[:, 22:])
        assert (masked[:, :16] != source[:, :16]).any()
        assert list(read_recipe(tmp_path / "masked.png")["masks"]) == [""]


def test_a_file_whose_name_has_an_equals_sign_is_a_file(run, picture, tmp_path):
    Image.new("L", (56, 40), 255).save(tmp_path / "a=b.png")
    assert run("dream", picture, *ONE, "--mask", "a=b.png", "-o", "d.png") == (0, "", "")
    assert read_recipe(tmp_path / "d.png")["masks"][""]["name"] == "a=b.png"


# Terms


@pytest.mark.parametrize(
    ("layers", "dreamed"),
    [
        ("low", {"low": 1.0}),  # a layer that is called so goes before the depth
        ("high", {"high": 1.0}),
        ("mid", {"low": 1.0}),
        ("mid:2=3", {"low:2": 3.0}),
        ("60%", {"low": 1.0}),
        ("80%", {"high": 1.0}),
        ("100%=0.5,0%", {"high": 0.5, "low": 1.0}),
    ],
)
def test_depths_are_layers(run, picture, tmp_path, layers, dreamed):
    assert run("dream", picture, *ONE, "-l", layers, "-o", "d.png") == (0, "", "")
    assert read_recipe(tmp_path / "d.png")["models"][0]["dreamed"] == dreamed


@pytest.mark.heavy
def test_depths_of_the_network_carried_along(run, tmp_path):
    small = ["dream", "--size", "64", "--octaves", "1", "--steps", "1", "-q"]
    assert run(*small, "-l", "low,mid,high,60%", "-o", "d.png") == (0, "", "")
    recipe = read_recipe(tmp_path / "d.png")["models"][0]
    assert recipe["name"] == "pocket"
    depths = {line.split()[0]: int(line.split()[3]) for line in run("layers", "pocket")[1].splitlines()[1:]}
    ends = {name: depth for name, depth in depths.items() if re.fullmatch(r"mixed\d[a-e]", name)}
    deepest = max(depths.values())
    wanted = [
        min(reversed(ends), key=lambda name: abs(ends[name] - share * deepest))
        for share in (0.25, 0.5, 0.75, 0.6)
    ]
    assert recipe["dreamed"] == {name: float(wanted.count(name)) for name in wanted}
    assert len(recipe["dreamed"]) >= 3


def test_a_class_is_a_channel_of_the_scores(run, picture, tmp_path):
    sorter = ["dream", picture, *ONE, "-m", "sorter"]
    sorter.remove("--model")
    sorter.remove("tiny")
    assert run(*sorter, "-l", "scores:1", "--objective", "mean", "-o", "channel.png") == (0, "", "")
    for label in ("1", "Newfoundland", "NEWFOUNDLAND", " newfoundland "):
        assert run(*sorter, "--class", label, "-o", "class.png", "--overwrite") == (0, "", "")
        recipe = read_recipe(tmp_path / "class.png")
        assert recipe["models"][0]["dreamed"] == {"scores:1": 1.0}
        assert recipe["options"]["layers"] == [{"class": label}]
        assert np.array_equal(pixels(tmp_path / "class.png"), pixels(tmp_path / "channel.png"))
    for label in ("tabby", "Tabby cat", "tabby, tabby cat"):
        assert run(*sorter, "--class", label, "-o", "class.png", "--overwrite") == (0, "", "")
        assert read_recipe(tmp_path / "class.png")["models"][0]["dreamed"] == {"scores:0": 1.0}
    both = ["--class", "0", "--class", "sea lion", "-l", "edges=0.5"]
    assert run(*sorter, *both, "-o", "class.png", "--overwrite") == (0, "", "")
    dreamed = read_recipe(tmp_path / "class.png")["models"][0]["dreamed"]
    assert dreamed == {"edges": 0.5, "scores:0": 1.0, "scores:2": 1.0}
    code, _, err = run("redo", "class.png", picture, "-q", "-o", "again.png")
    assert (code, err) == (0, "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "class.png").read_bytes()


# Networks


def test_several_networks_each_with_its_weight_and_file(run, picture, tmp_path):
    import dreamkit_second

    model = dreamkit_second.plan()
    model.get_layer("edges").bias.assign(np.arange(5.0))
    model.save_weights(tmp_path / "mine.weights.h5")
    several = ["dream", picture, *ONE, "-m", "other=0.5", "-m", "sorter=-2"]
    assert run(*several, "-o", "plain.png") == (0, "", "")
    assert run(*several, "-w", "other=mine.weights.h5", "-o", "mine.png") == (0, "", "")
    plain, mine = (read_recipe(tmp_path / name)["models"] for name in ("plain.png", "mine.png"))
    assert [(each["name"], each["weight"]) for each in plain] == [
        ("tiny", 1.0),
        ("other", 0.5),
        ("sorter", -2.0),
    ]
    assert [a["sha256"] == b["sha256"] for a, b in zip(plain, mine, strict=True)] == [True, False, True]
    assert not np.array_equal(pixels(tmp_path / "plain.png"), pixels(tmp_path / "mine.png"))
    out = run(*[each for each in several if each != "-q"], "-o", "said.png")[1]
    assert out.startswith("wrote said.png (56 x 40)")


# Recipes


def test_the_recipes_are_listed_and_shown(run, tmp_path):
    code, out, err = run("recipes")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"RECIPE +MADE WITH", lines[0])
    assert [line.split()[0] for line in lines[1:]] == [
        "default",
        "architecture", "clockwork", "creatures", "engraving", "garden", "jungle", "neon", "painterly", "shells",
            "subtle",
        "accentuate", "atlas", "caricature", "google-2015", "hughy-2020", "keras-example", "lapnorm", "lucid", "maco", "smooth",
            "tf-tutorial",
    ]  # fmt: skip
    assert re.search(r"^lucid +inception5h +Feature visualisation", out, re.M)
    for name in ("lucid", "google-2015"):
        text = run("recipes", name)[1]
        (tmp_path / "mine.toml").write_text(text)
        assert run("recipes", "mine.toml") == (0, text, "")
    assert 'layers = "mixed4a:476"' in run("recipes", "lucid")[1]


def test_a_built_in_recipe_whose_network_is_not_at_hand(run, picture, tmp_path):
    short = ["--octaves", "1", "--steps", "1", "--max-size", "128", "-q"]
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)  # large enough for its border
    Image.fromarray(noise).save(tmp_path / "p.png")
    code, _, err = run("dream", "p.png", "-r", "keras-example", *short, "-o", "d.png")
    assert (code, err) == (
        0,
        "warning: keras-example was made with inception_v3, which is not at hand (--model inception_v3 asks for "
        "it); pocket dreams it with its own default layers\n",
    )
    recipe = read_recipe(tmp_path / "d.png")
    assert recipe["models"][0]["dreamed"] == {"mixed4c": 1.0}
    assert (recipe["options"]["steps"], recipe["options"]["border"]) == (1, 2)
    assert recipe["options"]["octave_scheme"] == "lost-detail"
    code, _, err = run("dream", picture, "-r", "google-2015", *short, "-m", "tiny", "-o", "t.png")
    assert (code, err) == (
        0,
        "warning: google-2015 was made with inception5h; tiny dreams it with its own default layers\n",
    )
    assert read_recipe(tmp_path / "t.png")["models"][0]["dreamed"] == {"low": 1.0, "high": 0.5}
    # layers of one's own need nothing said of layers
    assert run("dream", picture, "-r", "google-2015", *short, "-m", "tiny", "-l", "high", "-o", "h.png") == (
        0,
        "",
        "",
    )
    assert read_recipe(tmp_path / "h.png")["models"][0]["dreamed"] == {"high": 1.0}
    code, _, err = run("dream", "p.png", "-r", "keras-example", "-l", "mixed3a", *short, "-o", "m.png")
    assert code == 0
    assert err.endswith("asks for it); pocket dreams it\n")
    assert read_recipe(tmp_path / "m.png")["models"][0]["dreamed"] == {"mixed3a": 1.0}


@pytest.mark.parametrize(
    ("name", "dreamed"),
    [("google-2015", "mixed4c"), ("lapnorm", "mixed4d_3x3_bottleneck:139"), ("lucid", "mixed4a:476")],
)
def test_pocket_dreams_the_layers_of_the_recipes_of_inception5h(run, tmp_path, name, dreamed):
    short = ["--octaves", "1", "--steps", "1", "--size", "64", "-q"]
    code, _, err = run("dream", "-r", name, *short, "-o", "d.png")
    warnings = err.splitlines()
    assert (code, warnings[0]) == (
        0,
        f"warning: {name} was made with inception5h, which is not at hand (--model inception5h asks for it); "
        "pocket dreams its layers",
    )
    # A channel may see nothing in so little noise.
    assert all("nothing in the picture activates" in each for each in warnings[1:])
    assert read_recipe(tmp_path / "d.png")["models"][0]["dreamed"] == {dreamed: 1.0}
    # asked for by name it is no substitute, and nothing is said of it
    code, out, err = run("dream", "-r", name, *short, "-m", "pocket", "-o", "m.png")
    assert (code, out, err.splitlines()) == (0, "", warnings[1:])
    assert read_recipe(tmp_path / "m.png")["models"][0]["dreamed"] == {dreamed: 1.0}
    assert read_recipe(tmp_path / "m.png")["models"][0]["name"] == "pocket"


def test_the_network_of_a_recipe_is_asked_for_by_name(run, picture):
    """Nothing is fetched unasked, and what is to be set up says how."""
    code, out, err = run("dream", picture, "-r", "smooth", "-m", "vgg16")
    assert (code, out) == (1, "")
    assert "vgg16" in err
    assert len(err.splitlines()) == 1


def test_options_go_before_a_recipe(run, picture, tmp_path):
    (tmp_path / "mine.toml").write_text(
        'model = "tiny"\nlayers = "low"\nsteps = 2\noctaves = 1\nseed = 7\nclip = false'
    )
    assert run("dream", picture, "-r", "mine.toml", "--steps", "1", "--clip", "-l", "high", "-q") == (
        0,
        "",
        "",
    )
    options = read_recipe(tmp_path / "photo.dream.png")["options"]
    told = [options[name] for name in ("steps", "clip", "layers", "seed", "octaves")]
    assert told == [1, True, ["high"], 7, 1]


def test_a_recipes_guide_and_masks_lie_beside_it(run, picture, photo, tmp_path):
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "mine.toml").write_text(
        'model = "tiny"\noctaves = 1\nsteps = 2\nguide = "g.png"\nmask = "all.png"\n'
        'layers = [{layer = "low"}, {layer = "high", mask = "left.png"}]'
    )
    Image.fromarray(photo[::-1].copy()).save(folder / "g.png")
    Image.new("L", (56, 40), 255).save(folder / "all.png")
    Image.new("L", (56, 40), 128).save(folder / "left.png")
    assert run("dream", picture, "-r", folder / "mine.toml", "-q") == (0, "", "")
    recipe = read_recipe(tmp_path / "photo.dream.png")
    assert recipe["guide"]["name"] == "g.png"
    assert {name: mask["name"] for name, mask in recipe["masks"].items()} == {
        "": "all.png",
        "left.png": "left.png",
    }
    Image.new("L", (56, 40), 9).save(tmp_path / "mine.png")
    assert run("dream", picture, "-r", folder / "mine.toml", "--mask", "left.png=mine.png", "-q") == (
        0,
        "",
        "",
    )
    assert read_recipe(tmp_path / "photo.dream-2.png")["masks"]["left.png"]["name"] == "mine.png"


# What is wrong

DREAM = ["dream", "photo.jpg", "-m", "tiny", "--octaves", "1", "--steps", "1"]
SORTER = ["dream", "photo.jpg", "-m", "sorter", "--octaves", "1", "--steps", "1"]
WRONG = {
    # what is wrong: (arguments, exit code, what the message says)
    "recipe": (["dream", "-r", "lucd"], 1, "lucd is neither a recipe nor a file; did you mean lucid"),
    "recipe file": (["dream", "-r", "none.toml"], 1, "none.toml is neither a recipe nor a file; choose from default"),
    "recipe folder": (["dream", "-r", "folder"], 1, "folder is a folder, no recipe"),
    "recipe device": (["dream", "-r", "/dev/zero"], 1, "/dev/zero is neither a recipe nor a file"),
    "recipe pipe": (["dream", "-r", "pipe.toml"], 1, "pipe.toml is neither a recipe nor a file"),
    "recipe without one": (["dream", "-r", "photo.jpg"], 1, "photo.jpg carries no recipe"),
    "recipe's key": (["dream", "-r", "key.toml"], 1, "key.toml: there is no key 'stepps'; did you mean steps"),
    "recipe's value": (["dream", "-r", "value.toml"], 1, "value.toml: steps is 'three'; it takes a whole number"),
    "recipe's syntax": (["dream", "-r", "syntax.toml"], 1, "syntax.toml is not a TOML file"),
    "recipe's model": (["dream", "photo.jpg", "-r", "model.toml"], 1, "no model 'tinny'; did you mean tiny"),
    "recipe's layer": (["dream", "photo.jpg", "-r", "layer.toml"], 1, "no layer 'hihg'; did you mean high"),
    "recipe's guide": (["dream", "photo.jpg", "-r", "guide.toml"], 1, "guide.toml names the guide none.png, which is not beside it; give it with --guide FILE"),
    "recipe's guide elsewhere": (["dream", "-r", "path.toml"], 1, "path.toml: guide is '../photo.jpg'; a recipe names a file beside it"),
    "recipe's mask": (["dream", "photo.jpg", "-r", "mask.toml"], 1, "mask.toml names the mask sky, which is not beside it; give it with --mask sky=FILE"),
    "recipe's mask misspelt": (["dream", "photo.jpg", "-r", "mask.toml", "--mask", "sy=grey.png"], 1, "no term is under the mask sy; did you mean sky"),
    "recipe to show": (["recipes", "lucd"], 1, "did you mean lucid"),
    "two recipes to show": (["recipes", "lucid", "smooth"], 2, "extra argument.*see dreamkit recipes --help"),
    "guide": ([*DREAM, "--guide", "none.png"], 1, "none.png does not exist; give the path of a picture"),
    "guide folder": ([*DREAM, "--guide", "folder"], 1, "folder is a folder, not a picture"),
    "guide pipe": ([*DREAM, "--guide", "pipe.toml"], 1, "pipe.toml does not exist"),
    "guide text": ([*DREAM, "--guide", "text.png"], 1, "text.png cannot be read as a picture"),
    "guide too large": ([*DREAM, "--guide", "large.png", "--max-pixels", "3000"], 1, "large.png has 60 x 60 pixels, more than the 3000 allowed"),
    "guide too small": ([*DREAM, "--guide", "dot.png", "-l", "high"], 1, "the guide has 1 x 1 pixels, too few for high of tiny; give a larger one"),
    "guide style": ([*DREAM, "--guide-style", "both"], 1, "guide_style is 'both'; choose match or texture or channels"),
    "mask": ([*DREAM, "--mask", "none.png"], 1, "none.png does not exist"),
    "mask text": ([*DREAM, "--mask", "text.png"], 1, "text.png cannot be read as a picture"),
    "mask's shape": ([*DREAM, "--mask", "large.png"], 1, "the mask large.png has 60 x 60 pixels and the picture 56 x 40; give one of the same shape"),
    "mask's name": ([*DREAM, "--mask", "sky=grey.png"], 1, "no term is under the mask sky; only a recipe's terms are; give it without a name"),
    "mask without a file": ([*DREAM, "--mask", ""], 1, "is a folder, not a picture|does not exist"),
    "two masks": ([*DREAM, "--mask", "grey.png", "--mask", "large.png"], 2, "grey.png and large.png are both given for the same; name one: NAME=large.png"),
    "two masks of a name": ([*DREAM, "--mask", "a=grey.png", "--mask", "a=large.png"], 2, "are both given for a; give one"),
    "color": ([*DREAM, "--color", "grey"], 1, "color is 'grey'; it takes free, natural, keep or a number, 0 to 1"),
    "first octave": ([*DREAM, "--first-octave", "9"], 1, "first_octave is 9; it takes a whole number, -31 to 8"),
    "unit": ([*DREAM, "--unit", "x"], 1, "--unit is 'x'; write pixel values"),
    "unit of two": ([*DREAM, "--unit", "1,2"], 1, r"unit is \[1.0, 2.0\]; it takes one number or three"),
    "unit zero": ([*DREAM, "--unit", "0"], 1, "unit is 0.0; it takes one number or three, each above 0"),
    "unit nan": ([*DREAM, "--unit", "1,nan,1"], 1, "unit is .*each above 0"),
    "border": ([*DREAM, "--border", "-1"], 1, "border is -1; it takes a whole number, 0 to 64"),
    "normalise": ([*DREAM, "--normalise", "max"], 1, "normalise is 'max'; choose std or mean-abs or score or none"),
    "smooth": ([*DREAM, "--smooth", "box"], 1, "smooth is 'box'; choose none or gaussian or laplacian"),
    "smooth width": ([*DREAM, "--smooth-width", "-1"], 1, "smooth_width is -1.0; it takes a number, 0 to 64"),
    "smooth levels": ([*DREAM, "--smooth-levels", "0"], 1, "smooth_levels is 0; it takes a whole number, 1 to 12"),
    "tv": ([*DREAM, "--tv", "11"], 1, "tv is 11.0; it takes a number, 0 to 10"),
    "l2": ([*DREAM, "--l2", "nan"], 1, "l2 is nan; it takes a number, 0 to 100"),
    "max objective": ([*DREAM, "--max-objective", "0"], 1, "max_objective is 0.0; it takes a number, above 0"),
    "space": ([*DREAM, "--space", "wave"], 1, "space is 'wave'; choose pixels or maco or fourier"),
    "rotate": ([*DREAM, "--rotate", "181"], 1, "rotate is 181.0; it takes a number, 0 to 180"),
    "zoom": ([*DREAM, "--zoom", "1"], 1, "zoom is 1.0; it takes a number, 0 to 0.9"),
    "noise": (["dream", "--noise", "pink"], 1, "noise is 'pink'; choose clouds or faint or white"),
    "noise of a photograph": ([*DREAM, "--noise", "white"], 2, "--noise is for a dream of noise"),
    "size of many digits": (["dream", "--size", "9" * 5000], 1, r"--size is '9+\.\.\.'; write one side"),
    "model's weight": (["dream", "photo.jpg", "-m", "tiny=x"], 1, "--model is 'tiny=x'; after = comes a weight"),
    "model's weight nan": (["dream", "photo.jpg", "-m", "tiny=nan"], 1, "the weight of tiny is nan; it takes a number"),
    "model's weight inf": (["dream", "photo.jpg", "-m", "tiny=-inf"], 1, "the weight of tiny is -inf; it takes a number"),
    "model without a weight": (["dream", "photo.jpg", "-m", "tiny="], 1, "--model is 'tiny='; after = comes a weight"),
    "model without a name": (["dream", "photo.jpg", "-m", "=2"], 1, "there is no model ''"),
    "models of weight zero": (["dream", "photo.jpg", "-m", "tiny=0", "-m", "other=0"], 1, "every network has weight zero"),
    "second model": (["dream", "photo.jpg", "-m", "tiny", "-m", "otter"], 1, "no model 'otter'; did you mean other"),
    "weights of whom": ([*DREAM, "-m", "other", "-w", "bad.h5"], 1, "one weights file is given for 2 networks; name its network: tiny=PATH"),
    "weights of nobody": ([*DREAM, "-w", "othre=bad.h5"], 1, "weights are given for 'othre'; this dream uses tiny"),
    "weights twice": ([*DREAM, "-w", "a.h5", "-w", "b.h5"], 2, "a.h5 and b.h5 are both given for the same; name one: NAME=b.h5"),
    "weights of one and of whom": ([*DREAM, "-w", "a.h5", "-w", "tiny=b.h5"], 2, "several weights files are given; say whose a.h5 is: NAME=a.h5"),
    "weights missing": ([*DREAM, "-m", "other", "-w", "other=none.h5"], 1, "weights file none.h5 does not exist"),
    "class without scores": ([*DREAM, "--class", "cat"], 1, "tiny has no layer of class scores; choose a network with one"),
    "class": ([*SORTER, "--class", "taby"], 1, "sorter has no class 'taby'; did you mean tabby"),
    "class number": ([*SORTER, "--class", "3"], 1, "sorter has no class 3; its classes are 0 to 2"),
    "class of many digits": ([*SORTER, "--class", "1" * 5000], 1, r"sorter has no class 1+\.\.\.; its classes are 0 to 2"),
    "class below": ([*SORTER, "--class", "-1"], 1, "sorter has no class '-1'"),
    "no class": ([*SORTER, "--class", ""], 1, "it takes a label or a number from 0"),
    "class by label": (["dream", "photo.jpg", "-m", "counter", "--class", "cat"], 1, "counter has no labels; give a class by number, 0 to 2"),
    "channel": ([*DREAM, "-l", "low:4"], 1, "low has no channel 4; its channels are 0 to 3"),
    "channel or weight": ([*DREAM, "-l", "low:0.5"], 1, "'0.5' in 'low:0.5' is not a channel of low; .*for a weight write low=0.5"),
    "neuron": ([*DREAM, "-l", "low@56x0"], 1, "there is no neuron 56x0; the map of low for this picture has columns 0 to 55 and rows 0 to 39"),
    "neuron misspelt": ([*DREAM, "-l", "low@5"], 1, "there is no layer 'low@5'; did you mean low"),
    "depth": ([*DREAM, "-l", "101%"], 1, "'101%' is not a depth of a network; write 0% to 100%"),
}  # fmt: skip


@pytest.fixture
def wrong(tmp_path, picture):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "text.png").write_text("no picture\n" * 50)
    (tmp_path / "bad.h5").write_bytes(b"no weights")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    Image.new("L", (56, 40), 99).save(tmp_path / "grey.png")
    Image.new("L", (60, 60), 99).save(tmp_path / "large.png")
    for name, text in {
        "key": "stepps = 3",
        "value": 'steps = "three"',
        "syntax": "steps: 3",
        "model": 'model = "tinny"',
        "layer": 'model = "tiny"\nlayers = "hihg"',
        "guide": 'guide = "none.png"',
        "path": 'guide = "../photo.jpg"',
        "mask": 'model = "tiny"\nlayers = [{layer = "low", mask = "sky"}]',
    }.items():
        (tmp_path / f"{name}.toml").write_text(text)


def there(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.usefixtures("wrong")
@pytest.mark.parametrize(("arguments", "exit_code", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_gets_one_line_and_loses_nothing(run, tmp_path, arguments, exit_code, message):
    before = there(tmp_path)
    code, out, err = run(*arguments)
    assert (code, out, len(err.splitlines())) == (exit_code, "", 1), err
    assert re.match(f"error: .*(?:{message})", err), err
    assert there(tmp_path) == before


@pytest.mark.heavy
@pytest.mark.usefixtures("wrong")
def test_what_is_wrong_is_found_before_tensorflow(tmp_path, tiny_plugin):
    """All of it but what only a network knows, in one process that has not imported it."""
    needs_a_network = {
        "recipe's layer", "guide too small", "models of weight zero", "channel", "channel or weight",
        "neuron", "neuron misspelt", "depth", *(name for name in WRONG if name.startswith("class")),
    }  # fmt: skip
    light = [case for name, case in WRONG.items() if name not in needs_a_network]
    assert len(light) > 50
    code = (
        "import sys\n"
        "from dreamkit.cli import main\n"
        "for arguments, exit_code in CASES:\n"
        "    try:\n"
        "        main(arguments)\n"
        "    except SystemExit as left:\n"
        "        print(arguments, left.code == exit_code, sorted({'tensorflow', 'keras'} & set(sys.modules)))\n"
    ).replace("CASES", repr([case[:2] for case in light]))
    second = os.path.join(os.path.dirname(__file__), "data", "dreamkit-second")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), str(tiny_plugin), second])}
    program = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        text=True,
        capture_output=True,
        check=True,
    )
    assert program.stdout.splitlines() == [f"{case[0]} True []" for case in light]

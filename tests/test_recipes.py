"""Recipes as plain data: read from TOML and from pictures, checked, written again. No TensorFlow."""

# ruff: noqa: E501 - a table reads best with a line for each case
from __future__ import annotations

import base64
import copy
import io
import json
import os
import random
import string
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

import dreamkit
from dreamkit import Session, make_request, recipes, session
from dreamkit.config import DreamConfig, default, option_names
from dreamkit.errors import ConfigError, DreamkitError, DreamkitWarning, ImageError, RecipeError
from dreamkit.media import image_metadata, image_writer, images
from dreamkit.models.registry import Registry
from dreamkit.models.spec import ModelSpec
from dreamkit.recipes import File, Recipe, built_in, find, from_picture, masks_named, toml_file, versions
from dreamkit.recipes.metadata import describe
from dreamkit.recipes.resolve import resolve_models
from dreamkit.request import request_again

HASH = "0123456789abcdef" * 4


@pytest.fixture
def toml(tmp_path):
    """Reads a recipe from a TOML file with this text or these bytes, in a folder of its own."""

    def read(content):
        path = tmp_path / "mine.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return find(str(path))

    return read


def carrying(path, text):
    """A picture at `path` with `text` as its recipe."""
    chunk = PngImagePlugin.PngInfo()
    chunk.add_itxt("dreamkit", text if isinstance(text, str) else json.dumps(text))
    Image.new("RGB", (4, 3)).save(path, pnginfo=chunk)
    return path


def one_line(error):
    message = str(error)
    assert "\n" not in message
    assert "\x1b" not in message
    assert 5 < len(message) < 700
    return message


# Built in


def test_the_built_in_recipes_are_these_with_our_own_first():
    names = built_in()
    assert names[0] == "default"
    published = [
        "accentuate", "atlas", "caricature", "google-2015", "hughy-2020", "keras-example", "lapnorm", "lucid",
        "maco", "smooth", "tf-tutorial",
    ]  # fmt: skip
    assert names[-len(published) :] == published
    moods = names[1 : -len(published)]
    folder = Path(recipes.__file__).with_name("moods")
    assert moods == sorted(path.stem for path in folder.glob("*.toml"))
    assert len(set(names)) == len(names)


def test_without_moods_there_are_the_other_recipes(monkeypatch):
    monkeypatch.setattr("dreamkit.recipes.library._FOLDERS", (".", "nowhere", "published"))
    assert built_in()[:2] == ["default", "accentuate"]
    assert find("lucid").built_in


@pytest.mark.parametrize("name", built_in())
def test_the_published_loops_keep_off_what_is_our_own(name):
    """Whatever becomes a default, they are what they were."""
    if (Path(recipes.__file__).parent / "published" / f"{name}.toml").is_file():
        told = find(name).options
        assert {each: told[each] for each in ("color", "clouds", "tv")} == {
            "color": 0.0,
            "clouds": 0.0,
            "tv": 0.0,
        }
        config = find(name).config()
        assert (config.strength, config.blend, config.upscale, config.wrap) == (1.0, 0.0, 1.0, "none")


def test_a_dream_of_an_earlier_version_has_its_own_colours_and_no_clouds(tmp_path):
    path = tmp_path / "d.png"
    written(path, DreamConfig(seed=3))
    carried = image_metadata.read_recipe(path)
    for name in ("clouds", "strength", "blend"):
        del carried["options"][name]
    carried["options"]["color"] = "decorrelated"
    image_writer.write(path, np.zeros((3, 4, 3), np.uint8), recipe=carried, overwrite=True)
    config = from_picture(path).config()
    assert (config.color, config.clouds, config.strength, config.blend) == (0.5, 0.0, 1.0, 0.0)
    assert config.seed == 3


@pytest.mark.parametrize("name", built_in())
def test_a_built_in_recipe_says_only_what_options_are(name):
    recipe = find(name)
    assert recipe.built_in
    assert recipe.name == name
    assert recipe.folder is None
    assert set(recipe.options) <= set(option_names())
    assert recipe.config().to_dict() == DreamConfig(**recipe.options).to_dict()
    assert recipe.description
    assert "\n" not in recipe.description
    assert len(recipe.models) == (0 if name == "default" else 1)
    assert (recipe.guide, recipe.masks, recipe.photograph, recipe.versions) == (None, {}, None, {})


def test_the_default_recipe_is_the_default():
    assert find("default").config() == DreamConfig()


def test_what_is_given_goes_before_the_recipe(toml):
    recipe = toml('steps = 3\nlayers = "low"\nseed = 4')
    config = recipe.config(steps=5, layers=("high",))
    assert (config.steps, config.layers, config.seed) == (5, ("high",), 4)
    with pytest.raises(ConfigError, match="no option 'stepps'; did you mean steps"):
        recipe.config(stepps=1)


# TOML


def test_everything_that_a_file_can_say(toml, tmp_path):
    recipe = toml(
        """
        description = "Two networks"
        guide = "guide.jpg"
        mask = "where.png"
        steps = 3
        size = [30, 40]
        unit = 2
        schedule = [{steps = 2, layers = [{layer = "a", mask = "sky.png"}]}, {jitter = 1}]
        [[models]]
        name = "one"
        layers = "low:1+2=0.5"
        [[models]]
        name = "two"
        weight = -0.5
        [[models.layers]]
        layer = "x"
        channels = [1, 2]
        mask = "sea.png"
        [[models.layers]]
        class = "cat"
        """
    )
    assert recipe.description == "Two networks"
    assert recipe.folder == tmp_path
    assert recipe.guide == File("guide.jpg")
    names = {"": "where.png", "sky.png": "sky.png", "sea.png": "sea.png"}
    assert recipe.masks == {name: File(file) for name, file in names.items()}
    assert recipe.models == (
        ModelSpec("one", 1.0, ("low:1+2=0.5",)),
        ModelSpec("two", -0.5, ({"layer": "x", "channels": (1, 2), "mask": "sea.png"}, {"class": "cat"})),
    )
    assert recipe.options == {
        "steps": 3,
        "size": (30, 40),
        "unit": (2.0, 2.0, 2.0),
        "schedule": ({"steps": 2, "layers": ({"layer": "a", "mask": "sky.png"},)}, {"jitter": 1}),
    }
    assert not recipe.built_in


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", 'description = ""'])
def test_a_file_may_say_nothing(toml, text):
    recipe = toml(text)
    assert (recipe.options, recipe.models) == ({}, ())


def test_a_byte_order_mark_is_no_part_of_it(toml):
    assert toml(b"\xef\xbb\xbfsteps = 2\r\nseed = 1\r\n").options == {"steps": 2, "seed": 1}


def test_an_ending_in_capitals_is_toml(tmp_path):
    (tmp_path / "MINE.TOML").write_text("steps = 2")
    assert find(str(tmp_path / "MINE.TOML")).options == {"steps": 2}


MODELS = '[[models]]\nname = "a"\n'
WRONG_TOML = {
    # what is wrong: (the file, what the message says)
    "no TOML": ("steps : 3", "mine.toml is not a TOML file"),
    "not UTF-8": (b'description = "caf\xe9"', "cannot read the recipe .*mine.toml"),
    "cut UTF-16": ("steps = 3".encode("utf-16")[:-1], "cannot read the recipe .*mine.toml"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(200), "cannot read the recipe .*mine.toml"),
    "NUL": (b"steps = 3\x00", "is not a TOML file"),
    "a key twice": ("steps = 3\nsteps = 4", "is not a TOML file"),
    "a table twice": ("[steps]\n[steps]", "is not a TOML file"),
    "deep lists": ("layers = " + "[" * 5000 + "]" * 5000, "is not a TOML file"),
    "less deep lists": ("layers = " + "[" * 400 + "]" * 400, r"layers is \[\[\[.*name at least one layer"),
    "deep tables": ("layers" + ".a" * 3000 + " = 1", "a key of many parts between dots"),
    "many digits": ("steps = " + "9" * 5000, "is not a TOML file"),
    "many hexadecimal digits": ("steps = 0x" + "f" * 5000, "steps is an endless int; it takes a whole number"),
    "too large": ("#" * (1 << 20) + "\n", "is larger than any recipe"),
    "a near miss": ("stepps = 3", "no key 'stepps'; did you mean steps"),
    "no near miss": ("zzz = 3", "no key 'zzz'; choose from description, model, models, guide, mask"),
    "a table of options": ("[options]\nsteps = 3", "no key 'options'"),
    "a key of control characters": ('"\\u001b[31m" = 1', r"no key '\\+x1b\[31m'"),
    "what only pictures carry": (f'photograph = "{HASH}"', "no key 'photograph'"),
    "path": ('path = "x"', "no key 'path'"),
    "a date": ("steps = 2020-01-01", "steps is datetime.date"),
    "a time": ("seed = 07:32:00", "seed is datetime.time"),
    "inf": ("step_size = inf", "step_size is inf"),
    "-inf": ("step_size = -inf", "step_size is -inf"),
    "nan": ("octave_scale = nan", "octave_scale is nan"),
    "an integer of 64 bits": ("seed = 18446744073709551616", "seed is 18446744073709551616; .* 0 to 184467"),
    "a boolean for a number": ("steps = true", "steps is True; it takes a whole number"),
    "a number for a boolean": ("clip = 1", "clip is 1; it is True or False"),
    "a choice": ('color = "fre"', "color is 'fre'; it takes free, natural, keep or a number, 0 to 1"),
    "an empty list of layers": ("layers = []", "layers is .*name at least one layer"),
    "an empty layer": ('layers = ""', "layers is .*name at least one layer"),
    "layers by date": ("layers = {a = 2020-01-01}", "layers has 'a': datetime.date.*it maps layers to numbers"),
    "a term's key": ('layers = [{layr = "a"}]', "layers has a table with 'layr'; did you mean layer"),
    "a term of both": ('layers = [{layer = "a", class = 1}]', "names a layer, a class, a concept or a text"),
    "a term of neither": ("layers = [{weight = 1}]", "names a layer, a class, a concept or a text"),
    "a term's channels": ('layers = [{layer = "a", channels = 1}]', "channels = 1; it takes a list of numbers"),
    "a term's channel": ('layers = [{layer = "a", channels = [-1]}]', r"channels = \[-1\]; it takes"),
    "a term's channel of many digits": (f'layers = [{{layer = "a", channels = [0x{"f" * 5000}]}}]', "it takes a list"),
    "a class below 0": ("layers = [{class = -1}]", "class = -1; it takes a label or a number from 0"),
    "a class of many digits": (f"layers = [{{class = 0x{'f' * 5000}}}]", "it takes a label or a number from 0"),
    "a place of one": ('layers = [{layer = "a", place = [1]}]', "it takes column and row"),
    "a direction of nan": ('layers = [{layer = "a", direction = [nan]}]', "it takes a list of numbers"),
    "a term's mask": ('layers = [{layer = "a", mask = 3}]', "mask = 3; it takes a mask's name"),
    "a schedule": ("schedule = 3", "schedule is 3; it takes a list of tables"),
    "a schedule's key": ("schedule = [{stps = 3}]", "schedule has 'stps'; did you mean steps"),
    "a schedule's octaves": ("schedule = [{octaves = 3}]", "schedule has 'octaves'; choose from layers"),
    "a schedule's value": ("schedule = [{steps = 0}]", "steps is 0"),
    "a long schedule": ("schedule = [" + "{}," * 33 + "]", "33 octaves; it takes at most 32"),
    "size of three": ("size = [1, 2, 3]", "size is .*height and width"),
    "unit of two": ("unit = [1, 2]", "unit is .*one number or three"),
    "description": ("description = 3", "description is 3; it takes a text"),
    "description of lines": ("description = []", r"description is \[\]; it takes a text"),
    "model": ("model = 3", "model is 3; it takes a model's name"),
    "model of many digits": ("model = 0x" + "f" * 5000, "model is an endless int"),
    "models": ("models = 3", r"models is not a list of tables; write \[\[models\]\]"),
    "one models": ('[models]\nname = "a"', r"models is not a list of tables; write \[\[models\]\]"),
    "models by name": ('models = ["a", "b"]', "models is not a list of tables"),
    "model and models": ('model = "a"\n' + MODELS, "model and models exclude each other"),
    "models without names": ("[[models]]\nweight = 1", "give each a name"),
    "models' name": ("[[models]]\nname = 3", "give each a name"),
    "models' key": (MODELS + "wieght = 1", "models has 'wieght'; did you mean weight"),
    "models' hash": (MODELS + f'sha256 = "{HASH}"', "models has 'sha256'"),
    "models' weight": (MODELS + 'weight = "1"', "the weight of a is '1'; it takes a number"),
    "models' weight true": (MODELS + "weight = true", "the weight of a is True; it takes a number"),
    "models' weight nan": (MODELS + "weight = nan", "the weight of a is nan"),
    "models' weight of many digits": (MODELS + f"weight = 0x{'f' * 500}", "the weight of a is 1148"),
    "models' layers": (MODELS + "layers = 3", "layers is 3; name at least one layer"),
    "models' mask": (MODELS + 'layers = [{layer = "a", mask = "../x"}]', "mask is '../x'; .*without a folder"),
}  # fmt: skip
NO_NAMES = ["a/b.png", "/etc/passwd", "../b.png", "..", ".", "", "a\\\\b.png", "..\\\\b.png", "b.png/", "~/b.png",
            "a\\nb.png", "\\u001b[2J.png", "a\\u0000b.png"]  # fmt: skip
for name in NO_NAMES:
    WRONG_TOML |= {
        f"guide {name}": (
            f'guide = "{name}"',
            "guide is '.*a recipe names a file beside it.*else use --guide",
        ),
        f"mask {name}": (f'mask = "{name}"', "mask is '.*a recipe names a file beside it.*else use --mask"),
    }
    if name:
        text = f'layers = [{{layer = "a", mask = "{name}"}}]'
        WRONG_TOML[f"a term's mask {name}"] = (text, "mask is '.*a recipe names a file beside it")
for key in ("guide", "mask"):
    for value in ("3", "true", "[]", "{}", "1979-05-27", '["a.png"]'):
        WRONG_TOML[f"{key} {value}"] = (f"{key} = {value}", f"{key} is .*a recipe names a file beside it")


@pytest.mark.parametrize(("content", "message"), WRONG_TOML.values(), ids=WRONG_TOML)
def test_a_wrong_file_gets_one_line(toml, content, message):
    with pytest.raises((ConfigError, RecipeError), match=message) as caught:
        toml(content)
    assert "mine.toml" in one_line(caught.value)


OF_ANOTHER_TYPE = {
    int: ["[]", "{}", '"3"', "1.5", "true", "1979-05-27T07:32:00Z"],
    float: ["[]", "{}", '"3"', "true", "nan", "07:32:00"],
    bool: ["[]", "{}", '"true"', "1", "0.0", "1979-05-27"],
    str: ["[]", "{}", "3", "1.5", "true", '"no choice"', '""', "1979-05-27"],
}
KINDS = {"int": int, "float": float, "bool": bool, "str": str}
SHAPED = {
    "layers": ["3", "1.5", "true", "[]", "[3]", "[[]]", '[""]', "{}", '{"" = 1}', '{a = "1"}', "1979-05-27"],
    "unit": ['"3"', "true", "[]", "[1, 2]", "0", "-1", "[1, 2, nan]", "{}", "256"],
    "size": ['"3"', "true", "[]", "[1]", "[1, 2, 3]", "0", "1.5", "[1, 2.5]", "65537", "{}"],
    "schedule": ["3", '"a"', "[3]", "true", "{steps = 1}", "[[]]"],
    "transforms": ["3", '"a"', "[3]", "true", "{jitter = 1}", "{none = 1}"],
    "regularisers": ["3", '"a"', "[3]", "true", "{tv = 1}", "{none = 1}"],
    "plugin_options": ["3", '"a"', "[3]", "true", "{a = 1}", "{a = {b = 1}}"],
    "crop": ['"3"', "true", "[]", "[1, 2]", "0", "[0.5, 0.2]", "{}", "[0.1, nan]"],
    "hold": ["3", '"a"', "[3]", "true", "{a = 0}", '{a = "1"}'],
}


def wrong_values(name):
    kind = DreamConfig.__dataclass_fields__[name].type
    return SHAPED.get(name) or OF_ANOTHER_TYPE[KINDS[kind.partition(" ")[0]]]


@pytest.mark.parametrize("name", option_names())
def test_every_key_refuses_what_is_of_another_kind(toml, name):
    for value in wrong_values(name):
        with pytest.raises(ConfigError, match=name) as caught:
            toml(f"{name} = {value}")
        assert "mine.toml: " in one_line(caught.value)


# Where it is looked for


def test_what_is_not_there_says_what_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.toml").mkdir()
    for text, message in {
        "lucd": "lucd is neither a recipe nor a file; did you mean lucid",
        "mine.toml": "mine.toml is neither a recipe nor a file; choose from default, ",
        "folder.toml": "folder.toml is a folder, no recipe",
        "": "is neither a recipe nor a file",
        "a\0b.toml": "is neither a recipe nor a file",
        "x" * 5000: r"x\.\.\. is neither a recipe nor a file",
    }.items():
        with pytest.raises(RecipeError, match=message) as caught:
            find(text)
        one_line(caught.value)


@pytest.mark.parametrize("name", ["pipe.toml", "pipe.png"])
def test_a_pipe_is_not_waited_on(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(RecipeError, match="neither a recipe nor a file"):
        find(str(tmp_path / name))
    with pytest.raises(ImageError, match="does not exist"):
        from_picture(tmp_path / name)
    with pytest.raises(ImageError, match="does not exist"):
        dreamkit.redo(tmp_path / name)


def test_a_device_is_no_recipe(tmp_path):
    for name in ("zero.toml", "zero.png"):
        (tmp_path / name).symlink_to("/dev/zero")
        with pytest.raises(RecipeError, match="neither a recipe nor a file"):
            find(str(tmp_path / name))
    for path in ("/dev/zero", tmp_path / "zero.png"):
        with pytest.raises(ImageError, match="does not exist"):
            from_picture(path)


def test_a_name_of_ours_goes_before_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lucid").write_text("steps = 1")
    assert find("lucid").built_in


def test_a_picture_without_a_recipe_says_so(tmp_path):
    Image.new("RGB", (3, 3)).save(tmp_path / "plain.png")
    with pytest.raises(RecipeError, match=r"plain.png carries no recipe; it was not dreamed by dreamkit"):
        find(str(tmp_path / "plain.png"))
    (tmp_path / "notes.txt").write_text("steps = 3")
    with pytest.raises(ImageError, match=r"notes.txt cannot be read as a picture"):
        find(str(tmp_path / "notes.txt"))


def test_files_beside_a_recipe_that_are_not_there_are_named_with_a_way_out(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'guide = "g.png"\nmask = "m.png"\nlayers = [{layer = "a", mask = "sky"}]'
    )
    recipe = find(str(tmp_path / "mine.toml"))
    grey = np.full((8, 8), 9, np.uint8)
    some = np.zeros((8, 8, 3), np.uint8)

    def gather(**pictures):
        return make_request(some, recipe=recipe, **pictures)

    with pytest.raises(RecipeError, match="mine.toml names the guide g.png, .*; give it with --guide FILE"):
        gather(mask={"": grey, "sky": grey})
    with pytest.raises(RecipeError, match="mine.toml names the mask m.png, .*; give it with --mask FILE"):
        gather(guide=some, mask={"sky": grey})
    with pytest.raises(RecipeError, match="mine.toml names the mask sky, .*; give it with --mask sky=FILE"):
        gather(guide=some, mask=grey)
    for name in ("g.png", "m.png", "sky"):
        Image.fromarray(grey).save(tmp_path / name, format="PNG")
    gathered = gather()
    assert gathered.guide.name == "g.png"
    assert {name: mask.name for name, mask in gathered.masks.items()} == {"": "m.png", "sky": "sky"}
    assert gather(mask={"sky": some}).masks["sky"].name == ""


def test_the_name_of_a_mask_is_a_text():
    with pytest.raises(ConfigError, match="a mask has the name 1; the names of masks are texts"):
        make_request(np.zeros((4, 4, 3), np.uint8), "pocket", mask={1: np.zeros((4, 4), np.uint8)})


def test_a_mask_that_no_term_is_under_is_refused():
    some = np.zeros((8, 8, 3), np.uint8)
    config = DreamConfig(layers=[{"layer": "a", "mask": "sky"}], schedule=[{"layers": {"b": 1}}])
    specs = [ModelSpec("tiny", layers=[{"layer": "a", "mask": "sea"}])]
    with pytest.raises(ConfigError, match="no term is under the mask sk; did you mean sky"):
        make_request(some, specs, config=config, mask={"sk": some, "sky": some, "sea": some})
    with pytest.raises(ConfigError, match="no term is under the mask sky; only a recipe's terms are"):
        make_request(some, "tiny", mask={"sky": some})
    assert set(make_request(some, specs, config=config, mask={"sea": some, "": some}).masks) == {"sea", ""}


# To TOML and back

names = st.text(string.ascii_letters + string.digits + " ._-/:%=,'\"#[]{}é", min_size=1, max_size=12).filter(
    str.strip
)
file_names = st.text(string.ascii_letters + string.digits + " ._-='\"#é", min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)
weights = st.floats(-1e6, 1e6) | st.integers(-5, 5)


@st.composite
def tables(draw):
    """A term as a table."""
    term = {}
    if draw(st.booleans()):
        term["class"] = draw(names | st.integers(0, 999))
    else:
        term["layer"] = draw(names)
        if draw(st.booleans()):
            term["place"] = draw(st.tuples(st.integers(0, 99), st.integers(0, 99)))
        kind = draw(st.sampled_from(["", "channels", "direction"]))
        if kind == "channels":
            term["channels"] = draw(st.lists(st.integers(0, 99), min_size=1, max_size=4))
        elif kind:
            term["direction"] = draw(st.lists(weights, min_size=1, max_size=4))
    if draw(st.booleans()):
        term["weight"] = draw(weights)
    if draw(st.booleans()):
        term["objective"] = draw(st.sampled_from(["mean", "mean-square"]))
    if draw(st.booleans()):
        term["mask"] = draw(file_names.filter(str.strip))
    if draw(st.booleans()):
        term["guide"] = draw(st.booleans())
    return term


layer_maps = st.dictionaries(
    names.filter(lambda name: name not in ("layer", "class")), weights, min_size=1, max_size=3
)
layers = names | st.lists(names | tables(), min_size=1, max_size=4) | layer_maps
schedules = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "layers": layers,
            "steps": st.integers(1, 9),
            "step_size": st.floats(1e-6, 255),
            "jitter": st.integers(0, 9),
        },
    ),
    max_size=4,
)


def values(name):
    """What option `name` takes."""
    field = DreamConfig.__dataclass_fields__[name]
    limits, kind = field.metadata, field.type
    shaped = {
        "layers": layers,
        "schedule": schedules,
        "size": st.integers(1, 65_536) | st.tuples(st.integers(1, 65_536), st.integers(1, 65_536)),
        "unit": st.floats(1e-3, 255) | st.tuples(*[st.floats(1e-3, 255)] * 3),
        "crop": st.floats(1e-3, 1) | st.tuples(st.floats(1e-3, 0.5), st.floats(0.5, 1)),
        "hold": st.dictionaries(names, st.floats(1e-3, 100), min_size=1, max_size=2),
    }
    if name in shaped:
        return shaped[name]
    if "choices" in limits:
        return st.sampled_from(limits["choices"])
    if kind == "bool":
        return st.booleans()
    least, most = limits.get("least", limits.get("above")), limits.get("most")
    if kind.startswith("int"):
        return st.integers(least, most if most is not None else 1 << 70)
    return st.floats(least, most if most is not None else 1e300, exclude_min="above" in limits)


MACHINE = {"processor": "one", "threads": 2, "onednn": "1"}
FOR_PLUGINS = ("transforms", "regularisers", "plugin_options")  # test_parts has plugins
options = st.fixed_dictionaries(
    {}, optional={name: values(name) for name in option_names() if name not in FOR_PLUGINS}
).filter(
    lambda found: (
        found.get("wrap", "none") == "none" or not found.keys() & {"rotate", "zoom", "border", "crop"}
    )
)
shares = st.lists(st.builds(ModelSpec, names, weights, st.none() | layers), max_size=3)


def file_recipe(options, shares, **more):
    config = DreamConfig(**options)
    return Recipe("x", {name: getattr(config, name) for name in options}, tuple(shares), **more)


def again(recipe, folder="r"):
    """What is read from the recipe's own TOML."""
    return toml_file.parse(recipe.to_toml(), folder)


@given(
    options,
    shares,
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.none() | file_names,
    st.none() | file_names,
)
def test_a_file_says_again_what_it_said(options, shares, description, guide, mask):
    masks = {} if mask is None else {"": File(mask)}
    recipe = file_recipe(
        options, shares, description=description, guide=None if guide is None else File(guide), masks=masks
    )
    read = again(recipe)
    assert read.options == recipe.options
    assert read.models == recipe.models
    assert (read.description, read.guide) == (recipe.description, recipe.guide)
    named = masks_named(recipe.options, recipe.models)
    assert read.masks == {**masks, **{name: File(name) for name in named}}
    assert again(read).to_toml() == read.to_toml()


@given(options, shares.filter(len))
def test_a_dream_says_as_a_file_what_it_carried(tmp_path_factory, options, shares):
    config = DreamConfig(**options)
    found = written(tmp_path_factory.mktemp("dream") / "d.png", config, shares)
    # Memory is a matter of the machine, and the limit of pixels is the user's to raise.
    most = min(config.max_pixels, default("max_pixels"))
    config = DreamConfig.of(config, max_memory=None, max_pixels=most)
    assert found.config() == config
    assert [(spec.model, spec.weight) for spec in found.models] == [
        (spec.model, spec.weight) for spec in shares
    ]
    assert [spec.layers for spec in found.models] == [spec.layers for spec in shares]
    read = again(found)
    assert read.config() == config
    assert [as_asked(spec) for spec in read.models] == [as_asked(spec) for spec in found.models]


def as_asked(spec):
    return (spec.model, spec.weight, spec.layers)


def written(path, config=None, shares=(), **more):
    """What a picture at `path` carries that was made so, through the real metadata."""
    carried = describe(
        config or DreamConfig(),
        models=[
            {
                "name": spec.model,
                "sha256": HASH,
                "weight": spec.weight,
                "layers": spec.layers,
                "dreamed": {"low": 1.0},
            }
            for spec in shares or [ModelSpec("tiny")]
        ],
        machine=MACHINE,
        **{
            "photograph": File("p.jpg", HASH),
            "guide": None,
            "masks": {},
            "size": (3, 4),
            "octaves": [(3, 4)],
            "tile_size": (config or DreamConfig()).tile_size,
            **more,
        },
    )
    image_writer.write(path, np.zeros((3, 4, 3), np.uint8), recipe=carried, overwrite=True)
    return from_picture(path)


def test_a_layer_named_twice_counts_twice_in_the_file_too():
    """Found by the round trip: a list of one thing was written as that thing."""
    assert again(file_recipe({"layers": ["a", "a"]}, ())).options["layers"] == ("a", "a")
    assert 'layers = "a"' in file_recipe({"layers": ["a"]}, ()).to_toml()
    assert "unit = 2.0" in file_recipe({"unit": 2}, ()).to_toml()


def test_a_file_of_a_dream_says_only_what_was_chosen(tmp_path):
    found = written(tmp_path / "d.png", DreamConfig(steps=3, layers="low"), guide=File("g.png", HASH))
    assert found.to_toml() == 'model = "tiny"\nguide = "g.png"\nlayers = "low"\nsteps = 3\n'


def test_what_came_from_memory_is_a_comment_in_the_file(tmp_path):
    found = written(tmp_path / "d.png", guide=File("", HASH), masks={"": File("", HASH, b"png")})
    text = found.to_toml()
    assert text == (
        "# The guide came from memory; give it with --guide FILE.\n"
        "# The mask came from memory; give it with --mask FILE.\n"
        'model = "tiny"\n'
    )
    read = again(found)
    assert (read.guide, read.masks) == (None, {})


def test_a_name_that_no_text_can_hold_is_written_all_the_same(tmp_path):
    found = written(tmp_path / "d.png", guide=File("caf\udce9.png", HASH))
    assert found.guide.name == "caf\udce9.png"
    assert 'guide = "caf?.png"' in found.to_toml()


# What pictures carry

MASK = image_writer.to_png(np.full((3, 4), 200, np.uint8))
GOOD = json.loads(
    json.dumps(
        describe(
            DreamConfig(
                layers=[{"layer": "low", "mask": "left", "weight": 2}, "high:1=0.5"],
                schedule=[{"steps": 2}, {"layers": {"low": 1}}],
                steps=3,
            ),
            models=[
                {"name": "tiny", "sha256": HASH, "weight": 1.0, "layers": None, "dreamed": {"low": 1.0}},
                {"name": "other", "sha256": HASH, "weight": -0.5, "layers": ["a"], "dreamed": {"a": 1.0}},
            ],
            machine=MACHINE,
            photograph=File("photo.jpg", HASH),
            guide=File("guide.png", HASH),
            masks={"left": File("left.png", HASH), "": File("", HASH, MASK)},
            size=(3, 4),
            octaves=[(3, 4)],
            tile_size=512,
        )
    )
)


def test_what_was_written_is_read(tmp_path):
    found = from_picture(carrying(tmp_path / "good.png", GOOD))
    assert found.name == "good.png"
    assert found.config().to_dict() == GOOD["options"]
    assert found.models == (ModelSpec("tiny", 1.0, None, HASH), ModelSpec("other", -0.5, ("a",), HASH))
    assert found.photograph == File("photo.jpg", HASH)
    assert found.guide == File("guide.png", HASH)
    assert found.masks == {"left": File("left.png", HASH), "": File("", HASH, MASK)}
    assert found.folder is None
    assert found.versions == versions()


def places(value, path=()):
    """Every place in nested data."""
    yield path
    for key, each in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(each, (*path, key))


def changed(data, path, change):
    """A copy of `data` with `change(container, key)` made at `path`."""
    data = copy.deepcopy(data)
    holder = data
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return data


def without(holder, key):
    del holder[key]


def replaced_by(value):
    return lambda holder, key: holder.__setitem__(key, value)


PLACES = [path for path in places(GOOD) if path]
NEEDED = [
    ("dreamkit",), ("options",), ("models",), ("models", 0, "name"), ("models", 0, "sha256"), ("photograph",),
    ("photograph", "name"), ("photograph", "sha256"), ("guide", "name"), ("guide", "sha256"), ("versions",),
    ("masks", "left", "name"), ("masks", "left", "sha256"), ("masks", "", "name"), ("masks", "", "sha256"),
]  # fmt: skip
READ = [("effective",), ("effective", "tile_size")]
UNREAD = [path for path in PLACES if (path[0] == "effective" and path not in READ) or "dreamed" in path]


@pytest.mark.parametrize("path", NEEDED, ids=lambda path: ".".join(map(str, path)))
def test_what_is_missing_makes_it_unusable(tmp_path, path):
    with pytest.raises(
        RecipeError, match=r"the recipe in .*bad.png cannot be used|bad.png carries no recipe"
    ) as caught:
        from_picture(carrying(tmp_path / "bad.png", changed(GOOD, path, without)))
    one_line(caught.value)


@pytest.mark.parametrize(
    "path", [path for path in PLACES if path not in NEEDED], ids=lambda path: ".".join(map(str, path))
)
def test_what_else_is_missing_is_as_if_it_were_not_said_or_unusable(tmp_path, path):
    try:
        found = from_picture(carrying(tmp_path / "bad.png", changed(GOOD, path, without)))
    except RecipeError as error:
        assert path[0] in ("options", "models")
        one_line(error)
    else:
        check(found)


OTHERS = [
    None,
    True,
    3,
    -1,
    1.5,
    float("nan"),
    float("inf"),
    10**400,
    "",
    "x",
    "\ud800",
    "\x1b[2J\n",
    [],
    {},
    [[]],
    {"x": 1},
]
OF_ITS_TYPE = {
    ("photograph",): [None],  # a dream of noise
    ("guide",): [None],
}


def check(found):
    """Whether what was read is a recipe that is safe to use."""
    assert isinstance(found, Recipe)
    assert isinstance(found.config(), DreamConfig)
    assert found.folder is None
    assert found.models
    assert all(isinstance(spec.model, str) and np.isfinite(spec.weight) for spec in found.models)
    files = [each for each in (found.photograph, found.guide, *found.masks.values()) if each is not None]
    assert all(isinstance(each, File) and isinstance(each.data, bytes) for each in files)
    assert all(isinstance(each.name, str) and isinstance(each.sha256, str) for each in files)
    assert all(isinstance(name, str) for name in found.masks)
    assert all(isinstance(each, str) for each in found.versions.values())


@pytest.mark.parametrize(
    "path",
    [("dreamkit",), ("options",), ("models",), ("models", 0), ("models", 0, "name"), ("models", 0, "sha256"),
     ("models", 0, "weight"), ("photograph",), ("photograph", "name"), ("photograph", "sha256"), ("guide",),
     ("guide", "name"), ("masks",), ("masks", "left"), ("masks", "", "data"), ("versions",), ("versions", "keras")],
    ids=lambda path: ".".join(map(str, path)),
)  # fmt: skip
def test_what_is_of_another_type_makes_it_unusable(tmp_path, path):
    own = changed_value(GOOD, path)
    for value in OTHERS:
        same = isinstance(value, type(own)) or (path[-1] == "weight" and type(value) in (int, float))
        if same or (value is None and path in OF_ITS_TYPE):
            continue
        bad = carrying(tmp_path / "bad.png", changed(GOOD, path, replaced_by(value)))
        with pytest.raises(RecipeError, match=r"the recipe in .*bad.png cannot be used") as caught:
            from_picture(bad)
        one_line(caught.value)


def changed_value(data, path):
    for key in path:
        data = data[key]
    return data


@pytest.mark.parametrize("models", [[], {}, ""])
def test_a_dream_by_nobody_is_unusable(tmp_path, models):
    with pytest.raises(RecipeError, match="cannot be used .*it names no network"):
        from_picture(carrying(tmp_path / "bad.png", {**GOOD, "models": models}))


def test_any_change_gives_a_recipe_or_one_line(tmp_path):
    """Thousands of them: values of other types, keys gone and come, texts cut and changed."""
    draw = random.Random(0)
    path = tmp_path / "changed.png"
    read = refused = 0
    for _ in range(2000):
        data = copy.deepcopy(GOOD)
        for _ in range(draw.randint(1, 3)):
            spots = [each for each in places(data) if each]
            if not spots:
                break
            spot = draw.choice(spots)
            holder = changed_value(data, spot[:-1])
            kind = draw.random()
            if kind < 0.5:
                another = changed_value(GOOD, draw.choice(PLACES))
                holder[spot[-1]] = copy.deepcopy(draw.choice([*OTHERS, another]))
            elif kind < 0.75:
                del holder[spot[-1]]
            elif isinstance(holder, dict):
                holder[draw.choice(["cls", "config", "layers", "mask", "", "__class__", "folder"])] = holder[
                    spot[-1]
                ]
            else:
                holder.append(copy.deepcopy(holder[spot[-1]]))
        text = json.dumps(data)
        if draw.random() < 0.15:
            at = draw.randrange(len(text))
            text = (
                text[:at]
                + draw.choice(["", "]", '"', "0", "\\u0000", "9" * 5000, "[" * 900])
                + text[at + 1 :]
            )
        try:
            found = from_picture(carrying(path, text))
        except DreamkitError as error:
            one_line(error)
            refused += 1
        else:
            check(found)
            found.to_toml()
            read += 1
    assert read > 200
    assert refused > 600


@pytest.mark.parametrize("depth", [*range(100, 1100, 50), 5000, 100_000])
def test_depth_alone_breaks_nothing(tmp_path, depth):
    good = json.dumps(GOOD)
    for text in (
        good.replace('"high:1=0.5"', "[" * depth + "]" * depth),
        good.replace('"high:1=0.5"', '{"a":' * depth + "1" + "}" * depth),
        '{"dreamkit":' * depth + "1" + "}" * depth,
    ):
        with pytest.raises(RecipeError):
            from_picture(carrying(tmp_path / "deep.png", text))


def test_a_text_that_blows_up_is_refused(tmp_path):
    """A compressed text of 100 MB, as a chunk of a PNG of a few pixels."""
    chunk = PngImagePlugin.PngInfo()
    bomb = zlib.compress(b"[" * 100_000_000, 9)
    chunk.add(b"zTXt", b"dreamkit\0\0" + bomb)
    Image.new("RGB", (4, 3)).save(tmp_path / "bomb.png", pnginfo=chunk)
    with pytest.raises(ImageError, match="cannot be read as a picture") as caught:
        from_picture(tmp_path / "bomb.png")
    one_line(caught.value)


@pytest.mark.parametrize("ending", ["jpg", "webp", "tiff"])
def test_any_bytes_as_exif_are_no_recipe_or_one(tmp_path, ending):
    draw = random.Random(1)
    for text in (
        json.dumps(GOOD),
        '{"dreamkit": 1}',
        "é" * 9,
        json.dumps(GOOD)[:-1],
        "null",
        "[]",
        '{"dreamkit"',
    ):
        exif = Image.Exif()
        exif[0x010E] = text
        Image.new("RGB", (4, 3)).save(tmp_path / f"x.{ending}", exif=exif)
        try:
            check(from_picture(tmp_path / f"x.{ending}"))
            assert text == json.dumps(GOOD)
        except RecipeError as error:
            assert text != json.dumps(GOOD)
            one_line(error)
    whole = (tmp_path / f"x.{ending}").read_bytes()
    for _ in range(100):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        (tmp_path / f"y.{ending}").write_bytes(damaged)
        with pytest.raises(DreamkitError) as caught:
            from_picture(tmp_path / f"y.{ending}")
        one_line(caught.value)


# Masks inside


def with_mask(path, data, **changes):
    recipe = copy.deepcopy(GOOD)
    recipe["masks"] = {"": {"name": "", "sha256": HASH, "data": base64.b64encode(data).decode()}}
    recipe["options"] = {**recipe["options"], "layers": ["low"], **changes}
    del recipe["guide"]
    return from_picture(carrying(path, recipe))


def gathered(recipe, **more):
    return make_request(np.zeros((3, 4, 3), np.uint8), recipe=recipe, **more)


def empty_png(width, height):
    """A PNG that says it is so large, in a few hundred bytes."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(99)))
        + chunk(b"IEND", b"")
    )


def test_a_mask_inside_is_used(tmp_path):
    (mask,) = gathered(with_mask(tmp_path / "d.png", MASK)).masks.values()
    assert (mask.pixels == 200).all()
    assert mask.pixels.shape == (3, 4, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no picture at all", "the mask in d.png is damaged"),
        (MASK[:40], "the mask in d.png is damaged"),
        (MASK[:-20], "the mask in d.png is damaged"),
        (b"GIF89a" + bytes(40), "the mask in d.png is damaged"),
        (empty_png(0, 5), "damaged|holds no pixels"),
        (
            image_writer.to_png(np.zeros((9, 4), np.uint8)),
            "the mask from memory has 4 x 9 pixels and the picture 4 x 3",
        ),
        (
            empty_png(40_000, 30_000),
            "the mask in d.png has 40000 x 30000 pixels, more than the 200000000 allowed",
        ),
    ],
)
def test_a_damaged_mask_inside_is_one_line(tmp_path, data, message):
    with pytest.raises((ImageError, ConfigError), match=message) as caught:
        gathered(with_mask(tmp_path / "d.png", data))
    one_line(caught.value)


@pytest.mark.filterwarnings("error")
def test_a_mask_inside_is_within_the_most_pixels(tmp_path):
    """Also where Pillow itself would say something of a bomb, and whatever the recipe allows itself."""
    for side, allowed, most in ((10, 99, 99), (10_000, 10**7, 10**7), (20_000, 10**12, 200_000_000)):
        recipe = with_mask(tmp_path / "d.png", empty_png(side, side), max_pixels=allowed)
        message = f"has {side} x {side} pixels, more than the {most} allowed; give it with --mask FILE"
        with pytest.raises(ImageError, match=message):
            gathered(recipe)
        given = np.full((3, 4), 7, np.uint8)  # and that helps
        assert (gathered(recipe, mask=given).masks[""].pixels == 7).all()


def test_a_recipe_does_not_raise_the_limit_of_pixels(tmp_path):
    path = tmp_path / "large.toml"
    path.write_text("size = [30_000, 30_000]\nmax_pixels = 1_000_000_000_000\n")
    assert find(path).config().max_pixels == 200_000_000
    assert find(path).config(max_pixels=10**9).max_pixels == 10**9  # the user does
    with pytest.raises(ConfigError, match="size is 30000 x 30000 pixels, more than the 200000000 allowed"):
        make_request(None, recipe=path)
    path.write_text("max_pixels = 99\n")
    assert find(path).config().max_pixels == 99


def test_masks_inside_share_the_most_pixels(tmp_path):
    """Forty of them are a few bytes, and many pixels."""
    side = 60
    data = io.BytesIO()
    Image.new("L", (side, side), 255).save(data, "PNG")
    recipe = with_mask(tmp_path / "d.png", data.getvalue(), max_pixels=2 * side**2 + 1)
    several = replace(
        recipe,
        masks=dict.fromkeys(("", "a", "b"), recipe.masks[""]),
        options={
            **recipe.options,
            "layers": ({"layer": "low", "mask": "a"}, {"layer": "high", "mask": "b"}),
        },
    )
    with pytest.raises(ImageError, match=f"has {side} x {side} pixels, more than the 1 allowed"):
        gathered(several)


def test_a_mask_inside_that_is_no_text_is_unusable(tmp_path):
    for data in ("no base 64!", "é", "QQ", 3):
        recipe = changed(GOOD, ("masks", "", "data"), replaced_by(data))
        with pytest.raises(RecipeError, match="cannot be used") as caught:
            from_picture(carrying(tmp_path / "bad.png", recipe))
        one_line(caught.value)


def test_a_mask_from_memory_is_hashed_as_it_comes_out_again():
    """Found by redoing a dream: a mask that was resized had another hash the second time."""
    for source in (np.arange(48, dtype=np.uint8).reshape(6, 8), Image.new("RGBA", (8, 6), (9, 99, 200, 77))):
        shown = make_request(np.zeros((3, 4, 3), np.uint8), "tiny", mask=source).masks[""]
        kept = session._mask_file(shown)
        assert kept.name == ""
        assert kept.sha256 == images.from_memory(Image.open(io.BytesIO(kept.data))).sha256


# Nothing in a recipe is followed


def test_no_path_in_a_picture_is_followed(tmp_path, monkeypatch):
    secret = tmp_path / "secret.png"
    Image.new("L", (4, 3)).save(secret)
    monkeypatch.chdir(tmp_path)
    opened = []
    monkeypatch.setattr(images, "read", lambda path, most: opened.append(path))
    for name in (str(secret), "secret.png", "../secret.png", "https://example.org/x.png"):
        for what in ("guide", "mask", "left"):
            recipe = copy.deepcopy(GOOD)
            holder = recipe if what == "guide" else recipe["masks"]
            holder["" if what == "mask" else what] = {"name": name, "sha256": HASH}
            found = from_picture(carrying(tmp_path / "d.png", recipe))
            given = {"mask": {"": MASKED, "left": MASKED}, "guide": PICTURE}
            if what == "guide":
                del given["guide"]
            else:
                del given["mask"]["" if what == "mask" else "left"]
            with pytest.raises(
                RecipeError, match=rf"d.png was dreamed with the .*\(SHA-256 {HASH}\); give it"
            ):
                gathered(found, **given)
        recipe = {**GOOD, "photograph": {"name": name, "sha256": HASH}}
        found = from_picture(carrying(tmp_path / "d.png", recipe))
        with pytest.raises(RecipeError, match="give that photograph, or another"):
            make_request(None, recipe=found)
    assert opened == []


MASKED = np.full((3, 4), 9, np.uint8)
PICTURE = np.zeros((3, 4, 3), np.uint8)


def test_what_a_picture_says_cannot_write_to_the_screen(tmp_path):
    """Names, hashes and versions out of a picture are shown without control characters, and cut."""
    evil = "\x1b[2J\nerror: all is well\r" + "x" * 10_000
    recipe = copy.deepcopy(GOOD)
    recipe["photograph"] = recipe["guide"] = {"name": evil, "sha256": evil}
    recipe["masks"] = {"": {"name": evil, "sha256": evil}, "left": {"name": evil, "sha256": evil}}
    recipe["models"][0] |= {"name": evil, "sha256": evil}
    recipe["versions"] = {evil: evil}
    found = from_picture(carrying(tmp_path / "d.png", recipe))

    def said(error, **pictures):
        with pytest.raises(error) as caught:
            make_request(pictures.pop("image", PICTURE), recipe=found, **pictures)
        return one_line(caught.value)

    assert "was dreamed from" in said(RecipeError, image=None)
    assert "with the guide" in said(RecipeError, mask={"": MASKED, "left": MASKED})
    assert "with the mask" in said(RecipeError, guide=PICTURE, mask={"left": MASKED})
    assert "with the mask left" in said(RecipeError, guide=PICTURE, mask=MASKED)
    given = {"guide": PICTURE, "mask": {"": MASKED, "left": MASKED}}
    with pytest.warns(DreamkitWarning) as heard:  # noqa: PT031
        request_again(found, PICTURE, **given)
        Session(make_request(PICTURE, [])).warn_of_differences(found)
        resolve_models(found, [ModelSpec("pocket")], {})
    assert len(heard) == 7
    for warning in heard:
        one_line(warning.message)


def test_a_masks_name_from_a_picture_cannot_write_to_the_screen(tmp_path):
    evil = "\x1b[2J\nx"
    recipe = copy.deepcopy(GOOD)
    recipe["options"]["layers"] = [{"layer": "low", "mask": evil}]
    recipe["masks"] = {evil: {"name": "m.png", "sha256": HASH}}
    found = from_picture(carrying(tmp_path / "d.png", recipe))
    with pytest.raises(RecipeError, match="--mask") as caught:
        gathered(found, guide=PICTURE)
    one_line(caught.value)


# Shares, and who dreams


@pytest.mark.parametrize("weight", ["1", None, float("nan"), float("inf"), True, 10**400, [1]])
def test_a_share_takes_a_number(weight):
    with pytest.raises(ConfigError, match="the weight of tiny is .*; it takes a number"):
        ModelSpec("tiny", weight)


def test_a_share_is_in_plain_types():
    spec = ModelSpec("tiny", np.float32(0.5), "low,high=2")
    assert (type(spec.weight), spec.weight, spec.layers) == (float, 0.5, ("low,high=2",))
    assert type(ModelSpec("tiny", 2).weight) is float
    term = {"layer": "low", "weight": np.float64(2), "channels": [np.int64(1)]}
    spec = ModelSpec("tiny", layers=[term, {"class": np.int64(3)}])
    assert json.loads(json.dumps(spec.layers)) == [
        {"layer": "low", "weight": 2.0, "channels": [1]},
        {"class": 3},
    ]
    with pytest.raises(ConfigError, match="layers is 3"):
        ModelSpec("tiny", layers=3)


def test_a_recipe_of_a_wrong_kind_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="recipe is a int; give a name, a path"):
        dreamkit.dream(None, recipe=3)
    (tmp_path / "bad.toml").write_text("stepps = 1")
    with pytest.raises(ConfigError, match="did you mean steps"):
        dreamkit.dream(None, recipe=Path(tmp_path / "bad.toml"))
    with pytest.raises(ConfigError, match="config and recipe are both given"):
        dreamkit.dream(None, recipe="lucid", config=DreamConfig())


def test_who_dreams_a_built_in_recipe():
    example = find("keras-example")
    with pytest.warns(DreamkitWarning) as heard:
        specs, changes = resolve_models(example, (), {})
    assert str(heard[0].message) == (
        "keras-example was made with inception_v3, which is not at hand (--model inception_v3 asks for it); "
        "pocket dreams it with its own default layers"
    )
    assert specs == (ModelSpec("pocket"),)
    assert changes == {"layers": None, "schedule": ()}
    assert example.config(**changes).layers is None
    assert example.config(**changes).steps == 20
    # layers of one's own are dreamed, and who dreams them is said
    with pytest.warns(DreamkitWarning, match="pocket dreams it$"):
        specs, changes = resolve_models(example, (), {"layers": ("mixed4c",)})
    assert example.config(**changes).layers == ("mixed4c",)
    # the recipe's own network, asked for by name, is a matter of whoever loads it
    assert resolve_models(example, (ModelSpec("inception_v3", 2.0),), {})[0] == (
        ModelSpec("inception_v3", 2.0),
    )


def test_a_network_with_the_layers_of_the_recipes_own_dreams_them():
    lucid = find("lucid")
    with pytest.warns(
        DreamkitWarning, match="made with inception5h, which is not .*; pocket dreams its layers$"
    ):
        specs, changes = resolve_models(lucid, (), {})
    assert (specs, changes) == ((ModelSpec("pocket"),), {})
    assert lucid.config(**changes).layers == ("mixed4a:476",)
    for one in (
        ModelSpec("inception5h", 2.0),
        ModelSpec("pocket", 2.0, ("mixed3a",)),
        ModelSpec(pocket_provider()),
    ):
        assert resolve_models(lucid, (one,), {}) == ((one,), {})
    with pytest.warns(DreamkitWarning, match="pocket and tiny dreams it with its own default layers"):
        assert resolve_models(lucid, (ModelSpec("pocket"), ModelSpec("tiny")), {})[1]["layers"] is None
    with pytest.warns(DreamkitWarning, match="nowhere dreams it with its own default layers"):
        resolve_models(lucid, (ModelSpec("nowhere"),), {})
    with pytest.warns(DreamkitWarning, match="pocket1 dreams it with its own default layers"):
        resolve_models(lucid, (ModelSpec("pocket1"),), {})


def pocket_provider():
    return Registry().provider("pocket")


def test_another_network_dreams_no_layers_of_the_recipes_schedule(toml):
    recipe = toml('model = "tiny"\nschedule = [{layers = "low", steps = 2}, {}]')
    with pytest.warns(DreamkitWarning, match="mine.toml was made with tiny; pocket dreams it with its own"):
        changes = resolve_models(recipe, [ModelSpec("pocket")], {})[1]
    assert changes == {"layers": None, "schedule": ({"steps": 2}, {})}
    own = ({"steps": 7},)
    with pytest.warns(DreamkitWarning):
        assert resolve_models(recipe, [ModelSpec("pocket")], {"schedule": own})[1]["schedule"] == own
    assert resolve_models(recipe, [ModelSpec("pocket")], {"layers": ("mixed4c",)})[1] == {
        "layers": ("mixed4c",),
        "schedule": ({"steps": 2}, {}),
    }


def test_the_same_networks_keep_their_layers(toml):
    recipe = toml('[[models]]\nname = "a"\nlayers = "low"\n[[models]]\nname = "b"\nweight = 0.5')
    specs, changes = resolve_models(recipe, [ModelSpec("a", 3.0), ModelSpec("b", layers="x")], {})
    assert specs == (ModelSpec("a", 3.0, ("low",)), ModelSpec("b", 1.0, ("x",)))
    assert changes == {}


@pytest.mark.parametrize(
    "key", ["a." * 100_000 + "a = 1", '["a"' + " . 'b'" * 100_000 + "]", "x = {" + "a." * 99_999 + "a=1}"]
)
def test_a_key_of_very_many_parts_is_refused_at_once(tmp_path, key):
    """tomllib would need hours, and all the memory there is."""
    (tmp_path / "deep.toml").write_text(key)
    with pytest.raises(RecipeError, match="a key of many parts between dots"):
        find(str(tmp_path / "deep.toml"))


def test_what_is_given_goes_before_the_schedule_too():
    recipe = Recipe("mine", {"steps": 5, "schedule": ({"steps": 9, "jitter": 1}, {"layers": ("a",)})})
    given = recipe.config(steps=2)
    assert [given.at(octave).steps for octave in (0, 1)] == [2, 2]
    assert [given.at(octave).jitter for octave in (0, 1)] == [1, DreamConfig().jitter]
    assert recipe.config().at(0).steps == 9


@pytest.mark.parametrize("mask", [np.eye(4, dtype=bool), np.eye(4), np.eye(4, dtype=np.float32)])
def test_a_mask_may_be_truths_or_shares(mask):
    read = make_request(np.zeros((4, 4, 3), np.uint8), "tiny", mask=mask)
    assert np.array_equal(images.grey_levels(read.masks[""]), np.eye(4, dtype=np.uint8) * 255)


@pytest.mark.parametrize("mask", [np.full((4, 4), 1.5), np.full((4, 4), np.nan), np.full((4, 4), -0.1)])
def test_a_mask_of_other_floats_is_refused(mask):
    with pytest.raises(ConfigError, match="floats that are not all from 0 to 1"):
        make_request(np.zeros((4, 4, 3), np.uint8), "tiny", mask=mask)

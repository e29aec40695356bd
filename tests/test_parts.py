"""Objectives, regularisers, parametrisations, transforms and recipes: dreamkit's own, those of plugins that
are really installed, and Python functions."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tiny
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import dreamkit
from dreamkit import DreamConfig, Objective, Option, Session, make_request
from dreamkit.engine.loop import dream
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.tf import network
from dreamkit.engine.tf.compiled_step import ObjectiveSpec
from dreamkit.errors import ConfigError, DreamkitWarning, Interrupted, LayerError, PluginError, RecipeError
from dreamkit.media.image_metadata import read_recipe
from dreamkit.option_table import describe
from dreamkit.plugins import packages, registry

DATA = ROOT / "tests" / "data"
EXAMPLES = ("standouts", "grey", "momentum", "mirror", "posters")
DREAM = ("--octaves", 2, "--steps", 3, "--tile-size", 64, "-m", "tiny")
OPTIONS = {"octaves": 2, "steps": 3, "tile_size": 64, "jitter": 3}


@pytest.fixture(scope="session")
def examples(install):
    """The packages of docs/parts.md, one for each kind of part."""
    return install(*(DATA / f"dreamkit-{name}" for name in EXAMPLES))


@pytest.fixture
def installed(examples, monkeypatch):
    monkeypatch.syspath_prepend(str(examples))


@pytest.fixture(scope="session")
def faulty(install):
    return install(DATA / "dreamkit-faulty")


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def dreamed(net, photo, **options):
    return dream(photo, [LoadedModel(net)], DreamConfig(**{**OPTIONS, **options})).pixels


# Built-in parts


@pytest.mark.parametrize("kind", registry.PARTS, ids=lambda kind: kind.what)
def test_built_in_parts_are_called_as_their_modules(kind):
    known = registry.installed(kind)
    names = list(kind.built_in())
    assert names
    assert [known.get(name).name for name in names] == names
    assert sorted(part.name for part in known.built_in()) == sorted(names)


def test_a_built_in_part_loads_no_plugin(installed):
    for kind in registry.PARTS:
        for name in kind.built_in():
            registry.installed(kind).get(name)
    assert [plugin.name for plugin in packages.installed().plugins] == ["dreamkit"]


def test_the_help_names_the_built_in_parts():
    assert "(caricature or cosine or direction or distance or mean or mean-square)" in describe("objective")
    assert "(pixels or maco or fourier)" in describe("space")
    assert "(match or texture or channels)" in describe("guide_style")


def test_the_help_imports_no_part():
    code = (
        "import sys, dreamkit.cli; print([n for n in sys.modules if n in ('numpy', 'tensorflow', 'pluggy')])"
    )
    run = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True, cwd=ROOT)
    assert run.stdout == "[]\n"


# A Python function as an objective


def mean(activations):
    return tf.reduce_mean(activations, axis=[1, 2, 3])


def mean_by_feeds(activations, *, channel_weights, places):
    weights = tf.ones(tf.shape(activations)[3]) / tf.cast(tf.shape(activations)[3], tf.float32)
    weights = weights if channel_weights is None else channel_weights
    return tf.linalg.matvec(tf.reduce_sum(activations, [1, 2]), weights) / places


@pytest.mark.parametrize("layers", ["second", "first=2,second", "second:1+3", "second:2@4x5"])
@pytest.mark.parametrize("function", [mean, mean_by_feeds])
def test_a_function_dreams_as_the_built_in_objective_that_it_is(net, photo, layers, function):
    expected = dreamed(net, photo, objective="mean", layers=layers).astype(int)
    found = dreamed(net, photo, objective=function, layers=layers).astype(int)
    assert np.abs(found - photo).max() > 3
    assert np.abs(found - expected).max() <= 1


def test_the_public_function_takes_an_objective(net, photo):
    pixels = dreamkit.dream(photo, net, objective=mean, layers="second", **OPTIONS)
    assert np.abs(pixels.astype(int) - dreamed(net, photo, objective="mean")).max() <= 1


def test_a_function_is_compiled_once_for_all_dreams_of_a_network(photo):
    fresh = network.load(tiny.provider(), None)
    for seed in (0, 1):
        dreamed(fresh, photo, objective=mean, seed=seed)
    assert fresh.traces == 1


def test_a_lambda_is_not_kept_on_disk(photo, monkeypatch, tmp_path):
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path))
    for scale in (1.0, -1.0):
        fresh = network.load(tiny.provider(), None)
        dreamed(fresh, photo, objective=lambda activations, scale=scale: scale * mean(activations))
        assert fresh.traces == 1


def test_functions_of_one_name_are_not_taken_for_each_other(photo, monkeypatch, tmp_path):
    """Their globals and closures are in no key of the cache, so they are not kept on disk."""
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path))
    found = []
    for scale in (1.0, -1.0):
        monkeypatch.setitem(globals(), "SCALE", scale)
        fresh = network.load(tiny.provider(), None)
        found.append(dreamed(fresh, photo, objective=scaled))
    assert np.abs(found[0].astype(int) - found[1]).max() > 3


SCALE = 1.0


def scaled(activations):
    return SCALE * mean(activations)


def test_an_objective_without_weights_cannot_follow_a_guide_by_channels(installed, net, photo):
    request = make_request(photo, net, guide=photo, guide_style="channels", objective="standouts", **OPTIONS)
    with pytest.raises(LayerError, match="nor a guide by channels"):
        Session(request).run()


def test_a_function_cannot_follow_a_direction(installed, net, photo):
    term = {"layer": "second", "direction": [1, 0, 0, 0, -1], "objective": "standouts"}
    with pytest.raises(
        LayerError, match="the objective standouts does not weigh channels, so second can follow neither"
    ):
        dreamed(net, photo, layers=[term])


@pytest.mark.parametrize(
    "returned", [lambda a: tf.reduce_mean(a), lambda a: a, lambda a: 1.0, lambda a: tf.shape(a)[:1]]
)
def test_a_function_that_returns_something_else_is_told_what_to_return(net, photo, returned):
    with pytest.raises(PluginError, match=r"it must return one float32 for each window"):
        dreamed(net, photo, objective=returned)


def test_an_objective_that_needs_a_guide_is_refused():
    def similar(activations, *, guide):
        raise AssertionError

    for objective in (similar, Objective(name="similar", value=similar)):
        with pytest.raises(ConfigError, match="objective is similar, which needs a guide; use guide_style"):
            DreamConfig(objective=objective)


@pytest.mark.parametrize("name", ["_hidden", "größe", "<lambda>", "__"])
def test_a_function_may_have_any_name(name):
    def function(activations):
        raise AssertionError

    function.__name__ = name
    assert DreamConfig(objective=function).objective.value is function


def test_a_bug_in_a_function_keeps_its_traceback(net, photo):
    def broken(activations):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        dreamed(net, photo, objective=broken)


def test_a_recipe_names_the_function_and_is_refused(net, photo, tmp_path):
    result = dreamkit.render(photo, net, objective=mean, **OPTIONS)
    assert result.recipe["options"]["objective"] == "python:test_parts.mean"
    result.save(tmp_path / "dream.png")
    with pytest.raises(
        RecipeError, match=r"dream.png has the Python function test_parts.mean as its objective"
    ):
        dreamkit.redo(tmp_path / "dream.png", photo, net)
    again = dreamkit.dream(photo, net, recipe=tmp_path / "dream.png", objective=mean)
    assert np.array_equal(again, result.pixels)


# Records


@pytest.mark.parametrize(
    ("record", "fields", "named"),
    [
        (Objective, {"name": "a b", "value": mean}, "objective name 'a b'"),
        (Objective, {"name": "a", "value": 3}, "objective a: value is 3"),
        (Objective, {"name": "a", "value": mean, "power": 3}, "power is 3; it is 0, 1 or 2"),
        (Objective, {"name": "a", "value": mean, "options": {"b c": Option(1, "")}}, "options is"),
        (Objective, {"name": "a", "value": mean, "options": {"guide": Option(1, "")}}, "options is"),
        (Objective, {"name": "a", "value": mean, "options": {"b": 1}}, "options is"),
        (dreamkit.Regulariser, {"name": "a", "subtract": None}, "regulariser a: subtract is None"),
        (dreamkit.Regulariser, {"name": "a", "subtract": mean, "copies": -1}, "copies is -1"),
        (dreamkit.Parametrisation, {"name": "a", "make": ""}, "parametrisation a: make is ''"),
        (dreamkit.Transform, {"name": "", "draw": mean}, "transform name ''"),
        (Option, {"default": None, "help": ""}, "the default None is neither"),
        (Option, {"default": 3, "help": "", "most": 2}, "the default is 3"),
        (Option, {"default": "a", "help": "", "choices": ("b",)}, "the default is 'a'; choose b"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(record, fields, named):
    with pytest.raises(ValueError, match=re.escape(named)):
        record(**fields)


@given(
    default=st.integers(0, 10) | st.floats(0, 10),
    value=st.integers() | st.floats() | st.text() | st.booleans() | st.none(),
)
def test_an_option_takes_its_own_type_within_its_range(default, value):
    option = Option(default, "A number.", least=0, most=10)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = isinstance(default, int)
    if is_number and 0 <= value <= 10 and (isinstance(value, int) or not whole):
        found = option.check("n", value)
        assert found == value
        assert type(found) is type(default)
    else:
        with pytest.raises(ConfigError, match=r"^n is "):
            option.check("n", value)


def test_a_text_and_a_truth_are_options_too():
    assert Option("a", "").check("n", "anything") == "anything"
    assert Option(False, "").check("n", True) is True
    for record, value in (
        (Option("a", ""), 1),
        (Option(False, ""), 1),
        (Option("a", "", choices=("a",)), "b"),
    ):
        with pytest.raises(ConfigError, match="^n is"):
            record.check("n", value)


# Parts of plugins: numbers


def test_standouts_is_its_formula(installed, photo):
    """Value and gradient beside NumPy: the gradient by central differences."""
    record = registry.installed(registry.OBJECTIVES).get("standouts")
    fresh = network.load(tiny.provider(), None)
    spec = ObjectiveSpec("second", record, options=(("threshold", 0.5),))
    pixels = photo[:12, :14].astype(np.float32)
    result = fresh.step([spec])(pixels[None], np.ones(1, np.float32))

    means = tiny.activations(pixels.astype(float), tiny.kernels())["second"].mean((0, 1))

    def value(pixels):
        layer = tiny.activations(pixels, tiny.kernels())["second"]
        return float(np.mean(np.maximum(layer - 0.5 * means, 0) ** 2))  # no gradient passes through the mean

    assert result.objectives[0] == pytest.approx(value(pixels.astype(float)), rel=1e-5)
    for place in [(0, 0, 0), (5, 6, 1), (8, 3, 2)]:
        change = np.zeros(pixels.shape)
        change[place] = 1e-3
        slope = (value(pixels + change) - value(pixels - change)) / 2e-3
        assert result.gradient[0][place] == pytest.approx(slope, rel=2e-3, abs=1e-9)


def test_an_objective_without_weights_gets_the_chosen_channels_alone(installed, photo):
    record = registry.installed(registry.OBJECTIVES).get("standouts")
    fresh = network.load(tiny.provider(), None)
    spec = ObjectiveSpec("second", record, channel_weights=True, options=(("threshold", 0.5),))
    weights = np.array([0, 0.5, 0, 0.5, 0], np.float32)
    pixels = photo[None, :20, :20].astype(np.float32)
    result = fresh.step([spec])(pixels, np.ones(1, np.float32), [weights])
    layer = tiny.activations(pixels[0].astype(float), tiny.kernels())["second"][..., [1, 3]]
    expected = np.mean(np.maximum(layer - 0.5 * layer.mean((0, 1)), 0) ** 2)
    assert result.objectives[0] == pytest.approx(expected, rel=1e-5)


def test_grey_takes_colour_out(installed, net, photo):
    def saturation(pixels):
        return np.abs(pixels - pixels.mean(2, keepdims=True)).mean()

    free = dreamed(net, photo, color="free", steps=8)
    held = dreamed(net, photo, color="free", steps=8, regularisers={"grey": 5.0})
    assert saturation(held) < 0.8 * saturation(free)


def test_momentum_of_nothing_is_the_pixels_themselves(installed, net, photo):
    plain = dreamed(net, photo, color="free")
    moved = dreamed(net, photo, color="free", space="momentum", plugin_options={"momentum": {"share": 0.0}})
    assert np.abs(moved.astype(int) - plain).max() <= 1
    assert not np.array_equal(dreamed(net, photo, color="free", space="momentum"), moved)


def test_a_parametrisation_gets_back_what_it_remembered(installed, net, photo):
    config = DreamConfig(**OPTIONS, space="momentum")
    whole = dream(photo, [LoadedModel(net)], config).pixels

    def stop(event):
        if (event.octave, event.step) == (2, 2):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        dream(photo, [LoadedModel(net)], config, stop)
    assert set(stopped.value.state.variables) == {"velocity"}
    resumed = dream(photo, [LoadedModel(net)], config, start=stopped.value.state).pixels
    assert np.array_equal(resumed, whole)


def test_a_mirror_in_every_step_dreams_the_mirrored_picture(installed, net, photo):
    """Without jitter, a dream through a mirror is the mirrored dream of the mirrored picture."""
    still = {"jitter": 0, "octaves": 1, "smooth": "none"}
    mirrored = dreamed(net, photo, **still, transforms={"mirror": 2.0})
    expected = dreamed(net, photo[:, ::-1], **still)[:, ::-1]
    assert np.abs(mirrored.astype(int) - expected).max() <= 1
    assert not np.array_equal(mirrored, dreamed(net, photo, **still))
    assert np.array_equal(dreamed(net, photo, transforms={"mirror": 0.0}), dreamed(net, photo))


def test_a_transform_draws_by_seed_octave_and_step(installed, net, photo):
    options = {"transforms": {"mirror": 1.0}, "steps": 6, "octaves": 1, "jitter": 0}
    first = dreamed(net, photo, **options)
    assert np.array_equal(first, dreamed(net, photo, **options))
    assert not np.array_equal(first, dreamed(net, photo, **{**options, "transforms": None}))
    assert not np.array_equal(first, dreamed(net, photo, **{**options, "transforms": {"mirror": 2.0}}))


def test_the_plan_counts_the_memory_of_parts(installed, net, photo):
    def copies(**options):
        return Session(make_request(photo, net, octave_scale=2.0, **OPTIONS, **options)).plan().memory.copies

    plain = copies()
    assert copies(regularisers={"grey": 1}) == plain + 1
    assert copies(transforms={"mirror": 1}) == plain + 2
    assert copies(space="momentum") == plain + 1


# Parts of plugins: the command line


def test_every_kind_of_part_is_dreamed_and_redone(installed, run, picture):
    chosen = ["--objective", "standouts", "--standouts-threshold", 1.5, "--regularisers", "grey=0.5"]
    chosen += ["--transforms", "mirror", "--space", "momentum", "--momentum-share", 0.5, "--recipe", "poster"]
    code, _, err = run("dream", "photo.jpg", *DREAM, *chosen, "-o", "dream.png")
    assert (code, err.count("warning")) == (0, 0), err
    recipe = read_recipe("dream.png")
    found = recipe["options"]
    assert found["objective"] == "standouts"
    assert found["regularisers"] == {"grey": 0.5}
    assert found["transforms"] == {"mirror": 1.0}
    assert found["space"] == "momentum"
    assert found["plugin_options"] == {"standouts": {"threshold": 1.5}, "momentum": {"share": 0.5}}
    assert found["tv"] == 0.8  # of the plugin's recipe
    used = {name: version for name, version in recipe["versions"].items() if name.startswith("dreamkit-")}
    assert used == {f"dreamkit-{name}": "0.1" for name in EXAMPLES if name != "posters"}

    assert run("redo", "dream.png", "photo.jpg", "-o", "again.png")[0] == 0
    with Image.open("dream.png") as first, Image.open("again.png") as again:
        assert np.array_equal(np.asarray(first), np.asarray(again))

    toml = run("recipes", "dream.png")[1]
    assert "[plugin_options.standouts]\nthreshold = 1.5" in toml
    with open("mine.toml", "w") as file:
        file.write(toml)
    changed = ["--momentum-share", 0.25, "--octaves", 1]
    assert run("dream", "photo.jpg", "--recipe", "mine.toml", *changed, "-o", "third.png")[0] == 0
    assert read_recipe("third.png")["options"]["plugin_options"] == {
        "standouts": {"threshold": 1.5},
        "momentum": {"share": 0.25},
    }


def test_options_of_plugins_have_a_panel_in_help(installed, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for command in ("dream", "film", "zoom", "batch", "sheet", "variants"):
        help_text = run(command, "--help")[1]
        panel = help_text[help_text.index("Plugins") :]
        assert "--standouts-threshold" in panel, command
        assert "(0 to 10) Default: 2.0. Of the objective standouts (dreamkit-standouts)" in " ".join(
            panel.split()
        )


def test_help_without_plugins_has_no_such_panel(run):
    assert "─ Plugins" not in run("dream", "--help")[1]


def test_a_dream_of_built_in_parts_imports_no_plugin(installed, run, picture):
    code, _, err = run("dream", "photo.jpg", "--octaves", 1, "--steps", 1, "--layers", "conv2d0")
    assert code == 0, err
    assert [plugin.name for plugin in packages.installed().plugins] == ["dreamkit"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--standouts-threshold", 3], "there are options for standouts, which this dream does not use"),
        (
            ["--objective", "standouts", "--standouts-threshold", 30],
            "threshold is 30.0; it takes a number, 0 to 10",
        ),
        (["--objective", "standout"], "objective is 'standout'; did you mean standouts?"),
        (["--objective", "match"], "objective is match, which needs a guide; use guide_style"),
        (["--guide-style", "standouts"], "guide_style is 'standouts'; choose match or texture or channels"),
        (["--space", "momentun"], "space is 'momentun'; did you mean momentum?"),
        (["--regularisers", "gray"], "regularisers is 'gray'; did you mean grey?"),
        (["--regularisers", "tv=0.5"], "regularisers has tv, which has an option of its own: --tv"),
        (["--transforms", "warp"], "transforms has warp, which has an option of its own: --rotate or --zoom"),
        (["--regularisers", "grey=much"], "'grey=much' has no number after =; write NAME=0.5"),
        (["--standouts-treshold", 3], "No such option: --standouts-treshold"),
        (["--recipe", "postre"], "postre is neither a recipe nor a file; did you mean poster?"),
    ],
)
def test_what_makes_no_sense_costs_one_line(installed, run, picture, arguments, says):
    code, out, err = run("dream", "photo.jpg", *DREAM, *arguments)
    assert (code, out) in ((1, ""), (2, ""))
    assert err.count("\n") == 1
    assert says in err


def test_without_its_plugin_a_recipe_is_refused_by_name(run, picture):
    with open("mine.toml", "w") as file:
        file.write('objective = "standouts"\n')
    code, _, err = run("dream", "photo.jpg", "--recipe", "mine.toml")
    assert (code, err) == (
        1,
        "error: mine.toml: objective is 'standouts'; choose caricature or cosine or direction or distance or "
        "mean or mean-square (plugins provide more)\n",
    )
    with open("mine.toml", "w") as file:
        file.write("[plugin_options.standouts]\nthreshold = 1.0\n")
    code, _, err = run("dream", "photo.jpg", "--recipe", "mine.toml")
    assert code == 1
    assert "plugin_options has 'standouts', and no installed plugin has a part of this name" in err


def test_recipes_of_plugins_are_listed(installed, run):
    code, out, _ = run("recipes")
    assert code == 0
    assert "Large, flat shapes" in out
    assert "tv = 0.8" in run("recipes", "poster")[1]


def test_plugins_lists_what_each_adds(installed, run):
    code, out, _ = run("plugins")
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines()}
    for name, adds in [
        ("standouts", "objectives standouts"),
        ("grey", "regularisers grey"),
        ("momentum", "parametrisations momentum"),
        ("mirror", "transforms mirror"),
        ("posters", "recipes poster"),
    ]:
        assert adds in rows[name]
        assert rows[name].rstrip().endswith("ok")


@pytest.mark.heavy
def test_films_zooms_batches_and_sheets_take_parts(installed, run, picture):
    chosen = ["--objective", "standouts", "--standouts-threshold", 1, "--regularisers", "grey"]
    small = [*DREAM, *chosen, "-q"]
    code, _, err = run("zoom", "photo.jpg", "-o", "zoom.gif", "--frames", 2, *small)
    assert code == 0, err
    code, _, err = run("batch", "photo.jpg", "-o", "out", *small)
    assert code == 0, err
    found = read_recipe("out/photo.png")
    assert found["options"]["plugin_options"] == {"standouts": {"threshold": 1.0}}
    assert found["versions"]["dreamkit-standouts"] == "0.1"
    code, _, err = run("sheet", "-m", "tiny", "-l", "mid", "-o", "sheet.png", "--steps", 1, *chosen, "-q")
    assert code == 0, err


def test_a_page_refuses_parts_of_plugins(installed, run):
    for arguments, says in (
        ('objective = "standouts"\n', "objective is standouts, which a page cannot do"),
        ("[regularisers]\ngrey = 1.0\n", "regularisers is {'grey': 1.0}, which a page cannot do"),
        ("[transforms]\nmirror = 1.0\n", "transforms is {'mirror': 1.0}, which a page cannot do"),
        ('space = "momentum"\n', "space is momentum, which a page cannot do"),
    ):
        with open("mine.toml", "w") as file:
            file.write(arguments)
        code, _, err = run("export", "web", "-o", "site", "--recipe", "mine.toml")
        assert code == 1
        assert says in err


def test_a_term_has_an_objective_of_a_plugin(installed, run, picture):
    with open("mine.toml", "w") as file:
        file.write(
            'model = "tiny"\noctaves = 1\nsteps = 2\n[[layers]]\nlayer = "mid"\nobjective = "standouts"\n'
            "[plugin_options.standouts]\nthreshold = 1.0\n"
        )
    code, _, err = run("dream", "photo.jpg", "--recipe", "mine.toml", "-o", "dream.png")
    assert code == 0, err
    assert read_recipe("dream.png")["versions"]["dreamkit-standouts"] == "0.1"


def test_options_of_parts_that_a_recipe_no_longer_uses_are_left_out(installed, run, picture):
    with open("mine.toml", "w") as file:
        file.write('objective = "standouts"\n[plugin_options.standouts]\nthreshold = 1.0\n')
    code, _, err = run(
        "dream", "photo.jpg", *DREAM, "--recipe", "mine.toml", "--objective", "mean", "-o", "dream.png"
    )
    assert code == 0, err
    assert "plugin_options" not in read_recipe("dream.png")["options"]


def test_a_part_that_a_key_frame_alone_names_is_used(installed, net, photo, tmp_path):
    (tmp_path / "it.toml").write_text(
        "[plugin_options.standouts]\nthreshold = 1.0\n"
        '[[timeline]]\nat = 0.5\nobjective = "standouts"\ntransforms = {mirror = 2.0}\n'
    )
    request = make_request(photo, net, recipe=tmp_path / "it.toml")
    assert set(request.uses) == {"standouts", "mirror"}
    assert request.config.part_options("standouts") == {"threshold": 1.0}


def test_another_version_of_a_plugin_is_another_dream(installed, net, photo, monkeypatch):
    request = make_request(photo, net, objective="standouts", **OPTIONS)
    session = Session(request)
    before = session.fingerprint()
    assert before["versions"]["dreamkit-standouts"] == "0.1"
    registry.installed(registry.OBJECTIVES).plugin("standouts").version = "0.2"
    assert session.fingerprint() != before


# Plugins with faults


@pytest.mark.parametrize(
    "arguments",
    [
        ["--objective", "raises"],
        ["--objective", "scalar"],
        ["--regularisers", "raises"],
        ["--space", "raises"],
        ["--space", "stuck"],
        ["--transforms", "raises"],
        ["--transforms", "stuck"],
    ],
    ids=" ".join,
)
def test_a_part_with_a_fault_costs_one_line(faulty, run, picture, monkeypatch, arguments):
    monkeypatch.syspath_prepend(str(faulty))
    code, out, err = run("dream", "photo.jpg", *DREAM, "-q", *arguments)
    lines = [
        line for line in err.splitlines() if not line.startswith("warning: plugin dreamkit-faulty objective")
    ]
    assert (code, out) == (1, "")
    (line,) = lines
    kind = {"--objective": "objective", "--regularisers": "regulariser", "--space": "parametrisation"}
    what = f"the {kind.get(arguments[0], 'transform')} {arguments[1]}"
    if arguments[1] == "scalar":
        assert line == (
            f"error: {what} returned float32 of shape (); it must return one float32 for each window, "
            "such as tf.reduce_mean(activations, axis=[1, 2, 3])"
        )
    else:
        assert re.fullmatch(
            rf"error: {what} of dreamkit-faulty failed: KeyError: 'a bug of this plugin' "
            r"\(dreamkit_faulty.py, line \d+\)",
            line,
        )


def test_a_built_in_part_cannot_be_replaced(faulty, monkeypatch):
    monkeypatch.syspath_prepend(str(faulty))
    objectives = registry.installed(registry.OBJECTIVES)
    with pytest.warns(DreamkitWarning, match="objective 'mean' is already provided by deepdreamkit"):
        assert objectives.has("raises")
    assert objectives.get("mean").value.__module__ == "dreamkit.engine.tf.objectives.mean"


def test_an_option_that_is_called_as_dreamkits_own_is_for_recipes(faulty, run, monkeypatch):
    monkeypatch.syspath_prepend(str(faulty))
    code, out, err = run("dream", "--help")
    assert code == 0
    assert "--step-size of plugin dreamkit-faulty is an option of dreamkit itself; give it in a recipe" in err
    assert out.count("--step-size") == 1
    assert "--raises-much" in out


# As users have them


def test_the_page_of_parts_shows_these_packages():
    page = (ROOT / "docs" / "parts.md").read_text()
    files = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", page, re.S))
    assert {name.split("/")[0].removeprefix("dreamkit-") for name in files} == set(EXAMPLES)
    for name, text in files.items():
        assert (DATA / name).read_text() == text


@pytest.mark.heavy
def test_the_page_of_parts_works_as_written(examples, tmp_path, photo):
    """Its Python and its commands, in processes of their own, with the network that dreamkit carries."""
    page = (ROOT / "docs" / "parts.md").read_text()
    (code,) = re.findall(r"<!-- run -->\n```python\n(.*?)```", page, re.S)
    commands = re.findall(r"^dreamkit (dream .*)$", page, re.M)
    assert len(commands) == 5
    Image.fromarray(photo).save(tmp_path / "photo.jpg")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(examples), str(ROOT)])}

    def process(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    process("-c", code + "\nassert pixels.shape == (40, 56, 3)")
    for number, command in enumerate(commands):
        process("-m", "dreamkit", *command.split(), "--steps", "2", "-o", f"{number}.png")
        assert "warning" not in process("-m", "dreamkit", "plugins").stderr

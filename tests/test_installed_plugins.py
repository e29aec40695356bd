"""Plugins as packages that are really installed, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT
from PIL import Image

from dreamkit.media.image_metadata import read_recipe

TINY_DREAM = ["--octaves", "2", "--steps", "2", "--tile-size", "64"]


def dreamkit(site, cwd, *arguments):
    """Runs the real program of this repository with the packages in `site` installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    command = [sys.executable, "-m", "dreamkit", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, text=True, capture_output=True, check=False)


@pytest.fixture(scope="module")
def good_and_broken(install):
    """Keras Applications' networks, and a plugin that cannot be imported beside them."""
    return install(
        ROOT / "plugins" / "dreamkit-keras-applications", ROOT / "tests" / "data" / "dreamkit-broken"
    )


def test_installing_a_plugin_makes_its_models_known(good_and_broken, tmp_path):
    run = dreamkit(good_and_broken, tmp_path, "models", "--json")
    models = {model["name"]: model for model in json.loads(run.stdout)}
    assert models["vgg16"]["package"] == "deepdreamkit-keras-applications"
    assert models["vgg16"]["weights"] == "to download"
    assert models["inception_v3"]["package"] == "deepdreamkit"


def test_a_broken_plugin_beside_it_costs_one_line(good_and_broken, tmp_path):
    run = dreamkit(good_and_broken, tmp_path, "models")
    assert run.returncode == 0
    assert re.fullmatch(
        r"warning: plugin dreamkit-broken failed: ModuleNotFoundError: .*a_package_that_nobody_has.*"
        r"pip uninstall dreamkit-broken\)\n",
        run.stderr,
    )


def test_the_failure_is_shown_by_plugins(good_and_broken, tmp_path):
    run = dreamkit(good_and_broken, tmp_path, "plugins", "--json")
    plugins = {plugin["distribution"]: plugin for plugin in json.loads(run.stdout)}
    assert "a_package_that_nobody_has" in plugins["dreamkit-broken"]["failure"]
    assert plugins["deepdreamkit-keras-applications"]["failure"] == ""
    assert "vgg16" in plugins["deepdreamkit-keras-applications"]["models"]


def test_a_built_in_model_does_not_even_import_plugins(good_and_broken, tmp_path):
    run = dreamkit(good_and_broken, tmp_path, "dream", "-m", "inception_v3", "-w", "none.h5")
    assert run.returncode == 1
    assert run.stderr == (
        "error: weights file none.h5 does not exist; give the path of a weights file of inception_v3\n"
    )


@pytest.mark.heavy
def test_a_model_of_the_plugin_dreams_beside_the_broken_one(good_and_broken, tmp_path):
    """With the plan's own random weights: it shows that the network runs, not that it is beautiful."""
    import keras

    keras.utils.set_random_seed(0)
    keras.applications.VGG16(include_top=False, weights=None).save_weights(tmp_path / "vgg16.weights.h5")
    run = dreamkit(
        good_and_broken,
        tmp_path,
        "dream",
        "-m",
        "vgg16",
        "-w",
        "vgg16.weights.h5",
        "--size",
        "64",
        *TINY_DREAM,
    )
    assert run.returncode == 0, run.stderr
    with Image.open(tmp_path / "dream.png") as image:
        assert image.size == (64, 64)
    assert read_recipe(tmp_path / "dream.png")["models"][0]["name"] == "vgg16"


@pytest.mark.heavy
def test_the_plugin_of_the_authors_page_works_as_written(install, tmp_path):
    page = (ROOT / "docs" / "plugins.md").read_text()
    files = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", page, re.S))
    assert set(files) == {"pyproject.toml", "dreamkit_stripes.py"}
    assert len([line for line in files["dreamkit_stripes.py"].splitlines() if line.strip()]) <= 20
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    site = install(tmp_path)
    run = dreamkit(site, tmp_path, "dream", "-m", "stripes", "--size", "64", *TINY_DREAM)
    assert run.returncode == 0, run.stderr
    assert read_recipe(tmp_path / "dream.png")["models"][0]["name"] == "stripes"
    assert "dreamkit-stripes" in dreamkit(site, tmp_path, "plugins").stdout

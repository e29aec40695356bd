"""Errors of a provider's `load`: those about its weights file are one line, bugs keep their traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile

import keras
import pytest
import tiny
from conftest import ROOT

from dreamkit.engine.tf import network
from dreamkit.errors import WeightsError


class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def model(channels=4, name="first", more=()):
    pixels = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(channels, 3, name=name)(pixels)
    for layer in more:
        x = layer(x)
    return keras.Model(pixels, x)


def load_weights(path):
    loaded = model()
    if path is not None:
        loaded.load_weights(path)
    return loaded


def load_whole(path):
    return keras.saving.load_model(path)


def text(path):
    path.write_text("no weights\n" * 20)


def empty(path):
    path.touch()


def truncated(path):
    model().save(path) if path.suffix == ".keras" else model().save_weights(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damaged(path):
    """With a heap of names overwritten, for which h5py raises a RuntimeError."""
    model().save_weights(path)
    data = path.read_bytes()
    path.write_bytes(data[:600] + bytes(200) + data[800:])


def another(path):
    other = model(7, "other")
    other.save_weights(path) if path.name.endswith(".weights.h5") else other.save(path)


def unknown_layer(path):
    """With a layer of a class that Keras cannot find, for which it raises a TypeError."""
    model(more=[Doubled()]).save(path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data.replace(b"Doubled", b"Trebled"))


def another_archive(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "no model")


FILES = [
    *((write, "w.weights.h5") for write in (text, empty, truncated, damaged, another)),
    *((write, "w.h5") for write in (text, empty, another)),
    *((write, "w.keras") for write in (text, empty, truncated, another, another_archive)),
    (text, "w.unknown"),
]


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize(("write", "name"), FILES, ids=lambda value: getattr(value, "__name__", value))
def test_a_file_without_the_networks_weights_is_one_line(tmp_path, write, name):
    path = tmp_path / name
    write(path)
    with pytest.raises(WeightsError, match=f"{name} does not hold weights of tiny") as caught:
        network.load(tiny.provider(load=load_weights), path)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("write", [text, empty, truncated, another_archive, unknown_layer])
def test_a_file_without_a_whole_model_is_one_line(tmp_path, write):
    path = tmp_path / "w.keras"
    write(path)
    with pytest.raises(WeightsError, match=r"w.keras does not hold weights of tiny"):
        network.load(tiny.provider(load=load_whole), path)


def name_error(_):
    return no_such_name  # noqa: F821


def attribute_error(path):
    return path.no_such_attribute


def type_error(path):
    return path + 1


def import_error(_):
    import a_package_that_nobody_has  # noqa: F401


def assertion(_):
    raise AssertionError("a bug")


def runtime_error(_):
    raise RuntimeError("a bug")


def zero_division(_):
    raise ZeroDivisionError("a bug")


BUGS = [name_error, attribute_error, type_error, import_error, assertion, runtime_error, zero_division]


@pytest.mark.parametrize("load", BUGS)
@pytest.mark.parametrize("has_file", [True, False])
def test_a_bug_in_load_keeps_its_error_and_names_the_provider(tmp_path, load, has_file):
    path = tmp_path / "w.h5"
    path.touch()
    with pytest.raises(Exception) as caught:  # noqa: PT011
        network.load(tiny.provider(load=load), path if has_file else None)
    assert not isinstance(caught.value, WeightsError)
    assert caught.traceback[-1].name == load.__name__
    assert caught.value.__notes__ == ["the provider failed to load tiny; this is a bug in its load function"]


@pytest.mark.heavy
def test_a_bug_in_a_plugin_keeps_its_traceback_and_names_the_plugin(install, tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "dreamkit-buggy"\nversion = "1.0"\n'
        '[project.entry-points.dreamkit]\nbuggy = "dreamkit_buggy"\n'
        '[tool.hatch.build.targets.wheel]\nonly-include = ["dreamkit_buggy.py"]\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    )
    (tmp_path / "dreamkit_buggy.py").write_text(
        "from dreamkit import ModelProvider, Preprocess, hookimpl\n"
        "def load(weights):\n"
        "    return no_such_name\n"
        "@hookimpl\n"
        "def dreamkit_model_providers():\n"
        "    yield ModelProvider(name='buggy', load=load, preprocess=Preprocess(), layers={})\n"
    )
    (tmp_path / "w.h5").write_text("weights")
    run = subprocess.run(
        [sys.executable, "-m", "dreamkit", "dream", "-m", "buggy", "-w", "w.h5"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(install(tmp_path)), str(ROOT)])},
        text=True,
        capture_output=True,
        check=False,
    )
    assert run.returncode == 1
    assert "Traceback" in run.stderr
    assert run.stderr.splitlines()[-2:] == [
        "NameError: name 'no_such_name' is not defined",
        "plugin dreamkit-buggy failed to load buggy; this is a bug in its load function",
    ]

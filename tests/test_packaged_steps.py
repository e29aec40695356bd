"""The steps that come with dreamkit: equal to what is traced, and not used where anything differs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tiny
from conftest import ROOT

import dreamkit
from dreamkit import ModelSpec, Session, make_request
from dreamkit.engine.loading import load_network
from dreamkit.engine.objective_set import ObjectiveSet
from dreamkit.engine.tf import model_source, packaged_steps, private
from dreamkit.engine.tf.compiled_step import ObjectiveSpec
from dreamkit.errors import WeightsError
from dreamkit.models import architecture, inception_v3, pocket, registry

SPECS = [ObjectiveSpec("mixed4c", tiny.objective("mean-square"))]
WEIGHTS = np.ones(1, np.float32)


@pytest.fixture(autouse=True)
def cold(monkeypatch, tmp_path):
    """A cache in which no network is kept yet."""
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path / "cold"))


@pytest.fixture
def loads(monkeypatch):
    """How often a network was really loaded."""
    seen = []
    load = model_source.load
    monkeypatch.setattr(model_source, "load", lambda *given: seen.append(given) or load(*given))
    return seen


@pytest.fixture
def windows():
    return np.random.default_rng(0).uniform(0, 255, (2, 96, 80, 3)).astype(np.float32)


def step_of(network):
    """The FunctionDef of its only step, but for its name."""
    (step,) = network._steps.values()
    found = private.FunctionDef()
    found.CopyFrom(private.get_function(step._name))
    found.signature.name = "step"
    return found


def test_what_is_packaged_was_traced_by_this_dreamkit():
    index = json.loads(packaged_steps.INDEX.read_text())
    assert index["sources"] == packaged_steps.sources(), "run python scripts/package_steps.py"


@pytest.mark.heavy
def test_what_is_packaged_is_what_is_traced_with_other_weights():
    script = [sys.executable, str(ROOT / "scripts" / "package_steps.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]


def test_the_first_dream_of_all_traces_nothing_and_has_the_same_bytes(loads, windows, monkeypatch, tmp_path):
    first = dreamkit.load("pocket")
    gradient = first.step(SPECS)(windows, WEIGHTS).gradient
    assert (first.probe.stride("mixed4c"), loads, first.traces) == (16, [], 0)
    again = dreamkit.load("pocket")
    monkeypatch.setattr(packaged_steps, "of", lambda *_: None)
    kept = dreamkit.load("pocket")
    for each in (again, kept):
        np.testing.assert_array_equal(each.step(SPECS)(windows, WEIGHTS).gradient, gradient)
        assert (loads, each.traces, each.layers) == ([], 0, first.layers)
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path / "another"))
    traced = dreamkit.load("pocket")
    np.testing.assert_array_equal(traced.step(SPECS)(windows, WEIGHTS).gradient, gradient)
    assert (len(loads), traced.traces) == (1, 1)
    assert (traced._info, traced.probe.stride("mixed4c")) == (first._info, 16)
    assert step_of(traced).node_def[:40] == step_of(first).node_def[:40]


def test_without_a_cache_the_package_is_enough(loads, windows, monkeypatch, tmp_path):
    (tmp_path / "cold").write_bytes(b"a file where the folder would be")
    network = dreamkit.load("pocket")
    assert network.step(SPECS)(windows, WEIGHTS).gradient.any()
    assert (network.probe.stride("mixed4c"), loads, network.traces) == (16, [], 0)


def test_a_step_that_cannot_be_read_is_none(monkeypatch, tmp_path):
    assert packaged_steps.unpacked("pocket-9").node_def
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "lzma", None)  # a Python that was built without it
        assert packaged_steps.unpacked("pocket-9") is None
    packaged = packaged_steps.FOLDER / "pocket-9.step"
    monkeypatch.setattr(packaged_steps, "FOLDER", tmp_path)
    assert packaged_steps.unpacked("pocket-9") is None
    (tmp_path / packaged.name).write_bytes(packaged.read_bytes()[:-100])
    assert packaged_steps.unpacked("pocket-9") is None


@pytest.mark.parametrize(
    "given",
    [
        {"specs": [ObjectiveSpec("conv2d1", tiny.objective("mean-square"))]},
        {"specs": [ObjectiveSpec("mixed4c", tiny.objective("mean"))]},
        {"specs": [ObjectiveSpec("mixed4c", tiny.objective("mean-square"), place=True)]},
        {"specs": SPECS, "border": 1},
        {"specs": SPECS, "precision": "mixed"},
    ],
    ids=["layer", "objective", "place", "border", "precision"],
)
def test_another_step_is_traced(loads, given):
    network = dreamkit.load("pocket")
    network.step(**given)
    assert (len(loads), network.traces) == (1, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"layers": "mixed5b"},
        {"layers": "mixed4c:12"},
        {"layers": [{"class": "castle"}]},
        *({"recipe": path.stem} for path in sorted((ROOT / "dreamkit/recipes/moods").glob("*.toml"))),
    ],
    ids=str,
)
def test_no_mood_class_or_main_layer_of_pocket_loads_the_network(options, loads):
    session = Session(make_request(None, **options))
    ObjectiveSet(session.models, session.request.config, None, {}, (256, 256))
    assert [model.network.provider.name for model in session.models] == ["pocket"]
    assert (loads, session.models[0].network.traces) == ([], 0)


@pytest.mark.parametrize("what", ["sources", "version", "index", "step", "preprocess", "load"])
def test_another_dreamkit_tensorflow_or_provider_traces(what, loads, windows, monkeypatch, tmp_path):
    provider = registry.installed().provider("pocket")
    if what == "sources":
        monkeypatch.setattr(packaged_steps, "_SOURCES", packaged_steps._SOURCES[1:])
    elif what == "version":
        monkeypatch.setattr(packaged_steps, "version", lambda package: "2.20.0")
    elif what == "index":
        monkeypatch.setattr(packaged_steps, "INDEX", tmp_path / "gone.json")
    elif what == "step":
        monkeypatch.setattr(packaged_steps, "FOLDER", tmp_path)
    elif what == "preprocess":
        provider = replace(provider, preprocess=dreamkit.Preprocess())
    else:
        provider = replace(provider, load=lambda weights: pocket.load(weights))
    network = load_network(ModelSpec(provider))
    network.step(SPECS)
    assert (len(loads), network.traces) == (1, 1)


@pytest.mark.parametrize("change", ["operation", "shape"])
def test_weights_of_another_structure_are_traced(change, loads, windows, tmp_path):
    operations, arrays = pocket.read(None)
    if change == "operation":
        operations = [
            replace(each, options={**each.options, "radius": 4})
            if each.name == "localresponsenorm0"
            else each
            for each in operations
        ]
    else:  # behind the layer that is dreamed
        name = operations[-1].name
        arrays = {
            key: array[..., :-1] if key.startswith(f"{name}/") else array for key, array in arrays.items()
        }
    path = tmp_path / "another.npz"
    architecture.write(path, operations, arrays)
    network = load_network(ModelSpec("pocket", weights=path))
    assert network.step(SPECS)(windows, WEIGHTS).gradient.any()
    assert (len(loads), network.traces) == (1, 1)
    assert network.channels(operations[-1].name) == arrays[f"{operations[-1].name}/bias"].size


def test_other_numbers_in_the_same_structure_are_dreamed(loads, windows, tmp_path):
    operations, arrays = pocket.read(None)
    path = tmp_path / "another.npz"
    architecture.write(path, operations, {key: array[::-1] for key, array in arrays.items()})
    network = load_network(ModelSpec("pocket", weights=path))
    own = dreamkit.load("pocket").step(SPECS)(windows, WEIGHTS).gradient
    assert (network.step(SPECS)(windows, WEIGHTS).gradient != own).any()
    assert loads == []


def test_a_damaged_file_is_reported_as_ever(tmp_path):
    path = tmp_path / "damaged.npz"
    path.write_bytes(pocket.WEIGHTS.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="does not hold weights of pocket"):
        load_network(ModelSpec("pocket", weights=path))


# Inception v3


def legacy(path, weights):
    """The file in the format of Keras 2, in which Keras publishes these weights."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    model = inception_v3.load(weights)
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path


@pytest.mark.heavy
@pytest.mark.parametrize("keras_2", [False, True], ids=["keras-3", "keras-2"])
def test_inception_v3_is_read_without_keras_to_the_same_step(
    keras_2, inception_weights, loads, windows, monkeypatch, tmp_path
):
    weights = legacy(tmp_path / "legacy.h5", inception_weights) if keras_2 else inception_weights
    specs = [ObjectiveSpec("mixed4", tiny.objective("mean-square"))]
    first = load_network(ModelSpec("inception_v3", weights=weights))
    gradient = first.step(specs)(windows, WEIGHTS).gradient
    assert (first.probe.stride("mixed4"), loads, first.traces) == (16, [], 0)
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path / "another"))
    monkeypatch.setattr(packaged_steps, "of", lambda *_: None)
    traced = load_network(ModelSpec("inception_v3", weights=weights))
    np.testing.assert_array_equal(traced.step(specs)(windows, WEIGHTS).gradient, gradient)
    assert (len(loads), traced.traces, traced.layers) == (1, 1, first.layers)
    assert constants_of(step_of(traced)) == constants_of(step_of(first))


def constants_of(step):
    """The bytes of all constants, in order."""
    return [node.attr["value"].tensor.tensor_content for node in step.node_def if node.op == "Const"]


def test_files_of_other_networks_and_damaged_ones_hold_no_weights_of_inception_v3(
    tmp_path, inception_weights
):
    import h5py

    (provider,) = inception_v3.dreamkit_model_providers()

    def info_of(path):
        return packaged_steps.of(provider, path).info("")

    path = tmp_path / "other.weights.h5"
    for write in (
        lambda file: file.create_group("layers/conv2d/vars"),
        lambda file: file.create_dataset("layers/conv2d/vars/0", data=np.zeros((3, 3, 3, 32), np.float32)),
        lambda file: file.create_dataset("layers/conv2d", data=[1.0]),
        lambda file: file.create_dataset(
            "layers/conv2d/vars/0", (9,), external=[(str(inception_weights), 0, 36)], dtype="f4"
        ),
        lambda file: file.attrs.create("layer_names", ["conv2d"]),
        lambda file: None,
    ):
        with h5py.File(path, "w") as file:
            write(file)
        assert info_of(path) is None
    path.write_bytes(inception_weights.read_bytes()[:-100_000])
    assert info_of(path) is None
    assert info_of(inception_weights).channels["mixed4"] == 768

"""Conversions of small networks from end to end, mostly by the command line in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
import random_caffemodels
from conftest import ROOT, files_no_larger_than, skip_without_converter
from PIL import Image

import dreamkit
from dreamkit import Preprocess
from dreamkit.convert import conversion, saved_model, verify
from dreamkit.convert.model_folder import new_folder
from dreamkit.convert.options import CAFFE, ConversionOptions
from dreamkit.convert.parity import relative_error
from dreamkit.errors import ConvertError, DreamkitWarning
from dreamkit.media.image_metadata import read_recipe
from dreamkit.models import converted
from dreamkit.models.registry import Registry

skip_without_converter()

# A small GoogLeNet with the special features of Caffe: in-place layers, an LRN with k, groups, rounding up,
# statistics followed by a scale, branches, an inner product.
NET = """name: "small"
input: "data" input_shape { dim: 1 dim: 3 dim: 41 dim: 41 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 5 stride: 2 pad: 2 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "norm1" type: "LRN" bottom: "conv1" top: "norm1"
  lrn_param { local_size: 5 alpha: 0.5 beta: 0.75 k: 2 } }
layer { name: "pool1" type: "Pooling" bottom: "norm1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "a/conv" type: "Convolution" bottom: "pool1" top: "a/conv"
  convolution_param { num_output: 6 kernel_size: 3 pad: 1 group: 2 bias_term: false } }
layer { name: "a/bn" type: "BatchNorm" bottom: "a/conv" top: "a/conv" }
layer { name: "a/scale" type: "Scale" bottom: "a/conv" top: "a/conv" scale_param { bias_term: true } }
layer { name: "a/relu" type: "ReLU" bottom: "a/conv" top: "a/conv" relu_param { negative_slope: 0.3 } }
layer { name: "b/pool" type: "Pooling" bottom: "pool1" top: "b/pool"
  pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "both/output" type: "Concat" bottom: "a/conv" bottom: "b/pool" top: "both/output" }
layer { name: "fc" type: "InnerProduct" bottom: "both/output" top: "fc"
  inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
BLOBS = [
    "conv1@conv1", "conv1", "norm1", "pool1",
    "a/conv@a/conv", "a/conv@a/bn", "a/conv@a/scale", "a/conv", "b/pool", "both/output", "fc", "prob",
]  # fmt: skip
TORCH = ROOT / "tests" / "data" / "torch" / "convnet.onnx"


def dreamkit_command(folder, *arguments):
    """Runs the real program."""
    command = [sys.executable, "-m", "dreamkit", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)


def options(**changes):
    return ConversionOptions(**{"preprocess": CAFFE, **changes})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The small network as prototxt and caffemodel."""
    folder = tmp_path_factory.mktemp("caffe")
    (folder / "small.prototxt").write_text(NET)
    random_caffemodels.write(folder / "small.prototxt", folder / "small.caffemodel")
    return folder / "small.prototxt", folder / "small.caffemodel"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def small(files, home):
    """The finished command that converts it."""
    (home / "labels.txt").write_text("n00000001 a cat 0\nn00000002 dog 1\n/a/hen house 2\nfour\nfive\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DREAMKIT_HOME", str(home))
        return dreamkit_command(
            home, "convert", "caffe", *files, "--name", "small", "--mean", "100,110,120", "--scale", "0.5",
            "--labels", "labels.txt", "--licence", "CC0", "--layers", "both/output",
        )  # fmt: skip


@pytest.fixture
def at_home(small, home, monkeypatch):
    assert small.returncode == 0, small.stderr
    monkeypatch.setenv("DREAMKIT_HOME", str(home))
    return home


def test_the_table_is_printed(small, at_home):
    header, *rows = small.stdout.splitlines()
    assert header.split("  ")[0] == "BLOB"
    assert "OpenCV" in header
    assert header.count("ONNX Runtime") == 3
    assert [row.split()[0] for row in rows[:-2]] == BLOBS
    assert rows[-2].startswith("largest error of 12 blobs: ")
    assert "MB of memory" in rows[-1]
    assert "dreams both/output by default" in rows[-1]


def test_stages_are_printed_and_no_output_of_libraries(small, at_home):
    lines = small.stderr.splitlines()
    assert lines[0] == "reading small.caffemodel"
    assert all(line.startswith(("reading", "building", "writing", "comparing with")) for line in lines), lines


def test_the_record_is_complete_and_has_no_paths(at_home, files):
    record = converted.record(at_home / "models" / "small")
    assert record["preprocess"] == {"order": "BGR", "mean": [100.0, 110.0, 120.0], "scale": [0.5, 0.5, 0.5]}
    assert record["layers"] == {"both/output": 1.0}
    assert record["labels"] == ["a cat", "dog", "/a/hen house", "four", "five"]
    assert record["licence"] == "CC0"
    assert list(record["blobs"]) == BLOBS
    assert record["blobs"]["both/output"] == {"channels": 14, "stride": 4, "min_size": 3, "kind": "join"}
    assert record["blobs"]["fc"]["min_size"] == 39
    assert set(record["sources"]) == {"small.prototxt", "small.caffemodel"}
    assert record["versions"]["dreamkit"] == dreamkit.__version__
    assert {"onnx", "onnxruntime", "tensorflow", "onnx2tf"} <= record["versions"].keys()
    runs = record["parity"]["runs"]
    assert [run["size"] for run in runs] == [[41, 41], [25, 22], [42, 58], [53, 48]]
    assert list(runs[0]["errors"]) == list(runs[2]["errors"]) == BLOBS
    assert list(runs[1]["errors"]) == BLOBS[:-2]  # too small for the inner product
    assert all(error <= 1e-4 for run in runs for error in run["errors"].values())
    assert not any(str(part) in json.dumps(record) for part in (at_home, files[0].parent))


def test_only_the_network_is_left(at_home):
    assert sorted(path.name for path in (at_home / "models").iterdir()) == ["small"]
    assert sorted(path.name for path in (at_home / "models" / "small").iterdir()) == [
        "model.json",
        "saved_model",
    ]


def test_the_saved_models_outputs_have_the_names_of_the_blobs(at_home):
    import tensorflow as tf

    model = tf.saved_model.load(str(at_home / "models" / "small" / "saved_model"))
    assert set(model.signatures["serving_default"].structured_outputs) == set(BLOBS)


@pytest.mark.heavy
def test_it_is_a_model_like_any_other(at_home, tmp_path):
    models = json.loads(dreamkit_command(tmp_path, "models", "--json").stdout)
    (model,) = (each for each in models if each["name"] == "small")
    assert model["layers"] == {"both/output": 1.0}
    assert model["weights"] == "ready"
    layers = json.loads(dreamkit_command(tmp_path, "layers", "small", "--json").stdout)
    assert [layer["name"] for layer in layers] == BLOBS
    assert {layer["name"]: layer["stride"] for layer in layers}["pool1"] == 4


@pytest.mark.heavy
def test_it_dreams(at_home, tmp_path):
    run = dreamkit_command(
        tmp_path, "dream", "-m", "small", "--size", "90x70", "--steps", "3", "--octaves", "2"
    )
    assert run.returncode == 0, run.stderr
    with Image.open(tmp_path / "dream.png") as image:
        assert image.size == (90, 70)
    recipe = read_recipe(tmp_path / "dream.png")
    assert recipe["models"][0]["name"] == "small"
    assert recipe["models"][0]["dreamed"] == {"both/output": 1.0}


@pytest.mark.heavy
def test_a_class_can_be_dreamed_and_small_octaves_are_left_out(at_home):
    network = dreamkit.load("small")
    events = []
    with pytest.warns(DreamkitWarning, match="smaller than the 39 pixels"):
        pixels = dreamkit.dream(
            None, network, size=60, layers="fc", octaves=3, steps=3, on_step=events.append, tile_size=64
        )
    assert pixels.shape == (60, 60, 3)
    assert {step.size for step in events} == {(43, 43), (60, 60)}
    with pytest.raises(dreamkit.DreamkitError, match="needs windows of at least 39"):
        dreamkit.dream(None, network, size=60, layers="fc", tile_size=32)


def test_other_weights_are_an_error(at_home, files):
    with pytest.raises(dreamkit.DreamkitError, match="weights of small .a converted model contains its"):
        dreamkit.load("small", files[1])


def test_the_objective_rises(at_home):
    events = []
    dreamkit.dream(None, dreamkit.load("small"), size=64, octaves=1, steps=8, on_step=events.append)
    assert events[-1].objective > 1.2 * events[0].objective


# ---------------------------------------------------------------------------------- the other commands


@pytest.mark.heavy
def test_a_model_exported_by_pytorch(at_home, tmp_path):
    run = dreamkit_command(tmp_path, "convert", "onnx", TORCH, "--name", "convnet", "--overwrite")
    assert run.returncode == 0, run.stderr
    assert "warning: no --mean and --scale given, so the default for PyTorch is used" in run.stderr
    record = converted.record(at_home / "models" / "convnet")
    assert record["parity"]["runs"][0]["size"] == [96, 96]
    assert {"relu_4", "silu", "mean"} <= record["blobs"].keys()
    assert record["head"] == "linear"  # a classifier behind a global pool
    assert f"the head is linear, {record['blobs']['linear']['channels']} classes" in run.stdout
    run = dreamkit_command(
        tmp_path, "dream", "-m", "convnet", "--size", "64", "--steps", "2", "--octaves", "1"
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.heavy
def test_a_keras_model(at_home, tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    picture = keras.Input((48, 48, 3))
    first = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="first")(picture)
    other = keras.layers.SeparableConv2D(4, 3, padding="same", name="other")(first)
    both = keras.layers.Concatenate(name="both")([first, other])
    second = keras.layers.Conv2D(5, 5, strides=2, activation="tanh", name="second")(both)
    classes = keras.layers.Dense(3, name="classes")(keras.layers.GlobalAveragePooling2D()(second))
    keras.Model(picture, classes).save(tmp_path / "mine.keras")
    run = dreamkit_command(
        tmp_path, "convert", "keras", "mine.keras", "--name", "mine", "--layers", "both", "--overwrite",
        "--mean", "127.5,127.5,127.5", "--scale", "0.00784",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    record = converted.record(at_home / "models" / "mine")
    assert list(record["blobs"]) == ["first", "other", "both", "second", "classes"]
    assert record["head"] == "classes"
    assert record["blobs"]["both"] == {"channels": 8, "stride": 2, "min_size": 3, "kind": "join"}
    assert record["blobs"]["second"]["min_size"] == 11
    assert len(record["parity"]["runs"]) == 4
    run = dreamkit_command(tmp_path, "dream", "-m", "mine", "--size", "64", "--steps", "2", "--octaves", "1")
    assert run.returncode == 0, run.stderr


# -------------------------------------------------------------------------------------------- errors


@pytest.mark.heavy
def test_a_network_that_differs_from_its_original_is_not_kept(files, tmp_path, monkeypatch):
    """OpenCV computes another caffemodel than the one that was converted."""
    other = tmp_path / "other.caffemodel"
    random_caffemodels.write(files[0], other, seed=1)
    compare = verify.compare

    def compare_with_other(*arguments, **options):
        return compare(*arguments[:-1], (files[0], other), **options)

    monkeypatch.setattr(verify, "compare", compare_with_other)
    with pytest.raises(
        ConvertError,
        match=r"differs from the original: (conv|pool|norm|fc|both)\S* by .* more than 1e-04; nothing",
    ):
        conversion.from_caffe(*files, tmp_path / "models" / "x", options(), lambda _: None)
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("room", "message"), [(2000, "cannot write"), (40_000, "writing the SavedModel failed")]
)
def test_a_full_disk_leaves_nothing(files, tmp_path, room, message):
    with files_no_larger_than(room), pytest.raises(ConvertError, match=message) as full:
        conversion.from_caffe(*files, tmp_path / "models" / "x", options(), lambda _: None)
    assert "\n" not in str(full.value)
    assert list(tmp_path.glob("models/*")) == []


@pytest.mark.heavy
def test_ctrl_c_leaves_nothing(files, tmp_path):
    def interrupt(stage):
        if stage.startswith("comparing"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conversion.from_caffe(*files, tmp_path / "models" / "x", options(), interrupt)
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.heavy
def test_what_depends_on_an_unknown_layer_is_left_out_if_layers_are_given(tmp_path):
    text = NET.replace('type: "LRN"', 'type: "Interp"').replace('name: "norm1"', 'name: "odd"')
    (tmp_path / "odd.prototxt").write_text(text)
    model = tmp_path / "odd.caffemodel"
    (tmp_path / "whole.prototxt").write_text(NET)
    random_caffemodels.write(tmp_path / "whole.prototxt", model)
    with pytest.raises(
        ConvertError,
        match="layer odd, line 6, a Interp: its type is unknown.*give --layers that come before it",
    ):
        conversion.from_caffe(tmp_path / "odd.prototxt", model, tmp_path / "x", options(), print)
    with pytest.raises(ConvertError, match="layer odd, line 6, a Interp: its type is unknown"):
        conversion.from_caffe(
            tmp_path / "odd.prototxt", model, tmp_path / "x", options(layers=["prob"]), print
        )
    with (
        pytest.warns(DreamkitWarning, match="10 blobs are left out because they depend on unknown layers"),
        pytest.warns(DreamkitWarning, match="not compared with OpenCV"),
    ):
        model = conversion.from_caffe(
            tmp_path / "odd.prototxt", model, tmp_path / "x", options(layers=["conv1"]), print
        )
    assert list(converted.record(model.folder)["blobs"]) == ["conv1@conv1", "conv1"]
    assert [run.oracle.split()[0] for run in model.report.runs] == ["ONNX"] * 4


WRONG = {
    "no prototxt": (["caffe", "none.prototxt", "MODEL"], "cannot read prototxt none.prototxt"),
    "no caffemodel": (["caffe", "NET", "none.caffemodel"], "cannot read caffemodel none.caffemodel"),
    "in the wrong order": (["caffe", "MODEL", "NET"], "is a caffemodel; run: dreamkit convert caffe NET"),
    "cut short": (["caffe", "NET", "cut.caffemodel"], "is damaged or not a Caffe file"),
    "weights of another": (["caffe", "NET", "other.caffemodel"], "conv1, line 3, a Convolution"),
    "one channel": (["caffe", "grey.prototxt", "MODEL"], "takes 1 x 1 x 41 x 41; dreamkit feeds batch x 3"),
    "two inputs": (["caffe", "two.prototxt", "MODEL"], "has 2 inputs; dreamkit feeds one picture"),
    "no such blob": (["caffe", "NET", "MODEL", "-l", "both/outptu"], "no blob both/outptu to dream"),
    "empty layers": (["caffe", "NET", "MODEL", "-l", "conv1,"], "--layers is 'conv1,'; give layers"),
    "mean of two": (["caffe", "NET", "MODEL", "--mean", "1,2"], "the mean has 2 channels; it takes 3"),
    "mean in words": (["caffe", "NET", "MODEL", "--mean", "a,b,c"], "--mean is 'a,b,c'; it takes finite"),
    "two means": (["caffe", "NET", "MODEL", "--mean", "1,2,3", "--mean-file", "NET"], "both given; give one"),
    "mean file of text": (["caffe", "NET", "MODEL", "--mean-file", "NET"], "is a prototxt; run: dreamkit"),
    "scale of none": (["caffe", "NET", "MODEL", "--scale", "0"], "--scale is '0'; it takes one number"),
    "order": (["caffe", "NET", "MODEL", "--order", "GRB"], "--order is 'GRB'; choose RGB or BGR"),
    "labels": (["caffe", "NET", "MODEL", "--labels", "NET"], "labels and 5 channels in prob, the last blob"),
    "no labels": (["caffe", "NET", "MODEL", "--labels", "none"], "cannot read file of labels none"),
    "not an onnx file": (["onnx", "noise"], "is damaged or not an ONNX model"),
    "no onnx": (["onnx", "none.onnx"], "cannot read none.onnx; give the path of an ONNX file"),
    "no keras": (["keras", "none.keras"], "cannot read none.keras as a .keras file"),
    "not a keras file": (["keras", "noise"], "as a .keras file"),
    "a zip": (["keras", "other.zip"], "is a zip file; unpack it, and give a model that Keras saved"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_input_is_one_line(name, files, tmp_path, capsys):
    import zipfile

    prototxt, model = files
    (tmp_path / "cut.caffemodel").write_bytes(model.read_bytes()[:-1000])
    (tmp_path / "grey.prototxt").write_text(NET.replace("dim: 3", "dim: 1"))
    second = 'input: "data" input: "more" input_shape { dim: 1 dim: 3 dim: 41 dim: 41 }'
    (tmp_path / "two.prototxt").write_text(
        NET.replace('input: "data"', second).replace('bottom: "a/conv" bottom', 'bottom: "more" bottom')
    )
    wide = NET.replace("num_output: 8 kernel_size: 5", "num_output: 8 kernel_size: 3")
    (tmp_path / "wide.prototxt").write_text(wide)
    random_caffemodels.write(tmp_path / "wide.prototxt", tmp_path / "other.caffemodel")
    (tmp_path / "noise").write_bytes(np.random.default_rng(0).bytes(100))
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    arguments, message = WRONG[name]
    known = {"NET": str(prototxt), "MODEL": str(model)}
    before = sorted(tmp_path.iterdir())
    line = run_here(tmp_path, capsys, *(known.get(each, each) for each in arguments), "--name", "wrong")
    assert message in line
    assert sorted(tmp_path.iterdir()) == before
    assert not (converted.folder() / "wrong").exists()
    assert list(converted.folder().glob("*")) == []


def run_here(folder, capsys, *arguments):
    """The error line of `dreamkit convert`, run in this process."""
    from dreamkit.cli import main

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with pytest.raises(SystemExit) as left:
            main(["convert", *arguments])
    out, err = capsys.readouterr()
    assert left.value.code in (1, 2), err
    assert out == ""
    line = err.splitlines()[-1]
    assert line.startswith("error: "), err
    return line


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
@pytest.mark.parametrize(
    "arguments", [["caffe", "X", "MODEL"], ["caffe", "NET", "X"], ["onnx", "X"], ["keras", "X"]]
)
def test_pipes_and_devices_are_errors(arguments, files, capsys, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    known = {"NET": str(files[0]), "MODEL": str(files[1])}
    for path in ("pipe", "/dev/zero"):
        values = (known.get(each, path if each == "X" else each) for each in arguments)
        line = run_here(tmp_path, capsys, *values, "--name", "x")
        assert f"cannot read {path}" in line or f"{path}: it is not a regular file" in line


def test_a_network_for_huge_pictures_is_an_error_in_one_line(files, capsys, tmp_path):
    (tmp_path / "huge.prototxt").write_text(
        NET.replace("dim: 41 dim: 41", "dim: 41 dim: 100000").split('layer { name: "fc')[0]
    )
    line = run_here(tmp_path, capsys, "caffe", "huge.prototxt", str(files[1]), "--name", "x")
    assert "is made for pictures of 100000 x 41; at most 1024 on each side" in line


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((32, 32, 2), "takes any x 32 x 32 x 2; dreamkit feeds batch x height x width x 1, 3 or 4 channels"),
        ((10,), "takes any x 10;"),
    ],
)
def test_a_keras_model_with_another_input_is_an_error_in_one_line(shape, message, capsys, tmp_path):
    import keras

    picture = keras.Input(shape)
    layer = keras.layers.Conv2D(2, 3) if len(shape) == 3 else keras.layers.Dense(2)
    keras.Model(picture, layer(picture)).save(tmp_path / "other.keras")
    assert message in run_here(tmp_path, capsys, "keras", "other.keras", "--name", "x")


@pytest.mark.heavy
def test_infinite_values_are_explained_by_the_preprocessing(files, tmp_path):
    far = options(preprocess=Preprocess(mean=(1e38, 0, 0), scale=(1e10, 1, 1)))
    with pytest.raises(ConvertError, match=r"has values that are not finite, .* are mean and scale right"):
        conversion.from_caffe(*files, tmp_path / "x", far, lambda _: None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a b", "--name is 'a b'; it takes"),
        ("../x", "--name is '../x'; it takes"),
        ("a/b", "--name is 'a/b'; it takes"),
        ("a..b", "--name is 'a..b'; it takes"),
        ("", "--name is ''; it takes"),
        ("x" * 101, "it takes at most 100"),
        ("pocket", "but deepdreamkit has a model of that name; choose another"),
    ],
)
def test_a_wrong_name_is_an_error_in_one_line(name, message, files, capsys, tmp_path):
    assert message in run_here(tmp_path, capsys, "caffe", *map(str, files), "--name", name)


def test_a_model_is_not_overwritten(at_home, files, capsys, tmp_path):
    before = (at_home / "models" / "small" / "model.json").read_bytes()
    line = run_here(tmp_path, capsys, "caffe", *map(str, files), "--name", "small")
    assert line == "error: there is a converted model 'small'; choose another name, or add --overwrite"
    assert (at_home / "models" / "small" / "model.json").read_bytes() == before


@pytest.mark.heavy
def test_foreign_libraries_are_imported_only_in_child_processes(files, tmp_path):
    code = f"""
import sys
from pathlib import Path
from dreamkit.convert import conversion
from dreamkit.convert.options import CAFFE, ConversionOptions
options = ConversionOptions(preprocess=CAFFE)
conversion.from_caffe(*map(Path, {[*map(str, files)]}), Path("models/x"), options, lambda _: None)
print(sorted({{'cv2', 'keras', 'onnx2tf', 'onnxruntime', 'tensorflow'}} & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, text=True, capture_output=True, check=True
    )
    assert run.stdout == "[]\n"
    assert run.stderr == ""


def test_missing_packages_are_named(files, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "find_spec", lambda module: None if module == "onnx2tf" else module)
    line = run_here(tmp_path, capsys, "caffe", *map(str, files), "--name", "x")
    assert line.startswith("error: converting needs onnx2tf, which is not installed; run: pip install")


def test_code_in_a_keras_file_is_not_run(capsys, tmp_path):
    import keras

    picture = keras.Input((None, None, 3))
    layer = keras.layers.Lambda(lambda x: x * 2)
    keras.Model(picture, keras.layers.Conv2D(2, 3)(layer(picture))).save(tmp_path / "code.keras")
    line = run_here(tmp_path, capsys, "keras", "code.keras", "--name", "code", "--mean", "0,0,0")
    assert "Lambda layers are code, which is not run: write a plugin" in line


# --------------------------------------------------------------------------------- converted models


def test_a_damaged_record_is_one_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path))
    for name, text in {
        "empty": "", "list": "[]", "old": '{"format": 0}', "half": '{"format": 1, "blobs": {}}',
        "kinds": '{"format": 1, "blobs": 3, "preprocess": {}, "layers": {}}',
    }.items():  # fmt: skip
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "model.json").write_text(text)
    (tmp_path / "models" / "none").mkdir()
    (tmp_path / "models" / ".converting-x").mkdir()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        names = [provider.name for provider, _ in Registry().providers()]
    assert {"pocket", "inception_v3"} <= set(names)
    messages = [str(each.message) for each in caught]
    assert len(messages) == 6
    assert all("is skipped" in each and "convert the model again" in each for each in messages)


def test_a_kept_step_needs_neither_the_saved_model_nor_keras(at_home, tmp_path):
    def dream(name):
        arguments = ["dreamkit", "dream", "-m", "small", "--size", "64", "--octaves", "1", "--steps", "1"]
        code = f"""
import sys
from dreamkit.__main__ import main
sys.argv = {[*arguments, "-q", "-o", str(tmp_path / name)]!r}
try:
    main()
finally:
    print(type(sys.modules["tensorflow"]).__name__ == "module", "keras" in sys.modules)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), np.asarray(Image.open(tmp_path / name))

    _, first = dream("first.png")
    state, again = dream("again.png")
    assert state == "False False"
    np.testing.assert_array_equal(again, first)


def test_a_changed_model_is_not_dreamed(at_home, tmp_path, monkeypatch):
    shutil.copytree(at_home / "models" / "small", tmp_path / "models" / "small")
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path))
    assert dreamkit.load("small").layers == tuple(BLOBS)
    graph = tmp_path / "models" / "small" / "saved_model" / "saved_model.pb"
    damaged = bytearray(graph.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    for data in (bytes(damaged), None):
        graph.write_bytes(data) if data else graph.unlink()
        with pytest.raises(dreamkit.DreamkitError, match="damaged or was changed; convert the model"):
            dreamkit.load("small")


@pytest.mark.parametrize("writes", ["a file", "a checkpoint"])
def test_a_model_of_a_stranger_that_writes_files_is_not_loaded(at_home, tmp_path, monkeypatch, writes):
    import tensorflow as tf

    model = tmp_path / "models" / "small"
    shutil.copytree(at_home / "models" / "small", model)
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path))
    path = str(tmp_path / "written")

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], name="pixels")], autograph=False)
    def serve(pixels):
        if writes == "a file":
            done = tf.io.write_file(path, "by a stranger")
        else:
            done = tf.raw_ops.SaveV2(prefix=path, tensor_names=["a"], shape_and_slices=[""], tensors=[pixels])
        with tf.control_dependencies([done]):
            return {name: tf.nn.avg_pool2d(pixels, 2, 2, "SAME") for name in BLOBS}

    module = tf.Module()
    module.serve = serve
    shutil.rmtree(model / "saved_model")
    tf.saved_model.save(module, str(model / "saved_model"), signatures=serve)
    record = json.loads((model / "model.json").read_text())
    record["files"] = converted.hashes(model / "saved_model")
    (model / "model.json").write_text(json.dumps(record))
    with pytest.raises(dreamkit.DreamkitError, match=r"which can read or write files; convert the network"):
        dreamkit.load("small")
    assert not list(tmp_path.glob("written*"))


def test_the_files_of_a_killed_conversion_are_removed_by_the_next(tmp_path):
    (tmp_path / ".dreamkit-9-0123456789abcdef" / "saved_model").mkdir(parents=True)
    (tmp_path / ".dreamkit-former-old" / "saved_model").mkdir(parents=True)  # it was about to be replaced
    with new_folder(tmp_path / "new", overwrite=False) as home:
        (home / "model.json").write_text("{}")
        with (
            pytest.raises(dreamkit.DreamkitError, match="another dreamkit is converting new; wait"),
            new_folder(tmp_path / "new", overwrite=False),
        ):
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


@pytest.mark.heavy
def test_sigterm_leaves_nothing(files, tmp_path):
    environment = {**os.environ, "DREAMKIT_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "dreamkit", "convert", "caffe", *map(str, files), "--name", "x"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as run:
        for line in run.stderr:
            if line.startswith("writing"):
                run.terminate()
                break
        run.stderr.read()
    assert run.returncode == 143
    assert list(tmp_path.rglob("*")) == [tmp_path / "home", tmp_path / "home" / "models"]


def test_default_mean_and_scale_follow_the_order():
    from dreamkit.cli.conversions import preprocess_given

    default = Preprocess(order="BGR", mean=(1, 2, 3), scale=(4, 5, 6))
    assert preprocess_given(default, None, None, None) == default
    assert preprocess_given(default, "rgb", None, None) == Preprocess(
        order="RGB", mean=(3, 2, 1), scale=(6, 5, 4)
    )
    assert preprocess_given(default, "rgb", "7,8,9", "2") == Preprocess(
        order="RGB", mean=(7, 8, 9), scale=(2, 2, 2)
    )


def test_an_error_is_relative_to_the_largest_number():
    expected = np.zeros((1, 2, 3, 4), np.float32)
    expected[0, 1, 2, 3] = -8
    got = np.moveaxis(expected, 1, -1).copy()
    got[0, 0, 0, 0] = 2
    assert relative_error(got, expected) == 0.25
    assert relative_error(np.zeros((1, 3, 4, 2), np.float32), np.zeros_like(expected)) == 0
    assert relative_error(np.ones((1, 3, 4, 2), np.float32), np.zeros_like(expected)) == float("inf")
    assert relative_error(np.full((1, 3, 4, 2), np.nan, np.float32), expected) == float("inf")
    assert relative_error(np.moveaxis(expected, 1, -1), expected * np.nan) == float("inf")
    assert relative_error(got[:, :2], expected) == float("inf")


def test_a_map_of_another_size_is_named():
    found, expected = np.zeros((1, 3, 4, 8), np.float32), np.zeros((1, 8, 3, 5), np.float32)
    verify._check_size("pool", found, np.zeros((1, 8, 3, 4), np.float32), "ONNX Runtime")
    with pytest.raises(
        ConvertError, match="pool is 3 x 4 x 8 .* and 3 x 5 x 8 by ONNX Runtime; nothing was kept"
    ):
        verify._check_size("pool", found, expected, "ONNX Runtime")


def test_the_pictures_ship_with_the_package():
    assert len(verify.PICTURES) >= 2
    pixels = verify.photographs((50, 60))
    assert pixels.shape == (len(verify.PICTURES), 50, 60, 3)
    assert pixels.std() > 20


@pytest.mark.heavy
def test_no_temporary_files_are_left(files, tmp_path):
    environment = {**os.environ, "DREAMKIT_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "dreamkit", "convert", "caffe", *map(str, files), "--name", "x", "-q"]
    subprocess.run(command, env=environment, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_the_operation_that_onnx2tf_cannot_convert_is_named():
    """By onnx2tf's own note of the node, or else by the module in which it failed."""
    error = RuntimeError()
    error.onnx_op_name = "n1"
    assert saved_model._failed_operation(error, {"n0": "Conv", "n1": "Swish"}) == "Swish"
    with pytest.raises(ZeroDivisionError) as failed:
        exec(compile("1 / 0", os.path.join("site-packages", "onnx2tf", "ops", "Resize.py"), "exec"))
    assert saved_model._failed_operation(failed.value, {"n0": "Conv"}) == "Resize"
    assert saved_model._failed_operation(RuntimeError(), {}) is None

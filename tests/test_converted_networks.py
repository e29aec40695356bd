"""Conversions of published networks: with real weights, and official prototxts with random ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import random_caffemodels
from conftest import DATA, skip_without_converter
from PIL import Image

import browser
import dreamkit
from dreamkit import Preprocess
from dreamkit.convert import conversion
from dreamkit.convert.caffe import opencv
from dreamkit.convert.caffe.reader import read_net
from dreamkit.convert.options import CAFFE, ConversionOptions
from dreamkit.models import converted

skip_without_converter()

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Real:
    """A network with its weights: what it takes, the number of its blobs, and its default layer."""

    preprocess: Preprocess
    blobs: int
    layer: str


PLACES = (104.05, 112.51, 116.68)
REAL = {
    "squeezenet_v1.0": Real(Preprocess(order="BGR", mean=(104, 117, 123)), 65, "fire7/concat"),
    "inception5h": Real(Preprocess(order="BGR", mean=(117, 117, 117)), 141, "mixed4c"),
    "squeezenet_places365": Real(
        Preprocess(order="BGR", mean=PLACES, scale=(1 / 255, 1 / 255, 1 / 255)), 115, "fire8/concat"
    ),
}
# MIT's hybrid networks differ from these only in the number of classes.
OFFICIAL = {
    "alexnet_places365": 23,
    "googlenet_places365": 142,
    "vgg16_places365": 39,
    "resnet152_places365": 670,
}
LONG = "alexnet_places365", "vgg16_places365", "resnet152_places365"  # minutes each


def original_files(name):
    """The prototxt and caffemodel of a real network."""
    folder = DATA / "caffe" / name
    if not folder.is_dir():
        pytest.skip(f"no test data: {folder} is absent (set DREAMKIT_TEST_DATA)")
    return next(folder.glob("*.prototxt")), next(folder.glob("*.caffemodel"))


def assert_full_parity(report, blobs):
    """Every blob was compared with OpenCV at the original size, and with ONNX Runtime at three others."""
    first, small, *larger = report.runs
    assert first.oracle.startswith("OpenCV")
    assert len(first.errors) == blobs
    assert all(run.oracle.startswith("ONNX Runtime") for run in (small, *larger))
    assert 0.6 * blobs < len(small.errors) <= blobs  # class scores need the original size
    assert [len(run.errors) for run in larger] == [blobs, blobs]
    assert report.worst[1] <= 1e-4
    assert report.remarks == ()


@pytest.fixture(scope="module", params=REAL)
def real(request, tmp_path_factory):
    options = ConversionOptions(preprocess=REAL[request.param].preprocess)
    folder = tmp_path_factory.mktemp("models") / request.param
    return request.param, conversion.from_caffe(*original_files(request.param), folder, options, print)


def test_a_real_network_equals_its_original(real):
    name, model = real
    assert_full_parity(model.report, REAL[name].blobs)
    assert list(model.layers) == [REAL[name].layer]


def test_a_real_network_dreams(real):
    _, model = real
    events = []
    network = dreamkit.load(converted.provider(model.folder))
    pixels = dreamkit.dream(None, network, size=256, octaves=2, steps=8, on_step=events.append)
    assert events[-1].objective > 2
    assert pixels.std() > 20


def test_a_real_network_computes_the_same_in_the_browser(real, tmp_path):
    browser.skip_without_node()
    name, model = real
    network = dreamkit.load(converted.provider(model.folder))
    with Image.open("docs/pictures/chelsea.jpg") as image:
        picture = np.asarray(image.convert("RGB"))[60:221, 100:260]
    browser.write_case(network, [REAL[name].layer], picture, tmp_path / "cases" / name)
    assert f"{name} on wasm" in browser.compare(tmp_path / "cases")


def test_the_top_class_of_photographs_is_the_same(real, photographs):
    name, model = real
    prototxt, caffemodel = original_files(name)
    net = read_net(prototxt, caffemodel)
    last = net.blobs[-1]
    network = dreamkit.load(converted.provider(model.folder))
    classify, preprocess = network.activations([last]), network.provider.preprocess
    classes = set()
    for path in sorted(photographs.glob("*.jpg"))[::40]:
        with Image.open(path) as image:
            picture = np.asarray(image.convert("RGB").resize((224, 224)), np.float32)[None]
        (ours,) = classify(picture)
        batch = np.ascontiguousarray(np.moveaxis(preprocess(picture), -1, 1), np.float32)
        without_k = model.folder / "without_k.prototxt"
        without_k.write_text(opencv.prototxt_without_k(prototxt))
        theirs = opencv.compute(without_k, caffemodel, net, {next(iter(net.inputs)): batch})[last]
        ours, theirs = (
            scores.reshape(ours.shape[-1], -1).mean(-1) for scores in (np.moveaxis(ours, -1, 0), theirs[0])
        )
        assert ours.argmax() == theirs.argmax(), path.name
        classes.add(int(ours.argmax()))
    assert len(classes) > 15


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (name in LONG)) for name in OFFICIAL]
)
def test_an_official_prototxt_with_random_weights_equals_its_original(name, tmp_path):
    prototxt = DATA / "caffe" / "places365" / f"deploy_{name}.prototxt"
    if not prototxt.is_file():
        pytest.skip(f"no test data: {prototxt} is absent (set DREAMKIT_TEST_DATA)")
    caffemodel = tmp_path / f"{name}.caffemodel"
    random_caffemodels.write(prototxt, caffemodel)
    model = conversion.from_caffe(
        prototxt,
        caffemodel,
        tmp_path / name,
        ConversionOptions(preprocess=CAFFE),
        print,
    )
    assert_full_parity(model.report, OFFICIAL[name])

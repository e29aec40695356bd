"""Networks that people have, converted: real weights, and seeded ones in official prototxts."""

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
from dreamkit.models import converted

skip_without_converter()

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Real:
    """A network with its weights: what it eats, and how many blobs it has."""

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
# The hybrids among MIT's networks differ from these in the number of classes alone.
OFFICIAL = {
    "alexnet_places365": 23,
    "googlenet_places365": 142,
    "vgg16_places365": 39,
    "resnet152_places365": 670,
}


def original(name):
    """The prototxt and caffemodel of a real network."""
    folder = DATA / "caffe" / name
    if not folder.is_dir():
        pytest.skip(f"no test data: {folder} is absent (set DREAMKIT_TEST_DATA)")
    return next(folder.glob("*.prototxt")), next(folder.glob("*.caffemodel"))


def assert_full_parity(made, blobs):
    """Every blob was compared with OpenCV at the net's own size, and with ONNX Runtime at three others."""
    first, small, *larger = made.report.runs
    assert first.oracle.startswith("OpenCV")
    assert len(first.errors) == blobs
    assert all(run.oracle.startswith("ONNX Runtime") for run in (small, *larger))
    assert 0.6 * blobs < len(small.errors) <= blobs  # heads need the net's own size
    assert [len(run.errors) for run in larger] == [blobs, blobs]
    assert made.report.worst[1] <= 1e-4
    assert made.report.remarks == ()


@pytest.fixture(scope="module", params=REAL)
def real(request, tmp_path_factory):
    wanted = conversion.Wanted(preprocess=REAL[request.param].preprocess)
    folder = tmp_path_factory.mktemp("models") / request.param
    return request.param, conversion.from_caffe(*original(request.param), folder, wanted, print)


def test_a_real_network_is_its_original(real):
    name, made = real
    assert_full_parity(made, REAL[name].blobs)
    assert list(made.layers) == [REAL[name].layer]


def test_a_real_network_dreams(real):
    _, made = real
    heard = []
    network = dreamkit.load(converted.provider(made.folder))
    pixels = dreamkit.dream(None, network, size=256, octaves=2, steps=8, on_step=heard.append)
    assert heard[-1].objective > 2
    assert pixels.std() > 20


def test_a_real_network_is_the_same_in_the_browser(real, tmp_path):
    browser.skip_without_node()
    name, made = real
    network = dreamkit.load(converted.provider(made.folder))
    with Image.open("docs/pictures/chelsea.jpg") as image:
        picture = np.asarray(image.convert("RGB"))[60:221, 100:260]
    browser.write_case(network, [REAL[name].layer], picture, tmp_path / "cases" / name)
    assert f"{name} on wasm" in browser.compare(tmp_path / "cases")


def test_the_top_class_of_photographs_is_the_same(real, photographs):
    name, made = real
    prototxt, caffemodel = original(name)
    net = read_net(prototxt, caffemodel)
    last = net.blobs[-1]
    network = dreamkit.load(converted.provider(made.folder))
    classify, eaten = network.activations([last]), network.provider.preprocess
    seen = set()
    for path in sorted(photographs.glob("*.jpg"))[::40]:
        with Image.open(path) as image:
            picture = np.asarray(image.convert("RGB").resize((224, 224)), np.float32)[None]
        (ours,) = classify(picture)
        batch = np.ascontiguousarray(np.moveaxis(eaten(picture), -1, 1), np.float32)
        text = made.folder / "without_k.prototxt"
        text.write_text(opencv.prototxt_without_k(prototxt))
        theirs = opencv.compute(text, caffemodel, net, {next(iter(net.inputs)): batch})[last]
        ours, theirs = (
            scores.reshape(ours.shape[-1], -1).mean(-1) for scores in (np.moveaxis(ours, -1, 0), theirs[0])
        )
        assert ours.argmax() == theirs.argmax(), path.name
        seen.add(int(ours.argmax()))
    assert len(seen) > 15


@pytest.mark.parametrize("name", OFFICIAL)
def test_an_official_prototxt_with_seeded_weights_is_its_original(name, tmp_path):
    prototxt = DATA / "caffe" / "places365" / f"deploy_{name}.prototxt"
    if not prototxt.is_file():
        pytest.skip(f"no test data: {prototxt} is absent (set DREAMKIT_TEST_DATA)")
    caffemodel = tmp_path / f"{name}.caffemodel"
    random_caffemodels.write(prototxt, caffemodel)
    made = conversion.from_caffe(
        prototxt, caffemodel, tmp_path / name, conversion.Wanted(preprocess=conversion.CAFFE), print
    )
    assert_full_parity(made, OFFICIAL[name])

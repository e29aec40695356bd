"""Files that are not what they are given as: each kind is named, in one line, with what to do."""

from __future__ import annotations

import io
import re
import shlex
import tarfile
import zipfile
from importlib.util import find_spec

import numpy as np
import pytest
from caffemodel import length_field, varint
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dreamkit.media import file_kinds
from dreamkit.models import converted

TO_ONNX = "to ONNX with torch.onnx.export"


def zipped(*names):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, bytes(100))
    return data.getvalue()


def tarred():
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("net.onnx"))
    return data.getvalue()


def saved(save, *arrays):
    data = io.BytesIO()
    save(data, *arrays)
    return data.getvalue()


def number(place, value):
    return varint(place << 3) + varint(value)


LAYER = length_field(100, length_field(1, "conv1") + length_field(2, "Convolution"))
ONNX_NODE = length_field(1, length_field(1, "x") + length_field(2, "y") + length_field(4, "Relu"))
FEATURE = length_field(1, length_field(1, "image") + length_field(3, number(1, 1)))
OPERATIONS = length_field(2, length_field(1, length_field(1, "Conv2D")))
ONNX = number(1, 8) + length_field(2, "pytorch") + length_field(7, ONNX_NODE) + length_field(8, number(2, 17))

# Of each kind: its bytes, and how it is described.
KINDS = {
    "empty": (b"", "is empty; download it again"),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "is a Git LFS pointer, not the file itself; run git lfs pull",
    ),
    "annex": (b"/annex/objects/SHA256E-s9--0.onnx\n", "is a git-annex pointer, .*; run git annex get PATH"),
    "html": (b"<!DOCTYPE html>\n<title>Sign in</title>", "is an HTML page; the download needs a login"),
    "html with a mark": (b"\xef\xbb\xbf\r\n  <HTML lang=en>", "is an HTML page"),
    "html in UTF-16": ("\ufeff<html>".encode("utf-16"), "is an HTML page"),
    "xhtml": (b'<?xml version="1.0"?>\n<!-- -->\n<!DOCTYPE html PUBLIC "-">', "is an HTML page"),
    "json": (b'{"class_name": "Functional"}', "is a JSON file; give WANTED"),
    "json, a list": (b"[1, 2]", "is a JSON file"),
    "openvino": (b'<?xml version="1.0"?><net name="x" version="11">', "is an OpenVINO model; export"),
    "xml": (b'<?xml version="1.0"?>\n<svg/>', "is an XML file; give WANTED"),
    "prototxt": (
        b'# a net\nname: "x"\nlayer {\n',
        r"is a prototxt; run: dreamkit convert caffe PATH NET\.caffemodel --name NAME",
    ),
    "keras": (
        zipped("metadata.json", "config.json", "model.weights.h5"),
        "is a .keras file; run: dreamkit convert keras PATH --name NAME",
    ),
    "torch": (
        zipped("net/data.pkl", *(f"net/data/{each}" for each in range(3000))),
        f"is a PyTorch file, which is a program in part; export it {TO_ONNX}",
    ),
    "torch, exported": (zipped("net/archive_format", "net/models/model.json"), "is a PyTorch file"),
    **{f"pickle {each}": (bytes([0x80, each]) + b"}.", "is a PyTorch file") for each in range(2, 6)},
    "torchscript": (
        zipped("net/data.pkl", "net/code/__torch__.py", "net/constants.pkl"),
        f"is a TorchScript archive, which is a program; export the original model {TO_ONNX}",
    ),
    "npz": (saved(np.savez, np.ones(3)), "is a NumPy archive"),
    "zip": (zipped("net.onnx"), "is a zip file; unpack it, and give WANTED"),
    "an empty zip": (zipped(), "is a zip file"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "is an HDF5 file; give WANTED"),
    "npy": (saved(np.save, np.ones(3)), "is a NumPy array"),
    "tflite": (b"\x1c\0\0\0TFL3", "is a TFLite file; export the original model as .keras or ONNX"),
    "gguf": (b"GGUF\3\0\0\0", "is a GGUF file"),
    "safetensors": (
        (2).to_bytes(8, "little") + b"{}",
        f"is a safetensors file, .* network; load them into their model and export it {TO_ONNX}",
    ),
    "png": (b"\x89PNG\r\n\x1a\n", "is a PNG picture; give WANTED"),
    "jpeg": (b"\xff\xd8\xff\xe0", "is a JPEG picture"),
    "gif": (b"GIF89a", "is a GIF picture"),
    "webp": (b"RIFF\0\0\0\0WEBP", "is a WebP picture"),
    "pdf": (b"%PDF-1.7", "is a PDF; give WANTED"),
    "gzip": (b"\x1f\x8b\x08", "is a gzip archive; unpack it, and give WANTED"),
    "tar": (tarred(), "is a tar archive; unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it"),
    "rar": (b"Rar!\x1a\x07\0", "is a RAR archive; unpack it"),
    "onnx": (ONNX, "is an ONNX file; run: dreamkit convert onnx PATH --name NAME"),
    "a large onnx": (ONNX[:11] + varint(7 << 3 | 2) + varint(9 << 20) + ONNX_NODE * 900, "is an ONNX file"),
    "core ml": (
        number(1, 1) + length_field(2, FEATURE) + length_field(500, b""),
        "is a Core ML model; export the original model as ONNX",
    ),
    "saved model": (
        number(1, 1) + length_field(2, length_field(1, OPERATIONS + length_field(4, "serve"))),
        "is the graph of a SavedModel; give its folder to dreamkit convert tensorflow",
    ),
    "graph": (
        length_field(1, length_field(1, "input") + length_field(2, "Placeholder")) + length_field(4, b""),
        "is a TensorFlow GraphDef; run: dreamkit convert tensorflow PATH --name NAME",
    ),
    "graph as text": (b'node {\n  name: "x"\n', "is a TensorFlow graph as text; save it in the binary form"),
    "saved model as text": (b"saved_model_schema_version: 1\n", "is a TensorFlow graph as text"),
    "caffemodel": (
        length_field(1, "net") + LAYER,
        r"is a caffemodel; run: dreamkit convert caffe NET\.prototxt PATH --name NAME",
    ),
    "an old caffemodel": (
        length_field(2, length_field(2, "data") + length_field(3, "conv1") + length_field(4, "conv1")),
        "is a caffemodel",
    ),
    "mean": (
        b"".join(number(each, each) for each in (1, 2, 3, 4)) + length_field(5, bytes(96)),
        "is a mean image of Caffe; give it with --mean-file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_described(name, tmp_path):
    data, expected = KINDS[name]
    path = tmp_path / "it's a file"
    path.write_bytes(data)
    found = file_kinds.describe(path, wanted="WANTED")
    assert found is not None
    assert "\n" not in found
    quoted = found.replace(shlex.quote(str(path)), "PATH")
    assert re.match(expected, quoted), found


def test_every_kind_has_an_example():
    named = {description.split(";")[0] for _, description in KINDS.values()}
    assert len(KINDS) >= len(file_kinds.KINDS) - 3, named  # the three folders


def test_folders(tmp_path):
    assert file_kinds.describe(tmp_path, wanted="a file") == "is a folder; give a file"
    (tmp_path / "saved_model.pb").touch()
    command = f"dreamkit convert tensorflow {shlex.quote(str(tmp_path))} --name NAME"
    assert file_kinds.describe(tmp_path) == f"is a SavedModel folder; run: {command}"
    (tmp_path / "saved_model.pb").rename(tmp_path / "Manifest.json")
    assert file_kinds.describe(tmp_path) == "is a Core ML package; export the original model as ONNX"


def test_a_link_of_git_annex_to_a_file_that_is_elsewhere(tmp_path):
    (tmp_path / "net.onnx").symlink_to("../.git/annex/objects/Xx/1k/SHA256E-s9--0.onnx/SHA256E-s9--0.onnx")
    assert "is a git-annex pointer" in file_kinds.describe(tmp_path / "net.onnx")
    (tmp_path / "other.onnx").symlink_to("nowhere")
    assert file_kinds.describe(tmp_path / "other.onnx") is None


@pytest.mark.parametrize("name", ["none", "x" * 5000, "a\0b"])
def test_what_cannot_be_read_is_of_no_kind(name, tmp_path):
    assert file_kinds.describe(tmp_path / name) is None


@pytest.mark.parametrize(
    "data", [b"n01440764 tench\n", b"#!/bin/sh\n", b"net: 'solver'\n", bytes(100), b"\x0a\0\0", b"{x}"]
)
def test_what_is_unknown_is_of_no_kind(data, tmp_path):
    (tmp_path / "it").write_bytes(data)
    assert file_kinds.describe(tmp_path / "it") is None


_pieces = [data for data, _ in KINDS.values()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.builds(
            lambda data, cut, more: data[:cut] + more + data[cut:],
            st.sampled_from(_pieces),
            st.integers(0, 200),
            st.binary(max_size=20),
        ),
        st.lists(st.sampled_from([*b"\x08\x0a\x12\x1a\x22\x2a\x80\xff"]), max_size=60).map(bytes),
    )
)
@example(b"\n" * 20_000)
@example(b"<!--" * 5_000)
@example(b"PK\3\4" + b"PK\1\2" * 4_000)
@example(b"\xff" * 20_000)
def test_no_bytes_are_an_error(tmp_path, data):
    (tmp_path / "it").write_bytes(data)
    found = file_kinds.describe(tmp_path / "it")
    assert found is None or "\n" not in found


# ------------------------------------------------------------------------------------- by the command line

EXPECTED = {
    "caffe": ["prototxt"],
    "onnx": ["onnx", "a large onnx"],
    "keras": ["keras", "hdf5"],
    "tensorflow": ["graph"],
}
CASES = [(command, name) for command in EXPECTED for name in KINDS if name not in EXPECTED[command]]


def one_line(result, tmp_path, before):
    code, out, err = result
    assert (code, out) == (1, ""), err
    assert err.startswith("error: given "), err
    assert err.count("\n") == 1, err
    assert sorted(tmp_path.iterdir()) == before
    assert list(converted.folder().glob("*")) == []
    return err


@pytest.mark.heavy
@pytest.mark.parametrize(("command", "name"), CASES)
def test_a_file_of_another_kind_is_named(run, tmp_path, name, command):
    if command in ("caffe", "onnx") and find_spec("onnx2tf") is None:
        pytest.skip("onnx2tf is not installed; install deepdreamkit[convert]")
    (tmp_path / "given").write_bytes(KINDS[name][0])
    before = sorted(tmp_path.iterdir())
    files = ["given", "none"] if command == "caffe" else ["given"]
    err = one_line(run("convert", command, *files, "--name", "x", "-q"), tmp_path, before)
    assert file_kinds.describe("given").split(";")[0] in err


@pytest.mark.parametrize("name", ["lfs", "html", "torch", "onnx", "mean", "prototxt", "png"])
def test_a_caffemodel_and_a_mean_image_of_another_kind_are_named(run, tmp_path, name):
    if find_spec("onnx2tf") is None:
        pytest.skip("onnx2tf is not installed; install deepdreamkit[convert]")
    (tmp_path / "given").write_bytes(KINDS[name][0])
    (tmp_path / "net.prototxt").write_text(
        'input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }\n'
        'layer { name: "a" type: "ReLU" bottom: "data" top: "a" }\n'
    )
    before = sorted(tmp_path.iterdir())
    arguments = ["convert", "caffe", "net.prototxt", "given", "--name", "x", "-q"]
    what = file_kinds.describe("given").split(";")[0]
    assert what in one_line(run(*arguments), tmp_path, before)
    if name != "mean":
        assert what in one_line(run(*arguments, "--mean-file", "given"), tmp_path, before)


@pytest.mark.parametrize("model", ["pocket", "inception5h", "inception_v3"])
@pytest.mark.parametrize("name", ["lfs", "html", "torch", "safetensors", "onnx", "tflite", "png", "empty"])
def test_weights_of_another_kind_are_named(run, tmp_path, picture, name, model):
    (tmp_path / "given").write_bytes(KINDS[name][0])
    before = sorted(tmp_path.iterdir())
    err = one_line(run("dream", picture, "-m", model, "-w", "given"), tmp_path, before)
    assert file_kinds.describe("given").split(";")[0] in err


def test_weights_in_the_form_of_another_network(run, tmp_path, picture):
    (tmp_path / "given").write_bytes(KINDS["hdf5"][0])
    err = run("dream", picture, "-w", "given")[2]
    assert "given is an HDF5 file; give a weights file of pocket, or name the file's network with" in err


@pytest.mark.parametrize("name", ["torch", "safetensors", "hdf5"])
def test_a_plugin_may_read_weights_in_any_form(run, tmp_path, picture, name):
    """`tiny` has no weights file whose name would tell the form."""
    (tmp_path / "given").write_bytes(KINDS[name][0])
    _, _, err = run("dream", picture, "-m", "tiny", "-w", "given", "--octaves", "1", "--steps", "1")
    assert file_kinds.describe("given").split(";")[0] not in err

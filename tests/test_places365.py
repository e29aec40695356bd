"""The plugin for networks of Places365: installed, with downloads from loopback, and an official prototxt."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import random_caffemodels
from caffemodel import length_field
from conftest import DATA, ROOT
from dreamkit_places365 import __main__ as program
from dreamkit_places365 import networks
from http_server import with_ranges
from test_convert import NET

from dreamkit.media.image_metadata import read_recipe
from dreamkit.models import converted

GOOGLENET = DATA / "caffe" / "places365" / "deploy_googlenet_places365.prototxt"


@pytest.fixture(scope="module")
def site(install):
    return install(ROOT / "plugins" / "dreamkit-places365")


@pytest.fixture
def command(site, tmp_path):
    """Runs Python with the plugin installed."""

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False
        )

    return run


def test_before_conversion_the_error_names_the_setup_command(command):
    for arguments in (["dream", "--model", "places365_googlenet"], ["layers", "places365_googlenet"]):
        run = command("-m", "dreamkit", *arguments)
        assert run.returncode == 1
        assert run.stdout == ""
        assert run.stderr == (
            "error: places365_googlenet must be set up first; run: python -m dreamkit_places365 googlenet\n"
        )


def test_its_networks_are_listed(command):
    models = {each["name"]: each for each in json.loads(command("-m", "dreamkit", "models", "--json").stdout)}
    for name in ("googlenet", "alexnet", "vgg16", "vgg16_hybrid", "resnet152", "resnet152_hybrid"):
        assert models[f"places365_{name}"]["weights"] == "to set up"
        assert models[f"places365_{name}"]["package"] == "deepdreamkit-places365"
    assert "fountains and hills (first: python -m dreamkit_places365 googlenet)" in (
        command("-m", "dreamkit", "models").stdout
    )


def test_a_wrong_name_is_one_line(command):
    run = command("-m", "dreamkit_places365", "googlenett")
    assert run.returncode == 1
    assert run.stderr.startswith("error: Places365 has no network 'googlenett'; choose from googlenet,")
    assert len(run.stderr.splitlines()) == 1


@pytest.fixture
def small(server, tmp_path, monkeypatch):
    """A release on loopback with one small network. `server.files` are the files that it has."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    prototxt, caffemodel = tmp_path / "deploy_small.prototxt", tmp_path / "small.caffemodel"
    prototxt.write_text(NET)
    random_caffemodels.write(prototxt, caffemodel)
    # An unknown field makes the file longer than several pieces of a download.
    caffemodel.write_bytes(caffemodel.read_bytes() + length_field(99, bytes(300_000)))
    files = {f"/{path.name}": path.read_bytes() for path in (prototxt, caffemodel)}
    address = server.url.rpartition("/")[0] + "/"
    monkeypatch.setattr(networks, "PROTOTXTS", address)
    monkeypatch.setattr(networks, "WEIGHTS", address)
    network = networks.Network(
        name="small",
        files="small",
        layers=("both/output",),
        has_imagenet_classes=True,
        description="small",
    )
    monkeypatch.setattr(program, "NETWORKS", (network,))
    server.answer = lambda handler: with_ranges(handler, body=files[handler.path])
    server.files = files
    return network


def run_program(*arguments):
    with pytest.raises(SystemExit) as left:
        program.main(list(arguments))
    return left.value.code


@pytest.mark.heavy
def test_it_downloads_resumes_and_converts(small, server, capsys):
    whole = server.files["/small.caffemodel"]
    half = len(whole) // 2
    server.answer = lambda handler: with_ranges(
        handler, body=server.files[handler.path], upto=half if "model" in handler.path else None
    )
    assert run_program("small") == 1
    assert (
        "the connection broke off); download it yourself and give it with --caffemodel FILE"
        in capsys.readouterr().err
    )
    server.answer = lambda handler: with_ranges(handler, body=server.files[handler.path])
    assert run_program("small") == 0
    assert server.asked == ["/deploy_small.prototxt", "/small.caffemodel", "/small.caffemodel"]
    assert server.sent[-1][0] > 0
    home = converted.folder().parent / "places365"
    record = converted.record(home / "small")
    assert record["sources"]["small.caffemodel"] == hashlib.sha256(whole).hexdigest()
    hashes = json.loads((home / "sha256.json").read_text())
    assert hashes["small.caffemodel"] == f"sha256:{hashlib.sha256(whole).hexdigest()}"
    assert "--model places365_small" in capsys.readouterr().out
    assert run_program("small") == 1
    assert "converted already; add --overwrite" in capsys.readouterr().err


def test_a_download_that_differs_from_an_earlier_one_is_a_warning(small, tmp_path, capsys, recwarn):
    path = tmp_path / "x.caffemodel"
    for body in (b"one", b"one", b"two"):
        path.write_bytes(body)
        program._check_hash(path)
    (warning,) = recwarn.list
    assert "x.caffemodel is not the file that was downloaded before: its hash is sha256:" in str(
        warning.message
    )


def test_a_missing_file_on_the_server_is_one_line(small, server, capsys):
    server.answer = lambda handler: handler.send_error(404)
    assert run_program("small") == 1
    (*_, line) = capsys.readouterr().err.splitlines()
    assert "the server answered 404); download it yourself and give it with --prototxt FILE" in line


@pytest.mark.heavy
@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_official_googlenet_converts_with_random_weights_and_dreams(command, tmp_path):
    if not GOOGLENET.is_file():
        pytest.skip(f"no test data: {GOOGLENET} is absent (set DREAMKIT_TEST_DATA)")
    random_caffemodels.write(GOOGLENET, tmp_path / "googlenet.caffemodel")
    files = ["--prototxt", GOOGLENET.absolute(), "--caffemodel", "googlenet.caffemodel"]
    run = command("-m", "dreamkit_places365", "googlenet", *files)
    assert run.returncode == 0, run.stderr
    run = command("-m", "dreamkit", "dream", "-m", "places365_googlenet", "--size", "128", "--steps", "2")
    assert run.returncode == 0, run.stderr
    recipe = read_recipe(tmp_path / "dream.png")
    assert recipe["models"][0]["dreamed"] == {"inception_4c/output": 1.0}
    record = converted.record(Path(os.environ["DREAMKIT_HOME"]) / "places365" / "googlenet")
    assert record["labels"][:2] == ["airfield", "airplane cabin"]
    assert record["preprocess"]["mean"] == [104.051, 112.514, 116.676]
    again = command(ROOT / "scripts" / "convert_places365.py", "googlenet")
    assert again.returncode == 1
    assert again.stderr == "error: places365_googlenet is converted already; add --overwrite to do it again\n"

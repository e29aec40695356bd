"""Requests, the sessions that run them, and the fingerprint by which dreams are told apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tiny
from PIL import Image

import dreamkit
from dreamkit import DreamConfig, DreamkitError, Interrupted, Session, fingerprint, make_request, recipes
from dreamkit.engine import process
from dreamkit.engine.tf import network
from dreamkit.errors import ConfigError
from dreamkit.jobs import film, frame_store
from dreamkit.media import video
from dreamkit.request import without_image

OPTIONS = {"octaves": 2, "steps": 2, "jitter": 2}


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


@pytest.fixture
def guide():
    return np.random.default_rng(4).integers(0, 256, (24, 20, 3), np.uint8)


def test_a_session_dreams_as_the_function_does(net, photo):
    request = make_request(photo, net, **OPTIONS)
    assert np.array_equal(Session(request).run().pixels, dreamkit.dream(photo, net, **OPTIONS))


def test_a_session_dreams_many_photographs_by_networks_that_it_loads_once(net, photo):
    loaded = []

    def load(weights):
        loaded.append(weights)
        return tiny.provider().load(weights)

    session = Session(without_image(replace(tiny.provider(), load=load), **OPTIONS))
    for each in (photo, photo[::-1].copy()):
        found = session.run(session.request.on(each)).pixels
        assert np.array_equal(found, dreamkit.dream(each, net, **OPTIONS))
    assert loaded == [None]


def test_a_mask_follows_each_photograph(net, photo):
    mask = np.zeros((20, 28), np.uint8)
    mask[:, :12] = 255
    template = without_image(net, mask=mask, **OPTIONS)
    for each in (photo, np.tile(photo, (2, 2, 1))):
        request = template.on(each)
        assert request.masks[""].pixels.shape == each.shape
        half = each.shape[1] // 2
        assert np.array_equal(Session(request).run().pixels[:, half + 1 :], each[:, half + 1 :])
    with pytest.raises(ConfigError, match="the mask from memory has 28 x 20 pixels and the picture 56 x 60"):
        template.on(np.zeros((60, 56, 3), np.uint8))


# Fingerprints


def test_a_fingerprint_is_plain_data_and_that_of_the_picture(net, photo, guide, tmp_path):
    mask = np.full((40, 56), 200, np.uint8)
    session = Session(make_request(photo, net, guide=guide, mask=mask, **OPTIONS))
    found = json.loads(json.dumps(session.fingerprint()))
    session.run().save(tmp_path / "dream.png")
    carried = dreamkit.media.image_metadata.read_recipe(tmp_path / "dream.png")
    assert fingerprint.from_metadata(carried) == found
    assert len(fingerprint.digest(found)) == 32


def test_whatever_changes_the_bytes_changes_the_fingerprint(net, photo, guide, monkeypatch):
    mask = np.full((40, 56), 200, np.uint8)
    given = {"image": photo, "model": net, "guide": guide, "mask": mask, **OPTIONS}
    changes = [
        {"image": photo[::-1].copy()},
        {"model": network.load(tiny.provider(seed=1), None)},
        {"model": [dreamkit.ModelSpec(net, layers="first")]},
        {"guide": guide[::-1].copy()},
        {"mask": mask // 2},
        {"seed": 1},
    ]

    def digest(**request):
        return fingerprint.digest(Session(make_request(**request)).fingerprint())

    found = {digest(**given), *(digest(**{**given, **each}) for each in changes)}
    assert len(found) == 1 + len(changes)
    assert digest(**given) in found
    versions = {**recipes.versions(), "tensorflow": "0.0"}
    monkeypatch.setattr(recipes, "versions", lambda *_: versions)
    assert digest(**given) not in found


def test_frames_made_by_other_versions_are_not_continued(net, photo, tmp_path, monkeypatch):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(2):
        Image.fromarray(photo).save(folder / f"{number}.png")

    def make():
        film.make(video.read(folder), Session(without_image(net, **OPTIONS)), tmp_path / "out.gif", preview=1)
        (tmp_path / "out.gif").unlink()

    make()
    make()
    now = recipes.versions()
    monkeypatch.setattr(recipes, "versions", lambda *_: {**now, "tensorflow": "0.0"})
    with pytest.raises(frame_store.FrameStoreError, match="with another versions"):
        make()


# As a library


def test_ctrl_c_is_not_swallowed_by_a_loop_over_errors(net, photo):
    def interrupt(_):
        raise KeyboardInterrupt

    def loop():
        for each in (photo, photo):
            try:
                dreamkit.dream(each, net, on_step=interrupt, **OPTIONS)
            except DreamkitError:
                continue

    with pytest.raises(Interrupted) as caught:
        loop()
    assert caught.value.pixels.shape == photo.shape
    assert caught.value.state is not None
    assert isinstance(caught.value, KeyboardInterrupt)


def test_the_earlier_name_of_a_model_spec_still_works():
    with pytest.warns(DeprecationWarning, match=r"dreamkit.Share is called dreamkit.ModelSpec now"):
        assert dreamkit.Share is dreamkit.ModelSpec


PROGRAM = """
import gc, os
before = dict(os.environ)
import dreamkit
dreamkit.dream(None, "pocket", size=48, octaves=1, steps=1)
print(sorted(set(os.environ.items()) - set(before.items()) - {("TF2_BEHAVIOR", "1")}))
print(gc.isenabled(), gc.get_freeze_count())
"""


@pytest.mark.heavy
def test_a_program_that_dreams_keeps_its_environment_and_its_collector():
    command = [sys.executable, "-c", PROGRAM]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=clean())
    changed, collector = run.stdout.splitlines()
    assert not any(name in changed for name in process._ENVIRONMENT)
    assert collector == "True 0"


def clean():
    """The environment without what this process has of its own."""
    return {name: value for name, value in os.environ.items() if name not in process._ENVIRONMENT}


def test_a_request_refuses_by_name(net, tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('wrap = "both"\n[[timeline]]\nat = 0\n')
    request = without_image(net, recipe=path)
    with pytest.raises(
        ConfigError, match=r"r\.toml has a timeline, which a picture cannot follow; leave it out"
    ):
        request.refuse("a picture", "timeline")
    with pytest.raises(ConfigError, match="wrap is both, which a zoom cannot do; set it to none"):
        request.refuse("a zoom", "wrap")
    request.refuse("a film", "guide", "masks", "upscale")


def test_config_and_options_together():
    request = without_image("pocket", config=DreamConfig(steps=3, octaves=2), octaves=4)
    assert (request.config.steps, request.config.octaves) == (3, 4)

"""The plugin's table of networks, and its providers before and after a conversion."""

from __future__ import annotations

import dreamkit_places365
import pytest
from dreamkit_places365.networks import NETWORKS, PREPROCESS, categories

from dreamkit.models import converted


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path))


def providers():
    return {each.name: each for each in dreamkit_places365.dreamkit_model_providers()}


def test_there_are_365_kinds_of_places():
    names = categories()
    assert len(names) == len(set(names)) == 365
    assert names[0] == "airfield"
    assert names[-1] == "zen garden"
    assert all(name == name.strip() and name for name in names)


def test_addresses_point_to_the_release():
    googlenet = NETWORKS[0]
    assert googlenet.prototxt.endswith("/CSAILVision/places365/master/deploy_googlenet_places365.prototxt")
    assert googlenet.caffemodel == (
        "http://places2.csail.mit.edu/models_places365/googlenet_places365.caffemodel"
    )


def test_each_network_has_its_own_setup_command():
    found = providers()
    assert set(found) == {f"places365_{network.name}" for network in NETWORKS}
    for network in NETWORKS:
        provider = found[f"places365_{network.name}"]
        assert provider.setup == f"python -m dreamkit_places365 {network.name}"
        assert provider.preprocess == PREPROCESS
        assert "CC BY" in provider.licence


def test_a_converted_network_needs_no_setup(tmp_path):
    home = dreamkit_places365.folder(NETWORKS[0])
    home.mkdir(parents=True)
    (home / converted.RECORD).write_text(
        '{"format": 1, "description": "d", "licence": "l", "layers": {"a/b": 1.0}, "min_size": 7, '
        '"sources": {}, "files": {}, '
        '"preprocess": {"order": "BGR", "mean": [1, 2, 3], "scale": [1, 1, 1]}, '
        '"blobs": {"a/b": {"channels": 4, "stride": 2, "min_size": 7}}}'
    )
    provider = providers()["places365_googlenet"]
    assert provider.setup == ""
    assert provider.layers == {"a/b": 1.0}
    saved = provider.load(None)
    assert saved.path == home / converted.SAVED_MODEL
    assert saved.min_sizes == {"a/b": 7}


def test_a_damaged_record_does_not_affect_the_other_networks(tmp_path):
    home = dreamkit_places365.folder(NETWORKS[1])
    home.mkdir(parents=True)
    (home / converted.RECORD).write_text("{")
    provider = providers()["places365_alexnet"]
    assert provider.setup == "python -m dreamkit_places365 alexnet --overwrite"
    assert len(providers()) == len(NETWORKS)

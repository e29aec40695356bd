"""What tells networks apart: weights, code and versions; and what no file can tell."""

from __future__ import annotations

import importlib
import os
from functools import partial
from pathlib import Path

import pytest
import tiny

import dreamkit
from dreamkit import Preprocess
from dreamkit.engine.tf import cache_key
from dreamkit.models import inception_v3, pocket


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules, with a network's functions in it."""
    folder = tmp_path / "strangers_network"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "plan.py").write_text(
        "def load(weights, width=3):\n    pass\n\ndef see(pixels):\n    return pixels\n"
    )
    (folder / "layers.py").write_text("WIDTH = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("strangers_network.plan"), folder
    for name in ("strangers_network.plan", "strangers_network"):
        del cache_key.sys.modules[name]


def of(load, preprocess=Preprocess(), digest="", **changes):  # noqa: B008
    return cache_key.cache_key(tiny.provider(load=load, preprocess=preprocess, **changes), digest)


def provider_of(module):
    provider, *_ = module.dreamkit_model_providers()
    return provider


def test_the_same_again_is_the_same(package):
    plan, _ = package
    assert of(plan.load, plan.see, "abc") == of(plan.load, plan.see, "abc")


def test_whatever_changes_the_network_changes_it(package, monkeypatch):
    plan, folder = package
    seen = [of(plan.load, plan.see, "abc"), of(plan.load, plan.see), of(plan.load, plan.see, "abd")]
    seen.append(of(plan.load, digest="abc"))
    seen.append(of(plan.load, plan.see, "abc", name="b"))
    seen.append(of(partial(plan.load, width=4), plan.see, "abc"))
    seen.append(of(partial(plan.load, width=5), plan.see, "abc"))
    seen.append(of(plan.load, Preprocess(mean=(1, 2, 3)), "abc"))
    (folder / "layers.py").write_text("WIDTH = 5\n")  # another file of the package, as long as before
    os.utime(folder / "layers.py", (1, 1))
    seen.append(of(plan.load, plan.see, "abc"))
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    seen.append(of(plan.load, plan.see, "abc"))
    monkeypatch.setattr(cache_key, "version", lambda package: "9.9")
    seen.append(of(plan.load, plan.see, "abc"))
    assert None not in seen
    assert len(set(seen)) == len(seen)


def test_what_is_no_source_changes_nothing(package):
    plan, folder = package
    before = of(plan.load, plan.see, "abc")
    for name in ("web/node_modules/gyp/build.py", "node_modules/a.js", "__pycache__/plan.pyc", ".git/index"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)  # Python may have made `__pycache__`
        path.write_text("another")
    assert of(plan.load, plan.see, "abc") == before
    (folder / "data").mkdir()
    (folder / "data" / "mean.npz").write_bytes(b"numbers")  # which a network may be computed with
    assert of(plan.load, plan.see, "abc") != before


def test_of_dreamkit_code_and_weights_count_alone():
    files = set(cache_key._files(dreamkit))
    root = Path(dreamkit.__file__).parent
    assert {root / "api.py", root / "models" / "pocket.npz"} <= files
    assert {path.suffix for path in files} == {".py", ".npz", ".step"}
    assert not any("node_modules" in path.parts for path in files)


def test_what_a_file_does_not_tell_is_told_of_as_nothing(package):
    plan, _ = package
    held = 3

    def inner(weights):
        return held

    class Loader:
        def load(self, weights):
            pass

        __call__ = load

    for load in (inner, lambda weights: None, Loader().load, Loader(), partial(inner), print):
        assert of(load) is None
        assert of(plan.load, load) is None


def test_a_module_without_a_file_tells_nothing(package, monkeypatch):
    plan, _ = package
    monkeypatch.setattr(plan.load, "__module__", "nowhere")
    assert of(plan.load) is None


@pytest.mark.parametrize("module", [pocket, inception_v3], ids=lambda module: module.__name__)
def test_what_dreamkit_carries_can_be_told(module):
    assert cache_key.cache_key(provider_of(module), "abc")

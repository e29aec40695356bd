"""Plugins: third parties are left alone until they are needed, and a broken one harms nobody.

The fake ones lie in data/fake-plugins as if they were installed, and are found in the ordinary way.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import warnings
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dreamkit.errors import DreamkitWarning, ModelError
from dreamkit.models.providers import ModelProvider, Preprocess, SavedModel, Weights
from dreamkit.models.registry import Registry

FAKES = Path(__file__).parent / "data" / "fake-plugins"

# What is said of each broken plugin.
FAILURES = {
    "fake-absent": "failed: ModuleNotFoundError: No module named 'fake_absent'",
    "fake-bad-record": "failed: ValueError: provider name 'a b': letters, digits, '.', '_' and '-' only",
    "fake-exits": "failed: SystemExit: goodbye",
    "fake-half": "failed: RuntimeError: no second model",
    "fake-import-error": "failed: ModuleNotFoundError: No module named 'a_module_that_is_nowhere'",
    "fake-inception": "model 'inception_v3' is already provided by deepdreamkit; that one is used",
    "fake-misspelt": "failed: PluginValidationError: unknown hook 'dreamkit_models'",
    "fake-raises": "failed: RuntimeError: the first line",
    "fake-returns-none": "failed: TypeError: ",
    "fake-returns-object": "failed: TypeError: its hook returned {'name': 'fake_model'}, not a ModelProvider",
    "fake-returns-text": "failed: TypeError: its hook returned",
    "fake-signature": "failed: PluginValidationError: ",
    "fake-taker": "model 'fake_good' is already provided by dreamkit-fake-good; that one is used",
    "fake-unmarked": "failed: TypeError: it does not implement a hook",
}
MODELS = {"fake_good", "fake_half", "fake_inception", "fake_taker"}


@pytest.fixture(autouse=True)
def _fakes_are_installed(monkeypatch):
    monkeypatch.syspath_prepend(str(FAKES))
    yield
    for name in [name for name in sys.modules if name.startswith("fake_")]:
        del sys.modules[name]


def installed(*names):
    """The entry points of the fake plugins called `names`; of all where none is named."""
    return [
        found
        for found in entry_points(group="dreamkit")
        if (found.name in names if names else found.name.startswith("fake-"))
    ]


def listed(registry):
    """The names of all third-party models, and the warnings that were heard."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        models = {
            provider.name
            for provider, plugin in registry.providers()
            if plugin.distribution != "deepdreamkit"
        }
    return models, heard


def plugin(registry, name):
    (found,) = [plugin for plugin in registry.plugins if plugin.name == name]
    return found


def test_all_fakes_are_found():
    assert {found.name for found in installed()} == {"fake-good", *FAILURES}


# Third parties are left alone


class Untouchable(EntryPoint):
    """An entry point that tells when it is loaded."""

    def load(self):
        raise AssertionError("a third party was loaded")


def test_a_built_in_model_needs_no_third_party():
    registry = Registry([Untouchable("other", "other_module", "dreamkit")])
    assert registry.provider("inception_v3").name == "inception_v3"
    assert [plugin.name for plugin in registry.plugins] == ["dreamkit"]
    with (
        pytest.warns(
            DreamkitWarning, match="plugin other_module failed: AssertionError: a third party was loaded"
        ),
        pytest.raises(ModelError),
    ):
        registry.provider("another")


def test_a_built_in_model_imports_no_plugin():
    Registry().provider("inception_v3")
    assert not [name for name in sys.modules if name.startswith("fake_")]


def test_the_built_ins_are_a_plugin_of_their_own():
    built_in = Registry([]).plugins[0]
    assert (built_in.name, built_in.distribution, built_in.failure) == ("dreamkit", "deepdreamkit", "")
    assert "inception_v3" in built_in.models


# Good plugins


def test_an_installed_plugin_is_found():
    registry = Registry(installed("fake-good"))
    assert registry.provider("fake_good").layers == {"only": 1.0}
    good = plugin(registry, "fake-good")
    assert (good.distribution, good.version) == ("dreamkit-fake-good", "2.0")
    assert good.models == ["fake_good"]
    assert good.failure == ""


def test_all_models_are_listed_built_ins_first():
    with pytest.warns(DreamkitWarning):
        found = [
            (plugin.distribution, provider.name) for provider, plugin in Registry(installed()).providers()
        ]
    built_in = [name for distribution, name in found if distribution == "deepdreamkit"]
    third_party = [name for distribution, name in found if distribution != "deepdreamkit"]
    assert [name for _, name in found] == sorted(built_in) + sorted(third_party)
    assert "inception_v3" in built_in
    assert set(third_party) == MODELS


def test_plugins_are_loaded_once():
    registry = Registry(installed())
    first, heard = listed(registry)
    plugins = [dataclasses.replace(plugin) for plugin in registry.plugins]
    assert heard
    again, heard = listed(registry)
    assert again == first
    assert not heard
    assert registry.plugins == plugins


# Broken plugins


@pytest.mark.parametrize(("name", "failure"), FAILURES.items(), ids=FAILURES)
def test_a_broken_plugin_costs_one_warning_and_nothing_else(name, failure):
    registry = Registry()
    models, heard = listed(registry)
    assert models >= MODELS
    (warned,) = [str(line.message) for line in heard if f"plugin dreamkit-{name} " in str(line.message)]
    assert all(line.category is DreamkitWarning for line in heard)
    assert warned.startswith(f"plugin dreamkit-{name} {failure}")
    assert warned.endswith(f"(to remove it: pip uninstall dreamkit-{name})")
    assert "\n" not in warned
    assert plugin(registry, name).failure.startswith(failure)
    assert "\n" not in plugin(registry, name).failure


def test_there_are_as_many_warnings_as_broken_plugins():
    _, heard = listed(Registry(installed()))
    assert len(heard) == len(FAILURES)


@pytest.mark.parametrize("name", FAILURES)
def test_a_broken_plugin_alone_leaves_the_built_ins(name):
    registry = Registry(installed(name))
    with pytest.warns(DreamkitWarning) as heard, pytest.raises(ModelError, match="there is no model 'none'"):
        registry.provider("none")
    assert len(heard) == 1
    assert registry.provider("inception_v3").name == "inception_v3"


def test_a_hook_that_returns_no_list_is_told_what_to_return():
    registry = Registry(installed("fake-returns-none", "fake-returns-text"))
    _, heard = listed(registry)
    for line in heard:
        assert "ModelProvider" in str(line.message)


def test_what_a_plugin_yields_before_it_breaks_is_kept():
    registry = Registry(installed("fake-half"))
    with pytest.warns(DreamkitWarning):
        assert registry.provider("fake_half").name == "fake_half"
    assert plugin(registry, "fake-half").models == ["fake_half"]


def test_a_built_in_name_cannot_be_taken():
    built_in = Registry([]).provider("inception_v3")
    registry = Registry(installed("fake-inception"))
    listed(registry)
    assert registry.provider("inception_v3") == built_in
    assert plugin(registry, "fake-inception").models == ["fake_inception"]


def test_the_name_of_another_plugins_model_cannot_be_taken():
    registry = Registry(reversed(installed("fake-good", "fake-taker")))
    _, heard = listed(registry)
    assert len(heard) == 1
    assert registry.provider("fake_good").layers == {"only": 1.0}
    assert plugin(registry, "fake-good").models == ["fake_good"]
    assert plugin(registry, "fake-taker").models == ["fake_taker"]


def test_every_failure_of_a_plugin_is_kept_though_one_is_warned_of():
    registry = Registry(installed("fake-good", "fake-taker"))
    _, heard = listed(registry)
    assert len(heard) == 1
    assert plugin(registry, "fake-taker").failure == (
        "model 'fake_good' is already provided by dreamkit-fake-good; that one is used; "
        "model 'inception_v3' is already provided by deepdreamkit; that one is used"
    )


class Interrupted(EntryPoint):
    def load(self):
        raise KeyboardInterrupt


def test_ctrl_c_is_no_failure_of_a_plugin():
    registry = Registry([Interrupted("other", "other_module", "dreamkit")])
    with pytest.raises(KeyboardInterrupt):
        list(registry.providers())


@pytest.mark.parametrize(
    "value", ["nowhere", "json:nothing", "json:decoder.nothing", "not an entry point", ""]
)
def test_an_entry_point_that_leads_nowhere_costs_one_warning(value):
    registry = Registry([EntryPoint("other", value, "dreamkit"), *installed("fake-good")])
    models, heard = listed(registry)
    assert models == {"fake_good"}
    assert len(heard) == 1
    assert heard[0].category is DreamkitWarning


def test_a_distribution_that_lost_its_metadata_harms_nobody(tmp_path, monkeypatch):
    left_over = tmp_path / "dreamkit_left_over-1.0.dist-info"
    left_over.mkdir()
    (left_over / "entry_points.txt").write_text("[dreamkit]\nleft-over = left_over_module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry(installed("left-over", "fake-good"))
    models, heard = listed(registry)
    assert models == {"fake_good"}
    (warned,) = [str(line.message) for line in heard if line.category is DreamkitWarning]
    assert "left_over_module" in warned


# Unknown models


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("inception_v4", "did you mean inception_v3"),
        ("inception", "did you mean .*inception_v3"),
        ("fake_goood", "did you mean fake_good"),
        ("qqq", "choose from pocket, pocket1, inception5h, inception_v3, fake_good"),
        ("", "choose from"),
    ],
)
def test_an_unknown_model_suggests_a_near_miss(name, suggested):
    with pytest.raises(ModelError, match=f"there is no model '{name}'; {suggested}") as refused:
        Registry(installed("fake-good")).provider(name)
    assert "\n" not in str(refused.value)


# The records that plugins hand over

WEIGHTS = {"url": "https://example.org/a.h5", "hash": "md5:" + "0" * 32, "file_name": "a.h5"}
PROVIDER = {"name": "tiny", "load": lambda _: None, "preprocess": Preprocess(), "layers": {"mixed4": 1.0}}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a"),
        ("name", "VGG-16.v2_x"),
        ("name", "0"),
        ("preprocess", lambda pixels: pixels),
        ("layers", {}),
        ("layers", {"a": 1, "b": -0.5}),
        ("weights", Weights(**WEIGHTS)),
        ("min_size", 1),
        ("min_size", 75),
    ],
)
def test_a_provider_that_makes_sense_is_taken(field, value):
    assert getattr(ModelProvider(**{**PROVIDER, field: value}), field) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("name", name)
            for name in ["", " ", "a b", "-a", ".a", "_a", "a/b", "a\n", "ä", "a,b", "a=b", None, 7]
        ),
        *(("load", load) for load in [None, "load", 7]),
        *(("preprocess", preprocess) for preprocess in [None, "RGB", (0, 1)]),
        *(("layers", layers) for layers in [None, "mixed4", ["mixed4"], {"mixed4"}, 1]),
        *(("layers", {"a": weight}) for weight in [math.nan, math.inf, -math.inf, "1", None, [1]]),
        *(("layers", {layer: 1.0}) for layer in [None, 1, ("a",)]),
        *(("weights", weights) for weights in ["https://example.org/a.h5", WEIGHTS, b"a.h5"]),
        *(("min_size", size) for size in [0, -1, 1.5, "75", None, True, math.nan]),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_provider_that_makes_no_sense_is_refused(field, value):
    with pytest.raises(ValueError, match=field) as refused:
        ModelProvider(**{**PROVIDER, field: value})
    if field != "name":
        assert "tiny" in str(refused.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "http://127.0.0.1:80/a.h5"),
        ("hash", "sha256:" + "0123456789abcdef" * 4),
        ("file_name", "a-b.c_d.weights.h5"),
    ],
)
def test_weights_that_make_sense_are_taken(field, value):
    assert getattr(Weights(**{**WEIGHTS, field: value}), field) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("url", url)
            for url in ["", "ftp://example.org/a.h5", "file:///etc/passwd", "example.org/a.h5", "a.h5"]
        ),
        *(("hash", digest) for digest in ["", "0" * 32, "md5:", "md5:" + "0" * 31, "md5:" + "0" * 33]),
        *(("hash", digest) for digest in ["md5:" + "0" * 64, "sha256:" + "0" * 32, "sha1:" + "0" * 40]),
        *(("hash", digest) for digest in ["md5:" + "A" * 32, "md5:" + "g" * 32, "MD5:" + "0" * 32]),
        *(("hash", digest) for digest in ["md5:" + "0" * 32 + "\n", " md5:" + "0" * 32]),
        *(
            ("file_name", name)
            for name in ["", ".", "..", ".hidden", "a/b.h5", "../a.h5", "/a.h5", "a\\b.h5", "a b.h5"]
        ),
        *(("file_name", name) for name in ["a.h5\n", "a\0.h5", "C:a.h5"]),
    ],
    ids=repr,
)
def test_weights_that_make_no_sense_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is "):
        Weights(**{**WEIGHTS, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("order", order) for order in ["", "rgb", "RBG", "GRB", None, 3]),
        *((name, value) for name in ("mean", "scale") for value in [(), (1.0, 2.0), (1.0, 2.0, 3.0, 4.0)]),
        *((name, value) for name in ("mean", "scale") for value in [(0, 0, math.nan), (0, math.inf, 0)]),
        *(
            (name, value)
            for name in ("mean", "scale")
            for value in [1.0, None, "abc", ("a", "b", "c"), (None, 1, 1)]
        ),
    ],
    ids=repr,
)
def test_a_preprocess_that_makes_no_sense_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is "):
        Preprocess(**{field: value})


@pytest.mark.parametrize(
    "made",
    [Preprocess(), SavedModel(path=Path("a"), outputs={}), Weights(**WEIGHTS), ModelProvider(**PROVIDER)],
    ids=lambda made: type(made).__name__,
)
def test_records_cannot_be_changed(made):
    field = dataclasses.fields(made)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, field, getattr(made, field))


# What a network eats

channels = st.tuples(*[st.floats(-300, 300)] * 3)
pixels = arrays.arrays(
    st.sampled_from([np.float64, np.float32, np.uint8]),
    arrays.array_shapes(min_dims=0, max_dims=3, max_side=4).map(lambda shape: (*shape, 3)),
    elements=st.integers(0, 255),
)


@given(pixels, st.sampled_from(["RGB", "BGR"]), channels, channels)
def test_each_channel_is_shifted_and_scaled_in_the_networks_order(pixels, order, mean, scale):
    before = pixels.copy()
    eaten = Preprocess(order=order, mean=mean, scale=scale)(pixels)
    assert eaten.shape == pixels.shape
    for place, colour in enumerate(order):
        channel = pixels[..., "RGB".index(colour)].astype(np.float64)
        np.testing.assert_allclose(
            eaten[..., place], (channel - mean[place]) * scale[place], rtol=1e-6, atol=1e-3
        )
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize(
    ("preprocess", "eaten"),
    [
        (Preprocess(), [10, 20, 30]),
        (Preprocess(order="BGR"), [30, 20, 10]),
        (Preprocess(mean=(1, 2, 3)), [9, 18, 27]),
        (Preprocess(scale=(1, 0.5, 2)), [10, 10, 60]),
        (Preprocess("BGR", (1, 2, 3), (1, 0.5, 2)), [29, 9, 14]),
        (Preprocess(mean=(127.5,) * 3, scale=(1 / 127.5,) * 3), [-0.921569, -0.843137, -0.764706]),
    ],
)
def test_preprocess_by_hand(preprocess, eaten):
    np.testing.assert_allclose(preprocess(np.array([10, 20, 30], np.uint8)), eaten, rtol=1e-5)


def test_mean_and_scale_become_floats():
    made = Preprocess(mean=[1, np.float32(2), 3], scale=np.array([1, 2, 3]))
    assert made == Preprocess(mean=(1.0, 2.0, 3.0), scale=(1.0, 2.0, 3.0))
    assert {type(value) for value in made.mean + made.scale} == {float}

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

import dreamkit_keras_applications as plugin
import h5py
import keras
import numpy as np
import pytest
from keras.src.applications import resnet
from keras.src.applications.nasnet import NASNet
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils import file_utils

from dreamkit import ModelProvider, Preprocess
from dreamkit.models.registry import Registry

T = TypeVar("T")

PROVIDERS = {provider.name: provider for provider in plugin.dreamkit_model_providers()}
FUNCTIONS = {network.name: network.function for network in plugin.NETWORKS}
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")

# One of each kind is built in every run; the others differ in numbers, or take long.
LIGHT = ("vgg16", "mobilenet", "mobilenet_v3_small", "efficientnet_b0", "efficientnetv2_b0", "convnext_tiny")

# Keras takes the weights of these as they come.
UNHASHED = ("mobilenet", "mobilenet_v2")

every_provider = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)


class Built(NamedTuple):
    provider: ModelProvider
    model: Any


@pytest.fixture(
    scope="module",
    params=[name if name in LIGHT else pytest.param(name, marks=pytest.mark.heavy) for name in PROVIDERS],
)
def built(request: pytest.FixtureRequest) -> Built:
    """Each network in turn, without weights; pytest runs all tests of one before it builds the next."""
    provider = PROVIDERS[request.param]
    return Built(provider, in_fresh_thread(lambda: provider.load(None)))


def in_fresh_thread(work: Callable[[], T]) -> T:
    """What `work` returns where Keras has named nothing yet: it counts automatic names for each thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def keras_function(provider: ModelProvider) -> Callable[..., Any]:
    return getattr(keras.applications, FUNCTIONS[provider.name])


def keras_module(provider: ModelProvider) -> ModuleType:
    return importlib.import_module(keras_function(provider).__module__)


def random_pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, shape)


def test_every_network_of_keras_applications_is_offered() -> None:
    offered_by_keras = {name for name, value in vars(keras.applications).items() if inspect.isfunction(value)}
    assert set(FUNCTIONS.values()) == offered_by_keras - {"InceptionV3"}
    assert len(PROVIDERS) == len(plugin.NETWORKS)


def test_importing_the_plugin_imports_no_keras() -> None:
    code = (
        "import sys, dreamkit_keras_applications as plugin; list(plugin.dreamkit_model_providers());"
        "sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(plugin.__file__).parent)


def test_dreamkit_finds_the_networks() -> None:
    entry_point = EntryPoint("keras_applications", "dreamkit_keras_applications", "dreamkit")
    registry = Registry(third_party=[entry_point])
    assert registry.provider("vgg16").name == "vgg16"
    assert set(PROVIDERS) < {provider.name for provider, _ in registry.providers()}


@every_provider
def test_pixels_are_prepared_as_keras_prepares_them(provider: ModelProvider) -> None:
    pixels = random_pixels(1, 9, 7, 3)
    theirs = keras_module(provider).preprocess_input(pixels.copy())
    np.testing.assert_allclose(provider.preprocess(pixels), theirs, rtol=1e-5)


@every_provider
def test_weights_are_those_in_keras_source(provider: ModelProvider) -> None:
    source = inspect.getsource(keras_module(provider))
    if FUNCTIONS[provider.name].startswith("ResNet"):
        source = inspect.getsource(resnet)
    digest = provider.weights.hash.partition(":")[2]
    folder = provider.weights.url.removeprefix("https://").rpartition("/")[0].split("/")
    assert all(part in source for part in folder)
    assert (digest in source) == (provider.name not in UNHASHED)


@every_provider
def test_the_readme_lists_the_network(provider: ModelProvider) -> None:
    layers = ", ".join(f"`{layer}`" for layer in provider.layers)
    row = f"| `{provider.name}` | `{FUNCTIONS[provider.name]}` | {layers} | {provider.min_size} |"
    assert row in re.sub(" +", " ", README)


def test_default_layers_can_be_dreamed(built: Built) -> None:
    for name in built.provider.layers:
        layer = built.model.get_layer(name)
        assert len(layer.output.shape) == 4
        # A layer that is used twice has no one output.
        assert len(layer._inbound_nodes) == 1


def test_the_smallest_picture_passes_through_every_layer(built: Built) -> None:
    outputs = [layer.output for layer in built.model.layers if not isinstance(layer, keras.layers.InputLayer)]
    network = keras.Model(built.model.inputs, outputs)
    least = built.provider.min_size
    for height, width in [(least, least), (least + 1, least + 2)]:
        activations = network([np.zeros((1, height, width, 3), np.float32)])
        assert all(0 not in activation.shape for activation in activations)


def test_preprocessing_inside_the_network_is_there(built: Built) -> None:
    kinds = (keras.layers.Rescaling, keras.layers.Normalization)
    assert any(isinstance(layer, kinds) for layer in built.model.layers) == (
        built.provider.preprocess == Preprocess()
    )


def test_the_network_is_keras_own_with_weights_from_imagenet(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of what Keras would download, it and the plugin are given a file with random weights."""
    provider, ours = built
    path = tmp_path / provider.weights.file_name
    write_random_weights(ours, path)
    ours.load_weights(str(path))
    asked = {}

    def get_file(fname: str, origin: str, **options: Any) -> str:
        asked.update(file_name=fname, url=origin, hash=options.get("file_hash"))
        return str(path)

    monkeypatch.setattr(file_utils, "get_file", get_file)
    # NASNet needs a size to be built for. Mobile networks warn where they are not built for 224 pixels.
    shape = (331, 331, 3) if provider.name == "nasnet_large" else (224, 224, 3)
    theirs = in_fresh_thread(
        lambda: keras_function(provider)(include_top=False, weights="imagenet", input_shape=shape)
    )
    path.unlink()  # up to 1.4 GB, and pytest would keep it

    weights = provider.weights
    assert asked["file_name"] == weights.file_name
    assert asked["url"] == weights.url
    assert asked["hash"] == (None if provider.name in UNHASHED else weights.hash.partition(":")[2])
    # All but the input, which is no layer to dream.
    assert [layer.name for layer in ours.layers[1:]] == [layer.name for layer in theirs.layers[1:]]

    pixels = random_pixels(1, *shape).astype(np.float32)
    expected = theirs(keras_module(provider).preprocess_input(pixels.copy())).numpy()
    result = ours(provider.preprocess(pixels).astype(np.float32)).numpy()
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def write_random_weights(model: Any, path: Path) -> None:
    """Writes weights in the layout of the published files.

    Kernels stay as they were initialised, which keeps activations in range; biases and statistics,
    which begin as zeros and ones, are made to matter.
    """
    random = np.random.default_rng(0)
    model.set_weights(
        [random.uniform(0.5, 1.5, array.shape) if array.ndim == 1 else array for array in model.get_weights()]
    )
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


def test_weights_are_read_from_the_file_given(tmp_path: Path) -> None:
    provider = PROVIDERS["mobilenet_v3_small"]
    path = tmp_path / provider.weights.file_name
    written = provider.load(None)
    write_random_weights(written, path)
    for read, expected in zip(provider.load(path).get_weights(), written.get_weights(), strict=True):
        np.testing.assert_array_equal(read, expected)


def test_nasnet_of_any_size_is_nasnet_of_each_size() -> None:
    """Keras pads by the size it builds for; 94 and 224 pixels differ in where a stride meets even rows."""
    plan = {"penultimate_filters": 96, "num_blocks": 1, "stem_block_filters": 8, "include_top": False}
    any_size = plugin._any_size(NASNet(**plan, weights=None, input_shape=(224, 224, 3)))
    fixed = NASNet(**plan, weights=None, input_shape=(94, 94, 3))
    fixed.set_weights(any_size.get_weights())
    pixels = random_pixels(1, 94, 94, 3).astype(np.float32) / 255
    np.testing.assert_allclose(any_size(pixels), fixed(pixels), rtol=1e-4, atol=1e-5)

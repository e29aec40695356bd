"""Compares the browser's gradients with TensorFlow's, for each operation and for whole networks.

WebAssembly and plain JavaScript run in Node; WebGPU runs in Chromium, which emulates a graphics card.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import dreamkit
from browser import compare, npm, skip_without_node, write_case
from dreamkit import ModelProvider, Preprocess
from dreamkit.engine.tf import network

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

_PREPROCESS = Preprocess(order="BGR", mean=(100.0, 110.0, 120.0), scale=(0.02, 0.03, 0.025))


def _picture(height, width):
    with Image.open("docs/pictures/chelsea.jpg") as image:
        return np.asarray(image.convert("RGB"))[40 : 40 + height, 100 : 100 + width]


@pytest.fixture(autouse=True)
def _node():
    skip_without_node()


def _layers():
    from keras import layers

    return layers


def _convolution(**options):
    def build(x):
        filters, size = options.pop("filters", 6), options.pop("size", 3)
        return _layers().Conv2D(filters, size, bias_initializer="random_normal", **options)(x)

    return build


def _depthwise(**options):
    return lambda x: _layers().DepthwiseConv2D(
        options.pop("size", 3), bias_initializer="random_normal", **options
    )(_convolution(activation="tanh")(x))


def _pooled(kind, **options):
    return lambda x: getattr(_layers(), kind)(**options)(_convolution()(x))


def _activation(name):
    return lambda x: _layers().Activation(name)(_pooled("MaxPooling2D", pool_size=1)(x))


def _binary(kind):
    return lambda x: getattr(_layers(), kind)()([_convolution()(x), _convolution(activation="tanh")(x)])


def _lambda(function):
    return lambda x: _layers().Lambda(function)(_convolution(activation="tanh")(x))


def _squeeze_and_excite(x):
    y = _convolution(activation="relu")(x)
    scale = _layers().GlobalAveragePooling2D()(y)
    scale = _layers().Reshape((1, 1, 6))(scale)
    return _layers().Multiply()([y, _layers().Conv2D(6, 1, activation="sigmoid")(scale)])


def _kernel(inputs, outputs):
    return np.random.default_rng(3).normal(0, 0.3, (3, 3, inputs, outputs)).astype(np.float32)


def _split(tf):
    return lambda t: tf.concat(
        [tf.nn.relu(part) * (i + 1) for i, part in enumerate(tf.split(t, 3, axis=3))], 3
    )


def _after(channels, build):
    """What `build` adds to a map of this many channels that ends with a ReLU."""
    return lambda x: build(_convolution(filters=channels, activation="relu")(x))


def _builders():
    import tensorflow as tf

    convolutions = {
        f"conv {size} stride {stride} {padding}": _convolution(size=size, strides=stride, padding=padding)
        for size, stride, padding in [
            (3, 1, "same"), (3, 1, "valid"), (3, 2, "same"), (3, 2, "valid"), (1, 1, "same"), (1, 2, "same"),
            (7, 2, "same"), (4, 2, "same"), (2, 1, "same"), (5, 3, "valid"), ((1, 7), 1, "same"),
            ((3, 5), (2, 1), "same"),
        ]
    }  # fmt: skip
    depthwise = {
        f"depthwise {size} stride {stride} {padding}": _depthwise(size=size, strides=stride, padding=padding)
        for size, stride, padding in [(3, 1, "same"), (3, 2, "same"), (5, 2, "valid"), (3, 2, "valid")]
    }
    # Four channels are computed at a time where they are a multiple of four, and up to 32 by one workgroup.
    gated = {
        f"conv {channels} to {filters} channels stride {stride} {padding}": _after(
            channels, _convolution(filters=filters, strides=stride, padding=padding, activation="relu")
        )
        for channels, filters in [(8, 20), (5, 7), (12, 72)]
        for stride, padding in [(1, "same"), (1, "valid"), (2, "same"), (2, "valid")]
    }
    pools = {
        f"{kind} {size} stride {stride} {padding}": _pooled(
            kind, pool_size=size, strides=stride, padding=padding
        )
        for kind in ("MaxPooling2D", "AveragePooling2D")
        for size, stride, padding in [(3, 2, "same"), (3, 2, "valid"), (2, 2, "valid"), (3, 1, "same")]
    }
    wide_pools = {
        f"{kind} of 8 channels {size} stride {stride} {padding}": _after(
            8,
            lambda x, kind=kind, size=size, stride=stride, padding=padding: getattr(_layers(), kind)(
                pool_size=size, strides=stride, padding=padding
            )(x),
        )
        for kind in ("MaxPooling2D", "AveragePooling2D")
        for size, stride, padding in [(3, 2, "same"), (2, 2, "valid"), (3, 1, "same")]
    }
    activations = {
        name: _activation(name) for name in ("relu", "relu6", "elu", "leaky_relu", "sigmoid", "tanh")
    }
    others = {
        "dilated conv": _lambda(lambda t: tf.nn.conv2d(t, _kernel(6, 4), 1, "SAME", dilations=2)),
        "fused relu": _convolution(activation="relu"),
        "fused relu6": lambda x: _layers().ReLU(6.0)(_convolution()(x)),
        "add": _binary("Add"),
        "subtract": _binary("Subtract"),
        "multiply": _binary("Multiply"),
        "concat": _binary("Concatenate"),
        "pad": lambda x: _layers().ZeroPadding2D(((1, 2), (3, 0)))(_convolution(activation="tanh")(x)),
        "squeeze and excite": _squeeze_and_excite,
        **{
            f"lrn {beta}": _lambda(
                lambda t, beta=beta: tf.nn.lrn(t, depth_radius=2, bias=1.0, alpha=0.5, beta=beta)
            )
            for beta in (0.5, 0.75, 0.9)
        },
        "lrn of 72 channels": _after(
            72, _lambda(lambda t: tf.nn.lrn(t, depth_radius=5, bias=2.0, alpha=0.1, beta=0.75))
        ),
        "split": _lambda(_split(tf)),
        "slice": _lambda(lambda t: t[..., 1:4]),
        "normalised": lambda x: _layers().BatchNormalization(
            gamma_initializer="random_normal",
            beta_initializer="random_normal",
            moving_mean_initializer="ones",
        )(_pooled("AveragePooling2D", pool_size=2)(x)),
    }
    return {**convolutions, **gated, **depthwise, **pools, **wide_pools, **activations, **others}


@pytest.fixture(scope="module")
def operation_cases(tmp_path_factory):
    """A folder with a case for each operation."""
    import keras

    folder = tmp_path_factory.mktemp("operations")
    keras.utils.set_random_seed(1)
    for number, (name, build) in enumerate(_builders().items()):

        def load(_, build=build):
            pixels = keras.Input((None, None, 3))
            return keras.Model(pixels, keras.layers.Activation("linear", name="end")(build(pixels)))

        provider = ModelProvider(name="one", load=load, preprocess=_PREPROCESS, layers={})
        # Odd and even sides, because their padding differs.
        picture = _picture(37 + number % 2, 41 + number % 3)
        write_case(network.load(provider, None), ["end"], picture, folder / name.replace("/", " "))
    return folder


def test_gradients_of_operations_agree_with_tensorflow(operation_cases):
    out = compare(operation_cases, "wasm cpu")
    names = [folder.name for folder in operation_cases.iterdir()]
    assert names
    assert all(f"{name} on {backend}" in out for name in names for backend in ("wasm", "cpu"))


@pytest.fixture(scope="module")
def webgpu_page(browser, tmp_path_factory):
    """Gives a function that measures how well a case's gradient on WebGPU agrees with TensorFlow's."""
    skip_without_node()
    folder = tmp_path_factory.mktemp("script")
    npm("gradients-page", "--", "--outDir", str(folder))
    page = browser.new_page()
    page.route("http://localhost/", lambda route: route.fulfill(body="", content_type="text/html"))
    cases = []
    page.route(
        "http://localhost/case/*",
        lambda route: route.fulfill(path=cases[-1] / route.request.url.rpartition("/")[2]),
    )
    page.goto("http://localhost/")
    if not page.evaluate("async () => Boolean(await navigator.gpu?.requestAdapter())"):
        pytest.skip("this Chromium has no WebGPU, not even in software")
    page.set_default_timeout(300_000)
    page.add_script_tag(path=folder / "gradients_page.js", type="module")
    page.wait_for_function("() => globalThis.agreementOf")

    def measure(case):
        cases.append(case)
        return page.evaluate("() => agreementOf('case')")

    yield measure
    page.close()


def _assert_agreement(found, case):
    print(f"{case.name} on webgpu: 1 - cosine {1 - found['cosine']:.1e}")
    assert found["tensors"] == 0, case.name
    assert 1 - found["cosine"] < 1e-8, case.name
    assert found["size"] == pytest.approx(1, abs=0.005), case.name
    assert [*found["objectives"], *found["meanSquares"]] == pytest.approx([1, 1], abs=5e-4), case.name


def test_gradients_on_webgpu_agree_with_tensorflow(operation_cases, webgpu_page):
    for case in sorted(operation_cases.iterdir()):
        _assert_agreement(webgpu_page(case), case)


def test_gradients_of_pocket_on_webgpu_agree_with_tensorflow(webgpu_page, tmp_path):
    """Maps of 48 pixels and fewer, and some hundred channels: workgroups of every size."""
    case = tmp_path / "pocket"
    write_case(dreamkit.load("pocket"), ["mixed4c"], _picture(95, 97), case)
    _assert_agreement(webgpu_page(case), case)


def test_gradients_of_networks_agree_with_tensorflow(tmp_path, inception_weights):
    pocket = dreamkit.load("pocket")
    for side in (256, 131):
        write_case(pocket, ["mixed3b", "mixed4c"], _picture(side, side), tmp_path / f"pocket {side}")
    real = dreamkit.load("inception_v3", inception_weights)
    write_case(real, ["mixed3", "mixed5"], _picture(224, 224), tmp_path / "InceptionV3")
    out = compare(tmp_path)
    assert all(f"{name} on wasm" in out for name in ["pocket 256", "pocket 131", "InceptionV3"])


@pytest.mark.parametrize(
    "names",
    [
        ["VGG16", "MobileNetV2"],
        pytest.param(["ResNet50V2", "EfficientNetB0", "DenseNet121"], marks=pytest.mark.long),
    ],
)
def test_gradients_of_applications_agree_with_tensorflow(tmp_path, names):
    import keras

    keras.utils.set_random_seed(2)
    for name in names:

        def load(_, name=name):
            return getattr(keras.applications, name)(include_top=False, weights=None)

        provider = ModelProvider(name=name.lower(), load=load, preprocess=_PREPROCESS, layers={})
        seeded = network.load(provider, None)
        layers = [seeded.at_depth(share) for share in (0.4, 0.8)]
        write_case(seeded, layers, _picture(117, 128), tmp_path / name)
    out = compare(tmp_path)
    assert all(f"{name} on wasm" in out for name in names)

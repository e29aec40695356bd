"""Networks as data: written and read again, cut, factorised, and refused where they are damaged."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.errors import ImageError
from dreamkit.models import architecture
from dreamkit.models.architecture import INPUT, Operation
from dreamkit.models.layers import ResponseNormalisation

SAME = {"stride": 1, "padding": "same"}
NORM = {"radius": 2, "bias": 2.0, "alpha": 0.1, "beta": 0.5}
OPERATIONS = [
    Operation("first", "convolution", (INPUT,), {"stride": 2, "padding": "valid"}),
    Operation("first_relu", "relu", ("first",)),
    Operation("pool", "max_pool", ("first_relu",), {"size": 3, "stride": 2, "padding": "same"}),
    Operation("norm", "response_normalisation", ("pool",), NORM),
    Operation("left", "convolution", ("norm",), SAME),
    Operation("mean", "average_pool", ("norm",), {"size": 3, "stride": 1, "padding": "same"}),
    Operation("join", "concatenate", ("left", "mean")),
    Operation("beside", "relu", ("first",)),
    Operation("last", "convolution", ("join",), SAME),
]  # fmt: skip


def arrays(seed=0):
    random = np.random.default_rng(seed)
    shapes = {
        "first/kernel": (3, 3, 3, 6),
        "first/bias": (6,),
        "left/down": (1, 1, 6, 3),
        "left/core": (3, 3, 3, 4),
        "left/up": (1, 1, 4, 8),
        "left/bias": (8,),
        "last/kernel": (1, 1, 14, 5),
    }
    return {key: random.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()}


def activations(operations, given, layers, pixels):
    model = architecture.model(operations, given, "it")
    outputs = [model.get_layer(name).output for name in layers]
    found = keras.Model(model.inputs[0], outputs)(pixels)
    return [each.numpy() for each in (found if isinstance(found, list | tuple) else [found])]


PIXELS = np.random.default_rng(1).standard_normal((2, 21, 26, 3)).astype(np.float32)


def test_operations_survive_json():
    assert architecture.from_json(architecture.to_json(OPERATIONS)) == OPERATIONS


def test_a_cut_is_what_its_layers_need_and_computes_the_same():
    assert [each.name for each in architecture.cut(OPERATIONS, ["left", "beside"])] == [
        *("first", "first_relu", "pool", "norm", "left", "beside"),
    ]
    assert architecture.cut(OPERATIONS, ["nothing"]) == []
    (whole,) = activations(OPERATIONS, arrays(), ["left"], PIXELS)
    (cut,) = activations(architecture.cut(OPERATIONS, ["left"]), arrays(), ["left"], PIXELS)
    np.testing.assert_array_equal(whole, cut)


def test_joins_are_where_branches_end():
    assert architecture.joins(OPERATIONS) == ["join"]


def test_a_factorised_convolution_is_the_product_of_its_factors():
    thin = arrays()
    down, core, up = (thin[f"left/{each}"] for each in architecture.FACTORS)
    whole = {key: array for key, array in thin.items() if not key.startswith("left/") or key == "left/bias"}
    whole["left/kernel"] = np.einsum("ir,hwrs,so->hwio", down[0, 0], core, up[0, 0])
    layers = ["left", "join", "last"]
    for own, other in zip(
        *(activations(OPERATIONS, of, layers, PIXELS) for of in (thin, whole)), strict=True
    ):
        np.testing.assert_allclose(own, other, atol=1e-4 * np.abs(other).max())


@pytest.mark.parametrize("kept", [("core",), ("down", "core"), ("core", "up"), ("up",)])
def test_any_of_the_factors_may_be_missing(kept):
    """A stride is that of the largest of them, once."""
    random = np.random.default_rng(0)
    shapes = {"down": (1, 1, 3, 2), "core": (3, 3, 2, 4), "up": (1, 1, 4, 5)}
    channels, given = 3, {}
    for each in kept:
        size, out = shapes[each][0], shapes[each][3]
        given[f"it/{each}"] = random.standard_normal((size, size, channels, out)).astype(np.float32)
        channels = out
    operations = [Operation("it", "convolution", (INPUT,), {"stride": 2, "padding": "same"})]
    (found,) = activations(operations, given, ["it"], PIXELS)
    assert found.shape == (2, 11, 13, channels)
    assert architecture.factors("it", given) == [f"it/{each}" for each in kept]


def test_the_shapes_that_are_told_are_those_of_what_is_computed():
    for side in (7, 8, 21, 64):
        model = architecture.model(OPERATIONS, arrays(), "it")
        free = keras.models.clone_model(
            model, input_tensors=keras.Input((side, side + 3, 3)), clone_function=lambda layer: layer
        )
        pixels = np.zeros((1, side, side + 3, 3), np.float32)
        assert free.output.shape[1:] == model(pixels).shape[1:], side


def test_response_normalisation_is_the_same_by_a_banded_matrix(monkeypatch):
    x = np.random.default_rng(0).standard_normal((1, 4, 5, 16)).astype(np.float32) * 30
    layer = ResponseNormalisation("it", 5, 2.0, 1e-2, 0.5)
    own = layer(x).numpy()
    padded = np.pad(np.square(x.astype(np.float64)), [(0, 0)] * 3 + [(5, 5)])
    sums = sum(padded[..., shift : shift + 16] for shift in range(11))
    np.testing.assert_allclose(own, x / np.sqrt(2 + 1e-2 * sums), atol=1e-4)
    monkeypatch.setattr(ResponseNormalisation, "banded", True)
    np.testing.assert_allclose(ResponseNormalisation("it", 5, 2.0, 1e-2, 0.5)(x).numpy(), own, atol=1e-4)


@given(seed=st.integers(0, 99), scale=st.sampled_from([1e-3, 1.0, 30.0]))
def test_what_is_written_is_read(tmp_path_factory, seed, scale):
    """In 16 bits as 16 bits are; the kernels in 8 bits within half a step of every channel's."""
    path = tmp_path_factory.mktemp("it") / "it.npz"
    given = {key: array * np.float32(scale) for key, array in arrays(seed).items()}
    given["last/kernel"][..., 2] = 0  # a channel of nothing
    architecture.write(path, OPERATIONS, given, coarse=["left", "last"])
    operations, found = architecture.read(path)
    assert operations == OPERATIONS
    assert found.keys() == given.keys()
    for key, array in given.items():
        assert found[key].dtype == np.float32
        assert found[key].shape == array.shape
        if key.startswith(("left", "last")) and array.ndim > 1:
            step = np.abs(array.reshape(-1, array.shape[-1])).max(0) / 127
            assert (np.abs(found[key] - array) <= 0.501 * step + 1e-12).all(), key
        else:
            np.testing.assert_array_equal(found[key], array.astype(np.float16).astype(np.float32))
    with np.load(path, allow_pickle=False) as file:
        assert file["left/core"].dtype == np.int8
        assert file["left/bias"].dtype == np.float16


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "it.npz"
    architecture.write(path, OPERATIONS, arrays())
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(ImageError, match="full"):
        architecture.write(path, OPERATIONS, arrays())
    assert path.read_bytes() == before


WRONG = [
    "", "{}", "3", "[]", "[3]", "null", '"text"', "[[1, 2, 3, 4]]", "[" * 100_000,
    '[["a", "relu", ["input"]]]',
    '[["a", "lstm", ["input"], {}]]',
    '[["a", "relu", [], {}]]',
    '[["a", "relu", ["b"], {}]]',
    '[["a", "relu", "input", {}]]',
    '[["a", "relu", [["input"]], {}]]',
    '[["input", "relu", ["input"], {}]]',
    '[["a", "relu", ["input"], {}], ["a", "relu", ["a"], {}]]',
    '[["a", "relu", ["input"], {"stride": 1}]]',
    '[["a", "relu", ["input"], 7]]',
    '[["a", "relu", ["input", "input"], {}]]',
    '[["a", "convolution", ["input"], {"stride": 1}]]',
    '[["a", "convolution", ["input"], {"stride": 0, "padding": "same"}]]',
    '[["a", "convolution", ["input"], {"stride": 1.5, "padding": "same"}]]',
    '[["a", "convolution", ["input"], {"stride": "1", "padding": "same"}]]',
    '[["a", "convolution", ["input"], {"stride": 1, "padding": "full"}]]',
    '[["a", "response_normalisation", ["input"], {"radius": 1, "bias": NaN, "alpha": 1, "beta": 1}]]',
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:40])
def test_what_is_no_architecture_is_a_value_error(text):
    with pytest.raises(ValueError, match="it is not an architecture"):
        architecture.from_json(text)


def test_missing_arrays_are_key_errors():
    given = arrays()
    del given["last/kernel"]
    with pytest.raises(KeyError, match="last/kernel"):
        architecture.model(OPERATIONS, given, "it")


SCALED = {"first/kernel": np.ones((3, 3, 3, 6), np.int8)}


def files(path):
    """Wrong files, by what is wrong."""
    operations = np.frombuffer(architecture.to_json(OPERATIONS).encode(), np.uint8)
    architecture.write(path, OPERATIONS, arrays())
    right = path.read_bytes()
    yield "empty", b""
    yield "text", b"no zip"
    yield "cut short", right[: len(right) // 2]
    at = right.index(b"left/core") + 60
    yield "changed", right[:at] + bytes(255 - byte for byte in right[at : at + 100]) + right[at + 100 :]
    for what, changed in {
        "no operations": {"operations": None},
        "operations of floats": {"operations": np.ones(3)},
        "operations of text": {"operations": np.array("[]")},
        "objects": {"first/bias": np.array([{}], object)},
        "no kernel": {"first/kernel": None},
        "another number of channels": {"first/kernel": np.zeros((3, 3, 4, 6))},
        "a flat kernel": {"first/kernel": np.zeros(5)},
        "a bias of another length": {"first/bias": np.zeros(5)},
        "a kernel of text": {"first/kernel": np.array(["a"])},
        "a kernel of whole numbers": {"first/kernel": np.ones((3, 3, 3, 6), np.int32)},
        "a kernel of 8 bits without a scale": {"first/kernel": np.ones((3, 3, 3, 6), np.int8)},
        "a kernel of complex numbers": {"first/kernel": np.ones((3, 3, 3, 6), np.complex64)},
        "a kernel that is not finite": {"first/kernel": np.full((3, 3, 3, 6), np.inf, np.float32)},
        "a scale of another length": SCALED | {"first/kernel:scale": np.ones(5, np.float32)},
        "a scale of text": SCALED | {"first/kernel:scale": np.array(["a"] * 6)},
        "a scale that is not finite": SCALED | {"first/kernel:scale": np.full(6, np.nan, np.float32)},
        "a scale of nothing": {"nothing/kernel:scale": np.ones(6, np.float32)},
        "a kernel of no layer": {"nothing/kernel": np.ones((3, 3, 3, 6), np.float32)},
        "a kernel of a layer without one": {"pool/kernel": np.ones((3, 3, 3, 6), np.float32)},
        "an array of no meaning": {"first/gamma": np.ones(6, np.float32)},
        "no architecture": {"operations": np.frombuffer(b'[["a", "b", [], {}]]', np.uint8)},
    }.items():
        kept = {"operations": operations, **arrays(), **changed}
        np.savez(path, **{key: array for key, array in kept.items() if array is not None})
        yield what, path.read_bytes()


@pytest.mark.heavy
def test_damaged_files_are_one_line_through_the_command_line(run, picture, tmp_path):
    for what, content in files(tmp_path / "it.npz"):
        (tmp_path / "given.npz").write_bytes(content)
        code, out, err = run("dream", picture, "--weights", "given.npz", "--model", "pocket")
        assert (code, out) == (1, ""), what
        problem = "does not hold weights of pocket (" if content else "is empty; download it again"
        assert err.startswith(f"error: given.npz {problem}"), (what, err)
        assert err.count("\n") == 1, (what, err)
        with pytest.raises((ValueError, KeyError)):
            architecture.model(*architecture.read(tmp_path / "given.npz"), "it")


def test_other_numbers_of_the_same_form_are_dreamed(run, picture, tmp_path):
    architecture.write(tmp_path / "own.npz", OPERATIONS, arrays())
    quick = ["--octaves", "1", "--steps", "1", "-l", "join", "-q", "-o", "d.png"]
    assert run("dream", picture, "--model", "pocket", "--weights", "own.npz", *quick) == (0, "", "")

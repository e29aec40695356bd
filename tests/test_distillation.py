"""Training the pocket network: the teacher as data, the first thin weights, samples, the script itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillation import factorise, lesson, samples, teacher
from dreamkit.models import architecture
from dreamkit.models.architecture import INPUT, Operation

SCRIPTS = Path(__file__).parents[1] / "scripts"
LAYERS = {"mixed3a": 16, "mixed4c": 24, "mixed5a": 48, "head": 10}


def moments(random, kernel, bias, count=4000):
    """Moments of a 1 x 1 convolution's inputs and outputs on inputs that lie in few directions."""
    channels = kernel.shape[2]
    x = random.normal(size=(count, 3)) @ random.normal(size=(3, channels)) + 0.5
    x += 0.01 * random.normal(size=x.shape)
    y = x @ kernel.sum((0, 1)) + bias
    return factorise.Moments(
        inputs=(x.T @ x / count).astype(np.float32),
        outputs=np.cov(y.T, bias=True).astype(np.float32),
        mean=y.mean(0).astype(np.float32),
        positions=(100, 100),
    ), x.astype(np.float32)


def site(random, size):
    kernel = random.normal(size=(size, size, 8, 10)).astype(np.float32)
    bias = random.normal(size=10).astype(np.float32)
    found, x = moments(random, kernel, bias)
    return factorise.Site.of("it", kernel, bias, found), kernel, bias, x


@given(seed=st.integers(0, 99), size=st.sampled_from([1, 3]))
def test_all_directions_are_the_convolution_itself(seed, size):
    made, kernel, bias, _ = site(np.random.default_rng(seed), size)
    ranks = 8, 0 if size == 1 else 10
    whole = made.thinned(ranks)
    np.testing.assert_allclose(whole["it/kernel"], kernel, atol=2e-3)
    np.testing.assert_allclose(whole["it/bias"], bias, atol=2e-3)
    assert made.lost(ranks) == pytest.approx(0, abs=1e-5)


@given(seed=st.integers(0, 99), size=st.sampled_from([1, 3]))
def test_few_directions_serve_inputs_that_lie_in_few(seed, size):
    """Inputs of four directions (three and their mean) pass four thin channels all but unharmed."""
    made, kernel, bias, x = site(np.random.default_rng(seed), size)
    whole = made.thinned((4, 0 if size == 1 else 4))
    exact, thin = (x @ k.sum((0, 1)) + b for k, b in ((kernel, bias), whole.values()))
    assert np.mean((thin - exact) ** 2) < 0.01 * exact.var()


@given(seed=st.integers(0, 99), size=st.sampled_from([1, 3]), part=st.floats(0.001, 0.5))
def test_more_ranks_lose_less_and_cost_more(seed, size, part):
    made, *_ = site(np.random.default_rng(seed), size)
    few, many = made.ranks_losing(part), made.ranks_losing(part / 4)
    assert made.lost(many) <= made.lost(few)
    assert made.cost(few) <= made.cost(many)
    assert 1 - made.kept_in[few[0] - 1] <= part + 1e-6


@pytest.mark.parametrize("ranks", [None, (4, 0), (0, 5), (4, 5)])
def test_thin_steps_are_what_a_network_as_data_takes(ranks):
    """The steps of `thin`, one after another, compute the kernel of `thinned`."""
    made, *_ = site(np.random.default_rng(3), 3)
    thin, whole = made.thin(ranks), made.thinned(ranks)
    kernel = np.eye(8, dtype=np.float32)[None, None]
    for key in architecture.factors("it", thin):
        step = thin[key]
        kernel = kernel @ step if 1 in (kernel.shape[0], step.shape[0]) else None
    np.testing.assert_allclose(kernel, whole["it/kernel"], atol=1e-5)
    np.testing.assert_array_equal(thin["it/bias"], whole["it/bias"])


def several_sites(random, count=6):
    found = []
    for number in range(count):
        size = (1, 3)[number % 2]
        kernel = random.normal(size=(size, size, 64, 48)).astype(np.float32)
        bias = np.zeros(48, np.float32)
        found.append(
            factorise.Site.of(f"it{number}", kernel, bias, moments(random, kernel, bias, count=300)[0])
        )
    return found


@given(share=st.floats(0.3, 1.0))
def test_ranks_keep_to_their_share_of_the_cost(share):
    random = np.random.default_rng(0)
    places = several_sites(random)
    price = {
        each.name: (np.array([0.0, 0.1, 0.5]), np.array([0.0, *np.sort(random.uniform(0, 1, 2))]))
        for each in places
    }
    fixed = 1e6
    chosen = factorise.ranks(places, price, fixed, share)
    whole = fixed + sum(each.cost(None) for each in places)
    thin = fixed + sum(each.cost(chosen[each.name]) for each in places)
    least = fixed + sum(min(each.cost(None), each.cost((16, 0 if each.pointwise else 16))) for each in places)
    assert thin <= max(share * whole, least) * 1.0001
    if share == 1.0:
        assert set(chosen.values()) == {None}


def test_what_turns_the_gradients_most_is_thinned_least():
    random = np.random.default_rng(0)
    places = several_sites(random)[1::2]
    losses = np.array([0.0, 0.5])
    price = {each.name: (losses, np.array([0.0, 0.01])) for each in places}
    price[places[0].name] = losses, np.array([0.0, 10.0])
    chosen = factorise.ranks(places, price, 0.0, 0.5)
    lost = [each.lost(chosen[each.name]) for each in places]
    assert lost[0] < min(lost[1:])


# The teacher


def test_a_keras_model_is_read_as_data():
    """Batch normalisation folded, whatever its statistics; the same numbers at every layer."""
    layers = keras.layers
    pixels = x = keras.Input((None, None, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="valid", use_bias=False, name="one")(x)
    x = layers.BatchNormalization(scale=False, name="normal")(x)
    x = layers.Activation("relu", name="one_relu")(x)
    x = layers.MaxPooling2D(3, 2, "same", name="pool")(x)
    left = layers.Conv2D(5, 1, name="left")(x)
    right = layers.AveragePooling2D(3, 1, "same", name="right")(x)
    model = keras.Model(pixels, layers.Concatenate(name="join")([left, right]))
    random = np.random.default_rng(0)
    beta, mean, variance = model.get_layer("normal").get_weights()
    model.get_layer("normal").set_weights(
        [random.normal(size=8), random.normal(size=8), random.uniform(0.5, 2, 8)]
    )
    assert len(beta) == len(mean) == len(variance) == 8
    operations, arrays = teacher.operations_of(model)
    assert [each.name for each in operations] == ["one", "one_relu", "pool", "left", "right", "join"]
    own = architecture.model(operations, arrays, "own")
    seen = random.normal(size=(2, 33, 28, 3)).astype(np.float32)
    np.testing.assert_allclose(own(seen), model(seen), atol=1e-5)


def test_a_model_of_other_layers_cannot_teach():
    model = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.Conv2D(3, 1), keras.layers.Softmax()]
    )
    with pytest.raises(ValueError, match="is a Softmax; convolutions, pools and joins are read"):
        teacher.operations_of(model)


def test_a_student_normalises_what_is_pooled():
    norm = {"radius": 2, "bias": 2.0, "alpha": 0.1, "beta": 0.5}
    pool = {"size": 3, "stride": 2, "padding": "same"}
    operations = [
        Operation("norm", "response_normalisation", (INPUT,), norm),
        Operation("pool", "max_pool", ("norm",), pool),
        Operation("relu", "relu", ("pool",)),
    ]
    lighter = teacher.lighter(operations)
    assert [(each.name, each.inputs) for each in lighter] == [
        *(("pool", (INPUT,)), ("norm", ("pool",)), ("relu", ("norm",))),
    ]
    assert architecture.from_json(architecture.to_json(lighter)) == lighter
    # one that another layer reads as well stays where it is
    beside = [*operations, Operation("beside", "relu", ("norm",))]
    assert teacher.lighter(beside) == beside


# The samples


@given(seed=st.integers(0, 999), side=st.integers(75, 160))
def test_crops_are_pieces_of_photographs(seed, side):
    picture = np.zeros((90, 120, 3), np.uint8)
    picture[:, :60, 0] = 250
    found = samples.crop([picture], side, np.random.default_rng(seed))
    assert found.shape == (side, side, 3)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 250
    assert not found[..., 1:].any()


@given(seed=st.integers(0, 999), count=st.sampled_from([16, 24, 512]))
def test_an_objective_is_of_squares_or_a_direction_or_a_class(seed, count):
    squares, plain = samples.objective(count, False, np.random.default_rng(seed))
    assert squares.any() != plain.any()
    if squares.any():
        assert squares.mean() == pytest.approx(1)
        assert len(np.unique(squares[squares > 0])) == 1
    squares, plain = samples.objective(count, True, np.random.default_rng(seed))
    assert not squares.any()
    assert np.count_nonzero(plain) == 1
    assert plain.mean() == pytest.approx(1)


def test_layers_are_drawn_as_often_as_the_lesson_says():
    random = np.random.default_rng(0)
    drawn = [samples.drawn_layer(list(LAYERS), "mixed4c", random) for _ in range(4000)]
    share = {layer: drawn.count(layer) / len(drawn) for layer in LAYERS}
    assert share["mixed4c"] == pytest.approx(lesson.DEFAULT, abs=0.03)
    assert share["mixed5a"] + share["head"] == pytest.approx(lesson.DEEP, abs=0.03)
    assert {samples.drawn_layer(["it"], "it", random) for _ in range(20)} == {"it"}


def pool_of(answers, count, pictures, random):
    return samples.Pool(pictures, answers, LAYERS, "mixed4c", "head", 75, count, random)


def features(layer, pixels):
    return [np.zeros((len(pixels), 2, 2, LAYERS[each]), np.float32) for each in LAYERS][
        : list(LAYERS).index(layer) + 1
    ]


def test_a_pool_uses_all_alike_and_dreams_on():
    """Every batch once before any comes again; gradients move pixels, and only by them or afresh."""
    asked = []

    def answers(layer, pixels, squares, plain):
        assert squares.shape == plain.shape == (3, LAYERS[layer])
        asked.append(pixels)
        return np.full_like(pixels, 1 / 75), features(layer, pixels)

    pool = pool_of(answers, 3, [np.full((80, 80, 3), 100, np.uint8)], np.random.default_rng(0))
    pool.fill(3)
    drawn = [id(pool.draw()) for _ in range(3)]
    assert sorted(drawn) == sorted(map(id, pool.batches))
    assert all((pixels == 100).all() for pixels in asked)
    for _ in range(3):
        pool.refresh()
    dreamed = np.concatenate(asked[3:])
    assert len(dreamed) == 9
    assert (dreamed == 100).all((1, 2, 3)).any()
    assert (dreamed > 100).all((1, 2, 3)).any()


def test_a_pool_dreams_on_by_the_students_gradient_as_well():
    def answers(layer, pixels, squares, plain):
        return np.full_like(pixels, 1 / 75), features(layer, pixels)

    pool = pool_of(answers, 16, [np.full((80, 80, 3), 100, np.uint8)], np.random.default_rng(0))
    pool.fill(1)
    pool.batches[0].students = np.full_like(pool.batches[0].pixels, -1)
    pool.refresh()
    means = pool.batches[0].pixels.astype(float).mean((1, 2, 3))
    assert (means < 100).any()
    assert (means > 100).any()


def test_a_pool_keeps_half_precision_but_gives_back_unit_gradients():
    random = np.random.default_rng(0)

    def answers(layer, pixels, squares, plain):
        gradient = random.normal(size=pixels.shape).astype(np.float32)
        gradient /= np.sqrt((gradient**2).sum((1, 2, 3), keepdims=True))
        return gradient, features(layer, pixels)

    pool = pool_of(answers, 2, [np.zeros((80, 80, 3), np.uint8)], random)
    pool.fill(1)
    batch = pool.draw()
    assert batch.gradients.dtype == batch.pixels.dtype == np.float16
    np.testing.assert_allclose(((batch.gradients.astype(np.float32) / 75) ** 2).sum((1, 2, 3)), 1, atol=1e-2)
    assert len(batch.features) == list(LAYERS).index(batch.layer) + 1


def test_too_few_photographs_are_one_line(tmp_path):
    with pytest.raises(SystemExit, match="holds 0 photographs; it takes at least two"):
        samples.photographs(tmp_path, held_out=False)


# The script


def small_teacher(path):
    """A network with inception5h's names for what is taught, and few channels."""
    random = np.random.default_rng(0)
    operations, arrays, channels = [], {}, {INPUT: 3}

    def add(name, kind, *inputs, **options):
        operations.append(Operation(name, kind, inputs, options))
        channels.setdefault(name, sum(channels[each] for each in inputs))
        return name

    def convolution(name, before, size, count, stride=1):
        shape = size, size, channels[before], count
        arrays[f"{name}/kernel"] = (random.normal(size=shape) / np.sqrt(np.prod(shape[:3]) / 2)).astype("f")
        arrays[f"{name}/bias"] = random.normal(0, 0.1, count).astype(np.float32)
        channels[name] = count
        return add(name, "convolution", before, stride=stride, padding="same")

    x = add("conv2d0", "relu", convolution("conv2d0_pre_relu", INPUT, 5, 32, 2))
    x = add("norm", "response_normalisation", x, radius=2, bias=2.0, alpha=1e-4, beta=0.5)
    x = add("maxpool0", "max_pool", x, size=3, stride=2, padding="same")
    for block in ("mixed3a", "mixed4c", "mixed5a"):
        left = add(f"{block}_1x1", "relu", convolution(f"{block}_1x1_pre_relu", x, 1, 32))
        right = add(f"{block}_3x3", "relu", convolution(f"{block}_3x3_pre_relu", x, 3, 48))
        x = add(block, "concatenate", left, right)
    convolution("softmax2_pre_activation", x, 1, 10)
    architecture.write(path, operations, arrays)


def figures(printed, when):
    """Cosine, smoothed cosine and error of every layer, of the line that begins with `when`."""
    (line,) = re.findall(rf"^{when} +(\w.*)$", printed, re.M)
    return {
        name: np.array(numbers.split(), float)
        for name, numbers in re.findall(r"([a-z]\w+)((?: -?\d+\.\d+)+)", line)
    }


def thirty_pictures(folder):
    from PIL import Image

    folder.mkdir()
    random = np.random.default_rng(5)
    for number in range(30):
        rough = random.uniform(0, 255, (9, 12, 3)).astype(np.uint8)
        Image.fromarray(rough).resize((120, 90), Image.Resampling.BICUBIC).save(folder / f"{number:02}.png")
    return folder


@pytest.mark.heavy
@pytest.mark.long
def test_it_learns_goes_on_and_writes_a_network_as_data(tmp_path):
    """From a small teacher."""
    small_teacher(tmp_path / "teacher.npz")
    folder, out = thirty_pictures(tmp_path / "photographs"), tmp_path / "out"
    command = [sys.executable, SCRIPTS / "distil_pocket.py", "--photographs", folder, "--out", out]
    command += ["--teacher-weights", tmp_path / "teacher.npz", "--steps", "120", "--pool", "4"]
    command += ["--side", "75", "--batch", "4", "--share", "0.7", "--crops", "16", "--learning-rate", "0.002"]
    run = subprocess.run(command, text=True, capture_output=True, env={**os.environ, "PYTHONWARNINGS": ""})
    assert run.returncode == 0, run.stderr[-2000:]
    before, after = (figures(run.stdout, when) for when in ("before", "after"))
    assert before.keys() == after.keys() == {"mixed3a", "mixed4c", "mixed5a", "softmax2_pre_activation"}
    assert np.mean([each[0] for each in after.values()]) > np.mean([each[0] for each in before.values()])
    operations, arrays = architecture.read(out / "pocket.npz")
    names = {each.name for each in operations}
    assert {"conv2d0_pre_relu/kernel", "mixed5a_3x3_pre_relu/kernel"} <= arrays.keys()  # whole, both
    assert any(key.endswith(("/core", "/up")) for key in arrays)
    assert {"norm", "mixed4c", "softmax2_pre_activation"} <= names
    with np.load(out / "pocket.npz") as kept:
        assert kept["conv2d0_pre_relu/kernel"].dtype == np.float16
        assert kept["mixed5a_3x3_pre_relu/kernel"].dtype == np.int8  # behind the default layer
    architecture.model(operations, arrays, "student")
    # Stopped and started again it goes on where it was, here at the end.
    again = subprocess.run(command, text=True, capture_output=True)
    assert re.search(r"^going on after .* minutes, 480 crops$", again.stdout, re.M)
    # Another training begins with what it has learned; its own crops differ.
    more = [*command, "--student", out / "pocket.npz", "--out", tmp_path / "more", "--steps", "1"]
    further = subprocess.run(more, text=True, capture_output=True)
    assert further.returncode == 0, further.stderr[-2000:]
    learned = {name: each[0] for name, each in figures(further.stdout, "before").items()}
    assert np.mean([*learned.values()]) > np.mean([each[0] for each in before.values()])


@pytest.mark.heavy
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_few_steps_on_twenty_pictures_teach_it_something(tmp_path, photographs):
    """From inception5h itself, as far as the layer dreamed by default."""
    import inception5h_graph
    from test_inception5h import FOLDER

    folder, out = tmp_path / "photographs", tmp_path / "out"
    folder.mkdir()
    for path in sorted(photographs.glob("*.jpg"))[::50]:  # twenty, of which the first is held out
        shutil.copy(path, folder)
    weights = tmp_path / "graph.pb"
    weights.write_bytes(inception5h_graph.graph(FOLDER))
    command = [sys.executable, SCRIPTS / "distil_pocket.py", "--photographs", folder, "--out", out]
    command += ["--teacher-weights", weights, "--steps", "50", "--pool", "8", "--batch", "8", "--side", "96"]
    command += ["--layer", "mixed3b", "--share", "0.6", "--crops", "8"]
    run = subprocess.run(command, text=True, capture_output=True, env={**os.environ, "PYTHONWARNINGS": ""})
    assert run.returncode == 0, run.stderr[-2000:]
    assert "19 photographs" in run.stdout
    before, after = (figures(run.stdout, when) for when in ("before", "after"))
    assert after["mixed4c"][0] > before["mixed4c"][0]  # the cosine
    assert after["mixed4c"][2] < before["mixed4c"][2]  # the error

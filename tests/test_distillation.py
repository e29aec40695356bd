"""Training the pocket network: the first thin weights, the samples, and the script itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillation import factorise, samples

SCRIPTS = Path(__file__).parents[1] / "scripts"


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
    teacher = {"conv2d_1/kernel": kernel}
    (made,) = [factorise._site("conv2d_1", (1,), [teacher["conv2d_1/kernel"]], found)]
    return made, kernel, bias, x


@given(seed=st.integers(0, 99), size=st.sampled_from([1, 3]))
def test_all_directions_are_the_convolution_itself(seed, size):
    made, kernel, bias, _ = site(np.random.default_rng(seed), size)
    whole = made.thinned((8, 0 if size == 1 else 10), {1: bias})
    np.testing.assert_allclose(whole["conv2d_1/kernel"], kernel, atol=2e-3)
    np.testing.assert_allclose(whole["conv2d_1/bias"], bias, atol=2e-3)
    assert made.lost((8, 0 if size == 1 else 10)) == pytest.approx(0, abs=1e-5)


@given(seed=st.integers(0, 99), size=st.sampled_from([1, 3]))
def test_few_directions_serve_inputs_that_lie_in_few(seed, size):
    """Inputs of four directions (three and their mean) pass four thin channels all but unharmed."""
    made, kernel, bias, x = site(np.random.default_rng(seed), size)
    whole = made.thinned((4, 0 if size == 1 else 4), {1: bias})
    exact, thin = (x @ k.sum((0, 1)) + b for k, b in ((kernel, bias), whole.values()))
    assert np.mean((thin - exact) ** 2) < 0.01 * exact.var()


@given(seed=st.integers(0, 99), size=st.sampled_from([1, 3]), part=st.floats(0.001, 0.5))
def test_more_ranks_lose_less_and_cost_more(seed, size, part):
    made, *_ = site(np.random.default_rng(seed), size)
    few, many = made.ranks_losing(part), made.ranks_losing(part / 4)
    assert made.lost(many) <= made.lost(few)
    assert made.arithmetic(few) <= made.arithmetic(many)
    assert 1 - made.kept_in[few[0] - 1] <= part + 1e-6


def teacher_of_random_convolutions(random):
    """Kernels in Inception v3's shapes, thinner, and moments to go with them."""
    kernels, found = {}, {}
    for number in range(factorise.CONVOLUTIONS):
        size = 1 if number in (3, 27) or any(number in group for group in factorise.SIBLINGS.values()) else 3
        kernel = random.normal(size=(size, size, 8, 12)).astype(np.float32)
        kernels[f"{factorise.name(number)}/kernel"] = kernel
        found[number] = moments(random, kernel, np.zeros(12, np.float32), 200)[0]
    return kernels, found


@given(share=st.floats(0.1, 0.9))
def test_every_block_keeps_to_its_share(share):
    random = np.random.default_rng(0)
    kernels, found = teacher_of_random_convolutions(random)
    places = factorise.sites(kernels, found)
    price = {place.key: float(random.uniform(0.1, 10)) for place in places}
    chosen = factorise.ranks(places, price, share)
    # The first convolution stays whole: the rest saves for it.
    first = 100 * 9 * 3 * 32
    for end in (11, 18, 25, 29, 39):
        block = [place for place in places if place.numbers[0] <= end]
        whole = first + sum(place.arithmetic(None) for place in block)
        thin = first + sum(place.arithmetic(chosen[place.key]) for place in block)
        least = first + sum(min(place.arithmetic((4, 4)), place.arithmetic(None)) for place in block)
        assert thin <= max(share * whole, least) * 1.0001


@given(seed=st.integers(0, 999), side=st.integers(75, 160))
def test_crops_are_pieces_of_photographs(seed, side):
    picture = np.zeros((90, 120, 3), np.uint8)
    picture[:, :60, 0] = 250
    found = samples.crop([picture], side, np.random.default_rng(seed))
    assert found.shape == (side, side, 3)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 250
    assert not found[..., 1:].any()


@given(seed=st.integers(0, 999))
def test_an_objective_is_of_one_layer_and_weighs_one_on_average(seed):
    channels = (16, 24, 24, 48, 48)
    weights = samples.objective(channels, np.random.default_rng(seed))
    (layer,) = [index for index, weight in enumerate(weights) if weight.any()]
    assert weights[layer].mean() == pytest.approx(1)
    assert len(np.unique(weights[layer][weights[layer] > 0])) == 1


def test_a_pool_uses_all_alike_and_dreams_on():
    """Every sample once before any comes again; gradients move pixels, and only by them or afresh."""
    asked = []

    def answers(pixels, weights):
        asked.append(pixels)
        return np.full_like(pixels, 1 / 75), [np.zeros((len(pixels), 2, 2, 4), np.float32)] * 5

    pictures = [np.full((80, 80, 3), 100, np.uint8)]
    pool = samples.Pool(pictures, answers, (16,) * 5, 75, 3, np.random.default_rng(0))
    pool.fill(9)
    drawn = [place for _ in range(3) for place in pool.draw()[0]]
    assert sorted(drawn) == list(range(9))
    assert all((pixels == 100).all() for pixels in asked)
    for _ in range(3):
        pool.refresh()
    dreamed = np.concatenate(asked[3:])
    assert len(dreamed) == 9
    assert (dreamed == 100).all((1, 2, 3)).any()
    assert (dreamed > 100).all((1, 2, 3)).any()


def test_a_pool_keeps_half_precision_but_gives_back_unit_gradients():
    random = np.random.default_rng(0)

    def answers(pixels, weights):
        gradient = random.normal(size=pixels.shape).astype(np.float32)
        gradient /= np.sqrt((gradient**2).sum((1, 2, 3), keepdims=True))
        return gradient, [np.zeros((len(pixels), 2, 2, 4), np.float32)] * 5

    pool = samples.Pool([np.zeros((80, 80, 3), np.uint8)], answers, (16,) * 5, 75, 2, random)
    pool.fill(2)
    gradients = pool.draw()[3].astype(np.float32) / 75
    np.testing.assert_allclose((gradients**2).sum((1, 2, 3)), 1, atol=1e-2)


def test_too_few_photographs_are_one_line(tmp_path):
    with pytest.raises(SystemExit, match="holds 0 photographs; it takes at least two"):
        samples.photographs(tmp_path, held_out=False)


def figures(printed, when):
    """Cosines and errors, layer by layer, of the line that begins with `when`."""
    found = re.search(rf"^{when} +cosine ([\d. -]+)  error ([\d. -]+)$", printed, re.M)
    return [np.array(part.split(), float) for part in found.groups()]


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_two_minutes_on_twenty_pictures_teach_it_something(tmp_path, photographs, inception_weights):
    folder, out = tmp_path / "photographs", tmp_path / "out"
    folder.mkdir()
    for path in sorted(photographs.glob("*.jpg"))[::50]:  # twenty, of which the first is held out
        shutil.copy(path, folder)
    command = [sys.executable, SCRIPTS / "distil_pocket.py", "--photographs", folder, "--out", out]
    command += ["--teacher-weights", inception_weights, "--minutes", "2", "--pool", "96", "--measured", "1"]
    run = subprocess.run(command, text=True, capture_output=True, env={**os.environ, "PYTHONWARNINGS": ""})
    assert run.returncode == 0, run.stderr[-2000:]
    before, after = (figures(run.stdout, when) for when in ("before", "after"))
    assert (after[0] > before[0]).all()  # cosines, layer by layer
    assert (after[1] < before[1]).all()  # errors
    with np.load(out / "pocket.npz") as arrays:
        assert all(arrays[key].dtype == np.float16 for key in arrays.files)
    card = (out / "pocket.md").read_text()
    assert "19 to train on, 1 held out" in card
    # Stopped and started again it goes on where it was, here at the end.
    again = subprocess.run(command, text=True, capture_output=True)
    assert "going on after 2.0 minutes" in again.stdout

"""The published loops against themselves: their gradients, their filters, and that each climbs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import published
import pytest
import tiny
from test_resize import resized

KERNELS = replace(tiny.kernels(3), second=0.3 * tiny.kernels(3).second)
"""The second layer's tanh is far from flat here, so that a step up is a step up."""

CHANNEL = 2


@pytest.fixture(scope="module")
def picture():
    """Smooth and far from black and white, so that clipping bends no step."""
    coarse = np.random.default_rng(8).uniform(70, 180, (6, 7, 3))
    return resized(coarse, (38, 43)).round().astype(np.uint8)


def roll(octave, step):
    return 3 * octave - 2 * step, step + 1 - 4 * octave


def differences(function, values, places, width=1e-3):
    """dfunction/dvalues at the places, by central differences."""
    slopes = []
    for place in places:
        away = np.zeros_like(values)
        away[place] = width
        slopes.append((function(values + away) - function(values - away)) / (2 * width))
    return np.array(slopes)


def a_few(shape, count=25):
    draw = np.random.default_rng(5)
    return [tuple(draw.integers(side) for side in shape) for _ in range(count)]


PULLS = {
    "half-sum-of-squares": (published.of_half_sum_of_squares, lambda a: (a**2).sum() / 2),
    "mean": (published.of_mean, np.mean),
    "mean-square": (published.of_mean_square, lambda a: (a**2).mean()),
    "channel": (published.of_channel_mean(CHANNEL), lambda a: a[..., CHANNEL].mean()),
    "inner": (published.of_inner_mean_square(1.5), lambda a: 1.5 * (a[2:-2, 2:-2] ** 2).sum() / a.size),
}


@pytest.mark.parametrize("layers", [("first",), ("second",), ("first", "second")])
@pytest.mark.parametrize("name", PULLS)
@pytest.mark.parametrize("size", [(13, 16), (14, 15)])
def test_gradients_are_those_of_finite_differences(name, layers, size):
    pull, objective = PULLS[name]
    pixels = np.random.default_rng(1).uniform(0, 255, (*size, 3))

    def total(values):
        seen = tiny.activations(values, KERNELS)
        return sum(objective(seen[layer]) for layer in layers)

    found = published.gradient(pixels, KERNELS, dict.fromkeys(layers, pull))
    places = [*a_few(pixels.shape), (0, 0, 0), (size[0] - 1, size[1] - 1, 2)]
    expected = differences(total, pixels, places)
    scale = np.abs(expected).max()
    np.testing.assert_allclose([found[place] for place in places], expected, atol=1e-6 * scale)


def test_the_gradient_of_the_rolled_picture_is_that_of_finite_differences():
    pixels = np.random.default_rng(1).uniform(0, 255, (9, 8, 3))

    def total(values):
        return tiny.activations(np.roll(values, (3, -2), (0, 1)), KERNELS)["second"].mean()

    found = published.rolled_gradient(pixels, KERNELS, {"second": published.of_mean}, (3, -2))
    places = a_few(pixels.shape)
    np.testing.assert_allclose(
        [found[place] for place in places], differences(total, pixels, places), atol=1e-9
    )


@pytest.mark.parametrize("size", [(6, 8), (7, 9), (6, 7), (7, 8)])
def test_the_gradient_of_a_spectrum_is_that_of_finite_differences(size):
    draw = np.random.default_rng(2)
    pixels, pull = draw.uniform(20, 230, (2, *size, 3))
    spectrum = published.to_spectrum(pixels)
    found = published.spectrum_gradient(spectrum, pull)
    places = list(np.ndindex(*spectrum.shape))
    for unit, part in ((1.0, found.real), (1j, found.imag)):

        def total(away, unit=unit):
            return (pull * published.from_spectrum(spectrum + unit * away, size[1])).sum()

        expected = differences(total, np.zeros(spectrum.shape), places, 1e-6).reshape(spectrum.shape)
        np.testing.assert_allclose(part, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("size", [(6, 8), (7, 9), (6, 7), (7, 8)])
def test_the_gradient_of_phases_is_that_of_finite_differences(size):
    draw = np.random.default_rng(2)
    pull = draw.uniform(20, 230, (*size, 3))
    phases = draw.normal(size=(size[0], size[1] // 2 + 1, 3))
    magnitudes, start = draw.uniform(0.5, 2, phases.shape), (0.3, 1.7)

    def total(values):
        return (pull * published.from_phases(values, magnitudes, 2.5, size[1], start)).sum()

    found = published.phases_gradient(phases, magnitudes, 2.5, start, pull)
    places = list(np.ndindex(*phases.shape))
    expected = differences(total, phases, places, 1e-5).reshape(phases.shape)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("size", [(6, 8), (7, 9), (6, 7), (7, 8)])
def test_a_spectrum_is_its_picture(size):
    pixels = np.random.default_rng(2).uniform(0, 255, (*size, 3))
    back = published.from_spectrum(published.to_spectrum(pixels), size[1])
    np.testing.assert_allclose(back, pixels.clip(0.5, 254.5), atol=1e-9)


@pytest.mark.parametrize("size", [(16, 32), (13, 21), (5, 1), (38, 43)])
@pytest.mark.parametrize("levels", [0, 1, 4, 7])
def test_a_pyramid_that_is_not_normalised_merges_to_what_was_split(size, levels):
    values = np.random.default_rng(4).normal(0, 1e-3, (*size, 3))
    split = published.laplacian_split(values, levels)
    assert len(split) == levels + 1
    np.testing.assert_allclose(published.laplacian_merged(split), values, atol=1e-15)


def test_halving_pads_as_tensorflow_does():
    taps = np.array((1, 4, 6, 4, 1)) / 16
    even, odd = published.halving(8), published.halving(9)
    assert even.shape == (4, 8)
    assert odd.shape == (5, 9)
    np.testing.assert_array_equal(even[0, :5], [*taps[1:], 0])  # one zero before, two after
    np.testing.assert_array_equal(even[3, 4:], [0, *taps[:3]])
    np.testing.assert_array_equal(odd[0, :4], [*taps[2:], 0])  # two before, two after
    np.testing.assert_array_equal(odd[4, 5:], [0, *taps[:3]])
    np.testing.assert_array_equal(published.halving(1), [[taps[2]]])


@pytest.mark.parametrize("size", [(64, 64), (63, 65)])
def test_a_constant_has_no_high_frequencies_away_from_the_border(size):
    high, low = published.laplacian_split(np.full((*size, 3), 7.0), 1)
    np.testing.assert_allclose(high[4:-4, 4:-4], 0, atol=1e-12)
    np.testing.assert_allclose(low[1:-2, 1:-2], 7)


def test_normalised_levels_make_no_difference_of_the_gradient_s_scale(picture):
    values = picture - 120.0
    ours = published.laplacian_normalised(values, 4)
    np.testing.assert_allclose(published.laplacian_normalised(1e-4 * values, 4), ours)
    unsplit = published.laplacian_normalised(values, 0)
    np.testing.assert_allclose(unsplit, values / np.sqrt((values**2).mean()))


@pytest.mark.parametrize("sigma", [0.25, 0.7, 1.5, 5.0])
def test_gaussian_kernels_sum_to_one(sigma):
    kernel = published.gaussian(sigma)
    assert kernel.shape == (9, 9)
    assert kernel.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_allclose(kernel, kernel[::-1].T)
    assert kernel[4, 5] / kernel[4, 4] == pytest.approx(np.exp(-0.5 / sigma**2))


def test_a_cascade_keeps_a_constant_and_blurs_the_rest(picture):
    np.testing.assert_allclose(published.cascade(np.full((9, 11, 3), 4.0), 1.3), 4)
    noise = np.random.default_rng(0).normal(size=(40, 40, 3))
    assert published.cascade(noise, 0.7).std() > published.cascade(noise, 2.5).std()


def blend(height, width, step):
    """A warp that mixes each place with another, and an offset."""
    draw = np.random.default_rng(step)
    eye = np.eye(height * width)
    return 0.8 * eye + 0.2 * eye[draw.permutation(height * width)], draw.uniform(-5, 5, height * width)


WEIGHTS = {"first": 0.5, "second": 2.0}


def keras_loss(seen):
    return sum(weight * published.inner_mean_square(seen[layer]) for layer, weight in WEIGHTS.items())


LOOPS = {
    "google-2015": (
        lambda photo: published.google_2015(photo, KERNELS, "second", roll),
        lambda seen: (seen["second"] ** 2).sum(),
        40,
    ),
    "google-2015, bases from the photo": (
        lambda photo: published.google_2015(photo, KERNELS, "second", roll, successive=False),
        lambda seen: (seen["second"] ** 2).sum(),
        40,
    ),
    "tf-tutorial": (
        lambda photo: published.tf_tutorial(photo, KERNELS, tiny.LAYERS, roll, steps=8),
        lambda seen: seen["first"].mean() + seen["second"].mean(),
        40,
    ),
    "keras-example": (
        lambda photo: published.keras_example(photo, KERNELS, WEIGHTS, max_loss=None),
        keras_loss,
        60,
    ),
    "lapnorm": (
        lambda photo: published.lapnorm(photo, KERNELS, "second", CHANNEL, roll),
        lambda seen: seen["second"][..., CHANNEL].mean(),
        30,
    ),
    "smooth": (
        lambda photo: published.smooth(photo, KERNELS, "second", roll),
        lambda seen: (seen["second"] ** 2).mean(),
        40,
    ),
    "hughy-2020": (
        lambda photo: published.hughy_2020(photo, KERNELS, tiny.LAYERS, roll, octaves=4, steps=8),
        lambda seen: seen["first"].mean() + seen["second"].mean(),
        32,
    ),
    "lucid": (
        lambda photo: published.lucid(
            photo, KERNELS, "second", CHANNEL, lambda step: blend(*photo.shape[:2], step), 12
        ),
        lambda seen: seen["second"][..., CHANNEL].mean(),
        12,
    ),
    "lucid, TensorFlow's epsilon": (
        lambda photo: published.lucid(
            photo,
            KERNELS,
            "second",
            CHANNEL,
            lambda step: blend(*photo.shape[:2], step),
            12,
            epsilon_hat=True,
        ),
        lambda seen: seen["second"][..., CHANNEL].mean(),
        12,
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_moves_the_picture_up_its_objective(name, picture):
    loop, objective, steps = LOOPS[name]
    photo = picture.copy()
    taken, final = loop(photo)
    np.testing.assert_array_equal(photo, picture)
    assert len(taken) == steps
    assert all(pixels.dtype == np.float64 and np.isfinite(pixels).all() for pixels in taken)
    assert final.shape == photo.shape
    assert np.abs(final - photo).mean() > 0.5
    same_octave = pairwise(taken)
    assert all((a != b).any() for a, b in same_octave if a.shape == b.shape)

    def up(pixels):
        return objective(tiny.activations(pixels, KERNELS))

    assert up(final) > up(photo.astype(np.float64))
    last = [pixels for pixels in taken if pixels.shape == taken[-1].shape]
    assert up(last[-1]) > up(last[0])


def test_octaves_have_the_published_sizes(picture):
    def sizes(dream):
        return list(dict.fromkeys(pixels.shape[:2] for pixels in dream[0]))

    google = sizes(published.google_2015(picture, KERNELS, "second", roll, steps=1))
    assert google == [(14, 16), (19, 22), (27, 31), (38, 43)]
    assert sizes(published.keras_example(picture, KERNELS, WEIGHTS, steps=1)) == google[1:]
    assert sizes(published.lapnorm(picture, KERNELS, "first", 0, roll, steps=1)) == google[1:]
    grown = published.lapnorm(picture, KERNELS, "first", 0, roll, steps=1, first=0)
    assert sizes(grown) == [(38, 43), (53, 60), (74, 84)]
    assert grown[1].shape == (74, 84, 3)
    tutorial = sizes(published.tf_tutorial(picture, KERNELS, ["first"], roll, steps=1))
    assert tutorial == [(22, 25), (29, 33), (38, 43), (49, 56), (64, 73)]
    assert sizes(published.hughy_2020(picture, KERNELS, ["first"], roll, steps=1)) == tutorial
    assert sizes(published.hughy_2020(picture, KERNELS, ["first"], roll, steps=1, octaves=2)) == tutorial[1:3]


def test_steps_have_the_published_length(picture):
    """Of the first step of a single octave, where nothing is clipped."""
    photo = picture.astype(np.float64)
    one = {"octaves": 1, "steps": 1}

    def moved(dream):
        return dream[0][0] - photo

    google = moved(published.google_2015(picture, KERNELS, "second", roll, **one))
    assert np.abs(google).mean() == pytest.approx(1.5)
    tutorial = moved(published.tf_tutorial(picture, KERNELS, ["second"], roll, first=0, **one))
    assert tutorial.std() == pytest.approx(1.275, rel=1e-3)
    keras = moved(published.keras_example(picture, KERNELS, WEIGHTS, **one))
    assert np.abs(keras).mean() == pytest.approx(1.275)
    smooth = moved(published.smooth(picture, KERNELS, "second", roll, **one)) / (255 * published.IMAGENET_STD)
    assert smooth.mean() == pytest.approx(0, abs=1e-9)
    assert smooth.std() == pytest.approx(0.09)


def test_no_steps_leave_the_photo_where_detail_is_put_back(picture):
    """Exactly what each scheme keeps of the photo: google's all of it, Keras's what its octaves lose."""
    final = published.google_2015(picture, KERNELS, "second", roll, steps=0)[1]
    np.testing.assert_allclose(final, picture, atol=1e-9)
    final = published.keras_example(picture, KERNELS, WEIGHTS, octaves=2, steps=0)[1]
    np.testing.assert_allclose(final, picture, atol=1e-9)
    final = published.smooth(picture, KERNELS, "second", roll, octaves=2, steps=0)[1]
    assert np.abs(final - picture).max() > 1


def test_a_loss_over_the_largest_ends_each_octave_after_its_step(picture):
    taken, final = published.keras_example(picture, KERNELS, WEIGHTS, max_loss=0.0)
    assert [pixels.shape[0] for pixels in taken] == [19, 27, 38]
    expected, again = published.keras_example(picture, KERNELS, WEIGHTS, steps=1)
    for ours, theirs in zip(taken, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(final, again)


def test_clipped_loops_stay_within_the_pixels_and_the_others_do_not():
    photo = np.random.default_rng(0).choice([0, 255], (24, 26, 3)).astype(np.uint8)
    loops = {
        "google": published.google_2015(photo, KERNELS, "second", roll, octaves=1, steps=2),
        "tutorial": published.tf_tutorial(photo, KERNELS, ["second"], roll, first=0, octaves=1, steps=2),
        "smooth": published.smooth(photo, KERNELS, "second", roll, octaves=1, steps=2),
        "lucid": published.lucid(
            photo, KERNELS, "second", CHANNEL, lambda step: (np.eye(24 * 26), np.zeros(24 * 26)), 2
        ),
    }
    for taken, final in loops.values():
        for pixels in (*taken, final):
            assert pixels.min() > -1e-9
            assert pixels.max() < 255 + 1e-9
    for _, final in (
        published.keras_example(photo, KERNELS, WEIGHTS, octaves=1, steps=2),
        published.lapnorm(photo, KERNELS, "second", CHANNEL, roll, octaves=1, steps=2),
    ):
        assert final.min() < 0
        assert final.max() > 255

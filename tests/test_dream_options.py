"""Everything that can be asked of a dream, by what it promises, on the tiny network."""

from __future__ import annotations

import numpy as np
import pytest
import tiny

from dreamkit import DreamConfig
from dreamkit.engine import color, depth
from dreamkit.engine.loop import dream
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.octave_schemes import compose
from dreamkit.engine.resize import resize
from dreamkit.engine.tf import network
from dreamkit.engine.updates import smoothing
from dreamkit.errors import ConfigError, DreamkitWarning, LayerError

COMBINED = {
    "layers": [
        {"layer": "second", "mask": "left", "weight": 2.0},
        {"layer": "second", "channels": [1, 3], "mask": "right"},
        {"layer": "first", "mask": "left", "weight": 0.5, "guide": False},
    ],
    "schedule": [{"steps": 3, "step_size": 0.03}, {"jitter": 1}, {"steps": 2}],
}


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


@pytest.fixture(scope="module")
def other():
    """Another network of the same plan."""
    return network.load(tiny.provider(seed=1, name="other"), None)


@pytest.fixture
def guide(photo):
    return np.ascontiguousarray(photo[::-1, 10:40, ::-1])


@pytest.fixture
def regions(photo):
    """The left and the right third, with a middle that belongs to neither."""
    left = np.zeros(photo.shape[:2], np.uint8)
    left[:, :18] = 255
    return {"left": left, "right": np.ascontiguousarray(left[:, ::-1])}


def config(**options):
    return DreamConfig(**{"octaves": 3, "steps": 4, "tile_size": 64, "jitter": 3, **options})


def dreamed(photo, parts, guide=None, regions=None, **options):
    parts = [each if isinstance(each, LoadedModel) else LoadedModel(each) for each in parts]
    return dream(photo, parts, config(**options), guide=guide, regions=regions).pixels


# Weights, masks and schedules


@pytest.mark.heavy
def test_guide_mask_channels_weights_and_schedule_together(net, photo, guide, regions):
    picture = dreamed(photo, [net], guide, regions, **COMBINED)
    changed = (picture != photo).any(-1)
    assert changed[:, :14].any(0).all()
    assert changed[:, -14:].any(0).all()
    assert not changed[:, 18:-18].any()
    assert np.array_equal(picture, dreamed(photo, [net], guide, regions, **COMBINED))
    without = {**COMBINED, "layers": [COMBINED["layers"][0], COMBINED["layers"][2]]}
    assert np.array_equal(picture[:, :18], dreamed(photo, [net], guide, regions, **without)[:, :18]) is False
    alone = dreamed(photo, [net], guide, regions, **without)
    assert np.array_equal(alone[:, 18:], photo[:, 18:])


@pytest.mark.parametrize("scheme", ["residual", "whole", "lost-detail"])
@pytest.mark.parametrize("space", ["pixels", "fourier"])
def test_outside_the_mask_nothing_changes(net, photo, regions, scheme, space):
    picture = dreamed(
        photo, [net], regions={"": regions["left"]}, octave_scheme=scheme, space=space, step_size=0.05
    )
    assert np.array_equal(picture[:, 18:], photo[:, 18:])
    assert (picture[:, :14] != photo[:, :14]).any()


def test_a_black_mask_changes_nothing_and_a_white_one_all(net, photo):
    black, white = np.zeros(photo.shape[:2], np.uint8), np.full(photo.shape[:2], 255, np.uint8)
    with pytest.warns(DreamkitWarning, match="the mask is black everywhere"):
        still = dreamed(photo, [net], regions={"": black})
    assert np.array_equal(still, photo)
    assert np.array_equal(dreamed(photo, [net], regions={"": white}), dreamed(photo, [net]))


def test_grey_dreams_less(net, photo):
    def change(level):
        mask = np.full(photo.shape[:2], level, np.uint8)
        return np.abs(dreamed(photo, [net], regions={"": mask}, octaves=1).astype(float) - photo).mean()

    assert change(51) < change(128) < change(255)


def test_weight_zero_equals_absence(net, photo, guide, regions):
    terms = COMBINED["layers"]
    silent = [*terms, {"layer": "second", "place": [3, 3], "mask": "right", "weight": 0.0}]
    options = {**COMBINED, "layers": terms}
    assert np.array_equal(
        dreamed(photo, [net], guide, regions, **options),
        dreamed(photo, [net], guide, regions, **{**options, "layers": silent}),
    )


def test_two_equal_objectives_of_half_weight_equal_one(net, photo, guide, regions):
    one, *others = COMBINED["layers"]
    half = {**one, "weight": one["weight"] / 2}
    assert np.array_equal(
        dreamed(photo, [net], guide, regions, **{**COMBINED, "layers": [one, *others]}),
        dreamed(photo, [net], guide, regions, **{**COMBINED, "layers": [half, *others, half]}),
    )


def test_each_mask_has_its_own_terms(net, photo, regions):
    """Where only one term is at work, the dream is that of this term alone under this mask."""
    terms = [{"layer": "second", "mask": "left"}, {"layer": "first", "mask": "right"}]
    free = {"octaves": 1, "color": "free"}  # what holds colours looks at the whole picture
    together = dreamed(photo, [net], regions=regions, layers=terms, **free)
    for term, columns in zip(terms, (slice(0, 18), slice(-18, None)), strict=True):
        alone = dreamed(photo, [net], regions=regions, layers=[term], **free)
        difference = together[:, columns].astype(int) - alone[:, columns]
        assert np.abs(difference).mean() < 0.5  # what is beyond the mask is seen, and counts in the gradient
        assert np.abs(together[:, columns].astype(int) - photo[:, columns]).mean() > 2


def test_what_was_dreamed_is_told_mask_by_mask(net, photo, regions):
    layers = [{"layer": "second", "mask": "left"}, {"layer": "second", "mask": "right", "weight": 2.0}]
    outcome = dream(photo, [LoadedModel(net)], config(layers=layers), regions=regions)
    assert outcome.layers == [{"second under left": 1.0, "second under right": 2.0}]


def test_a_mask_that_is_not_given_is_named(net, photo):
    with pytest.raises(ConfigError, match="the mask 'left' of second is not given; .*--mask left=FILE"):
        dreamed(photo, [net], layers=[{"layer": "second", "mask": "left"}])


def test_a_schedule_is_each_octaves_options(net, photo):
    """An octave after the other by hand, with the residual scheme's own resizing, is the schedule."""
    heard = []
    dream(
        photo,
        [LoadedModel(net)],
        config(schedule=[{"steps": 2}, {"steps": 5, "layers": "first"}, {"steps": 1}]),
        lambda step: heard.append((step.octave, step.step, step.steps)),
    )
    assert heard == [(1, 1, 2), (1, 2, 2), *((2, n, 5) for n in range(1, 6)), (3, 1, 1)]


def test_a_schedule_of_the_same_options_is_none(net, photo):
    schedule = [{"steps": 4, "jitter": 3, "step_size": 0.015, "layers": "second"}]
    assert np.array_equal(dreamed(photo, [net]), dreamed(photo, [net], schedule=schedule))


def test_a_schedules_layers_are_dreamed_in_their_octave(net, photo):
    options = {"octaves": 1, "steps": 6}
    assert np.array_equal(
        dreamed(photo, [net], schedule=[{"layers": "first:2"}], **options),
        dreamed(photo, [net], layers="first:2", **options),
    )


def test_an_octave_ends_at_the_most_objective(net, photo):
    heard = []
    dream(photo, [LoadedModel(net)], config(max_objective=1e-6), heard.append)
    assert [(step.octave, step.step, step.steps) for step in heard] == [(1, 1, 1), (2, 1, 1), (3, 1, 1)]
    assert heard[-1].done == 1.0


# Several networks


def test_two_halves_of_a_network_are_the_network(net, photo):
    halves = dreamed(photo, [LoadedModel(net, 0.5), LoadedModel(net, 0.5)])
    assert np.abs(halves.astype(int) - dreamed(photo, [net])).max() <= 1


def test_a_network_of_weight_zero_is_absent(net, other, photo):
    assert np.array_equal(
        dreamed(photo, [LoadedModel(net, 3.0), LoadedModel(other, 0.0)]), dreamed(photo, [net])
    )
    assert dream(photo, [LoadedModel(net, 3.0), LoadedModel(other, 0.0)], config()).layers == [
        {"second": 1.0},
        {},
    ]
    with pytest.raises(ConfigError, match="every network has weight zero"):
        dreamed(photo, [LoadedModel(net, 0.0)])


def test_each_network_pulls_its_own_way_by_its_weight(net, other, photo):
    def likeness(parts):
        change = dreamed(photo, parts, octaves=1).astype(float) - photo
        return [
            np.corrcoef(change.ravel(), (dreamed(photo, [each], octaves=1).astype(float) - photo).ravel())[
                0, 1
            ]
            for each in (net, other)
        ]

    mostly_one, mostly_other = (
        likeness([net, LoadedModel(other, 0.2)]),
        likeness([LoadedModel(net, 0.2), other]),
    )
    assert mostly_one[0] > mostly_one[1]
    assert mostly_other[1] > mostly_other[0]


def test_a_networks_unit_does_not_change_its_share(other, photo):
    """Each gradient is normalised by itself, so activations a thousand times as large win nothing."""
    plain, loud = (network.load(tiny.provider(gain=gain), None) for gain in (1.0, 1000.0))
    options = {"layers": "first", "balance": False}
    difference = dreamed(photo, [plain, other], **options).astype(int) - dreamed(
        photo, [loud, other], **options
    )
    assert np.abs(difference).max() <= 1


def test_each_network_dreams_its_own_layers(net, other, photo):
    both = dream(photo, [LoadedModel(net), LoadedModel(other, 1.0, ("first:1=2",))], config())
    assert both.layers == [{"second": 1.0}, {"first:1": 2.0}]


# Colours


def chroma(pixels):
    """The differences between colours."""
    values = pixels.astype(float)
    return np.stack([values[..., 0] - values[..., 1], values[..., 1] - values[..., 2]])


@pytest.mark.parametrize("steps", [5, 60])
def test_keep_keeps_the_differences_between_colours(net, photo, steps):
    picture = dreamed(photo, [net], color="keep", steps=steps)
    assert np.abs(chroma(picture) - chroma(photo)).max() <= 1
    assert np.abs(picture.astype(float) - photo).mean() > 3


@pytest.mark.parametrize("amount", [DreamConfig().color, "natural", "decorrelated"])
def test_natural_colours_do_not_drift(net, photo, amount):
    """After many steps, means are the photograph's and spreads at most what is natural; free ones drift."""
    before = color.spread(photo)
    limit = np.maximum(before.deviation, 1.0)
    after = color.spread(dreamed(photo, [net], color=amount, steps=60))
    free = color.spread(dreamed(photo, [net], color="free", steps=60))
    assert np.abs(after.mean - before.mean).max() < 0.25
    assert (after.deviation < 1.15 * limit).all()
    assert (free.deviation / limit).max() > 1.5


# Regularisers, smoothing, and the random turns


def roughness(pixels):
    values = pixels.astype(float)
    return np.abs(np.diff(values, axis=0)).mean() + np.abs(np.diff(values, axis=1)).mean()


def test_total_variation_makes_it_smoother_the_more_it_weighs(net, photo):
    rough = [roughness(dreamed(photo, [net], tv=weight, steps=10)) for weight in (0.0, 0.1, 1.0)]
    assert rough == sorted(rough, reverse=True)
    assert rough[-1] < 0.8 * rough[0]


def test_the_distance_keeps_it_near_the_photograph(net, photo):
    def distance(weight):
        return np.abs(dreamed(photo, [net], l2=weight, steps=40).astype(float) - photo).mean()

    assert distance(50.0) < 0.7 * distance(5.0) < 0.7 * distance(0.0)


def test_smoothing_makes_larger_shapes(net, photo):
    change = [
        dreamed(photo, [net], layers="first", smooth=each).astype(float) - photo
        for each in ("none", "gaussian")
    ]
    plain, smoothed = (roughness(each) / np.abs(each).mean() for each in change)
    assert smoothed < 0.9 * plain


def test_turns_and_scales_are_the_seeds(net, photo):
    options = {"rotate": 10.0, "zoom": 0.1}
    turned = dreamed(photo, [net], **options)
    assert np.array_equal(turned, dreamed(photo, [net], **options))
    assert not np.array_equal(turned, dreamed(photo, [net]))
    assert not np.array_equal(turned, dreamed(photo, [net], seed=1, **options))


def test_the_fourier_space_climbs_from_a_photograph(net, photo):
    heard = []
    options = config(space="fourier", octaves=1, steps=30, step_size=0.02, jitter=0)
    dream(photo, [LoadedModel(net)], options, lambda step: heard.append(step.objective))
    assert heard[-1] > 1.2


def test_what_is_asked_for_changes_nothing_of_what_is_not(net, photo):
    """Every new option at its neutral value is the dream without it."""
    neutral = {
        "tv": 0.0, "l2": 0.0, "rotate": 0.0, "zoom": 0.0, "border": 0, "schedule": (),
        "strength": "normal", "blend": 0.0, "clouds": 0.0, "smooth_width": 0.5, "wrap": "none",
    }  # fmt: skip
    assert np.array_equal(dreamed(photo, [net]), dreamed(photo, [net], **neutral))


# Strength, blend, and what a seed composes


@pytest.mark.parametrize("space", ["pixels", "fourier"])
def test_strength_multiplies_the_step_size(net, photo, space):
    options = {"octaves": 1, "space": space}
    assert np.array_equal(
        dreamed(photo, [net], strength="wild", step_size=0.01, **options),
        dreamed(photo, [net], step_size=0.02, **options),
    )
    scheduled = [{"step_size": 0.01}, {"step_size": 0.02}]
    assert np.array_equal(
        dreamed(photo, [net], strength=2, schedule=scheduled),
        dreamed(photo, [net], schedule=[{"step_size": 0.02}, {"step_size": 0.04}]),
    )


def test_twice_the_strength_is_a_first_step_of_twice_the_length(net, photo):
    def moved(strength):
        heard = []
        options = config(octaves=1, steps=1, strength=strength, step_size=0.01, color="free", clip=False)
        dream(photo, [LoadedModel(net)], options, lambda step: heard.append(step.pixels.copy()))
        return heard[0] - photo

    once = moved(1.0)
    assert np.abs(once).max() > 1
    np.testing.assert_allclose(moved(2.0), 2 * once, atol=1e-4)
    np.testing.assert_allclose(moved("subtle"), once / 2, atol=1e-4)


@pytest.mark.parametrize("amount", [0.25, 0.6])
@pytest.mark.parametrize("masked", [False, True])
def test_blend_puts_that_much_of_the_photograph_back(net, photo, regions, amount, masked):
    told = {"": regions["left"]} if masked else None
    whole = dreamed(photo, [net], regions=told)
    expected = whole + amount * (photo.astype(float) - whole)
    found = dreamed(photo, [net], regions=told, blend=amount)
    assert (
        np.abs(found - expected).max() <= 0.5 + (1 - amount) / 2 + 1e-3
    )  # the dream itself was rounded as well
    assert np.array_equal(found[:, 18:], photo[:, 18:]) == masked


def test_blend_goes_from_the_dream_to_the_photograph(net, photo):
    assert np.array_equal(dreamed(photo, [net], blend=0.0), dreamed(photo, [net]))
    assert np.array_equal(dreamed(photo, [net], blend=1.0), photo)


def test_blend_changes_nothing_on_the_way(net, photo):
    heard = {0.0: [], 0.5: []}
    for amount, steps in heard.items():
        dream(
            photo,
            [LoadedModel(net)],
            config(blend=amount),
            lambda step, to=steps: to.append(step.pixels.copy()),
        )
    for one, other in zip(*heard.values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_seed_0_has_no_clouds(net, photo):
    assert np.array_equal(dreamed(photo, [net], clouds=64.0), dreamed(photo, [net], clouds=0.0))


def test_another_seed_composes_another_dream(net, photo):
    def apart(**options):
        one, other = (dreamed(photo, [net], seed=seed, **options).astype(float) for seed in (1, 2))
        return np.abs(one - other).mean()

    assert apart() > 1.5 * apart(clouds=0.0)
    assert apart(clouds=24.0) > apart()
    assert np.array_equal(dreamed(photo, [net], seed=1), dreamed(photo, [net], seed=1))


@pytest.mark.parametrize("wrapped", ["none", "both"])
def test_clouds_lie_at_the_same_places_in_a_small_picture_and_a_large_one(wrapped):
    def clouds(side):
        plain = np.full((side, 3 * side // 2, 3), 128, np.uint8)
        options = DreamConfig(seed=7, wrap=wrapped)
        return compose(plain, plain.shape[:2], options) - 128

    small, large = clouds(80), clouds(400)
    assert np.abs(np.ptp(small, axis=2)).max() < 1e-3  # lightness alone
    assert 4 < small.std() < 20
    again = resize(large, small.shape[:2])
    assert np.corrcoef(small.ravel(), again.ravel())[0, 1] > 0.95


def test_clouds_stay_within_black_and_white():
    for value in (0, 255):
        plain = np.full((60, 60, 3), value, np.uint8)
        composed = compose(plain, (40, 40), DreamConfig(seed=3, clouds=64.0))
        assert composed.min() >= 0
        assert composed.max() <= 255


# A layer's stride, and weights that are all negative


def test_a_stride_is_the_pixels_between_two_activations(net, monkeypatch):
    assert [net.probe.stride(layer) for layer in ("first", "second")] == [1, 2]


def test_the_gradient_of_a_deep_layer_is_smoothed_twice(net, photo, monkeypatch):
    options = {"octaves": 1, "steps": 1}
    once = dreamed(photo, [net], **options)
    assert np.array_equal(once, dreamed(photo, [net], smooth_width=0.5, **options))
    seen, widths = [], []
    blurred = smoothing.gaussian
    monkeypatch.setattr(depth, "blurs", lambda stride: seen.append(stride) or 2)
    monkeypatch.setattr(
        smoothing,
        "gaussian",
        lambda gradient, sigma, *more, **how: widths.append(sigma) or blurred(gradient, sigma),
    )
    twice = dreamed(photo, [net], **options)
    assert set(seen) == {2}
    assert widths == [2.5, 2.5]
    assert not np.array_equal(twice, once)
    dreamed(photo, [net], smooth_width=0.5, **options)
    assert widths[2:] == [2.5]
    dreamed(photo, [net], layers="first,second", **options)
    assert set(seen) == {2}
    dreamed(photo, [net], layers="first", **options)
    assert seen[-1] == 1


def test_a_layers_stride_tells_what_suits_it():
    strides = 1, 2, 4, 8, 16, 32
    assert [depth.blurs(stride) for stride in strides] == [1] * 5 + [2]
    assert [depth.steps(stride) for stride in strides] == [15] * 5 + [25]


def test_an_octave_of_more_than_a_megapixel_takes_fewer_steps():
    pixels = 100, 1_000_000, 1_600_000, 3_100_000, 6_100_000, 12_000_000, 10**9
    assert [depth.steps(16, each) for each in pixels] == [15, 15, 9, 4, 2, 2, 2]
    assert [depth.steps(32, each) for each in pixels] == [25, 25, 15, 8, 4, 2, 2]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [(24, 4), (32, 2)]),
        ({"octaves": 1}, [(32, 4)]),  # nothing smaller was dreamed before it
        ({"steps": 5}, [(24, 5), (32, 5)]),
    ],
)
def test_what_is_large_is_told_by_an_octaves_size(net, photo, monkeypatch, options, expected):
    monkeypatch.setattr(depth, "_LARGE", 24 * 24)
    monkeypatch.setattr(depth, "STEPS", 4)
    monkeypatch.setattr(depth, "_FEWEST", 1)
    taken = {}
    given = {"layers": "first", "octaves": 2, "octave_scale": 4 / 3, "jitter": 4, **options}
    config = DreamConfig(**given)
    dream(
        photo[:32, :32],
        [LoadedModel(net)],
        config,
        on_step=lambda at: taken.update({at.pixels.shape[0]: at.steps}),
    )
    assert list(taken.items()) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"octaves": 1}, [6] * 6),
        ({"octaves": 1, "layers": "first"}, [3] * 3),
        ({"octaves": 1, "steps": 2}, [2] * 2),
        ({"octaves": 2, "schedule": [{"layers": "first"}, {"steps": 1}]}, [3, 3, 3, 1]),
    ],
)
def test_the_deepest_layer_of_an_octave_tells_its_steps(net, photo, monkeypatch, options, expected):
    monkeypatch.setattr(depth, "steps", lambda stride, pixels: 3 * stride)
    taken = []
    given = {"layers": "second", "jitter": 4, **options}
    dream(photo, [LoadedModel(net)], DreamConfig(**given), on_step=lambda step: taken.append(step.steps))
    assert taken == expected


@pytest.mark.parametrize(
    ("parts", "layers", "expected"),
    [
        ([1.0], {"second": -1.0}, 0.3),
        ([-1.0], {"second": 1.0}, 0.3),
        ([-1.0], {"second": -1.0}, 0.0),
        ([1.0], {"second": -1.0, "first": 0.5}, 0.0),
        ([1.0, -0.5], {"second": 1.0}, 0.0),
        ([1.0, 0.5], {"second": -1.0}, 0.3),
    ],
)
def test_what_sees_less_is_kept_smooth(net, other, photo, parts, layers, expected):
    told = [LoadedModel(*each) for each in zip((net, other), parts, strict=False)]
    usual = dreamed(photo, told, layers=layers, octaves=1)
    assert np.array_equal(usual, dreamed(photo, told, layers=layers, octaves=1, tv=expected))
    assert not np.array_equal(usual, dreamed(photo, told, layers=layers, octaves=1, tv=0.3 - expected))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"layers": "second:1", "guide": True}, "the guide has no effect"),
        (
            {"layers": [{"layer": "second", "mask": "left"}], "unnamed": True},
            "the mask without a name has no effect",
        ),
    ],
)
def test_what_has_no_say_is_told(net, photo, guide, regions, more, said):
    given = {"guide": guide} if more.pop("guide", False) else {}
    masks = {**regions, "": regions["right"]} if more.pop("unnamed", False) else {}
    with pytest.warns(DreamkitWarning, match=said):
        dreamed(photo, [net], regions=masks, **given, **more)


def test_a_layer_that_one_of_several_networks_lacks_names_the_network(net, other, photo):
    with pytest.raises(LayerError, match="other: there is no layer 'frist'; did you mean first"):
        dreamed(photo, [LoadedModel(net, 1.0, ("first",)), LoadedModel(other, 1.0, ("frist",))])


def test_octaves_are_no_way_around_the_most_pixels(net, photo):
    with pytest.raises(ConfigError, match="the last octave has 215 x 154 pixels, more than the 30000"):
        dreamed(photo, [net], octaves=1, first_octave=4, max_pixels=30_000)

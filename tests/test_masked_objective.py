"""What a pull raises: channels, neurons, directions and guides, against gradients written by hand."""

from __future__ import annotations

import numpy as np
import published
import pytest
import tensorflow as tf
import tiny

from dreamkit import DreamConfig
from dreamkit.engine.masked_objective import MaskedObjective, balanced
from dreamkit.engine.tf import network
from dreamkit.engine.tf.objectives import match
from dreamkit.engine.tf.objectives.cosine import cosine
from dreamkit.engine.tf.objectives.direction import direction
from dreamkit.errors import LayerError
from dreamkit.terms import parse_terms

KERNELS = tiny.kernels()


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


@pytest.fixture
def guide():
    """A picture of another size and other colours."""
    rows, columns = np.mgrid[0:27, 0:33]
    return np.stack([rows * 9, columns * 7, 255 - rows * 5], -1).astype(np.uint8)


def pulled(net, pixels, layers, roll=(0, 0), guide=None, **options):
    """The engine's gradient for terms, and both of its objectives."""
    config = DreamConfig(**{"tile_size": 64, "balance": False, **options})
    terms = parse_terms(DreamConfig(layers=layers).layers, net)
    pull = MaskedObjective(net, terms, config, guide=guide, size=pixels.shape[:2])
    out = np.empty(pixels.shape, np.float32)
    return out, pull.gradient(pixels.astype(np.float32), roll, out, config.tile_size)[:2]


def by_hand(pixels, at_layers):
    return published.gradient(pixels.astype(float), KERNELS, at_layers)


def agree(found, expected):
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-5 * np.abs(expected).max())


def at_channels(counts, *, square):
    """Pulls of `sum over channels of counts * mean over places of a or a**2`."""
    counts = np.asarray(counts, float)
    return lambda a: np.broadcast_to(counts, a.shape) * (2 * a if square else 1.0) / a[..., 0].size


@pytest.mark.parametrize("objective", ["mean", "mean-square"])
@pytest.mark.parametrize(
    ("layers", "counts"),
    [
        ("second:3", [0, 0, 0, 1, 0]),
        ("second:0+3", [0.5, 0, 0, 0.5, 0]),
        ("second", [0.2] * 5),
    ],
)
def test_channels(net, photo, objective, layers, counts):
    found, (objective_pulled, weighed) = pulled(net, photo, layers, objective=objective)
    agree(found, by_hand(photo, {"second": at_channels(counts, square=objective == "mean-square")}))
    seen = tiny.activations(photo.astype(float), KERNELS)["second"]
    raised = ((seen**2 if objective == "mean-square" else seen).mean((0, 1)) * counts).sum()
    assert objective_pulled == pytest.approx(raised, rel=1e-3)
    assert weighed == objective_pulled


def test_a_direction_is_a_weighted_mean_whatever_the_objective(net, photo):
    direction = [1.0, 0.0, -2.0, 0.5, 0.0]
    found, _ = pulled(net, photo, [{"layer": "second", "direction": direction}])
    agree(found, by_hand(photo, {"second": at_channels(direction, square=False)}))


def test_several_terms_add_with_their_weights(net, photo):
    found, _ = pulled(net, photo, "second:3=2,first=-0.5,second", objective="mean")
    one = at_channels([0.2, 0.2, 0.2, 2.2, 0.2], square=False)
    agree(found, by_hand(photo, {"second": one, "first": at_channels([-0.125] * 4, square=False)}))


@pytest.mark.parametrize("roll", [(0, 0), (7, -11)])
@pytest.mark.parametrize("tile_size", [64, 32])
def test_a_neuron_is_one_place_of_the_map(net, photo, roll, tile_size):
    """Under any roll and tiling, the gradient lies around the neuron's place in the picture."""
    height, width = net.probe.map_size("second", photo.shape[:2])
    assert (height, width) == tiny.activations(photo.astype(float), KERNELS)["second"].shape[:2]
    found, _ = pulled(net, photo, "second@20x8", roll, tile_size=tile_size)
    rows, columns = np.nonzero(np.abs(found).sum(-1))
    assert rows.size
    assert max(np.ptp(rows), np.ptp(columns)) <= 5  # what two 3 x 3 kernels see
    assert abs(rows.mean() - (8.5 / height * 40)) < 3
    assert abs(columns.mean() - (20.5 / width * 56)) < 3


def test_a_neurons_gradient_is_the_oracles(net, photo):
    def at(a):
        pull = np.zeros_like(a)
        pull[8, 20, 2:4] = a[8, 20, 2:4]
        return pull

    found, (raised, _) = pulled(net, photo, "second:2+3@20x8")
    agree(found, by_hand(photo, {"second": at}))
    seen = tiny.activations(photo.astype(float), KERNELS)["second"]
    assert raised == pytest.approx((seen[8, 20, 2:4] ** 2).mean(), rel=1e-4)


@pytest.mark.parametrize(("place", "said"), [("28x0", "columns 0 to 26"), ("0x19", "rows 0 to 18")])
def test_a_neuron_outside_the_map_is_said(net, photo, place, said):
    with pytest.raises(LayerError, match=f"no neuron {place}; the map of second .*{said}"):
        pulled(net, photo, f"second@{place}")


def test_the_border_is_left_out(net, photo):
    found, (raised, _) = pulled(net, photo, "second", border=2)
    agree(found, by_hand(photo, {"second": published.of_inner_mean_square(1.0)}))
    seen = tiny.activations(photo.astype(float), KERNELS)["second"]
    assert raised == pytest.approx(published.inner_mean_square(seen), rel=1e-3)


def test_a_border_wider_than_the_map_leaves_nothing(net, photo):
    found, (raised, _) = pulled(net, photo[:9, :9], "second", border=3)
    assert not found.any()
    assert raised == 0.0


def test_a_guide_pulls_each_place_to_its_best_match(net, photo, guide):
    """google/deepdream: the pull at a place is the guide's vector with the largest product."""
    features = tiny.activations(guide.astype(float), KERNELS)["second"].reshape(-1, 5)
    features = features / np.sqrt((features**2).mean())

    def at(a):
        flat = a.reshape(-1, 5)
        return features[(flat @ features.T).argmax(1)].reshape(a.shape) / a.size

    found, _ = pulled(net, photo, "second", guide=guide)
    agree(found, by_hand(photo, {"second": at}))


def test_places_are_compared_a_few_at_a_time_with_the_same_result(photo, guide, monkeypatch):
    plain, _ = pulled(network.load(tiny.provider(), None), photo, "first", guide=guide)
    monkeypatch.setattr(match, "_MOST_SIMILARITIES", 5000)  # for a map of 2240 places and a guide of 891
    few, _ = pulled(network.load(tiny.provider(), None), photo, "first", guide=guide)
    np.testing.assert_array_equal(plain, few)


def test_a_guide_by_channels_raises_what_it_wakes(net, photo, guide):
    sums = tiny.activations(guide.astype(float), KERNELS)["second"].sum((0, 1))
    counts = sums / np.abs(sums).sum()
    found, _ = pulled(net, photo, "second", guide=guide, guide_style="channels")
    agree(found, by_hand(photo, {"second": at_channels(counts, square=True)}))


def test_terms_of_channels_are_not_guided(net, photo, guide):
    found, _ = pulled(net, photo, "second:3", guide=guide)
    agree(found, by_hand(photo, {"second": at_channels([0, 0, 0, 1, 0], square=True)}))


DIRECTION = [0.5, -1.0, 0.25, 0.0, 2.0]


def cosines(a, direction):
    return a @ direction / np.linalg.norm(a, axis=-1) / np.linalg.norm(direction)


def at_cosine(a, direction):
    """The gradient of the mean over places of the cosine: (d / |d| - cos a / |a|) / |a|, over the places."""
    d = np.asarray(direction) / np.linalg.norm(direction)
    sizes = np.linalg.norm(a, axis=-1, keepdims=True)
    return (d - cosines(a, d)[..., None] * a / sizes) / sizes / a[..., 0].size


def test_a_cosine_turns_each_place_to_the_direction(net, photo):
    term = {"layer": "second", "direction": DIRECTION, "objective": "cosine"}
    found, (_, raised) = pulled(net, photo, [term])
    agree(found, by_hand(photo, {"second": lambda a: at_cosine(a, DIRECTION)}))
    seen = tiny.activations(photo.astype(float), KERNELS)["second"]
    assert raised == pytest.approx(cosines(seen, np.array(DIRECTION)).mean(), rel=1e-3)


def along(a, direction, power):
    """`(a . v) max(0.1, cos)^p` at each place."""
    d = np.asarray(direction)
    cos = a @ d / (np.linalg.norm(a, axis=-1) + 1e-4) / (np.linalg.norm(d) + 1e-4)
    return a @ d * np.maximum(0.1, cos) ** power


def at_direction(a, direction, power, width=1e-5):
    """The gradient of its mean over places, channel by channel, by central differences."""
    ends = [[along(a + sign * width * e, direction, power) for sign in (1, -1)] for e in np.eye(a.shape[-1])]
    return np.stack([(up - down) / (2 * width) for up, down in ends], -1) / a[..., 0].size


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0, 4.0])
def test_a_direction_grows_the_purer_it_is(net, photo, power):
    term = {"layer": "second", "direction": DIRECTION, "objective": "direction"}
    found, (_, raised) = pulled(net, photo, [term], cosine_power=power)
    agree(found, by_hand(photo, {"second": lambda a: at_direction(a, DIRECTION, power)}))
    seen = tiny.activations(photo.astype(float), KERNELS)["second"]
    assert raised == pytest.approx(along(seen, DIRECTION, power).mean(), rel=1e-3, abs=1e-6)


def test_a_pure_channel_grows_as_its_direction(net, photo):
    found, _ = pulled(net, photo, "second:3", objective="direction", cosine_power=2.0)
    agree(found, by_hand(photo, {"second": lambda a: at_direction(a, [0, 0, 0, 1, 0], 2.0)}))


def test_a_direction_has_no_gradient_where_nothing_is_active():
    given = tf.zeros((1, 2, 2, 5))
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = direction(
            given, channel_weights=tf.constant(DIRECTION), places=tf.constant(4.0), cosine_power=2.0
        )
    found = tape.gradient(value, given).numpy()
    assert np.isfinite(found).all()


def test_a_cosine_has_no_gradient_where_nothing_is_active():
    active = np.zeros((1, 2, 2, 5), np.float32)
    active[0, 0, 1] = [1, 2, 3, 4, 5]
    given = tf.constant(active)
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = cosine(given, channel_weights=tf.constant(DIRECTION), places=tf.constant(4.0))
    found = tape.gradient(value, given).numpy()
    assert float(value[0]) == pytest.approx(cosines(active[0, 0, 1], np.array(DIRECTION)) / 4, rel=1e-6)
    assert found[0, 0, 1].any()
    found[0, 0, 1] = 0
    assert not found.any()


def test_a_cosine_needs_a_direction(net, photo):
    with pytest.raises(LayerError, match="compares with a direction, and second has none; give a text"):
        pulled(net, photo, "second", objective="cosine")


def test_balance_leaves_a_cosine_as_it_is():
    found = balanced([2.0, 3.0, 4.0, 1.0], np.array([16.0, 16.0, 16.0, 0.0]), [0, 1, 2, 0])
    np.testing.assert_array_equal(found, [2.0, 0.75, 0.25, 1.0])


def test_one_trace_serves_all_channels(photo):
    net = network.load(tiny.provider(), None)
    for channel in range(5):
        pulled(net, photo, f"second:{channel}")
    assert net.traces == 1


@pytest.mark.parametrize("roll", [(0, 0), (9, -21)])
@pytest.mark.parametrize("margin", [0, 3])
def test_tiles_where_nothing_is_dreamed_are_not_computed(net, photo, roll, margin):
    """The others are as they would be."""
    seen = []

    class Counted:
        """The network, counting windows."""

        def __getattr__(self, name):
            return getattr(net, name)

        def step(self, *specs):
            step = net.step(*specs)

            def counting(windows, *rest):
                seen.append(len(windows))
                return step(windows, *rest)

            return counting

    config = DreamConfig(tile_size=32, balance=False)
    pull = MaskedObjective(Counted(), parse_terms(("second",), net), config, size=photo.shape[:2])
    pixels = np.tile(photo, (2, 2, 1)).astype(np.float32)  # 80 x 112: 3 x 4 tiles
    where = np.zeros((80, 112, 1), np.float32)
    where[50:60, 3:9] = 0.5
    whole, part = np.empty_like(pixels), np.full_like(pixels, np.nan)
    assert pull.gradient(pixels, roll, whole, 32).coverage == 1.0
    windows = sum(seen)
    seen.clear()
    found = pull.gradient(pixels, roll, part, 32, where=where, margin=margin)
    assert windows == 12
    assert 1 <= sum(seen) <= 4
    computed = (part != 0).any(-1)
    assert found.coverage == pytest.approx(computed.mean(), abs=0.02)
    assert computed[50 - margin : 60 + margin, 3 - margin : 9 + margin].mean() > 0.95
    np.testing.assert_array_equal(part[computed], whole[computed])
    assert pull.gradient(pixels, roll, part, 32, where=np.zeros_like(where)) == (0.0, 0.0, 0.0)
    assert not part.any()

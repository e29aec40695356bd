"""`dreamkit examine`: dreams of channels beside the photographs that wake them, and noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

import dreamkit
from dreamkit.concepts.features import square
from dreamkit.errors import ConfigError
from dreamkit.jobs.examine import Examiner
from dreamkit.models.spec import ModelSpec
from dreamkit.observations.similarity import noise_like, similarity

WITHOUT_LAYERS = Path(__file__).parent / "data" / "first_edition" / "dream.png"  # in its recipe
COUNT = 12


@pytest.fixture
def network(loaded_once):
    return dreamkit.load(tiny.provider())


@pytest.fixture
def photographs(make_pictures):
    return make_pictures(COUNT)


@pytest.fixture
def dream(network, tmp_path):
    path = tmp_path / "dream.png"
    dreamkit.render(None, network, layers="second:2", size=48, steps=4, octaves=1).save(path)
    return path


def spearman(one, other):
    """Spearman's rank correlation, pair by pair."""

    def ranks(values):
        return np.array([np.sum(values < each) + (np.sum(values == each) + 1) / 2 for each in values])

    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def test_similarities_are_rank_correlations():
    draw = np.random.default_rng(0)
    dream, best, others = draw.normal(size=20), draw.normal(size=(4, 20)), draw.normal(size=(3, 20))
    best[:, :5] = others[0, :5] = 0  # equal ones
    found = similarity("a", dream, best, others)
    assert found.dream == pytest.approx(np.mean([spearman(dream, each) for each in best]))
    pairs = [spearman(best[i], best[j]) for i in range(4) for j in range(4) if i != j]
    assert found.among == pytest.approx(np.mean(pairs))
    assert found.others == pytest.approx(np.mean([spearman(a, b) for a in others for b in best]))
    assert np.isnan(found.share)  # these are no more alike than others


def test_a_share_says_where_the_dream_stands():
    draw = np.random.default_rng(0)
    kind = draw.normal(size=200)
    best = kind + draw.normal(0, 0.3, (6, 200))
    others = draw.normal(size=(6, 200))
    assert similarity("a", kind + draw.normal(0, 0.3, 200), best, others).share == pytest.approx(1, abs=0.05)
    assert similarity("a", draw.normal(size=200), best, others).share == pytest.approx(0, abs=0.15)
    assert np.isnan(similarity("a", kind, np.stack([kind, -kind]), best).share)


@given(arrays.arrays(np.float32, (8, 9, 3), elements=st.floats(100, 150, width=32)), st.integers(0, 99))
def test_noise_has_the_waves_of_the_picture(pixels, seed):
    noise = noise_like(pixels, np.random.default_rng(seed))
    np.testing.assert_allclose(noise.mean((0, 1)), pixels.mean((0, 1)), rtol=1e-4)
    strengths = [np.abs(np.fft.fft2(each, axes=(0, 1))) for each in (noise, pixels)]
    if noise.min() > 0 and noise.max() < 255:  # nothing was cut off
        np.testing.assert_allclose(strengths[0], strengths[1], atol=0.1)


def test_what_is_reached_and_the_pictures_that_are_compared(network, photographs, dream):
    found = Examiner(ModelSpec(network), network, photographs).examine(dream, "second", 2)
    look = network.activations(["second"])
    with Image.open(dream) as image:
        (maps,) = look(np.asarray(image)[None].astype(np.float32))
    assert found.dream.mean == pytest.approx(maps[..., 2].mean(), rel=1e-5)
    assert found.dream.largest == pytest.approx(maps[..., 2].max(), rel=1e-5)
    largest, all_maps = [], []
    for path in photographs:
        with Image.open(path) as image:
            (maps,) = look(square(np.asarray(image))[None])
        all_maps.append(maps[0])
        largest.append(maps[0, 1:-1, 1:-1, 2].max())
    best = np.argsort(-np.array(largest), kind="stable")[:9]
    assert found.best == 9
    assert found.photographs.mean == pytest.approx(
        np.mean([all_maps[number][..., 2].mean() for number in best]), rel=1e-5
    )
    features = np.stack([maps.mean((0, 1)) for maps in all_maps])
    assert [each.layer for each in found.layers] == ["first", "second"]
    pairs = [spearman(features[a], features[b]) for a in best for b in best if a != b]
    assert found.layers[-1].among == pytest.approx(np.mean(pairs), abs=1e-6)
    rest = [number for number in range(COUNT) if number not in best]  # three, and all are taken
    crosses = [spearman(features[a], features[b]) for a in rest for b in best]
    assert found.layers[-1].others == pytest.approx(np.mean(crosses), abs=1e-6)
    assert found.dream.mean > found.noise.mean
    assert found.elsewhere == ()


def test_the_same_figures_each_time_and_in_another_network(network, photographs, dream):
    other = dreamkit.load(tiny.provider(7))
    one, again = (
        Examiner(ModelSpec(network), network, photographs, other=other).examine(dream, "second", 2)
        for _ in range(2)
    )
    assert one == again
    assert [each.layer for each in one.elsewhere] == ["first", "second"]


def test_what_cannot_be_examined_is_refused(network, photographs, dream, tmp_path):
    examiner = Examiner(ModelSpec(network), network, photographs)
    with pytest.raises(ConfigError, match="second has the channels 0 to 4; 9 is none of them"):
        examiner.examine(dream, "second", 9)
    Image.new("RGB", (3, 2)).save(tmp_path / "small.png")
    with pytest.raises(ConfigError, match="has 3 x 2 pixels, fewer than the 4 needed"):
        examiner.examine(tmp_path / "small.png", "second", 2)
    with pytest.raises(ConfigError, match=r"[01] of the photographs wake second:2, too few"):
        Examiner(ModelSpec(network), network, photographs[:1]).examine(dream, "second", 2)
    with pytest.raises(ConfigError, match="there are no other photographs"):
        Examiner(ModelSpec(network), network, photographs[:5]).examine(dream, "second", 2)


def test_the_command_reads_what_was_dreamed_from_the_picture(run, photographs, tmp_path):
    quick = ["-m", "tiny", "--size", "40", "--steps", "2", "--octaves", "1", "-q"]
    assert run("dream", *quick, "-l", "high:1", "-o", "one.png")[0] == 0
    assert run("dream", *quick, "-l", "high:0", "-o", "two.png")[0] == 0
    code, out, _ = run("examine", "one.png", "--photographs", "photos", "-q")
    assert code == 0
    assert out.splitlines()[0].split() == [
        "dream", "channel", "dream", "reaches", "photographs", "noise", "alike",
    ]  # fmt: skip
    assert out.splitlines()[1].startswith("one.png  high:1")
    code, out, _ = run("examine", "one.png", "two.png", "--photographs", "photos", "-q", "--json")
    assert code == 0
    assert [(each["name"], each["channel"]) for each in json.loads(out)] == [("one.png", 1), ("two.png", 0)]
    assert run("dream", *quick, "-l", "high", "-o", "layer.png")[0] == 0
    code, out, err = run("examine", "layer.png", "--photographs", "photos", "-q")
    assert (code, out) == (1, "")
    assert err == (
        "error: layer.png is a dream of high; only dreams of one channel, such as mixed4c:277, can be "
        "examined\n"
    )
    code, out, err = run("examine", str(WITHOUT_LAYERS), "--photographs", "photos", "-q")
    assert (code, out) == (1, "")
    assert "dream.png is a dream of mixed4; only dreams of one channel" in err  # the default of its network
    code, _, err = run("examine", "one.png")
    assert (code, err) == (
        1,
        "error: dreams are examined beside photographs; give a folder with --photographs\n",
    )
    code, _, err = run("examine", photographs[0], "--photographs", "photos")
    assert code == 1
    assert "carries no recipe" in err
    code, out, err = run(
        "examine", photographs[0], "--photographs", "photos", "-q", "-m", "tiny", "-l", "high:1"
    )
    assert (code, err) == (0, "")

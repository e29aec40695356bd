"""Concepts: the arithmetic against NumPy, the files, and the commands on a tiny network and on pocket."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import dreamkit
from dreamkit import direction_text
from dreamkit.concepts import concept, features, learning, library, reference, separation, tcav
from dreamkit.concepts.concept import Concept, Direction
from dreamkit.concepts.reference import Reference
from dreamkit.errors import ConceptError, ConfigError, ImageError, LayerError
from dreamkit.jobs import concepts as jobs

pytestmark = pytest.mark.usefixtures("loaded_once")
SMALL = "--steps", 1, "--octaves", 1, "-q"


def drawn(seed=0, count=200, channels=7):
    """Features with a covariance of their own."""
    draw = np.random.default_rng(seed)
    return draw.normal(size=(count, channels)) @ draw.normal(size=(channels, channels)) + draw.normal(
        size=channels
    )


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), int)


# The arithmetic.


def test_statistics_of_few_channels_are_exact():
    values = drawn()
    found = reference.measured(values)
    np.testing.assert_allclose(found.mean, values.mean(0), rtol=1e-5)
    covariance = found.factors @ found.factors.T + np.diag(found.variances)
    np.testing.assert_allclose(covariance, np.cov(values.T), rtol=1e-4, atol=1e-4)


def test_statistics_of_many_channels_keep_every_variance():
    values = drawn(count=60, channels=50)
    found = reference.measured(values)
    assert found.factors.shape[1] < 50
    variances = np.sum(found.factors**2, 1) + found.variances
    np.testing.assert_allclose(variances, np.var(values, axis=0, ddof=1), rtol=1e-4)
    assert found.mean_variance == pytest.approx(np.var(values, axis=0, ddof=1).mean(), rel=1e-4)


@given(st.integers(0, 1000), st.floats(0.1, 20))
def test_whitening_is_the_inverse_of_the_shrunk_covariance(seed, shrinkage):
    values = drawn(seed)
    found = reference.measured(values)
    vector = np.random.default_rng(seed + 1).normal(size=7)
    covariance = np.cov(values.T)
    shrunk = covariance + shrinkage * np.trace(covariance) / 7 * np.eye(7)
    np.testing.assert_allclose(
        found.whitened(vector, shrinkage), np.linalg.solve(shrunk, vector), rtol=1e-3, atol=1e-6
    )


def test_a_direction_is_fishers():
    values, pictures = drawn(), drawn(3, 4)
    found = separation.direction(pictures, reference.measured(values))
    covariance = np.cov(values.T)
    shrunk = covariance + separation.SHRINKAGE * np.trace(covariance) / 7 * np.eye(7)
    expected = np.linalg.solve(shrunk, pictures.mean(0) - values.mean(0))
    np.testing.assert_allclose(found, expected / np.abs(expected).max(), rtol=1e-4, atol=1e-5)
    assert np.abs(found).max() == pytest.approx(1)


def test_separation_leaves_each_picture_out():
    """Pictures far along one axis stand out from all; opposite ones stand out from none."""
    statistics = reference.measured(np.random.default_rng(0).normal(size=(300, 3)))
    assert separation.leave_one_out(np.array([[9.0, 0, 0], [8, 1, 0], [9, 0, 1]]), statistics) > 0.999
    assert separation.leave_one_out(np.array([[9.0, 0, 0], [-9, 0, 0]]), statistics) < 0.001
    assert np.isnan(separation.leave_one_out(np.array([[9.0, 0, 0]]), statistics))
    each = separation.left_out(np.array([[9.0, 0, 0], [8, 1, 0], [-9, 0, 0], [9, 0, 1]]), statistics)
    assert np.argmin(each) == 2


def test_separation_of_chance_is_a_half():
    draw = np.random.default_rng(1)
    statistics = reference.measured(draw.normal(size=(500, 20)))
    shares = [separation.leave_one_out(draw.normal(size=(5, 20)), statistics) for _ in range(200)]
    assert 0.4 < np.mean(shares) < 0.6


@pytest.mark.parametrize(("score", "share"), [(0, 0.5), (1, 0.841345), (-1.96, 0.024998)])
def test_shares_of_the_normal_distribution(score, share):
    assert separation.normal_share(score) == pytest.approx(share, abs=1e-6)


def test_features_are_means_of_the_middle_and_the_edge():
    class Network:
        """Whose only layer is the picture itself."""

        def min_size(self, layers):  # noqa: ARG002
            return 1

        def activations(self, layers):  # noqa: ARG002
            return lambda pixels: [pixels]

    picture = np.zeros((300, 224, 3), np.uint8)
    picture[38 + 38 : -38 - 38, 38:-38] = (255, 128, 0)  # the middle square has 224 rows; its edge is 38 wide
    found = features.features(Network(), ["all"], [picture] * 3)["all"]
    assert found.mean.shape == (3, 3)
    np.testing.assert_allclose(found.middle[0], (255, 128, 0), rtol=1e-5)
    np.testing.assert_allclose(found.edge[0], 0, atol=1e-3)
    np.testing.assert_allclose(found.mean[0], np.array((255, 128, 0)) * (148 / 224) ** 2, rtol=1e-5)


# Files.


def made(name="wings", network="pocket", sha256="0" * 64, channels=4, **more):
    weights = direction_text.rounded(np.linspace(-1, 0.5, channels).astype(np.float32))
    return Concept(name, network, sha256, {"mixed5a": Direction(weights, 0.9)}, ("mixed5a",), 3, **more)


@given(st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=40).filter(any))
def test_directions_survive_as_text(numbers):
    weights = np.array(numbers, np.float32)
    np.testing.assert_array_equal(direction_text.decoded(direction_text.encoded(weights)), weights)


@pytest.mark.parametrize(
    "text",
    [None, 3, "", "!!!!", "AA==", direction_text.encoded(np.zeros(4, np.float32)), "AHw=", "A" * 10**6],
)
def test_texts_that_are_no_directions(text):
    with pytest.raises(ValueError, match="direction"):
        direction_text.decoded(text)


def test_a_concept_survives_its_file(tmp_path):
    before = made()
    before.save(tmp_path / "wings.json")
    after = concept.read(tmp_path / "wings.json")
    assert (after.name, after.network, after.sha256, after.layers, after.pictures) == (
        "wings",
        "pocket",
        "0" * 64,
        ("mixed5a",),
        3,
    )
    np.testing.assert_array_equal(after.direction("mixed5a").weights, before.direction("mixed5a").weights)
    assert after.direction("mixed5a").separation == 0.9
    with pytest.raises(ImageError, match="exists"):
        before.save(tmp_path / "wings.json")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text[: len(text) // 2], "is damaged, or no concept's file"),
        (lambda _: "[]", "is damaged, or no concept's file"),
        (lambda _: "[" * 100_000, "is damaged, or no concept's file"),
        (lambda _: "\x00" * 10, "is damaged, or no concept's file"),
        (lambda text: text.replace('"pictures": 3', '"pictures": 4'), "is damaged, or no concept's file"),
        (lambda text: text.replace('"dreamkit_concept": 1', '"dreamkit_concept": 2'), "another version"),
        (lambda text: text + " " * (5 << 20), r"it has more than 4,194,304 bytes"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, says):
    path = tmp_path / "wings.json"
    path.write_text(change(made().to_json()))
    with pytest.raises(ConceptError, match=says):
        concept.read(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../wings"},
        {"name": 3},
        {"layers": ["mixed4c"]},
        {"layers": 5},
        {"directions": {}},
        {"directions": {"mixed5a": {"weights": "AHw=", "separation": None}}},
        {"directions": []},
        {"network": None},
        {"pictures": "many"},
    ],
)
def test_hostile_files_with_a_right_hash_are_refused(tmp_path, changes):
    content = json.loads(made().to_json())
    content.update(changes)
    content.pop("sha256"), content.pop("dreamkit_concept")
    path = tmp_path / "wings.json"
    path.write_text(json.dumps({"dreamkit_concept": 1, **content, "sha256": concept._hash(content)}))
    with pytest.raises(ConceptError):
        concept.read(path)


def test_a_reference_survives_its_file(tmp_path):
    layers = {"a/b": reference.measured(1e4 * drawn()), "c": reference.measured(1e-4 * drawn(1))}
    path = tmp_path / "r.npz"
    path.write_bytes(reference.to_bytes(Reference("tiny", "1" * 64, 200, layers, "2" * 64)))
    found = reference.read(path)
    assert (found.network, found.sha256, found.photographs, found.source) == ("tiny", "1" * 64, 200, "2" * 64)
    for name, before in layers.items():
        for one, other, unit in zip(found.layers[name], before, (0.5, 0.5, 1), strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=1e-4 * before.mean_variance**unit)


@pytest.mark.parametrize(
    "change", [lambda data: data[:100], lambda _: b"", lambda data: data[:-30] + b"x" * 30]
)
def test_damaged_references_are_refused(tmp_path, change):
    path = tmp_path / "r.npz"
    layers = {"c": reference.measured(drawn())}
    path.write_bytes(change(reference.to_bytes(Reference("tiny", "1" * 64, 200, layers))))
    with pytest.raises(ConceptError, match="cannot be used"):
        reference.read(path)


def test_a_reference_holds_no_objects(tmp_path):
    path = tmp_path / "r.npz"
    np.savez(path, about=np.array([{"format": 1}], object))
    with pytest.raises(ConceptError, match="cannot be used"):
        reference.read(path)


def test_what_comes_with_the_package_is_small_and_of_its_networks():
    from importlib import resources

    folder = resources.files("dreamkit.concepts").joinpath("references")
    sizes = [len(file.read_bytes()) for file in folder.iterdir()]
    assert sum(sizes) <= 1_500_000
    network = dreamkit.load()
    found = reference.find("pocket", network.digest)
    assert found is not None
    assert found.photographs > 500
    assert set(found.layers) == set(network.provider.main_layers)
    for layer, each in found.layers.items():
        assert len(each.mean) == network.channels(layer)


# Learning.


@pytest.fixture
def pictures(tmp_path):
    """Red pictures in `red`, and pictures of all colours in `all`, at different brightness."""
    draw = np.random.default_rng(4)
    for folder, count in (("red", 4), ("all", 30)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            color = draw.uniform(60, 200, 3) if folder == "all" else np.array([220, 40, 40])
            pixels = np.clip(color + draw.normal(0, 20, (40, 48, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number:02}.png")
    return tmp_path


def learn(run, *arguments, name="red", folder="red"):
    return run("concept", "learn", name, folder, "-m", "tiny", *arguments)


def test_a_concept_is_learned_kept_and_dreamed(run, pictures, picture):
    code, out, err = learn(run, "--against", "all")
    assert code == 0, err
    assert "learned red from 4 pictures, for tiny" in out
    assert library.path_of("red", "tiny").is_file()
    code, out, _ = run("concepts", "-m", "tiny", "--json")
    assert code == 0
    assert [(each["name"], each["pictures"], each["learned_here"]) for each in json.loads(out)] == [
        ("red", 4, True)
    ]
    code, _, err = run("dream", picture, "-m", "tiny", "--concept", "red", "-o", "a.png", *SMALL)
    assert code == 0, err
    code, _, err = run("dream", picture, "-m", "tiny", "--concept", "red=-1", "-o", "b.png", *SMALL)
    assert code == 0, err
    one, other, photo = (
        np.asarray(Image.open(pictures / name).convert("RGB"), float) for name in ("a.png", "b.png", picture)
    )
    assert np.any(one != other)
    assert (one - photo)[..., 0].mean() - (one - photo)[..., 1:].mean() > 0  # redder
    assert (other - photo)[..., 0].mean() - (other - photo)[..., 1:].mean() < 0


def test_a_reference_is_remembered(run, pictures):
    code, _, err = learn(run)
    assert code == 1
    assert "no photographs to compare with for tiny; give a folder" in err
    assert learn(run, "--against", "all")[0] == 0
    shutil.rmtree(pictures / "all")
    code, _, err = learn(run, name="again")
    assert code == 0, err


def test_a_picture_carries_its_directions(run, pictures, picture):
    assert learn(run, "--against", "all", "-o", "red.json")[0] == 0
    code, _, err = run("dream", picture, "-m", "tiny", "--concept", "red.json", "-o", "a.png", *SMALL)
    assert code == 0, err
    (pictures / "red.json").unlink()
    code, _, err = run("redo", "a.png", picture, "-o", "b.png", "-q")
    assert code == 0, err
    np.testing.assert_array_equal(pixels_of("a.png"), pixels_of("b.png"))
    code, out, _ = run("recipes", "a.png")
    (pictures / "mine.toml").write_text(out)
    code, _, err = run("dream", picture, "-r", "mine.toml", "-o", "c.png", "-q")
    assert code == 0, err
    np.testing.assert_array_equal(pixels_of("a.png"), pixels_of("c.png"))


def test_a_recipe_names_a_file_beside_it(run, pictures, picture):
    assert learn(run, "--against", "all", "-o", "red.json")[0] == 0
    (pictures / "sub").mkdir()
    shutil.move(pictures / "red.json", pictures / "sub")
    text = 'model = "tiny"\nsteps = 1\noctaves = 1\n[[layers]]\nconcept = "%s"\nlayer = "high"\n'
    (pictures / "sub" / "mine.toml").write_text(text % "red.json")
    code, _, err = run("dream", picture, "-r", "sub/mine.toml", "-o", "a.png", "-q")
    assert code == 0, err
    (pictures / "mine.toml").write_text(text % "sub/red.json")
    code, _, err = run("dream", picture, "-r", "mine.toml", "-o", "b.png", "-q")
    assert code == 1
    assert "it can name a concept, or a file beside it without a folder" in err


def test_two_concepts_under_two_masks(run, pictures, picture):
    assert learn(run, "--against", "all")[0] == 0
    assert learn(run, name="other", folder="all/0[0-4].png")[0] == 1  # nothing in common
    assert learn(run, "--keep", name="other", folder="all/0[0-4].png")[0] == 0
    height, width, _ = pixels_of(picture).shape
    for name, left in (("left.png", True), ("right.png", False)):
        mask = np.zeros((height, width), np.uint8)
        mask[:, : width // 2] = 255 * left
        mask[:, width // 2 :] = 255 * (not left)
        Image.fromarray(mask).save(name)
    text = 'model = "tiny"\nsteps = 2\noctaves = 1\n'
    both = [("red", "left.png"), ("other", "right.png")]
    tables = [f'[[layers]]\nconcept = "{name}"\nmask = "{mask}"\n' for name, mask in both]
    found = {}
    for what, asked in (("both", tables), ("left", tables[:1]), ("right", tables[1:])):
        (pictures / "mine.toml").write_text(text + "".join(asked))
        code, _, err = run("dream", picture, "-r", "mine.toml", "-o", f"{what}-dream.png", "-q")
        assert code == 0, err
        found[what] = pixels_of(f"{what}-dream.png")
    before = pixels_of(picture)
    half = width // 2
    assert np.any(found["both"][:, :half] != before[:, :half])
    assert np.any(found["both"][:, half:] != before[:, half:])
    np.testing.assert_array_equal(found["left"][:, half:], before[:, half:])
    np.testing.assert_array_equal(found["right"][:, :half], before[:, :half])


@pytest.mark.heavy
def test_a_batch_and_a_zoom_from_one_concept_to_another(run, pictures, picture):
    pytest.importorskip("av")
    assert learn(run, "--against", "all")[0] == 0
    assert learn(run, "--keep", name="other", folder="all/0[0-4].png")[0] == 0
    code, _, err = run("batch", picture, "-m", "tiny", "--concept", "red", "-o", "out", *SMALL)
    assert code == 0, err
    code, _, err = run("dream", picture, "-m", "tiny", "--concept", "red", "-o", "one.png", *SMALL)
    assert code == 0, err
    np.testing.assert_array_equal(pixels_of("out/photo.png"), pixels_of("one.png"))
    (pictures / "journey.toml").write_text(
        'model = "tiny"\noctaves = 1\nsteps = 4\njitter = 0\n'
        '[[timeline]]\nat = 0.0\nlayers = [{concept = "red"}]\n'
        '[[timeline]]\nat = 1.0\nlayers = [{concept = "other"}]\n'
    )
    zoom = ("zoom", picture, "-r", "journey.toml", "--frames", 3, "--zoom", 1, "-q", "-o")
    code, _, err = run(*zoom, "a")
    assert code == 0, err
    shutil.rmtree(library.folder())
    code, _, err = run(*zoom, "b")
    assert code == 1
    assert "there is no concept 'red'" in err


def test_a_concept_of_several_networks(run, second, pictures, picture):
    assert learn(run, "--against", "all")[0] == 0
    both = ("dream", picture, "-m", "tiny", "-m", "other", "--concept", "red", "-o", "a.png", *SMALL)
    code, _, err = run(*both)
    assert code == 1
    assert "the concept red is not learned for other, only for tiny" in err
    assert run("concept", "learn", "red", "red", "-m", "other", "--against", "all")[0] == 0
    code, _, err = run(*both)
    assert code == 0, err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("no/such.png",), "no/such.png"),
        (("empty",), "empty"),
        (("text.png",), "text.png"),
        (("red", "--against", "red"), "there are 4 photographs to compare with; give at least 20"),
        (("red", "-l", "nope"), "nope"),
        (("red", "-o", "red.txt"), "is not a concept's file; give a name that ends in .json"),
        (("red", "-o", "no/red.json"), "does not exist"),
        (("red", "-m", "nope"), "nope"),
    ],
)
def test_what_cannot_be_learned_is_one_line(run, pictures, arguments, says):
    (pictures / "empty").mkdir()
    (pictures / "text.png").write_text("no picture")
    model = () if "-m" in arguments else ("-m", "tiny")
    against = () if "--against" in arguments else ("--against", "all")
    code, _, err = run("concept", "learn", "thing", *arguments, *model, *against)
    assert code == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert says in err
    assert not (pictures / "red.json").exists()


def test_a_name_that_is_taken_is_kept(run, pictures):
    assert learn(run, "--against", "all")[0] == 0
    before = library.path_of("red", "tiny").read_bytes()
    code, _, err = learn(run, folder="all")
    assert code == 1
    assert "there is a concept red of tiny already" in err
    assert library.path_of("red", "tiny").read_bytes() == before
    assert learn(run, "--overwrite", folder="red/00.png")[0] == 0
    assert library.path_of("red", "tiny").read_bytes() != before


def test_a_concept_of_dreamkit_is_not_hidden_by_chance(run, pictures):
    ours = ("concept", "learn", "dogs", "red", "--keep")
    code, _, err = run(*ours)
    assert (code, err.count("\n")) == (1, 1)
    assert "dogs is a concept that comes with dreamkit for pocket; choose another name" in err
    assert pictures.exists()
    with pytest.raises(ConceptError, match="you have no concept dogs of pocket"):
        library.remove("dogs", "pocket")


def test_a_concept_is_removed(run, pictures):
    assert learn(run, "--against", "all")[0] == 0
    path = library.path_of("red", "tiny")
    code, out, err = run("concept", "remove", "red", "-m", "tiny")
    assert (code, err) == (0, "")
    assert str(path) in out
    assert not path.parent.exists()
    code, _, err = run("concept", "remove", "red", "-m", "tiny")
    assert code == 1
    assert "you have no concept red of tiny; there are none" in err
    assert pictures.exists()


def test_a_damaged_concept_does_not_hide_the_others(run, pictures):
    assert learn(run, "--against", "all")[0] == 0
    broken = library.path_of("broken", "tiny")
    broken.parent.mkdir()
    broken.write_text("{")
    code, out, err = run("concepts", "-m", "tiny")
    assert code == 0
    assert "red" in out
    assert err.count("is damaged, or no concept's file") == 1
    assert pictures.exists()


def test_the_picture_that_fits_least_is_named(run, pictures):
    code, _, err = learn(run, "--against", "all", folder="all/0[0-4].png")
    assert (code, err.count("\n")) == (1, 1)
    assert "chance is 50%, and 60% are needed. 0" in err
    assert ".png fits least. Give more pictures or more similar ones" in err
    assert pictures.exists()


@pytest.mark.heavy
def test_photographs_that_are_given_count_once_where_dreamkit_has_its_own(pictures):
    """779 photographs are known for pocket; 30 others are for one concept alone."""
    reds, others = (sorted((pictures / name).iterdir()) for name in ("red", "all"))
    learned = dreamkit.Concept.learn("red", reds, against=others, layers=["mixed4c", "mixed5a"])
    assert learned.compared_with == 30
    assert "it was compared with 30 photographs; some hundred tell more" in learned.notes
    assert dreamkit.Concept.learn("red", reds, layers=["mixed5a"]).compared_with == 779
    assert "weights" not in repr(learned.concept)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "is not a concept's name"),
        ("a/b", "is not a concept's name"),
        ("nul", "no device of Windows, such as 'nul'"),
        ("-x", "No such option"),
        ("red.json", "red.json is the name of a file; write a NAME first"),
        ("One.JPG", "One.JPG is the name of a file; write a NAME first"),
    ],
)
def test_names_that_no_concept_has(run, pictures, name, says):
    code, _, err = learn(run, name=name)
    assert code in (1, 2)
    assert says in err


def test_one_picture_is_enough_and_a_hint_says_so(run, pictures):
    code, _, err = learn(run, "--against", "all", folder="red/00.png")
    assert code == 0
    assert "it was learned from one picture" in err
    assert pictures.exists()


def test_the_same_picture_counts_once(run, pictures):
    shutil.copy(pictures / "red" / "00.png", pictures / "red" / "copy.png")
    code, out, err = learn(run, "--against", "all")
    assert code == 0
    assert "copy.png and 00.png are the same picture; it counts once" in err
    assert "from 4 pictures" in out


def test_a_shared_background_is_said(run, pictures):
    """Grey squares of all brightnesses on red: what they share is at the edges."""
    draw = np.random.default_rng(2)
    (pictures / "framed").mkdir()
    for number in range(4):
        pixels = np.full((224, 224, 3), (220, 40, 40), np.uint8)
        pixels[40:-40, 40:-40] = draw.integers(60, 200)
        Image.fromarray(pixels).save(pictures / "framed" / f"{number}.png")
    code, _, err = learn(run, "--against", "all", folder="framed")
    assert code == 0, err
    assert "stronger at the edges than in the middle: it may be a background that they share" in err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nope", "there is no concept 'nope'"),
        ("nope.json", "cannot read the concept nope.json"),
        ("red@", "write NAME, NAME@LAYER, NAME=0.5 or NAME@LAYER=0.5"),
        ("red=x", "write NAME, NAME@LAYER, NAME=0.5 or NAME@LAYER=0.5"),
        ("red=2@high", "write NAME, NAME@LAYER, NAME=0.5 or NAME@LAYER=0.5"),
        ("red=0", "a weight is a number, and not zero, such as red=0.5"),
        ("red=nan", "a weight is a number, and not zero, such as red=0.5"),
        ("file", "did you mean the file file.json?"),
        ("red@second", "was not learned in second of tiny, only in low, high; choose one of these"),
        ("", "write NAME"),
    ],
)
def test_concepts_that_cannot_be_dreamed(run, pictures, picture, text, says):
    assert learn(run, "--against", "all")[0] == 0
    (pictures / "file.json").write_text("{}")
    code, _, err = run("dream", picture, "-m", "tiny", "--concept", text, "-o", "a.png")
    assert code == 1
    assert says in err
    assert err.count("\n") == 1
    assert not (pictures / "a.png").exists()


def test_a_concept_of_other_weights_is_refused(run, pictures, picture):
    assert learn(run, "--against", "all")[0] == 0
    path = library.path_of("red", "tiny")
    found = concept.read(path)
    shown = Concept("red", "tiny", "f" * 64, found.directions, found.layers, 4)
    shown.save(path, overwrite=True)
    code, _, err = run("dream", picture, "-m", "tiny", "--concept", "red", "-o", "a.png")
    assert code == 1
    assert "the concept red was learned with other weights" in err
    assert pictures.exists()


def test_a_concept_is_dreamed_in_python(run, pictures, photo, second):
    reds = sorted((pictures / "red").iterdir())
    others = sorted((pictures / "all").iterdir())
    learned = dreamkit.Concept.learn("red", reds, "tiny", against=others)
    learned.concept.save(pictures / "red.json")
    options = {"steps": 1, "octaves": 1}
    path = str(pictures / "red.json")
    pixels = dreamkit.dream(photo, "tiny", layers={"concept": path}, **options)
    assert np.any(pixels != photo)
    np.testing.assert_array_equal(
        pixels, dreamkit.dream(photo, "tiny", layers=[{"concept": path}], **options)
    )
    with pytest.raises(
        ConceptError, match="is a concept of tiny, not of other; add --model tiny, or learn it"
    ):
        dreamkit.dream(photo, "other", layers=[{"concept": path}], **options)
    with pytest.raises(ConceptError, match="there is no picture"):
        dreamkit.Concept.learn("red", [], "tiny")
    with pytest.raises(ConceptError, match="one path"):
        dreamkit.Concept.learn("red", path, "tiny")


@pytest.mark.parametrize(
    "table",
    [
        {"concept": "a", "class": "b"},
        {"concept": "a", "channels": [1]},
        {"concept": "a", "place": [1, 1]},
        {"concept": "a", "direction": [1.0]},
        {"concept": ""},
        {"concept": "a", "directions": {"0": {"x": "!"}}},
        {"concept": "a", "directions": {}},
        {"layer": "a", "directions": {"0": {"x": direction_text.encoded(np.ones(2, np.float32))}}},
    ],
)
def test_tables_that_no_concept_has(table):
    with pytest.raises(ConfigError, match="layers has"):
        dreamkit.DreamConfig(layers=[table])


def test_directions_fit_their_layer(run, photo):
    network = dreamkit.load("tiny")
    table = {
        "concept": "a",
        "directions": {network.digest: {"low": direction_text.encoded(np.ones(2, np.float32))}},
    }
    with pytest.raises(LayerError, match="has 2 numbers and the layer has 4"):
        dreamkit.dream(photo, network, layers=[table])


@pytest.mark.heavy
def test_pocket_learns_wings(photographs):
    """Three butterflies give a direction that finds the other three among a hundred photographs."""
    names = ("admiral", "ringlet", "monarch", "cabbage_butterfly", "sulphur_butterfly", "lycaenid")
    files = [next(photographs.glob(f"*_{name}.jpg")) for name in names]
    learned = learning.learn("butterflies", files[:3])
    assert learned.notes == ()
    found = learned.concept.direction("mixed5a")
    assert found.separation > 0.95
    others = sorted(photographs.glob("*.jpg"))[:300:3]
    network = dreamkit.load()
    both = [
        dreamkit.inputs.open_picture(each, dreamkit.DreamConfig()).pixels for each in (*files[3:], *others)
    ]
    scores = features.features(network, ["mixed5a"], both)["mixed5a"].mean @ found.weights
    assert np.mean(scores[:3, None] > scores[None, 3:]) > 0.97


# Shown and tested.


def test_a_score_gradient_is_that_of_finite_differences():
    """In `tiny`, whose last layer is tanh of a convolution of the one before."""
    import tiny

    from dreamkit.engine.tf.sensitivity import score_gradients

    network = dreamkit.load(tiny.provider())
    pixels = np.random.default_rng(0).uniform(0, 255, (9, 11, 3))
    (found,) = score_gradients(network, ["first"], "second", 3)(pixels[None].astype(np.float32))
    kernels = tiny.kernels()
    first = tiny.activations(pixels, kernels)["first"]

    def score(first):
        return np.tanh(tiny._conv(first, kernels.second, 2) + kernels.second_bias)[..., 3].mean()

    step = 1e-5
    for channel in range(4):
        moved = [first + sign * step * np.eye(4)[channel] for sign in (1, -1)]
        expected = (score(moved[0]) - score(moved[1])) / (2 * step)
        assert found[0, channel] == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_a_score_that_does_not_depend_on_a_layer_is_refused():
    import tiny

    from dreamkit.engine.tf.sensitivity import score_gradients

    network = dreamkit.load(tiny.provider())
    with pytest.raises(LayerError, match="do not depend on second"):
        score_gradients(network, ["second"], "first", 0)(np.zeros((1, 9, 9, 3), np.float32))


def test_a_concept_that_a_score_follows_is_told_from_chance():
    statistics = reference.measured(np.random.default_rng(0).normal(size=(300, 12)))
    draw = np.random.default_rng(1)
    weights = np.eye(12, dtype=np.float32)[0]
    along = weights + draw.normal(0, 0.3, (40, 12))
    found = tcav.score("mid", Direction(weights, 0.9, 2.0), along, statistics, 5)
    assert found.score > 0.95
    assert found.p_value < 0.001
    assert found.as_far < 0.1
    across = draw.normal(size=(40, 12))
    across[:, 0] = 0
    found = tcav.score("mid", Direction(weights, 0.9, 2.0), across, statistics, 5)
    assert 0.2 < found.score < 0.8
    assert found.as_far > 0.05


def test_a_p_value_is_welchs():
    """Two samples of 200 with means 0.5 apart and standard deviations 1 and 2: t = 3.16, p = 0.0016."""
    one, other = (np.tile([-1.0, 1.0], 100) * size for size in (1, 2))
    one, other = one / one.std(ddof=1), 2 * other / other.std(ddof=1) + 0.5
    assert tcav._p_value(one, other) == pytest.approx(0.001565, rel=1e-3)
    assert tcav._p_value(one, one) == 1


def test_a_concept_is_shown(run, pictures):
    assert learn(run, "--against", "all")[0] == 0
    show = ("concept", "show", "red", "red/00.png", "-m", "tiny", "--steps", 2, "-q")
    code, _, err = run(*show, "-o", "sheet.png")
    assert code == 0, err
    assert pixels_of("sheet.png").shape[0] > 320
    code, _, err = run(*show, "-o", "red/00.png", "--overwrite")
    assert code == 1
    assert "is one of the pictures" in err
    (pictures / "text.png").write_text("text")
    # It is read before anything is dreamed.
    code, _, err = run("concept", "show", "red", "text.png", "-m", "tiny", "-o", "b.png", "--steps", 100_000)
    assert code == 1
    assert "text.png" in err
    code, _, err = run("concept", "show", "blue", "-m", "tiny")
    assert code == 1
    assert "there is no concept 'blue'" in err
    assert pictures.exists()


def test_a_concept_is_lit_where_it_is(run, pictures):
    """A picture that is red on the left and blue on the right is lit on the left."""
    assert learn(run, "--against", "all", "-l", "low")[0] == 0
    pixels = np.full((60, 80, 3), (40, 40, 220), np.uint8)
    pixels[:, :40] = (220, 40, 40)
    network = dreamkit.load("tiny")
    heat = jobs.heat_map(network, library.find("red", "tiny"), "low")
    found = heat(pixels)
    assert found[:, :35].mean() > 2 * found[:, 45:].mean()
    ordinary = pixels_of(pictures / "all" / "00.png").astype(np.uint8)
    assert heat(ordinary).mean() < 0.2  # a picture without it stays dark
    assert pictures.exists()


def test_a_concept_is_tested_with_a_class(run, second, pictures):
    against = ("-m", "sorter", "--against", "all")
    assert run("concept", "learn", "red", "red", *against)[0] == 0
    test = ("concept", "test", "red", "all", "-m", "sorter", "--class")
    code, out, err = run(*test, "sea lion")
    assert code == 0, err
    assert "TCAV SCORE" in out
    code, out, _ = run(*test, "sea lion", "--json")
    found = json.loads(out)
    assert found["pictures"] == 30
    assert all(0 <= each["score"] <= 1 and 0 <= each["p_value"] <= 1 for each in found["layers"])
    assert "warning" not in err
    code, _, err = run("concept", "test", "red", "all/0[0-2].png", *against[:2], "--class", "sea lion")
    assert code == 0
    assert "3 pictures say little; give 10 or more of sea lion" in err
    code, _, err = run(*test, "walrus")
    assert code == 1
    assert "no class 'walrus'" in err
    assert pictures.exists()


def test_commands_of_a_sheet_name_the_concept(run, pictures, picture):
    assert learn(run, "--against", "all")[0] == 0
    code, out, err = run(
        "variants", picture, "-m", "tiny", "--concept", "red@high=0.5", "--cell", 64, *SMALL[:-1]
    )
    assert code == 0, err
    assert "--concept red@high=0.5" in out + err
    assert pictures.exists()


def test_every_concept_on_a_photograph(run, pictures, picture):
    assert learn(run, "--against", "all")[0] == 0
    assert learn(run, "--keep", name="other", folder="all/0[0-4].png")[0] == 0
    code, out, err = run("concepts", picture, "-m", "tiny", "--cell", 64)
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["other", "red"]
    assert "wrote photo.concepts.png" in err
    sheet = pixels_of("photo.concepts.png")
    # The photograph is smaller than a cell, so that its dream is what the sheet shows.
    code, _, err = run("dream", picture, "-m", "tiny", "--concept", "red", "-o", "one.png", "-q")
    assert code == 0, err
    one = pixels_of("one.png")
    windows = np.lib.stride_tricks.sliding_window_view(sheet, one.shape)[..., 0, :, :, :]
    assert any((windows[row] == one).all((1, 2, 3)).any() for row in range(len(windows)))
    before = picture.read_bytes()
    code, _, err = run("concepts", picture, "-m", "tiny", "-o", picture, "--overwrite")
    assert code == 1
    assert "is the photograph itself; write somewhere else" in err
    assert picture.read_bytes() == before
    assert pictures.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("photo.jpg", "-m", "tiny"), 1, "tiny has no concepts; learn one with dreamkit concept learn"),
        (("-m", "tiny", "-o", "a.png"), 2, "-o and --cell are for a sheet; give a photograph"),
        (("-m", "nope"), 1, "no model 'nope'"),
        (("--cell", "64"), 2, "-o and --cell are for a sheet"),
        (("none.jpg",), 1, "none.jpg does not exist"),
        (("photo.jpg", "--cell", "9"), 1, "cell is 9; it takes a whole number, 64 to 1024"),
    ],
)
def test_sheets_that_cannot_be(run, picture, arguments, code, says):
    found, out, err = run("concepts", *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert says in err
    assert picture.exists()


@pytest.mark.parametrize("network", ["pocket", "inception5h", "inception_v3"])
def test_moods_name_concepts_that_there_are(photo, network):
    from dreamkit import recipes
    from dreamkit.request import make_request

    moods = [each for each in map(recipes.find, recipes.built_in()) if "concept" in str(each.options)]
    assert len(moods) >= 5
    for mood in moods:
        found = make_request(photo, network, recipe=mood).config.layers
        assert all(set(each["directions"][library.find(each["concept"], network).sha256]) for each in found)


def test_a_mood_of_concepts_is_refused_where_they_are_not_learned(photo):
    from dreamkit.request import make_request

    with pytest.raises(ConceptError, match="the concept flowers is not learned for tiny, only for"):
        make_request(photo, "tiny", recipe="garden")


def test_a_mood_of_channels_is_that_of_the_network_it_was_made_from(photo):
    """inception5h has the layers of pocket, channel for channel."""
    from dreamkit import recipes
    from dreamkit.request import make_request

    found = make_request(photo, "inception5h", recipe="clockwork").config.layers
    assert found == recipes.find("clockwork").config().layers


@pytest.mark.usefixtures("built")
def test_a_page_begins_with_a_concept(run, pictures):
    assert learn(run, "--against", "all")[0] == 0
    (pictures / "mine.toml").write_text('model = "tiny"\nlayers = [{concept = "red"}]\n')
    code, _, err = run("export", "web", "-o", "site", "--recipe", "mine.toml")
    assert code == 0, err
    (term,) = json.loads((pictures / "site" / "site.json").read_text())["options"]["layers"]
    assert (term["objective"], len(term["direction"])) == ("mean", 4)


@pytest.mark.parametrize("network", ["pocket", "inception5h", "inception_v3"])
def test_the_library_is_whole(network):
    """At least 24 concepts, of the weights and layers that their network has."""
    from dreamkit.models.registry import installed

    provider = installed().provider(network)
    found = [each for (_, of), each in library.built_in().items() if of == network]
    assert len(found) >= 24
    known = reference.find(network, found[0].sha256)
    assert known is not None
    for each in found:
        assert each.sha256 == found[0].sha256
        assert each.layers == tuple(provider.concept_layers)
        for layer, direction in each.directions.items():
            assert direction.weights.shape == known.layers[layer].mean.shape
            assert direction.separation > 0.6


@pytest.mark.parametrize("text", ["sub/x.json", "../x.json", "/etc/x.json", "a\\x.json"])
def test_a_recipe_follows_no_path(tmp_path, text):
    from dreamkit.concepts import lookup
    from dreamkit.recipes import Recipe

    for folder in (None, tmp_path):
        found = Recipe("r", {"layers": ({"concept": text},)}, folder=folder)
        with pytest.raises(ConceptError, match="without a folder"):
            lookup.recipe_with_directions(found, ())


def test_photographs_that_are_all_the_same_are_not_enough(run, pictures):
    (pictures / "same").mkdir()
    for number in range(25):
        shutil.copy(pictures / "all" / "00.png", pictures / "same" / f"{number}.png")
    code, _, err = learn(run, "--against", "same")
    assert code == 1
    assert "there are 1 photographs to compare with; give at least 20" in err


def test_a_layer_that_tells_nothing_apart_is_left_out(run, pictures, monkeypatch):
    """`high` sees the same in all photographs."""
    before = reference.measured

    def measured(values):
        found = before(values)
        same = found._replace(factors=0 * found.factors, variances=0 * found.variances)
        return same if len(found.mean) == 6 else found

    monkeypatch.setattr(reference, "measured", measured)
    code, out, err = learn(run, "--against", "all")
    assert code == 0, err
    assert "low" in out
    assert "high" not in out
    assert pictures.exists()

"""Timelines: values between key frames, the dreams that they make, and key frames that make no sense."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("av")
pytest.importorskip("cv2")

from dreamkit import DreamConfig, Session, make_request, recipes
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.tf import network
from dreamkit.errors import ConfigError, DreamkitWarning, Interrupted
from dreamkit.jobs import camera_moves, film, timeline, zoom
from dreamkit.jobs.film_worker import FilmOptions
from dreamkit.jobs.zoom import ZoomOptions
from dreamkit.media import color_match, video
from dreamkit.models.spec import ModelSpec
from dreamkit.recipes import toml_file
from dreamkit.recipes.resolve import resolve_models
from dreamkit.recipes.timeline import EASES, without
from dreamkit.request import without_image

CONFIG = DreamConfig(steps=4)
PLAIN = 'octaves = 1\njitter = 0\nsteps = 4\nsmooth = "none"\ncolor = "free"\n'
NUMBERS = st.floats(-1e6, 1e6) | st.integers(-1000, 1000)


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def parsed(text):
    return toml_file.parse(text, "it.toml")


def placed(text, frames=101, rate=10, **options):
    found = parsed(text).timeline
    return timeline.placed(
        found, frames, Fraction(frames, rate), lambda second: float(second * rate), **options
    )


@given(NUMBERS, NUMBERS, st.floats(0, 1), st.floats(0, 1))
def test_a_number_between_two_lies_between_them_in_order(one, other, a, b):
    early, late = (timeline.between(one, other, share) for share in sorted((a, b)))
    assert min(one, other) <= early <= max(one, other)
    assert early == late or (early < late) == (one < other)
    assert timeline.between(one, other, 0) == one
    assert timeline.between(one, other, 1) == other
    assert timeline.between(one, other, a, held=True) in (one, other)


@given(st.dictionaries(st.sampled_from("abc"), st.floats(0.1, 9)), st.dictionaries(st.just("a"), NUMBERS))
def test_a_table_may_lack_what_the_other_has(one, other):
    half = timeline.between(one, other, 0.5)
    assert half == {name: pytest.approx((one.get(name, 0) + other.get(name, 0)) / 2) for name in half}
    assert set(half) == {*one, *other}
    assert timeline.between(None, one, 0.5) == timeline.between({}, one, 0.5)


KEYS = st.lists(
    st.tuples(st.floats(0, 1), st.floats(0.001, 1), st.sampled_from(list(EASES))), min_size=1, max_size=5
)


@given(KEYS, st.floats(0, 1), st.booleans())
def test_an_option_keeps_to_its_key_frames(keys, share, loop):
    entries = [{"at": at, "ease": ease, "step_size": size} for at, size, ease in sorted(keys)]
    sizes = [entry["step_size"] for entry in entries]
    found = timeline.config_at(entries, share, CONFIG, loop=loop).step_size
    assert min(sizes) <= found <= max(sizes)
    for number, entry in enumerate(entries):
        if all(other["at"] != entry["at"] for other in entries[number + 1 :]):
            reached = timeline.config_at(entries, entry["at"], CONFIG, loop=loop and entry["at"] < 1)
            assert reached.step_size == entry["step_size"]
    if not loop:
        assert timeline.config_at(entries, 1.0, CONFIG).step_size == sizes[-1]


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(list(EASES)))
def test_easing_never_turns_back(a, b, ease):
    entries = [{"at": 0.0, "ease": ease, "l2": 0.0}, {"at": 1.0, "l2": 1.0}]
    early, late = (timeline.config_at(entries, share, CONFIG).l2 for share in sorted((a, b)))
    assert 0 <= early <= late <= 1
    expected = {"linear": a, "smooth": 3 * a**2 - 2 * a**3, "hold": float(a == 1)}[ease]
    assert timeline.config_at(entries, a, CONFIG).l2 == pytest.approx(expected, abs=1e-12)


JOURNEY = """
color = "keep"
[[timeline]]
at = 0.0
step_size = 0.01
ease = "smooth"
[[timeline]]
at = 0.5
step_size = 0.03
color = "free"
jitter = 10
crop = [0.2, 0.6]
transforms = { grain = 2.0 }
objective = "mean"
smooth_width = 4.0
[[timeline]]
at = 1.0
jitter = 21
crop = 0.8
cosine_power = 4.0
"""


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (
            0.0,
            {"step_size": 0.01, "color": 1.0, "jitter": 32, "transforms": None, "objective": "mean-square"},
        ),
        (
            0.25,
            {
                "step_size": 0.02,
                "color": 0.5,
                "jitter": 21,
                "crop": (0.6, 0.8),
                "transforms": {"grain": 1.0},
                "objective": "mean-square",
                "smooth_width": None,
            },
        ),
        (0.5, {"step_size": 0.03, "color": 0.0, "jitter": 10, "objective": "mean", "smooth_width": 4.0}),
        (0.75, {"step_size": 0.03, "color": 0.0, "jitter": 16, "crop": (0.5, 0.7), "cosine_power": 2.0}),
        (1.0, {"jitter": 21, "crop": (0.8, 0.8), "transforms": {"grain": 2.0}, "cosine_power": 4.0}),
    ],
)
def test_each_option_goes_its_own_way(share, expected):
    recipe = parsed(JOURNEY)
    found = timeline.config_at(placed(JOURNEY), share, recipe.config())
    assert {name: getattr(found, name) for name in expected} == {
        name: pytest.approx(each) if isinstance(each, float | tuple) else each
        for name, each in expected.items()
    }


FADE = (
    {"at": 0.2, "layers": ("first",)},
    {"at": 0.4, "steps": 9},
    {"at": 0.6, "layers": ("second:1",)},
)


@pytest.mark.parametrize(
    ("share", "layers"),
    [
        (0.0, {("first",): 1.0}),
        (0.2, {("first",): 1.0}),
        (0.3, {("first",): 0.75, ("second:1",): 0.25}),
        (0.6, {("second:1",): 1.0}),
        (1.0, {("second:1",): 1.0}),
    ],
)
def test_layers_fade(net, share, layers):
    mixed = timeline.models_at(FADE, share, [LoadedModel(net)])
    assert {model.layers: pytest.approx(model.weight) for model in mixed} == layers


def test_layers_begin_as_each_network_has_them(net):
    own = [LoadedModel(net, 2.0, ("second",)), LoadedModel(net, -1.0)]
    assert timeline.models_at(FADE[1:2], 0.5, own) == own
    mixed = timeline.models_at(FADE[1:], 0.5, own)
    assert [(model.layers, pytest.approx(model.weight)) for model in mixed] == [
        (("second",), 1.0),
        (("second:1",), 1.0),
        (None, -0.5),
        (("second:1",), -0.5),
    ]


@pytest.mark.parametrize(
    ("at", "share", "loop"),
    [
        ("0.3", 0.3, False),
        ('"2.5s"', 0.25, False),
        ('"60f"', 0.6, False),
        ('"101f"', 1.0, False),
        ('"10.1s"', 1.0, False),
        ('"60f"', 60 / 101, True),
        ('"101f"', 0.0, True),
    ],
)
def test_a_moment_may_be_given_in_seconds_or_frames(at, share, loop):
    (found,) = placed(f"[[timeline]]\nat = {at}\njitter = 1\n", loop=loop)
    assert found["at"] == pytest.approx(share)


def test_key_frames_come_in_their_order():
    text = "".join(f"[[timeline]]\nat = {at}\njitter = 1\n" for at in ("1.0", '"50f"', "0", '"2s"'))
    assert [entry["at"] for entry in placed(text)] == [0.0, 0.2, 0.5, 1.0]
    assert toml_file.parse(parsed(text).to_toml(), "again").timeline == parsed(text).timeline


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("at = 2", "the timeline has at = 2; it takes a share of the film, 0 to 1, a moment"),
        ("steps = 3", "the timeline has at = None; it takes a share"),
        ('at = "3"', "the timeline has at = '3'; .* seconds, such as \"2.5s\", or a frame"),
        ('at = "beet"', r"at = 'beet'; .* or what is heard: beat, onset, loudness, bass, middle, treble"),
        (
            'at = "beat"\nsmooth = "none"',
            'the timeline has smooth at = "beat", which cannot move with what is',
        ),
        ('at = "bass"\nborder = 2', 'the timeline has border at = "bass", which cannot move with what is'),
        ("at = 0\nstep = 3", "the timeline has 'step'; did you mean steps"),
        ("at = 0\nsteps = 0", "steps is 0; it takes a whole number"),
        ('at = 0\nease = "bounce"', "ease is 'bounce'; choose linear, smooth or hold"),
        ("at = 0\nseed = 3", r"the timeline has seed, which is the same in all frames; set it above the"),
        ("at = 0\noctaves = 3", "the timeline has octaves, which is the same in all frames"),
        ("at = 0\ncamera = 2", "camera is 2; write a table"),
        ("at = 0\ncamera = {zom = 2}", "camera has 'zom'; did you mean zoom"),
        ("at = 0\ncamera = {zoom = 3}", "zoom is 3; it takes a number from 0.5 to 2"),
        ("at = 0\ncamera = {center = [0.1]}", r"center is \[0.1\]; it takes two shares of the picture"),
        ("at = 0\ncamera = {center = 0.5}", "center is 0.5; it takes two shares of the picture"),
        (
            "at = 0\njitter = 3\n[[schedule]]\njitter = 4",
            "it.toml: the timeline and the schedule both set jitter; set it in one of them",
        ),
    ],
)
def test_key_frames_that_make_no_sense(lines, message):
    with pytest.raises(ConfigError, match=message):
        parsed(f"[[timeline]]\n{lines}\n")


def frames_in(folder):
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


def test_a_frame_of_a_film_is_its_moments_dream(tmp_path, net, photo):
    """At a quarter of a smooth way, an independent step in NumPy: both layers, each by its share."""
    (tmp_path / "in").mkdir()
    for number in range(5):
        Image.fromarray(photo).save(tmp_path / "in" / f"{number}.png")
    (tmp_path / "it.toml").write_text(
        f'{PLAIN}layers = "first"\n'
        '[[timeline]]\nat = 0\nease = "smooth"\nstep_size = 0.02\nstrength = 1.0\n'
        '[[timeline]]\nat = "4f"\nlayers = "second"\nstep_size = 0.06\nstrength = 3.0\nblend = 0.5\n'
    )
    session = Session(without_image(net, recipe=tmp_path / "it.toml"))
    options = FilmOptions(blend=0, flow=False, steps=1)
    film.make(video.read(tmp_path / "in"), session, tmp_path / "out", options)
    found = frames_in(tmp_path / "out")
    eased = 3 * 0.25**2 - 2 * 0.25**3
    update = np.zeros(photo.shape)
    for layer, weight in (("first", 1 - eased), ("second", eased)):
        gradient = tiny.gradient(photo.astype(float), tiny.kernels(), {layer: 1.0}, "mean-square")
        update += weight * gradient / np.abs(gradient).mean()
    dreamed = photo + (1 + 2 * eased) * (0.02 + 0.04 * eased) * 127.5 * update
    dreamed = np.rint(np.clip(dreamed, 0, 255))
    expected = np.rint(photo + (1 - 0.5 * eased) * (dreamed - photo))
    assert np.abs(found[1] - expected).max() <= 1
    assert np.abs(found[1] - expected).mean() < 0.05
    assert np.abs(found[1] - photo.astype(float)).mean() > 2


CAMERA = """
blend = 1.0
[[timeline]]
at = 0
camera = { zoom = 1.0, center = [0.2, 0.4] }
[[timeline]]
at = 1
camera = { zoom = 1.2, rotate = 8, center = [0.8, 0.4] }
"""


def made(net, photo, tmp_path, text, moves, name="zoom", **options):
    (tmp_path / "it.toml").write_text(f"{PLAIN}{text}")
    session = Session(make_request(photo, net, recipe=tmp_path / "it.toml"))
    zoom.make(session, tmp_path / f"{name}.gif", moves, **options)
    return tmp_path / f"{name}.gif"


def test_a_camera_moves_by_its_key_frames(tmp_path, net, photo):
    """With the photograph put back over every dream, a zoom is its camera's motion alone."""
    made(net, photo, tmp_path, CAMERA, ZoomOptions(frames=5, rotate=4), preview=5)
    found = frames_in(tmp_path / "zoom.gif.work")
    first = color_match.measure(photo)
    expected = photo
    for share, frame in zip((0, 0.25, 0.5, 0.75, 1), found, strict=True):
        if share:
            moves = ZoomOptions(zoom=1 + 0.2 * share, rotate=4 + 4 * share, center=(0.2 + 0.6 * share, 0.4))
            moved = np.rint(color_match.match(zoom.moved_into(expected, moves), first)).astype(np.uint8)
            expected = np.rint(color_match.match(moved.astype(np.float32), first)).astype(np.uint8)
        assert np.abs(frame - expected.astype(int)).max() <= 1
        expected = frame


LOOP = """
[[timeline]]
at = 0
layers = "first"
step_size = 0.01
camera = { zoom = 1.02, center = [0.2, 0.5] }
[[timeline]]
at = 0.5
layers = "second:2"
step_size = 0.03
camera = { zoom = 1.1, center = [0.8, 0.5] }
"""


@given(st.integers(10, 400), st.data())
def test_a_loop_has_no_seam_in_its_motion(frames, data):
    entries = placed(LOOP, frames, loop=True)
    own = ZoomOptions().camera

    def moves(number):
        return timeline.camera_at(entries, timeline.share_of(number, frames, loop=True), own, loop=True)

    number = data.draw(st.integers(0, frames))
    assert moves(frames + number) == moves(number)
    steps = [abs(moves(at + 1)["zoom"] - moves(at)["zoom"]) for at in range(frames)]
    assert max(steps) <= 0.16 / frames + 1e-9  # from the last frame to the first as well


@given(
    st.sampled_from(sorted(camera_moves.MOVES)), st.floats(0, 1), st.sampled_from([(2, 3), (1, 1), (3, 2)])
)
def test_a_named_move_mirrors_no_edge_and_ends_as_it_begins(name, share, size):
    moves = camera_moves.named(name)
    own = ZoomOptions().camera
    assert timeline.camera_at(moves, 0.0, own) == timeline.camera_at(moves, 1.0, own)
    camera = timeline.camera_at(moves, share, own)
    corners = np.array([(x, y) for x in (0.0, 1.0) for y in (0.0, 1.0)]) * size
    middle = np.array(camera["center"]) * size
    turn = np.deg2rad(camera["rotate"])
    back = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    shown = middle + (corners - middle) @ back.T / camera["zoom"]
    assert (shown >= -1e-9).all()
    assert (shown <= np.array(size) + 1e-9).all()


def test_a_loop_that_is_broken_off_goes_on_to_the_same_bytes(tmp_path, net, photo):
    moves = ZoomOptions(frames=10, loop=True, steps=1)
    whole = made(net, photo, tmp_path, LOOP, moves, "whole")

    def interrupt(progress):
        if progress.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        made(net, photo, tmp_path, LOOP, moves, "parts", on_frame=interrupt)
    assert made(net, photo, tmp_path, LOOP, moves, "parts").read_bytes() == whole.read_bytes()
    shown = [frame.pixels.astype(float) for frame in video.read(whole).frames()]
    along = [np.abs(one - other).mean() for one, other in pairwise(shown)]
    assert np.abs(shown[-1] - shown[0]).mean() < 1.5 * max(along)


@pytest.mark.usefixtures("loaded_once")
def test_a_zoom_by_its_recipe_and_by_flags_that_go_before_it(run, photo, tmp_path):
    Image.fromarray(photo).save("photo.png")
    recipe = 'model = "tiny"\n'
    for name, text in (("it", CAMERA), ("still", "blend = 1.0\n")):
        (tmp_path / f"{name}.toml").write_text(f"{recipe}{PLAIN}{text}")
    command = ("zoom", "photo.png", "-q", "--frames", 3, "--preview", 3, "--frame-steps", 1)
    flags = ("--zoom", 1.1, "--rotate", 0, "--center", "0.5,0.5")
    for name, *more in (("it",), ("still", *flags), ("it", *flags)):
        output = f"{name}{len(more)}.gif"
        code, _, err = run(*command, "-r", f"{name}.toml", *more, "-o", output)
        assert code == 0, err
    by_recipe, still, given = (frames_in(tmp_path / f"{name}.gif.work") for name in ("it0", "still6", "it6"))
    assert all(np.array_equal(*pair) for pair in zip(still, given, strict=True))
    assert not np.array_equal(by_recipe[2], given[2])
    moved = []
    for more in ((), ("--zoom", 1.2)):
        code, _, err = run(*command, "-r", "it.toml", "--move", "pan", *more, "-o", f"pan{len(more)}.gif")
        assert code == 0, err
        moved.append(frames_in(tmp_path / f"pan{len(more)}.gif.work")[2])
    assert len({each.tobytes() for each in (by_recipe[2], *moved)}) == 3


def test_options_on_the_command_line_go_before_key_frames(tmp_path, net, photo):
    (tmp_path / "it.toml").write_text(JOURNEY)
    request = make_request(photo, net, recipe=tmp_path / "it.toml", step_size=0.02, layers="first")
    assert timeline.config_at(request.timeline, 0.5, request.config).step_size == 0.02
    assert timeline.config_at(request.timeline, 0.5, request.config).jitter == 10


def test_another_network_dreams_the_concepts_of_key_frames_but_not_their_layers():
    layers = '[[timeline]]\nat = 0\nlayers = [{concept = "towers"}]\n'
    given = (ModelSpec("inception_v3"),)
    recipe = parsed(f'model = "pocket"\n{layers}')
    assert resolve_models(recipe, given, {}) == (given, {})
    recipe = parsed(f'model = "pocket"\n{layers}[[timeline]]\nat = 1\nlayers = "mixed4c"\n')
    with pytest.warns(DreamkitWarning, match="dreams it with its own default layers"):
        _, options = resolve_models(recipe, given, {})
    assert without(recipe.timeline, options) == ({"at": 0.0}, {"at": 1.0})


@pytest.mark.parametrize(
    ("command", "lines", "message"),
    [
        (
            ("zoom", "photo.png", "--frames", 12, "--fps", 4),
            'at = "4s"',
            'the timeline has at = "4s", which is after the end: the film has 12 frames in 3.000 seconds; '
            "choose an earlier moment, or a share from 0 to 1",
        ),
        (("film", "frames"), 'at = "9f"', 'at = "9f", which is after the end: the film has 2 frames'),
        (
            ("film", "frames"),
            "at = 0\ncamera = {zoom = 1.1}",
            "the recipe it.toml has a camera in its timeline, which a film cannot follow; leave it out",
        ),
        (("zoom", "photo.png"), "at = 0\nseed = 1", "seed, which is the same in all frames"),
        (("zoom", "photo.png"), 'at = 1\nlayers = "midd"', "there is no layer 'midd'; did you mean mid?"),
        (("film", "frames"), "at = 1\nhold = {nope = 1}", "there is no layer 'nope'"),
        (
            ("zoom", "photo.png", "--move", "orbit"),
            "at = 0",
            "move is 'orbit'; choose from tunnel, pan, spiral",
        ),
    ],
)
@pytest.mark.usefixtures("loaded_once")
def test_what_a_command_cannot_follow_is_one_line(run, photo, tmp_path, command, lines, message):
    (tmp_path / "frames").mkdir()
    for name in ("photo.png", "frames/0.png", "frames/1.png"):
        Image.fromarray(photo).save(name)
    (tmp_path / "it.toml").write_text(f'model = "tiny"\n[[timeline]]\nat = 0\n[[timeline]]\n{lines}\n')
    code, _, err = run(*command, "-r", "it.toml", "-q", "-o", "out.gif")
    assert code == 1
    assert message in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.glob("out*"))


def test_a_mask_may_be_named_by_a_key_frame_alone(tmp_path, net, photo):
    left = np.zeros(photo.shape[:2], np.uint8)
    left[:, :24] = 255
    Image.fromarray(left).save(tmp_path / "left.png")
    term = '{layer = "second", mask = "left.png"}'
    text = f"[[timeline]]\nat = 0\nlayers = [{term}]\n"
    made(net, photo, tmp_path, text, ZoomOptions(frames=1, zoom=1.0), preview=1)
    (found,) = frames_in(tmp_path / "zoom.gif.work")
    assert np.array_equal(found[:, 26:], photo[:, 26:])
    assert not np.array_equal(found, photo)
    assert recipes.find(str(tmp_path / "it.toml")).masks.keys() == {"left.png"}

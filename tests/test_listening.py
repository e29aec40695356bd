"""Options that move with a sound: what is heard, the dreams that it makes, and what cannot be heard."""

from __future__ import annotations

import sys
import wave
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import tiny
from PIL import Image

pytest.importorskip("av")
pytest.importorskip("cv2")

from dreamkit import DreamConfig, Session, make_request
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.tf import network
from dreamkit.errors import DreamkitWarning, Interrupted
from dreamkit.jobs import film, signals, zoom
from dreamkit.jobs.film_worker import FilmOptions
from dreamkit.jobs.frame_store import FrameStoreError
from dreamkit.jobs.timeline import FilmTimeline
from dreamkit.jobs.zoom import ZoomOptions
from dreamkit.media import sound as sounds
from dreamkit.media import video, video_writer
from dreamkit.media.sound import RATE
from dreamkit.recipes import Recipe, listening, toml_file
from dreamkit.recipes.timeline import SIGNALS, with_heard
from dreamkit.request import without_image

CAMERA = ("zoom", "rotate", "center")
PLAIN = 'octaves = 1\njitter = 0\nsteps = 4\nsmooth = "none"\ncolor = "free"\n'
LEVELS = ("loudness", "bass", "middle", "treble")


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def tone(hertz, seconds, rate=RATE):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def clicks(spacing, seconds, rate=RATE):
    """A short fall of a tone at each multiple of `spacing`, but for 0."""
    found = np.zeros(round(seconds * rate) + rate)
    shape = tone(1500, 0.1, rate) * np.exp(-np.arange(round(0.1 * rate)) / (0.005 * rate))
    for number in range(1, int(seconds / spacing + 1e-6)):
        first = round(number * spacing * rate)
        found[first : first + len(shape)] += shape
    return found[: round(seconds * rate)]


def written(path, *channels, rate=RATE):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(32767 * np.stack(channels, -1)).astype("<i2").tobytes())
    return path


def thumps(path, seconds=2.0):
    """A wav with low thumps at 0.5 and 1.0 seconds, and a hiss at 1.5."""
    found = np.zeros(round(seconds * RATE))
    for at, hertz in ((0.5, 60), (1.0, 60), (1.5, 6000)):
        first = round(at * RATE)
        found[first : first + RATE // 10] = tone(hertz, 0.1)
    return written(path, found)


def frame_times(seconds, rate):
    return [number / rate for number in range(round(seconds * rate))]


@pytest.mark.parametrize(("hertz", "band"), [(60, "bass"), (1000, "middle"), (5000, "treble")])
def test_a_tone_is_heard_in_its_band(hertz, band):
    found = signals.heard(LEVELS, tone(hertz, 2.0).astype(np.float32), frame_times(2, 12))
    inside = {name: np.array(values[3:-3]) for name, values in found.items()}
    assert inside[band].min() > 0.95
    assert inside["loudness"].min() > 0.95
    for other in set(signals.BANDS) - {band}:
        assert inside[other].max() < 0.05


def test_silence_and_faint_noise_are_not_made_loud():
    faint = 1e-5 * np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    for samples, most in ((np.zeros(RATE, np.float32), 0.0), (faint, 0.02)):
        found = signals.heard(LEVELS, samples, frame_times(1, 10))
        assert max(max(values) for values in found.values()) <= most


def test_a_frame_has_what_is_heard_while_it_is_shown_and_not_before():
    samples = np.zeros(2 * RATE, np.float32)
    samples[RATE : RATE + RATE // 50] = tone(100, 0.02)
    for rate in (10, 24, 60):
        bass = np.array(signals.heard(["bass"], samples, frame_times(2, rate))["bass"])
        assert not bass[:rate].any()
        assert bass.max() == 1
        assert bass.argmax() / rate < 1.1


def test_loudness_is_what_people_hear():
    """Of tones that are as strong, by the table of IEC 61672-1."""
    decibels = 20 * np.log10(signals._a_weighting(np.array([20.0, 100.0, 1000.0, 10_000.0])))
    assert decibels == pytest.approx([-50.5, -19.1, 0.0, -2.5], abs=0.15)


def test_a_sound_of_two_channels_is_read_as_one(tmp_path):
    left, right = tone(300, 1.0, 44_100), tone(700, 1.0, 44_100)
    path = written(tmp_path / "it.wav", left, right, rate=44_100)
    found = sounds.samples(sounds.read(path), 1.0)
    assert len(found) == RATE
    expected = (tone(300, 1.0) + tone(700, 1.0)) / 2
    assert np.abs(found - expected)[1000:-1000].max() < 0.01


def test_a_sound_that_ends_before_the_film_is_followed_by_silence(tmp_path):
    sound = sounds.read(written(tmp_path / "it.wav", tone(300, 0.5)))
    with pytest.warns(DreamkitWarning, match=r"it\.wav ends after 0\.50 seconds, and the film after 2\.00"):
        found = sounds.samples(sound, 2.0)
    assert len(found) == 2 * RATE
    assert np.abs(found[: RATE // 2]).max() > 0.4
    assert not found[RATE // 2 :].any()


def filmed(path, photo, samples, rate=12):
    """A film of the photograph with a sound of 48,000 samples a second."""
    sound = sounds.read(written(path.with_suffix(".wav"), samples, rate=48_000))
    with video_writer.Writer(path, photo.shape[:2], Fraction(rate), sound=sound) as made:
        for _ in range(round(len(samples) / 48_000 * rate)):
            made.add(photo)
    return path


def test_the_sound_of_a_part_of_a_film_begins_with_its_first_frame(tmp_path, photo):
    heard = np.concatenate([np.zeros(48_000), tone(80, 1.0, 48_000)])
    clip = video.read(filmed(tmp_path / "it.mp4", photo, heard))
    assert clip.count == 24
    for first, expected in ((0, 12), (6, 6)):
        part = clip.cut(first, 24)
        samples = sounds.samples(part.sound, float(part.duration))
        bass = np.array(signals.heard(["bass"], samples, [float(time) for time in part.times])["bass"])
        assert not (bass[: expected - 1] > 0.1).any()
        assert (bass[expected + 1 :] > 0.5).all()


HEARD = (
    {"at": 0.0, "jitter": 8},
    {"at": 1.0, "jitter": 12},
    {"at": "bass", "jitter": 30, "strength": 3.0, "hold": {"first": 1.0}, "layers": ("second",)},
    {"at": "treble", "ease": "smooth", "camera": {"zoom": 1.2}, "layers": ("first",)},
)


def test_options_go_from_what_they_are_to_what_is_heard(net):
    course = FilmTimeline(HEARD, 3, {"bass": (0.0, 0.5, 1.0), "treble": (0.0, 0.25, 1.0)})
    config = DreamConfig(strength=1.0)
    found = [course.config(number, config) for number in range(3)]
    assert [each.strength for each in found] == [1.0, 2.0, 3.0]
    assert [each.jitter for each in found] == [8, 20, 30]  # 10, which the key frames are at, and half of 20
    assert [each.hold for each in found] == [None, {"first": 0.5}, {"first": 1.0}]
    own = {"zoom": 1.0, "rotate": 2.0, "center": (0.5, 0.5)}
    assert [course.camera(number, own)["zoom"] for number in range(3)] == [
        1.0,
        pytest.approx(1 + 0.2 * (3 * 0.25**2 - 2 * 0.25**3)),
        1.2,
    ]
    assert course.camera(0, own, [{"at": 0.0, "camera": {"zoom": 1.1}}])["zoom"] == 1.1
    eased = 3 * 0.25**2 - 2 * 0.25**3
    models = [LoadedModel(net, 2.0, ("first",))]
    weights = [{each.layers: each.weight for each in course.models(number, models)} for number in range(3)]
    assert weights == [
        {("first",): 2.0},
        {("first",): pytest.approx(1 + eased), ("second",): pytest.approx(1 - eased)},
        {("first",): 2.0},
    ]


def test_a_loop_hears_its_beginning_again():
    course = FilmTimeline(HEARD[2:3], 2, {"bass": (0.0, 1.0)}, loop=True)
    assert [course.config(number, DreamConfig()).strength for number in range(4)] == [1.0, 3.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("strength=beat", {"at": "beat", "strength": 2.0}),
        ("zoom=bass", {"at": "bass", "camera": {"zoom": 1.1}}),
        ("center=onset:0.2,0.4", {"at": "onset", "camera": {"center": (0.2, 0.4)}}),
        ("layers=treble", {"at": "treble", "layers": ("low",)}),
        ("layers=beat:first:1=2,second", {"at": "beat", "layers": ("first:1=2,second",)}),
        ("step-size=loudness:0.03", {"at": "loudness", "step_size": 0.03}),
        ("color=middle:keep", {"at": "middle", "color": 1.0}),
        ("hold=bass:low=0.3", {"at": "bass", "hold": {"low": 0.3}}),
    ],
)
def test_a_line_is_a_key_frame_and_a_recipe_has_it_too(text, expected):
    (found,) = listening.read([text], CAMERA)
    assert found == expected
    recipe = Recipe(name="it", options={}, timeline=(found,)).to_toml()
    assert toml_file.parse(recipe, "again").timeline == (expected,)


def test_a_line_goes_before_a_recipes_key_frame():
    own = (
        {"at": 0.0, "strength": 1.5},
        {"at": "beat", "strength": 3.0, "jitter": 3, "camera": {"zoom": 1.1}},
    )
    assert with_heard(own, listening.read(["strength=bass", "zoom=beat:1.2"], CAMERA)) == (
        own[0],
        {"at": "beat", "jitter": 3, "camera": {}},
        {"at": "bass", "strength": 2.0},
        {"at": "beat", "camera": {"zoom": 1.2}},
    )


@pytest.mark.usefixtures("loaded_once")
def test_a_zoom_follows_its_sound_and_a_recipe_repeats_it(run, photo, tmp_path):
    Image.fromarray(photo).save("photo.png")
    thumps(tmp_path / "it.wav")
    plain = f'model = "tiny"\n{PLAIN}strength = 0.1\n'
    (tmp_path / "plain.toml").write_text(plain)
    (tmp_path / "whole.toml").write_text(
        f"{plain}[[timeline]]\nat = 0\ncamera = {{ zoom = 1.0 }}\n"
        '[[timeline]]\nat = "bass"\nstrength = 4\n'
        '[[timeline]]\nat = "treble"\ncamera = { zoom = 1.3 }\n'
    )
    command = ("zoom", "photo.png", "-q", "--frames", 8, "--fps", 4, "--frame-steps", 1, "--sound", "it.wav")
    lines = ("--zoom", 1, "--listen", "strength=bass:4", "--listen", "zoom=treble:1.3")
    for name, more in (("plain", lines), ("whole", ())):
        code, _, err = run(*command, "-r", f"{name}.toml", *more, "-o", f"{name}.mp4")
        assert code == 0, err
    assert (tmp_path / "plain.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    made = video.read(tmp_path / "plain.mp4")
    assert (made.count, made.has_sound) == (8, True)
    frames = [frame.pixels.astype(float) for frame in made.frames()]
    moved = np.array([0, *(np.abs(one - other).mean() for one, other in pairwise(frames))])
    loud = [2, 4, 6]  # the frames at 0.5, 1.0 and 1.5 seconds
    still = sorted(set(range(1, 8)) - set(loud))
    assert moved[loud].min() > 2 * moved[still].max()


def listened(net, photo, output, sound, **options):
    config = DreamConfig(octaves=1, steps=4, strength=0.5)
    request = replace(make_request(photo, net, config=config), timeline=listening.read(["strength=bass:3"]))
    moves = ZoomOptions(frames=6, rate=4, steps=1)
    zoom.make(Session(request), output, moves, sound=sounds.read(sound), **options)
    return output.read_bytes()


def test_a_zoom_that_listens_and_is_broken_off_goes_on_to_the_same_bytes(tmp_path, net, photo):
    heard, other = thumps(tmp_path / "it.wav"), written(tmp_path / "other.wav", tone(60, 2.0))
    whole = listened(net, photo, tmp_path / "whole.mp4", heard)

    def interrupt(progress):
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        listened(net, photo, tmp_path / "parts.mp4", heard, on_frame=interrupt)
    with pytest.raises(FrameStoreError, match="holds the frames of another run, with another sound; repeat"):
        listened(net, photo, tmp_path / "parts.mp4", other)
    assert listened(net, photo, tmp_path / "parts.mp4", heard) == whole


def test_a_film_follows_its_own_sound_or_another(tmp_path, net, photo):
    def sounding(first):
        """A second with a low tone in the quarter from `first` on."""
        return np.pad(tone(80, 0.25, 48_000), (first * 12_000, (3 - first) * 12_000))

    clip = video.read(filmed(tmp_path / "in.mp4", photo, sounding(2), rate=8))
    other = sounds.read(written(tmp_path / "other.wav", sounding(1), rate=48_000))
    (tmp_path / "it.toml").write_text(f'{PLAIN}strength = 0.1\n[[timeline]]\nat = "bass"\nstrength = 4\n')
    session = Session(without_image(net, recipe=tmp_path / "it.toml"))
    for name, sound, loud in (("own", None, [4, 5]), ("other", other, [2, 3])):
        film.make(
            clip, session, tmp_path / name, FilmOptions(blend=0, flow=False, steps=1), sound=sound, preview=6
        )
        dreamed = [np.asarray(Image.open(path), float) for path in sorted((tmp_path / name).glob("*.png"))]
        added = [
            np.abs(one - shown.pixels).mean() for one, shown in zip(dreamed, clip.frames(6), strict=True)
        ]
        assert sorted(np.argsort(added)[-2:]) == loud


BAD = {
    "no value": ("--listen", "strength", "--listen is 'strength'; write OPTION=SIGNAL:VALUE, such as"),
    "a signal that is none": ("--listen", "strength=bet", "--listen has 'bet'; did you mean beat?"),
    "an option that is none": (
        "--listen",
        "strenth=beat",
        "which is not an option here; did you mean strength",
    ),
    "an option that stays": (
        "--listen",
        "seed=beat",
        "--listen has 'seed', which cannot move with what is heard",
    ),
    "no usual value": (
        "--listen",
        "color=beat",
        "write what color is when the signal is 1, such as color=beat:",
    ),
    "out of range": ("--listen", "strength=beat:99", "strength is 99.0; it takes"),
    "a camera out of range": ("--listen", "zoom=bass:9", "zoom is 9; it takes a number from 0.5 to 2"),
    "no number to begin with": (
        "--listen",
        "tv=bass:1",
        "tv cannot move with the bass from where dreamkit chooses",
    ),
    "no such layer": ("--listen", "layers=bass:midd", "there is no layer 'midd'; did you mean mid?"),
    "no such file": ("--sound", "none.wav", "none.wav does not exist; give a file with sound"),
    "no sound": ("--sound", "photo.png", "photo.png cannot be read as sound"),
    "a text": ("--sound", "it.toml", "it.toml cannot be read as sound, or is damaged"),
    "a film without sound": ("--sound", "still.gif", "still.gif holds no sound; give a file that does"),
    "itself": ("--sound", "out.mp4", "out.mp4 is the sound itself; write somewhere else"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.usefixtures("loaded_once")
def test_what_cannot_be_heard_is_one_line(run, photo, tmp_path, bad):
    flag, value, message = BAD[bad]
    Image.fromarray(photo).save("photo.png")
    Image.fromarray(photo).save("still.gif", save_all=True, append_images=[Image.fromarray(255 - photo)])
    (tmp_path / "it.toml").write_text(PLAIN)
    (written(tmp_path / "it.wav", tone(60, 10.0))).rename("out.mp4")
    sound = () if flag == "--sound" else ("--sound", "out.mp4")
    command = ("zoom", "photo.png", "-m", "tiny", "-q", "--frames", 2, flag, value, *sound)
    code, _, err = run(*command, "-o", "out.mp4" if bad == "itself" else "new.mp4", "--overwrite")
    assert code == 1
    assert message in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.glob("new*"))


@pytest.mark.usefixtures("loaded_once")
def test_without_a_sound_or_librosa_nothing_is_heard(run, photo, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "librosa", None)
    Image.fromarray(photo).save("photo.png")
    written(tmp_path / "it.wav", tone(60, 1.0))
    command = (
        "zoom",
        "photo.png",
        "-m",
        "tiny",
        "-q",
        "--frames",
        2,
        "-o",
        "new.gif",
        "--listen",
        "strength=beat",
    )
    code, _, err = run(*command)
    assert (code, err.count("\n")) == (1, 1)
    assert (
        "there is no sound, in which the beat could be heard; give a file with one: --sound track.wav" in err
    )
    code, _, err = run(*command, "--sound", "it.wav")
    assert (code, err.count("\n")) == (1, 1)
    assert "beats and onsets need librosa, which is not installed; run: " in err
    assert "[sound]" in err


@pytest.mark.heavy
def test_clicks_are_beats_and_onsets_and_silence_has_none():
    pytest.importorskip("librosa")
    for rate in (12, 30):
        times = frame_times(4, rate)
        found = signals.heard(["beat", "onset"], clicks(0.5, 4.0).astype(np.float32), times)
        beats = np.flatnonzero(np.array(found["beat"]) == 1) / rate
        inner = [beat for beat in beats if 0.4 < beat < 3.6]
        assert len(inner) == 7
        assert np.abs(np.array(inner) - 0.5 * np.arange(1, 8)).max() < 1 / rate + 0.03
        assert np.abs(np.diff(inner) - 0.5).max() < 1 / rate + 0.001
        onsets = np.array(found["onset"])
        assert [onsets[round(rate * 0.5 * number) :][:2].max() > 0.5 for number in range(1, 8)] == [True] * 7
        assert np.median(onsets) < 0.01
        silent = signals.heard(SIGNALS, np.zeros(4 * RATE, np.float32), times)
        assert not any(any(values) for values in silent.values())
    short = signals.heard(SIGNALS, np.zeros(1, np.float32), [0.0])
    assert short == dict.fromkeys(SIGNALS, (0.0,))

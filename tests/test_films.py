"""Zooms and films: coherent frames, runs that continue, and colours that do not drift."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

pytest.importorskip("av")
pytest.importorskip("cv2")

import synthetic_clip
from faults import held_by_another_process
from two_slots import TwoSlots

import dreamkit
from dreamkit import DreamConfig, Session, make_request
from dreamkit.engine.tf import network
from dreamkit.errors import ConfigError, Interrupted
from dreamkit.jobs import film, frame_store, zoom
from dreamkit.jobs.frame_store import FrameStore, FrameStoreError
from dreamkit.jobs.zoom import ZoomOptions
from dreamkit.media import color_match, optical_flow, video, video_writer
from dreamkit.media.clip import Clip
from dreamkit.request import without_image

ROOT = Path(__file__).parents[1]
CONFIG = DreamConfig(octaves=2, steps=4, jitter=4)


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def zoom_session(net, picture, config=CONFIG, **request):
    return Session(make_request(picture, net, config=config, **request))


def film_session(net, config=CONFIG, **request):
    return Session(without_image(net, config=config, **request))


def frames_of(path):
    return [frame.pixels for frame in video.read(path).frames()]


def test_a_zoom_moves_into_the_picture(tmp_path, net, photo):
    seen = []
    moves = ZoomOptions(frames=5, zoom=1.1)
    zoom.make(zoom_session(net, photo), tmp_path / "zoom.mp4", moves, on_frame=seen.append)
    assert [each.done for each in seen] == [1, 2, 3, 4, 5]
    assert len(frames_of(tmp_path / "zoom.mp4")) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["zoom.mp4"]  # nothing is left of the work


@given(
    st.floats(0.75, 1.4),
    st.floats(-90, 90),
    st.tuples(st.floats(0.35, 0.65), st.floats(0.35, 0.65)),
)
def test_the_middle_of_a_zoom_stays_where_it_is(factor, turn, center):
    rows, columns = np.mgrid[:41, :53].astype(np.float32)
    x, y = center[0] * 52, center[1] * 40
    distance = np.hypot(columns - x, rows - y)
    picture = np.repeat(np.uint8(np.clip(200 - 3 * distance, 0, 255))[..., None], 3, -1)
    moved = zoom.moved_into(picture, ZoomOptions(zoom=factor, rotate=turn, center=center))
    # A round hill about the middle stays one, as much wider as it is drawn nearer.
    inside = (distance < 8) & (distance > 1)
    expected = np.clip(200 - 3 * distance / factor, 0, 255)
    assert np.abs(moved[..., 0] - expected)[inside].max() < 3


def test_a_zoom_turns_clockwise():
    picture = np.zeros((41, 41, 3), np.uint8)
    picture[5:10, 18:23] = 255  # above the middle
    turned = zoom.moved_into(picture, ZoomOptions(zoom=1, rotate=90))
    assert turned[18:23, 31:36].mean() > 200  # right of it


@pytest.mark.parametrize(
    ("rate", "taken"), [(10, Fraction(10)), (29.97, Fraction(2997, 100)), (0.5, Fraction(1, 2))]
)
def test_a_rate_may_be_any_number(rate, taken):
    assert ZoomOptions(rate=rate).rate == taken


def test_a_zoom_that_is_broken_off_goes_on_to_the_same_bytes(tmp_path, net, photo):
    moves = ZoomOptions(frames=6, rotate=2.0)
    zoom.make(zoom_session(net, photo), tmp_path / "whole.mp4", moves)

    def interrupt(progress):
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="after 3 of 6 frames; the same command continues"):
        zoom.make(zoom_session(net, photo), tmp_path / "parts.mp4", moves, on_frame=interrupt)
    assert not (tmp_path / "parts.mp4").exists()
    seen = []
    zoom.make(zoom_session(net, photo), tmp_path / "parts.mp4", moves, on_frame=seen.append)
    assert [(each.done, each.resumed) for each in seen] == [(3, True), (4, False), (5, False), (6, False)]
    assert (tmp_path / "parts.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_a_preview_is_a_film_that_the_next_run_goes_on_from(tmp_path, net, photo):
    moves = ZoomOptions(frames=6)
    zoom.make(zoom_session(net, photo), tmp_path / "zoom.mp4", moves, preview=2)
    assert len(frames_of(tmp_path / "zoom.mp4")) == 2
    seen = []
    zoom.make(zoom_session(net, photo), tmp_path / "zoom.mp4", moves, overwrite=True, on_frame=seen.append)
    assert [each.done for each in seen] == [2, 3, 4, 5, 6]
    assert len(frames_of(tmp_path / "zoom.mp4")) == 6


def test_another_run_is_not_mixed_up_with_what_is_there(tmp_path, net, photo):
    zoom.make(zoom_session(net, photo), tmp_path / "zoom.mp4", ZoomOptions(frames=6), preview=2)
    other = zoom_session(net, photo, DreamConfig(octaves=2, steps=4, jitter=4, seed=1))
    (tmp_path / "zoom.mp4").unlink()
    with pytest.raises(
        FrameStoreError, match="holds the frames of another run, with another seed; repeat that"
    ):
        zoom.make(other, tmp_path / "zoom.mp4", ZoomOptions(frames=6))
    zoom.make(other, tmp_path / "zoom.mp4", ZoomOptions(frames=3), overwrite=True)
    assert not (tmp_path / "zoom.mp4.work").exists()
    (tmp_path / "b.mp4.work").mkdir()
    (tmp_path / "b.mp4.work" / "novel.txt").write_text("mine")
    with pytest.raises(FrameStoreError, match="is not a work folder"):
        zoom.make(other, tmp_path / "b.mp4", ZoomOptions(frames=3), overwrite=True)
    assert (tmp_path / "b.mp4.work" / "novel.txt").read_text() == "mine"


@given(arrays.arrays(np.uint8, st.tuples(st.integers(2, 9), st.integers(2, 9), st.just(3))))
def test_a_mirrored_picture_is_the_same_from_behind(pixels):
    height, width = pixels.shape[:2]
    sides = zoom.mirrored(pixels, "sides")
    np.testing.assert_array_equal(sides, sides[:, ::-1])
    np.testing.assert_array_equal(sides[:, : (width + 1) // 2], pixels[:, : (width + 1) // 2])
    quarters = zoom.mirrored(pixels, "quarters")
    np.testing.assert_array_equal(quarters, quarters[::-1, ::-1])
    np.testing.assert_array_equal(quarters[: (height + 1) // 2], sides[: (height + 1) // 2])
    np.testing.assert_array_equal(zoom.mirrored(pixels, "none"), pixels)


def test_every_frame_of_a_mirrored_zoom_is_mirrored(tmp_path, net, photo):
    moves = ZoomOptions(frames=4, zoom=1.1, rotate=5.0, mirror="quarters")
    zoom.make(zoom_session(net, photo), tmp_path / "whole.webp", moves)

    def interrupt(progress):
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        zoom.make(zoom_session(net, photo), tmp_path / "parts.webp", moves, on_frame=interrupt)
    frames = [work_frame(tmp_path / "parts.webp.work", number) for number in (0, 1)]
    for frame in frames:
        np.testing.assert_array_equal(frame, frame[:, ::-1])
        np.testing.assert_array_equal(frame, frame[::-1])
    with pytest.raises(FrameStoreError, match="of another run, with another mirror"):
        zoom.make(
            zoom_session(net, photo), tmp_path / "parts.webp", ZoomOptions(frames=4, zoom=1.1, rotate=5.0)
        )
    zoom.make(zoom_session(net, photo), tmp_path / "parts.webp", moves)
    assert (tmp_path / "parts.webp").read_bytes() == (tmp_path / "whole.webp").read_bytes()


def test_a_loop_comes_round(tmp_path, net, photo):
    steps = {}
    for loop in (False, True):
        zoom.make(
            zoom_session(net, photo), tmp_path / f"{loop}.mp4", ZoomOptions(frames=20, zoom=1.06, loop=loop)
        )
        shown = [frame.astype(float) for frame in frames_of(tmp_path / f"{loop}.mp4")]
        assert len(shown) == 20
        along = np.mean([np.abs(one - other).mean() for one, other in pairwise(shown)])
        steps[loop] = np.abs(shown[-1] - shown[0]).mean() / along
    assert steps[True] < 1.5  # from the last to the first is a step like any other
    assert steps[False] > 2


@pytest.mark.heavy
def test_a_long_zoom_drifts_neither_to_grey_nor_to_neon(tmp_path, net, photo):
    zoom.make(zoom_session(net, photo), tmp_path / "zoom.mp4", ZoomOptions(frames=120, zoom=1.05, rotate=3))
    moments = [color_match.measure(frame) for frame in frames_of(tmp_path / "zoom.mp4")]
    for each in moments:
        assert np.abs(each.mean / moments[0].mean - 1).max() < 0.05
        assert abs(each.saturation / moments[0].saturation - 1) < 0.05
        assert abs(each.contrast / moments[0].contrast - 1) < 0.1


@given(arrays.arrays(np.uint8, (9, 11, 3)), arrays.arrays(np.uint8, (7, 5, 3)))
def test_matched_colours_stay_within_black_and_white(picture, other):
    matched = color_match.match(picture.astype(np.float32), color_match.measure(other))
    assert matched.min() >= 0
    assert matched.max() <= 255
    assert np.isfinite(matched).all()


def test_matched_moments_are_the_other_pictures(photo):
    bright = np.clip(photo * 0.5 + 100, 0, 255).astype(np.uint8)
    wanted, found = (
        color_match.measure(photo),
        color_match.measure(color_match.match(bright.astype(np.float32), color_match.measure(photo))),
    )
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=0.02)
    assert found.contrast == pytest.approx(wanted.contrast, rel=0.03)
    assert found.saturation == pytest.approx(wanted.saturation, rel=0.03)


@pytest.mark.parametrize(
    "changes",
    [
        {"frames": 0},
        {"zoom": 3.0},
        {"rotate": 999.0},
        {"center": (2.0, 0.5)},
        {"mirror": "halves"},
        {"frames": 5, "loop": True},
    ],
)
def test_moves_that_make_no_sense(changes):
    with pytest.raises(
        ConfigError, match=next(iter(changes)) if "loop" not in changes else "loop of 5 frames"
    ):
        ZoomOptions(**changes)


def test_a_run_in_another_process_keeps_its_folder(tmp_path, net, photo):
    folder = tmp_path / "zoom.mp4.work"
    folder.mkdir()
    moves = ZoomOptions(frames=3)
    with held_by_another_process(folder / ".lock"):
        for overwrite in (False, True):
            with pytest.raises(FrameStoreError) as refused:
                zoom.make(zoom_session(net, photo), tmp_path / "zoom.mp4", moves, overwrite=overwrite)
            assert str(refused.value) == (
                f"{folder} is in use by another dreamkit; wait until it ends, or choose another -o"
            )
        assert [path.name for path in folder.iterdir()] == [".lock"]
    # The other process was killed, which frees the folder.
    zoom.make(zoom_session(net, photo), tmp_path / "zoom.mp4", moves)
    assert [path.name for path in tmp_path.iterdir()] == ["zoom.mp4"]


def test_a_frame_store_is_free_again_after_an_error_and_after_it_is_deleted(tmp_path):
    folder = tmp_path / "work"
    with pytest.raises(ZeroDivisionError), FrameStore(folder, {"what": "a"}, (4, 4)):
        raise ZeroDivisionError
    with pytest.raises(FrameStoreError, match="another what"), FrameStore(folder, {"what": "b"}, (4, 4)):
        pass
    with FrameStore(folder, {"what": "b"}, (4, 4), overwrite=True) as store:
        with pytest.raises(FrameStoreError, match="is in use"), FrameStore(folder, {"what": "b"}, (4, 4)):
            pass
        store.delete()
        with FrameStore(folder, {"what": "c"}, (4, 4)) as another:
            another.write(0, np.zeros((2, 3, 3), np.uint8))
            assert len(another) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["000000.png", "manifest.json"]


def test_what_a_killed_run_left_at_its_start_is_a_work_folder(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / ".lock").touch()
    (tmp_path / "work" / ".dreamkit-9-0123456789abcdef.json").touch()
    with FrameStore(tmp_path / "work", {"what": "a"}, (4, 4)) as store:
        assert len(store) == 0


def test_too_little_disk_space_is_refused_before_any_work(tmp_path, net, photo, monkeypatch):
    monkeypatch.setattr(frame_store.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(
        FrameStoreError, match="6 frames of 56 x 40 pixels take about 0.0 GB, and 0.0 GB are free"
    ):
        zoom.make(zoom_session(net, photo), tmp_path / "zoom.mp4", ZoomOptions(frames=6))
    assert list(tmp_path.iterdir()) == []


def test_a_seed_composes_a_zooms_first_frame_alone(tmp_path, net, photo):
    config = DreamConfig(octaves=2, steps=4, jitter=4, seed=5, clouds=64.0)
    later = [zoom.config_of_frame(config, ZoomOptions(), number, (40, 56)) for number in (1, 2)]
    assert [(each.clouds, each.seed) for each in later] == [(0.0, 6), (0.0, 7)]
    zoom.make(
        zoom_session(net, photo, config), tmp_path / "zoom.mp4", ZoomOptions(frames=2, zoom=1.0), preview=2
    )
    first, second = (work_frame(tmp_path / "zoom.mp4.work", number) for number in (0, 1))
    clouded = np.abs(first - photo.astype(float)).mean()
    assert np.abs(second - first).mean() < clouded / 2


def work_frame(folder, number):
    return np.asarray(Image.open(folder / f"{number:06}.png")).astype(float)


def test_a_zoom_blends_each_frame_with_what_it_was_dreamed_from(tmp_path, net, photo):
    for blend in (0.0, 1.0):
        config = DreamConfig(octaves=2, steps=4, jitter=4, blend=blend)
        zoom.make(
            zoom_session(net, photo, config),
            tmp_path / "zoom.mp4",
            ZoomOptions(frames=2, zoom=1.0),
            preview=2,
            overwrite=True,
        )
        frames = [work_frame(tmp_path / "zoom.mp4.work", number) for number in (0, 1)]
        assert np.array_equal(frames[0], photo) == (blend == 1.0)
        assert (np.abs(frames[1] - photo).mean() < 1) == (blend == 1.0)


def test_a_films_photograph_is_put_back_over_every_frame(tmp_path, net):
    source = clip_at(tmp_path / "in", frames=4)
    made = {}
    for blend in (0.0, 0.4, 1.0):
        config = DreamConfig(octaves=2, steps=4, jitter=4, blend=blend)
        film.make(source, film_session(net, config), tmp_path / f"out{blend:.0%}")
        made[blend] = [frame.astype(float) for frame in frames_of(tmp_path / f"out{blend:.0%}")]
    shown = [frame.pixels for frame in source.frames()]
    assert len(shown) == 4
    for photo, whole, some, none in zip(shown, made[0.0], made[0.4], made[1.0], strict=True):
        assert np.array_equal(none, photo)
        assert np.abs(some - (whole + 0.4 * (photo - whole))).max() <= 0.501
    # and what the next frame goes on with is the dream as it was: the last one is as strong as without
    strengths = [np.abs(frame - photo).mean() for frame, photo in zip(made[0.4], shown, strict=True)]
    assert strengths[-1] > 0.5 * strengths[0]


def test_clouds_of_a_film_do_not_pile_up(tmp_path, net):
    """A picture that stands still is clouded once, however long it stands."""
    still = np.full((40, 56, 3), 128, np.uint8)
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(6):
        Image.fromarray(still).save(folder / f"{number}.png")
    source = video.read(folder)
    config = DreamConfig(octaves=1, steps=1, step_size=1e-6, seed=5, clouds=12.0, color="free")
    film.make(source, film_session(net, config), tmp_path / "out", film.FilmOptions(flow=False))
    spreads = [frame.astype(float).std() for frame in frames_of(tmp_path / "out")]
    assert max(spreads) <= 1.1 * spreads[0] + 0.5
    assert spreads[0] < 16


def clip_at(folder, frames):
    folder.mkdir()
    for number, frame in enumerate(islice(synthetic_clip.clip(frames, (48, 64)), frames)):
        Image.fromarray(frame.pixels).save(folder / f"{number}.png")
    return video.read(folder)


def test_optical_flow_finds_a_known_motion():
    known = list(islice(synthetic_clip.clip(24, (144, 192)), 6))
    for before, now in pairwise(known):
        found = optical_flow.estimate(before.pixels, now.pixels)
        apart = np.linalg.norm(found.offsets - now.offsets, axis=-1)
        assert apart[now.visible].mean() < 0.3
        assert (found.visible > 0.5)[now.visible].mean() > 0.9
        assert (found.visible > 0.5)[~now.visible].mean() < 0.3
        assert not optical_flow.is_cut(before.pixels, now.pixels)


def test_a_cut_is_found(photo):
    assert optical_flow.is_cut(photo, 255 - photo)
    assert not optical_flow.is_cut(photo, np.roll(photo, 3, 1))
    assert (
        optical_flow.estimate(photo[:20], photo[:20]).visible.min() == 1
    )  # too small for optical flow: no motion


@pytest.fixture
def clip(tmp_path):
    """Twelve frames, with another scene from the seventh on."""
    path = tmp_path / "in.mp4"
    scenes = [frame.pixels for frame in synthetic_clip.clip(12, (64, 80))]
    with video_writer.Writer(path, (64, 80), Fraction(24)) as writer:
        for number, pixels in enumerate(scenes):
            writer.add(pixels if number < 6 else 255 - pixels[::-1])
    return video.read(path)


def test_a_film_keeps_its_frames_and_a_dream_moves_along(tmp_path, net, clip):
    film.make(clip, film_session(net, CONFIG), tmp_path / "out.mp4")
    made = video.read(tmp_path / "out.mp4")
    assert (made.count, made.size, made.rate) == (clip.count, clip.size, clip.rate)
    change = [
        np.abs(one.pixels.astype(float) - other.pixels).mean()
        for one, other in zip(made.frames(), clip.frames(), strict=True)
    ]
    assert min(change) > 3
    assert max(change) < 4 * min(change)  # neither the first frame nor a cut's is less dreamed


@pytest.mark.heavy
def test_a_film_that_is_broken_off_goes_on_to_the_same_bytes(tmp_path, net, clip):
    film.make(clip, film_session(net, CONFIG), tmp_path / "whole")

    def interrupt(progress):
        if progress.done in (2, 7) and not progress.resumed:
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(Interrupted):
            film.make(clip, film_session(net, CONFIG), tmp_path / "parts", on_frame=interrupt)
    film.make(clip, film_session(net, CONFIG), tmp_path / "parts")
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert len(names) == 12
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


class CountedClip(Clip):
    """A clip that notes the number of each frame that is decoded, and of each whose pixels are read."""

    def frames(self, most=None, wanted=lambda number: True):
        def noted(number):
            self.decoded.append(number)
            if not wanted(number):
                return False
            self.read.append(number)
            return True

        return super().frames(most, noted)


def counted(clip):
    found = CountedClip(**vars(clip))
    object.__setattr__(found, "decoded", [])
    object.__setattr__(found, "read", [])
    return found


@pytest.fixture(params=["film", "folder"])
def scenes(request, tmp_path):
    """Six scenes of four frames, as a film or a folder of pictures."""
    path = tmp_path / ("scenes.mp4" if request.param == "film" else "scenes")
    shown = [frame.pixels for frame in synthetic_clip.clip(24, (48, 64))]
    with video_writer.Writer(path, (48, 64), Fraction(24)) as writer:
        for number, pixels in enumerate(shown):
            writer.add(255 - pixels[::-1] if number // 4 % 2 else pixels)
    return counted(video.read(path))


@pytest.mark.heavy
def test_scenes_beside_each_other_read_a_clip_no_more_often_than_there_are_slots(tmp_path, net, scenes):
    config = DreamConfig(octaves=1, steps=1, jitter=4)
    film.make(scenes, film_session(net, config), tmp_path / "beside", executor=TwoSlots(), preview=24)
    assert len(scenes.decoded) <= 3 * 24  # once for the cuts, and once for each slot
    assert sorted(scenes.read) == sorted([*range(24)] * 2)  # once for the cuts, once for the dreams
    film.make(scenes, film_session(net, config), tmp_path / "alone", preview=24)
    assert [path.name for path in sorted((tmp_path / "beside").iterdir())] == [
        f"{number:06}.png" for number in range(24)
    ]
    for one, other in zip(frames_of(tmp_path / "beside"), frames_of(tmp_path / "alone"), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.heavy
def test_finished_scenes_are_skipped(tmp_path, net, scenes):
    config = DreamConfig(octaves=1, steps=1, jitter=4)
    film.make(scenes, film_session(net, config), tmp_path / "out", executor=TwoSlots(), preview=24)
    shutil.rmtree(tmp_path / "out")
    for number in (9, 10, 11, 20):  # the rest of the third scene, and the start of the last
        (tmp_path / "out.work" / f"{number:06}.png").unlink()
    scenes.read.clear()
    film.make(scenes, film_session(net, config), tmp_path / "out", executor=TwoSlots(), preview=24)
    assert sorted(scenes.read) == sorted([*range(24), 8, 9, 10, 11, 20])


def test_frames_without_blend_are_read_once(tmp_path, net, scenes):
    config = DreamConfig(octaves=1, steps=1, jitter=4)
    film.make(
        scenes, film_session(net, config), tmp_path / "out", film.FilmOptions(blend=0.0), executor=TwoSlots()
    )
    assert scenes.decoded == scenes.read == [*range(24)]


def test_frames_between_are_moved_along_undreamed(tmp_path, net, clip):
    dreamed = []
    session = film_session(net)
    counted = [model._replace(network=_Counted(net, dreamed)) for model in session.models]
    session.models = counted
    film.make(clip, session, tmp_path / "all.mp4", film.FilmOptions(blend=0.5))
    every = len(dreamed)
    film.make(clip, session, tmp_path / "some.mp4", film.FilmOptions(blend=0.5, every=3))
    assert len(dreamed) - every < 0.7 * every
    assert video.read(tmp_path / "some.mp4").count == 12


class _Counted:
    """A network that tells how often it is asked for a step."""

    def __init__(self, network, heard):
        self._network, self._heard = network, heard

    def __getattr__(self, name):
        if name == "step":
            self._heard.append(name)
        return getattr(self._network, name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blend": 1.0}, "blend is 1.0"),
        ({"every": 0}, "every is 0"),
        ({"every": 2, "blend": 0.0}, "nothing is moved"),
    ],
)
def test_cuts_that_make_no_sense(changes, message):
    with pytest.raises(ConfigError, match=message):
        film.FilmOptions(**changes)


def test_the_command_line_zooms_films_and_records(run, picture, tmp_path):
    code, out, err = run(
        "zoom", picture, "-o", "zoom.webm", "-m", "tiny", "--frames", "3", "--center", "0.3,0.7"
    )
    assert (code, out.startswith("wrote zoom.webm")) == (0, True), err
    code, out, err = run("film", "zoom.webm", "-o", "film.mp4", "-m", "tiny", "--every", "2", "--steps", "4")
    assert (code, out.startswith("wrote film.mp4")) == (0, True), err
    assert video.read(tmp_path / "film.mp4").count == 3
    code, out, err = run(
        "dream", picture, "-m", "tiny", "--octaves", "2", "--steps", "3", "--record", "making.gif"
    )
    assert (code, "wrote making.gif" in out) == (0, True), err
    assert video.read(tmp_path / "making.gif").count == 2 * 3 + 30


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["zoom", "-o", "zoom.avi"], 1, "ends in .avi; use one of"),
        (["zoom", "-o", "zoom.mp4", "--zoom", "9"], 1, "zoom is 9"),
        (["zoom", "-o", "zoom.mp4", "--center", "middle"], 1, "write two shares"),
        (["zoom", "-o", "zoom.mp4", "--mirror", "side"], 1, "mirror is 'side'; did you mean sides?"),
        (["zoom", "-o", "zoom.mp4", "--fps", "1/0"], 1, "write frames a second"),
        (["zoom", "-o", "zoom.mp4", "--layers", "none", "-m", "tiny"], 1, "no layer 'none'"),
        (["film", "none.mp4", "-o", "out.mp4"], 1, "does not exist; give a film"),
        (["film", "photo.jpg", "-o", "out.mp4"], 1, "is a picture; dream it with dreamkit dream"),
        (["film", "photo.jpg", "-o", "out.mp4", "--flow", "maybe"], 1, "choose on or off"),
        (["film", "photo.jpg", "-o", "out.mp4", "--blend", "1"], 1, "blend is 1.0"),
        (["film", "photo.jpg"], 2, "--output"),
        (["dream", "photo.jpg", "--record", "making.txt"], 1, "ends in .txt"),
    ],
)
def test_wrong_command_lines_are_one_line(run, picture, arguments, code, message):
    found, _, err = run(*arguments)
    last = err.strip().splitlines()[-1]
    assert (found, last.startswith("error: "), message in last) == (code, True, True), err


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_a_film_that_is_killed_at_any_moment_ends_as_if_it_never_was(tmp_path):
    """While it starts, dreams and writes, as often as KILLS says."""
    path = tmp_path / "in.mp4"
    with video_writer.Writer(path, (96, 128), Fraction(24)) as writer:
        for frame in synthetic_clip.clip(24, (96, 128)):
            writer.add(frame.pixels)
    command = [sys.executable, "-m", "dreamkit", "film", str(path), "-o"]
    subprocess.run([*command, str(tmp_path / "whole.mp4")], check=True, capture_output=True)
    draw = random.Random(1)
    killed = 0
    target, folder = tmp_path / "killed.mp4", tmp_path / "killed.mp4.work"
    while killed < int(os.environ.get("KILLS", "8")):
        target.unlink(missing_ok=True)
        wanted = len(list(folder.glob("*.png"))) + draw.randrange(1, 5)  # frames that it gets to finish
        process = subprocess.Popen(
            [*command, str(target)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and len(list(folder.glob("*.png"))) < wanted:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        try:
            assert process.wait(draw.uniform(0, 0.5)) == 0
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
    target.unlink(missing_ok=True)
    subprocess.run([*command, str(target)], check=True, capture_output=True)
    assert target.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert not folder.exists()


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_with_flow_a_film_flickers_half_as_much(tmp_path):
    known = list(synthetic_clip.clip(24, (144, 192)))
    path = tmp_path / "in.mp4"
    with video_writer.Writer(path, (144, 192)) as writer:
        for frame in known:
            writer.add(frame.pixels)
    source = video.read(path)
    session = film_session(dreamkit.load("pocket"), DreamConfig())
    found = {}
    for name, options in {"flow": film.FilmOptions(), "off": film.FilmOptions(flow=False)}.items():
        film.make(source, session, tmp_path / name, options)
        found[name] = synthetic_clip.flicker(frames_of(tmp_path / name), known)
    print(json.dumps(found))
    assert found["flow"] <= 0.5 * found["off"]

"""Masks and guides that change along a film: of films and folders, carried along, and of what moves."""

from __future__ import annotations

import re
import shutil
from fractions import Fraction
from itertools import islice, pairwise

import numpy as np
import pytest
import tiny
from PIL import Image

pytest.importorskip("av")
pytest.importorskip("cv2")

import synthetic_clip
from two_slots import TwoSlots

from dreamkit import DreamConfig, Session
from dreamkit.engine.tf import network
from dreamkit.errors import ConfigError, DreamkitWarning, Interrupted
from dreamkit.jobs import film
from dreamkit.jobs.film_worker import FilmOptions
from dreamkit.jobs.frame_store import FrameStoreError
from dreamkit.jobs.moving_pictures import MovingPictures, opened
from dreamkit.media import motion_mask, optical_flow, video, video_writer
from dreamkit.media.optical_flow import Flow
from dreamkit.request import without_image

SIZE = (48, 64)
FRAMES = 6
CONFIG = DreamConfig(octaves=1, steps=4, jitter=4)
OPTIONS = FilmOptions(blend=0.5)  # few rounds for a first frame
HEAVY = pytest.mark.heavy


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def session(net, **request):
    return Session(without_image(net, config=CONFIG, **request))


def folder_of(path, frames):
    path.mkdir()
    for number, pixels in enumerate(frames):
        Image.fromarray(pixels).save(path / f"{number}.png")
    return path


def column(number, size=SIZE):
    """A mask that is white in a column of 24 pixels, which moves to the right."""
    mask = np.zeros(size, np.uint8)
    mask[:, 4 * number : 4 * number + 24] = 255
    return mask


@pytest.fixture
def source(tmp_path):
    clip = synthetic_clip.clip(FRAMES, SIZE)
    return video.read(folder_of(tmp_path / "frames", [frame.pixels for frame in clip]), Fraction(24))


def made(path):
    return [frame.pixels for frame in video.read(path).frames()]


def changed(source, path):
    """Where each frame is another than the film's."""
    return [(one.pixels != other).any(-1) for one, other in zip(source.frames(), made(path), strict=True)]


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def write_film(path, masks, rate):
    with video_writer.Writer(path, SIZE, Fraction(rate)) as writer:
        for mask in masks:
            writer.add(np.repeat(mask[..., None], 3, -1))
    return path


# Films and folders


@pytest.mark.parametrize(
    "kind",
    ["half as many", *(pytest.param(kind, marks=HEAVY) for kind in ("folder", "pattern", "film", "a part"))],
)
def test_each_frame_is_dreamed_within_its_own_mask(tmp_path, net, source, kind):
    numbers = [*range(FRAMES)]
    if kind in ("folder", "pattern", "a part"):
        folder_of(tmp_path / "mask", [column(number) for number in numbers])
        path = tmp_path / "mask" / ("*.png" if kind == "pattern" else "")
    elif kind == "film":
        path = write_film(tmp_path / "mask.mp4", map(column, numbers), 24)
    else:  # resolved by time
        numbers = [number // 2 * 2 for number in numbers]
        path = write_film(tmp_path / "mask.mp4", map(column, numbers[::2]), 12)
    if kind == "a part":
        source, numbers = source.cut(2, 5), numbers[2:5]
    moving, _, _ = opened({"": str(path)}, None, track=False)
    film.make(source, session(net), tmp_path / "out", OPTIONS, moving=moving)
    for number, where in zip(numbers, changed(source, tmp_path / "out"), strict=True):
        near = np.roll(column(number), -1, 1) | column(number) | np.roll(column(number), 1, 1)
        assert where[near > 0].mean() > 0.5
        assert not where[near == 0].any()


@HEAVY
def test_pictures_that_are_all_alike_are_a_picture(tmp_path, net, source, photo):
    still = session(net, mask=column(2), guide=photo)
    film.make(source, still, tmp_path / "still")
    masks = video.read(folder_of(tmp_path / "mask", [column(2)] * FRAMES))
    guides = video.read(folder_of(tmp_path / "guide", [photo] * FRAMES))
    moving = MovingPictures({"": masks}, guides)
    film.make(source, session(net), tmp_path / "moving", moving=moving)
    assert bytes_of(tmp_path / "moving") == bytes_of(tmp_path / "still")
    film.make(source, session(net), tmp_path / "free")
    assert bytes_of(tmp_path / "moving") != bytes_of(tmp_path / "free")


@HEAVY
def test_a_guide_that_changes_does_so_at_its_frame(tmp_path, net, source, photo):
    guides = {
        name: video.read(folder_of(tmp_path / name, [photo] * same + [255 - photo] * (FRAMES - same)))
        for name, same in {"same": FRAMES, "later": 3}.items()
    }
    for name, clip in guides.items():
        film.make(source, session(net), tmp_path / f"of-{name}", OPTIONS, moving=MovingPictures(guide=clip))
    one, other = (made(tmp_path / f"of-{name}") for name in guides)
    assert [np.array_equal(*pair) for pair in zip(one, other, strict=True)] == [True] * 3 + [False] * 3


def test_a_mask_that_stays_bounds_a_dream_that_moves(tmp_path, net, source, photo):
    wide = np.tile(photo, (2, 2, 1))[: SIZE[0], : SIZE[1]]
    pans = [np.roll(wide, 3 * number, 1) for number in range(FRAMES)]
    source = video.read(folder_of(tmp_path / "pans", pans))
    film.make(source, session(net, mask=column(0)), tmp_path / "out", OPTIONS)
    for where in changed(source, tmp_path / "out"):
        assert where[:, :24].any()
        assert not where[:, 24:].any()


@HEAVY
def test_a_named_mask_moves(run, tmp_path, source, second):
    folder_of(tmp_path / "mask", map(column, range(FRAMES)))
    recipe = 'model = "sorter"\noctaves = 1\nsteps = 4\nlayers = [{layer = "edges", mask = "left"}]\n'
    (tmp_path / "recipe.toml").write_text(recipe)
    code, _, err = run("film", "frames", "-r", "recipe.toml", "--mask", "left=mask", "-o", "out", "-q")
    assert code == 0, err
    for number, where in enumerate(changed(source, tmp_path / "out")):
        assert where.any()
        assert not where[column(number) == 0].any()
    code, _, err = run("film", "frames", "-r", "recipe.toml", "--mask", "right=mask", "-o", "b", "-q")
    assert (code, "no term is under the mask right; choose from left" in err) == (1, True), err


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (
            lambda path: folder_of(path / "m", [column(0)] * 4),
            r"m has 4 pictures and the film 6 frames; give one",
        ),
        (
            lambda path: write_film(path / "m.mp4", [column(0)] * 4, 24),
            r"the mask .*m.mp4 ends at 0.167 s, and the last frame begins at 0.208 s; give one as long",
        ),
        (
            lambda path: folder_of(path / "m", [column(0)[:20]] * 6),
            "the mask 0.png has 64 x 20 pixels and the picture",
        ),
        (lambda path: path / "none.mp4", "none.mp4 does not exist; give a film, a folder"),
    ],
)
def test_a_mask_that_does_not_fit_is_one_line(run, tmp_path, source, masks, message):
    code, _, err = run(
        "film", "frames", "--fps", "24", "-m", "tiny", "--mask", masks(tmp_path), "-o", "out", "-q"
    )
    (line,) = [each for each in err.splitlines() if each.startswith("error: ")]
    assert code == 1
    assert re.search(message, line), line


def test_no_film_is_written_over_its_mask(run, tmp_path, source):
    path = write_film(tmp_path / "mask.mp4", map(column, range(FRAMES)), 24)
    before = path.read_bytes()
    arguments = ("-m", "tiny", "--fps", "24", "--mask", "mask.mp4", "-o", "mask.mp4", "--overwrite", "-q")
    code, _, err = run("film", "frames", *arguments)
    assert (code, "mask.mp4 is the mask itself" in err) == (1, True), err
    assert path.read_bytes() == before


# Masks that are carried along


def disc(number, frames, size):
    """Where the cup of the synthetic clip is."""
    pose = synthetic_clip.MOTIONS["occlusion"](number / max(1, frames - 1), *size)
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.hypot(columns - pose.cup[0], rows - pose.cup[1]) < 0.22 * min(size)


def overlap(mask, truth):
    return ((mask > 127) & truth).sum() / ((mask > 127) | truth).sum()


def test_a_mask_follows_what_it_covers():
    size = (96, 128)
    frames = [frame.pixels for frame in synthetic_clip.clip(36, size)]
    mask = disc(0, 36, size) * np.uint8(255)
    stayed = mask
    for number, (before, now) in enumerate(pairwise(frames), 1):
        mask = optical_flow.carry(mask, optical_flow.estimate(before, now))
        assert overlap(mask, disc(number, 36, size)) > 0.6
    assert overlap(stayed, disc(35, 36, size)) == 0  # the cup has left its place


@pytest.fixture
def scenes(tmp_path):
    """Two scenes of three frames."""
    frames = [frame.pixels for frame in synthetic_clip.clip(FRAMES, SIZE)]
    frames[3:] = [255 - pixels[::-1] for pixels in frames[3:]]
    return video.read(folder_of(tmp_path / "scenes", frames))


@pytest.mark.parametrize(
    ("request_", "moving", "options"),
    [
        ({"mask": column(1)}, MovingPictures(track=True), OPTIONS),
        ({}, MovingPictures(of_motion=("",)), FilmOptions(blend=0.5, every=2)),
        pytest.param(
            {"mask": column(1)}, MovingPictures(track=True), FilmOptions(blend=0.0, flow=False), marks=HEAVY
        ),
    ],
    ids=["track", "motion", "track without blend"],
)
@pytest.mark.filterwarnings("ignore:another scene begins")
def test_masks_of_the_flow_give_the_same_bytes_however_a_film_is_made(
    tmp_path, net, scenes, request_, moving, options
):
    def make(name, **how):
        film.make(scenes, session(net, **request_), tmp_path / name, options, moving=moving, **how)

    make("whole")

    def interrupt(progress):
        if progress.done in (2, 4) and not progress.resumed:
            raise KeyboardInterrupt

    make("parts", preview=1)
    shutil.rmtree(tmp_path / "parts")
    for _ in range(2):
        with pytest.raises(Interrupted):
            make("parts", on_frame=interrupt)
    make("parts")
    make("beside", executor=TwoSlots())
    expected = bytes_of(tmp_path / "whole")
    assert len(expected) == FRAMES
    for name in ("parts", "beside"):
        assert bytes_of(tmp_path / name) == expected, name
        assert not (tmp_path / f"{name}.work").exists()


def test_what_is_transparent_in_a_mask_is_black(tmp_path, source):
    white = np.full(SIZE, 255, np.uint8)
    path = folder_of(
        tmp_path / "mask", [np.dstack([white] * 3 + [column(number)]) for number in range(FRAMES)]
    )
    moving = MovingPictures({"": video.read(path)}).beside(source)
    for number, frame in enumerate(moving.masks[""].frames()):
        np.testing.assert_array_equal(frame.pixels[..., 0], column(number))


def test_at_another_rate_other_pictures_of_a_mask_are_due(tmp_path):
    film_of_masks = video.read(write_film(tmp_path / "mask.mp4", map(column, range(FRAMES)), 24))
    folder = folder_of(tmp_path / "frames", [column(0)] * FRAMES)
    moving = [
        MovingPictures({"": film_of_masks}).beside(video.read(folder, Fraction(fps))) for fps in (24, 48)
    ]
    assert moving[0].identity != moving[1].identity
    assert moving[1].masks[""].file_numbers == (0, 0, 1, 1, 2, 2)


def test_other_masks_are_another_run(tmp_path, net, source):
    folder_of(tmp_path / "mask", map(column, range(FRAMES)))
    moving = MovingPictures({"": video.read(tmp_path / "mask")})
    film.make(source, session(net), tmp_path / "out.gif", moving=moving, preview=1)
    (tmp_path / "out.gif").unlink()
    folder_of(tmp_path / "later", map(column, range(1, FRAMES + 1)))
    for other, what in (
        (None, "mask film"),
        (MovingPictures({"": video.read(tmp_path / "later")}), "mask film"),
        (MovingPictures(of_motion=("",)), "mask film and motion mask"),
        (MovingPictures(moving.masks, guide=source), "guide film"),
    ):
        with pytest.raises(FrameStoreError, match=f"another run, with another {what}; repeat"):
            film.make(source, session(net), tmp_path / "out.gif", moving=other)
    tracked = session(net, mask=column(0))
    with pytest.raises(FrameStoreError, match="with another mask film and masks and track; repeat"):
        film.make(source, tracked, tmp_path / "out.gif", moving=MovingPictures(track=True))


def test_a_tracked_mask_ends_with_its_scene(tmp_path, net, scenes):
    with pytest.warns(DreamkitWarning, match="another scene begins, in which the tracked") as given:
        film.make(
            scenes, session(net, mask=column(1)), tmp_path / "out", OPTIONS, moving=MovingPictures(track=True)
        )
    assert len(given) == 1
    assert [where.any() for where in changed(scenes, tmp_path / "out")] == [True] * 3 + [False] * 3


def test_without_a_mask_there_is_nothing_to_track(run, source, net):
    with pytest.raises(ConfigError, match="track carries a painted mask along"):
        film.make(source, session(net), source.paths[0].parent / "out", moving=MovingPictures(track=True))
    code, _, err = run("film", "frames", "-m", "tiny", "--mask", "motion", "--track", "-o", "out", "-q")
    assert (code, "give a picture as mask, too" in err) == (1, True), err


# What moves


def test_the_cameras_motion_is_not_what_moves(photo):
    pan = np.tile(photo, (3, 3, 1))[:96, :128]
    flow = optical_flow.estimate(pan, np.roll(pan, 4, 1))
    assert (motion_mask.from_flow(flow)[:, 16:-8] == 0).all()


def test_the_camera_is_what_most_of_the_picture_follows():
    rows, columns = np.mgrid[:60, :80].astype(np.float32)
    turned = np.stack([2 + 0.03 * columns - 0.05 * rows, -1 + 0.05 * columns + 0.03 * rows], -1)
    offsets = turned.copy()
    offsets[20:50, 10:45] += [4, -3]
    np.testing.assert_allclose(motion_mask.camera(offsets), turned, atol=0.02)
    mask = motion_mask.from_flow(Flow(offsets, np.ones((60, 80), np.float32)))
    assert (mask[22:48, 12:43] == 255).all()
    assert (mask[:16] == 0).all()
    assert (mask[:, 50:] == 0).all()


def test_what_moves_is_found_in_front_of_a_moving_camera():
    size = (96, 128)
    frames = [frame.pixels for frame in synthetic_clip.clip(36, size)]
    for number, (before, now) in enumerate(pairwise(frames), 1):
        mask = motion_mask.from_flow(optical_flow.estimate(before, now))
        truth = disc(number, 36, size)
        assert (mask[truth] > 127).mean() > 0.95
        assert overlap(mask, truth) > 0.5


@HEAVY
def test_the_command_line_dreams_what_moves(run, tmp_path):
    frames = [frame.pixels for frame in islice(synthetic_clip.clip(36, (64, 80)), 3)]
    source = video.read(folder_of(tmp_path / "frames", frames))
    options = ("-m", "tiny", "--octaves", "1", "--steps", "4", "-q")
    code, _, err = run("film", "frames", "--mask", "motion", *options, "-o", "out")
    assert code == 0, err
    for number, where in enumerate(changed(source, tmp_path / "out")):
        truth = disc(number, 36, (64, 80))
        assert where[truth].mean() > 0.5
        assert where[~truth].mean() < 0.3
    Image.fromarray(column(0, (64, 80))).save(tmp_path / "painted.png")
    code, _, err = run("film", "frames", "--mask", "painted.png", "--track", *options, "-o", "tracked")
    assert code == 0, err
    assert all(where.any() for where in changed(source, tmp_path / "tracked"))

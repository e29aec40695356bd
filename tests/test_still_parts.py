"""What stands still in a film keeps its dream; what changes is dreamed until its dream has settled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("cv2")

from dreamkit import DreamConfig, Session
from dreamkit.engine.tf import network
from dreamkit.errors import Interrupted
from dreamkit.jobs import film, still_parts
from dreamkit.jobs.film_worker import FilmOptions, frames_to_settle, settling
from dreamkit.media import video
from dreamkit.media.optical_flow import Flow
from dreamkit.request import without_image

SIZE = 96, 128
CONFIG = DreamConfig(octaves=1, steps=8, step_size=0.05, jitter=4)
OPTIONS = FilmOptions(blend=0.5)
FIRST = 1 + settling(OPTIONS.blend)  # how often the first frame is dreamed
AGAIN = frames_to_settle(OPTIONS.blend)


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


@pytest.fixture
def background():
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    waves = [128 + 30 * np.sin(rows / 7 + k) * np.cos(columns / 9 - k) for k in range(3)]
    return np.stack(waves, -1).astype(np.uint8)


@pytest.fixture
def make(tmp_path, net, monkeypatch):
    """Dreams frames; returns what each dream adds, and how often anything was dreamed."""

    def made(frames, name="out", *, timeline=(), **more):
        folder = tmp_path / f"{name} frames"
        folder.mkdir(exist_ok=True)
        for number, pixels in enumerate(frames):
            Image.fromarray(pixels).save(folder / f"{number:03}.png")
        calls = []
        compute = Session.compute

        def counted(self, request, **options):
            calls.append(request)
            return compute(self, request, **options)

        session = Session(replace(without_image(net, config=CONFIG), timeline=timeline))
        with monkeypatch.context() as patch:
            patch.setattr(Session, "compute", counted)
            film.make(video.read(folder), session, tmp_path / name, OPTIONS, **more)
        dreamed = [frame.pixels.astype(int) for frame in video.read(tmp_path / name).frames()]
        return [one - other for one, other in zip(dreamed, frames, strict=True)], len(calls)

    return made


def test_a_still_scene_is_dreamed_once_in_spite_of_noise(make, background):
    random = np.random.default_rng(0)
    noisy = [
        np.clip(background + random.normal(0, 2, background.shape), 20, 235).astype(np.uint8)
        for _ in range(6)
    ]
    details, calls = make(noisy)
    assert calls == FIRST
    for detail in details[1:]:
        np.testing.assert_allclose(detail, details[0], atol=1)
    assert np.abs(details[0]).mean() > 3


def test_what_changes_is_dreamed_until_it_settles_and_all_else_is_kept(make, background):
    changed = background.copy()
    changed[8:24, 8:24] = 255 - changed[8:24, 8:24]
    details, calls = make([background] * 2 + [changed] * (AGAIN + 2))
    assert calls == FIRST + AGAIN
    far = slice(None), slice(80, None)
    for detail in details[1:]:
        np.testing.assert_array_equal(detail[far], details[0][far])
    last = [detail[8:24, 8:24] for detail in details]
    assert np.abs(last[2] - last[1]).mean() > 3
    assert np.abs(last[-1] - last[2]).mean() > 1  # it went on
    np.testing.assert_array_equal(last[-1], last[-2])  # and settled


def test_a_slow_fade_is_dreamed(make, background):
    _, calls = make([background // 2 + number for number in range(8)])
    assert calls > FIRST


def test_where_options_move_each_frame_is_dreamed(make, background):
    timeline = ({"at": 0.0, "strength": 0.5}, {"at": 1.0, "strength": 1.0})
    _, calls = make([background] * 3, timeline=timeline)
    assert calls == FIRST + 2


def test_a_still_film_that_is_broken_off_goes_on_to_the_same_bytes(make, background, tmp_path):
    changed = background.copy()
    changed[8:24, 8:24] = 255 - changed[8:24, 8:24]
    frames = [background] * 2 + [changed] * 4
    make(frames, "whole")

    def interrupt(progress):
        if progress.done in (2, 4) and not progress.resumed:
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(Interrupted):
            make(frames, "parts", on_frame=interrupt)
    make(frames, "parts")
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert len(names) == 6
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


@given(
    height=st.integers(16, 70), width=st.integers(16, 70), level=st.integers(0, 250), frames=st.integers(1, 9)
)
def test_cells_of_any_frame(height, width, level, frames):
    pixels = np.full((height, width, 3), level, np.uint8)
    cells = still_parts.settled(pixels)
    assert cells.shape == (*still_parts.shape_of((height, width)), 4)
    same = still_parts.Changes(cells, pixels)
    assert same.are_none
    assert not same.to_dream(None).any()
    other = pixels + np.uint8(5)
    changes = still_parts.Changes(cells, other)
    assert changes.changed.all()
    chosen = changes.to_dream(None)
    assert chosen.all()
    assert (still_parts.area(chosen, (height, width)) == 255).all()
    for left in (*range(frames, -1, -1), 0):
        cells = still_parts.Changes(cells, other).after(chosen, frames)
        assert (cells[..., 3] == left).all()
        assert (cells[..., :3] == level + 5).all()


def test_what_moves_is_dreamed_although_its_colour_stays():
    pixels = np.full((160, 160, 3), 100, np.uint8)
    offsets = np.zeros((160, 160, 2), np.float32)
    offsets[:16, :16] = 1
    flow = Flow(offsets, np.ones((160, 160), np.float32))
    chosen = still_parts.Changes(still_parts.settled(pixels), pixels).to_dream(flow)
    assert chosen[:2, :2].all()
    assert not chosen[8:].any()


def test_where_most_of_a_frame_changes_all_of_it_is_dreamed():
    pixels = np.full((160, 160, 3), 100, np.uint8)
    other = pixels.copy()
    other[:120] = 200
    assert still_parts.Changes(still_parts.settled(pixels), other).to_dream(None).all()

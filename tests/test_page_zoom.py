"""The endless zoom of the page: as Python's in each frame, and without drift over many."""

from __future__ import annotations

import json

import numpy as np
import pytest
from chromium import canvas_pixels, choose, note_steps, wait_until_idle

import browser
from dreamkit.jobs import zoom
from dreamkit.media import color_match

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]


def test_a_frame_is_that_of_python(tmp_path):
    browser.skip_without_node()
    pytest.importorskip("cv2")
    draw = np.random.default_rng(5)
    picture = draw.integers(0, 256, (37, 52, 3), np.uint8)
    moved = zoom.moved_into(picture, zoom.ZoomOptions(zoom=1.03))
    moments = color_match.measure(draw.integers(30, 200, (20, 20, 3), np.uint8))
    folder = tmp_path / "zoom"
    folder.mkdir()
    frames = {"picture": picture, "moved": moved, "matched": color_match.match(moved, moments)}
    for name, values in frames.items():
        (folder / f"{name}.f32").write_bytes(values.astype("<f4").tobytes())
    case = {
        "height": 37,
        "width": 52,
        "factor": 1.03,
        "moments": {
            "mean": list(moments.mean),
            "contrast": moments.contrast,
            "saturation": moments.saturation,
        },
    }
    (folder / "case.json").write_text(json.dumps(case))
    browser.npm("test", "--", "zoom", ZOOM_CASE=str(folder))


def test_nothing_drifts_through_many_frames(page):
    page.select_option("#model", "tiny")
    wait_until_idle(page)
    choose(page, longest=192)
    page.fill("#option-step_size", "0.06")
    before = color_match.measure(canvas_pixels(page)[..., :3])
    note_steps(page)
    page.click("#zoom")
    page.wait_for_function("() => window.noted.length >= 40")
    assert "a frame of 4 steps" in page.text_content("#steps")  # a turn of several steps is no step
    page.click("#zoom")
    wait_until_idle(page, 1)
    after = color_match.measure(canvas_pixels(page)[..., :3])
    np.testing.assert_allclose(after.mean, before.mean, atol=2)
    assert after.contrast == pytest.approx(before.contrast, rel=0.05)
    assert after.saturation == pytest.approx(before.saturation, rel=0.1)

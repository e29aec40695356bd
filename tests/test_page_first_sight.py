"""What the page shows before the user does anything: a dream that grows on a sample photograph."""

from __future__ import annotations

import numpy as np
import pytest
from chromium import canvas_pixels, choose, wait_until_idle

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

STATE = "document.querySelector('#sight').dataset.state"
SESSIONS = """async () => {
    const [{ name }] = await indexedDB.databases();
    const request = indexedDB.open(name);
    await new Promise((resolve) => (request.onsuccess = resolve));
    const count = request.result.transaction("sessions").objectStore("sessions").count();
    await new Promise((resolve) => (count.onsuccess = resolve));
    request.result.close();
    return count.result;
}"""
# Counts what is drawn on the canvas of the first sight.
COUNT = """
    window.drawn = 0;
    for (const method of ["putImageData", "drawImage"]) {
        const draw = CanvasRenderingContext2D.prototype[method];
        CanvasRenderingContext2D.prototype[method] = function (...values) {
            if (this.canvas.id === "sight") window.drawn++;
            return draw.apply(this, values);
        };
    }
"""


def test_a_dream_grows_before_anything_is_clicked_and_nothing_of_it_stays(page):
    page.wait_for_function(f"() => {STATE} === 'growing'")
    first = canvas_pixels(page, "#sight")
    page.wait_for_function(f"() => {STATE} === 'dreamed'")
    assert (canvas_pixels(page, "#sight") != first).any()
    assert page.get_attribute("body", "data-dreams") == "0"
    assert page.evaluate(SESSIONS) == 0
    page.click("#layers button[data-term='mixed3b']")  # the sample shows what a layer does
    page.wait_for_function(f"() => {STATE} === 'growing'")
    choose(page, longest=192)
    assert page.evaluate(f"() => {STATE}") == "stopped"
    assert page.is_hidden("#sight")
    page.click("#dream")
    wait_until_idle(page, 1)
    page.click("#forget")
    page.wait_for_function(f"() => {STATE} === 'growing'")
    assert page.evaluate(SESSIONS) == 0


def test_without_motion_only_a_finished_dream_is_shown(open_page, browser):
    context = browser.new_context(reduced_motion="reduce")
    context.add_init_script(COUNT)
    page = open_page(context=context)
    page.wait_for_function(f"() => {STATE} === 'dreamed'")
    assert page.evaluate("() => window.drawn") == 2  # the photograph and its dream
    assert page.is_hidden("#pause")
    page.close()
    context.close()


def test_the_first_sight_is_paused_and_a_sample_opened(page):
    page.evaluate("() => document.querySelector('#pause').click()")  # it hides when the samples are over
    assert page.evaluate(f"() => {STATE}") == "stopped"
    still = canvas_pixels(page, "#sight")
    page.wait_for_selector("#layers button[data-thumbnail='drawn']")  # the worker is free for other things
    np.testing.assert_array_equal(canvas_pixels(page, "#sight"), still)
    page.click("[data-sample='coffee']")
    page.wait_for_function("() => !document.querySelector('#dream').disabled")
    assert page.text_content("#status") == "coffee.webp, 384 x 256 pixels"
    assert page.evaluate("() => [picture.width, picture.height]") == [384, 256]

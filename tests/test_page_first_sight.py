"""What the page shows before the user does anything: a dream that grows on a sample photograph."""

from __future__ import annotations

import numpy as np
import pytest
from chromium import canvas_pixels, choose, forget, wait_until_idle

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
# Notes each picture and each state of the first sight.
NOTE = """
    window.pictures = [];
    window.states = [];
    for (const method of ["putImageData", "drawImage"]) {
        const draw = CanvasRenderingContext2D.prototype[method];
        CanvasRenderingContext2D.prototype[method] = function (...values) {
            draw.apply(this, values);
            if (this.canvas.id === "sight") window.pictures.push(this.canvas.toDataURL());
        };
    }
    document.addEventListener("DOMContentLoaded", () => {
        const { dataset } = document.querySelector("#sight");
        new MutationObserver(() => window.states.push(dataset.state))
            .observe(document.querySelector("#sight"), { attributeFilter: ["data-state"] });
    });
"""


def open_noted(open_page, browser, **options):
    context = browser.new_context(**options)
    context.add_init_script(NOTE)
    return open_page(context=context)


def wait_until_dreamed(page):
    page.wait_for_function("() => window.states.includes('dreamed')")


def close(page):
    page.close()
    page.context.close()


def test_a_dream_grows_before_anything_is_clicked_and_nothing_of_it_stays(open_page, browser):
    page = open_noted(open_page, browser)
    wait_until_dreamed(page)
    assert page.evaluate("() => new Set(window.pictures).size") > 2
    assert page.get_attribute("body", "data-dreams") == "0"
    assert page.evaluate(SESSIONS) == 0
    page.evaluate("() => { window.states = []; }")
    page.click("#layers button[data-term='mixed3b']")  # the sample shows what a layer does
    page.wait_for_function("() => window.states.join().includes('stopped,growing')")
    choose(page, longest=192)
    assert page.evaluate(f"() => {STATE}") == "stopped"
    assert page.is_hidden("#sight")
    page.click("#dream")
    wait_until_idle(page, 1)
    page.evaluate("() => { window.states = []; }")
    forget(page)
    page.wait_for_function("() => window.states.includes('growing')")
    assert page.evaluate(SESSIONS) == 0
    close(page)


@pytest.mark.long
def test_without_motion_only_a_finished_dream_is_shown(open_page, browser):
    page = open_noted(open_page, browser, reduced_motion="reduce")
    wait_until_dreamed(page)
    assert page.evaluate("() => window.pictures.length") == 2  # the photograph and its dream
    assert page.is_hidden("#pause")
    close(page)


def test_thumbnails_are_drawn_while_a_sample_grows(open_page, browser):
    page = open_noted(open_page, browser)
    page.fill("#option-steps", "5000")
    page.evaluate("() => { window.states = []; }")
    page.locator("#option-steps").blur()
    page.wait_for_function("() => window.states.includes('growing')")
    page.click("#channel-section summary")
    page.wait_for_selector("#channels button[data-thumbnail='drawn']")
    assert page.evaluate(f"() => {STATE}") == "growing"
    close(page)


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

"""The palette of the brush, in a real browser."""

from __future__ import annotations

import pytest
from chromium import choose, stroke, wait_for_text, wait_until_idle
from test_page_access import NARROW, WIDE, use_tiny_network, violations

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]


def in_sight(page, selector):
    """Whether an element is in the window, and nothing lies over its middle."""
    return page.evaluate(
        """selector => {
            const box = document.querySelector(selector).getBoundingClientRect();
            const found = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            return Boolean(found?.closest(selector));
        }""",
        selector,
    )


@pytest.mark.parametrize("size", [pytest.param(WIDE, marks=pytest.mark.long), NARROW])
def test_the_concepts_are_at_hand_while_the_brush_is_on(open_page, size):
    page = open_page(*size, has_touch=True)
    choose(page, longest=192)
    page.tap("#brush")
    wait_for_text(page, "#status", "Choose what grows, and paint it on the picture")
    dogs = '#palette button[data-term="concept dogs"]'
    assert in_sight(page, dogs)
    assert in_sight(page, "#frame")
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= size[0]
    page.tap(dogs)
    page.wait_for_selector(dogs + "[aria-pressed=true]")
    stroke(page, (0.4, 0.5), (0.6, 0.5))
    wait_until_idle(page, 1)
    assert page.text_content("#status") == "Painted dogs"
    page.tap("#brush")
    page.wait_for_selector("#palette", state="hidden")
    order = page.evaluate(
        "() => [...document.querySelectorAll('#recipe-section, #concept-section, #layer-section')]"
        ".map(each => each.id)"
    )
    assert order == ["recipe-section", "concept-section", "layer-section"]


def test_a_key_puts_the_brush_down_and_keeps_the_focus(page):
    choose(page, longest=192)
    page.click("#brush")
    page.focus('#palette button[data-term="concept cats"]')
    page.keyboard.press("Enter")
    assert page.get_attribute('#palette button[data-term="concept cats"]', "aria-pressed") == "true"
    assert page.text_content("#terms") == "Dreams the default recipe"  # which the brush does not change
    page.keyboard.press("b")
    assert page.evaluate("() => document.activeElement.dataset.term") == "concept cats"
    assert page.is_hidden("#palette")


def test_a_network_without_concepts_has_its_layers_at_hand(page):
    use_tiny_network(page)
    choose(page, longest=192)
    page.click("#brush")
    assert page.is_visible('#palette button[data-term="first"]')
    page.select_option("#model", "pocket")
    wait_until_idle(page)
    assert page.is_visible('#palette button[data-term="concept dogs"]')
    assert page.is_hidden('#palette button[data-term="mixed4c"]')

"""A marketer who writes no JSON sets up experiments, on a phone and without a script."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESK, PHONE, flaws, is_wider_than_its_window

KINDS = ("greeting", "text", "question_order", "options", "calls_to_action", "points", "workflow")


def test_every_kind_has_a_form_that_fits_a_phone(build: Any) -> None:
    house = build()
    page = house.enter("Mark", "marketer", PHONE, color_scheme="dark")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    for kind in KINDS:
        page.goto(f"/console/experiments/new?kind={kind}")
        for one in page.locator("details").all():
            one.evaluate("details => { details.open = true }")
        assert flaws(page) == [], kind
        assert not is_wider_than_its_window(page), kind
    assert said == []


@pytest.mark.parametrize("javascript", [True, False])
def test_options_are_tried_on_some_visitors(build: Any, javascript: bool) -> None:
    house = build()
    page = house.enter("Mark", "marketer", DESK, javascript=javascript)

    page.goto("/console/experiments")
    page.get_by_role("link", name="New experiment").click()
    page.get_by_role("link", name="The options of a question").click()
    page.get_by_label("Which question").select_option(label="How many people work with you?")
    page.get_by_role("button", name="Choose").click()
    expect(page.get_by_text("Just me, 2–5, 6–20, 21–50, 50+")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("fewer sizes")
    page.locator("#f-says_B").fill("Just me\n2–20\nMore")
    page.get_by_label("Line 1: what is known").select_option("device")
    page.get_by_label("Line 1: value").fill("mobile")
    page.get_by_role("button", name="Keep the draft").click()

    expect(page.get_by_text("For visitors whose device is one of mobile.")).to_be_visible()
    expect(page.get_by_text("Just me, 2–20, More")).to_be_visible()
    if javascript:
        assert flaws(page) == []
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Nobody has seen this experiment yet.")).to_be_visible()

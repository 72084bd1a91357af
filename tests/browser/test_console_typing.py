"""A marketer types in the workflow editor: preview and sentences follow before it is saved."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from engine.workflow_edits import remove_test
from tests.browser.conftest import DESK, PHONE, flaws, is_wider_than_its_window

QUESTION = "/console/workflow/drafts/1/questions/4"


def _draft(house: Any) -> None:
    with house.office.unit() as services:
        number = services.workflow_drafts.begin(1, actor="mark@example.com")
        # Experiments of the file would show each visitor something else.
        for name in ("greeting_message", "question_flow"):
            draft = services.workflow_drafts.get(number)
            services.workflow_drafts.change(
                number, remove_test(name), revision=draft.revision, actor="mark@example.com"
            )


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESK, "light")])
def test_what_is_typed_is_seen_and_judged_at_once(
    build: Any, size: dict[str, int], scheme: str
) -> None:
    house = build()
    _draft(house)
    page = house.enter("Mark", "marketer", size, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    page.goto("/console/workflow/drafts/1/beginning")
    frame = page.frame_locator("iframe")
    page.get_by_label("First words").fill("Namaste! What brings you here?")
    page.locator("iframe").scroll_into_view_if_needed()
    expect(frame.get_by_text("Namaste! What brings you here?")).to_be_visible()
    expect(page.get_by_text("Not saved yet")).to_be_visible()

    # The talk goes on where it was while its words change.
    page.once("dialog", lambda dialog: dialog.accept())
    page.goto("/console/workflow/drafts/1/questions/1")
    page.locator("iframe").scroll_into_view_if_needed()
    frame.get_by_role("button", name="Yes, go ahead").click()
    frame.get_by_role("button", name="I agree").click()
    expect(frame.get_by_role("button", name="Restaurant")).to_be_visible()
    field = page.get_by_label("Option 1", exact=True)
    field.click()
    page.keyboard.press("End")
    page.keyboard.type(" or café")
    page.locator("iframe").scroll_into_view_if_needed()
    expect(frame.get_by_role("button", name="Restaurant or café")).to_be_visible()
    page.keyboard.type(", too")
    page.locator("iframe").scroll_into_view_if_needed()
    expect(frame.get_by_role("button", name="Restaurant or café, too")).to_be_visible()
    expect(field).to_have_value("Restaurant or café, too")

    field.fill("Retail Store")
    expect(page.get_by_text("give each its own").last).to_be_visible()
    expect(page.locator("[data-to-mend]")).to_contain_text("to mend")
    expect(page.get_by_text("It follows again as soon as")).to_be_visible()
    assert flaws(page) == []
    field.fill("Café")
    expect(page.get_by_text("It follows again as soon as")).to_be_hidden()
    page.locator("iframe").scroll_into_view_if_needed()
    expect(frame.get_by_role("button", name="Café")).to_be_visible()
    assert not is_wider_than_its_window(page)
    assert said == []


@pytest.mark.parametrize("javascript", [True, False])
def test_conditions_within_conditions_are_set_in_rows(build: Any, javascript: bool) -> None:
    house = build()
    _draft(house)
    page = house.enter("Mark", "marketer", DESK, javascript=javascript)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    page.goto(QUESTION)
    page.get_by_label("Ask this question").select_option("any")
    page.get_by_label("Condition 1: what").select_option("answer:location")
    page.get_by_label("Condition 1: comparison").select_option("contains")
    page.get_by_label("Condition 1: value").fill("Pune")
    page.get_by_role("button", name="One more group", exact=True).click()
    page.get_by_label("Group 2: true when").select_option("all")
    page.get_by_label("Condition 2.1: what").select_option("answer:business_type")
    page.get_by_label("Condition 2.1: value").fill("Restaurant")
    page.get_by_label("Condition 2.2: what").select_option("score")
    page.get_by_label("Condition 2.2: comparison").select_option("gte")
    page.get_by_label("Condition 2.2: value").fill("many")
    if javascript:
        expect(page.locator("[data-said=if-1_1]")).to_contain_text("points are compared")
        assert flaws(page) == []
    page.get_by_label("Condition 2.2: value").fill("20")
    page.get_by_role("button", name="One more condition in group 2").click()
    expect(page.get_by_label("Condition 2.3: what")).to_be_focused()
    page.get_by_role("button", name="Remove condition 2.3").click()
    expect(page.get_by_label("Condition 2.3: what")).to_have_count(0)
    # Return in a field saves; it presses no row's button.
    page.get_by_label("Condition 1: value").press("Enter")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()

    expect(page.get_by_label("Condition 2.2: value")).to_have_value("20")
    page.goto("/console/workflow/drafts/1/questions")
    expect(page.get_by_text("Only if")).to_be_visible()
    assert not is_wider_than_its_window(page)
    assert said == []

"""A marketer changes the workflow: looks at it, tries it on the past, publishes, goes back."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESK, PHONE, flaws, is_wider_than_its_window
from tests.console.office import Office

FIRST = "What type of business do you run?"


def _visitors(office: Office) -> None:
    """Somebody who asked for a demo, and experiments out of the way of who looks."""
    client = office.app.test_client()
    talk = office.start()
    client.post("/api/behavior", json={"session_id": talk["session_id"], "action": "clicked_demo"})


def _is_well(page: Page) -> None:
    assert flaws(page) == []
    assert not is_wider_than_its_window(page)


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESK, "dark")])
def test_a_marketer_changes_an_option_sees_it_tries_it_publishes_and_restores(
    build: Any, size: dict[str, int], scheme: str
) -> None:
    house = build()
    _visitors(house.office)
    page = house.enter("Mark", "marketer", size, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    page.goto("/console/workflow")
    _is_well(page)
    page.get_by_role("button", name="Change it").click()
    parts = page.get_by_role("navigation", name="Parts of the draft")
    parts.get_by_role("link", name="Questions", exact=True).click()
    # Experiments of the file would show each visitor something else.
    for _ in range(2):
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Take out").first.click()
        expect(page.get_by_text("The experiment is gone")).to_be_visible()
    _is_well(page)
    page.get_by_role("link", name=FIRST).click()
    page.get_by_label("Option 1", exact=True).fill("Café")
    page.get_by_role("button", name="One more option").click()
    page.keyboard.type("Hotel")
    expect(page.get_by_text("Not saved yet")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Option 6", exact=True)).to_have_value("Hotel")
    _is_well(page)

    # The real widget, on the draft.
    frame = page.frame_locator("iframe")
    page.locator("iframe").scroll_into_view_if_needed()
    frame.get_by_role("button", name="Yes, go ahead").click()
    frame.get_by_role("button", name="I agree").click()
    frame.get_by_role("button", name="Café").click()
    expect(frame.get_by_text("Where is your business located?")).to_be_visible()
    expect(frame.get_by_text("points so far")).not_to_have_text("0 points so far")
    page.get_by_label("Language", exact=True).select_option("hi")
    expect(frame.get_by_text("स्वागत")).to_be_visible()

    parts.get_by_role("link", name="Points").click()
    page.get_by_label("Asked for a demo").fill("60")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    parts.get_by_role("link", name="Try on the past").click()
    expect(page.get_by_role("heading", name="1 of 1 would be classed otherwise")).to_be_visible()
    expect(page.get_by_text("Asked for a demo: 15 → 60 points")).to_be_visible()
    _is_well(page)

    parts.get_by_role("link", name="Publish").click()
    expect(page.get_by_text("option “Restaurant” is now “Café”")).to_be_visible()
    _is_well(page)
    page.get_by_label("Why this change").fill("Cafés come, restaurants do not.")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 2 is in force.")).to_be_visible()
    assert _first_question(house) == ["Café", "Retail Store"]

    page.get_by_role("link", name="Version 1", exact=True).click()
    page.get_by_label("Why").fill("They do come.")
    page.get_by_role("button", name="Put in force again").click()
    expect(page.get_by_text("Version 1 is in force again")).to_be_visible()
    _is_well(page)
    assert _first_question(house)[0] == "Restaurant"
    assert said == []


def _first_question(house: Any) -> list[str]:
    """What a visitor of the real chat may choose from."""
    talk = house.office.start(leadline_force="question_flow:A")
    options: list[str] = [one["value"] for one in talk["first_question"]["choices"]]
    return options[:2]

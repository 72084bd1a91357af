"""The board in real browsers: moved by mouse, by key and by form, seen by who else looks at it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from models import Lead
from tests.browser.conftest import DESK, PHONE, flaws, is_wider_than_its_window


def lane(page: Page, stage: str) -> Any:
    """One stage of the board."""
    return page.locator(f'.lane[data-stage="{stage}"]')


def drag(page: Page, stage: str) -> None:
    """The one card of a board is taken by its edge and let go over a stage, as a hand does it."""
    card = page.locator(".deal").bounding_box()
    place = lane(page, stage).locator("[data-cards]").bounding_box()
    assert card and place
    page.mouse.move(card["x"] + 4, card["y"] + 4)
    page.mouse.down()
    page.mouse.move(card["x"] + 12, card["y"] + 12, steps=3)
    page.mouse.move(place["x"] + 60, place["y"] + 20, steps=8)
    page.mouse.up()


def stage_of(house: Any, lead: int) -> Any:
    """Where a lead stands in the database, its outcome and its value."""
    found = select(Lead.stage, Lead.outcome, Lead.outcome_value).where(Lead.id == lead)
    return house.office.ask(lambda services: tuple(services.session.execute(found).one()))


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_board_is_accessible_and_no_wider_than_its_window(
    build: Any, size: dict[str, int], scheme: str
) -> None:
    house = build()
    lead = house.office.enter_lead(name="Lena Lead", company="Acme")
    page = house.enter("Alice", "admin", size, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))

    page.goto("/console/board")
    page.get_by_label("Move Lena Lead to a stage").click()
    page.get_by_text("What the figures and marks mean").click()

    assert flaws(page) == [] and not is_wider_than_its_window(page)
    page.goto("/console/board/stages")
    assert flaws(page) == [] and not is_wider_than_its_window(page)
    assert said == [] and lead


def test_two_people_on_one_board_see_each_other_and_nobody_overwrites(build: Any) -> None:
    house = build(REALTIME_UPDATES_INTERVAL=1)
    lead = house.office.enter_lead(name="Lena Lead")
    sam, sue = house.enter("Sam", "sales"), house.enter("Sue", "sales")
    sam.goto("/console/board")
    sue.goto("/console/board")

    # By mouse; the other window shows it by itself.
    drag(sam, "Meeting")
    expect(sam.locator(".toast")).to_contain_text("Lena Lead: Uncontacted → Meeting.")
    expect(lane(sue, "Meeting").locator(".deal")).to_have_count(1)
    assert stage_of(house, lead)[0] == "Meeting"

    # Sue does not hear of the next move before she makes hers: her card goes back.
    sue.route("**/board/lanes*", lambda route: route.abort())
    sam.locator(".grip").focus()
    sam.keyboard.press("ArrowRight")
    expect(sam.locator("#board-says")).to_have_text("Lena Lead is now in Negotiation.")
    expect(sam.locator(".grip")).to_be_focused()
    drag(sue, "Contacted")

    expect(sue.locator(".toast.bad")).to_contain_text("moved this lead to Negotiation")
    expect(lane(sue, "Meeting").locator(".deal")).to_have_count(1)
    assert stage_of(house, lead)[0] == "Negotiation"
    sue.unroute_all()
    expect(lane(sue, "Negotiation").locator(".deal")).to_have_count(1)


def test_a_deal_is_asked_what_it_is_worth_and_can_be_left_where_it_was(build: Any) -> None:
    house = build()
    lead = house.office.enter_lead(name="Lena Lead", stage="Negotiation")
    page = house.enter("Sam", "sales", PHONE)
    page.goto("/console/board")
    grip = page.locator(".grip")

    grip.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Leave it where it was").click()
    expect(lane(page, "Negotiation").locator(".deal")).to_have_count(1)
    assert stage_of(house, lead)[1] is None

    page.locator(".grip").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("dialog").is_visible() and flaws(page) == []
    page.get_by_label("Value (optional)").fill("2500")
    page.keyboard.press("Enter")
    expect(page.locator(".toast").last).to_contain_text("Negotiation → Deal")
    assert stage_of(house, lead) == ("Deal", "won", 2500.0)

    page.get_by_role("button", name="Undo").click()
    expect(lane(page, "Negotiation").locator(".deal")).to_have_count(1)
    assert stage_of(house, lead) == ("Negotiation", None, None)


def test_without_a_script_a_form_moves_a_card(build: Any) -> None:
    house = build()
    lead = house.office.enter_lead(name="Lena Lead")
    page = house.enter("Sam", "sales", PHONE, javascript=False)
    page.goto("/console/board")

    page.get_by_label("Move Lena Lead to a stage").click()
    page.locator("[name=to]").select_option("Deal")
    page.get_by_label("Value, if it ends").fill("99")
    page.locator(".move form button").click()

    expect(page.locator(".toast")).to_contain_text("Lena Lead: Uncontacted → Deal.")
    assert stage_of(house, lead) == ("Deal", "won", 99.0)

"""A rep on a phone: from what to do now to a logged call and on; on a desk, by keys."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESK, PHONE, flaws, is_wider_than_its_window
from tests.browser.hostile import TEXTS
from tests.console.visitors import ANSWERS, NINA, talk


def listened(page: Page) -> list[str]:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def test_on_a_phone_a_rep_works_from_now_through_a_call_to_the_next_lead(build: Any) -> None:
    house = build()
    first, second = talk(house.office), talk(house.office, profile={**NINA, "name": "Omar Next"})
    page = house.enter("Sam", "sales", PHONE)
    said = listened(page)

    page.goto("/console/now")
    expect(page.get_by_role("listitem").filter(has_text="min left").first).to_be_visible()
    assert flaws(page) == [] and not is_wider_than_its_window(page)
    page.get_by_role("link", name="Open Nina Kapoor").click()

    expect(page.get_by_role("heading", name="Nina Kapoor")).to_be_visible()
    assert flaws(page) == [] and not is_wider_than_its_window(page)
    page.get_by_label("What came of it").select_option("reached")
    page.get_by_label("Minutes").fill("3")
    page.get_by_role("button", name="Log it").click()
    expect(page.get_by_text("What that changed")).to_be_visible()
    expect(page.locator("#changed")).to_contain_text(re.compile(r"→"))
    page.locator("#changed").get_by_role("link", name="Next in the queue").click()

    expect(page.get_by_role("heading", name="Omar Next")).to_be_visible()
    assert page.url.endswith(f"/leads/{second}?from=now")
    page.get_by_role("link", name="Now", exact=True).first.click()
    page.get_by_role("button", name="No answer from Omar Next").click()
    expect(page.get_by_text("Done for now")).to_be_visible()
    assert flaws(page) == []
    assert said == [], first


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_desk_the_keys_go_through_the_queue(build: Any, scheme: str) -> None:
    house = build()
    talk(house.office), talk(house.office, answers=ANSWERS[:4], demo=False)
    page = house.enter("Alice", "admin", DESK, color_scheme=scheme)
    said = listened(page)
    page.goto("/console/now")
    expect(page.locator("[data-row]")).to_have_count(2)

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("[data-row] .name").first).to_be_focused()
    assert flaws(page) == []
    page.keyboard.press("Enter")

    expect(page.locator(".chart canvas, h1").first).to_be_visible()
    page.get_by_role("link", name="Score", exact=True).click()
    expect(page.locator("#history")).not_to_contain_text("Opened the chat")
    assert flaws(page) == []
    assert said == []


def test_a_queue_works_without_scripts(build: Any) -> None:
    house = build()
    lead = talk(house.office)
    page = house.enter("Sam", "sales", PHONE, javascript=False)

    page.goto("/console/now")
    page.get_by_role("button", name="Called Nina Kapoor").click()

    expect(page.get_by_text("Done for now")).to_be_visible()
    page.goto(f"/console/leads/{lead}")
    page.get_by_label("Turn to it again").fill("2030-01-02T10:00")
    page.get_by_role("button", name="Set a follow-up").click()
    expect(page.get_by_text("2 Jan 2030, 10:00").first).to_be_visible()


def test_no_hostile_text_runs_on_a_leads_page_or_in_the_queue(build: Any) -> None:
    house = build()
    texts = list(TEXTS)
    profile = {
        "name": texts[0],
        "company": texts[1],
        **{f"extra {n}": t for n, t in enumerate(texts[2:45])},
    }
    lead = talk(house.office, answers=((2, texts[-1]), *ANSWERS), profile=profile)
    page = house.enter("Alice", "admin", DESK)
    page.add_init_script("window.hits = 0")
    said = listened(page)

    for path in (f"/console/leads/{lead}", "/console/now"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.hits") == 0, path
    assert said == []

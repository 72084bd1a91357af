"""The list of leads in a real browser: found, ticked, moved, taken back; on a phone and a desk."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import DESK, PHONE, flaws, is_wider_than_its_window
from tests.browser.hostile import TEXTS


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_rep_finds_ticks_moves_and_takes_back(build: Any, size: dict[str, int]) -> None:
    house = build()
    for number in range(3):
        house.office.enter_lead(name=f"Lena {number}", email="lena@example.com", company="Keller")
    house.office.enter_lead(name=TEXTS[2], company=TEXTS[8], campaign=TEXTS[5])
    page = house.enter("Sam", "sales", size)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    page.goto("/console/leads")
    page.get_by_role("searchbox").fill("lena")
    page.keyboard.press("Enter")
    page.get_by_text("3 leads, by score").wait_for()
    page.get_by_role("link", name="Filters", exact=True).click()
    page.get_by_label("Stage", exact=True).wait_for()
    assert flaws(page) == [] and not is_wider_than_its_window(page)
    page.get_by_label("Tick Lena 0").check()
    page.get_by_label("Tick Lena 2").check()
    assert page.get_by_text("(2)", exact=True).is_visible()
    bar = page.locator("[data-ticked-bar]")
    assert "2 ticked" in bar.inner_text() and bar.bounding_box()["y"] < size["height"]
    assert flaws(page) == [] and not is_wider_than_its_window(page)
    bar.get_by_role("link").click()
    page.get_by_label("Move to").select_option("Meeting")
    page.get_by_role("button", name="Move").click()
    page.get_by_text("2 leads moved").wait_for()
    assert page.get_by_role("row").filter(has_text="Meeting").count() == 2
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Taken back for 2 of 2").wait_for()
    assert "q=lena" in page.url

    assert page.get_by_role("row").filter(has_text="Meeting").count() == 0
    assert page.evaluate("window.hits") is None
    assert said == []


def test_a_manager_compares_two_leads_and_merges_them_without_scripts(build: Any) -> None:
    house = build()
    first = house.office.enter_lead(name="Lena", email="lena@example.com")
    house.office.enter_lead(name="Lena Keller", email="LENA@example.com")
    page = house.enter("Alice", "admin", PHONE, javascript=False)

    page.goto("/console/leads/duplicates")
    page.get_by_role("link", name="Compare lead").click()
    assert not is_wider_than_its_window(page)
    page.get_by_label(f"Name of lead {first + 1}").check()
    page.get_by_role("button", name="Merge them").click()

    assert page.url.endswith(f"/console/leads/{first}")
    assert page.get_by_role("heading", name="Lena Keller").is_visible()
    page.get_by_role("button", name="Part them").click()
    assert page.get_by_text("They are two leads again").is_visible()

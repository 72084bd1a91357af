"""The dashboards, campaigns and the team in a real browser, on a phone and on a desk."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import DESK, PHONE, flaws, is_wider_than_its_window
from tests.console.office import Office

PATHS = (
    "/console/dashboard",
    "/console/dashboard/funnel",
    "/console/dashboard/sources",
    "/console/dashboard/segments",
    "/console/dashboard/team",
    "/console/team",
    "/console/campaigns",
)


def _open_shop(ours: Office) -> None:
    for name in ("Sam", "Sue"):
        ours.hire(name, "sales")
    for number in range(8):
        session = ours.start(utm_source=("google", "a" * 60)[number % 2])["session_id"]
        body = {"session_id": session, "question_id": 1, "answer_text": "Restaurant"}
        if number % 3:
            ours.app.test_client().post("/api/answer", json=body)
    ours.enter_lead(assigned_to="sam@example.com", campaign="Spring")


@pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["phone", "desk"]
)
def test_a_manager_reads_figures_and_makes_a_campaign(
    build: Any, size: dict[str, int], scheme: str
) -> None:
    house = build()
    _open_shop(house.office)
    page = house.enter("Alice", "admin", size, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))

    for path in PATHS:
        page.goto(path)
        if path == PATHS[0]:
            page.locator(".chart canvas").nth(1).wait_for()
            page.get_by_text("What is counted").nth(1).click()
            assert page.get_by_text("Sessions classed SQL").first.is_visible()
        assert flaws(page) == [], path
        assert not is_wider_than_its_window(page), path

    page.get_by_role("link", name="Make it a campaign").click()
    page.get_by_label("Goal").fill("20")
    page.get_by_label("Sam").fill("2")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("1 of 20 leads").wait_for()
    assert flaws(page) == [] and not is_wider_than_its_window(page)
    assert said == []


def test_days_of_ones_own_are_asked_for_only_where_they_count(build: Any) -> None:
    page = build().enter("Vera", "viewer", PHONE)

    page.goto("/console/dashboard/funnel")
    page.locator("[data-module=range][data-started]").wait_for()
    assert not page.get_by_label("From").is_visible()
    page.get_by_label("Days").select_option("custom")
    page.get_by_label("From").fill("2026-01-01")
    page.get_by_label("To", exact=True).fill("2026-01-31")
    page.get_by_role("button", name="Show").click()

    page.get_by_text("1 Jan 2026 to 31 Jan 2026 (31 days, UTC)").wait_for()
    assert page.get_by_label("From").is_visible()

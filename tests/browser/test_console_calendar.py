"""The calendar in a real browser: drawn under its policy, dragged, and usable without a script."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from models import FollowUp
from tests.browser.conftest import DESK, PHONE, flaws, is_wider_than_its_window


def tuesday() -> datetime:
    """Ten o'clock of the Tuesday of this week or, at its end, of the next."""
    today = datetime.now(UTC).date()
    day = today - timedelta(days=today.weekday() - 1)
    return datetime.combine(day, time(10), tzinfo=UTC)


def follow_up(house: Any, at: datetime) -> tuple[int, int]:
    """A lead of Sam's, and the id of its follow-up."""
    lead = house.office.enter_lead(name="Lena Lead", assigned_to="sam@example.com")
    with house.office.unit() as services:
        said = services.diary.set_follow_up(lead, at, note="The <offer>", actor="x")
    return lead, int(said["id"])


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_calendar_is_accessible_and_its_own_policy_refuses_nothing(
    build: Any, size: dict[str, int], scheme: str
) -> None:
    house = build()
    lead, number = follow_up(house, tuesday())
    page = house.enter("Sam", "sales", size, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))

    page.goto("/console/calendar")
    expect(page.locator(".fc-event").first).to_contain_text("Lena Lead")

    assert flaws(page) == [] and not is_wider_than_its_window(page)
    for path in (f"/console/calendar/{lead}/{number}", "/console/calendar/new"):
        page.goto(path)
        assert flaws(page) == [] and not is_wider_than_its_window(page), path
    assert said == []


def test_an_entry_late_at_night_is_drawn_too(build: Any) -> None:
    house = build()
    follow_up(house, tuesday().replace(hour=23, minute=30))
    page = house.enter("Sam", "sales", DESK)
    page.goto("/console/calendar")
    page.get_by_role("button", name="Week").click()

    expect(page.locator(".fc-timegrid-event")).to_be_visible()
    expect(page.locator(".fc-timegrid-event")).to_contain_text("23:30")
    expect(page.locator(".fc-toolbar-title")).to_have_text(re.compile(r"^\d"))
    assert flaws(page) == [] and not is_wider_than_its_window(page)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_crowded_day_tells_how_many_there_are_and_opens_whole(
    build: Any, size: dict[str, int]
) -> None:
    house = build()
    lead, _ = follow_up(house, tuesday())
    with house.office.unit() as services:
        for minute in range(1, 40):
            at = tuesday() + timedelta(minutes=minute)
            services.diary.set_follow_up(lead, at, actor="x")
    page = house.enter("Sam", "sales", size)
    page.goto("/console/calendar")

    more = page.locator(".fc-event.is-more")
    expect(more).to_have_text(re.compile(r"\+(36|10) more"))
    assert flaws(page) == [] and not is_wider_than_its_window(page)
    more.get_by_text("more").click()

    expect(page.locator(".fc-listDay-view .fc-event")).to_have_count(40)
    assert flaws(page) == [] and not is_wider_than_its_window(page)


def test_an_entry_is_dragged_to_another_day_and_back_by_undo(build: Any) -> None:
    house = build()
    at = tuesday()
    _, number = follow_up(house, at)
    page = house.enter("Sam", "sales", DESK)
    page.goto("/console/calendar")
    event = page.locator(".fc-event").first.bounding_box()
    friday = page.locator(f'.fc-day[data-date="{at + timedelta(days=3):%Y-%m-%d}"]').bounding_box()
    assert event and friday

    page.mouse.move(event["x"] + 8, event["y"] + 8)
    page.mouse.down()
    page.mouse.move(event["x"] + 20, event["y"] + 12, steps=4)
    page.mouse.move(friday["x"] + 40, friday["y"] + 20, steps=8)
    page.mouse.up()

    expect(page.locator(".toast")).to_contain_text("Moved to")
    due = select(FollowUp.due_at).where(FollowUp.id == number)
    now = house.office.ask(lambda services: services.session.scalar(due))
    assert now == at + timedelta(days=3)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Follow-up: Lena Lead")).to_be_visible()
    assert house.office.ask(lambda services: services.session.scalar(due)) == at


def test_without_a_script_a_follow_up_is_set_moved_and_done(build: Any) -> None:
    house = build()
    house.office.enter_lead(name="Lena Lead", assigned_to="sam@example.com")
    page = house.enter("Sam", "sales", PHONE, javascript=False)
    page.goto("/console/calendar")

    page.get_by_role("link", name="New follow-up").first.click()
    page.get_by_label("Lena Lead").check()
    page.get_by_label("Note (optional)").fill("Bring <cake>")
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_text("Bring <cake>")).to_be_visible()
    soon = datetime.now(UTC) + timedelta(days=3)
    page.get_by_label("When").fill(f"{soon:%Y-%m-%dT%H:%M}")
    page.get_by_role("button", name="Move", exact=True).click()
    page.get_by_role("link", name="Calendar", exact=True).last.click()
    page.get_by_role("button", name="Done: Lena Lead").click()

    expect(page.get_by_text("Nothing is planned")).to_be_visible()

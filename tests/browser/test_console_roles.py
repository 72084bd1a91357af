"""One day of each role, from the door to the door, on a phone and on a desk.

Every page they come to is looked at by axe, may say nothing on the browser's console, and must not
be wider than its window.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.walk import PASSWORD, Walk
from tests.console.visitors import ANSWERS, talk

BOTH = pytest.mark.parametrize("is_phone", [True, False], ids=["phone", "desk"])
TABLE = "Who;Mail;Seats;Result\nAna Ünal;ana@example.com;12;yes\nBo;not an address;3;no\n"
# What even who only looks on may press: it changes nothing but what is theirs alone.
OWN = re.compile(
    r"/console/(sign-out|profile\b.*|leads/views\b.*|workflow/drafts/\d+/preview/talk)"
)
# Every page that whoever looks on finds by the navigation, and those that stand behind it.
READ = (
    *("now", "leads", "leads?filters=1", "board", "calendar", "dashboard", "dashboard/funnel"),
    *("dashboard/sources", "dashboard/segments", "dashboard/team", "campaigns", "campaigns/1"),
    *("team", "workflow", "workflow/versions/1", "experiments", "experiments/greeting_message"),
    *("models", "leads/views", "leads/1", "profile"),
)


@pytest.fixture
def house(build: Any) -> Iterator[Any]:
    """A small shop: a hot lead, a cold one, one of Sam's, a campaign."""
    found = build()
    talk(found.office)
    talk(found.office, answers=ANSWERS[:2], profile={"name": "Omar Next"}, demo=False)
    found.office.enter_lead(
        name="Lena Lead", email="lena@example.com", assigned_to="sam@example.com", campaign="Spring"
    )
    yield found


@BOTH
def test_a_rep_works_a_lead_from_the_queue_to_the_deal(
    house: Any, visit: Any, is_phone: bool
) -> None:
    walk = Walk(house, visit, is_phone=is_phone)
    walk.sign_in("Sam", "sales")
    page = walk.page
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
    walk.look()
    call = page.get_by_role("link", name="Call Nina Kapoor")
    expect(call).to_have_attribute("href", re.compile(r"tel:(%2B|\+)919123456789"))
    walk.follow("Open Nina Kapoor")
    walk.look()

    page.get_by_label("What came of it").select_option("reached")
    page.get_by_label("Minutes").fill("4")
    page.get_by_label(re.compile("^Note")).fill("Wants an offer")
    walk.press("Log it")
    expect(page.locator("#changed")).to_contain_text("→")
    walk.look()
    page.get_by_label("What for").fill("Send the offer")
    walk.press("Set a follow-up")
    walk.told("Send the offer")
    walk.press("1 day")
    walk.told("It rests until")
    walk.look()

    walk.to("Board")
    lane = page.locator('.lane[data-stage="Contacted"]')
    page.get_by_label(re.compile("Move Nina Kapoor, now in")).focus()
    page.keyboard.press("ArrowRight")
    expect(lane.locator(".deal")).to_have_count(1)
    expect(page.locator(".toast")).to_contain_text("Contacted")

    walk.to("Calendar")
    walk.told("Nina Kapoor")
    walk.follow("Nina Kapoor")
    walk.look()
    walk.follow("Open the lead")
    page.get_by_label("Value").fill("1200")
    walk.press("Deal")
    walk.told(re.compile(r"Deal, worth 1.?200"))
    walk.look()
    walk.sign_out()


@BOTH
def test_a_marketer_reads_the_funnel_changes_the_bot_and_tries_a_greeting(
    house: Any, visit: Any, is_phone: bool
) -> None:
    walk = Walk(house, visit, is_phone=is_phone)
    walk.sign_in("Mark", "marketer")
    page = walk.page
    walk.to("Dashboard")
    walk.follow("Funnel")
    walk.told("What type of business do you run?")
    walk.look()
    walk.follow("Sources")
    walk.told("Sources by measures")
    walk.look()

    walk.to("Workflow")
    walk.press("Change it")
    parts = page.get_by_role("navigation", name="Parts of the draft")
    parts.get_by_role("link", name="Points").click()
    page.get_by_label("Asked for a demo").fill("60")
    walk.press("Save")
    walk.told("Saved.")
    walk.look()
    frame = page.frame_locator("iframe")
    page.locator("iframe").scroll_into_view_if_needed()
    expect(frame.get_by_role("button", name="Yes, go ahead")).to_be_visible()
    parts.get_by_role("link", name="Try on the past").click()
    walk.told("would be classed otherwise")
    walk.look()
    parts.get_by_role("link", name="Publish").click()
    walk.told("What would change")
    walk.look()
    page.get_by_label("Why this change").fill("A demo says more than a click.")
    walk.press("Publish")
    walk.told("Version 2 is in force.")
    walk.look()

    walk.to("Experiments")
    walk.follow("New experiment")
    page.get_by_role("textbox", name="Name", exact=True).fill("warm_greeting")
    page.get_by_label("It says").nth(1).fill("Welcome, friend!")
    walk.look()
    walk.press("Keep the draft")
    walk.told("What it would take")
    walk.look()
    walk.press("Start")
    walk.told("Visitors are let in.")
    for _ in range(3):
        house.office.start()
    page.reload()
    walk.told("Verdict")
    walk.look()

    walk.to("Campaigns")
    walk.follow("New campaign")
    walk.look()
    page.get_by_role("textbox", name="Name", exact=True).fill("Spring")
    walk.press("Save")
    walk.told("1 open")
    walk.look()
    walk.sign_out()


@BOTH
def test_an_admin_sets_up_brings_leads_in_and_answers_for_them(
    house: Any, visit: Any, is_phone: bool, tmp_path: Any
) -> None:
    walk = Walk(house, visit, is_phone=is_phone)
    page = walk.page
    with house.office.unit() as services:
        token = services.links.make_set_up(by="tests")
    walk.go(f"/console/link/{token}")
    page.get_by_label("E-mail").fill("olga@example.com")
    page.get_by_label("Your name").fill("Olga")
    page.get_by_label("New password").fill(PASSWORD)
    walk.press("Begin")
    walk.to("People")
    page.get_by_label("E-mail").fill("bob@example.com")
    page.get_by_label("Name", exact=True).fill("Bob")
    walk.press("Make an invitation")
    expect(page.get_by_label("Link")).to_contain_text("/console/link/")
    walk.look()

    _import(walk, tmp_path / "leads.csv")

    walk.to("API keys")
    page.get_by_label("Name", exact=True).fill("Our CRM")
    page.get_by_label("Read figures").check()
    walk.press("Make the key")
    expect(page.get_by_label("API key", exact=True)).to_contain_text("lk_")
    walk.look()
    walk.to("Alerts")
    walk.follow("Add a place")
    page.get_by_label("Address").fill("sales@example.com")
    walk.look()
    walk.press("Keep")
    walk.look()
    walk.press("Test")
    walk.told("A test message is on its way.")
    walk.look()

    walk.to("Privacy")
    page.get_by_role("searchbox").fill("lena")
    walk.press("Find")
    walk.look()
    walk.follow("Lena Lead")
    walk.look()
    with page.expect_download() as download:
        walk.press("Everything as JSON")
    assert "lena@example.com" in download.value.path().read_text()
    page.get_by_label('Write "erase"').fill("erase")
    walk.press("Forget", exact=True)
    walk.told("erased")
    walk.look()
    walk.to("Audit log")
    assert "lena@example.com" not in page.content()
    expect(page.get_by_role("row")).not_to_have_count(0)
    walk.sign_out()


def _import(walk: Walk, file: Any) -> None:
    """A file is mapped, imported and taken back."""
    file.write_text(TABLE)
    page = walk.page
    walk.to("Imports")
    page.get_by_label("A file of leads").set_input_files(file)
    walk.press("Look at it")
    page.get_by_label("Who", exact=True).select_option("name")
    page.get_by_label("Mail", exact=True).select_option("email")
    page.get_by_label("Result", exact=True).select_option("outcome")
    page.get_by_label("Words that mean won").fill("yes")
    walk.look()
    walk.press("Import", exact=True)
    walk.told("You may leave this page")
    walk.work()
    walk.press("Take it back")
    walk.told("out of sight")
    walk.look()


@BOTH
def test_who_looks_on_reads_everything_and_can_change_nothing(
    house: Any, visit: Any, is_phone: bool
) -> None:
    with house.office.unit() as services:
        services.campaigns.create({"name": "Spring"}, {}, actor="mark@example.com")
    walk = Walk(house, visit, is_phone=is_phone)
    walk.sign_in("Vera", "viewer")
    for path in READ:
        walk.go(f"/console/{path}")
        assert _controls(walk) == [], path
        for personal in ("Nina Kapoor", "lena@example.com", "9123456789", "Andheri"):
            assert personal not in walk.page.content(), (path, personal)
    walk.sign_out()


def _controls(walk: Walk) -> list[str]:
    """Where this page could send a change of something that is not this person's own."""
    script = """() => [...document.querySelectorAll(
        'form[method=post], [formmethod=post], [hx-post], [hx-put], [hx-patch], [hx-delete]'
    )].map(one => one.getAttribute('hx-post') || one.getAttribute('formaction')
        || new URL(one.action || location.href).pathname)"""
    return [one for one in walk.page.evaluate(script) if not OWN.fullmatch(one)]

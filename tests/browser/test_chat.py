"""The plain chat in a browser: a phone, a desk, a keyboard alone, two directions, two lights."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESK, PHONE, Visit, flaws, is_wider_than_its_window

pytestmark = pytest.mark.browser

WORDS = {
    "en": {"go": "Continue", "send": "Send", "right": "That is right", "first": "Restaurant"},
    "ar": {"go": "متابعة", "send": "إرسال", "right": "هذا صحيح", "first": "مطعم"},
}
# One of each type, for the shipped questions are of three.
EVERY_TYPE: dict[str, Any] = {
    "name": "All sorts",
    "greeting": {"text": "Hello!", "replies": ["Go on"]},
    "questions": [
        {
            "id": 1,
            "slug": "a_choice",
            "text": "Which?",
            "type": "choice",
            "options": ["One", "Two"],
        },
        {
            "id": 2,
            "slug": "a_multi",
            "text": "Which ones?",
            "type": "multi_choice",
            "options": ["Red", "Blue", "A rather long colour that needs the whole of a line"],
        },
        {"id": 3, "slug": "a_text", "text": "What?", "type": "text", "help": "A word or two."},
        {"id": 4, "slug": "an_email", "text": "Your e-mail?", "type": "email"},
        {"id": 5, "slug": "a_phone", "text": "Your phone?", "type": "phone"},
        {"id": 6, "slug": "a_number", "text": "How many?", "type": "number", "min": 1, "max": 9},
        {"id": 7, "slug": "a_date", "text": "When?", "type": "date"},
        {"id": 8, "slug": "a_rating", "text": "How good?", "type": "rating"},
        {"id": 9, "slug": "a_consent", "text": "May we write?", "type": "consent"},
    ],
    "closing": "Bye!",
}


class Album:
    """Looks at each step: flaws, width, and a picture where SCREENSHOTS names a folder."""

    def __init__(self, page: Page, inspector: Page, name: str) -> None:
        self.page, self.inspector, self.name = page, inspector, name
        self.steps: list[tuple[str, list[str]]] = []
        self.number = 0

    @property
    def found(self) -> list[str]:
        """Everything that is wrong at any step."""
        return [flaw for _, there in self.steps for flaw in there]

    def look(self) -> None:
        """One step, as it is now."""
        self.number += 1
        there = flaws(self.page, self.inspector)
        if is_wider_than_its_window(self.page):
            there.append(f"{self.page.url} is wider than its window")
        self.steps.append((urlsplit(self.page.url).path, there))
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            file = Path(folder) / f"{self.name}-{self.number:02}.png"
            self.page.screenshot(path=file, full_page=True)


def walk(page: Page, url: str, lang: str, album: Album) -> None:
    """From the greeting to the end, with a re-ask, wrong contact and a product on the way."""
    words = WORDS[lang]
    page.goto(f"{url}/chat?lang={lang}&utm_source=test")
    album.look()
    page.locator("button.main").click()
    album.look()
    page.locator("button.main").click()
    album.look()
    page.fill("#own", "Restorant or so")
    page.locator(".own button").click()
    album.look()
    page.get_by_role("button", name=words["first"], exact=True).click()
    album.look()
    page.fill("#answer", "<b>Mumbai</b> & “co”")
    page.get_by_role("button", name=words["send"], exact=True).click()
    for _ in range(2):
        page.locator("input[type=radio]").nth(1).check()
        album.look()
        page.locator("button.main").click()
    page.locator("input[type=checkbox]").nth(0).check()
    page.locator("input[type=checkbox]").nth(1).check()
    album.look()
    page.locator("button.main").click()
    page.locator(".product button").first.click()
    album.look()
    page.locator("a.main").click()
    album.look()
    page.fill("#field-email", "nobody at home")
    page.fill("#field-phone", "12")
    page.locator("button.main").click()
    album.look()
    page.fill("#field-name", "Asha")
    page.fill("#field-email", "asha@example.com")
    page.fill("#field-phone", "9123456789")
    page.locator("#field-consent").check()
    page.locator("button.main").click()
    album.look()
    page.locator("button.main").click()
    album.look()
    expect(page.locator(".sheet")).to_contain_text("<b>Mumbai</b>")
    page.get_by_role("button", name=words["right"]).click()
    album.look()


@pytest.mark.parametrize(
    ("size", "scheme", "lang"),
    [
        pytest.param(PHONE, "light", "en", id="phone-light-en"),
        pytest.param(PHONE, "dark", "ar", id="phone-dark-ar"),
        pytest.param(DESK, "dark", "en", id="desk-dark-en"),
        pytest.param(DESK, "light", "ar", id="desk-light-ar"),
    ],
)
def test_the_whole_conversation_works_without_script_for_everybody(
    visit: Visit, live_url: str, size: dict[str, int], scheme: str, lang: str
) -> None:
    page = visit(size, color_scheme=scheme)
    inspector = visit(size, color_scheme=scheme, javascript=True)
    album = Album(page, inspector, f"{size['width']}-{scheme}-{lang}")

    walk(page, live_url, lang, album)

    assert album.found == []
    assert page.locator("html").get_attribute("dir") == ("rtl" if lang == "ar" else "ltr")
    expect(page.get_by_role("button")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_type_of_question_is_asked_and_asked_again(
    visit: Visit, serve: Any, scheme: str
) -> None:
    page = visit(PHONE, color_scheme=scheme)
    inspector = visit(PHONE, color_scheme=scheme, javascript=True)
    album = Album(page, inspector, f"types-{scheme}")
    page.goto(f"{serve(workflow=EVERY_TYPE)}/chat")
    page.locator("button.main").click()

    for question in EVERY_TYPE["questions"]:
        expect(page.locator("h1")).to_have_text(question["text"])
        page.locator("button.main").first.click()
        album.look()
        expect(page.locator(".problem")).to_be_visible()
        if question["type"] in ("choice", "multi_choice", "rating", "consent"):
            page.locator("input[name=answer]").first.check()
            page.locator("button.main").click()
        else:
            good = {
                "text": "So",
                "email": "a@example.com",
                "phone": "+44 20 7946 0018",
                "number": "4",
                "date": "2026-12-24",
            }
            page.fill("#answer", good[question["type"]])
            page.locator("button.main").click()

    expect(page.locator(".sheet dd").first).to_have_text("One")
    expect(page.locator(".sheet")).to_contain_text("2026-12-24")
    assert album.found == []


def test_a_keyboard_is_enough(visit: Visit, live_url: str) -> None:
    page = visit(DESK)
    page.goto(f"{live_url}/chat")

    def press(*keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)

    press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    press("Tab", "Enter")  # Yes, go ahead
    expect(page.locator("h1")).to_have_text("Before we start")
    press("Tab", "Tab", "Enter")  # I agree
    expect(page.locator("h1")).to_have_text("What type of business do you run?")
    press("Tab", "Tab", "Space", "ArrowDown", "Enter")  # the second business
    expect(page.locator("h1")).to_have_text("Where is your business located?")
    expect(page.locator(".visitor .bubble")).to_contain_text("Retail Store")
    press("Tab", "Tab")
    page.keyboard.type("Pune")
    press("Enter")
    expect(page.locator("h1")).to_have_text("How many people work with you?")


def test_what_was_typed_stays_and_the_message_belongs_to_the_field(
    visit: Visit, live_url: str
) -> None:
    page = visit(PHONE)
    page.goto(f"{live_url}/chat/")
    page.goto(f"{live_url}/chat/questions/business_type")
    page.fill("#own", "Restorant or so")
    page.locator(".own button").click()

    expect(page.locator("[role=alert]")).to_contain_text("Did you mean")
    expect(page.locator("#own")).to_have_value("Restorant or so")
    expect(page.locator("#own")).to_have_attribute("aria-describedby", "problem-answer")
    expect(page.locator("button[name=pick]").first).to_be_focused()
    page.reload()
    expect(page.locator("#own")).to_have_value("Restorant or so")
    page.get_by_role("button", name="Keep my words as they are").click()
    expect(page.locator(".visitor .bubble")).to_contain_text("Restorant or so")


def test_one_can_skip_go_back_edit_and_come_back_later(visit: Visit, live_url: str) -> None:
    page = visit(PHONE)
    page.goto(f"{live_url}/chat")
    page.locator("button.main").click()
    page.locator("button.main").click()
    page.get_by_role("link", name="Leave for later").click()
    page.get_by_role("button", name="Skip").click()
    expect(page.locator("h1")).to_have_text("How many people work with you?")

    page.get_by_role("link", name="Back").click()
    page.fill("#answer", "Pune")
    page.get_by_role("button", name="Send").click()
    page.goto(f"{live_url}/chat")
    expect(page.locator("h1")).to_have_text("What type of business do you run?")

    page.goto(f"{live_url}/chat/summary")
    page.get_by_role("link", name=re.compile(r"Change\s*: Where is")).click()
    expect(page.locator("#answer")).to_have_value("Pune")
    page.fill("#answer", "Nashik")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("h1")).to_have_text("This is what you told us. Is it right?")
    expect(page.locator(".sheet")).to_contain_text("Nashik")
    expect(page.locator(".sheet")).not_to_contain_text("Pune")


def test_targets_are_large_enough_and_text_can_be_four_times_as_large(
    visit: Visit, live_url: str
) -> None:
    page = visit(DESK)
    page.goto(f"{live_url}/chat")
    for address in ("consent", "questions/business_type", "products", "contact", "next", "summary"):
        page.goto(f"{live_url}/chat/{address}")
        # 400 % of 1280 pixels is a window of 320.
        page.set_viewport_size(PHONE)

        assert not is_wider_than_its_window(page)
        for control in page.locator("button:visible, a:visible:not(.skip-link), summary").all():
            box = control.bounding_box()
            assert box is None or (box["height"] >= 24 and box["width"] >= 24), address
        for button in page.locator("button:visible").all():
            box = button.bounding_box()
            assert box is not None and box["height"] >= 44, address
        page.set_viewport_size(DESK)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_shop_shows_the_way(
    visit: Visit, live_url: str, size: dict[str, int], scheme: str
) -> None:
    page = visit(size, color_scheme=scheme)
    page.goto(live_url)
    inspector = visit(size, color_scheme=scheme, javascript=True)
    album = Album(page, inspector, f"shop-{size['width']}-{scheme}")
    album.look()

    page.get_by_role("link", name="Talk to us").click()

    assert album.found == []
    expect(page).to_have_url(f"{live_url}/chat")

"""Every step of the widget's conversation, as axe sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from playwright.sync_api import expect

from tests.browser.conftest import flaws
from tests.browser.widget import Talk

# The steps in the order of a visitor, each with the button that leads on.
QUESTIONS = (
    ("choice, asked again", "Restaurant"),
    ("typed answer", "Skip"),
    ("choice", "2–5"),
    ("choice that may be skipped", "Skip"),
    ("several of a choice", "Skip"),
)
ARABIC = {
    "Yes, go ahead": "نعم، تفضل",
    "I agree": "أوافق",
    "Restaurant": "مطعم",
    "Skip": "تخطٍّ",
    "2–5": "2–5",
    "Continue": "متابعة",
    "Send": "إرسال",
    "Book a demo": "احجز عرضاً",
    "That is right": "هذا صحيح",
}


def widget_steps(talk: Talk, words: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Each step of the open conversation by its name, with what axe finds wrong there."""

    def found(name: str, button: str) -> tuple[str, list[str]]:
        talk.button(words.get(button, button)).wait_for()
        return name, flaws(talk.page)

    def click(button: str) -> None:
        talk.button(words.get(button, button)).click()

    yield found("greeting", "Yes, go ahead")
    click("Yes, go ahead")
    yield found("consent", "I agree")
    click("I agree")
    talk.button(words.get("Restaurant", "Restaurant")).wait_for()
    talk.type("restorant")
    expect(talk.panel.locator(".composer .choice").first).to_be_visible()
    expect(talk.button(words.get("Send", "Send"))).to_be_visible()
    for name, button in QUESTIONS:
        yield found(name, button)
        click(button)
    talk.panel.locator(".card").first.click()
    yield found("products", "Continue")
    click("Continue")
    expect(talk.panel.locator("option")).not_to_have_count(1)
    yield found("contact", "Send")
    click("Send")
    expect(talk.panel.get_by_role("alert").first).to_be_visible()
    yield found("contact, asked again", "Send")
    talk.panel.locator("input[type=email]").fill("ada@example.com")
    click("Send")
    yield found("calls to action", "Book a demo")
    click("Book a demo")
    yield found("summary", "That is right")
    click("That is right")
    expect(talk.panel.locator(".composer .side")).to_have_count(0)
    yield "closing", flaws(talk.page)

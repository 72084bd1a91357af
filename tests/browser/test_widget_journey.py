"""The whole conversation in the widget: by mouse, by keyboard, on a phone and at a desk."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESK, PHONE, Serve, Visit, is_wider_than_its_window
from tests.browser.widget import Talk, answers, needs_built_widget, summary, until
from workflow_config import WORKFLOW_CONFIG

pytestmark = [pytest.mark.browser, needs_built_widget]
SIZES = pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
WATCH = """() => { window.announced = [];
new MutationObserver(all => all.forEach(one => one.addedNodes.forEach(node => {
  if (node.classList?.contains('bot')) announced.push(node.innerText.trim()) })))
.observe(document.querySelector('body > div:last-of-type').shadowRoot.querySelector('.log'),
{childList: true, subtree: true, characterData: true}) }"""


@SIZES
def test_a_visitor_reaches_the_end_by_mouse(
    live_url: str, visit: Visit, size: dict[str, int]
) -> None:
    talk = Talk(visit(size, javascript=True)).goto(live_url)

    talk.reached().click("That is right").asks("will be in touch")

    until(talk.page, lambda: not talk.saved["queue"])
    kept = summary(live_url, talk)
    assert kept["lead_data"]["email"] == "ada@example.com"
    assert kept["lead_data"]["closed"] and kept["lead_data"]["completed"]
    assert answers(live_url, talk) == {
        1: "Retail Store",
        2: "Mumbai",
        3: "2–5",
        4: "₹50K–₹2L",
        5: "Billing",
    }
    points = {row["action"]: row["score"] for row in kept["behaviors"]}
    assert points["replied_to_greeting"] == 5 and points["clicked_product"] == 5
    assert points["demo_requested"] == 15 and points["shared_contact"] == 10
    assert "Thanks Ada! We have everything" in " ".join(talk.said)
    assert not is_wider_than_its_window(talk.page)
    assert talk.errors == []


@SIZES
def test_a_visitor_reaches_the_end_by_keyboard_alone(
    live_url: str, visit: Visit, size: dict[str, int]
) -> None:
    talk = Talk(visit(size, javascript=True)).goto(live_url)
    press = talk.page.keyboard.press
    talk.launcher.focus()

    press("Enter")
    _finds(talk, "Yes, go ahead")
    press("Enter")
    _finds(talk, "I agree")
    press("Enter")
    _finds(talk, "Restaurant")
    press("Tab")
    press("Enter")
    _finds(talk, "Where is your business located?")
    talk.page.keyboard.type("Pune")
    press("Enter")
    _finds(talk, "Just me")
    press("Enter")
    _finds(talk, "Under ₹50K")
    press("Enter")
    _finds(talk, "Billing")
    press("Space")
    _tab_to(talk, "Continue")
    press("Enter")
    _finds(talk, "Billing\nInvoices and receipts in seconds, on any phone.")
    press("Enter")
    _tab_to(talk, "Continue")
    press("Enter")
    _finds(talk, "Name")
    talk.page.keyboard.type("Ada")
    press("Tab")
    talk.page.keyboard.type("ada@example.com")
    press("Enter")
    _finds(talk, "Book a demo")
    press("Enter")
    _finds(talk, "That is right")
    press("Enter")
    talk.asks("will be in touch")
    _finds(talk, "Start again")
    press("Escape")

    expect(talk.panel).to_be_hidden()
    assert talk.focused == "Chat with us"
    assert answers(live_url, talk)[2] == "Pune"
    assert talk.errors == []


def test_each_message_of_the_bot_is_announced_once(live_url: str, visit: Visit) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).open()
    talk.page.evaluate(WATCH)

    talk.click("Yes, go ahead").click("I agree").asks("What type").click("Restaurant")
    talk.asks("Where is").type("Pune").asks("How many").click("50+").asks("monthly")
    talk.panel.get_by_role("button", name="Change: Pune").click()
    talk.type("Delhi").asks("Changed.").click("Skip").asks("help you most")

    announced = talk.page.evaluate("announced")
    assert len(announced) == len(set(announced)) == 7


def test_a_word_that_is_no_option_is_asked_about_and_then_believed(
    live_url: str, visit: Visit
) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).agreed()

    talk.type("restorant").asks("Did you mean")
    expect(talk.button("Restaurant")).to_be_focused()
    talk.click("Keep “restorant”").asks("Where is")

    assert answers(live_url, talk)[1] == "restorant"


def test_an_earlier_answer_can_be_changed_at_once_and_at_the_end(
    live_url: str, visit: Visit
) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).agreed().click("Restaurant").asks("Where is")
    talk.panel.get_by_role("button", name="Change: Restaurant").click()
    talk.click("Other").asks("Changed.")
    expect(talk.panel.get_by_placeholder("City or area")).to_be_focused()
    talk.type("Pune").click("50+").click("Skip").asks("help you most").click("Skip")
    talk.asks("Have a look").click("Continue").asks("Where can we").click("Skip")
    talk.asks("do next").click("Not now").asks("Is it right?")
    talk.panel.get_by_role("button", name="Change: Where is your business located?").click()
    talk.type("Delhi")
    until(talk.page, lambda: answers(live_url, talk)[2] == "Delhi")
    talk.panel.get_by_role("button", name="Change: Contact").click()
    talk.panel.get_by_label("Phone", exact=True).fill("91234 56789")
    talk.click("Send")
    talk.button("That is right").wait_for()

    assert answers(live_url, talk) == {1: "Other", 2: "Delhi", 3: "50+", 4: None, 5: None}
    assert summary(live_url, talk)["lead_data"]["phone"] == "91234 56789"
    assert "Delhi" in talk.panel.locator("dl").inner_text()


def test_a_contact_that_cannot_be_one_is_told_beside_its_field(live_url: str, visit: Visit) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).answered().click("Continue")
    talk.asks("Where can we").click("Send")
    expect(talk.panel.get_by_role("alert")).to_contain_text("e-mail or a phone")

    talk.panel.get_by_label("Name").fill("Ada")
    talk.panel.get_by_label("E-mail").fill("ada@nowhere")
    talk.click("Send")
    expect(talk.panel.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
    expect(talk.panel.get_by_label("E-mail")).to_be_focused()

    assert talk.panel.get_by_label("Name").input_value() == "Ada"
    expect(talk.panel.get_by_label("Country code")).to_have_value("IN")


def test_a_number_is_of_the_country_that_was_chosen_unless_it_names_its_own(
    live_url: str, visit: Visit
) -> None:
    talk = Talk(visit(PHONE, javascript=True))
    asked: list[str] = []
    talk.page.on("request", lambda request: asked.append(request.url.split("/")[-1]))
    talk.goto(live_url).answered()
    assert "countries.json" not in asked
    talk.click("Continue").asks("Where can we")
    country = talk.panel.get_by_label("Country code")
    number = talk.panel.get_by_label("Phone", exact=True)
    expect(country.locator("option")).not_to_have_count(1)
    names = country.locator("option").all_inner_texts()
    first = country.locator("option:checked").inner_text()

    country.select_option(label="United Kingdom (\u2066+44\u2069)")
    number.fill("020 7946 0018")
    talk.click("Send").asks("do next").click("Not now").asks("Is it right?")
    british = summary(live_url, talk)["lead_data"]["phone"]
    talk.panel.get_by_role("button", name="Change: Contact").click()
    shown = number.input_value()
    number.fill("+1 415 555 2671")
    talk.click("Send").button("That is right").wait_for()
    american = summary(live_url, talk)["lead_data"]["phone"]

    assert asked.count("countries.json") == 1 and len(names) > 200
    assert [name[:2] for name in names[:2]] == ["Af", "Ål"] and names[-1].startswith("Z")
    assert first == "India (\u2066+91\u2069)"
    assert (british, shown) == ("+44 020 7946 0018", "+44 020 7946 0018")
    assert american == "+1 415 555 2671"
    assert talk.errors == []


def test_without_the_list_of_countries_a_phone_is_asked_for_all_the_same(
    live_url: str, visit: Visit
) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).answered()
    talk.page.route("**/countries.json", lambda route: route.abort())

    talk.click("Continue").asks("Where can we")
    talk.panel.get_by_label("Phone", exact=True).fill("91234 56789")
    talk.click("Send").asks("do next")

    assert summary(live_url, talk)["lead_data"]["phone"] == "91234 56789"
    assert talk.errors == []


def test_who_does_not_agree_is_not_asked_further(live_url: str, visit: Visit) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).open().click("Yes, go ahead")

    talk.click("No, thanks").asks("That is fine")
    assert talk.button("Restaurant").count() == 0
    talk.click("I agree").asks("What type of business")

    until(talk.page, lambda: not talk.saved["queue"])
    done = [one["action"] for one in summary(live_url, talk)["behaviors"]]
    assert "consent_given" in done


def test_starting_again_is_a_new_conversation(live_url: str, visit: Visit) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).agreed().click("Restaurant").asks("Where is")
    before = talk.saved["session"]

    talk.click("Start again").panel.get_by_role("group").get_by_role(
        "button", name="Start again"
    ).click()
    talk.button("Yes, go ahead").wait_for()

    assert talk.saved["session"] != before
    assert talk.said == ["Assistant: Hi! Welcome to YouShop!"]


def every_type() -> dict[str, Any]:
    """A workflow that asks in each of the nine ways."""
    workflow: dict[str, Any] = copy.deepcopy(dict(WORKFLOW_CONFIG))
    choices = {"options": ["Red", "Blue", "Green"]}
    kinds: list[dict[str, Any]] = [
        {"type": "email"},
        {"type": "phone"},
        {"type": "number", "min": 1, "max": 9, "help": "From one to nine."},
        {"type": "date"},
        {"type": "rating"},
        {"type": "consent"},
        {"type": "text", "required": False},
        {"type": "multi_choice", **choices},
        {"type": "choice", **choices},
    ]
    workflow["questions"] = [
        {"id": n, "slug": f"q{n}", "text": f"Question {n}?", "step": n, **kind}
        for n, kind in enumerate(kinds, 1)
    ]
    workflow["translations"] = {}
    return workflow


def test_each_type_of_question_has_its_own_way_to_answer(serve: Serve, visit: Visit) -> None:
    base = serve(workflow=every_type())
    talk = Talk(visit(PHONE, javascript=True)).goto(base).open()
    talk.click("Yes, go ahead").click("I agree").asks("Question 1?")
    field = talk.panel.locator(".typed input")

    assert field.get_attribute("type") == "email"
    talk.type("no address").asks("That is no e-mail address")
    expect(field).to_have_attribute("aria-invalid", "true")
    talk.type("ada@example.com").asks("Question 2?")
    assert field.get_attribute("autocomplete") == "tel"
    talk.type("91234 56789").asks("Question 3?")
    talk.type("12").asks("between 1 and 9")
    talk.type("7").asks("Question 4?")
    talk.type("2026-03-31").asks("Question 5?").click("4").asks("Question 6?")
    talk.click("Yes").asks("Question 7?").click("Skip").asks("Question 8?").click("Continue")
    expect(talk.panel.get_by_role("alert")).to_contain_text("at least one")
    talk.panel.get_by_label("Red").check()
    talk.panel.get_by_label("Green").check()
    talk.click("Continue").asks("Question 9?").click("Blue").asks("Have a look")

    assert list(answers(base, talk).values()) == [
        *("ada@example.com", "91234 56789", "7", "2026-03-31", "4", "yes", None),
        *("Red, Green", "Blue"),
    ]
    assert talk.errors == []


def _finds(talk: Talk, name: str) -> None:
    """Waits until the focus is where a person expects it."""
    try:
        until(talk.page, lambda: talk.focused == name, 5)
    except AssertionError:
        raise AssertionError(f"the focus is on {talk.focused!r}, not on {name!r}") from None


def _tab_to(talk: Talk, name: str) -> None:
    for _ in range(12):
        talk.page.keyboard.press("Tab")
        if talk.focused == name:
            return
    raise AssertionError(f"no key leads to {name}")

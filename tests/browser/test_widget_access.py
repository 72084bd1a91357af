"""The widget for everybody: axe at every step, small windows, hostile texts."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Serve, Visit, flaws, is_wider_than_its_window
from tests.browser.hostile import TEXTS
from tests.browser.steps import ARABIC, widget_steps
from tests.browser.test_widget_journey import every_type
from tests.browser.widget import Talk, host_page, needs_built_widget, website
from workflow_config import WORKFLOW_CONFIG

pytestmark = [pytest.mark.browser, needs_built_widget]
# As wide and high as a window of 1280 × 1024 is at 400 %.
ENLARGED = {"width": 320, "height": 256}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "ar"])
def test_axe_finds_nothing_at_any_step(
    serve: Serve, visit: Visit, scheme: str, locale: str
) -> None:
    with website() as site:
        base = serve(CORS_ORIGINS=site.address)
        more = ' dir="rtl"' if locale == "ar" else ""
        address = site.put("/", host_page(base, lang=locale, more=more))
        page = visit(PHONE, javascript=True)
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        talk = Talk(page).goto(address)

        found = flaws(page)
        talk.launcher.click()
        for _, there in widget_steps(talk, ARABIC if locale == "ar" else {}):
            found += there

    assert found == []
    assert talk.errors == []


def test_axe_finds_nothing_in_any_type_of_question(serve: Serve, visit: Visit) -> None:
    talk = Talk(visit(javascript=True)).goto(serve(workflow=every_type())).open()
    talk.click("Yes, go ahead").click("I agree").asks("Question 1?")
    found = []
    for number, text in enumerate(("a@example.com", "9123456789", "7", "2026-03-31"), 2):
        found += flaws(talk.page)
        talk.type(text).asks(f"Question {number}?")
    for number, name in enumerate(("4", "Yes", "Skip"), 6):
        found += flaws(talk.page)
        talk.click(name).asks(f"Question {number}?")
    found += flaws(talk.page)

    assert found == []


@pytest.mark.parametrize("size", [PHONE, ENLARGED], ids=["320px", "400%"])
def test_a_small_window_hides_nothing_and_targets_are_large(
    live_url: str, visit: Visit, size: dict[str, int]
) -> None:
    talk = Talk(visit(size, javascript=True)).goto(live_url).answered()

    small = talk.panel.locator("button, input:not(.unseen)").evaluate_all(
        "all => all.map(one => { const b = one.closest('label')?.getBoundingClientRect()"
        " ?? one.getBoundingClientRect(); return [one.className, b.width, b.height] })"
        ".filter(([look, w, h]) => w < 24 || h < (look === 'link' ? 24 : 44))"
    )
    talk.click("Continue").asks("Where can we")
    for name in ("Name", "E-mail", "Phone"):
        talk.panel.get_by_label(name).scroll_into_view_if_needed()
        expect(talk.panel.get_by_label(name)).to_be_in_viewport(ratio=0.9)

    assert small == []
    assert not is_wider_than_its_window(talk.page)
    inside = talk.page.locator(".body").evaluate("node => node.scrollWidth > node.clientWidth")
    assert not inside


def test_less_motion_is_less_motion(live_url: str, visit: Visit) -> None:
    calm = Talk(visit(javascript=True)).goto(live_url).open()
    lively = Talk(visit(javascript=True, reduced_motion="no-preference")).goto(live_url).open()

    moving = [
        talk.panel.evaluate("node => getComputedStyle(node).animationName")
        for talk in (calm, lively)
    ]

    assert moving == ["none", "rise"]


def test_hostile_texts_are_shown_as_texts(serve: Serve, visit: Visit) -> None:
    assert len(TEXTS) >= 60
    base = serve(workflow=many_texts(len(TEXTS)))
    talk = Talk(visit(javascript=True)).goto(base)
    talk.page.evaluate("window.hits = 0")
    talk.open().click("Yes, go ahead").click("I agree").asks("Question 1?")
    session = talk.saved["session"]
    for number, text in enumerate(TEXTS, 1):
        _post(base, {"session_id": session, "question_id": number, "answer_text": text})

    dialogs: list[str] = []
    talk.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    talk.page.reload()
    talk.page.evaluate("window.hits = window.hits ?? 0")
    talk.asks("Have a look").click("Continue").click("Skip").click("Not now").asks("Is it right?")

    shown = talk.panel.locator(".row.you .bubble").evaluate_all(
        "all => all.map(one => [...one.childNodes].at(-1).data)"
    )
    facts = talk.panel.locator("dd:not(.side)").evaluate_all(
        "all => all.map(one => one.textContent)"
    )
    assert shown[: len(TEXTS)] == [text.strip() for text in TEXTS]
    assert facts[: len(TEXTS)] == [text.strip() for text in TEXTS]
    strange = "img, script, iframe, object, embed, a, form[action], video, math, style, base, meta"
    assert talk.panel.locator(strange).count() == 0
    assert talk.page.evaluate("window.hits") == 0
    assert dialogs == [] and talk.errors == []


def many_texts(count: int) -> dict[str, Any]:
    """A workflow of as many typed questions."""
    questions = [
        {"id": n, "slug": f"q{n}", "text": f"Question {n}?", "type": "text", "step": n}
        for n in range(1, count + 1)
    ]
    return {**dict(WORKFLOW_CONFIG), "questions": questions, "translations": {}}


def _post(base: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{base}/api/answer",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as reply:
        assert json.load(reply)["accepted"], body["answer_text"]

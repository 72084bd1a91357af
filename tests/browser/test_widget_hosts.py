"""The widget on strangers' websites: their styles, their policies, their scripts."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESK, PHONE, Serve, Visit
from tests.browser.widget import Site, Talk, host_page, needs_built_widget, website
from workflow_config import WORKFLOW_CONFIG

pytestmark = [pytest.mark.browser, needs_built_widget]

HOSTILE_CSS = """
* { all: unset !important; }
body > *, div, section, button, p { display: none !important; visibility: hidden !important;
  opacity: 0 !important; position: static !important; transform: scale(0) !important;
  pointer-events: none !important; clip: rect(0 0 0 0) !important; }
button { display: none; } html { font-size: 3px !important; direction: rtl; }
input { width: 1px !important; } .panel, .launcher { display: none !important }
"""
EVENTS = ["open", "close", "answer", "contact", "completed"]
LISTEN = f"""window.heard = []; for (const name of {EVENTS})
window.addEventListener('leadline:' + name, e => heard.push([name, e.detail]));"""


@pytest.fixture
def site() -> Iterator[Site]:
    """Somebody's website."""
    with website() as ours:
        yield ours


@pytest.fixture
def base(serve: Serve, site: Site) -> str:
    """A Leadline that this website may use."""
    return serve(CORS_ORIGINS=site.address)


def with_rules(**rules: Any) -> dict[str, Any]:
    """The shipped workflow with rules for opening by itself."""
    return {**copy.deepcopy(dict(WORKFLOW_CONFIG)), "proactive": rules}


def test_another_origin_shows_the_whole_conversation_without_a_cookie(
    base: str, site: Site, visit: Visit
) -> None:
    talk = Talk(visit(javascript=True))
    asked: list[str] = []
    talk.page.on("request", lambda request: asked.append(request.url))

    talk.goto(site.put("/", host_page(base, attributes='data-site="shop"'))).reached()

    assert talk.page.context.cookies() == []
    assert list(talk.page.evaluate("Object.keys(localStorage)")) == ["leadline:shop"]
    assert all(url.startswith((base, site.address)) for url in asked)
    assert talk.errors == []


def test_hostile_styles_of_the_page_do_not_reach_in(base: str, site: Site, visit: Visit) -> None:
    page = host_page(base, head=f"<style>{HOSTILE_CSS}</style>")
    talk = Talk(visit(javascript=True)).goto(site.put("/", page)).agreed()

    box = talk.panel.bounding_box()
    style = talk.button("Restaurant").evaluate(
        "node => { const s = getComputedStyle(node);"
        " return [s.display, s.visibility, s.fontSize, s.direction, s.pointerEvents] }"
    )

    assert box and box["width"] == 400 and box["height"] > 500
    assert style[1:] == ["visible", "16px", "ltr", "auto"]
    talk.click("Restaurant").asks("Where is")
    assert talk.errors == []


def test_a_strict_policy_needs_two_lines_only(base: str, site: Site, visit: Visit) -> None:
    policy = f"default-src 'none'; script-src {base}; connect-src {base}"
    address = site.put("/", host_page(base), Content_Security_Policy=policy)
    talk = Talk(visit(javascript=True))
    blocked: list[str] = []
    talk.page.on("console", lambda said: blocked.append(said.text))

    talk.goto(address).agreed().click("Restaurant").asks("Where is")

    assert [text for text in blocked if "Content Security Policy" in text] == []
    assert talk.launcher.evaluate("node => getComputedStyle(node).backgroundColor") == (
        "rgb(11, 95, 86)"
    )
    bar = talk.panel.locator(".bar").evaluate("node => node.getBoundingClientRect().width")
    assert bar > 50


def test_the_same_script_twice_makes_one_widget_and_needs_no_site(
    base: str, site: Site, visit: Visit
) -> None:
    script = f'<script src="{base}/widget.js"></script>'
    talk = Talk(visit(javascript=True)).goto(site.put("/", host_page(base, body=script)))

    talk.agreed()

    expect(talk.launcher).to_have_count(1)
    assert talk.page.evaluate("Object.keys(localStorage)") == ["leadline"]


def test_without_storage_the_conversation_works(base: str, site: Site, visit: Visit) -> None:
    forbid = """<script>for (const name of ['localStorage', 'sessionStorage'])
    Object.defineProperty(window, name, {get() { throw new DOMException('no', 'SecurityError') }})
    </script>"""
    talk = Talk(visit(javascript=True)).goto(site.put("/", host_page(base, head=forbid)))

    talk.agreed().click("Restaurant").asks("Where is")

    assert talk.errors == []


def test_a_server_that_does_not_let_us_in_troubles_nobody(
    serve: Serve, site: Site, visit: Visit
) -> None:
    stranger = serve()
    talk = Talk(visit(javascript=True)).goto(site.put("/", host_page(stranger)))

    talk.launcher.click()

    expect(talk.panel.get_by_role("status")).to_contain_text("cannot reach the server")
    assert talk.errors == []


def test_inside_the_page_it_stands_where_its_place_is(base: str, site: Site, visit: Visit) -> None:
    page = host_page(base, body="<div data-leadline id='place'></div>")
    talk = Talk(visit(javascript=True)).goto(site.put("/", page))

    region = talk.page.locator("#place").get_by_role("region", name="YouShop")
    region.get_by_role("button", name="Yes, go ahead").click()
    region.get_by_role("button", name="I agree").click()
    region.get_by_role("button", name="Restaurant").wait_for()

    expect(talk.launcher).to_have_count(0)
    assert talk.page.evaluate("scrollY") == 0


def test_the_page_can_open_identify_and_listen(base: str, site: Site, visit: Visit) -> None:
    stub = f"""<script>{LISTEN} window.Leadline = window.Leadline || [];
    Leadline.push(['identify', {{name: 'Ada', email: 'ada@example.com', admin: true}}]);
    Leadline.push(['on', 'answer', d => heard.push(['on', d])], ['on', 'open', 'no function']);
    Leadline.push(['on', 'answer', () => {{ throw new Error('of the page') }}]);
    Leadline.push(['open']);</script>"""
    talk = Talk(visit(javascript=True)).goto(site.put("/", host_page(base, head=stub)))

    talk.click("Yes, go ahead").click("I agree").click("Restaurant").asks("Where is")
    talk.type("Pune").click("50+").click("Skip").asks("help you most").click("Skip")
    talk.asks("Have a look").click("Continue").asks("Where can we")
    known = talk.panel.get_by_label("E-mail").input_value()
    talk.click("Send").asks("Thanks Ada")
    talk.page.evaluate("Leadline.close()")

    expect(talk.panel).to_be_hidden()
    heard = talk.page.evaluate("heard")
    assert known == "ada@example.com"
    assert [name for name, _ in heard] == [
        *("open", "on", "answer", "on", "answer", "on", "answer", "on", "answer"),
        *("on", "answer", "completed", "contact", "close"),
    ]
    first = {"question_id": 1, "question": "business_type", "skipped": False}
    assert heard[1][1] == {**first, "answered": 1, "total": 5}
    assert "Pune" not in str(heard) and "ada@" not in str(heard)
    assert talk.errors == []


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_it_opens_by_itself_once_and_takes_no_focus(
    serve: Serve, site: Site, visit: Visit, size: dict[str, int]
) -> None:
    base = serve(CORS_ORIGINS=site.address, workflow=with_rules(after_seconds=0))
    field = "<label>Search <input autofocus></label>"
    talk = Talk(visit(size, javascript=True)).goto(site.put("/", host_page(base, body=field)))

    talk.button("Yes, go ahead").wait_for()
    expect(talk.page.get_by_label("Search")).to_be_focused()
    box = talk.panel.bounding_box()
    talk.panel.get_by_role("button", name="Close the chat").click()
    talk.page.evaluate("localStorage.removeItem('x')")
    talk.page.reload()
    talk.launcher.wait_for()

    expect(talk.panel).to_have_count(0)
    assert box and box["height"] <= size["height"] * 0.9


def test_it_opens_by_itself_only_where_the_rules_say(
    serve: Serve, site: Site, visit: Visit
) -> None:
    rules = with_rules(scroll_percent=50, exit_intent=True, url_pattern="/pricing*")
    base = serve(CORS_ORIGINS=site.address, workflow=rules)
    tall = "<div style='height:3000px'></div>"
    for path in ("/about", "/pricing/eu", "/pricing"):
        site.put(path, host_page(base, body=tall))
    talk = Talk(visit(javascript=True)).goto(f"{site.address}/about")
    talk.launcher.wait_for()
    talk.page.evaluate("scrollTo(0, 2000)")
    talk.page.wait_for_timeout(150)
    expect(talk.panel).to_have_count(0)

    talk.goto(f"{site.address}/pricing/eu").launcher.wait_for()
    talk.page.evaluate("scrollTo(0, 2000)")
    talk.panel.wait_for()

    other = Talk(visit(javascript=True)).goto(f"{site.address}/pricing")
    other.launcher.wait_for()
    other.page.evaluate(
        "document.dispatchEvent(new MouseEvent('mouseout', {clientY: -1, bubbles: true}))"
    )
    other.panel.wait_for()


def test_the_colours_of_a_site_stay_readable(base: str, site: Site, visit: Visit) -> None:
    head = "<style>:root { --leadline-accent: #ffee55 }</style>"
    talk = Talk(visit(javascript=True)).goto(site.put("/", host_page(base, head=head))).open()

    main, plain = (
        talk.button(name).evaluate(
            "node => { const s = getComputedStyle(node); return [s.color, s.backgroundColor] }"
        )
        for name in ("Yes, go ahead", "Not now")
    )

    assert main == ["rgb(0, 0, 0)", "rgb(255, 238, 85)"]
    assert plain[1] == "rgb(255, 255, 255)" and plain[0] != "rgb(255, 238, 85)"


def test_on_a_phone_the_panel_gives_way_to_what_the_keyboard_reaches(
    base: str, site: Site, visit: Visit
) -> None:
    talk = Talk(visit(PHONE, javascript=True)).goto(site.put("/", host_page(base))).open()

    talk.page.get_by_role("link", name="A link").focus()

    expect(talk.panel).to_be_hidden()
    expect(talk.page.get_by_role("link", name="A link")).to_be_focused()

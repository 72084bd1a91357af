"""Hostile texts in every place that somebody can write to, and every page of the console open."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page

from services.diary_service import NewActivity
from tests.browser.building import Building
from tests.browser.hostile import TEXTS
from tests.console.office import Office
from tests.console.talks import talk

SHORT = [text for text in TEXTS if len(text) <= 60]
FIRST, SECOND = SHORT[0], SHORT[2]
# What is no page: files, and what only scripts ask for.
NO_PAGE = ("/file", ".csv", ".ics", "/assets/", "/calendar/events", "/board/lanes")


@pytest.mark.nightly
def test_no_hostile_text_runs_on_any_page_of_the_console(build: Any) -> None:
    house = build()
    known = _poison(house.office)
    page = house.enter("Alice", "admin")
    page.add_init_script("window.hits = 0")
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{page.url}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    page.on("dialog", lambda dialog: said.append(f"{page.url}: {dialog.message}"))
    opened = [path for path in _pages(house, known) if _opens(page, path)]

    assert len(opened) > 40, opened
    # That something is not there, the browser says as well.
    assert [one for one in said if "status of 404" not in one] == []


def _opens(page: Page, path: str) -> bool:
    """Whether the page is there; fails where a text did something."""
    reply = page.goto(path, wait_until="load")
    assert reply is not None and reply.status < 500, path
    page.wait_for_timeout(150)
    frames = [one for one in page.frames if one.url.startswith("http")]
    hits = [one.evaluate("window.hits || 0") for one in frames]
    assert sum(hits) == 0, path
    assert not page.evaluate("() => document.querySelector('img[src=x], xss, marquee, base')"), path
    return reply.status == 200


def _pages(house: Building, known: dict[str, str]) -> list[str]:
    """Every page of the console, about what was poisoned."""
    found = []
    for rule in house.office.app.url_map.iter_rules():
        if not rule.rule.startswith("/console") or "GET" not in (rule.methods or ()):
            continue
        path = re.sub(r"<any\(([^,)]+)[^)]*\):[^>]*>", lambda one: one[1].strip("'\" "), rule.rule)
        for name, value in known.items():
            path = path.replace(f"<int:{name}>", value).replace(f"<{name}>", value)
        if not any(part in path for part in NO_PAGE):
            found.append(path if "<" not in path else re.sub(r"<[^>]*>", "1", path))
    more = "/console/leads?size=200", "/console/leads?filters=1"
    return [*sorted(found), *more, f"/console/imports/{known['import']}"]


def _poison(ours: Office) -> dict[str, str]:
    """Every text somewhere; what has pages of its own, by the name in their address."""
    alice = ours.alice
    for number, text in enumerate(TEXTS):
        other = TEXTS[-number]
        entered = ours.enter_lead(
            name=text, company=other, campaign=text[:255], source=other[:255] or "x", location=text
        )
    for text in SHORT[:20]:
        alice.post("/console/leads/views", {"name": text, "shared": "1", "query": ""})
        alice.post("/console/campaigns", {"name": text, "goal": "3"})
        alice.post("/console/keys", {"name": text, "scopes": "leads:read"})
        alice.post("/console/people", {"email": f"p{len(text)}@example.com", "name": text})
    lead = _talked(ours)
    with ours.unit() as services:
        due = ours.clock.now() + timedelta(hours=1)
        follow_up = services.diary.set_follow_up(lead, due, note=FIRST, actor=SECOND)
        services.work.log(lead, NewActivity(kind="note", note=SECOND), actor=FIRST)
        services.pipeline.assign(lead, SECOND, actor=FIRST)
        stages = [{"name": one, "kind": "open"} for one in ("New", FIRST, SECOND)]
        ends = [{"name": "Deal", "kind": "won"}, {"name": "<b>No</b>", "kind": "lost"}]
        services.pipeline.change_stages([*stages, *ends], actor=FIRST)
        services.pipeline.set_stage(lead, SECOND, actor=FIRST)
    alice.post("/console/workflow/import", {"file": _workflow()})
    address = {"channel": "webhook", "address": "https://x.example/<b>"}
    alice.post("/console/alerts/new", {**address, "name": SECOND})
    place = re.search(r"/console/alerts/(dst_\w+)", alice.get("/console/alerts").text)
    table = ",".join(f'"{text}"' for text in (FIRST, SECOND, "name"))
    file = io.BytesIO(f'{table}\n"{SECOND}","{FIRST}","{FIRST}"\n'.encode())
    made = alice.post("/console/imports", {"file": (file, f"{SECOND}.csv")})
    return {
        "lead_id": str(lead),
        "other_id": str(entered),
        "number": str(follow_up["id"]),
        "draft_id": "1",
        "campaign_id": "1",
        "person_id": "2",
        "locale": "de",
        "place": place[1] if place else "none",
        "import": made.headers["Location"].rsplit("/", 1)[1],
    }


def _talked(ours: Office) -> int:
    """The lead of a conversation in which every text was typed."""
    profile = {
        "name": FIRST,
        "company": SECOND,
        **{f"extra {n}": t for n, t in enumerate(TEXTS[:45])},
    }
    answers = ((1, SECOND), (2, FIRST), (3, "2–5"), (4, "₹50K–₹2L"), (5, ["Billing"]))
    visit = {f"utm_{name}": SECOND for name in ("source", "campaign", "medium", "term")}
    visit["referrer"] = visit["landing_page"] = "javascript:window.hits++"
    return talk(ours, *answers, profile=profile, **visit)


def _workflow() -> tuple[io.BytesIO, str]:
    """A workflow in which every text is asked somewhere."""
    options = [{"value": text} for text in SHORT[10:40]]
    questions = [
        {"id": 1, "slug": "one", "text": FIRST, "type": "choice", "options": options},
        *(
            {"id": number, "slug": f"q{number}", "text": text, "type": "text", "help": text}
            for number, text in enumerate(SHORT[2:12], 2)
        ),
    ]
    config = {
        "name": SECOND,
        "greeting": {"text": FIRST, "replies": [{"value": SECOND}]},
        "closing": SECOND,
        "products": [{"id": "one", "name": FIRST, "description": SECOND}],
        "calls_to_action": [{"id": "two", "label": FIRST, "action": "clicked_demo"}],
        "questions": questions,
        "translations": {"de": {"greeting": FIRST}},
    }
    text = json.dumps({"WORKFLOW_CONFIG": config, "ACTIVE_TESTS": {}})
    return io.BytesIO(text.encode()), f"{SECOND}.json"

"""Privacy in the console, and the visitor's own page."""

from __future__ import annotations

import io
import json
import re

import pytest

from jobs.tasks import Worker
from tests.console.office import Office, plain

HOSTILE = "<img src=x onerror=alert(1)>"


def _talk(ours: Office, **profile: str) -> tuple[str, int]:
    """A conversation that said something; its session and its lead."""
    client = ours.app.test_client()
    session_id = ours.start(consent={"given": True, "text_version": "2026-11"})["session_id"]
    for number, text in ((1, "Restaurant"), (2, HOSTILE)):
        body = {"session_id": session_id, "question_id": number, "answer_text": text}
        assert client.post("/api/answer", json=body).status_code == 200
    said = {"name": "Lena Lead", "email": "lena@example.com", **profile}
    body = {"session_id": session_id, "profile_data": said}
    assert client.post("/api/lead/profile", json=body).status_code == 200
    lead = ours.ask(lambda services: services.leads.find_session_lead(session_id)[1].id)
    return session_id, lead


def test_a_person_is_found_by_what_they_know_of_themselves(ours: Office) -> None:
    session_id, lead = _talk(ours, phone="+919123456789")

    for wanted in ("lena@EXAMPLE", "Lena", "9123456789", session_id, str(lead)):
        assert f"/console/privacy/{lead}" in ours.alice.get("/console/privacy", q=wanted).text
    assert "Nobody found" in ours.alice.text("/console/privacy", q="nobody")


def test_everything_that_is_kept_is_handed_over_and_written_down(ours: Office) -> None:
    _, lead = _talk(ours)
    alice = ours.alice

    whole = json.loads(alice.post(f"/console/privacy/{lead}/export.json").text)
    table = alice.post(f"/console/privacy/{lead}/export.csv").text

    assert whole["lead"]["email"] == "lena@example.com"
    assert {one["answer_text"] for one in whole["answers"]} == {"Restaurant", HOSTILE}
    assert whole["consents"][0]["given"] is True
    assert any("answer.recorded" == one["kind"] for one in whole["facts"])
    assert "lena@example.com" in table and table.startswith('"part","row"')
    audit = alice.text("/console/audit") if "/console/audit" in _rules(ours) else ""
    assert "person.exported" in audit or not audit


def test_a_person_who_is_forgotten_does_not_come_back_by_an_import(ours: Office) -> None:
    _, lead = _talk(ours)
    alice = ours.alice
    page = f"/console/privacy/{lead}"

    unsure = alice.post(f"{page}/erase", {"sure": "no"})
    assert unsure.status_code == 422 and "cannot be undone" in plain(unsure.text)
    assert "lena@example.com" in alice.get(page).text

    assert alice.post(f"{page}/erase", {"sure": " Erase "}).status_code == 303
    assert "lena" not in alice.get(page).text.lower()
    assert ours.ask(lambda services: services.replays.replay_all().differences) == []

    file = io.BytesIO(b"name,email\nLena,LENA@example.com\nBo,bo@example.com\n")
    desk = alice.post("/console/imports", {"file": (file, "x.csv")}).headers["Location"]
    alice.post(f"{desk}/choose", {"column-0": "name", "column-1": "email", "then": "import"})
    while Worker(ours.resources).work():
        pass
    assert "asked to be forgotten" in alice.text(desk)
    assert {one["name"] for one in alice.get("/api/leads").json["leads"]} == {"Bo", None}


def test_a_visitor_sees_what_they_told_us_and_takes_it_back(ours: Office) -> None:
    _, lead = _talk(ours)
    shown = ours.alice.get(f"/console/privacy/{lead}").text
    link = re.search(r"http://localhost(/told/[^\"]+)", shown)
    assert link
    visitor = ours.app.test_client()

    page = visitor.get(link[1])
    assert page.status_code == 200 and "lena@example.com" in page.text
    assert HOSTILE not in page.text and page.headers["Referrer-Policy"] == "no-referrer"
    visitor.post(link[1], data={"wish": "withdraw"})
    visitor.post(link[1], data={"wish": "erase"})
    visitor.post(link[1], data={"wish": "erase"})

    after = plain(visitor.get(link[1]).text)
    assert "You took your consent back." in after and "You asked us to delete it." in after
    asked = ours.alice.text("/console/privacy")
    assert "Asked to be forgotten Lena Lead" in asked
    ours.alice.post(f"/console/privacy/{lead}/erase", {"sure": "erase"})
    assert "Asked to be forgotten" not in ours.alice.text("/console/privacy")
    gone = visitor.get(link[1])
    assert gone.status_code == 404 and "Restaurant" not in gone.text and "Restaurant" in page.text
    assert visitor.post(link[1], data={"wish": "withdraw"}).status_code == 404


@pytest.mark.parametrize("change", ["old", "other", "forged"])
def test_a_wrong_link_opens_nothing(small: Office, change: str) -> None:
    _, lead = _talk(small)
    _, other = _talk(small, email="other@example.com")
    pattern = re.compile(r"/told/([^/\"]+)/([^\"]+)")
    mine = pattern.search(small.alice.get(f"/console/privacy/{lead}").text)
    hers = pattern.search(small.alice.get(f"/console/privacy/{other}").text)
    assert mine and hers
    ref, token = mine[1], mine[2]
    if change == "old":
        small.clock.advance(31 * 86400)
    elif change == "other":
        ref = hers[1]
    else:
        token = token[:-3] + "AAA"

    assert small.app.test_client().get(f"/told/{ref}/{token}").status_code == 404


def test_only_admins_see_this_page(small: Office) -> None:
    for visit in (small.sam, small.mark, small.vera):
        assert visit.get("/console/privacy").status_code == 403
        assert visit.post("/console/privacy/1/export.json").status_code == 403


def _rules(ours: Office) -> set[str]:
    return {rule.rule for rule in ours.app.url_map.iter_rules()}

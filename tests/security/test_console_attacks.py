"""Attacks on the console that once worked, or that nothing but luck kept from working."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any

import pytest

from tests.console.office import Office, Visit, office

HUGE = str(2**63)
SURROGATE = json.dumps("\ud800")


@pytest.fixture
def ours(database_url: str, tmp_path: Any) -> Any:
    """The office on both databases."""
    with office(database_url, tmp_path) as found:
        yield found


@pytest.fixture
def small(sqlite_url: str, tmp_path: Any) -> Any:
    """The office on SQLite, for what never reaches a table."""
    with office(sqlite_url, tmp_path) as found:
        yield found


def _packed(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


# What a role may not do in the console, it may not do with the same cookie through the API


def test_a_rep_gives_no_lead_away_through_the_api(ours: Office) -> None:
    ours.hire("Sue", "sales")
    mine, sam = ours.enter_lead(name="Mine", assigned_to="sam@example.com"), ours.sam
    told, path = {"assigned_to": "sue@example.com"}, f"/api/leads/{mine}"

    for method, where in (("PATCH", path), ("POST", "/api/leads")):
        body = {"name": "Given", **told}
        reply = sam.client.open(where, method=method, json=body, headers=_token(sam))
        assert reply.status_code == 403, (method, reply.text)

    assert ours.alice.get(path).json["assigned_to"] == "sam@example.com"
    assert "Given" not in ours.alice.get("/api/leads").text
    for owner in (None, "sam@example.com"):
        reply = sam.client.patch(path, json={"assigned_to": owner}, headers=_token(sam))
        assert reply.status_code == 200 and reply.json["assigned_to"] == owner


def test_a_rep_deletes_no_lead_and_scores_not_everything_anew_through_the_api(
    ours: Office,
) -> None:
    mine, sam = ours.enter_lead(name="Mine", assigned_to="sam@example.com"), ours.sam

    gone = sam.client.delete(f"/api/leads/{mine}", headers=_token(sam))
    anew = sam.client.post("/api/leads/refresh", headers=_token(sam))

    assert (gone.status_code, anew.status_code) == (403, 403)
    assert sam.get(f"/api/leads/{mine}").status_code == 200
    alice = ours.alice
    assert alice.client.delete(f"/api/leads/{mine}", headers=_token(alice)).status_code == 200


# The note in the cookie


def test_nobody_else_puts_a_button_on_our_page(small: Office) -> None:
    """A site on a sibling name can set a cookie here; the button it wants would carry our token."""
    alice, vera = small.alice, small.vera
    evil = {"text": "Your session is over.", "undo": "/console/people/2/disable", "label": "OK"}
    vera.post("/console/profile", {"name": "Vera"})
    real = vera.client.get_cookie("leadline_note", path="/console")
    assert real is not None
    signed, _, _ = real.value.rpartition(".")

    for value in (_packed(evil), f"{signed}.{_packed(evil)}", real.value):
        alice.client.set_cookie("leadline_note", value, path="/console")
        page = alice.get("/console/profile")
        assert page.status_code == 200, value[:40]
        assert "people/2/disable" not in page.text and "Your profile is saved" not in page.text


@pytest.mark.parametrize("value", ["[" * 2_900, '{"text":"\\ud800","undo":null,"label":""}'])
def test_no_cookie_locks_anybody_out(small: Office, value: str) -> None:
    alice = small.alice
    packed = base64.urlsafe_b64encode(value.encode()).decode()
    alice.client.set_cookie("leadline_note", packed, path="/console")

    assert alice.get("/console/profile").status_code == 200


def test_a_note_of_ours_is_still_told_once(small: Office) -> None:
    page = small.alice.post("/console/profile", {"name": "Alice"}, follow=True)

    assert "Your profile is saved." in page.text


# Addresses, numbers and characters that no database holds


def test_no_address_of_the_console_breaks_it(ours: Office) -> None:
    lead = ours.enter_lead(name="Lena")
    alice = ours.alice
    wrong = [
        (path, reply.status_code)
        for path in _addresses(lead)
        if not 400 <= (reply := alice.get(path)).status_code < 500
    ]

    assert wrong == []
    assert alice.get(f"/console/leads/{lead}").status_code == 200


def _addresses(lead: int) -> list[str]:
    numbered = ("leads", "campaigns", "people", "workflow/versions", "privacy")
    named = ("deliveries", "imports", "workflow/jobs", "models", "leads/bulk", "alerts")
    other = "".join(chr(0x660 + int(digit)) for digit in str(lead))
    return [
        *(f"/console/{name}/{number}" for name in numbered for number in (HUGE, "9" * 30)),
        *(f"/console/{name}/a%00b" for name in named),
        f"/console/workflow/drafts/{HUGE}/points",
        f"/console/leads/{other}",
        f"/console/leads/0{lead}",
        f"/console/leads?said=a&said_to={HUGE}",
        "/console/leads?q=a%00b",
        *(f"/console/leads?sort={sort}&cursor={one}" for sort, one in _cursors()),
        *(f"/api/leads?sort={sort}&cursor={one}" for sort, one in _cursors()),
        "/console/deliveries?cursor=" + _packed(["2026-11-21T00:00:00+00:00", "\x00"]),
        "/console/deliveries?cursor=" + _packed(["2026-11-21T00:00:00+00:00", "\ud800"]),
    ]


def _cursors() -> list[tuple[str, str]]:
    texts = [("name", _packed(["name", text, 1])) for text in ("\x00", "\ud800")]
    return [*texts, ("score", _packed(["score", 10**30, 1]))]


def test_no_form_of_the_console_breaks_it(ours: Office) -> None:
    ours.enter_lead(name="Lena")
    alice = ours.alice
    all_of_it = {"action": "campaign", "campaign": "x", "all": "1"}
    forms: list[tuple[str, dict[str, str]]] = [
        ("leads/bulk", {"action": "stage", "stage": "Contacted", "ids": HUGE}),
        ("leads/bulk", {**all_of_it, "query": "q=a%00b"}),
        ("leads/bulk", {**all_of_it, "query": f"said=a&said_to={HUGE}"}),
        ("leads/export", {"format": "csv", "ids": "9" * 30}),
        ("leads/export", {"format": "csv", "all": "1", "query": "stage=%00"}),
        ("leads/views", {"name": "Mine", "query": "stage=%00"}),
        ("leads/views/" + HUGE, {"name": "x"}),
        ("leads/bulk/" + HUGE + "/undo", {}),
        ("leads/merges/" + HUGE + "/part", {}),
    ]

    said = [(path, alice.post(f"/console/{path}", form).status_code) for path, form in forms]

    assert [one for one in said if one[1] not in (404, 422)] == []


def test_a_view_that_holds_what_cannot_be_stored_is_not_kept(ours: Office) -> None:
    alice = ours.alice
    alice.post("/console/leads/views", {"name": "Trap", "query": "q=a%00b", "shared": "1"})

    assert "Trap" not in alice.get("/console/leads").text


# A workflow by hand and by file


def test_a_question_keeps_no_character_that_breaks_its_page(ours: Office) -> None:
    mark = ours.mark
    mark.post("/console/workflow/drafts", {"version": "1"})
    path = "/console/workflow/drafts/1/questions/1"
    form = {"text": "Why?", "type": "text", "slug": "why", "mark": "x", "when": "own"}

    for own in (SURROGATE, '{"subject": "\\u0000", "op": "is", "value": "\\udfff"}', "[" * 5000):
        said = {**form, "own": own, "revision": _revision(mark, path)}
        assert mark.post(path, said).status_code in (303, 422), own[:40]
        assert mark.get(path).status_code == 200


def test_a_language_is_read_from_any_form(ours: Office) -> None:
    mark = ours.mark
    mark.post("/console/workflow/drafts", {"version": "1"})
    first = "/console/workflow/drafts/1/languages"
    mark.post(first, {"locale": "de", "revision": _revision(mark, first)})
    path = f"{first}/de"

    for key in ("[" * 5000, '["\\ud800"]', '["greeting", "\\u0000"]'):
        said = {"t-1-key": key, "t-1-text": "x", "revision": _revision(mark, path)}
        assert mark.post(path, said).status_code in (303, 422), key[:40]
        assert mark.get(path).status_code == 200


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.py", "WORKFLOW_CONFIG = {'name': '\\ud800\\x00', 'questions': []}"),
        ("a\x00b.py", "WORKFLOW_CONFIG = {'name': 'Shop', 'questions': []}"),
        ("a.json", '{"name": "\\ud800", "questions": [{"id": 1, "text": "\\u0000"}]}'),
        ("a.json", '{"questions": ' + "[" * 900 + "]" * 900 + "}"),
        ("a.py", "WORKFLOW_CONFIG = __import__('pathlib').Path('owned').touch()"),
    ],
)
def test_a_hostile_file_is_a_draft_or_refused(ours: Office, name: str, content: str) -> None:
    mark = ours.mark
    file = (io.BytesIO(content.encode()), name)
    reply = mark.post("/console/workflow/import", {"file": file})

    assert reply.status_code in (303, 422), reply.text[:200]
    if reply.status_code == 303:
        for part in ("beginning", "questions", "points", "preview", "publish", "file"):
            page = mark.get(f"/console/workflow/drafts/1/{part}")
            assert page.status_code < 500, part


# Where a reply leads


def test_the_page_somebody_wanted_is_named_in_ascii(small: Office) -> None:
    asked = {"next": "/console/leads?q=日本"}
    reply = small.alice.get("/console/sign-in", part=True, **asked)

    assert reply.headers["HX-Redirect"] == "/console/leads?q=%E6%97%A5%E6%9C%AC"


def _revision(visit: Visit, path: str) -> str:
    """Which state of the draft a page shows."""
    found = re.search(r'name="revision" value="([0-9]+)"', visit.get(path).text)
    assert found, path
    return found[1]


def _token(visit: Visit) -> dict[str, str]:
    return {"X-CSRF-Token": visit.token}


@pytest.mark.parametrize("pattern", ["a?" * 23 + "a" * 23, "(?:a|a)" * 23 + "b"])
def test_no_pattern_of_a_draft_holds_the_server_up(small: Office, pattern: str) -> None:
    """Nothing is repeated in these, and yet each part doubles what there is to try."""
    mark = small.mark
    mark.post("/console/workflow/drafts", {"version": "1"})
    path = "/console/workflow/drafts/1/questions/1"
    said = {"text": "Code?", "type": "text", "slug": "code", "pattern": pattern}

    mark.post(path, {**said, "when": "always", "revision": _revision(mark, path)})

    assert "too many parts" in mark.get(path).text

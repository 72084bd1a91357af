"""The widget's one file and its words: small, cacheable, for any site."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.api.conftest import Caller
from web.widget import files

LIMIT = 15_000


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A built file."""
    file = tmp_path / "widget.js"
    file.write_bytes(b"// built\n" * 100)
    monkeypatch.setattr(files, "BUILT", file)
    return file


def test_the_built_widget_is_small(capsys: pytest.CaptureFixture[str]) -> None:
    if not files.BUILT.exists():
        pytest.skip("The widget is not built.")

    size = len(gzip.compress(files.BUILT.read_bytes(), 9))

    with capsys.disabled():
        print(f"\nThe widget weighs {size} bytes gzipped, of {LIMIT} allowed.")
    assert size <= LIMIT


def test_any_site_may_load_the_script(lite: Caller, built: Path) -> None:
    reply = lite.get("/widget.js")

    assert reply.status_code == 200 and reply.mimetype == "text/javascript"
    assert reply.data == built.read_bytes()
    assert reply.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert reply.headers["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in reply.headers


def test_a_browser_that_has_it_is_told_so(lite: Caller, built: Path) -> None:
    tag = lite.get("/widget.js").headers["ETag"]

    again = lite.get("/widget.js", If_None_Match=tag)
    built.write_bytes(b"// built anew\n")
    anew = lite.get("/widget.js", If_None_Match=tag)

    assert (again.status_code, again.data) == (304, b"")
    assert (anew.status_code, anew.data) == (200, b"// built anew\n")


def test_it_travels_compressed(lite: Caller, built: Path) -> None:
    reply = lite.get("/widget.js", Accept_Encoding="gzip, br")

    assert reply.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(reply.data) == built.read_bytes()
    assert "Accept-Encoding" in reply.headers["Vary"]
    assert reply.headers["ETag"] != lite.get("/widget.js").headers["ETag"]


def test_before_it_is_built_the_page_is_told_how(lite: Caller, built: Path) -> None:
    built.unlink()

    reply = lite.get("/widget.js")

    assert reply.status_code == 503 and reply.headers["Retry-After"]
    assert "make install" in reply.text


def test_its_looks_and_words_come_in_the_language_asked_for(lite: Caller) -> None:
    hindi = lite.get("/api/widget/config", {"locale": "hi-IN"})
    other = lite.get("/api/widget/config", {"locale": "xx"}).json

    assert hindi.headers["Cache-Control"] == "public, max-age=300"
    assert hindi.json["widget"]["launcher"] == "हमसे बात करें"
    assert hindi.json["words"]["send"] == "भेजें"
    assert (other["locale"], other["words"]["send"]) == ("en", "Send")
    assert other["country"] == {"region": "IN", "calling_code": "+91"}
    assert other["proactive"] is None and "questions" not in other


def test_a_session_gets_all_it_shows_in_one_reply_that_nobody_keeps(lite: Caller) -> None:
    session = lite.start(locale="ar")

    reply = lite.get("/api/widget/config", {"session_id": session})

    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.json["dir"] == "rtl"
    assert [one["id"] for one in reply.json["questions"]] == [1, 2, 3, 4, 5]
    assert len(reply.json["menu"]["products"]) == 5 and len(reply.json["calls"]["options"]) == 3
    assert reply.json["closing"] and reply.json["contact"]["fields"] == ["name", "email", "phone"]


def test_rules_and_words_of_the_workflow_are_told(make_caller: object, sqlite_url: str) -> None:
    workflow = {
        "questions": [{"id": 1, "text": "Where?"}],
        "proactive": {"after_seconds": 9, "url_pattern": "/a*"},
        "widget": {"title": "Hey", "words": {"send": "Go!"}, "theme": {"accent": "#123456"}},
        "translations": {"de": {"widget": {"send": "Los!"}}},
    }
    caller = make_caller(sqlite_url, workflow=workflow, tests={})  # type: ignore[operator]

    plain = caller.get("/api/widget/config").json
    german = caller.get("/api/widget/config", {"locale": "de"}).json

    assert plain["proactive"] == {
        "after_seconds": 9,
        "scroll_percent": None,
        "exit_intent": False,
        "url_pattern": "/a*",
        "cap_hours": 24,
    }
    assert plain["widget"]["title"] == "Hey" and plain["widget"]["theme"]["accent"] == "#123456"
    assert (plain["words"]["send"], german["words"]["send"]) == ("Go!", "Los!")


def test_any_site_learns_the_calling_codes_of_all_countries(lite: Caller) -> None:
    reply = lite.get("/widget/countries.json")

    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["Cache-Control"] == "public, max-age=86400"
    assert len(reply.json) > 200
    assert {name: reply.json[name] for name in ("IN", "GB", "US")} == {
        "IN": "+91",
        "GB": "+44",
        "US": "+1",
    }
    assert None not in reply.json.values() and "Set-Cookie" not in reply.headers


@pytest.mark.parametrize(
    ("sent", "e164"),
    [
        ("+44 020 7946 0018", "+442079460018"),
        ("+1 (415) 555-2671", "+14155552671"),
        ("+39 06 698 12345", "+390669812345"),
        ("+7 8 912 345-67-89", "+79123456789"),
    ],
)
def test_a_number_with_the_code_of_the_chosen_country_is_read_whole(
    lite: Caller, sent: str, e164: str
) -> None:
    session = lite.start()

    lite.post("/api/lead/profile", {"session_id": session, "profile_data": {"phone": sent}})

    with lite.app.extensions["leadline"].engine.connect() as connection:
        kept = connection.execute(text("SELECT phone, phone_e164 FROM leads")).one()
    assert tuple(kept) == (sent, e164)


def test_a_session_nobody_has_is_not_found(lite: Caller) -> None:
    assert lite.get("/api/widget/config", {"session_id": "sess_123"}).status_code == 404

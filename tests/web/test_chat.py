"""The plain chat: its steps, its one cookie, and what it does when something is not as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

import main
from config import Settings
from services import unit_of_work
from services.resources import Resources
from web.widget import files

OUR_SCRIPT = '<script src="/widget.js" data-site="chat" async></script>'
EVIL = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"


@pytest.fixture
def chat_app(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The whole application without experiments."""
    settings = Settings(
        _env_file=None, DATABASE_URL=sqlite_url, DATA_DIR=tmp_path, RATE_LIMIT_PER_MINUTE=300
    )
    resources = Resources.from_settings(settings, tests={})
    app = main.create_app(resources=resources)
    app.testing = True
    yield app
    resources.engine.dispose()


@pytest.fixture
def visitor(chat_app: Flask) -> FlaskClient:
    """A person's browser."""
    return chat_app.test_client()


def see(visitor: FlaskClient, path: str, **headers: str) -> TestResponse:
    """A page as a browser asks for it."""
    return visitor.get(path, headers={"Accept": "text/html", **headers})


def send(visitor: FlaskClient, path: str, **fields: Any) -> TestResponse:
    """A form as a browser sends it."""
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
    return visitor.post(path, data=fields, headers=headers)


def session_of(visitor: FlaskClient) -> str:
    """The session that the cookie names."""
    cookie = visitor.get_cookie("leadline_chat", path="/chat")
    assert cookie is not None
    return cookie.value.partition("~")[0]


def rows(app: Flask, statement: str) -> list[tuple[Any, ...]]:
    """What the database holds."""
    with app.extensions["leadline"].engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def lead_of(app: Flask, visitor: FlaskClient) -> dict[str, Any]:
    """The whole record of the visitor."""
    with unit_of_work(app.extensions["leadline"]) as services:
        return services.leads.find_summary(session_of(visitor), full=True)


def answer_all(visitor: FlaskClient) -> TestResponse:
    """The five questions, answered."""
    for slug, answer in (
        ("business_type", "Restaurant"),
        ("location", "Pune"),
        ("staff_size", "2–5"),
        ("monthly_sales", "₹50K–₹2L"),
    ):
        send(visitor, f"/chat/questions/{slug}", answer=answer)
    return send(visitor, "/chat/questions/features_interested", answer=["Billing", "Loyalty"])


def test_the_seven_steps_follow_each_other_and_make_a_lead(
    visitor: FlaskClient, chat_app: Flask
) -> None:
    see(visitor, "/chat?utm_source=news&utm_campaign=spring", Referer="https://example.org/a")
    after = [
        send(visitor, "/chat/greeting", reply="Yes, go ahead").location,
        send(visitor, "/chat/consent", agree="yes").location,
        answer_all(visitor).location,
        send(visitor, "/chat/products", product="billing").location,
        send(visitor, "/chat/contact", name="Asha", email="a@example.com", consent="1").location,
        send(visitor, "/chat/next", cta="book_demo").location,
        send(visitor, "/chat/summary").location,
    ]

    lead = lead_of(chat_app, visitor)
    actions = {row["action"] for row in lead["behaviors"]}
    assert after == [
        "/chat/consent",
        "/chat/questions/business_type",
        "/chat/products",
        "/chat/products#product-billing",
        "/chat/next",
        "/chat/summary",
        "/chat/summary",
    ]
    assert lead["lead_data"]["email"] == "a@example.com" and lead["lead_data"]["closed"]
    assert lead["lead_data"]["features_interested"] == ["Billing", "Loyalty"]
    assert actions >= {"replied_to_greeting", "demo_requested", "clicked_product", "consent_given"}
    assert rows(chat_app, "SELECT given, text_version FROM consents") == [(1, "2026-11")]
    told = "SELECT utm_source, utm_campaign, referrer, surface, landing_page FROM sessions"
    source, campaign, referrer, surface, landing = rows(chat_app, told)[0]
    assert (source, campaign, surface) == ("news", "spring", "chat")
    assert referrer == "https://example.org/a" and landing.endswith("utm_campaign=spring")


def test_the_cookie_is_one_and_for_nobody_else(visitor: FlaskClient, chat_app: Flask) -> None:
    plain = see(visitor, "/chat").headers.getlist("Set-Cookie")
    secure = chat_app.test_client().get("/chat", base_url="https://localhost")

    assert len(plain) == 1
    for flag in ("HttpOnly", "SameSite=Lax", "Path=/chat"):
        assert flag in plain[0]
    assert "Secure" not in plain[0]
    assert "Secure" in secure.headers["Set-Cookie"]


def test_a_forged_cookie_opens_nobody_elses_conversation(
    visitor: FlaskClient, chat_app: Flask
) -> None:
    see(visitor, "/chat")
    send(visitor, "/chat/questions/location", answer="Secretville")
    cookie = visitor.get_cookie("leadline_chat", path="/chat")
    assert cookie is not None
    thief = chat_app.test_client()
    forged = cookie.value[:-4] + "AAAA"
    thief.set_cookie("leadline_chat", forged, path="/chat")

    page = see(thief, "/chat/summary")

    assert page.status_code == 302 and page.location == "/chat"
    assert "Secretville" not in see(thief, "/chat").text
    assert session_of(thief) != session_of(visitor)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_site_cannot_send_a_form(
    visitor: FlaskClient, chat_app: Flask, headers: dict[str, str]
) -> None:
    see(visitor, "/chat")

    for path in ("/chat/questions/location", "/chat/summary", "/chat/again"):
        reply = visitor.post(path, data={"answer": "Planted"}, headers=headers)
        assert reply.status_code == 403
        assert "Planted" not in reply.text
    assert rows(chat_app, "SELECT count(*) FROM answers") == [(0,)]


def test_our_own_pages_send_forms_by_origin_too(visitor: FlaskClient) -> None:
    page = see(visitor, "/chat")
    headers = {"Origin": "http://localhost"}

    reply = visitor.post("/chat/questions/location", data={"answer": "Pune"}, headers=headers)

    assert reply.status_code == 303
    # With `no-referrer` a browser would name `null` as the origin of our own forms.
    assert page.headers["Referrer-Policy"] == "same-origin"


def test_hostile_texts_are_shown_as_text(visitor: FlaskClient) -> None:
    see(visitor, "/chat")
    send(visitor, "/chat/questions/location", answer=EVIL)
    send(visitor, "/chat/questions/business_type", answer=EVIL)
    asked_again = see(visitor, "/chat/questions/business_type").text
    send(visitor, "/chat/questions/business_type", answer=EVIL)
    send(visitor, "/chat/contact", name=EVIL, email=EVIL, consent="1")
    wrong_contact = see(visitor, "/chat/contact").text
    send(visitor, "/chat/contact", name=EVIL, email="a@example.com", consent="1")

    pages = [asked_again, wrong_contact]
    for path in ("questions/business_type", "questions/staff_size", "contact", "next", "summary"):
        pages.append(see(visitor, f"/chat/{path}").text)
    for page in pages:
        page = page.replace(OUR_SCRIPT, "")
        assert "<script" not in page and "<img" not in page
        assert "49" not in re.sub(r"\d{3,}", "", page)
    assert "&lt;script&gt;" in pages[-1]


def test_an_answer_is_asked_again_with_what_was_typed(visitor: FlaskClient) -> None:
    see(visitor, "/chat")

    reply = send(visitor, "/chat/questions/business_type", answer="Restorant or so")

    page = see(visitor, "/chat/questions/business_type").text
    assert (reply.status_code, reply.location) == (303, "/chat/questions/business_type")
    assert 'role="alert"' in page and 'value="Restorant or so"' in page
    assert re.search(r'<button[^>]*name="pick"[^>]*value="Restaurant"', page)
    assert "Restorant" not in see(visitor, "/chat/questions/location").text


def test_what_does_not_fit_a_cookie_is_not_lost(visitor: FlaskClient, chat_app: Flask) -> None:
    see(visitor, "/chat")
    long_text = " ".join(str(number * 7919) for number in range(2500))
    simple_text = "again " * 8000

    simple = send(visitor, "/chat/questions/location", answer=simple_text)
    reply = send(visitor, "/chat/questions/location", answer=long_text)

    assert reply.status_code == 422
    assert simple_text.strip() in simple.text
    assert long_text in reply.text and "Could you say it in fewer words?" in reply.text
    assert rows(chat_app, "SELECT count(*) FROM answers") == [(0,)]


def test_wrong_contact_keeps_nothing_and_every_field(visitor: FlaskClient, chat_app: Flask) -> None:
    see(visitor, "/chat")

    send(visitor, "/chat/contact", name="Asha", email="nobody", phone="9123456789")

    page = see(visitor, "/chat/contact").text
    for value in ("Asha", "nobody", "9123456789"):
        assert f'value="{value}"' in page
    assert 'aria-describedby="problem-email"' in page
    assert 'id="problem-consent"' in page and 'id="problem-phone"' not in page
    assert lead_of(chat_app, visitor)["lead_data"]["name"] is None


def test_consent_can_be_taken_back_and_contact_removed(
    visitor: FlaskClient, chat_app: Flask
) -> None:
    see(visitor, "/chat")
    send(visitor, "/chat/contact", name="Asha", email="a@example.com", consent="1")

    send(visitor, "/chat/contact", name="", email="")

    assert lead_of(chat_app, visitor)["lead_data"]["email"] is None
    given = [row[0] for row in rows(chat_app, "SELECT given FROM consents ORDER BY id")]
    assert given == [1, 0]


def test_everything_can_be_skipped(visitor: FlaskClient, chat_app: Flask) -> None:
    see(visitor, "/chat")
    send(visitor, "/chat/consent", agree="no")
    for slug in ("location", "monthly_sales", "features_interested"):
        send(visitor, f"/chat/questions/{slug}", skip="1", answer="ignored")

    required = send(visitor, "/chat/questions/business_type", skip="1")
    contact = send(visitor, "/chat/contact", skip="1", name="ignored")

    assert required.location == "/chat/questions/business_type"
    assert "Leave for later" in see(visitor, "/chat/questions/business_type").text
    assert contact.location == "/chat/next"
    assert see(visitor, "/chat/summary").text.count("Skipped") == 3
    assert rows(chat_app, "SELECT count(*) FROM consents") == [(0,)]


def test_an_edit_comes_back_to_the_summary(visitor: FlaskClient) -> None:
    see(visitor, "/chat")
    answer_all(visitor)

    refused = send(visitor, "/chat/questions/staff_size", answer="many?", then="summary")
    kept = send(visitor, "/chat/questions/staff_size", answer="50+", then="summary")

    assert refused.location == "/chat/questions/staff_size?then=summary"
    assert kept.location == "/chat/summary"
    assert "50+" in see(visitor, "/chat/summary").text


def test_a_closed_conversation_takes_nothing_more_and_says_so(
    visitor: FlaskClient, chat_app: Flask
) -> None:
    see(visitor, "/chat")
    send(visitor, "/chat/summary")

    late = send(visitor, "/chat/questions/location", answer="Too late")

    page = see(visitor, late.location).text
    assert (late.status_code, late.location) == (303, "/chat/summary")
    assert "Too late" in page and "was not added" in page and ">Change" not in page
    assert see(visitor, "/chat/contact").location == "/chat/summary"
    assert rows(chat_app, "SELECT count(*) FROM answers") == [(0,)]


def test_one_can_start_again(visitor: FlaskClient, chat_app: Flask) -> None:
    see(visitor, "/chat?lang=ar")
    before = session_of(visitor)
    send(visitor, "/chat/summary")

    reply = send(visitor, "/chat/again")

    page = see(visitor, reply.location)
    assert session_of(visitor) != before
    assert '<html lang="ar" dir="rtl">' in page.text
    assert rows(chat_app, "SELECT count(*) FROM sessions") == [(2,)]


@pytest.mark.parametrize("cookie", ["", "sess_x~v1.aaaaaaaa.1.b", "~~~", "é~", "a~b~c" * 500])
def test_a_dead_cookie_quietly_starts_anew(visitor: FlaskClient, cookie: str) -> None:
    visitor.set_cookie("leadline_chat", cookie, path="/chat")

    page = see(visitor, "/chat/products")

    assert page.location == "/chat"
    assert see(visitor, "/chat").status_code == 200
    assert session_of(visitor).startswith("sess_")


def test_a_page_that_outlived_its_conversation_keeps_what_was_typed(
    visitor: FlaskClient, chat_app: Flask
) -> None:
    see(visitor, "/chat")
    before = session_of(visitor)
    with unit_of_work(chat_app.extensions["leadline"]) as services:
        services.session.execute(text("UPDATE leads SET deleted_at = '2026-01-01 00:00:00'"))

    reply = send(visitor, "/chat/questions/location", answer="Nashik")

    page = see(visitor, reply.location).text
    assert reply.location == "/chat/questions/location"
    assert session_of(visitor) != before
    assert 'value="Nashik"' in page and "began anew" in page


def test_too_many_requests_are_refused_in_friendly_words(sqlite_url: str, tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None, DATABASE_URL=sqlite_url, DATA_DIR=tmp_path, RATE_LIMIT_PER_MINUTE=2
    )
    app = main.create_app(settings)
    visitor = app.test_client()
    see(visitor, "/chat")
    for _ in range(2):
        see(visitor, "/chat/greeting")

    reply = send(visitor, "/chat/questions/location", answer="Nashik")

    app.extensions["leadline"].engine.dispose()
    assert reply.status_code == 429
    assert int(reply.headers["Retry-After"]) >= 1
    assert "a little fast" in reply.text and "Nashik" in reply.text


def test_a_filled_honeypot_is_noted(visitor: FlaskClient, chat_app: Flask) -> None:
    see(visitor, "/chat")

    send(visitor, "/chat/greeting", reply="Yes, go ahead", website="http://spam.example")

    assert rows(chat_app, "SELECT suspicion FROM sessions") == [("honeypot",)]


@pytest.mark.parametrize(
    ("path", "accepted", "lang"),
    [
        ("/chat?lang=hi", "en", "hi"),
        ("/chat", "ar-EG,en;q=0.5", "ar"),
        ("/chat", "xx,hi;q=0.9", "hi"),
        ("/chat?lang=%00../..", "zz", "en"),
    ],
)
def test_it_speaks_the_visitors_language(
    visitor: FlaskClient, path: str, accepted: str, lang: str
) -> None:
    page = see(visitor, path, **{"Accept-Language": accepted})

    assert f'<html lang="{lang}"' in page.text


def test_pages_are_not_cached_and_hold_nothing_inline(visitor: FlaskClient) -> None:
    page = see(visitor, "/chat")
    address = re.findall(r'href="(/assets/[^"]+)"', page.text)[0]
    style = see(visitor, address)
    style.close()

    assert page.headers["Cache-Control"] == "no-store"
    assert "style-src 'self'" in page.headers["Content-Security-Policy"]
    assert " style=" not in page.text and "<style" not in page.text
    assert style.status_code == 200 and "immutable" in style.headers["Cache-Control"]
    assert see(visitor, "/assets/chat/chat.py").status_code == 404


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A widget that is built."""
    file = tmp_path / "widget.js"
    file.write_bytes(b"// built")
    monkeypatch.setattr(files, "BUILT", file)


def handed(page: str) -> tuple[str, str] | None:
    """The session and the token that a page holds for its script."""
    found = re.search(r'data-leadline data-session="([^"]+)" data-token="([^"]+)"', page)
    return (found[1], found[2]) if found else None


def test_with_a_script_a_page_hands_over_the_session_that_its_cookie_names(
    visitor: FlaskClient, chat_app: Flask, built: None
) -> None:
    first = see(visitor, "/chat")
    send(visitor, "/chat/questions/location", answer="Pune")
    later = see(visitor, "/chat/questions/staff_size")

    session, token = handed(first.text) or ("", "")
    summary = visitor.get(f"/api/lead/summary/{session}", headers={"X-Visitor-Token": token})
    stranger = visitor.get(f"/api/lead/summary/{session}", headers={"X-Visitor-Token": "no"})
    assert session == session_of(visitor) and (handed(later.text) or [""])[0] == session
    assert summary.json["answers"][0]["answer_text"] == "Pune"
    assert stranger.status_code in (401, 403) or "Pune" not in stranger.text
    assert first.headers["Cache-Control"] == later.headers["Cache-Control"] == "no-store"
    assert OUR_SCRIPT in first.text
    assert rows(chat_app, "SELECT count(*) FROM sessions") == [(1,)]


def test_a_page_with_something_to_say_about_what_was_typed_is_not_handed_over(
    visitor: FlaskClient, built: None
) -> None:
    see(visitor, "/chat")
    send(visitor, "/chat/questions/business_type", answer="Restorant or so")

    page = see(visitor, "/chat/questions/business_type").text

    assert 'value="Restorant or so"' in page
    assert handed(page) is None and "<script" not in page


def test_a_widget_that_is_not_built_is_not_waited_for(
    visitor: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files, "BUILT", tmp_path / "none.js")

    page = see(visitor, "/chat").text

    assert handed(page) is None and "<script" not in page


def test_the_pages_former_address_leads_to_it_with_all_it_was_asked(visitor: FlaskClient) -> None:
    reply = see(visitor, "/chat/live?lang=ar&utm_source=a%26b")

    assert (reply.status_code, reply.location) == (301, "/chat?lang=ar&utm_source=a%26b")
    assert see(visitor, "/chat/live").location == "/chat"


def test_the_pages_say_their_words_as_the_workflow_wants(
    sqlite_url: str, tmp_path: Path, built: None
) -> None:
    workflow = {
        "name": "Shop",
        "questions": [{"id": 1, "slug": "place", "text": "Where?", "required": False}],
        "widget": {"words": {"send": "Off it goes", "back": "{Back}", "progress": "{n}/{m} {x}"}},
        "translations": {"de": {"widget": {"send": "Los", "back": "Zurück"}}},
    }
    settings = Settings(_env_file=None, DATABASE_URL=sqlite_url, DATA_DIR=tmp_path)
    ours = Resources.from_settings(settings, workflow=workflow, tests={})
    app = main.create_app(resources=ours)
    english, german = app.test_client(), app.test_client()
    see(english, "/chat")
    see(german, "/chat?lang=de")

    pages = [see(one, "/chat/questions/place").text for one in (english, german)]

    ours.engine.dispose()
    assert ">Off it goes</button>" in pages[0] and "{Back}" in pages[0]
    assert "1/1 {x}" in pages[0]
    assert ">Los</button>" in pages[1] and "Zurück" in pages[1]


def test_strange_requests_find_kind_pages(visitor: FlaskClient) -> None:
    see(visitor, "/chat")

    assert see(visitor, "/chat/nowhere").location == "/chat"
    assert see(visitor, "/chat/questions/nothing").location == "/chat"
    assert send(visitor, "/chat/questions/nothing", answer="x").location == "/chat"
    assert send(visitor, "/chat/products", product="\x00").location == "/chat/products"
    assert send(visitor, "/chat/next").location == "/chat/next"
    assert send(visitor, "/chat/questions/location", answer="x" * 70_000).status_code == 413
    assert visitor.head("/chat").status_code == 200


def test_the_shop_stands_in_development_only(visitor: FlaskClient, sqlite_url: str) -> None:
    settings = Settings(
        _env_file=None,
        DATABASE_URL=sqlite_url,
        FLASK_ENV="production",
        SECRET_KEY="k3v9x7q1m5n8b2w6z4p0r5t9y3u7i1o8",
    )
    app = main.create_app(settings)
    shop = see(visitor, "/")
    production = app.test_client().get("/")

    app.extensions["leadline"].engine.dispose()
    assert "YouShop" in shop.text and "/api/lead/export/" in shop.text
    assert production.location == "/chat"


def test_every_language_has_every_word() -> None:
    from engine.widget_words import WORDS

    for name, words in WORDS.items():
        assert words.keys() == WORDS["en"].keys(), name
        for key, word in words.items():
            wanted = set(re.findall(r"\{\w+\}", WORDS["en"][key]))
            assert set(re.findall(r"\{\w+\}", word)) == wanted, (name, key)


def test_the_draft_in_the_cookie_is_believed_only_in_its_shape(chat_app: Flask) -> None:
    from web.widget.cookie import _packed, _unpacked, Draft

    draft = Draft("/chat/contact", "", {"name": ["É"]}, {"name": "No."}, ["a"])

    assert _unpacked(_packed(draft)) == draft
    for broken in ("", "A", "é", json.dumps({}), _packed(draft)[:-30], _packed(draft)[5:]):
        assert _unpacked(broken) is None

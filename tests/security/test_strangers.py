"""What a stranger sees of a person: nothing, in any reply, log or count."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from lib import logging
from tests.shop import Shop, bearer

READS = (
    "/api/lead/summary/{}",
    "/api/score/{}",
    "/api/lead/export/{}",
    "/api/lead/export/{}?format=csv",
    "/api/lead/export/{}?format=vcard",
    "/api/questions?session_id={}",
    "/api/product-menu?session_id={}",
    "/api/cta-options?session_id={}",
    "/api/leads?q={}",
    "/api/leads/{}",
)
ELSEWHERE = ("/api/leads", "/api/analytics/leads", "/metrics", "/health", "/api/openapi.json")


def canaries(number: int) -> dict[str, str]:
    """A person whom one would recognise anywhere."""
    return {
        "name": f"Kanarienvogel{number}x Zwitscher",
        "email": f"kanarie{number}x@zwitscher{number}x.example.com",
        "phone": f"+4930{7700000 + number}",
        "company": f"Voliere{number}x GmbH",
        "location": f"Vogelsang{number}x",
        "secret_wish": f"Wunsch{number}x",
    }


def journey(ours: Shop, number: int) -> tuple[str, list[str]]:
    """A session that told all of it, and the words that nobody else may read."""
    person = canaries(number)
    session = ours.start(
        utm_source=f"Quelle{number}x", referrer=f"https://e.example.com/?q=Verweis{number}x"
    )["session_id"]
    client = ours.app.test_client()
    place = {"session_id": session, "question_id": 2, "answer_text": person["location"]}
    assert client.post("/api/answer", json=place).status_code == 200
    for _ in range(2):
        other = {"session_id": session, "question_id": 1, "answer_text": f"Sonstiges{number}x"}
        assert client.post("/api/answer", json=other).status_code == 200
    action = {"action": "clicked_product", "metadata": {"product": f"Produkt{number}x"}}
    client.post("/api/behavior", json={"session_id": session, **action})
    said = client.post("/api/lead/profile", json={"session_id": session, "profile_data": person})
    assert said.status_code == 200, said.text
    words = [person["phone"][-9:], person["phone"], person["email"], person["secret_wish"]]
    words += [person["company"].split()[0], person["location"], person["name"].split()[0]]
    words += [f"{kind}{number}x" for kind in ("Quelle", "Verweis", "Sonstiges", "Produkt")]
    return session, [*words, f"zwitscher{number}x"]


def leaks(client: FlaskClient, path: str, words: list[str]) -> list[str]:
    """The words that this read gave away."""
    reply = client.get(path)
    assert reply.status_code < 500, path
    seen = (reply.get_data(as_text=True) + str(reply.headers)).casefold()
    return [f"{word} in {path}" for word in words if word.casefold() in seen]


def test_fifty_live_ids_give_nobody_away(ours: Shop) -> None:
    told = [journey(ours, number) for number in range(50)]
    client = ours.app.test_client()
    everything = [word for _, words in told for word in words]

    found = [
        leak
        for session, words in told
        for path in READS
        for leak in leaks(client, path.format(session), words)
    ]
    found += [leak for path in ELSEWHERE for leak in leaks(client, path, everything)]
    # The canaries sing where they may, or this test would prove nothing.
    heard = client.get(
        f"/api/lead/summary/{told[0][0]}", headers=bearer(ours.new_key("leads:read"))
    ).get_data(as_text=True)

    assert found == []
    assert all(word in heard for word in (*canaries(0).values(), "Quelle0x", "Sonstiges0x"))


@pytest.mark.parametrize("guesses", [1_000, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_guessed_ids_are_unknown(small: Shop, guesses: int) -> None:
    _, words = journey(small, 1)
    client = small.app.test_client()
    for guess in range(guesses):
        path = READS[guess % 2].format(f"sess_{secrets.token_urlsafe(24)}")
        reply = client.get(path)
        assert reply.status_code == 404
        text = reply.get_data(as_text=True)
        assert not any(word in text for word in words)


@contextmanager
def listening() -> Iterator[io.StringIO]:
    """Everything that is logged or printed, as production logs it."""
    heard = io.StringIO()
    with redirect_stderr(heard), redirect_stdout(heard):
        logging.configure("DEBUG", None, json=True)
        yield heard
    logging.configure("INFO", None, json=False)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_log_of_a_whole_journey_names_nobody(ours: Shop) -> None:
    with listening() as heard:
        session, words = journey(ours, 7)
        key = ours.new_key("admin")
        token = ours.start()["visitor_token"]
        client = ours.app.test_client()
        for path in READS:
            client.get(path.format(session), headers=bearer(key))
            client.get(path.format(session), headers={"X-Visitor-Token": token})
        body = {"session_id": session, "question_id": 99, "answer_text": words[0]}
        client.post("/api/answer", json=body)
        client.post("/api/lead/profile", data=f'{{"session_id": "{session}", {words[0]}')
        lead = {"name": words[6], "email": words[2]}
        client.post("/api/leads", json=lead, headers=bearer(key))
    logged = heard.getvalue()

    assert "/api/lead/summary/<session_id>" in logged
    assert [word for word in (*words, session, token, key) if word in logged] == []


@pytest.mark.parametrize("json", [True, False], ids=["production", "console"])
def test_the_log_of_a_failure_repeats_no_words_of_a_visitor(ours: Shop, json: bool) -> None:
    session, words = journey(ours, 8)
    with ours.resources.engine.begin() as connection:
        connection.execute(text("ALTER TABLE answers RENAME TO lost"))
    client = ours.app.test_client()
    heard = io.StringIO()
    with redirect_stderr(heard), redirect_stdout(heard):
        logging.configure("DEBUG", None, json=json)
        body = {"session_id": session, "question_id": 2, "answer_text": words[6]}
        reply = client.post("/api/answer", json=body)
    logging.configure("INFO", None, json=False)
    logged = heard.getvalue()

    assert reply.status_code in (500, 503)
    assert "sqlalchemy" in logged
    assert [word for word in (*words, session) if word in logged] == []

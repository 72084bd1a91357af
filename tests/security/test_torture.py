"""Bodies that break naive servers: the same refusal on both databases, and never a 5xx."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.shop import Shop, bearer, shop

DEEP = 100_000
# Each is put where its kind belongs: `%` stands for the session's id.
RAW = {
    "nothing": b"",
    "blanks": b" \n\t",
    "no JSON": b"hello",
    "half": b'{"session_id": "%"',
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "string": b'"%"',
    "list": b"[]",
    "list of it": b'[{"session_id": "%"}]',
    "empty object": b"{}",
    "duplicate key": b'{"session_id": "%", "session_id": "sess_other"}',
    "NaN": b'{"session_id": "%", "question_id": 2, "time_taken": NaN, "answer_text": "x"}',
    "Infinity": b'{"session_id": "%", "question_id": 2, "time_taken": Infinity}',
    "minus Infinity": b'{"session_id": "%", "question_id": 2, "time_taken": -Infinity}',
    "1e999": b'{"session_id": "%", "question_id": 2, "time_taken": 1e999, "answer_text": "x"}',
    "deep lists": b'{"session_id": "%", "metadata": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep open": b'{"a":' * 2000,
    "depth 990": b'{"profile_data":' + b'{"a":' * 990 + b"1" + b"}" * 990 + b"}",
    "BOM": b'\xef\xbb\xbf{"session_id": "%"}',
    "latin-1": b'{"session_id": "%", "question_id": 2, "answer_text": "caf\xe9"}',
    "broken UTF-8": b'{"session_id": "%", "question_id": 2, "answer_text": "\xff\xfe"}',
    "UTF-16": '{"session_id": "x"}'.encode("utf-16"),
    "overlong": b'{"session_id": "%", "question_id": 2, "answer_text": "\xc0\x80"}',
    "raw NUL": b'{"session_id": "%", "question_id": 2, "answer_text": "a\x00b"}',
    "comment": b'{"session_id": "%" /* hi */}',
    "single quotes": b"{'session_id': '%'}",
    "trailing comma": b'{"session_id": "%",}',
    "5,000 digits": b'{"session_id": "%", "question_id": ' + b"9" * 5000 + b"}",
    "too large": b'{"session_id": "%", "answer_text": "' + b"x" * 80_000 + b'"}',
}
# And every field of every route gets each of these in turn.
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "minus one": -1,
    "half": 0.5,
    "2**31": 2**31,
    "2**53": 2**53 + 1,
    "2**63": 2**63,
    "-2**63-1": -(2**63) - 1,
    "1e308": 1e308,
    "empty": "",
    "blank": "   ",
    "NUL": "a\x00b",
    "lone surrogate": "\ud800",
    "emoji": "😀\u200d\u202e",
    "arabic digit": "٣",
    "long": "x" * 4000,
    "very long": "x" * 20_000,
    "quotes": "'; DROP TABLE leads; --",
    "format": "%s%n{0}{__class__}",
    "list": [],
    "list of null": [None],
    "nested list": [[["x"]]],
    "many": ["x"] * 200,
    "object": {},
    "NUL key": {"a\x00b": 1},
    "surrogate key": {"\udfff": 1},
    "empty key": {"": ""},
    "long key": {"k" * 300: "v"},
    "proto": {"__proto__": {"x": 1}, "constructor": 1},
    "nested": {"a": {"b": {"c": [1, None, "x"]}}},
}
SHAPES: dict[str, dict[str, Any]] = {
    "/api/session/start": {
        "utm_source": "a",
        "referrer": "b",
        "locale": "en",
        "visitor_id": "v",
        "consent": True,
        "surface": "api",
        "honeypot": "",
    },
    "/api/answer": {
        "session_id": "%",
        "question_id": 2,
        "answer_text": "Pune",
        "time_taken": 3,
        "skip": False,
    },
    "/api/behavior": {"session_id": "%", "action": "clicked_product", "metadata": {"product": "x"}},
    "/api/lead/profile": {"session_id": "%", "profile_data": {"name": "Ann"}, "honeypot": ""},
    "/api/ab-test/variant/greeting_message": {"session_id": "%"},
    "/api/ab-test/conversion": {
        "session_id": "%",
        "test_name": "greeting_message",
        "conversion_type": "click",
        "value": 1,
    },
    "/api/leads": {
        "name": "Ann",
        "email": "ann@example.com",
        "phone": "9123456789",
        "features_interested": ["Billing"],
        "attributes": {"a": 1},
        "stage": "New",
        "source": "fair",
    },
    "PATCH /api/leads/#": {"name": "Bob", "email": "bob@example.com", "assigned_to": "x"},
}
PROFILE_FIELDS = ("name", "email", "phone", "staff_size", "features_interested", "mine")
TYPES = (None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=x")


@pytest.fixture
def both(sqlite_template: Path, postgres_server: Any, tmp_path: Path) -> Iterator[list[Shop]]:
    """The application on SQLite and, beside it, on PostgreSQL."""
    from tests.conftest import TEMPLATE, _create, _execute

    file = tmp_path / "one.db"
    file.write_bytes(sqlite_template.read_bytes())
    name = "torture_" + tmp_path.name.replace("-", "_").lower()[-20:]
    _create(postgres_server, name, template=TEMPLATE)
    with shop(f"sqlite:///{file}", tmp_path) as one:
        with shop(postgres_server.url(name), tmp_path) as other:
            yield [one, other]
    _execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


class Victim:
    """One application with a session and a lead to write to."""

    def __init__(self, ours: Shop) -> None:
        self.client = ours.app.test_client()
        self.headers = bearer(ours.new_key("admin"))
        self.session = ours.start()["session_id"]
        reply = self.client.post("/api/leads", json={"name": "Zoe"}, headers=self.headers)
        self.lead = str(reply.json["id"])

    def send(self, route: str, raw: bytes, kind: str | None = "application/json") -> int:
        """The status of a write with this body."""
        method, _, path = route.rpartition(" ")
        raw = raw.replace(b"%", self.session.encode())
        headers = {**self.headers, **({"Content-Type": kind} if kind else {})}
        reply = self.client.open(
            path.replace("#", self.lead), method=method or "POST", data=raw, headers=headers
        )
        if reply.status_code >= 400:
            assert set(reply.json) == {"error"}, reply.text
        return reply.status_code

    def put(self, route: str, body: Any) -> int:
        """The status of a write with this object."""
        return self.send(route, json.dumps(body).encode())


def _differences(both: list[Shop], sent: dict[str, tuple[str, bytes, str | None]]) -> list[str]:
    """The bodies that were answered with a 5xx, or differently by the two databases."""
    victims = [Victim(one) for one in both]
    wrong = []
    for name, (route, raw, kind) in sent.items():
        statuses = [victim.send(route, raw, kind) for victim in victims]
        if max(statuses) >= 500 or len(set(statuses)) > 1:
            wrong.append(f"{name} to {route}: {statuses}")
    return wrong


@pytest.mark.postgres
def test_no_raw_body_breaks_a_write_route(both: list[Shop]) -> None:
    sent = {
        f"{name} {route}": (route, raw, "application/json")
        for route in SHAPES
        for name, raw in RAW.items()
    }

    assert len(RAW) >= 30
    assert _differences(both, sent) == []


@pytest.mark.postgres
def test_no_value_in_any_field_breaks_a_write_route(both: list[Shop]) -> None:
    sent = {}
    for route, shape in SHAPES.items():
        for field in shape:
            for name, value in VALUES.items():
                raw = json.dumps({**shape, field: value}).encode()
                sent[f"{name} in {field} {route}"] = (route, raw, "application/json")
    for field in PROFILE_FIELDS:
        for name, value in VALUES.items():
            body = {"session_id": "%", "profile_data": {field: value}}
            raw = json.dumps(body).encode()
            sent[f"{name} in profile {field}"] = ("/api/lead/profile", raw, "application/json")

    assert _differences(both, sent) == []


@pytest.mark.postgres
def test_no_type_or_encoding_of_a_body_breaks_a_write_route(both: list[Shop]) -> None:
    sent = {}
    for route, shape in SHAPES.items():
        for kind in TYPES:
            sent[f"{kind} {route}"] = (route, json.dumps(shape).encode(), kind)
        packed = gzip.compress(json.dumps(shape).encode())
        sent[f"gzip {route}"] = (route, packed, "application/json")

    assert _differences(both, sent) == []


@pytest.mark.postgres
def test_texts_of_every_script_come_back_as_they_went_in(both: list[Shop]) -> None:
    texts = ["😀👩‍👩‍👧", "مرحبا", "‮abc", "नमस्ते", "a\u0301", "ﷺ", "\u200b.", "x\ny", "\\u0041"]
    for ours in both:
        victim = Victim(ours)
        for text in texts:
            victim.put("/api/lead/profile", {"session_id": "%", "profile_data": {"mine": text}})
            reply = victim.client.get(f"/api/lead/summary/{victim.session}", headers=victim.headers)
            assert reply.json["lead_data"]["mine"] == text

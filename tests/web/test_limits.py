"""Limits are exact, say when to come again, and outlive their store."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import MakeApp, at_once, bearer, new_key

PER_MINUTE = 4


def notes(client: FlaskClient, count: int, session: str = "sess_1", **more: Any) -> Counter[int]:
    """How many of so many notes got which status."""
    body = {"session_id": session, "question_id": 1}
    return Counter(client.post("/api/answer", json=body, **more).status_code for _ in range(count))


def test_a_session_may_ask_exactly_so_often(make_app: MakeApp, sqlite_url: str) -> None:
    client = make_app(sqlite_url, RATE_LIMIT_PER_MINUTE=PER_MINUTE).test_client()

    assert notes(client, 10) == {200: PER_MINUTE, 429: 6}
    assert notes(client, 1, session="sess_2") == {200: 1}


def test_the_limit_is_exact_for_requests_at_once(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, RATE_LIMIT_PER_MINUTE=PER_MINUTE)

    results = at_once(*[lambda: notes(app.test_client(), 2) for _ in range(8)])

    assert sum(results, Counter()) == {200: PER_MINUTE, 429: 12}


def test_a_refusal_says_when_to_come_again(make_app: MakeApp, sqlite_url: str) -> None:
    client = make_app(sqlite_url, RATE_LIMIT_PER_MINUTE=1).test_client()
    notes(client, 1)

    reply = client.post("/api/answer", json={"session_id": "sess_1", "question_id": 1})

    assert reply.json["error"]["code"] == "rate_limited"
    assert 1 <= int(reply.headers["Retry-After"]) <= 61


def test_reads_count_too(make_app: MakeApp, sqlite_url: str) -> None:
    client = make_app(sqlite_url, RATE_LIMIT_PER_MINUTE=PER_MINUTE).test_client()

    got = Counter(client.get("/api/score/sess_1").status_code for _ in range(6))

    assert got == {200: PER_MINUTE, 429: 2}


def test_a_program_that_reads_with_its_key_leaves_the_visitor_their_minute(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, RATE_LIMIT_PER_MINUTE=PER_MINUTE)
    client, headers = app.test_client(), bearer(new_key(app, "leads:read"))

    got = Counter(client.get("/api/score/sess_1", headers=headers).status_code for _ in range(9))

    assert got == {200: 9}
    assert notes(client, PER_MINUTE) == {200: PER_MINUTE}


def test_an_address_may_ask_ten_times_as_often(make_app: MakeApp, sqlite_url: str) -> None:
    client = make_app(sqlite_url, RATE_LIMIT_PER_MINUTE=1).test_client()

    got = Counter(client.get(path).status_code for path in ["/api/leads", "/chat"] * 6)
    reply = client.get("/api/leads")

    assert (got[401] + got[200], got[429]) == (10, 2)
    assert reply.json["error"]["code"] == "rate_limited"
    assert 1 <= int(reply.headers["Retry-After"]) <= 61
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_forged_addresses_move_no_limit(make_app: MakeApp, sqlite_url: str, proxies: int) -> None:
    client = make_app(sqlite_url, RATE_LIMIT_PER_MINUTE=1, TRUSTED_PROXIES=proxies).test_client()
    # What the trusted proxies added stands last; the caller wrote the rest.
    added = ", ".join(["203.0.113.9", "10.0.0.2"][2 - proxies :])

    got = Counter(
        client.get(
            "/api/leads", headers={"X-Forwarded-For": f"198.51.100.{turn}, {added}".rstrip(", ")}
        ).status_code
        for turn in range(15)
    )

    assert got == {401: 10, 429: 5}


def test_one_network_of_ipv6_is_one_address(make_app: MakeApp, sqlite_url: str) -> None:
    client = make_app(sqlite_url, RATE_LIMIT_PER_MINUTE=1).test_client()

    def ask(address: str) -> int:
        status: int = client.get(
            "/api/leads", environ_overrides={"REMOTE_ADDR": address}
        ).status_code
        return status

    got = Counter(ask(f"2001:db8::{turn:x}") for turn in range(12))

    assert got == {401: 10, 429: 2}
    assert ask("2001:db8:0:1::1") == 401


@pytest.mark.parametrize(("workers", "share"), [(2, 2), (3, 1), (99, 1)])
def test_without_a_store_each_worker_allows_its_share(
    make_app: MakeApp, sqlite_url: str, workers: int, share: int
) -> None:
    client = make_app(
        sqlite_url, RATE_LIMIT_PER_MINUTE=PER_MINUTE, LEADLINE_WORKERS=workers
    ).test_client()

    assert notes(client, 6)[200] == share


def test_with_a_store_all_workers_count_together(
    make_app: MakeApp, sqlite_url: str, redis_url: str
) -> None:
    chosen = {
        "RATE_LIMIT_PER_MINUTE": PER_MINUTE,
        "LEADLINE_WORKERS": 2,
        "RATE_LIMIT_STORAGE_URL": redis_url,
    }
    one, two = (make_app(sqlite_url, **chosen).test_client() for _ in range(2))

    assert notes(one, 3, session="sess_shared") == {200: 3}
    assert notes(two, 3, session="sess_shared") == {200: 1, 429: 2}


def test_a_store_that_is_away_stops_nobody(make_app: MakeApp, sqlite_url: str) -> None:
    client = make_app(
        sqlite_url,
        RATE_LIMIT_PER_MINUTE=PER_MINUTE,
        LEADLINE_WORKERS=2,
        RATE_LIMIT_STORAGE_URL="redis://127.0.0.1:9/0",
    ).test_client()

    assert notes(client, 6) == {200: PER_MINUTE // 2, 429: 4}

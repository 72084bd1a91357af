"""One request, one transaction; one key, one effect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, Response
from sqlalchemy import event, exc, func, select
from sqlalchemy.orm import Session

from database import session_scope
from lib.clock import SettableClock
from models import ApiKey, StoredReply
from tests.web.conftest import MakeApp, at_once, bearer, new_key
from web.unit_of_work import perform, services

NOTE = {"session_id": "sess_1", "question_id": 1, "answer_text": "a"}
LONG_KEY = "a-key-nobody-guesses"


@pytest.fixture
def both(make_app: MakeApp, database_url: str) -> Flask:
    """The edge on each database in turn, with room for many requests."""
    return make_app(database_url, RATE_LIMIT_PER_MINUTE=10_000)


def effects(app: Flask, word: str) -> int:
    """How many effects of this kind are in the database."""
    with session_scope(app.extensions["leadline"].engine) as session:
        count = select(func.count()).select_from(ApiKey).where(ApiKey.name == word)
        return session.scalar(count) or 0


def post_note(app: Flask, key: str, body: dict[str, Any] | None = None) -> Any:
    """A note with an idempotency key."""
    headers = {"Idempotency-Key": key}
    return app.test_client().post("/api/answer", json=body or NOTE, headers=headers)


def test_the_same_request_again_gets_the_same_reply_and_no_effect(both: Flask) -> None:
    first, again = post_note(both, "k"), post_note(both, "k", dict(reversed(NOTE.items())))

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.data == again.data
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert effects(both, "note") == 1


def test_another_body_under_the_same_key_is_refused(both: Flask) -> None:
    post_note(both, "k")

    reply = post_note(both, "k", {**NOTE, "answer_text": "b"})

    assert (reply.status_code, reply.json["error"]["code"]) == (422, "idempotency_key_reused")
    assert effects(both, "note") == 1


def test_another_session_has_keys_of_its_own(both: Flask) -> None:
    post_note(both, "k")

    assert post_note(both, "k", {**NOTE, "session_id": "sess_2"}).status_code == 200
    assert post_note(both, "k", {**NOTE, "session_id": "s" * 255}).status_code == 200
    assert effects(both, "note") == 3


def test_each_program_has_keys_of_its_own(both: Flask) -> None:
    one, two = new_key(both, "leads:write"), new_key(both, "leads:write")
    client = both.test_client()

    def refresh(key: str) -> Any:
        headers = {**bearer(key), "Idempotency-Key": "k"}
        return client.post("/api/leads/refresh", data=b"ignored", headers=headers)

    first, again, other = refresh(one), refresh(one), refresh(two)

    assert [reply.status_code for reply in (first, again, other)] == [202, 202, 202]
    assert again.headers["Location"] == first.headers["Location"] == "/api/jobs/1"
    assert "Idempotent-Replayed" in again.headers
    assert "Idempotent-Replayed" not in other.headers
    assert effects(both, "refresh") == 2


def test_a_key_is_forgotten_after_a_day(both: Flask, clock: SettableClock) -> None:
    post_note(both, "k")

    clock.advance(timedelta(hours=23, minutes=59).total_seconds())
    within = post_note(both, "k")
    clock.advance(60)
    after = post_note(both, "k", {**NOTE, "answer_text": "b"})
    again = post_note(both, "k", {**NOTE, "answer_text": "b"})

    assert "Idempotent-Replayed" in within.headers
    assert "Idempotent-Replayed" not in after.headers
    assert after.status_code == 200 and again.data == after.data
    assert effects(both, "note") == 2


def test_a_refusal_is_not_kept(both: Flask) -> None:
    assert post_note(both, "k", {"session_id": "sess_1"}).status_code == 422
    assert post_note(both, "k").status_code == 200


def test_pairs_at_once_have_one_effect_and_equal_replies(both: Flask) -> None:
    pairs = 25

    for turn in range(pairs):
        one, two = at_once(*[lambda: post_note(both, f"pair-{turn}")] * 2)
        assert (one.status_code, two.status_code) == (200, 200)
        assert one.data == two.data
        replayed = ["Idempotent-Replayed" in reply.headers for reply in (one, two)]
        assert sorted(replayed) == [False, True]

    assert effects(both, "note") == pairs


def test_many_at_once_have_one_effect(both: Flask) -> None:
    replies = at_once(*[lambda: post_note(both, "many")] * 8)

    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.data for reply in replies}) == 1
    assert effects(both, "note") == 1


def test_an_expired_key_renewed_at_once_has_one_effect(both: Flask, clock: SettableClock) -> None:
    post_note(both, "old")
    clock.advance(timedelta(days=2).total_seconds())

    replies = at_once(*[lambda: post_note(both, "old")] * 4)

    assert len({reply.data for reply in replies}) == 1
    assert effects(both, "note") == 2


def test_a_start_is_replayed_with_a_fresh_token_and_stored_without(
    both: Flask, clock: SettableClock
) -> None:
    client, headers = both.test_client(), {"Idempotency-Key": LONG_KEY}

    first = client.post("/api/session/start", headers=headers)
    clock.advance(60)
    again = client.post("/api/session/start", headers=headers)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json["session_id"] == again.json["session_id"]
    assert again.json["visitor_token"].startswith("v1.")
    assert first.json["visitor_token"] != again.json["visitor_token"]
    assert effects(both, "start") == 1
    with session_scope(both.extensions["leadline"].engine) as session:
        assert b"v1." not in session.scalars(select(StoredReply.body)).one()


@pytest.mark.parametrize("key", ["", "a" * 256, "é", "a\x7f", "a\tb"])
def test_a_key_that_cannot_be_one_is_refused(app: Flask, key: str) -> None:
    reply = post_note(app, key)

    assert (reply.status_code, list(reply.json["error"]["fields"])) == (422, ["Idempotency-Key"])
    assert effects(app, "note") == 0


def test_a_start_needs_a_key_that_nobody_guesses(app: Flask) -> None:
    client = app.test_client()

    for key, status in [("a" * 15, 422), ("a" * 16, 201)]:
        headers = {"Idempotency-Key": key}
        assert client.post("/api/session/start", headers=headers).status_code == status


def test_a_key_of_any_printable_kind_is_taken(app: Flask) -> None:
    assert post_note(app, "~" * 255).status_code == 200
    assert post_note(app, 'a "b"; c,d=').status_code == 200


def test_a_failed_commit_is_no_success(both: Flask) -> None:
    both.test_client().post("/api/session/start")

    def cut(session: Session) -> None:
        session.connection().connection.dbapi_connection.close()

    event.listen(Session, "before_commit", cut)
    try:
        reply = both.test_client().post("/api/answer", json=NOTE)
    finally:
        event.remove(Session, "before_commit", cut)

    assert reply.status_code in (500, 503)
    assert effects(both, "note") == 0


class DriverError(Exception):
    """What a driver raises, with its code."""

    def __init__(self, pgcode: str) -> None:
        super().__init__(pgcode)
        self.pgcode = pgcode


@pytest.fixture
def inside(app: Flask) -> Iterator[Flask]:
    """Inside a request."""
    with app.test_request_context("/api/answer", method="POST"):
        yield app


@pytest.mark.parametrize(
    ("pgcode", "kind", "runs"),
    [
        ("40001", exc.OperationalError, 3),
        ("40P01", exc.OperationalError, 3),
        ("23505", exc.IntegrityError, 3),
        ("23503", exc.IntegrityError, 1),
        ("57014", exc.OperationalError, 1),
    ],
)
def test_a_unit_is_run_again_where_that_helps(
    inside: Flask, pgcode: str, kind: type[exc.DBAPIError], runs: int
) -> None:
    seen = []

    def work() -> Response:
        seen.append(len(services().accounts.list_keys()))
        services().accounts.create_key("try", ["admin"])
        if len(seen) < 3:
            raise kind("insert", {}, DriverError(pgcode))
        return Response("done")

    if runs == 1:
        with pytest.raises(kind):
            perform(work, writes=True)
    else:
        assert perform(work, writes=True).data == b"done"

    assert seen == [0] * runs
    assert effects(inside, "try") == (1 if runs == 3 else 0)


def test_a_unit_that_never_succeeds_ends(inside: Flask) -> None:
    seen = []

    def work() -> Response:
        seen.append(1)
        raise exc.OperationalError("insert", {}, DriverError("40001"))

    with pytest.raises(exc.OperationalError):
        perform(work, writes=True)

    assert len(seen) == 3


def test_a_read_changes_nothing(inside: Flask) -> None:
    def work() -> Response:
        services().accounts.create_key("read", ["admin"])
        return Response("done")

    perform(work, writes=False)

    assert effects(inside, "read") == 0

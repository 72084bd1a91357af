"""Who may call what: keys, visitor tokens, and what a bare read shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

import errors
from database import session_scope
from lib.clock import SettableClock
from lib.crypto import TokenSigner
from models import ApiKey, AuditEntry
from services.account_service import AccountService
from tests.web.conftest import MakeApp, bearer, new_key
from web.auth import visitor_token

SCORE = "/api/score/sess_own"


def token_of(app: Flask, session_id: str) -> dict[str, str]:
    """The header that shows a visitor's token."""
    with app.app_context():
        return {"X-Visitor-Token": visitor_token(session_id)}


def code(reply: Any) -> tuple[int, str | None]:
    """The status and error code of a reply."""
    return reply.status_code, (reply.json.get("error") or {}).get("code")


def test_the_widget_needs_no_credential_and_looks_at_none(app: Flask) -> None:
    for headers in ({}, bearer("nonsense"), {"X-Visitor-Token": "nonsense"}):
        assert app.test_client().post("/api/session/start", headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        (["leads:read"], 200),
        (["leads:write"], 200),
        (["admin"], 200),
        (["leads:export"], 403),
        (["analytics:read", "alerts:write"], 403),
    ],
)
def test_a_key_opens_what_its_scopes_grant(app: Flask, scopes: list[str], status: int) -> None:
    reply = app.test_client().get("/api/leads", headers=bearer(new_key(app, *scopes)))

    assert reply.status_code == status
    if status == 403:
        assert reply.json["error"]["code"] == "missing_scope"
        assert "leads:read" in reply.json["error"]["message"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(app: Flask, scheme: str) -> None:
    header = {"Authorization": f"{scheme} {new_key(app, 'leads:read')}"}

    assert app.test_client().get("/api/leads", headers=header).status_code == 200


def test_read_does_not_grant_write(app: Flask) -> None:
    reply = app.test_client().post("/api/leads/refresh", headers=bearer(new_key(app, "leads:read")))

    assert code(reply) == (403, "missing_scope")


def test_without_a_good_key_nobody_comes_in(app: Flask) -> None:
    client, key = app.test_client(), new_key(app, "leads:read")

    assert code(client.get("/api/leads")) == (401, "unauthorized")
    assert code(client.get(f"/api/leads?api_key={key}")) == (401, "unauthorized")
    bad = [key[:-1] + ("A" if key[-1] != "A" else "B"), key + "A", key[:-1], "lk_", "x", "é", " "]
    for text in [*bad, key.upper()]:
        reply = client.get("/api/leads", headers=bearer(text))
        assert code(reply) == (401, "invalid_key"), text
        assert reply.headers["WWW-Authenticate"] == "Bearer"
    basic = {"Authorization": f"Basic {key}"}
    assert code(client.get("/api/leads", headers=basic)) == (401, "invalid_key")


def test_a_revoked_or_expired_key_is_no_key(app: Flask, clock: SettableClock) -> None:
    revoked = new_key(app, "leads:read")
    resources = app.extensions["leadline"]
    with session_scope(resources.engine) as session:
        AccountService(session, resources).revoke_key(revoked[3:11])
    expiring = new_key(app, "leads:read", expires_at=clock.now() + timedelta(seconds=10))
    client = app.test_client()

    assert code(client.get("/api/leads", headers=bearer(revoked))) == (401, "invalid_key")
    assert client.get("/api/leads", headers=bearer(expiring)).status_code == 200
    clock.advance(10)
    assert code(client.get("/api/leads", headers=bearer(expiring))) == (401, "invalid_key")


def test_a_bare_read_is_not_full(app: Flask) -> None:
    reply = app.test_client().get(SCORE)

    assert (reply.status_code, reply.json["full"]) == (200, False)


def test_the_visitor_and_the_key_see_everything(app: Flask) -> None:
    client = app.test_client()

    for headers in (token_of(app, "sess_own"), bearer(new_key(app, "leads:read"))):
        assert client.get(SCORE, headers=headers).json["full"] is True


def test_a_presented_credential_must_be_good(app: Flask, clock: SettableClock) -> None:
    client = app.test_client()
    own, other = token_of(app, "sess_own"), token_of(app, "sess_other")

    assert code(client.get(SCORE, headers=other)) == (403, "wrong_session")
    assert code(client.get(SCORE, headers=bearer("x"))) == (401, "invalid_key")
    assert code(client.get(SCORE, headers=bearer(new_key(app, "leads:export")))) == (
        403,
        "missing_scope",
    )
    for text in ("", "x", "v1.a.b.c", own["X-Visitor-Token"] + "A", "v1." * 999):
        reply = client.get(SCORE, headers={"X-Visitor-Token": text})
        assert code(reply) == (401, "invalid_token"), text
    clock.advance(timedelta(days=30).total_seconds())
    assert code(client.get(SCORE, headers=own)) == (401, "invalid_token")


def test_a_token_of_a_retired_key_is_no_longer_valid(app: Flask, clock: SettableClock) -> None:
    expires = int((clock.now() + timedelta(days=1)).timestamp())
    retired = TokenSigner(["a key before the last rotation"]).sign("visitor", "sess_own", expires)

    reply = app.test_client().get(SCORE, headers={"X-Visitor-Token": retired})

    assert code(reply) == (401, "invalid_token")


@pytest.mark.parametrize("place", range(0, 66, 3))
def test_no_changed_token_is_accepted(app: Flask, place: int) -> None:
    token = token_of(app, "sess_own")["X-Visitor-Token"]
    changed = token[:place] + ("0" if token[place] != "0" else "1") + token[place + 1 :]

    reply = app.test_client().get(SCORE, headers={"X-Visitor-Token": changed})

    assert reply.status_code in (401, 403)


def test_bare_reads_can_be_switched_off(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, PUBLIC_READ="off")
    client = app.test_client()

    assert code(client.get(SCORE)) == (401, "unauthorized")
    assert client.get(SCORE, headers=token_of(app, "sess_own")).status_code == 200


@pytest.mark.parametrize(
    ("host", "full"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("[::1]:5000", True),
        ("LOCALHOST", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:5000", False),
        ("10.0.0.1", False),
    ],
)
def test_full_reading_is_for_callers_by_a_name_of_this_machine(
    make_app: MakeApp, sqlite_url: str, host: str, full: bool
) -> None:
    client = make_app(sqlite_url, PUBLIC_READ="full").test_client()
    headers = {"Host": host}

    assert client.get(SCORE, headers=headers).json["full"] is full
    assert client.get("/api/leads", headers=headers).status_code == (200 if full else 401)
    assert client.get("/api/other", headers=headers).status_code == 401
    assert client.post("/api/leads/refresh", headers=headers).status_code == 401


def test_metrics_can_be_closed(make_app: MakeApp, sqlite_url: str) -> None:
    client = make_app(sqlite_url, METRICS_TOKEN="m-secret").test_client()

    assert code(client.get("/metrics")) == (401, "invalid_key")
    assert client.get("/metrics", headers=bearer("m-secret")).status_code == 200
    assert client.get("/metrics", headers=bearer("m-secreu")).status_code == 401


def test_a_key_is_kept_as_a_hash_and_its_birth_and_end_are_audited(app: Flask) -> None:
    key = new_key(app, "leads:read", "admin")
    resources = app.extensions["leadline"]

    with session_scope(resources.engine) as session:
        AccountService(session, resources).revoke_key("robot")
        rows, entries = session.query(ApiKey).all(), session.query(AuditEntry).all()

    assert key[12:] not in str([vars(row) for row in (*rows, *entries)])
    assert [row.scopes for row in rows] == [["leads:read", "admin"]]
    assert [entry.action for entry in entries] == ["key.created", "key.revoked"]


def test_a_key_that_cannot_be_is_refused(app: Flask) -> None:
    resources = app.extensions["leadline"]

    with session_scope(resources.engine) as session:
        accounts = AccountService(session, resources)
        for name, scopes in [("robot", ["leads:all"]), ("robot", []), (" ", ["admin"])]:
            with pytest.raises(errors.Invalid):
                accounts.create_key(name, scopes)
        with pytest.raises(errors.NotFound):
            accounts.revoke_key("nobody")
        assert accounts.list_keys() == []

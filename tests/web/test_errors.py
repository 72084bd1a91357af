"""Every error leaves in one shape."""

from __future__ import annotations

import json
import sqlite3

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import exc

from tests.web.conftest import FAILURES, MakeApp

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("malformed", 400, "malformed_request"),
        ("unauthorized", 401, "unauthorized"),
        ("forbidden", 403, "forbidden"),
        ("missing", 404, "unknown_session"),
        ("conflict", 409, "session_closed"),
        ("invalid", 422, "validation_failed"),
        ("many", 429, "rate_limited"),
        ("unavailable", 503, "unavailable"),
        ("boom", 500, "internal"),
    ],
)
def test_each_kind_has_its_status_and_the_one_shape(
    client: FlaskClient, kind: str, status: int, code: str
) -> None:
    reply = client.get(f"/api/fail/{kind}", headers=BROWSER)

    error = reply.json["error"]
    assert (reply.status_code, error["code"]) == (status, code)
    assert error["request_id"] == reply.headers["X-Request-Id"]
    assert set(error) - {"fields"} == {"code", "message", "request_id"}
    assert reply.mimetype == "application/json"


def test_an_error_tells_when_to_come_again_and_what_to_show(client: FlaskClient) -> None:
    assert client.get("/api/fail/many").headers["Retry-After"] == "7"
    assert client.get("/api/fail/unavailable").headers["Retry-After"] == "1"
    assert client.get("/api/fail/unauthorized").headers["WWW-Authenticate"] == "Bearer"


def test_a_redirect_under_api_brings_no_page(client: FlaskClient) -> None:
    reply = client.get("/api//fail/boom", headers=BROWSER)

    assert (reply.status_code, reply.data) == (308, b"")
    assert reply.headers["Location"].endswith("/api/fail/boom")
    assert "Content-Type" not in reply.headers


def test_fields_are_named_flatly(client: FlaskClient) -> None:
    assert client.get("/api/fail/invalid").json["error"]["fields"] == {"email": ["Not an address."]}
    assert client.get("/api/fail/schema").json["error"]["fields"] == {
        "profile_data.email": ["Bad."]
    }
    bad = {"session_id": "s", "question_id": "x", "profile_data": {"email": "nobody"}}
    fields = client.post("/api/answer", json=bad).json["error"]["fields"]
    assert set(fields) == {"question_id", "profile_data.email"}


def test_a_bad_filter_is_invalid_by_name(app: Flask) -> None:
    from tests.web.conftest import bearer, new_key

    headers = bearer(new_key(app, "leads:read"))
    client = app.test_client()

    reply = client.get("/api/leads?limit=999", headers=headers)
    strange = client.get("/api/leads?q=a%00b", headers=headers)

    assert (reply.status_code, list(reply.json["error"]["fields"])) == (422, ["limit"])
    assert (strange.status_code, list(strange.json["error"]["fields"])) == (422, ["q"])


def test_what_nobody_expected_is_not_told(client: FlaskClient) -> None:
    reply = client.get("/api/fail/boom")

    assert reply.status_code == 500
    assert "hunter2" not in reply.text and "Boom" not in reply.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/api", 404, "not_found"),
        ("GET", "/api/score/a%00b", 404, "not_found"),
        ("GET", "/api/answer", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
        ("BREW", "/api/answer", 405, "method_not_allowed"),
    ],
)
def test_what_the_framework_refuses_has_the_same_shape(
    client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    reply = client.open(path, method=method, headers=BROWSER)

    assert (reply.status_code, reply.json["error"]["code"]) == (status, code)


def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient) -> None:
    assert "POST" in client.get("/api/answer").headers["Allow"]


def test_a_browser_gets_a_page_and_a_program_json(client: FlaskClient) -> None:
    page = client.get("/nowhere/<script>", headers=BROWSER)
    program = client.get("/nowhere")

    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "<script>" not in page.text
    assert program.json["error"]["code"] == "not_found"


def _sqlite_error(name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("select secret")
    error.sqlite_errorcode = getattr(sqlite3, name)
    return error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (exc.OperationalError("select 1", {}, _sqlite_error("SQLITE_BUSY")), 503, "unavailable"),
        (exc.OperationalError("insert", {}, _sqlite_error("SQLITE_FULL")), 503, "storage_full"),
        (exc.InterfaceError("select", {}, Exception("gone")), 503, "unavailable"),
        (exc.TimeoutError("pool"), 503, "unavailable"),
        (exc.DataError("insert", {}, Exception("too long")), 422, "validation_failed"),
        (exc.ProgrammingError("selec", {}, Exception("syntax")), 500, "internal"),
    ],
)
def test_a_database_in_trouble_is_no_fault_of_the_caller(
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    code: str,
) -> None:
    def fail() -> Exception:
        return error

    monkeypatch.setitem(FAILURES, "database", fail)

    reply = client.get("/api/fail/database")

    assert (reply.status_code, reply.json["error"]["code"]) == (status, code)
    assert ("Retry-After" in reply.headers) == (status == 503)
    assert "select" not in json.dumps(reply.json)


def test_a_database_that_is_away_is_a_clean_503(make_app: MakeApp) -> None:
    client = make_app("postgresql://nobody@127.0.0.1:9/none").test_client()

    reply = client.post("/api/session/start")

    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "1")
    assert reply.json["error"]["code"] == "unavailable"

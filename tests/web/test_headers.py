"""What every reply carries, who may call across origins, and what the log says."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from flask.testing import FlaskClient

from lib.crypto import short_hash
from lib.logging import HANDLER_NAME, configure
from tests.shop import shop
from tests.web.conftest import MakeApp

SITE = "https://shop.example"
SITES = "https://shop.example,http://localhost:3000,http://[::1]:8080"


@pytest.mark.parametrize("path", ["/health", "/metrics", "/docs", "/nowhere", "/api/nothing"])
def test_every_reply_carries_its_guards(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["X-Request-Id"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in headers


def test_the_api_is_not_to_be_kept_by_caches(client: FlaskClient) -> None:
    assert client.get("/api/score/sess_1").headers["Cache-Control"] == "no-store"


def test_https_is_remembered(client: FlaskClient) -> None:
    headers = client.get("/health", base_url="https://localhost").headers

    assert headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("abc-123_X.y", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("a b", False),
        ("é", False),
        ("", False),
        ('"><script>', False),
    ],
)
def test_a_sane_request_id_is_kept(client: FlaskClient, given: str, kept: bool) -> None:
    got = client.get("/health", headers={"X-Request-Id": given}).headers["X-Request-Id"]

    assert (got == given) is kept
    assert len(got) >= 8


@pytest.mark.parametrize(
    ("sites", "origin", "allowed"),
    [
        (SITES, SITE, True),
        (SITES, "https://SHOP.example", True),
        (SITES, "http://localhost:3000", True),
        (SITES, "http://[::1]:8080", True),
        (SITES, "http://shop.example", False),
        (SITES, "https://shop.example:8443", False),
        (SITES, "http://localhost:3001", False),
        (SITES, "https://shop.example.evil.com", False),
        (SITES, "https://evilshop.example", False),
        (SITES, "https://shopxexample", False),
        (SITES, "https://www.shop.example", False),
        (SITES, "null", False),
        ("", SITE, False),
        ("*", SITE, True),
        ("*", "null", False),
    ],
)
def test_only_listed_origins_may_read(
    make_app: MakeApp, sqlite_url: str, sites: str, origin: str, allowed: bool
) -> None:
    client = make_app(sqlite_url, CORS_ORIGINS=sites).test_client()

    reply = client.post("/api/session/start", headers={"Origin": origin})

    expected = origin if allowed else None
    assert reply.status_code == 201
    assert reply.headers.get("Access-Control-Allow-Origin") == expected
    assert "Access-Control-Allow-Credentials" not in reply.headers
    assert "Origin" in reply.headers["Vary"]


def test_a_preflight_is_told_what_the_widget_may_send(make_app: MakeApp, sqlite_url: str) -> None:
    client = make_app(sqlite_url, CORS_ORIGINS=SITES).test_client()
    asked = "content-type, idempotency-key, x-visitor-token, x-request-id, authorization"

    headers = client.options(
        "/api/answer",
        headers={
            "Origin": SITE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": asked,
        },
    ).headers

    granted = headers["Access-Control-Allow-Headers"].lower()
    assert headers["Access-Control-Allow-Origin"] == SITE
    assert "POST" in headers["Access-Control-Allow-Methods"]
    assert all(name in granted for name in asked.split(", ")[:4])
    assert "authorization" not in granted


def test_a_page_may_see_the_headers_it_needs(make_app: MakeApp, sqlite_url: str) -> None:
    client = make_app(sqlite_url, CORS_ORIGINS=SITES).test_client()

    exposed = client.post("/api/session/start", headers={"Origin": SITE}).headers

    for name in ("Idempotent-Replayed", "Retry-After", "X-Request-Id"):
        assert name in exposed["Access-Control-Expose-Headers"]


def test_an_error_is_readable_across_origins_too(make_app: MakeApp, sqlite_url: str) -> None:
    client = make_app(sqlite_url, CORS_ORIGINS=SITES).test_client()

    reply = client.post("/api/answer", data="{", headers={"Origin": SITE})

    assert reply.headers["Access-Control-Allow-Origin"] == SITE


@pytest.mark.parametrize("path", ["/api/leads", "/health", "/api/openapi.json"])
def test_other_endpoints_are_closed_to_other_origins(
    make_app: MakeApp, sqlite_url: str, path: str
) -> None:
    client = make_app(sqlite_url, CORS_ORIGINS="*").test_client()

    assert "Access-Control-Allow-Origin" not in client.get(path, headers={"Origin": SITE}).headers


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """The log of this test, in a file, as the operator configures it."""
    file = tmp_path / "log.jsonl"
    configure("INFO", str(file))
    yield file
    for handler in [one for one in logging.getLogger().handlers if one.name == HANDLER_NAME]:
        logging.getLogger().removeHandler(handler)
        handler.close()
    logging.getLogger().setLevel(logging.WARNING)
    structlog.reset_defaults()


def test_a_log_line_names_the_rule_and_no_id(client: FlaskClient, log_file: Path) -> None:
    client.get("/api/score/sess_canary?q=canary2", headers={"X-Request-Id": "r-1"})

    lines = [json.loads(line) for line in log_file.read_text().splitlines()]
    (line,) = [line for line in lines if line["logger"] == "leadline.access"]
    told = {name: line[name] for name in ("method", "route", "status", "request_id", "session")}
    assert told == {
        "method": "GET",
        "route": "/api/score/<session_id>",
        "status": 200,
        "request_id": "r-1",
        "session": f"#{short_hash('sess_canary')}",
    }
    assert line["ms"] >= 0
    assert "canary" not in log_file.read_text()


def test_an_unexpected_error_is_logged_with_the_request(
    client: FlaskClient, log_file: Path
) -> None:
    reply = client.get("/api/fail/boom")

    lines = [json.loads(line) for line in log_file.read_text().splitlines()]
    (line,) = [line for line in lines if line["level"] == "error"]
    assert line["request_id"] == reply.json["error"]["request_id"]
    assert "Boom" in str(line["errors"])


def test_requests_are_counted_by_rule(client: FlaskClient) -> None:
    client.application.extensions["leadline"].metrics.allow_routes(["/api/score/<session_id>"])

    client.get("/api/score/sess_canary")

    text = client.get("/metrics").text
    assert 'route="/api/score/<session_id>"' in text
    assert "sess_canary" not in text


@pytest.mark.parametrize(
    ("proxies", "forwarded", "secure"),
    [(0, "https", False), (1, "https", True), (1, "http", False)],
)
def test_a_proxy_is_believed_only_when_it_is_trusted(
    make_app: MakeApp, sqlite_url: str, proxies: int, forwarded: str, secure: bool
) -> None:
    client = make_app(sqlite_url, TRUSTED_PROXIES=proxies).test_client()

    headers = client.get("/health", headers={"X-Forwarded-Proto": forwarded}).headers

    assert ("Strict-Transport-Security" in headers) is secure


def test_options_names_the_methods_of_its_own_route(sqlite_url: str, tmp_path: Path) -> None:
    with shop(sqlite_url, tmp_path) as ours:
        allowed = ours.app.test_client().options("/api/leads/refresh").headers["Allow"]
        one = ours.app.test_client().options("/api/leads/7").headers["Allow"]

    assert allowed == "OPTIONS, POST"
    assert one == "DELETE, GET, HEAD, OPTIONS, PATCH"

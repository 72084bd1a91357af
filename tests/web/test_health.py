"""Health, counts, and the page that describes the API."""

from __future__ import annotations

import re
import time

from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import MakeApp

QUEUE = {
    "deliveries_waiting": 0,
    "oldest_delivery_seconds": 0.0,
    "facts_waiting": 0,
    "oldest_fact_seconds": 0.0,
    "jobs_waiting": 0,
    "destinations_stopped": 0,
}


def test_a_server_with_its_database_is_healthy(make_app: MakeApp, database_url: str) -> None:
    reply = make_app(database_url).test_client().get("/health")

    assert reply.status_code == 200
    assert reply.json == {
        "status": "healthy",
        "database": "connected",
        "timestamp": "2026-11-21T09:00:00.000Z",
        "queue": {**QUEUE, "stuck": False},
    }


def test_a_server_without_its_database_says_so_in_time(make_app: MakeApp) -> None:
    client = make_app("postgresql://nobody@127.0.0.1:9/none").test_client()

    begun = time.monotonic()
    reply = client.get("/health")

    assert (reply.status_code, reply.json["status"]) == (503, "unhealthy")
    assert reply.headers["Retry-After"] == "1"
    assert time.monotonic() - begun < 5


def test_metrics_are_text_for_prometheus(client: FlaskClient) -> None:
    reply = client.get("/metrics")

    assert reply.content_type.startswith("text/plain")
    assert "leadline_http_requests" in reply.text


def test_the_page_lists_every_operation_without_script(client: FlaskClient) -> None:
    page = client.get("/docs").text
    paths = client.get("/api/openapi.json").json["paths"]

    assert "Keeps a note." in page
    for path in paths:
        assert f"<code>{path}</code>" in page


def test_the_page_asks_nobody_else_for_anything(client: FlaskClient) -> None:
    page = client.get("/docs").text

    linked = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(linked) >= 5
    for path in linked:
        assert path.startswith("/") and not path.startswith("//")
        with client.get(path) as reply:
            assert reply.status_code == 200, path
    assert not re.search(r"<script>|<style| on\w+=| style=", page)


def test_only_named_files_are_served(client: FlaskClient) -> None:
    for name in ("index.html", "oauth2-redirect.html", "..%2fhealth.py", "start.js.map"):
        assert client.get(f"/docs/{name}").status_code == 404


def test_the_document_is_the_same_each_time(app: Flask) -> None:
    client = app.test_client()

    assert client.get("/api/openapi.json").data == client.get("/api/openapi.json").data

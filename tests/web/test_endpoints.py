"""What the decorator makes of a view, and the description that it gives of it."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

ERROR = {"$ref": "#/components/schemas/Error"}


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    """The description of the API."""
    found: dict[str, Any] = client.get("/api/openapi.json").json
    return found


def test_a_reply_keeps_its_order_its_text_and_its_extra_keys(client: FlaskClient) -> None:
    score = client.get("/api/score/sess_1")
    note = client.post("/api/answer", json={"session_id": "sess_1", "question_id": "7", "x": 1})

    assert list(score.json) == ["session_id", "full", "sales"]
    assert "₹50K–₹2L" in score.text
    assert note.json["echo"] == {"session_id": "sess_1", "question_id": 7}


def test_a_missing_field_is_found_in_tests(client: FlaskClient) -> None:
    with pytest.raises(AssertionError, match="lacks count"):
        client.post("/api/broken")


def test_head_is_answered_as_get_without_a_body(client: FlaskClient) -> None:
    reply = client.head("/api/score/sess_1")

    assert (reply.status_code, reply.data) == (200, b"")


def test_the_document_is_openapi_31(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert "/health" in document["paths"] and "/api/answer" in document["paths"]


def test_an_operation_tells_all_it_takes_and_gives(document: dict[str, Any]) -> None:
    answer = document["paths"]["/api/answer"]["post"]

    assert answer["summary"] == "Keeps a note."
    assert answer["requestBody"]["required"] is True
    assert [one["name"] for one in answer["parameters"]] == ["Idempotency-Key"]
    assert set(answer["responses"]) == {
        *("200", "400", "404", "405", "409", "413", "415", "422", "429", "503")
    }
    for status, reply in answer["responses"].items():
        if status != "200":
            assert reply["content"]["application/json"]["schema"] == ERROR


def test_an_operation_tells_who_may_call_it(document: dict[str, Any]) -> None:
    paths = document["paths"]

    assert paths["/api/answer"]["post"]["security"] == [{}]
    assert paths["/api/leads"]["get"]["security"] == [{"apiKey": []}]
    assert "leads:read" in paths["/api/leads"]["get"]["description"]
    assert {"visitorToken": []} in paths["/api/score/{session_id}"]["get"]["security"]
    assert {"401", "403"} <= set(paths["/api/leads"]["get"]["responses"])
    assert set(document["components"]["securitySchemes"]) == {"apiKey", "visitorToken"}


def test_an_operation_tells_its_filters_and_path(document: dict[str, Any]) -> None:
    leads = document["paths"]["/api/leads"]["get"]
    score = document["paths"]["/api/score/{session_id}"]

    assert {one["name"] for one in leads["parameters"]} == {"limit", "q"}
    named = [*score.get("parameters", []), *score["get"].get("parameters", [])]
    assert [(one["name"], one["in"]) for one in named] == [("session_id", "path")]


def test_the_shape_of_an_error_is_described(document: dict[str, Any]) -> None:
    detail = document["components"]["schemas"]["ErrorDetail"]["properties"]

    assert set(detail) == {"code", "message", "fields", "request_id"}

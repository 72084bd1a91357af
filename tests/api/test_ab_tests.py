"""POST /api/ab-test/variant and /api/ab-test/conversion."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Caller, refused


def _variant(caller: Caller, session: str, test: str = "greeting_message") -> dict[str, Any]:
    reply = caller.post(f"/api/ab-test/variant/{test}", {"session_id": session})
    assert reply.status_code == 200, reply.text
    said: dict[str, Any] = reply.json
    return said


def _convert(caller: Caller, session: str, kind: str, **more: Any) -> dict[str, Any]:
    body = {"session_id": session, "test_name": "greeting_message", "conversion_type": kind, **more}
    reply = caller.post("/api/ab-test/conversion", body)
    assert reply.status_code == 200, reply.text
    said: dict[str, Any] = reply.json
    return said


def test_a_variant_is_the_same_for_ever(api: Caller) -> None:
    for _ in range(8):
        started = api.post("/api/session/start", {}).json
        session = started["session_id"]
        first = _variant(api, session)
        assert first["test_name"] == "greeting_message"
        assert first["variant"] == started["variants"]["greeting_message"]
        assert first["config"]["greeting"] == started["greeting"]
        api.clock.advance(86_400)
        assert _variant(api, session) == first


def test_a_visitor_has_one_variant_in_all_sessions(api: Caller) -> None:
    for number in range(6):
        visitor = f"visitor-{number}"
        variants = [
            api.post("/api/session/start", {"visitor_id": visitor}).json["variants"]
            for _ in range(3)
        ]
        assert variants[0] == variants[1] == variants[2]
    assert api.rows("SELECT count(*) FROM assignments") == [(12,)]
    assert api.rows("SELECT count(*) FROM exposures") == [(12,)]


def test_both_variants_are_given_out_and_stored_with_their_probability(api: Caller) -> None:
    found = {_variant(api, api.start())["variant"] for _ in range(24)}

    assert found == {"A", "B"}
    kept = api.rows("SELECT DISTINCT propensity, epoch, workflow_version FROM assignments")
    assert kept == [(0.5, 1, 1)]


def test_an_unknown_test_is_404(lite: Caller, api: Caller) -> None:
    session = api.start()
    for name in ("nothing", "x" * 300, "%20", "Greeting_Message"):
        reply = api.post(f"/api/ab-test/variant/{name}", {"session_id": session})
        refused(reply, 404)
    body = {"session_id": session, "test_name": "nothing", "conversion_type": "clicked"}
    refused(api.post("/api/ab-test/conversion", body), 404)
    refused(lite.post("/api/ab-test/variant/greeting_message", {}), 422)


def test_a_conversion_counts_once_per_unit_and_type(api: Caller) -> None:
    session = api.start(visitor_id="v")

    assert _convert(api, session, "clicked", value=9.5)["logged"] is True
    assert _convert(api, session, "clicked")["logged"] is False
    assert _convert(api, session, "brochure")["logged"] is True
    again = api.start(visitor_id="v")
    told = _convert(api, again, "clicked")
    assert told["logged"] is False and told["reason"]
    kept = api.rows("SELECT metric, value FROM conversions ORDER BY metric")
    assert kept == [("brochure", None), ("clicked", 9.5)]


@pytest.mark.parametrize("outcome", ["completed", "mql", "sql", "deal_won"])
def test_what_the_server_knows_itself_is_not_taken_from_a_client(api: Caller, outcome: str) -> None:
    told = _convert(api, api.start(), outcome)

    assert told["logged"] is False and told["reason"]
    assert api.rows("SELECT count(*) FROM conversions") == [(0,)]


def test_a_conversion_needs_its_words(lite: Caller) -> None:
    session = lite.start()
    for body in ({}, {"test_name": "x"}, {"conversion_type": "x"}, {"test_name": 1}):
        refused(lite.post("/api/ab-test/conversion", {"session_id": session, **body}), 422)


def test_a_variant_and_a_conversion_are_replayed_by_their_keys(api: Caller) -> None:
    session = api.start()
    body: dict[str, Any] = {"session_id": session}
    for path in ("/api/ab-test/variant/greeting_message", "/api/ab-test/conversion"):
        if path.endswith("conversion"):
            body |= {"test_name": "greeting_message", "conversion_type": "clicked"}
        first = api.post(path, body, Idempotency_Key=path[-9:])
        again = api.post(path, body, Idempotency_Key=path[-9:])
        assert again.data == first.data and again.headers["Idempotent-Replayed"] == "true"
    assert again.json["logged"] is True

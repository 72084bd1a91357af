"""Visitors who talk to the bot of an office, for tests of what the console makes of them."""

from __future__ import annotations

from typing import Any

from tests.console.office import Office

ANSWERS: tuple[tuple[int, Any], ...] = (
    (1, "Retail Store"),
    (2, "Mumbai"),
    (3, "2–5"),
    (4, "₹50K–₹2L"),
    (5, ["Billing", "QR Payments"]),
)


def talk(ours: Office, *answers: tuple[int, Any], profile: Any = None, **visit: Any) -> int:
    """A visitor who gives these answers (the usual ones, if none are named); their lead."""
    client = ours.app.test_client()
    session = ours.start(**visit)["session_id"]
    for question_id, answer in answers or ANSWERS:
        body = {"session_id": session, "question_id": question_id, "answer_text": answer}
        reply = client.post("/api/answer", json=body)
        assert reply.status_code == 200, reply.text
    if profile:
        body = {"session_id": session, "profile_data": profile}
        reply = client.post("/api/lead/profile", json=body)
        assert reply.status_code == 200, reply.text
    with ours.unit() as services:
        return int(services.store.read(session).lead_id)

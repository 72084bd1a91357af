"""Visitors who talk to the bot before somebody looks at them in the console."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from models import Conversation
from tests.console.office import Office

ANSWERS = (
    (1, "Restaurant"),
    (2, "Mumbai, Andheri West"),
    (3, "2–5"),
    (4, "₹50K–₹2L"),
    (5, ["Billing"]),
)
NINA = {"name": "Nina Kapoor", "email": "nina@shop.example.com", "phone": "+919123456789"}


def talk(
    office: Office,
    *,
    answers: tuple[tuple[int, Any], ...] = ANSWERS,
    profile: dict[str, Any] | None = None,
    demo: bool = True,
) -> int:
    """A whole conversation by the public API, and its lead: hot, unless it says less."""
    client = office.app.test_client()
    session = office.start(utm_source="google")["session_id"]
    for number, text in answers:
        body = {"session_id": session, "question_id": number, "answer_text": text}
        assert client.post("/api/answer", json=body).status_code == 200
    said = NINA if profile is None else profile
    if said:
        body = {"session_id": session, "profile_data": said}
        assert client.post("/api/lead/profile", json=body).status_code == 200
    if demo:
        client.post("/api/behavior", json={"session_id": session, "action": "clicked_demo"})
    with office.unit() as services:
        row = select(Conversation.lead_id).where(Conversation.id == session)
        return int(services.session.scalar(row) or 0)

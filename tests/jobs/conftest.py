"""A shop with one webhook destination on the loopback, and relays to work for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.relay import Relay
from services.destination_service import Who
from tests.integrations.conftest import Answering, answering
from tests.shop import Shop, bearer, shop

__all__ = ["answering"]

OPERATOR = Who("key tests", is_operator=True)


class Desk:
    """The shop, its receiver, and what has happened to its deliveries."""

    def __init__(self, shop: Shop, receiver: Answering) -> None:
        self.shop = shop
        self.receiver = receiver
        self.relay = Relay(shop.resources)
        self.client = shop.app.test_client()
        self.key = shop.new_key("admin")

    def add(self, **data: Any) -> dict[str, Any]:
        """A new destination, a webhook at the receiver unless said otherwise."""
        given = {"channel": "webhook", "address": self.receiver.url, **data}
        with self.shop.unit() as services:
            return services.destinations.add(given, who=OPERATOR)

    def work(self) -> None:
        """Everything that can be done now."""
        while self.relay.fan_out() or self.relay.send():
            pass

    def deliveries(self, **query: Any) -> list[dict[str, Any]]:
        """The log, the oldest first."""
        reply = self.client.get("/api/deliveries", query_string=query, headers=bearer(self.key))
        assert reply.status_code == 200, reply.text
        return list(reversed(reply.json["deliveries"]))

    def only(self) -> dict[str, Any]:
        """The one delivery that there is."""
        (delivery,) = self.deliveries()
        return delivery

    def post(self, path: str, body: Any = None, status: int = 200) -> dict[str, Any]:
        """What the API replies to a POST with the operator's key."""
        reply = self.client.post(path, json=body, headers=bearer(self.key))
        assert reply.status_code == status, reply.text
        said: dict[str, Any] = reply.json
        return said

    def patch(self, path: str, body: Any) -> dict[str, Any]:
        """What the API replies to a PATCH with the operator's key."""
        reply = self.client.patch(path, json=body, headers=bearer(self.key))
        assert reply.status_code == 200, reply.text
        said: dict[str, Any] = reply.json
        return said

    def demo(self, session_id: str) -> None:
        """A visitor asks for a demo."""
        self.post("/api/behavior", {"session_id": session_id, "action": "clicked_demo"})

    def become_sql(self, session_id: str) -> None:
        """A visitor answers everything, with care, shares a contact and asks for a demo."""
        said = ("Restaurant", "Mumbai", "2–5", "₹50K–₹2L", "Billing")
        for number, text in enumerate(said, start=1):
            body = {"session_id": session_id, "question_id": number, "answer_text": text}
            self.post("/api/answer", body)
        profile = {"name": "Asha", "email": "asha@example.com", "company": "Chai & Co"}
        self.post("/api/lead/profile", {"session_id": session_id, "profile_data": profile})
        self.demo(session_id)

    def heard(self) -> list[dict[str, Any]]:
        """What the receiver was told."""
        return [request.json() for request in self.receiver.requests]


@pytest.fixture
def desk(database_url: str, tmp_path: Path, answering: Answering) -> Iterator[Desk]:
    """A shop whose outgoing calls may reach the loopback."""
    with shop(database_url, tmp_path, OUTBOUND_ALLOWED_NETWORKS=("127.0.0.0/8",)) as made:
        yield Desk(made, answering)

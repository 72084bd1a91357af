"""What each owner of leads has in hand, counted by the hour."""

from __future__ import annotations

from typing import Any

from jobs.tasks import Worker
from services.agent_figures import AgentFigures
from tests.jobs.conftest import Desk


def figures(desk: Desk) -> dict[str, Any]:
    """Counted by the job, then read."""
    with desk.shop.unit() as services:
        services.jobs.request("agents.count", requested_by="tests")
    worker = Worker(desk.shop.resources)
    while worker.work():
        pass
    with desk.shop.unit() as services:
        return AgentFigures(services.session, services.resources).find()


def test_each_owner_has_their_leads_their_deals_and_their_work(desk: Desk) -> None:
    ids = []
    for name, owner in (("A", "asha"), ("B", "asha"), ("C", "bina"), ("D", None)):
        lead = desk.post("/api/leads", {"name": name, "assigned_to": owner}, status=201)
        ids.append(lead["id"])
    won = {"outcome": "won", "value": 1200}
    desk.post(f"/api/leads/{ids[0]}/outcome", won, status=201)
    desk.post(f"/api/leads/{ids[1]}/activities", {"kind": "call"}, status=201)
    due = {"due_at": "2026-11-20T09:00:00Z"}
    desk.post(f"/api/leads/{ids[2]}/follow-ups", due, status=201)

    found = figures(desk)

    assert found["counted_at"] is not None
    assert found["agents"] == {
        "asha": {
            "leads": 2,
            "open": 1,
            "won": 1,
            "lost": 0,
            "won_value": 1200,
            "activities": {"call": 1},
            "overdue_follow_ups": 0,
        },
        "bina": {
            "leads": 1,
            "open": 1,
            "won": 0,
            "lost": 0,
            "won_value": 0,
            "activities": {},
            "overdue_follow_ups": 1,
        },
    }


def test_before_the_first_count_there_is_nobody(desk: Desk) -> None:
    with desk.shop.unit() as services:
        found = AgentFigures(services.session, services.resources).find()

    assert found == {"counted_at": None, "agents": {}}

"""A follow-up that is moved, and a sale that starts anew: facts, audit, and who is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.vocabulary import FactKind
from errors import Conflict, Invalid, NotFound
from models import AuditEntry, Event, FollowUp, Lead
from services import Services
from tests.shop import START, Shop, shop

SAM = "sam@example.com"


@pytest.fixture
def ours(database_url: str, tmp_path: Path):
    with shop(database_url, tmp_path) as found:
        yield found


def _lead(ours: Shop, **data: str) -> int:
    with ours.unit() as services:
        return int(services.book.enter({"name": "Lena", **data}, actor=SAM)["id"])


def _facts(services: Services, lead_id: int, kind: FactKind) -> list[dict[str, object]]:
    rows = select(Event.measured).where(Event.lead_id == lead_id, Event.kind == kind)
    return list(services.session.scalars(rows.order_by(Event.id)))


def test_a_moved_follow_up_is_reminded_of_anew_and_says_how_often_it_moved(ours: Shop) -> None:
    lead = _lead(ours)
    with ours.unit() as services:
        due = START + timedelta(hours=1)
        number = int(services.diary.set_follow_up(lead, due, actor=SAM)["id"])
    ours.clock.advance(2 * 3600)
    with ours.unit() as services:
        assert services.diary.remind(number)

    later = START + timedelta(days=1)
    with ours.unit() as services:
        services.diary.move_follow_up(lead, number, later, actor=SAM)
        services.diary.move_follow_up(lead, number, later, actor=SAM)

    with ours.unit() as services:
        row = services.session.get_one(FollowUp, number)
        assert (row.due_at, row.reminded_at, row.sequence) == (later, None, 1)
        (fact,) = _facts(services, lead, FactKind.FOLLOW_UP_MOVED)
        assert fact["follow_up_id"] == number and fact["actor"] == SAM


def test_a_follow_up_that_is_done_or_of_another_lead_is_not_moved(ours: Shop) -> None:
    lead, other = _lead(ours), _lead(ours)
    with ours.unit() as services:
        number = int(services.diary.set_follow_up(lead, START, actor=SAM)["id"])
        services.diary.finish_follow_up(lead, number, actor=SAM)

    with ours.unit() as services:
        with pytest.raises(Conflict, match="done"):
            services.diary.move_follow_up(lead, number, START, actor=SAM)
        with pytest.raises(NotFound):
            services.diary.move_follow_up(other, number, START, actor=SAM)


def test_a_lost_lead_starts_anew_in_a_campaign(ours: Shop) -> None:
    lead = _lead(ours, campaign="Spring")
    with ours.unit() as services:
        services.pipeline.record_outcome(lead, "lost", value=0, actor=SAM)

    with ours.unit() as services:
        services.pipeline.recycle(lead, " Autumn ", actor=SAM)

    with ours.unit() as services:
        row = services.session.get_one(Lead, lead)
        assert (row.outcome, row.outcome_at, row.outcome_value) == (None, None, None)
        assert (row.stage, row.campaign) == ("Uncontacted", "Autumn")
        (fact,) = _facts(services, lead, FactKind.LEAD_RECYCLED)
        assert (fact["from"], fact["to"], fact["outcome"]) == ("Spring", "Autumn", "lost")
        assert _facts(services, lead, FactKind.LEAD_STAGED)[-1]["reopened"] is True
        actions = services.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id))
        assert list(actions)[-1] == "lead.recycled"


def test_an_open_lead_or_no_campaign_is_refused(ours: Shop) -> None:
    lead = _lead(ours)
    with ours.unit() as services:
        with pytest.raises(Conflict, match="open"):
            services.pipeline.recycle(lead, "Autumn", actor=SAM)
        with pytest.raises(Invalid):
            services.pipeline.recycle(lead, "  ", actor=SAM)

"""A fortnight of a small shop, and what a count by hand makes of it."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from engine.periods import Period
from lib.clock import SettableClock
from models import Activity, Answer, Conversation, Lead
from services.diary_service import NewActivity
from tests.console.office import Office

BERLIN = ZoneInfo("Europe/Berlin")
# The clocks of Berlin go back within it, on the 25th.
PERIOD = Period(date(2026, 10, 22), date(2026, 10, 28), BERLIN)
FIRST = datetime(2026, 10, 14, tzinfo=UTC)
DAYS = 16
OPTIONS: dict[int, list[Any]] = {
    1: ["Restaurant", "Retail Store", "Other"],
    2: ["Bandra West, Mumbai"],
    3: ["Just me", "2–5"],
    4: ["Under ₹50K", "Over ₹10L"],
    5: [["Billing"], ["Billing", "Loyalty"]],
}


def play(ours: Office, *, sessions: int = 24, seed: int = 7) -> None:
    """Visitors come and go, two people sell; all of it through the doors that they use."""
    chance = random.Random(seed)
    clock = ours.clock
    assert isinstance(clock, SettableClock)
    for name in ("Sam", "Sue"):
        ours.hire(name, "sales")
    begun = FIRST.timestamp()
    moments = [begun + chance.random() * DAYS * 86400 for _ in range(sessions)]
    # Half an hour after midnight in Berlin, before and after the clocks go back.
    late = [datetime(2026, 10, day, hour, 30, tzinfo=UTC) for day, hour in ((23, 22), (26, 23))]
    for moment in sorted([*moments, *(one.timestamp() for one in late)]):
        clock.set(datetime.fromtimestamp(moment, UTC))
        _visit(ours, chance)
    clock.set(FIRST + timedelta(days=DAYS + 1))


def _visit(ours: Office, chance: random.Random) -> None:
    client, clock = ours.app.test_client(), ours.clock
    assert isinstance(clock, SettableClock)
    source = chance.choice(["google", "google", "facebook", None])
    session = ours.start(**({"utm_source": source} if source else {}))["session_id"]

    def post(path: str, **body: Any) -> None:
        clock.advance(chance.randint(4, 40))
        reply = client.post(path, json={"session_id": session, **body})
        assert reply.status_code == 200, reply.text

    for question in range(1, chance.choice([1, 2, 4, 6, 6, 6])):
        answer = chance.choice(OPTIONS[question])
        post("/api/answer", question_id=question, answer_text=answer)
    if chance.random() < 0.6:
        post("/api/lead/profile", profile_data={"email": f"v{session[5:13]}@shop.example.com"})
    if chance.random() < 0.5:
        post("/api/behavior", action="clicked_demo")
    _work(ours, session, chance)


def _work(ours: Office, session: str, chance: random.Random) -> None:
    clock = ours.clock
    assert isinstance(clock, SettableClock)
    owner = chance.choice(["sam@example.com", "sue@example.com", None])
    with ours.unit() as services:
        lead = services.session.scalars(select(Lead.id).where(Lead.session_id == session)).one()
        if owner is None:
            return
        services.pipeline.assign(lead, owner, actor="alice@example.com")
    for kind in chance.sample(["note", "call", "email"], chance.randint(0, 3)):
        clock.advance(chance.choice([20, 290, 3000, 90_000]))
        with ours.unit() as services:
            services.diary.log_activity(lead, NewActivity(kind), actor=owner)
    if chance.random() < 0.5:
        outcome = chance.choice(["won", "lost"])
        with ours.unit() as services:
            services.pipeline.record_outcome(lead, outcome, value=100, actor=owner)


def rows(ours: Office) -> list[tuple[Conversation, Lead]]:
    """Every session that counts, with its lead, as the tables have them."""
    with ours.unit() as services:
        found = services.session.execute(
            select(Conversation, Lead)
            .join(Lead, Lead.id == Conversation.lead_id)
            .where(Conversation.suspicion.is_(None))
        ).all()
        services.session.expunge_all()
    return [(session, lead) for session, lead in found]


def within(period: Period, moment: datetime | None) -> bool:
    """Whether the day of a moment, by the clock on the wall, is one of the period's."""
    if moment is None:
        return False
    return period.first <= moment.astimezone(period.zone).date() <= period.last


def answers(ours: Office) -> list[Answer]:
    """Every answer that stands."""
    with ours.unit() as services:
        found = list(services.session.scalars(select(Answer)))
        services.session.expunge_all()
    return found


def first_touches(ours: Office) -> dict[int, datetime]:
    """When each lead was first called, written to or met."""
    found: dict[int, datetime] = {}
    with ours.unit() as services:
        for one in services.session.scalars(select(Activity)):
            if one.kind in ("call", "email", "meeting"):
                found[one.lead_id] = min(found.get(one.lead_id, one.occurred_at), one.occurred_at)
    return found


def by_day(period: Period, found: list[tuple[Conversation, Lead]]) -> Counter[date]:
    """Sessions by the day on the wall."""
    days = (session.started_at.astimezone(period.zone).date() for session, _ in found)
    return Counter(day for day in days if period.first <= day <= period.last)

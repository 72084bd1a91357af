"""Retention: what was typed goes in time, what was counted stays, and no clock can fool it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from lib.clock import SettableClock
from models import Answer, AuditEntry, Conversation, Event, Lead, UserBehavior
from services.job_service import Progress
from services.retention_service import RetentionService
from tests.jobs.conftest import Desk
from tests.shop import START, Shop, shop

CANARY = "xylophone-4711"


def run(place: Shop, **how: bool) -> dict[str, Any]:
    """A whole run, unit by unit."""
    progress = Progress()
    while progress.result is None:
        with place.unit() as services:
            service = services.make(RetentionService)
            progress = service.go_on(progress.place, actor="tests", **how)
    return dict(progress.result)


def advance(place: Shop, **time: float) -> None:
    assert isinstance(place.clock, SettableClock)
    place.clock.advance(timedelta(**time).total_seconds())


def talk(place: Shop, *, contact: bool = False) -> str:
    """A visitor who types, clicks, chooses, and maybe says where to be called."""
    client = place.app.test_client()
    visit = {"referrer": f"https://{CANARY}.example/", "visitor_id": f"{CANARY}-{id(object())}"}
    session_id: str = client.post("/api/session/start", json=visit).json["session_id"]

    def post(path: str, **body: Any) -> None:
        reply = client.post(path, json={"session_id": session_id, **body})
        assert reply.status_code == 200, reply.text

    post("/api/answer", question_id=1, answer_text="Restaurant")
    post("/api/answer", question_id=2, answer_text=f"Behind the {CANARY} shop")
    post("/api/behavior", action="cta_clicked", metadata={"note": CANARY})
    profile = {"name": CANARY, "company": CANARY, "hobby": CANARY}
    if contact:
        profile["email"] = f"{CANARY}@example.com"
    post("/api/lead/profile", profile_data=profile)
    return session_id


def words(place: Shop, session_id: str) -> int:
    """In how many places the canary still sings."""
    with place.unit() as services:
        row = services.session.get(Conversation, session_id)
        assert row is not None
        lead = services.session.get(Lead, row.lead_id)
        facts = services.session.scalars(
            select(Event.personal).where(Event.session_id == session_id)
        )
        answers = services.session.scalars(
            select(Answer.answer_text).where(Answer.session_id == session_id)
        )
        found = [*facts, *answers, *vars(row).values(), *vars(lead).values()]
        return sum(CANARY in str(one) for one in found)


def counts(place: Shop) -> list[Any]:
    """What must stay: the facts' measured halves, points, classes, choices, sources."""
    with place.unit() as services:
        session = services.session
        assert services.replays.replay_all().differences == []
        return [
            services.replays.replay_all().hash,
            session.execute(select(Event.kind, Event.measured).order_by(Event.id)).all(),
            session.scalar(select(func.sum(UserBehavior.score_impact))),
            session.execute(
                select(
                    Lead.id, Lead.lead_score, Lead.lead_classification, Lead.business_type
                ).order_by(Lead.id)
            ).all(),
        ]


@pytest.fixture
def place(desk: Desk) -> Shop:
    return desk.shop


def test_an_old_talk_without_a_contact_loses_its_words_and_no_count(place: Shop) -> None:
    old, friend = talk(place), talk(place, contact=True)
    advance(place, days=91)
    new = [talk(place) for _ in range(4)]
    before = counts(place)
    sung = words(place, friend), [words(place, one) for one in new]

    told = run(place)

    assert told["blanked"] == 1
    assert words(place, old) == 0
    assert (words(place, friend), [words(place, one) for one in new]) == sung
    assert counts(place) == before


def test_a_talk_whose_contact_sales_found_out_keeps_its_words(desk: Desk) -> None:
    old = talk(desk.shop)
    desk.patch("/api/leads/1", {"email": "asha@example.com"})
    advance(desk.shop, days=91)

    assert run(desk.shop, force=True)["blanked"] == 0
    assert words(desk.shop, old)


def test_a_second_run_finds_nothing(place: Shop) -> None:
    talk(place)
    advance(place, days=91)
    for _ in range(4):
        talk(place)
    run(place)

    assert run(place)["blanked"] == 0


def test_more_than_a_fifth_at_once_stops_and_says_what_to_do(place: Shop) -> None:
    old = [talk(place) for _ in range(2)]
    advance(place, days=91)
    talk(place)

    told = run(place)

    assert told["blanked"] == 0
    assert "2 of 3 sessions" in told["stopped"] and "--force" in told["stopped"]
    assert all(words(place, one) for one in old)
    assert run(place, force=True)["blanked"] == 2


def test_a_dry_run_counts_and_changes_nothing(place: Shop) -> None:
    old = talk(place)
    advance(place, days=91)

    told = run(place, dry_run=True)

    assert (told["found"], told["sessions"], told["blanked"]) == (1, 1, 0)
    assert words(place, old)
    with place.unit() as services:
        entries = select(AuditEntry).where(AuditEntry.action.startswith("retention."))
        assert services.session.scalars(entries).all() == []


def test_a_clock_before_the_newest_fact_stops_it(place: Shop) -> None:
    advance(place, days=-200)
    talk(place)
    advance(place, days=200)
    for _ in range(9):
        talk(place)
    advance(place, days=-1)

    told = run(place)

    assert told["blanked"] == 0
    assert "newest fact" in told["stopped"]


def test_a_clock_that_jumps_is_believed_after_a_day(place: Shop) -> None:
    old = talk(place)
    run(place)
    advance(place, days=91)
    for _ in range(4):
        talk(place)

    at_once = run(place)
    advance(place, hours=1)
    soon = run(place)
    advance(place, hours=20)
    tomorrow = run(place)

    assert "is the clock right?" in at_once["stopped"]
    assert "is the clock right?" in soon["stopped"]
    assert tomorrow["blanked"] == 1
    assert words(place, old) == 0


def test_the_command_counts_asks_and_does(place: Shop) -> None:
    old = talk(place)
    advance(place, days=91)
    runner = place.app.test_cli_runner()

    dry = runner.invoke(args=["retention", "--dry-run"])
    stopped = runner.invoke(args=["retention"])
    done = runner.invoke(args=["retention", "--force"])

    assert "1 of 1 sessions are older than" in dry.output
    assert (stopped.exit_code, done.exit_code) == (1, 0)
    assert "--force" in stopped.output
    assert "1 sessions blanked" in done.output
    assert words(place, old) == 0


AGES = st.lists(st.tuples(st.integers(0, 200), st.booleans()), min_size=1, max_size=8)


def check_ages(
    sqlite_template: Path, folder: Path, ages: list[tuple[int, bool]], days: int
) -> None:
    """Whatever the ages: none too young is touched, none expired survives."""
    file = folder / "leadline.db"
    file.write_bytes(sqlite_template.read_bytes())
    with shop(
        f"sqlite:///{file}", folder, clock=SettableClock(START), ANALYTICS_RETENTION_DAYS=days
    ) as place:
        talks = {}
        for age, contact in sorted(ages, reverse=True):
            place.clock.set(START - timedelta(days=age))
            talks[talk(place, contact=contact)] = (age, contact)
        place.clock.set(START)
        before = counts(place)
        run(place, force=True)
        assert counts(place) == before
        for session_id, (age, contact) in talks.items():
            is_due = age > days and not contact
            assert (words(place, session_id) == 0) is is_due, (age, contact)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(ages=AGES, days=st.integers(1, 150))
def test_no_talk_goes_too_early_and_none_stays_too_long(
    sqlite_template: Path, tmp_path: Path, ages: list[tuple[int, bool]], days: int
) -> None:
    check_ages(sqlite_template, tmp_path, ages, days)


@pytest.mark.nightly
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(ages=AGES, days=st.integers(1, 150))
def test_no_talk_goes_too_early_and_none_stays_too_long_500_times(
    sqlite_template: Path, tmp_path: Path, ages: list[tuple[int, bool]], days: int
) -> None:
    check_ages(sqlite_template, tmp_path, ages, days)

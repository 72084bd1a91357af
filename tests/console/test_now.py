"""Now: the queue as people see it, its one-click actions, and what the rules get to read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from engine.queue import UNANSWERED, Cause
from engine.volume import Volume
from models import Activity, AuditEntry, FollowUp, Lead
from services.action_queue import ActionQueue, Scope
from services.diary_service import NewActivity
from services.refresh_service import RefreshService
from tests.console.office import START, Office, plain
from tests.console.visitors import ANSWERS, talk

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SAM = "sam@example.com"
TODAY = START.replace(hour=0)


def causes(ours: Office, scope: Scope = Scope()) -> dict[int, list[Cause]]:
    def read(services: Any) -> dict[int, list[Cause]]:
        today = ours.clock.now().replace(hour=0, minute=0)
        found = services.action_queue.find(scope, today=today).items
        return {one.lead.id: [reason.cause for reason in one.task.reasons] for one in found}

    found: dict[int, list[Cause]] = ours.ask(read)
    return found


def log(ours: Office, lead: int, **told: Any) -> None:
    with ours.unit() as services:
        services.diary.log_activity(lead, NewActivity(**{"kind": "call", **told}), actor=SAM)


def renew(ours: Office, *leads: int) -> None:
    """What the relay does a moment after a fact."""
    with ours.unit() as services:
        RefreshService(services.session, services.resources).renew(list(leads))


# What the rules get to read


def test_what_happened_this_minute_is_said_in_words(small: Office) -> None:
    lead = talk(small)
    with small.unit() as services:
        services.pipeline.snooze(lead, START + HOUR, actor=SAM)
    small.clock.advance(2 * 3600)
    with small.unit() as services:
        services.pipeline.wake_snoozed(small.clock.now(), 10)

    assert "Its snooze is over ( just now )" in small.sam.text("/console/now")


def test_a_hot_lead_waits_from_the_moment_it_became_hot(ours: Office) -> None:
    lead = talk(ours)
    ours.clock.advance(600)
    renew(ours, lead)
    ours.clock.advance(600)
    renew(ours, lead)

    (item,) = ours.ask(lambda s: s.action_queue.find(Scope(), today=TODAY)).items

    assert item.task.due == START + timedelta(minutes=10) + HOUR


def test_who_was_called_leaves_the_queue_and_who_comes_back_returns(ours: Office) -> None:
    lead = talk(ours, answers=ANSWERS[:4])
    assert causes(ours) == {lead: [Cause.FIRST_TOUCH]}

    log(ours, lead, outcome="reached")
    assert causes(ours) == {}

    ours.clock.advance(3600)
    with ours.unit() as services:
        services.book.edit(lead, {"company": "By staff"}, actor=SAM)
    assert causes(ours) == {}, "staff who correct a profile are no news"

    ours.clock.advance(60)
    session = ours.ask(lambda s: s.session.get_one(Lead, lead).session_id)
    body = {"session_id": session, "question_id": 5, "answer_text": ["Billing"]}
    ours.app.test_client().post("/api/answer", json=body)
    assert causes(ours) == {lead: [Cause.NEWS]}


def test_nobody_is_asked_to_call_who_left_no_way_to(ours: Office) -> None:
    silent, reached = talk(ours, profile={}), talk(ours)
    walked_in = ours.enter_lead(name="At the market, red coat")
    renew(ours, silent, reached, walked_in)
    ours.clock.advance(5 * 86400)

    assert set(causes(ours)) == {reached, walked_in}
    health = ours.ask(lambda s: s.health.find(_utc()))
    assert (health.open_leads, health.hot_of_nobody, health.qualified_of_nobody) == (3, 1, 1)

    with ours.unit() as services:
        services.diary.set_follow_up(silent, ours.clock.now() - HOUR, actor=SAM)
    assert silent in causes(ours), "what somebody promised is kept"


def test_a_reply_by_mail_is_news_and_an_opened_mail_is_none(ours: Office) -> None:
    lead = talk(ours)
    log(ours, lead, outcome="reached")
    ours.clock.advance(3600)

    log(ours, lead, kind="email_open")
    assert causes(ours) == {}
    log(ours, lead, kind="email_reply")
    assert causes(ours) == {lead: [Cause.NEWS]}


def test_a_note_is_no_contact_and_no_answer_comes_back(ours: Office) -> None:
    lead = talk(ours)
    log(ours, lead, kind="note", note="Looks good")
    assert causes(ours) == {lead: [Cause.FIRST_TOUCH]}

    log(ours, lead, outcome="no_answer")
    assert causes(ours) == {}
    ours.clock.advance(2 * 3600)
    assert causes(ours) == {lead: [Cause.NO_ANSWER]}
    log(ours, lead, outcome="reached")
    assert causes(ours) == {}


def test_follow_ups_snoozes_and_outcomes_decide_who_rests(ours: Office) -> None:
    lead = talk(ours)
    cold = ours.enter_lead(name="Cold")
    with ours.unit() as services:
        services.diary.set_follow_up(cold, START + HOUR / 2, actor=SAM)
        services.diary.set_follow_up(lead, START + DAY, actor=SAM)
    assert causes(ours) == {cold: [Cause.FOLLOW_UP]}

    with ours.unit() as services:
        services.pipeline.snooze(cold, START + HOUR, actor=SAM)
    assert causes(ours) == {}
    assert ours.ask(lambda s: s.action_queue.find(Scope(), today=TODAY)).next_at == START + HOUR / 2

    ours.clock.advance(2 * 3600)
    with ours.unit() as services:
        services.pipeline.wake_snoozed(ours.clock.now(), 10)
    assert causes(ours) == {cold: [Cause.FOLLOW_UP, Cause.WOKE]}

    with ours.unit() as services:
        services.pipeline.record_outcome(cold, "lost", actor=SAM)
    assert causes(ours) == {}


def test_what_stands_still_in_its_stage_is_told(ours: Office) -> None:
    lead, other = ours.enter_lead(name="Lena"), ours.enter_lead(name="Else")
    stages = [
        {"name": "New", "kind": "open"},
        {"name": "Meeting", "kind": "open", "limit_days": 5},
        {"name": "Deal", "kind": "won"},
        {"name": "Reject", "kind": "lost"},
    ]
    with ours.unit() as services:
        services.pipeline.change_stages(stages, actor=SAM)
        services.pipeline.set_stage(lead, "Meeting", actor=SAM)
        services.pipeline.set_stage(other, "New", actor=SAM)
    ours.clock.advance(6 * 86400)

    assert causes(ours) == {lead: [Cause.STAGNANT]}


def test_the_fair_chance_lane_is_worked_too(ours: Office) -> None:
    ours.enter_lead(name="Cold")
    leads = [ours.enter_lead(name=f"Lead {number}") for number in range(30)]
    with ours.unit() as services:
        from services.prediction_settings import PredictionSettings

        settings = PredictionSettings(services.session, services.resources)
        settings.change({"fair_chance_percent": 20.0}, by=SAM)
        drawn = {lead for lead in leads if settings.decided().lane_of(lead)}

    found = causes(ours)

    assert drawn <= set(found) and all(found[lead] == [Cause.FAIR_CHANCE] for lead in drawn)


def test_the_statements_find_exactly_who_the_rules_would_keep(ours: Office) -> None:
    """A brute force over every lead, without the conditions that the statements add."""
    hot = [talk(ours) for _ in range(3)]
    warm = [talk(ours, answers=ANSWERS[:n], demo=False) for n in (0, 2, 3, 4)]
    cold = [ours.enter_lead(name=f"Cold {number}") for number in range(3)]
    leads = [*hot, *warm, *cold]
    for number, lead in enumerate(leads):
        told = (None, "reached", "no_answer")[number % 3]
        if told:
            log(ours, lead, outcome=told, occurred_at=START)
        if number % 4 == 1:
            with ours.unit() as services:
                due = START + (number - 4) * HOUR
                services.diary.set_follow_up(lead, due, actor=SAM)
    renew(ours, *leads)
    ours.clock.advance(3 * 3600)

    def brute(services: Any) -> set[int]:
        queue = ActionQueue(services.session, services.resources)
        known = queue._details(leads, {})
        from engine.queue import tasks

        found = tasks([queue._standing(one, set()) for one in known], queue.now)
        return {one.lead_id for one in found}

    assert set(causes(ours)) == ours.ask(brute)


def test_the_queue_follows_the_profile_that_ranks_leads(ours: Office) -> None:
    lead = talk(ours)
    wanted = {"queue_profile": "crm_rules"}
    alice = ours.alice
    headers = {"X-CSRF-Token": alice.token}
    assert alice.client.post("/api/alerts/config", json=wanted, headers=headers).status_code == 200
    renew(ours, lead)

    (item,) = ours.ask(lambda s: s.action_queue.find(Scope(), today=TODAY)).items

    assert (str(item.task.tier), item.task.score) == ("warm", 60.0)


def test_a_rep_reads_their_own_and_nobodys(ours: Office) -> None:
    mine, free, hers = talk(ours), talk(ours), talk(ours)
    with ours.unit() as services:
        services.pipeline.assign(mine, SAM, actor=SAM)
        services.pipeline.assign(hers, "sue@example.com", actor=SAM)
        for lead, name in ((mine, "Mine"), (free, "Free"), (hers, "Hers")):
            services.book.edit(lead, {"name": name}, actor=SAM)

    def names(visit: Any, **query: str) -> list[str]:
        page = visit.get("/console/now", **query).text
        return sorted(re.findall(r'class="name"[^>]*><bdi>(\w+)', page))

    assert names(ours.sam) == ["Free", "Mine"]
    assert names(ours.sam, whose="mine") == ["Mine"]
    assert names(ours.sam, whose="nobody") == ["Free"]
    assert names(ours.alice) == ["Free", "Hers", "Mine"]
    assert names(ours.alice, whose="mine") == []


# What one does there

ACTIONS: Mapping[str, dict[str, str]] = {
    "called": {},
    "no-answer": {},
    "wrote": {},
    "snooze": {"span": "1h"},
    "tomorrow": {},
    "take": {},
}


@pytest.mark.parametrize("action", ACTIONS)
def test_one_click_is_one_step_with_one_audit_row(small: Office, action: str) -> None:
    lead, sam = talk(small), small.sam
    _ = sam.token
    before = small.ask(lambda s: s.session.scalar(select(func.count(AuditEntry.id))))

    reply = sam.post(f"/console/now/{lead}/{action}", ACTIONS[action])

    assert (reply.status_code, reply.headers["Location"]) == (303, "/console/now")
    after = small.ask(lambda s: s.session.scalar(select(func.count(AuditEntry.id))))
    assert after == before + 1
    assert (causes(small) == {}) is (action != "take")


def test_who_left_no_number_is_written_to(small: Office) -> None:
    by_phone = talk(small)
    by_mail = talk(small, profile={"name": "Mia", "email": "mia@shop.example.com"})

    page = small.sam.get("/console/now").text

    assert f'action="/console/now/{by_phone}/called"' in page
    assert f'action="/console/now/{by_phone}/wrote"' not in page
    assert f'action="/console/now/{by_mail}/wrote"' in page and 'href="mailto:mia%40' in page
    assert f'action="/console/now/{by_mail}/called"' not in page
    small.sam.post(f"/console/now/{by_mail}/wrote")
    kinds = small.ask(lambda s: s.session.scalars(select(Activity.kind)).all())
    assert kinds == ["email"] and by_mail not in causes(small)


@pytest.mark.parametrize("is_planned", [False, True])
@pytest.mark.parametrize("action", [*ACTIONS, "finish"])
def test_only_who_sells_acts_and_only_on_what_they_see(
    small: Office, action: str, is_planned: bool
) -> None:
    lead = talk(small)
    with small.unit() as services:
        if is_planned:
            services.diary.set_follow_up(lead, START + HOUR, actor=SAM)
        services.pipeline.assign(lead, "sue@example.com", actor=SAM)
    form = ACTIONS.get(action, {})

    assert small.vera.post(f"/console/now/{lead}/{action}", form).status_code == 403
    assert small.mark.post(f"/console/now/{lead}/{action}", form).status_code == 403
    assert small.sam.post(f"/console/now/{lead}/{action}", form).status_code == 404
    assert small.ask(lambda s: s.session.scalars(select(Activity)).all()) == []


def test_a_script_gets_the_queue_without_what_was_done(small: Office) -> None:
    first, second = talk(small), talk(small)
    sam = small.sam

    reply = sam.post(f"/console/now/{first}/called", part=True)

    assert reply.status_code == 200 and "<html" not in reply.text
    assert f"/leads/{second}" in reply.text and f"/leads/{first}" not in reply.text
    assert "Called. " in reply.headers["HX-Trigger"].encode().decode("unicode-escape")
    row = small.ask(lambda s: s.session.scalars(select(Activity)).one())
    assert (row.kind, row.outcome, row.method) == ("call", "reached", "phone")


def test_no_answer_is_a_word_that_the_rules_know(small: Office) -> None:
    lead = talk(small)
    small.sam.post(f"/console/now/{lead}/no-answer")

    assert small.ask(lambda s: s.session.scalar(select(Activity.outcome))) in UNANSWERED


def test_tomorrow_at_nine_is_that_of_the_reader(small: Office) -> None:
    lead, sam = talk(small), small.sam
    from models import Person

    with small.unit() as services:
        zone = {"time_zone": "Asia/Kolkata"}
        services.session.execute(update(Person).where(Person.email == SAM).values(**zone))

    sam.post(f"/console/now/{lead}/tomorrow")
    sam.post(f"/console/now/{lead}/tomorrow")

    due = small.ask(lambda s: s.session.scalars(select(FollowUp.due_at)).all())
    assert due == [datetime(2026, 11, 22, 3, 30, tzinfo=UTC)], "moved, not set twice"


def test_a_follow_up_is_finished_from_the_queue(small: Office) -> None:
    lead = small.enter_lead(name="Lena")
    with small.unit() as services:
        services.diary.set_follow_up(lead, START, note="Price list", actor=SAM)
    sam = small.sam
    assert "Price list" in sam.text("/console/now")

    sam.post(f"/console/now/{lead}/finish")
    assert causes(small) == {}
    again = sam.post(f"/console/now/{lead}/finish", follow=True)
    assert "no follow-up any more" in again.text


def test_next_goes_through_the_queue_and_ends(small: Office) -> None:
    first, second = talk(small), talk(small)
    sam = small.sam

    assert f"/leads/{second}?from=now" in sam.get("/console/now/next", after=first).location
    assert f"/leads/{first}?from=now" in sam.get("/console/now/next", after=second).location
    assert f"/leads/{first}?from=now" in sam.get("/console/now/next", after="x").location
    sam.post(f"/console/now/{second}/called")
    end = sam.get("/console/now/next", after=first)
    assert end.location == "/console/now"


def test_done_for_now_says_what_comes_next(small: Office) -> None:
    sam = small.sam
    assert "Done for now" in sam.text("/console/now")

    lead = small.enter_lead(name="Lena")
    with small.unit() as services:
        services.diary.set_follow_up(lead, START + 5 * HOUR, actor=SAM)

    assert "The next thing comes up in 5 h" in sam.text("/console/now")


def test_the_list_is_long_only_for_who_asks(small: Office) -> None:
    for number in range(27):
        lead = small.enter_lead(name=f"Lead {number}")
        with small.unit() as services:
            services.diary.set_follow_up(lead, START, actor=SAM)
    sam = small.sam

    page = sam.get("/console/now").text
    assert page.count("data-row") == 25 and "2 wait behind these" in plain(page)
    assert sam.get("/console/now", lines="75").text.count("data-row") == 27
    assert sam.get("/console/now", lines="0").status_code == 422


# For who leads


def test_who_leads_sees_how_the_pipeline_stands_and_a_rep_does_not(ours: Office) -> None:
    talk(ours)
    late = ours.enter_lead(name="Late")
    with ours.unit() as services:
        services.diary.set_follow_up(late, START - HOUR, actor=SAM)

    text = ours.alice.text("/console/now")

    for words in ("2 open leads", "1 hot and nobody's", "1 follow-ups overdue"):
        assert words in text, words
    assert "open leads" not in ours.sam.text("/console/now")
    assert "open leads" in ours.vera.text("/console/now")


def test_a_day_unlike_its_weekdays_is_a_warning(ours: Office) -> None:
    for week in range(1, 9):
        for _ in range(2):
            lead = ours.enter_lead(name="Usual")
            born = START - week * 7 * DAY - HOUR
            with ours.unit() as services:
                row = update(Lead).where(Lead.id == lead).values(created_at=born)
                services.session.execute(row)
    assert "Unusually" not in ours.alice.text("/console/now")

    for _ in range(12):
        ours.enter_lead(name="New")

    text = ours.alice.text("/console/now")
    assert "Unusually many new leads today: 12 , usually about 2" in text
    health = ours.ask(lambda s: s.health.find(_utc()))
    assert health.today == Volume(12, 2.0, pytest.approx(7.07, abs=0.1), True)


def test_the_hour_of_the_wall_counts_across_a_change_of_clocks() -> None:
    from zoneinfo import ZoneInfo

    from services.pipeline_health import _windows

    berlin = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 10, 26, 9, 0, tzinfo=berlin)  # the day after the clocks went back
    days = _windows(now, berlin, since_monday=False)

    assert days[0][1].astimezone(UTC).hour == 8 and days[1][1].astimezone(UTC).hour == 7
    assert all(end - start == 9 * HOUR for start, end in days)


def _utc() -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo("UTC")

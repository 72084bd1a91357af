"""Jobs: what each does, and that no unit of one counts twice."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

import outbox
from engine.vocabulary import FactKind
from errors import Invalid
from jobs.schedule import HOUR, MINUTE, Row, schedule
from jobs.tasks import DIED, FAULT, KINDS, Task, Worker
from lib.clock import SettableClock
from models import Conversation, Event, Job, Lead, StoredReply, UserBehavior
from services import Services
from services.job_service import MOST_ATTEMPTS, Progress
from tests.jobs.conftest import Desk
from tests.shop import START
from workflow_config import ACTIVE_TESTS, WORKFLOW_CONFIG


def ask(desk: Desk, kind: str, **payload: Any) -> str:
    with desk.shop.unit() as services:
        asked = services.jobs.request(kind, requested_by="tests", payload=payload)
    identifier: str = asked["job_id"]
    return identifier


def seen(desk: Desk, identifier: str) -> dict[str, Any]:
    with desk.shop.unit() as services:
        return services.jobs.get(identifier)


def run(desk: Desk, kind: str, **payload: Any) -> dict[str, Any]:
    """The end of a job."""
    identifier = ask(desk, kind, **payload)
    while Worker(desk.shop.resources).work():
        pass
    return seen(desk, identifier)


def advance(desk: Desk, **time: float) -> None:
    assert isinstance(desk.shop.clock, SettableClock)
    desk.shop.clock.advance(timedelta(**time).total_seconds())


def publish(desk: Desk, **points: int) -> int:
    """A later version of the workflow, in which some actions are worth something else."""
    config = copy.deepcopy(dict(WORKFLOW_CONFIG))
    config["scoring"] = {**config["scoring"], **points}
    with desk.shop.unit() as services:
        return services.workflows.publish(config, ACTIVE_TESTS)


def differences(desk: Desk) -> list[str]:
    with desk.shop.unit() as services:
        return services.replays.replay_all().differences


# What each does


def test_a_refresh_rescores_every_lead_under_the_version_in_force(desk: Desk) -> None:
    session_id = desk.shop.start()["session_id"]
    desk.demo(session_id)
    desk.shop.start()
    advance(desk, hours=1)
    version = publish(desk, clicked_demo=40)

    identifier = desk.post("/api/leads/refresh", status=202)["job_id"]
    while Worker(desk.shop.resources).work():
        pass

    told = seen(desk, identifier)
    assert (told["status"], told["done"], told["total"]) == ("done", 2, 2)
    assert told["result"] == {"leads": 2, "changed": 1}
    with desk.shop.unit() as services:
        talk = services.session.get(Conversation, session_id)
        lead = services.session.get(Lead, talk and talk.lead_id)
        assert talk is not None and lead is not None
        assert (talk.score, lead.lead_score, talk.points_version) == (45, 45, version)
        # The visitor has not come back.
        assert talk.last_activity_at == lead.last_activity_at < services.now()
    assert differences(desk) == []


def test_a_second_refresh_changes_nothing(desk: Desk) -> None:
    desk.demo(desk.shop.start()["session_id"])
    publish(desk, clicked_demo=40)
    run(desk, "leads.refresh")

    assert run(desk, "leads.refresh")["result"] == {"leads": 1, "changed": 0}
    with desk.shop.unit() as services:
        rescored = select(func.count()).where(Event.kind == FactKind.SESSION_RESCORED)
        assert services.session.scalar(rescored) == 1


def test_an_answer_after_a_refresh_counts_as_the_new_version_says(desk: Desk) -> None:
    session_id = desk.shop.start()["session_id"]
    publish(desk, answered_question=7)
    run(desk, "leads.refresh")

    desk.post(
        "/api/answer", {"session_id": session_id, "question_id": 1, "answer_text": "Restaurant"}
    )

    with desk.shop.unit() as services:
        points = select(UserBehavior.score_impact).where(
            UserBehavior.session_id == session_id,
            UserBehavior.behavior_type == "answered_question",
        )
        assert services.session.scalars(points).all() == [7]
    assert differences(desk) == []


def test_the_clock_renews_scores_and_never_takes_another_versions_points(desk: Desk) -> None:
    session_id = desk.shop.start()["session_id"]
    desk.demo(session_id)
    publish(desk, clicked_demo=40)
    advance(desk, days=40)

    told = run(desk, "scores.renew")

    assert told["result"]["leads"] == 1
    with desk.shop.unit() as services:
        talk = services.session.get(Conversation, session_id)
        assert talk is not None and (talk.score, talk.points_version) == (20, 1)


def test_a_follow_up_that_is_due_is_told_once(desk: Desk) -> None:
    desk.shop.start()
    at = (desk.shop.clock.now() + timedelta(minutes=5)).isoformat()
    desk.post("/api/leads/1/follow-ups", {"due_at": at, "note": "Call"}, status=201)

    early = run(desk, "follow_ups.remind")["result"]
    advance(desk, minutes=6)
    due = run(desk, "follow_ups.remind")["result"]
    again = run(desk, "follow_ups.remind")["result"]

    assert [told["reminded"] for told in (early, due, again)] == [0, 1, 0]


def test_a_snooze_ends(desk: Desk) -> None:
    desk.shop.start()
    until = (desk.shop.clock.now() + timedelta(hours=1)).isoformat()
    desk.patch("/api/leads/1", {"snoozed_until": until})

    early = run(desk, "leads.wake")["result"]
    advance(desk, hours=2)

    assert early == {"woken": 0}
    assert run(desk, "leads.wake")["result"] == {"woken": 1}


def test_a_digest_gathers_what_waited_for_it(desk: Desk) -> None:
    desk.add(triggers=["demo_requested"], digest="hourly")
    for _ in range(3):
        desk.demo(desk.shop.start()["session_id"])
    desk.work()
    assert desk.heard() == []

    run(desk, "digests.make", digest="daily")
    desk.work()
    assert desk.heard() == []
    run(desk, "digests.make", digest="hourly")
    desk.work()

    assert len(desk.heard()) == 1


def test_tidying_forgets_stored_replies_of_yesterday_only(desk: Desk) -> None:
    body = {"session_id": desk.shop.start()["session_id"], "action": "cta_clicked"}
    for key in ("yesterdays", "todays"):
        advance(desk, hours=23)
        headers = {"Idempotency-Key": key}
        desk.client.post("/api/behavior", json=body, headers=headers)
    advance(desk, hours=2)

    run(desk, "tidy")

    with desk.shop.unit() as services:
        assert services.session.scalars(select(StoredReply.key)).all() == ["todays"]


def test_tidying_forgets_jobs_of_last_month_only(desk: Desk) -> None:
    old = run(desk, "leads.wake")["job_id"]
    advance(desk, days=31)
    new = run(desk, "tidy")["job_id"]

    with desk.shop.unit() as services:
        left = services.session.scalars(select(Job.id)).all()
    assert new in left and old not in left


def test_the_replay_check_counts_what_differs(desk: Desk) -> None:
    good, bad = desk.shop.start()["session_id"], desk.shop.start()["session_id"]
    assert run(desk, "replay.check")["result"] == {"sessions": 2, "differences": 0, "first": []}

    with desk.shop.unit() as services:
        services.session.execute(
            update(Conversation).where(Conversation.id == bad).values(score=99)
        )
    told = run(desk, "replay.check")["result"]

    assert told["differences"] == 1
    assert bad in told["first"][0] and good not in told["first"][0]


# How they run


class Machine:
    """Kinds of jobs that count their units."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.units = 0

    def count(self, services: Services, job: Job) -> Progress:
        """Counts to three, a fact a unit, written in the unit's own transaction."""
        self.units += 1
        at = job.payload.get("at", 0) + 1
        fact = outbox.NewFact(FactKind.SETTINGS_CHANGED, services.now(), {"at": at})
        outbox.record(services.session, fact)
        return Progress(at, 3, {"at": at}, {"counted": at} if at == 3 else None)

    def counted(self) -> list[int]:
        """What the facts say."""
        with self.desk.shop.unit() as services:
            facts = select(Event.measured).where(Event.kind == FactKind.SETTINGS_CHANGED)
            return [fact["at"] for fact in services.session.scalars(facts.order_by(Event.id))]

    def worker(self, task: Task | None = None) -> Worker:
        """A worker that knows only this kind."""
        return Worker(self.desk.shop.resources, {"count": task or self.count})


@pytest.fixture
def machine(desk: Desk) -> Machine:
    return Machine(desk)


def test_a_job_shows_how_far_it_is_and_its_result(desk: Desk, machine: Machine) -> None:
    identifier = ask(desk, "count")
    assert seen(desk, identifier)["status"] == "queued"

    machine.worker().work(stopping=lambda: machine.units == 2)
    half = seen(desk, identifier)
    machine.worker().work()

    assert (half["status"], half["done"], half["total"]) == ("queued", 2, 3)
    assert seen(desk, identifier)["result"] == {"counted": 3}
    assert machine.counted() == [1, 2, 3]


def test_a_job_goes_on_where_a_killed_runner_left_it(desk: Desk, machine: Machine) -> None:
    identifier = ask(desk, "count")

    def killed(services: Services, job: Job) -> Progress:
        progress = machine.count(services, job)
        if progress.done == 2:
            raise KeyboardInterrupt
        return progress

    with pytest.raises(KeyboardInterrupt):
        machine.worker(killed).work()
    assert machine.worker().work() == 0, "its lease still runs"
    advance(desk, minutes=2)
    machine.worker().work()

    assert seen(desk, identifier)["status"] == "done"
    assert machine.counted() == [1, 2, 3]


def test_a_runner_that_comes_back_late_counts_for_nothing(desk: Desk, machine: Machine) -> None:
    identifier = ask(desk, "count")

    def slow(services: Services, job: Job) -> Progress:
        # Its lease is over and another has the job before this unit ends.
        stolen = update(Job).where(Job.id == job.id).values(lease="somebody else's")
        services.session.execute(stolen)
        return machine.count(services, job)

    machine.worker(slow).work()

    assert machine.counted() == []
    assert seen(desk, identifier)["done"] == 0


def test_a_job_that_kills_every_runner_is_given_up(desk: Desk, machine: Machine) -> None:
    identifier = ask(desk, "count")

    def kills(services: Services, job: Job) -> Progress:
        raise KeyboardInterrupt

    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            machine.worker(kills).work()
        advance(desk, minutes=2)
    machine.worker(kills).work()

    told = seen(desk, identifier)
    assert (told["status"], told["error"]) == ("failed", DIED.format(MOST_ATTEMPTS))


@pytest.mark.parametrize(
    "error, sentence",
    [(Invalid("There is no such file."), "There is no such file."), (KeyError("x"), FAULT)],
)
def test_a_job_that_fails_says_why_in_a_sentence(
    desk: Desk, machine: Machine, error: Exception, sentence: str
) -> None:
    identifier = ask(desk, "count")

    def fails(services: Services, job: Job) -> Progress:
        machine.count(services, job)
        raise error

    machine.worker(fails).work()

    told = seen(desk, identifier)
    assert (told["status"], told["error"], told["result"]) == ("failed", sentence, None)
    assert machine.counted() == []


def test_a_kind_that_a_runner_does_not_know_waits_for_one_that_does(
    desk: Desk, machine: Machine
) -> None:
    identifier = ask(desk, "of.tomorrow")

    assert machine.worker().work() == 0
    assert seen(desk, identifier)["status"] == "queued"


# The table


def test_every_row_of_the_schedule_has_a_job_that_does_it(desk: Desk) -> None:
    rows = schedule(desk.shop.resources)

    assert {row.kind for row in rows} <= set(KINDS)
    assert len({row.name for row in rows}) == len(rows)


@pytest.mark.parametrize(
    "moment, begun",
    [("09:20:00", "09:20:00"), ("10:19:59", "09:20:00"), ("10:20:00", "10:20:00")],
)
def test_a_slot_begins_at_its_rows_minute(moment: str, begun: str) -> None:
    row = Row("r", "k", HOUR, at=20 * MINUTE)
    day = START.replace(hour=0)

    def at(text: str) -> Any:
        hours, minutes, seconds = map(int, text.split(":"))
        return day + timedelta(hours=hours, minutes=minutes, seconds=seconds)

    assert row.slot(at(moment)) == int(at(begun).timestamp())


def test_a_changed_period_leads_to_no_slot_that_was_taken() -> None:
    quick = Row("r", "k", timedelta(seconds=600)).slot(START + timedelta(hours=1))
    slow = Row("r", "k", timedelta(seconds=3600)).slot(START + timedelta(hours=2))

    assert slow > quick

"""Runners: one keeps the clock, and whoever is killed, no slot runs twice and none is missed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from engine.vocabulary import FactKind
from jobs.runner import LEASE_NAME, JobThread, Runner, Timekeeper
from jobs.schedule import HOUR, MINUTE, Row
from jobs.tasks import Worker
from lib.clock import SettableClock
from models import Event, Job, JobRun, Lease
from services import unit_of_work
from tests.jobs import clocks
from tests.jobs.conftest import Desk
from tests.shop import START

ROWS = (Row("often", "tidy", MINUTE), Row("rarely", "leads.wake", HOUR))
PATIENCE = 60.0


def until(true: Callable[[], Any]) -> Any:
    """What is true in the end; we wait for other processes."""
    deadline = time.monotonic() + PATIENCE
    while not (found := true()):
        if time.monotonic() > deadline:
            raise AssertionError("it never became true")
        threading.Event().wait(0.02)
    return found


def slots(desk: Desk, row: str) -> list[JobRun]:
    with desk.shop.unit() as services:
        runs = select(JobRun).where(JobRun.job == row).order_by(JobRun.slot)
        return list(services.session.scalars(runs))


@pytest.fixture
def clock(desk: Desk) -> Iterator[SettableClock]:
    assert isinstance(desk.shop.clock, SettableClock)
    yield desk.shop.clock


def keeper(desk: Desk, owner: str) -> Timekeeper:
    return Timekeeper(desk.shop.resources, ROWS, owner=owner)


def test_a_slot_becomes_one_job(desk: Desk, clock: SettableClock) -> None:
    alice = keeper(desk, "alice")

    begun = [len(alice.tick()) for _ in range(3)]
    clock.advance(60)
    begun.append(len(alice.tick()))

    assert begun == [2, 0, 0, 1]
    assert [len(slots(desk, row.name)) for row in ROWS] == [2, 1]


def test_only_one_leads_and_the_next_one_takes_over(desk: Desk, clock: SettableClock) -> None:
    alice, bob = keeper(desk, "alice"), keeper(desk, "bob")
    alice.tick()

    clock.advance(14)
    assert bob.tick() == []
    clock.advance(60)
    assert len(bob.tick()) == 1, "alice has been silent for longer than her lease"
    assert alice.tick() == []

    runs = slots(desk, "often")
    assert [(run.owner, run.fence) for run in runs] == [("alice", 1), ("bob", 2)]


def test_who_resigns_is_followed_at_once(desk: Desk, clock: SettableClock) -> None:
    alice, bob = keeper(desk, "alice"), keeper(desk, "bob")
    alice.tick()

    alice.resign()
    clock.advance(60)

    assert len(bob.tick()) == 1


def test_two_who_think_that_they_lead_run_no_slot_twice(desk: Desk, clock: SettableClock) -> None:
    alice, bob = keeper(desk, "alice"), keeper(desk, "bob")
    alice.tick()
    with desk.shop.unit() as services:
        lease = services.session.get(Lease, LEASE_NAME)
        assert lease is not None
        lease.until = START - HOUR

    assert bob.tick() == []
    assert len(slots(desk, "often")) == 1


def test_of_missed_slots_only_the_newest_is_made_up(desk: Desk, clock: SettableClock) -> None:
    keeper(desk, "alice").tick()
    clock.advance(10 * 60)

    begun = keeper(desk, "bob").tick()

    assert len(begun) == 1
    assert [run.slot for run in slots(desk, "often")] == [
        int(START.timestamp()),
        int((START + timedelta(minutes=10)).timestamp()),
    ]


def test_a_clock_that_was_a_year_ahead_stops_nothing_when_it_is_right_again(
    desk: Desk, clock: SettableClock
) -> None:
    clock.set(START + timedelta(days=365))
    keeper(desk, "alice").tick()
    clock.set(START)

    assert len(keeper(desk, "bob").tick()) == 2


def test_a_job_that_is_still_at_work_is_not_begun_beside_itself(
    desk: Desk, clock: SettableClock
) -> None:
    alice = keeper(desk, "alice")
    running, _ = alice.tick()
    clock.advance(60)

    assert alice.tick() == [running]
    with desk.shop.unit() as services:
        assert services.session.scalar(select(func.count()).where(Job.kind == "tidy")) == 1
    assert slots(desk, "often")[1].result == {"job_id": running, "skipped": "still running"}


def test_a_slot_tells_what_came_of_it(desk: Desk, clock: SettableClock) -> None:
    keeper(desk, "alice").tick()
    worker = Worker(desk.shop.resources)
    while worker.work():
        pass

    (run,) = slots(desk, "rarely")
    assert run.finished_at is not None
    assert run.result is not None and run.result["woken"] == 0


def test_a_runner_ends_after_the_unit_in_hand(desk: Desk) -> None:
    begun, may_end = threading.Event(), threading.Event()
    parts = [JobThread(desk.shop.resources, Worker(desk.shop.resources, {"count": _slow}))]

    def _wait() -> None:
        begun.set()
        may_end.wait(PATIENCE)

    _slow.wait = _wait  # type: ignore[attr-defined]
    runner = Runner(desk.shop.resources, lambda: parts)
    with desk.shop.unit() as services:
        job = services.jobs.request("count", requested_by="tests", payload={"slot": 0})["job_id"]
    runner.start()
    assert begun.wait(PATIENCE)
    ending = threading.Thread(target=runner.stop)
    ending.start()
    assert parts[0]._stopping.wait(PATIENCE)
    may_end.set()
    ending.join(PATIENCE)

    assert not ending.is_alive()
    with desk.shop.unit() as services:
        told = services.jobs.get(job)
    assert (told["status"], told["done"]) == ("queued", 1)


def _slow(services: Any, job: Job) -> Any:
    _slow.wait()  # type: ignore[attr-defined]
    return clocks.count(services, job)


def check_kills(url: str, folder: Path, kills: int) -> None:
    """Three runners; the leader is killed again and again at a moment nobody chose."""
    clock = clocks.FileClock(folder / "clock")
    clock.set(START)
    mine = clocks.resources(url, folder)

    def ask(question: Any) -> Any:
        with unit_of_work(mine, read_only=True) as services:
            return services.session.scalars(question).all()

    def leader() -> int | None:
        owners = ask(select(Lease.owner).where(Lease.until > clock.now()))
        return int(owners[0].split(":")[1]) if owners else None

    done = select(Job.id).where(Job.status == "done")
    chance, first = random.Random(20261121), int(START.timestamp())
    with clocks.running(url, folder, 3):
        for number in range(kills + 1):
            clock.set(START + timedelta(minutes=number))
            victim = until(leader) if number else None
            if victim:
                threading.Event().wait(chance.random() * 0.2)
                os.kill(victim, signal.SIGKILL)
                # Its leases end within the slot.
                clock.set(START + timedelta(minutes=number, seconds=16))
            until(lambda: len(ask(done)) == number + 1)
        owners = ask(select(JobRun.owner).where(JobRun.job == "count"))

    counted = Counter(
        (fact["slot"], fact["at"])
        for fact in ask(select(Event.measured).where(Event.kind == FactKind.SETTINGS_CHANGED))
    )
    slots = range(first, first + 60 * (kills + 1), 60)
    units = range(1, clocks.UNITS + 1)
    assert counted == {(slot, at): 1 for slot in slots for at in units}
    assert len(owners) == kills + 1 and len(set(owners)) > 1
    mine.engine.dispose()


def test_five_killed_leaders_cost_no_slot_and_double_none(
    database_url: str, tmp_path: Path
) -> None:
    check_kills(database_url, tmp_path, 5)


@pytest.mark.nightly
def test_twenty_killed_leaders_cost_no_slot_and_double_none(
    database_url: str, tmp_path: Path
) -> None:
    check_kills(database_url, tmp_path, 20)

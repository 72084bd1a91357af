"""Ninety days of a believable shop, played once: visitors, sales, and all that follows of them."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from engine.policy import Role
from jobs.relay import Relay
from jobs.subscriptions import SUBSCRIBERS
from jobs.training import train_now
from lib.clock import SettableClock
from services import Services, unit_of_work
from services.demo_service import DemoService, Planned, is_empty
from services.demo_visitors import CAMPAIGNS, ZONE, Visitor, visitors
from services.password import hashed
from services.resources import Resources

log = structlog.get_logger(__name__)

SEED, DAYS, SESSIONS = 42, 90, 1800
BY = "demo"
RELAY_EVERY, SCORES_AT_ONCE = 12, 100
# Who came so lately stands in the queue: since when they are hot must be true to the minute.
LATELY = timedelta(days=3)


class DemoRun:
    """The past of a shop, hour by hour, in a time of its own; the world hears nothing of it."""

    def __init__(self, resources: Resources, reps: tuple[str, ...]) -> None:
        self.until = resources.clock.now()
        self.reps = reps
        # The clock is the demo's, and no message leaves: what happened months ago is no news.
        self.resources = dataclasses.replace(resources, clock=SettableClock(self.until))
        self._queue: list[tuple[datetime, int, Planned]] = []
        self._numbers = itertools.count()
        self._touched: set[int] = set()

    def play(self, *, days: int = DAYS, sessions: int = SESSIONS) -> int:
        """How many conversations there were; every one is in the log with what came of it."""
        # Nobody is told of a lead that became hot two months ago; scores are renewed many at once.
        hearing = [one for one in SUBSCRIBERS if one.name not in ("alerts", "scores")]
        relay = Relay(self.resources, hearing)
        played = 0
        days_played = itertools.groupby(
            visitors(SEED, self.until, days=days, count=sessions),
            key=lambda one: one.starts_at.date(),
        )
        for number, (_, group) in enumerate(days_played):
            with unit_of_work(self.resources) as services:
                played += self._day(services, list(group))
            # Not daily, which would take as long again.
            if number % RELAY_EVERY == 0:
                self._catch_up(relay)
        with unit_of_work(self.resources) as services:
            self._sell(services.make(DemoService), self.until)
        self._clock.set(self.until)
        self._catch_up(relay)
        return played

    def _catch_up(self, relay: Relay) -> None:
        """What follows of all that happened since: conversions, and every score."""
        touched, self._touched = sorted(self._touched), set()
        for begin in range(0, len(touched), SCORES_AT_ONCE):
            with unit_of_work(self.resources) as services:
                services.lead_scores.renew_many(touched[begin : begin + SCORES_AT_ONCE])
        # Last, for a tier that changed is a fact as well.
        while relay.fan_out():
            pass

    @property
    def _clock(self) -> SettableClock:
        clock = self.resources.clock
        assert isinstance(clock, SettableClock)
        return clock

    def _day(self, services: Services, today: list[Visitor]) -> int:
        demo = services.make(DemoService)
        for visitor in today:
            self._sell(demo, visitor.starts_at)
            talked = demo.talk(visitor)
            self._touched.add(talked.lead_id)
            services.store.flush()
            if visitor.starts_at > self.until - LATELY:
                services.lead_scores.renew(talked.lead_id)
            for planned in demo.plan(visitor, talked, self.reps):
                self._put(planned)
        return len(today)

    def _sell(self, demo: DemoService, until: datetime) -> None:
        """All that sales did before this moment."""
        while self._queue and self._queue[0][0] < until:
            at, _, planned = heapq.heappop(self._queue)
            self._clock.set(at)
            self._touched.add(planned.lead_id)
            for further in planned.act(demo):
                self._put(further)

    def _put(self, planned: Planned) -> None:
        heapq.heappush(self._queue, (planned.at, next(self._numbers), planned))


@dataclass(frozen=True)
class Login:
    """Somebody who may sign in to the demo; the password is told once and kept nowhere."""

    email: str
    role: str
    password: str


STAFF = (
    ("asha@example.com", "Asha Rao", Role.ADMIN),
    ("mira@example.com", "Mira Sen", Role.MARKETER),
    ("sam@example.com", "Sam Thomas", Role.SALES),
)
# Sells too, and has not chosen a password yet.
COLLEAGUE = ("sunita@example.com", "Sunita Pillai", Role.SALES)
REPS = (STAFF[2][0], COLLEAGUE[0])


def fill(resources: Resources) -> Iterator[str]:
    """Fills an empty workspace with a demo; each text is a line for who waits for it."""
    with unit_of_work(resources, read_only=True) as services:
        if not is_empty(services.session) or services.people.list_all():
            return
    yield f"Playing {SESSIONS} visits of the last {DAYS} days; this takes about a minute."
    logins = _hire(resources)
    played = DemoRun(resources, REPS).play()
    _plan_campaigns(resources)
    yield f"{played} visits are in the log. Learning from what became of them."
    train_now(resources, by=BY)
    yield "Sign in at /console with one of these; the passwords are shown this once:"
    for one in logins:
        yield f"  {one.role:9}  {one.email:18}  {one.password}"


def _hire(resources: Resources) -> list[Login]:
    logins = []
    for email, name, role in STAFF:
        password = secrets.token_urlsafe(12)
        kept = hashed(password)
        with unit_of_work(resources) as services:
            person_id, token = services.people.invite(email, name=name, role=str(role), by=BY)
            services.people.come_in(token, password_hash=kept)
            services.people.change_profile(person_id, name=name, time_zone=str(ZONE))
        logins.append(Login(email, str(role), password))
    email, name, role = COLLEAGUE
    with unit_of_work(resources) as services:
        services.people.invite(email, name=name, role=str(role), by=BY)
    return logins


def _plan_campaigns(resources: Resources) -> None:
    with unit_of_work(resources) as services:
        agents = {services.people.get_id(email): 1 for email in REPS}
        for name in sorted({one for names in CAMPAIGNS.values() for one in names}):
            services.campaigns.create({"name": name, "goal": 40}, agents, actor=BY)

"""DemoService: believable visitors, and sales at work on them, through the same services."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.vocabulary import Action, Outcome
from lib.clock import SettableClock
from models import Conversation
from services.demo_visitors import MEDIUMS, ZONE, Visitor, would_buy
from services.diary_service import DiaryService, NewActivity
from services.lead_book import LeadBook
from services.lead_service import LeadService, Visit
from services.pipeline_service import PipelineService
from services.question_service import QuestionService
from services.resources import Resources
from services.scoring_service import ScoringService

OPENS, CLOSES = 9, 19
NOTES = (
    "Wants to see billing on a phone before deciding.",
    "Uses a paper ledger today; the owner decides alone.",
    "Compares us with two others, price matters.",
    "Second shop opens next month, then it is urgent.",
    "Asked for a reference in the same city.",
    "Call again after the festival season.",
)


@dataclass(frozen=True)
class Planned:
    """A step of sales at its moment; it may lead to further ones."""

    at: datetime
    lead_id: int
    act: Callable[[DemoService], list[Planned]]


@dataclass(frozen=True)
class Talked:
    """How a conversation went."""

    lead_id: int
    ended_at: datetime
    score: int
    has_contact: bool
    asked_for_demo: bool


class DemoService:
    """Plays visitors and reps by a clock that it sets; every trace is that of the real services."""

    def __init__(self, session: Session, resources: Resources) -> None:
        clock = resources.clock
        assert isinstance(clock, SettableClock), "a demo is played in a time of its own"
        self.clock = clock
        self.session = session
        self.leads = LeadService(session, resources)
        self.questions = QuestionService(session, resources)
        self.scoring = ScoringService(session, resources)
        self.book = LeadBook(session, resources)
        self.pipeline = PipelineService(session, resources)
        self.diary = DiaryService(session, resources)

    # Visitors

    def talk(self, visitor: Visitor) -> Talked:
        """A visitor's whole conversation, as far as their patience goes."""
        chance = random.Random(visitor.seed)
        self.clock.set(visitor.starts_at)
        started = self.leads.start_session(
            Visit(
                utm_source=visitor.source or None,
                utm_medium=MEDIUMS.get(visitor.source),
                utm_campaign=visitor.campaign,
                locale=visitor.locale,
                visitor_id=f"demo-{visitor.seed:08x}-{visitor.number}",
                user_agent=visitor.user_agent,
                surface="widget",
                landing_page="https://shop.example/pricing" if chance.random() < 0.3 else None,
            ),
        )
        return _Talk(self, visitor, started, chance).go()

    # Sales

    def plan(self, visitor: Visitor, talked: Talked, reps: tuple[str, ...]) -> list[Planned]:
        """The first step of sales for a lead that can be reached; none for many small ones."""
        chance = random.Random(visitor.seed + 1)
        if not talked.has_contact or (talked.score < 30 and chance.random() < 0.6):
            return []
        rep = reps[visitor.number % len(reps)]
        hours = chance.lognormvariate(0.6, 1.0) if talked.score >= 60 else chance.uniform(4, 60)
        first = _in_office(talked.ended_at + timedelta(hours=hours))
        work = _Sale(visitor, talked, rep, chance, hours)
        return [Planned(first, talked.lead_id, work.first_call)]


class _Talk:
    """One conversation, step by step."""

    def __init__(
        self, demo: DemoService, visitor: Visitor, started: dict[str, Any], chance: random.Random
    ) -> None:
        self.demo = demo
        self.visitor = visitor
        self.id = str(started["session_id"])
        self.chance = chance
        # What the shop tries out: the bold greeting keeps a few more people.
        bold = started["variants"].get("greeting_message") == "B"
        self.patience = visitor.patience + (0.012 if bold else 0.0)
        self.score = 5
        self.contact = False
        self.demo_asked = False

    def go(self) -> Talked:
        """Through the conversation until it is over, or the visitor has had enough."""
        for step in (self._greet, *self._questions(), self._look, self._tell, self._act):
            if self.chance.random() > self.patience:
                break
            self.patience -= 0.003
            step()
        lead = self.demo.leads.find_session_lead(self.id)[1]
        return Talked(lead.id, self.demo.clock.now(), self.score, self.contact, self.demo_asked)

    def _questions(self) -> list[Callable[[], None]]:
        visitor = self.visitor
        # What the workflow asks, in the order that this session's arm shows.
        answers: dict[int, Any] = {
            1: visitor.business,
            2: visitor.city,
            3: visitor.size,
            4: visitor.sales,
            5: list(visitor.products),
        }
        asked = self.demo.questions.find_questions(self.id, named=False)
        order = [one["id"] for one in asked if one["id"] in answers]
        return [partial(self._answer, number, answers[number]) for number in order]

    def _answer(self, number: int, said: Any) -> None:
        seconds = self.chance.lognormvariate(2.7, 0.7)
        self._wait(seconds)
        skip = number in (2, 4) and self.chance.random() < 0.06
        kept = self.demo.questions.record_answer(
            self.id, number, None if skip else said, time_taken=seconds, skip=skip
        )
        self.score = int(kept["lead_score"])

    def _greet(self) -> None:
        self._wait(self.chance.uniform(2, 9))
        self._do(Action.REPLIED_TO_GREETING)
        self._do(Action.CONSENT_GIVEN, text_version="2026-11")

    def _look(self) -> None:
        self._wait(self.chance.uniform(3, 15))
        for product in self.visitor.products[:2]:
            self._do(Action.CLICKED_PRODUCT, product=product)

    def _tell(self) -> None:
        self._wait(self.chance.uniform(8, 40))
        visitor = self.visitor
        said = {"name": visitor.name, "email": visitor.email, "company": visitor.company}
        if self.chance.random() < 0.62:
            said["phone"] = visitor.phone
        kept = self.demo.leads.record_profile(self.id, said)
        self.score, self.contact = int(kept["lead_score"]), True

    def _act(self) -> None:
        self._wait(self.chance.uniform(2, 10))
        if self.chance.random() < 0.45:
            self.demo_asked = True
            self._do(Action.DEMO_REQUESTED)
        elif self.chance.random() < 0.5:
            self._do(
                Action.CTA_CLICKED, cta=self.chance.choice(("Talk to sales", "Get the brochure"))
            )
        if self.chance.random() < 0.7:
            self._do(Action.CONFIRMED_SUMMARY)

    def _do(self, action: Action, **metadata: str) -> None:
        kept = self.demo.scoring.record_behavior(self.id, str(action), metadata or None)
        self.score = int(kept["lead_score"])

    def _wait(self, seconds: float) -> None:
        self.demo.clock.advance(seconds)


class _Sale:
    """What becomes of one lead: calls, a meeting, an offer, an end; or a rest on the way."""

    def __init__(
        self,
        visitor: Visitor,
        talked: Talked,
        rep: str,
        chance: random.Random,
        hours_waited: float,
    ) -> None:
        self.visitor = visitor
        self.id = talked.lead_id
        self.rep = rep
        self.chance = chance
        wins = would_buy(visitor, hours_waited=hours_waited, asked_for_demo=talked.asked_for_demo)
        self.will_buy = chance.random() < wins
        self.tries = 0
        self.follow_up: int | None = None

    def first_call(self, demo: DemoService) -> list[Planned]:
        """The lead gets an owner, its campaign, and a call."""
        demo.pipeline.assign(self.id, self.rep, actor=self.rep)
        if self.visitor.campaign:
            demo.book.edit(self.id, {"campaign": self.visitor.campaign}, actor=self.rep)
        return self.call(demo)

    def call(self, demo: DemoService) -> list[Planned]:
        """A call that is answered, or another one on a later day."""
        self.tries += 1
        if self.chance.random() < 0.38 and self.tries < 4:
            self._log(demo, "call", duration=0, status="no_answer")
            if self.chance.random() < 0.25:
                demo.pipeline.snooze(self.id, demo.clock.now() + timedelta(days=3), actor=self.rep)
            return [self._later(demo, self.call, 1, 3)]
        length = self.chance.lognormvariate(5.3 if self.will_buy else 4.6, 0.6)
        note = self.chance.choice(NOTES) if self.chance.random() < 0.5 else None
        self._log(demo, "call", duration=round(length), status="connected", note=note)
        demo.pipeline.set_stage(self.id, "Contacted", actor=self.rep)
        if self.chance.random() < (0.08 if self.will_buy else 0.45):
            return [self._later(demo, self.lose, 1, 6)]
        # Some buy on the phone: else whoever ended soon would nearly always have ended badly.
        if self.will_buy and self.chance.random() < 0.4:
            return [self._later(demo, self.win, 1, 6)]
        due = _in_office(demo.clock.now() + timedelta(days=3))
        planned = demo.diary.set_follow_up(self.id, due, actor=self.rep)
        self.follow_up = int(planned["id"])
        return [self._later(demo, self.write, 0, 2), self._later(demo, self.meet, 2, 9)]

    def write(self, demo: DemoService) -> list[Planned]:
        """A letter, which some open."""
        self._log(demo, "email", method="offer", status="sent")
        return []

    def meet(self, demo: DemoService) -> list[Planned]:
        """A meeting, and an offer after it."""
        self._follow_up_is_done(demo)
        demo.pipeline.set_stage(self.id, "Meeting", actor=self.rep)
        self._log(demo, "meeting", duration=round(self.chance.uniform(900, 3600)), status="held")
        if not self.will_buy and self.chance.random() < 0.5:
            return [self._later(demo, self.lose, 2, 10)]
        return [self._later(demo, self.negotiate, 2, 9)]

    def negotiate(self, demo: DemoService) -> list[Planned]:
        """The offer lies on the table."""
        demo.pipeline.set_stage(self.id, "Negotiation", actor=self.rep)
        return [self._later(demo, self.win if self.will_buy else self.lose, 3, 14)]

    def win(self, demo: DemoService) -> list[Planned]:
        """A deal."""
        value = round(self.chance.lognormvariate(9.6, 0.5), -2)
        demo.pipeline.record_outcome(self.id, str(Outcome.WON), value=value, actor=self.rep)
        return []

    def lose(self, demo: DemoService) -> list[Planned]:
        """No deal."""
        demo.pipeline.record_outcome(self.id, str(Outcome.LOST), actor=self.rep)
        return []

    def _follow_up_is_done(self, demo: DemoService) -> None:
        # Some are forgotten, as they are.
        if self.follow_up is not None and self.chance.random() < 0.9:
            demo.diary.finish_follow_up(self.id, self.follow_up, actor=self.rep)
        self.follow_up = None

    def _log(self, demo: DemoService, kind: str, **more: Any) -> None:
        demo.diary.log_activity(self.id, NewActivity(kind=kind, **more), actor=self.rep)

    def _later(
        self, demo: DemoService, act: Callable[[DemoService], list[Planned]], least: int, most: int
    ) -> Planned:
        hours = self.chance.uniform(24 * least + 1, 24 * most)
        return Planned(_in_office(demo.clock.now() + timedelta(hours=hours)), self.id, act)


def is_empty(session: Session) -> bool:
    """Whether nobody has ever talked here: a demo is never mixed with what is real."""
    return session.scalar(select(Conversation.id).limit(1)) is None


def _in_office(at: datetime) -> datetime:
    """The same moment, or the next at which somebody works: Monday to Saturday, nine to seven."""
    local = at.astimezone(ZONE)
    if local.hour >= CLOSES:
        local = local.replace(hour=OPENS) + timedelta(days=1)
    elif local.hour < OPENS:
        local = local.replace(hour=OPENS)
    if local.weekday() == 6:
        local += timedelta(days=1)
    return local

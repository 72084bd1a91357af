"""ActionQueue: the leads that need somebody now, read in a few statements, ordered by the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, case, func, literal_column, or_, select
from sqlalchemy.orm import Session

from engine.queue import REST, RETRY_HOT, SOON, UNANSWERED, Standing, Task, tasks
from engine.stages import Pipeline
from engine.vocabulary import Action, ActivityKind, Classification, FactKind, Profile, StageKind
from errors import unknown_lead
from models import Activity, Conversation, Event, FollowUp, Lead, LeadScore, ScorePoint
from services.lead_list import LOGGED_SIGNALS
from services.lead_scores import LeadScores
from services.lead_visibility import is_visible
from services.pipeline_stages import PipelineStages
from services.prediction_settings import PredictionSettings
from services.resources import Resources

# Of each kind of reason so many leads are read, the highest scores first; the others are counted.
MOST = 200
# The profiles whose scores stand in rows of their own.
STORED = (Profile.CRM_RULES, Profile.ENGAGEMENT_WEIGHTED)
# Leads of the fair-chance lane are looked for among the newest.
NEWEST, RECENT = 500, timedelta(days=30)
# A literal, for only so SQLite finds the partial index of these facts.
_IS_WAKING = Event.kind == literal_column(f"'{FactKind.LEAD_WOKEN}'")
# Who writes a note has not turned to the person.
NO_CONTACT = (*LOGGED_SIGNALS, str(ActivityKind.NOTE))


@dataclass(frozen=True)
class Item:
    """A line of the queue with its lead."""

    task: Task
    lead: Lead
    follow_up: FollowUp | None


@dataclass(frozen=True)
class Now:
    """What to do right now; at least `more` leads wait behind those that were read."""

    items: Sequence[Item]
    more: int
    # When the next follow-up is due or the next snooze is over, where nothing is to be done.
    next_at: datetime | None


@dataclass(frozen=True)
class Scope:
    """Whose leads: of one owner, of nobody, or (both empty) all that the person may see."""

    owner: str | None = None
    of_nobody: bool = False


class ActionQueue:
    """Answers "what should I do right now?"."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.now = resources.clock.now()
        self.queue = LeadScores(session, resources).queue()
        # Joined, not asked for lead by lead: a whole workspace is sorted by it.
        self._is_stored = self.queue.profile in STORED
        stored = func.round(func.coalesce(LeadScore.score, 0.0) * 10) / 10
        self.score = stored if self._is_stored else self.queue.column()

    def find(self, scope: Scope, *, today: datetime) -> Now:
        """The queue; `today` is when the reader's day began."""
        found = (
            self._due(scope),
            self._promised(scope),
            self._woken(scope, today),
            self._stagnant(scope),
        )
        drawn = self._drawn(scope)
        ids = {lead_id for page, _ in found for lead_id in page} | drawn
        known = {one.lead.id: one for one in self._details(ids, self._woken_at(ids, today))}
        ordered = tasks([self._standing(one, drawn) for one in known.values()], self.now)
        items = [Item(one, known[one.lead_id].lead, known[one.lead_id].plan) for one in ordered]
        # A lead may wait for several reasons; added up it would count for each of them.
        more = max(total - len(page) for page, total in found)
        return Now(items, more, None if items else self._next(scope))

    def next_follow_up(self, lead_id: int) -> int | None:
        """The follow-up of a lead that is due next, if there is one.

        NotFound where nobody may see the lead: whether something is planned tells of it, too.
        """
        seen = select(Lead.id).where(Lead.id == lead_id, *is_visible())
        if self.session.scalar(seen) is None:
            raise unknown_lead()
        found = self._plans([lead_id]).get(lead_id)
        return found.id if found else None

    # Who comes into question: numbers of leads, and how many there are in all

    def _due(self, scope: Scope) -> tuple[Sequence[int], int]:
        """Hot, warm and sales qualified leads that wait for somebody."""
        free = self._unplanned(scope)
        # Asked lead by lead: activities are many, and most leads that matter have a plan.
        touched = (
            select(free, *(_last(free.c.id, kind).label(name) for name, kind in _TOLD.items()))
            .offset(0)
            .subquery()
        )
        retry = touched.c.at <= self.now - RETRY_HOT
        waits = or_(
            touched.c.at.is_(None),
            and_(touched.c.active_at > touched.c.at, _was_seen_after(touched.c.at, touched.c.id)),
            touched.c.heard > touched.c.at,
            and_(or_(touched.c.reached.is_(None), touched.c.reached < touched.c.at), retry),
        )
        return self._found(
            select(touched.c.id, func.count().over())
            .where(waits)
            .order_by(touched.c.score.desc(), touched.c.id)
        )

    def _unplanned(self, scope: Scope) -> CTE:
        """Leads worth a call for which nothing is planned, or that came back since it was."""
        due, made = func.min(FollowUp.due_at), func.max(FollowUp.created_at)
        waiting = select(FollowUp.lead_id, due.label("due"), made.label("made"))
        waiting = waiting.where(FollowUp.done_at.is_(None))
        planned = waiting.group_by(FollowUp.lead_id).subquery()
        came_back = and_(
            Lead.last_activity_at > planned.c.made, _was_seen_after(planned.c.made, Lead.id)
        )
        unplanned = or_(planned.c.due.is_(None), planned.c.due <= self.now + SOON, came_back)
        wanted = or_(self.score >= self.queue.warm, Lead.lead_classification == Classification.SQL)
        found = (
            select(Lead.id, self.score.label("score"), Lead.last_activity_at.label("active_at"))
            .outerjoin(planned, planned.c.lead_id == Lead.id)
            .where(*self._open(scope), wanted, unplanned, has_a_way_to())
        )
        return self._with_scores(found).cte("free")

    def _promised(self, scope: Scope) -> tuple[Sequence[int], int]:
        due = select(FollowUp.lead_id, func.min(FollowUp.due_at).label("at")).where(
            FollowUp.done_at.is_(None), FollowUp.due_at <= self.now + SOON
        )
        soon = due.group_by(FollowUp.lead_id).subquery()
        return self._found(
            select(Lead.id, func.count().over())
            .join(soon, soon.c.lead_id == Lead.id)
            .where(*self._open(scope))
            .order_by(soon.c.at, Lead.id)
        )

    def _woken(self, scope: Scope, today: datetime) -> tuple[Sequence[int], int]:
        woken = select(Event.lead_id).where(_IS_WAKING, Event.recorded_at >= today).distinct()
        return self._page(
            select(Lead.id, func.count().over())
            .where(*self._open(scope), Lead.id.in_(woken))
            .order_by(self.score.desc(), Lead.id)
        )

    def _stagnant(self, scope: Scope) -> tuple[Sequence[int], int]:
        """Leads that stand in a stage for longer than they should."""
        over = [self._is_over(stage.name, stage.limit_days) for stage in self._limited]
        if not over:
            return [], 0
        contacted = select(Activity.id).where(
            Activity.lead_id == Lead.id,
            Activity.kind.not_in(NO_CONTACT),
            Activity.occurred_at > self.now - REST,
        )
        planned = select(FollowUp.id).where(
            FollowUp.lead_id == Lead.id,
            FollowUp.done_at.is_(None),
            FollowUp.due_at > self.now + SOON,
        )
        # By themselves, for so PostgreSQL reads no more of a lead than stands in an index.
        stuck = (
            select(Lead.id)
            .where(*self._open(scope), or_(*over), ~contacted.exists(), ~planned.exists())
            .cte("stuck")
        )
        return self._page(
            select(Lead.id, func.count().over())
            .where(Lead.id.in_(select(stuck.c.id)), has_a_way_to())
            .order_by(self.score.desc(), Lead.id)
        )

    def _drawn(self, scope: Scope) -> set[int]:
        """Leads of the fair-chance lane that nobody has turned to, among the newest."""
        decided = PredictionSettings(self.session, self.resources).decided()
        if not decided.fair_chance_percent:
            return set()
        touched = select(Activity.id).where(
            Activity.lead_id == Lead.id, Activity.kind.not_in(NO_CONTACT)
        )
        newest = self.session.scalars(
            select(Lead.id)
            .where(
                *self._open(scope),
                Lead.created_at >= self.now - RECENT,
                ~touched.exists(),
                has_a_way_to(),
            )
            .order_by(Lead.created_at.desc(), Lead.id.desc())
            .limit(NEWEST)
        )
        return {lead_id for lead_id in newest if decided.lane_of(lead_id)}

    def _page(self, statement: Select[int, int]) -> tuple[Sequence[int], int]:
        return self._found(self._with_scores(statement))

    def _found(self, statement: Select[int, int]) -> tuple[Sequence[int], int]:
        rows = self.session.execute(statement.limit(MOST)).all()
        return [row[0] for row in rows], rows[0][1] if rows else 0

    def _with_scores(self, statement: Select[Any, Any]) -> Select[Any, Any]:
        """The statement with the row that the score stands in, where the lead itself has none."""
        if not self._is_stored:
            return statement
        mine = and_(LeadScore.lead_id == Lead.id, LeadScore.profile == str(self.queue.profile))
        return statement.outerjoin(LeadScore, mine)

    def _open(self, scope: Scope) -> list[ColumnElement[bool]]:
        rests = or_(Lead.snoozed_until.is_(None), Lead.snoozed_until <= self.now)
        return [*is_visible(), Lead.outcome.is_(None), rests, *_of(scope)]

    def _is_over(self, name: str, days: int | None) -> ColumnElement[bool]:
        since = func.coalesce(Lead.staged_at, Lead.created_at)
        here = Lead.stage == name
        if name == self._pipeline.first.name:
            here = or_(here, Lead.stage.is_(None))
        return and_(here, since < self.now - timedelta(days=days or 0))

    @cached_property
    def _pipeline(self) -> Pipeline:
        return PipelineStages(self.session, self.resources).in_force()

    @cached_property
    def _limited(self) -> list[Any]:
        stages = self._pipeline.stages
        return [one for one in stages if one.kind is StageKind.OPEN and one.limit_days is not None]

    # What the rules must know of them

    def _details(self, ids: Iterable[int], woken: Mapping[int, datetime]) -> list[_Known]:
        wanted = sorted(ids)
        found = select(Lead, self.score.label("score")).where(Lead.id.in_(wanted))
        rows = self.session.execute(self._with_scores(found)).all()
        contacts = self._contacts(wanted)
        plans = self._plans(wanted)
        reached = self._tier_since({lead.id: (lead, score) for lead, score in rows})
        seen = self._seen_at([key for key, one in contacts.items() if one.at is not None])
        return [
            _Known(
                lead,
                score,
                contacts.get(lead.id, _NO_CONTACT),
                plans.get(lead.id),
                reached[lead.id],
                seen.get(lead.id),
                woken.get(lead.id),
            )
            for lead, score in rows
        ]

    def _contacts(self, ids: Sequence[int]) -> dict[int, _Contact]:
        rows = self.session.execute(
            select(Activity.lead_id, *_contacts())
            .where(Activity.lead_id.in_(ids))
            .group_by(Activity.lead_id)
        )
        return {row.lead_id: _Contact(row.at, row.reached, row.heard) for row in rows}

    def _plans(self, ids: Sequence[int]) -> dict[int, FollowUp]:
        """The next follow-up of each lead."""
        rows = self.session.scalars(
            select(FollowUp)
            .where(FollowUp.lead_id.in_(ids), FollowUp.done_at.is_(None))
            .order_by(FollowUp.due_at.desc(), FollowUp.id.desc())
        )
        return {row.lead_id: row for row in rows}

    def _seen_at(self, ids: Sequence[int]) -> dict[int, datetime]:
        """When these people last did something in a conversation themselves."""
        by_staff = Event.measured["by"].as_string().is_not(None)
        rows = self.session.execute(
            select(Event.lead_id, func.max(Event.occurred_at))
            .where(Event.lead_id.in_(ids), Event.kind.in_(_OWN_ACTS), ~by_staff)
            .group_by(Event.lead_id)
        )
        return {lead_id: at for lead_id, at in rows if lead_id is not None}

    def _tier_since(self, leads: Mapping[int, tuple[Lead, float]]) -> dict[int, datetime]:
        """Since when each lead stands in its tier, as far as its scores were written down."""
        rows = self.session.execute(
            select(ScorePoint.lead_id, ScorePoint.tier, ScorePoint.recorded_at)
            .where(ScorePoint.lead_id.in_(list(leads)), ScorePoint.kind == str(self.queue.profile))
            .order_by(ScorePoint.lead_id, ScorePoint.recorded_at.desc(), ScorePoint.id.desc())
        )
        since: dict[int, datetime] = {}
        ended: set[int] = set()
        for lead_id, tier, at in rows:
            if tier != self.queue.tier(leads[lead_id][1]):
                ended.add(lead_id)
            elif lead_id not in ended:
                since[lead_id] = at
        return {key: since.get(key, lead.created_at) for key, (lead, _) in leads.items()}

    def _woken_at(self, ids: Iterable[int], today: datetime) -> dict[int, datetime]:
        """Whose snooze was over today, and when."""
        rows = self.session.execute(
            select(Event.lead_id, func.max(Event.recorded_at))
            .where(
                _IS_WAKING,
                Event.recorded_at >= today,
                Event.lead_id.in_(sorted(ids)),
            )
            .group_by(Event.lead_id)
        )
        return {lead_id: at for lead_id, at in rows if lead_id is not None}

    def _standing(self, one: _Known, drawn: set[int]) -> Standing:
        lead, contact, plan = one.lead, one.contact, one.plan
        stage = self._pipeline.find(lead.stage)
        limit = stage.limit_days if stage and stage.kind is StageKind.OPEN else None
        heard = [at for at in (one.seen_at, contact.heard) if at is not None]
        return Standing(
            lead_id=lead.id,
            tier=self.queue.tier(one.score),
            score=one.score,
            is_sql=lead.lead_classification == Classification.SQL,
            reached_at=one.reached_at,
            seen_at=max(heard, default=None),
            touched_at=contact.at,
            was_reached=contact.at is None or contact.reached == contact.at,
            follow_up_at=plan.due_at if plan else None,
            planned_at=plan.created_at if plan else None,
            woke_at=one.woke_at,
            staged_at=lead.staged_at or lead.created_at,
            stage=stage.name if stage else lead.stage or "",
            limit_days=limit,
            is_drawn=lead.id in drawn,
        )

    def _next(self, scope: Scope) -> datetime | None:
        """The next moment at which something comes up by itself."""
        due = self.session.scalar(
            select(func.min(FollowUp.due_at))
            .join(Lead, Lead.id == FollowUp.lead_id)
            .where(FollowUp.done_at.is_(None), *is_visible(), Lead.outcome.is_(None), *_of(scope))
        )
        wakes = self.session.scalar(
            select(func.min(Lead.snoozed_until)).where(
                *is_visible(), Lead.snoozed_until > self.now, *_of(scope)
            )
        )
        return min((at for at in (due, wakes) if at is not None), default=None)


@dataclass(frozen=True)
class _Contact:
    """When sales turned to a lead, when somebody was there, when it was heard of by other ways."""

    at: datetime | None
    reached: datetime | None
    heard: datetime | None


@dataclass(frozen=True)
class _Known:
    lead: Lead
    score: float
    contact: _Contact
    plan: FollowUp | None
    reached_at: datetime
    seen_at: datetime | None
    woke_at: datetime | None


_NO_CONTACT = _Contact(None, None, None)
_OWN_ACTS = (
    FactKind.SESSION_STARTED,
    FactKind.ANSWER_RECORDED,
    FactKind.ANSWER_REASKED,
    FactKind.BEHAVIOR_REPORTED,
    FactKind.PROFILE_UPDATED,
)


def _told() -> dict[str, ColumnElement[bool]]:
    """Which activities count for each field of a `_Contact`."""
    contact = Activity.kind.not_in(NO_CONTACT)
    said = func.coalesce(Activity.outcome, Activity.status, "")
    # Who opens an e-mail has not come back.
    heard = Activity.kind.in_([one for one in LOGGED_SIGNALS if one != Action.EMAIL_OPEN])
    return {"at": contact, "reached": and_(contact, said.not_in(UNANSWERED)), "heard": heard}


_TOLD = _told()


def _contacts() -> list[Any]:
    """The columns of a `_Contact` over the activities of a lead."""
    at = Activity.occurred_at
    return [func.max(case((kind, at))).label(name) for name, kind in _TOLD.items()]


def _last(lead_id: Any, kind: ColumnElement[bool]) -> Any:
    """When the latest activity of this kind was; one look into an index."""
    found = select(func.max(Activity.occurred_at)).where(Activity.lead_id == lead_id, kind)
    return found.scalar_subquery()


def _was_seen_after(moment: Any, lead_id: Any) -> ColumnElement[bool]:
    """Whether the lead was in a conversation later than that."""
    later = select(Conversation.id).where(
        Conversation.lead_id == lead_id, Conversation.last_activity_at > moment
    )
    return later.exists()


def has_a_way_to() -> ColumnElement[bool]:
    """Whether somebody could turn to the lead: of the chat, who left an e-mail or a phone.

    Of who was entered by hand or came by a file, sales may know more than stands here.
    """
    return or_(Lead.email.is_not(None), Lead.phone.is_not(None), Lead.session_id.is_(None))


def _of(scope: Scope) -> list[ColumnElement[bool]]:
    if scope.of_nobody:
        return [Lead.assigned_to.is_(None)]
    return [] if scope.owner is None else [Lead.assigned_to == scope.owner]

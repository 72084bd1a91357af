"""BoardService: the pipeline as a board of stages with their leads, and a card's move on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from engine.points import advice_for
from engine.stages import Pipeline, Stage
from engine.vocabulary import StageKind, Tier
from models import FollowUp, Lead
from services.lead_scores import LeadScores, Queue
from services.lead_visibility import is_visible
from services.pipeline_service import PipelineService
from services.pipeline_stages import PipelineStages
from services.resources import Resources

CARDS_AT_ONCE = 50
MOST_CARDS = 500
NOBODY = "nobody"
DAY = 86400.0


@dataclass(frozen=True)
class BoardFilter:
    """Whose leads of which campaign; and how many cards of a stage, where more were asked for."""

    # None: everybody's; NOBODY: those without an owner.
    owner: str | None = None
    campaign: str | None = None
    shown: Mapping[str, int] = field(default_factory=dict)

    def most_of(self, stage: str) -> int:
        """How many cards of a stage are shown."""
        return min(self.shown.get(stage, CARDS_AT_ONCE), MOST_CARDS)

    def holds(self, group: _Group) -> bool:
        """Whether these leads are asked for."""
        owner = None if self.owner == NOBODY else self.owner
        is_theirs = self.owner is None or group.owner == owner
        return is_theirs and self.campaign in (None, group.campaign)


@dataclass(frozen=True)
class Card:
    """One lead on the board."""

    id: int
    name: str | None
    company: str | None
    email: str | None
    owner: str | None
    score: float
    tier: Tier
    priority: str
    value: float | None
    # When somebody means to turn to it next.
    due_at: datetime | None
    is_overdue: bool
    snoozed_until: datetime | None
    days_here: int
    is_stagnant: bool


@dataclass(frozen=True)
class Lane:
    """One stage with its leads: how many, worth how much, and the first of them."""

    stage: Stage
    count: int
    # Of won deals together; of open leads what they can be expected to bring, where known.
    value: float | None
    cards: Sequence[Card]
    # False for a stage that leads stand in, yet the pipeline does not have.
    is_known: bool = True

    @property
    def more(self) -> int:
        """How many leads are not shown."""
        return max(0, self.count - len(self.cards))


@dataclass(frozen=True)
class Moved:
    """A lead that somebody has moved."""

    lead_id: int
    name: str | None
    before: str
    after: str


@dataclass(frozen=True)
class _Sums:
    """What the leads of one stage come to."""

    count: int = 0
    won: float = 0.0
    valued: int = 0
    chance: float | None = None


@dataclass(frozen=True)
class _Group:
    """The leads of one stage, owner and campaign."""

    stage: str | None
    owner: str | None
    campaign: str | None
    sums: _Sums


class BoardService:
    """The board: read whole, changed by one card at a time."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.stages = PipelineStages(session, resources)

    def lanes(self, wanted: BoardFilter) -> list[Lane]:
        """Every stage in its order, then those that only leads still name."""
        pipeline = self.stages.in_force()
        sums, strange = self._sums(wanted, pipeline)
        won = [stage for stage in pipeline.stages if stage.kind is StageKind.WON]
        average = _average(sums[stage.name] for stage in won)
        known = [(stage, True) for stage in pipeline.stages]
        others = [(Stage(name, StageKind.OPEN), False) for name in sorted(strange)]
        cards = self._cards(wanted, [stage for stage, _ in known + others])
        return [
            Lane(
                stage,
                sums[stage.name].count,
                _value(stage, sums[stage.name], average),
                cards.get(stage.name, ()),
                is_known,
            )
            for stage, is_known in known + others
        ]

    def owners(self) -> list[str]:
        """Everybody who has a lead in sight."""
        return sorted({one.owner for one in self._groups if one.owner}, key=str.casefold)

    def campaigns(self) -> list[str]:
        """Every campaign that a lead in sight belongs to."""
        return sorted({one.campaign for one in self._groups if one.campaign}, key=str.casefold)

    def move(
        self, lead_id: int, to: str, *, expected: str | None, value: float | None, actor: str
    ) -> Moved:
        """The lead in another stage; Conflict where it is not any more where it was expected.

        The value counts where the stage ends the sale.
        """
        pipeline = PipelineService(self.session, self.resources)
        stage = pipeline.stages().find(to)
        before = self._standing(lead_id)
        if value is not None and stage is not None and stage.kind is not StageKind.OPEN:
            pipeline.record_outcome(
                lead_id, str(stage.kind), value=value, actor=actor, expected=expected
            )
            expected = None
        pipeline.set_stage(lead_id, to, actor=actor, expected=expected)
        lead = self.session.get_one(Lead, lead_id)
        return Moved(lead_id, lead.name, before, stage.name if stage else to)

    # Within

    def _standing(self, lead_id: int) -> str:
        """Where the lead stands; the first stage for one that is not there, refused later."""
        pipeline = self.stages.in_force()
        name = self.session.scalar(select(Lead.stage).where(Lead.id == lead_id))
        stage = pipeline.find(name)
        return stage.name if stage else str(name)

    def _chosen(self, wanted: BoardFilter) -> list[ColumnElement[bool]]:
        chosen = [*is_visible()]
        if wanted.owner == NOBODY:
            chosen.append(Lead.assigned_to.is_(None))
        elif wanted.owner is not None:
            chosen.append(Lead.assigned_to == wanted.owner)
        if wanted.campaign is not None:
            chosen.append(Lead.campaign == wanted.campaign)
        return chosen

    def _sums(self, wanted: BoardFilter, pipeline: Pipeline) -> tuple[dict[str, _Sums], set[str]]:
        """What each stage comes to by its name, and the names that the pipeline does not have."""
        found = {stage.name: _Sums() for stage in pipeline.stages}
        strange = set()
        for group in filter(wanted.holds, self._groups):
            stage = pipeline.find(group.stage)
            key = stage.name if stage else str(group.stage)
            if stage is None:
                strange.add(key)
            found[key] = _added(found.get(key, _Sums()), group.sums)
        return found, strange

    @cached_property
    def _groups(self) -> list[_Group]:
        """All leads in sight, added up in one walk for the stages and for what one may ask for."""
        key = (Lead.stage, Lead.assigned_to, Lead.campaign)
        rows = self.session.execute(
            select(
                *key,
                func.count(),
                func.sum(Lead.outcome_value),
                func.count(Lead.outcome_value),
                func.sum(Lead.probability),
            )
            .where(*is_visible())
            .group_by(*key)
        )
        return [
            _Group(stage, owner, campaign, _Sums(count, won or 0.0, valued, chance))
            for stage, owner, campaign, count, won, valued, chance in rows
        ]

    def _cards(self, wanted: BoardFilter, stages: Sequence[Stage]) -> dict[str, list[Card]]:
        """The first leads of each stage: what to call first on top, of ended sales the latest."""
        queue = LeadScores(self.session, self.resources).queue()
        ids: dict[int, Stage] = {}
        for stage in stages:
            if stage.kind is not StageKind.OPEN:
                ids |= dict.fromkeys(self._latest(wanted, stage), stage)
        still_open = {one.name: one for one in stages if one.kind is StageKind.OPEN}
        for name, lead_id in self._best(wanted, still_open, queue):
            ids[lead_id] = still_open[name]
        rows = self.session.execute(select(Lead, queue.column()).where(Lead.id.in_(ids)))
        known = {lead.id: (lead, score) for lead, score in rows}
        due, now = self._due(list(ids)), self.resources.clock.now()
        found: dict[str, list[Card]] = {}
        for lead_id, stage in ids.items():
            lead, score = known[lead_id]
            card = _card(lead, score, stage, queue.tier(score), due.get(lead_id), now)
            found.setdefault(stage.name, []).append(card)
        return found

    def _latest(self, wanted: BoardFilter, stage: Stage) -> Sequence[int]:
        """Of a stage that ends sales, by an index: most leads have ended."""
        return self.session.scalars(
            select(Lead.id)
            .where(*self._chosen(wanted), self.stages.stands_in(stage.name))
            .order_by(_here_since().desc(), Lead.id.desc())
            .limit(wanted.most_of(stage.name))
        ).all()

    def _best(
        self, wanted: BoardFilter, stages: Mapping[str, Stage], queue: Queue
    ) -> list[tuple[str, int]]:
        """The leads to show of all open stages in one walk, each with the name of its stage."""
        there = {name: self.stages.stands_in(name) for name in stages}
        stage = case(*((stands, name) for name, stands in there.items()))
        place = func.row_number().over(
            partition_by=stage, order_by=(queue.column().desc(), Lead.id.desc())
        )
        ranked = (
            select(Lead.id, stage.label("stage"), place.label("place"))
            .where(*self._chosen(wanted), or_(*there.values()))
            .subquery()
        )
        most = case(*((ranked.c.stage == name, wanted.most_of(name)) for name in stages))
        rows = self.session.execute(
            select(ranked.c.stage, ranked.c.id)
            .where(ranked.c.place <= most)
            .order_by(ranked.c.stage, ranked.c.place)
        )
        return [(name, lead_id) for name, lead_id in rows]

    def _due(self, lead_ids: Sequence[int]) -> dict[int, datetime]:
        """The next follow-up of each of these leads."""
        waiting = (FollowUp.lead_id.in_(lead_ids), FollowUp.done_at.is_(None))
        rows = self.session.execute(
            select(FollowUp.lead_id, func.min(FollowUp.due_at))
            .where(*waiting)
            .group_by(FollowUp.lead_id)
        )
        return {lead_id: due_at for lead_id, due_at in rows}


def _here_since() -> ColumnElement[Any]:
    return func.coalesce(Lead.staged_at, Lead.created_at)


def _card(
    lead: Lead, score: float, stage: Stage, tier: Tier, due_at: datetime | None, now: datetime
) -> Card:
    days = (now - (lead.staged_at or lead.created_at)).total_seconds() / DAY
    rest = lead.snoozed_until
    # What was planned for a lead that is won or lost by now waits for nobody.
    planned = due_at if lead.outcome is None else None
    is_resting = rest is not None and rest > now
    return Card(
        id=lead.id,
        name=lead.name,
        company=lead.company,
        email=lead.email,
        owner=lead.assigned_to,
        score=score,
        tier=tier,
        priority=advice_for(tier).action,
        value=lead.outcome_value,
        due_at=planned,
        is_overdue=planned is not None and planned <= now,
        snoozed_until=rest if is_resting else None,
        days_here=max(0, int(days)),
        # Who rests by somebody's decision does not stand still by neglect.
        is_stagnant=not is_resting and stage.is_stagnant(days),
    )


def _added(one: _Sums, other: _Sums) -> _Sums:
    chances = [chance for chance in (one.chance, other.chance) if chance is not None]
    return _Sums(
        one.count + other.count,
        one.won + other.won,
        one.valued + other.valued,
        sum(chances) if chances else None,
    )


def _average(sums: Iterable[_Sums]) -> float | None:
    """What a deal brings, as far as anybody has said."""
    told = [one for one in sums if one.valued]
    valued = sum(one.valued for one in told)
    return sum(one.won for one in told) / valued if valued else None


def _value(stage: Stage, sums: _Sums, average: float | None) -> float | None:
    if stage.kind is not StageKind.OPEN:
        return sums.won if sums.valued else None
    if sums.chance is None or average is None:
        return None
    return sums.chance * average

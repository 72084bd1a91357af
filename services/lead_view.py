"""LeadView: a filter of leads as people make it, keep it and hand it on; ViewFilter applies it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from sqlalchemy import ColumnElement, and_, exists, func, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from engine.vocabulary import Tier
from models import Answer, Conversation, Lead
from services.lead_list import read_days
from services.lead_scores import LeadScores, Queue
from services.lead_search import answer_holds, holds_words, read_words
from services.lead_visibility import is_visible
from services.pipeline_stages import PipelineStages
from services.resources import Resources

MINE, NOBODY, NONE = "mine", "nobody", "none"
MOST_ANSWERS = 5


@dataclass(frozen=True)
class LeadView:
    """Which leads, in which order; what is None or empty asks for nothing."""

    q: str | None = None
    classification: str | None = None
    tier: str | None = None
    stage: str | None = None
    owner: str | None = None
    source: str | None = None
    utm_campaign: str | None = None
    campaign: str | None = None
    # "<experiment>:<arm>".
    variant: str | None = None
    # "<question id>:<option>" for each option that was chosen.
    chose: tuple[str, ...] = ()
    # Words in the answer to one question, or to any.
    said: str | None = None
    said_to: int | None = None
    from_: str | None = None
    to: str | None = None
    tz: str | None = None
    sort: str = "score"

    def plain(self) -> dict[str, Any]:
        """What differs from all leads, as JSON."""
        told = {**asdict(self), "chose": list(self.chose)}
        empty: tuple[Any, ...] = (None, [], "")
        return {name: value for name, value in told.items() if value not in empty}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The view of such a text; what this release does not know is left out."""
        known = {name: told[name] for name in cls.__dataclass_fields__ if name in told}
        return cls(**{**known, "chose": tuple(known.get("chose", ()))[:MOST_ANSWERS]})

    def without_words(self) -> Self:
        """The same view for who must not find people by what they are called or have typed."""
        return replace(self, q=None, said=None, said_to=None)

    @property
    def searches(self) -> bool:
        """Whether it is found by words that stand in leads and answers alike."""
        return bool(self.q)

    @property
    def filters(self) -> dict[str, Any]:
        """What narrows the list; order and time zone do not."""
        return {k: v for k, v in self.plain().items() if k not in ("sort", "tz", "said_to")}


class ViewFilter:
    """Makes conditions of views; `reader` is the address that "mine" means."""

    def __init__(self, session: Session, resources: Resources, *, reader: str) -> None:
        self.session = session
        self.resources = resources
        self.reader = reader

    def conditions(self, view: LeadView) -> list[ColumnElement[bool]]:
        """What a lead of the view fulfils, besides being visible."""
        found = [*is_visible(), *self._columns(view), *self._owner(view.owner)]
        if view.stage:
            stages = PipelineStages(self.session, self.resources)
            found.append(stages.stands_in(view.stage))
        if view.tier:
            found.append(_of_tier(view.tier, LeadScores(self.session, self.resources).queue()))
        if view.q:
            found += holds_words(self.session, view.q)
        found += self._dates(view)
        return [*found, *self._conversations(view)]

    def _columns(self, view: LeadView) -> list[ColumnElement[bool]]:
        found = []
        if view.classification:
            found.append(Lead.lead_classification == view.classification)
        if view.source:
            found.append(Lead.source == view.source)
        if view.campaign == NONE:
            found.append(Lead.campaign.is_(None))
        elif view.campaign:
            found.append(Lead.campaign == view.campaign)
        return found

    def _owner(self, owner: str | None) -> list[ColumnElement[bool]]:
        if not owner:
            return []
        if owner == NOBODY:
            return [Lead.assigned_to.is_(None)]
        return [Lead.assigned_to == (self.reader if owner == MINE else owner)]

    def _dates(self, view: LeadView) -> list[ColumnElement[bool]]:
        start, end = read_days(view.from_, view.to, view.tz)
        found = []
        if start is not None:
            found.append(Lead.created_at >= start)
        if end is not None:
            found.append(Lead.created_at < end)
        return found

    def _conversations(self, view: LeadView) -> list[ColumnElement[bool]]:
        """What has to be true of one of the lead's conversations."""
        found: list[ColumnElement[bool]] = []
        if view.utm_campaign:
            found.append(_talked(Conversation.utm_campaign == view.utm_campaign))
        if view.variant:
            found.append(_talked(self._has_arm(*view.variant.rpartition(":")[::2])))
        for one in view.chose:
            number, _, option = one.partition(":")
            if number.isascii() and number.isdigit() and len(number) <= 9:
                found.append(_answered([self._chose(int(number), option)]))
        if view.said and read_words(view.said):
            words = answer_holds(self.session, view.said)
            to = [Answer.question_id == view.said_to] if view.said_to is not None else []
            found.append(_answered([*words, *to]))
        return found

    def _has_arm(self, experiment: str, arm: str) -> ColumnElement[bool]:
        """Containment where there is an index of it, and statistics of how many have the arm."""
        if self.session.get_bind().dialect.name == "postgresql":
            return type_coerce(Conversation.arms, JSONB).contains({experiment: arm})
        return and_(Conversation.arms[experiment].as_string() == arm)

    def _chose(self, question_id: int, option: str) -> ColumnElement[bool]:
        mine = Answer.question_id == question_id
        if self.session.get_bind().dialect.name == "postgresql":
            return and_(mine, type_coerce(Answer.options, JSONB).contains([option]))
        each = func.json_each(Answer.options).table_valued("value")
        return and_(mine, exists(select(1).select_from(each).where(each.c.value == option)))


def _of_tier(tier: str, queue: Queue) -> ColumnElement[bool]:
    score = queue.column()
    if tier == Tier.HOT:
        return score >= queue.hot
    if tier == Tier.WARM:
        return and_(score >= queue.warm, score < queue.hot)
    return score < queue.warm


def _talked(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return Lead.id.in_(select(Conversation.lead_id).where(condition))


def _answered(conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    return Lead.id.in_(
        select(Conversation.lead_id)
        .join(Answer, Answer.session_id == Conversation.id)
        .where(*conditions)
    )

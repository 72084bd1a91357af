"""AnalyticsService: funnel, sources, times; reads everything, writes nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, case, extract, func, literal_column, select
from sqlalchemy.orm import Session

from engine.points import tier_for
from engine.vocabulary import Classification, Profile, Tier
from errors import invalid_field
from lib.clock import zone
from models import Answer, Conversation, Lead
from services.lead_list import read_days
from services.lead_scores import LeadScores
from services.resources import Resources
from services.workflow_service import WorkflowService

# Every zone's offset is a whole number of quarters of an hour, so days can be made from these.
QUARTER = 900


@dataclass(frozen=True)
class Window:
    """Which sessions are counted: from when to when, and from which source."""

    from_: str | None = None
    to: str | None = None
    tz: str | None = None
    utm_source: str | None = None


class AnalyticsService:
    """Counts and rates over conversations; suspects and deleted leads are left out."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def leads(self, window: Window) -> dict[str, Any]:
        """How many leads conversations bore, how good they are, and where visitors left."""
        chosen = self._chosen(window)
        by_class = self._by_class(chosen)
        total = sum(by_class.values())
        score, completed = self._averages(chosen)
        sql = by_class[Classification.SQL]
        return {
            "total_leads": total,
            "sql_leads": sql,
            "mql_leads": by_class[Classification.MQL],
            "unqualified_leads": by_class[Classification.UNQUALIFIED],
            "conversion_rate": _rate(sql, total),
            "average_score": score,
            "completion_rate": _rate(completed, total),
            "average_response_time": self._response_time(chosen),
            "by_class": {str(name): by_class[name] for name in Classification},
            "by_tier": self._by_tier(chosen),
            "by_source": self._by_source(chosen),
            "by_day": self._by_day(chosen, window.tz),
            "drop_off": self._drop_off(chosen),
        }

    def _chosen(self, window: Window) -> list[ColumnElement[bool]]:
        start, end = read_days(window.from_, window.to, window.tz)
        conditions: list[ColumnElement[bool]] = [
            Conversation.suspicion.is_(None),
            Lead.deleted_at.is_(None),
        ]
        if start is not None:
            conditions.append(Conversation.started_at >= start)
        if end is not None:
            conditions.append(Conversation.started_at < end)
        if window.utm_source is not None:
            conditions.append(_source() == window.utm_source)
        return conditions

    def _rows(self, chosen: list[ColumnElement[bool]], *columns: Any) -> Any:
        joined = select(*columns).select_from(Conversation)
        return joined.join(Lead, Lead.id == Conversation.lead_id).where(*chosen)

    def _by_class(self, chosen: list[ColumnElement[bool]]) -> Counter[str]:
        statement = self._rows(chosen, Conversation.classification, func.count())
        return Counter(
            {
                name: count
                for name, count in self.session.execute(
                    statement.group_by(Conversation.classification)
                )
            }
        )

    def _averages(self, chosen: list[ColumnElement[bool]]) -> tuple[float | None, int]:
        done = func.sum(case((Conversation.completed_at.is_not(None), 1), else_=0))
        statement = self._rows(chosen, func.avg(Conversation.score), done)
        score, completed = self.session.execute(statement).one()
        return None if score is None else round(float(score), 2), int(completed or 0)

    def _response_time(self, chosen: list[ColumnElement[bool]]) -> float | None:
        statement = self._rows(chosen, func.avg(Answer.time_taken))
        statement = statement.join(Answer, Answer.session_id == Conversation.id)
        seconds = self.session.scalar(statement.where(Answer.skipped.is_(False)))
        return None if seconds is None else round(float(seconds), 2)

    def _by_tier(self, chosen: list[ColumnElement[bool]]) -> dict[str, int]:
        hot, warm = LeadScores(self.session, self.resources).tiers(Profile.CORE_POINTS)
        statement = self._rows(chosen, Conversation.score, func.count())
        tiers: Counter[str] = Counter()
        for score, count in self.session.execute(statement.group_by(Conversation.score)):
            tiers[tier_for(score, hot=hot, warm=warm)] += count
        return {str(tier): tiers[tier] for tier in Tier}

    def _by_source(self, chosen: list[ColumnElement[bool]]) -> dict[str, int]:
        source = _source()
        statement = self._rows(chosen, source, func.count()).group_by(source)
        rows = self.session.execute(statement.order_by(func.count().desc(), source))
        return {name: count for name, count in rows}

    def _by_day(self, chosen: list[ColumnElement[bool]], zone_name: str | None) -> dict[str, int]:
        """Sessions a day in the asked time zone, daylight saving included."""
        try:
            local = zone(zone_name)
        except ValueError as error:
            raise invalid_field("tz", str(error)) from None
        quarter = self._quarter()
        statement = self._rows(chosen, quarter, func.count()).group_by(quarter)
        days: Counter[str] = Counter()
        for number, count in self.session.execute(statement):
            moment = datetime.fromtimestamp(int(number) * QUARTER, UTC)
            days[moment.astimezone(local).date().isoformat()] += count
        return dict(sorted(days.items()))

    def _quarter(self) -> ColumnElement[Any]:
        if self.session.get_bind().dialect.name == "sqlite":
            return func.strftime("%s", Conversation.started_at) / QUARTER
        return func.floor(extract("epoch", Conversation.started_at) / QUARTER)

    def _drop_off(self, chosen: list[ColumnElement[bool]]) -> list[dict[str, Any]]:
        """Per question: how many were asked it, and how many of them stand there still."""
        answered = self._answered(chosen)
        waiting = self._waiting(chosen)
        questions = WorkflowService(self.session, self.resources).in_force().workflow.questions
        rows = []
        for question in questions:
            left = waiting.get(question.id, 0)
            reached = answered.get(question.id, 0) + left
            rows.append(
                {
                    "question_id": question.id,
                    "question_text": question.text,
                    "reached": reached,
                    "left": left,
                    "rate": _rate(left, reached),
                }
            )
        return rows

    def _answered(self, chosen: list[ColumnElement[bool]]) -> dict[int, int]:
        statement = self._rows(chosen, Answer.question_id, func.count())
        statement = statement.join(Answer, Answer.session_id == Conversation.id)
        rows = self.session.execute(statement.group_by(Answer.question_id))
        return {question_id: count for question_id, count in rows}

    def _waiting(self, chosen: list[ColumnElement[bool]]) -> dict[int, int]:
        column = Conversation.next_question_id
        statement = self._rows(chosen, column, func.count()).where(column.is_not(None))
        rows = self.session.execute(statement.group_by(column))
        return {int(question_id): count for question_id, count in rows}


def _source() -> ColumnElement[str]:
    """Where a session came from, in the word that `by_source` shows."""
    return func.coalesce(Conversation.utm_source, literal_column("'direct'"))


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None

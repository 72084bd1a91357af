"""What all dashboards count: sessions and leads of a period, days of a zone, seconds between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, RowMapping, Select, case, cast
from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from engine.periods import DAY, Period
from engine.vocabulary import Classification
from models import Conversation, Lead
from services.lead_visibility import is_visible, of_visible_lead

# Where a session came from; a literal, so that every use of it is one expression to the database.
SOURCE: ColumnElement[str] = func.coalesce(Conversation.utm_source, literal_column("'direct'"))
IS_SQL = Conversation.classification == str(Classification.SQL)
IS_MQL = Conversation.classification == str(Classification.MQL)
HAS_CONTACT = Conversation.journey["contact"].as_boolean()
IS_COMPLETED = Conversation.completed_at.is_not(None)


def sessions_of(period: Period, *columns: Any) -> Select[Any]:
    """A statement over the sessions that began in the period, each with its lead.

    Suspects are no visitors, and whose lead one may not see is not counted either.
    """
    found = select(*columns).select_from(Conversation).join(Lead, Lead.id == Conversation.lead_id)
    return found.where(*_began_in(period), *is_visible())


def lone_sessions_of(session: Session, period: Period, *columns: Any) -> Select[Any]:
    """The same sessions without their leads, where no column is a lead's: a shorter walk."""
    is_seen = of_visible_lead(session, Conversation.lead_id)
    return select(*columns).select_from(Conversation).where(*_began_in(period), is_seen)


def _began_in(period: Period) -> tuple[ColumnElement[bool], ...]:
    return (
        Conversation.suspicion.is_(None),
        Conversation.started_at >= period.start,
        Conversation.started_at < period.end,
    )


def leads_of(column: Any, period: Period, *columns: Any) -> Select[Any]:
    """A statement over the leads of which something happened in the period."""
    return select(*columns).where(column >= period.start, column < period.end, *is_visible())


def tier_of(score: Any, *, hot: float, warm: float) -> ColumnElement[str]:
    """The tier of a score; in literals, so that every use of it is one expression."""
    found: ColumnElement[str] = case(
        (score >= _threshold(hot), literal_column("'hot'")),
        (score >= _threshold(warm), literal_column("'warm'")),
        else_=literal_column("'cold'"),
    )
    return found


def span_of(periods: Sequence[Period]) -> Period:
    """One stretch of days in which all of these lie."""
    first, last = min(one.first for one in periods), max(one.last for one in periods)
    return Period(first, last, periods[0].zone)


def lies_in(period: Period, moment: Any) -> ColumnElement[bool]:
    """The condition that a moment is one of the period's."""
    inside: ColumnElement[bool] = (moment >= period.start) & (moment < period.end)
    return inside


def count_if(condition: Any) -> ColumnElement[int]:
    """How many rows of a group fulfil this."""
    return func.count().filter(condition)


def epoch(session: Session, column: Any) -> ColumnElement[int]:
    """A moment as whole seconds since 1970, on either database."""
    if session.get_bind().dialect.name == "sqlite":
        return cast(func.strftime("%s", column), Integer)
    # `extract` would count in decimals, which is several times slower over many rows.
    return cast(func.floor(func.date_part("epoch", column)), BigInteger)


def day_of(session: Session, column: Any, period: Period) -> ColumnElement[int]:
    """The number of the day (1970-01-01 is 0) that a moment of the period falls on in its zone."""
    moment: ColumnElement[int] = epoch(session, column)
    offsets = period.offsets()
    shift: Any = literal_column(str(offsets[-1][1]), Integer)
    if len(offsets) > 1:
        whens: list[Any] = [
            (
                moment < literal_column(str(int(until.timestamp()))),
                literal_column(str(offset), Integer),
            )
            for until, offset in offsets[:-1]
        ]
        shift = case(*whens, else_=shift)
    day: ColumnElement[int] = (moment + shift) // literal_column(str(DAY), Integer)
    return day


def _threshold(value: float) -> ColumnElement[Any]:
    """Whole where it can be: beside a decimal PostgreSQL makes decimals of all whole scores."""
    return literal_column(str(int(value) if float(value).is_integer() else float(value)))


def whole(row: Mapping[str, Any] | RowMapping) -> dict[str, int]:
    """The counts of a row as numbers; a sum over nothing is 0."""
    return {str(name): int(value or 0) for name, value in row.items()}

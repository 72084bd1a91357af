"""LeadTable: the leads of a view, ranked and cut into pages, for people who work with them."""

from __future__ import annotations

import base64
import binascii
import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from engine.vocabulary import Profile
from errors import invalid_field
from lib.text import is_storable
from models import Lead, LeadScore
from services.lead_list import lead_row
from services.lead_scores import LeadScores
from services.lead_view import LeadView, ViewFilter
from services.resources import Resources

# A count beyond this is told as "more than": nobody reads on for the exact number.
COUNTED_TO = 1000
IDS_AT_ONCE = 500
MOMENTS = ("newest", "oldest", "active", "quiet")
# The profiles whose scores stand in a table of their own.
STORED = {"crm_rules": Profile.CRM_RULES, "engagement": Profile.ENGAGEMENT_WEIGHTED}


@dataclass(frozen=True)
class Order:
    """By what leads are ranked: the value, its direction, and the profile that it is a score of."""

    key: ColumnElement[Any]
    descending: bool = True
    profile: Profile | None = None


@dataclass(frozen=True)
class Page:
    """Some rows of the table, where it goes on, and how many there are in all."""

    rows: Sequence[Mapping[str, Any]]
    next_cursor: str | None
    count: int

    @property
    def is_capped(self) -> bool:
        """Whether there are more than anybody counted."""
        return self.count > COUNTED_TO


class LeadTable:
    """The leads that somebody sees; `reader` is the address that "mine" means."""

    def __init__(self, session: Session, resources: Resources, *, reader: str) -> None:
        self.session = session
        self.resources = resources
        self.filter = ViewFilter(session, resources, reader=reader)
        self.scores = LeadScores(session, resources)

    def page(self, view: LeadView, *, limit: int, cursor: str | None = None) -> Page:
        """A page of the view in its order, each row with its place in the ranking."""
        order = self._order(view.sort)
        found, count = self._found(view, order, limit + 1, cursor)
        page, more = found[:limit], len(found) > limit
        following = _cursor(view.sort, *page[-1]) if more else None
        values = {lead_id: value for lead_id, value in page}
        return Page(self._rows(list(values), values, order), following, count)

    def _found(
        self, view: LeadView, order: Order, limit: int, cursor: str | None
    ) -> tuple[Sequence[tuple[int, Any]], int]:
        """The first of the view's leads behind the cursor, and how many there are in all.

        Searching finds everything that is alike before it can be ranked, so that it is done once
        for both. All else is faster asked twice: the best come first, and counting ends early.
        """
        if not view.searches:
            statement = self._unordered(view, order)
            if cursor:
                statement = statement.where(_after(cursor, view.sort, order, Lead.id))
            rows = self.session.execute(_in_order(statement, order, Lead.id).limit(limit)).all()
            count = len(rows) if not cursor and len(rows) < limit else self.count(view)
            return [(row[0], row[1]) for row in rows], count
        all_of_it = self._unordered(view, order).cte("found")
        by = replace(order, key=all_of_it.c.key)
        some = select(all_of_it.c.id).limit(COUNTED_TO + 1).subquery()
        page = _in_order(select(all_of_it.c.id, all_of_it.c.key), by, all_of_it.c.id)
        if cursor:
            page = page.where(_after(cursor, view.sort, by, all_of_it.c.id))
        counted = select(func.count()).select_from(some).scalar_subquery()
        seen = self.session.execute(page.add_columns(counted).limit(limit)).all()
        return [(row[0], row[1]) for row in seen], seen[0][2] if seen else 0

    def count(self, view: LeadView) -> int:
        """How many leads the view holds, counted to one more than COUNTED_TO."""
        some = select(Lead.id).where(*self.filter.conditions(view)).limit(COUNTED_TO + 1)
        return self.session.scalar(select(func.count()).select_from(some.subquery())) or 0

    def count_all(self, view: LeadView) -> int:
        """How many leads the view holds, to the last."""
        statement = select(func.count(Lead.id)).where(*self.filter.conditions(view))
        return self.session.scalar(statement) or 0

    def ids(self, view: LeadView) -> array[int]:
        """All leads of the view in its order, by number alone."""
        order = self._order(view.sort)
        statement = _in_order(self._unordered(view, order), order, Lead.id)
        return array("q", (row[0] for row in self.session.execute(statement)))

    def ids_after(self, view: LeadView, after: int, last: int, limit: int) -> Sequence[int]:
        """Some leads of the view by number, between one and another that is still among them."""
        return self.session.scalars(
            select(Lead.id)
            .where(*self.filter.conditions(view), Lead.id > after, Lead.id <= last)
            .order_by(Lead.id)
            .limit(limit)
        ).all()

    def last_id(self) -> int:
        """The highest number that a lead has now."""
        return self.session.scalar(select(func.max(Lead.id))) or 0

    def among(self, ids: Sequence[int]) -> Iterator[int]:
        """Those of these leads that the reader may see."""
        for start in range(0, len(ids), IDS_AT_ONCE):
            some = ids[start : start + IDS_AT_ONCE]
            there = select(Lead.id).where(*self.filter.conditions(LeadView()), Lead.id.in_(some))
            known = set(self.session.scalars(there))
            yield from (one for one in some if one in known)

    def _unordered(self, view: LeadView, order: Order) -> Select[Any]:
        key = order.key.label("key")
        statement = select(Lead.id, key).where(*self.filter.conditions(view))
        if order.profile is not None:
            mine = and_(LeadScore.lead_id == Lead.id, LeadScore.profile == str(order.profile))
            statement = statement.outerjoin(LeadScore, mine)
        return statement

    def _rows(
        self, ids: Sequence[int], values: Mapping[int, Any], order: Order
    ) -> list[Mapping[str, Any]]:
        leads = {one.id: one for one in self.session.scalars(select(Lead).where(Lead.id.in_(ids)))}
        queue = self.scores.queue()
        standing = dict[int, float]()
        said = select(Lead.id, queue.column()).where(Lead.id.in_(ids))
        for lead_id, score in self.session.execute(said):
            standing[lead_id] = score
        ranked = order.profile is not None and order.profile != queue.profile
        return [
            {
                **lead_row(leads[one], {}, score=standing[one], tier=queue.tier(standing[one])),
                "number": one,
                "ranked": max(values[one], 0.0) if ranked else None,
                "outcome": leads[one].outcome,
                "snoozed_until": leads[one].snoozed_until,
            }
            for one in ids
            if one in leads
        ]

    def _order(self, sort: str) -> Order:
        if sort == "score":
            profile = self.scores.queue().profile
            sort = {Profile.CORE_POINTS: "points", Profile.ML_PROBABILITY: "probability"}.get(
                profile, next((name for name, one in STORED.items() if one == profile), "points")
            )
        if sort in STORED:
            return Order(func.coalesce(LeadScore.score, -1.0), profile=STORED[sort])
        found = {
            "points": Order(Lead.lead_score.expression),
            "probability": Order(func.coalesce(Lead.probability, -1.0)),
            "newest": Order(Lead.created_at.expression),
            "oldest": Order(Lead.created_at.expression, descending=False),
            "active": Order(Lead.last_activity_at.expression),
            "quiet": Order(Lead.last_activity_at.expression, descending=False),
            "name": Order(_shown_name(), descending=False),
        }.get(sort)
        if found is None:
            raise invalid_field("sort", "There is no such order.")
        return found


def _in_order(statement: Select[Any], order: Order, number: Any) -> Select[Any]:
    if order.descending:
        return statement.order_by(order.key.desc(), number.desc())
    return statement.order_by(order.key.asc(), number.asc())


def _shown_name() -> ColumnElement[str]:
    """What stands in the first column, as it is compared."""
    return func.lower(func.coalesce(Lead.name, Lead.email, Lead.phone, Lead.company, ""))


def _cursor(sort: str, lead_id: int, value: Any) -> str:
    plain = value.isoformat() if isinstance(value, datetime) else value
    text = json.dumps([sort, plain, lead_id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _after(cursor: str, sort: str, order: Order, number: Any) -> ColumnElement[bool]:
    """The condition of "behind this row" in the order of the table."""
    value, lead_id = _read_cursor(cursor, sort)
    key = order.key
    if order.descending:
        return or_(key < value, and_(key == value, number < lead_id))
    return or_(key > value, and_(key == value, number > lead_id))


def _read_cursor(cursor: str, sort: str) -> tuple[Any, int]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        made_for, value, lead_id = json.loads(base64.urlsafe_b64decode(padded))
        if made_for != sort or type(lead_id) is not int or not 0 <= lead_id < 2**63:
            raise ValueError
        if sort in MOMENTS:
            value = datetime.fromisoformat(value)
            if value.tzinfo is None:
                raise ValueError
        elif sort == "name":
            if type(value) is not str or not is_storable(value):
                raise ValueError
        elif type(value) not in (int, float) or not abs(value) < 2**63:
            raise ValueError
    except (ValueError, TypeError, binascii.Error, UnicodeError, RecursionError):
        raise invalid_field("cursor", "This page is of another list; begin again.") from None
    return value, lead_id

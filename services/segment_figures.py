"""SegmentFigures: any answer, field or source against how many qualify, or how many are won."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from engine.periods import Period
from engine.rates import Compared, Share, by_chance, compare
from engine.vocabulary import UTM_FIELDS, Outcome
from errors import invalid_field
from models import Conversation, Lead
from services.figure_scope import (
    IS_SQL,
    count_if,
    leads_of,
    lies_in,
    lone_sessions_of,
    sessions_of,
    span_of,
)
from services.resources import Resources
from services.workflow_service import WorkflowService

MOST_SHOWN = 30
MOST_KEYS = 40
LEADS_READ_FOR_KEYS = 500
OTHERS, UNKNOWN, TYPED = "(all others)", "(not known)", "(typed or skipped)"
# Where the folded facts of a session hold an answer's options; see `engine.journey`.
OPTIONS = 0
Row = tuple[int, int, Any]
MEASURES = {"qualified": "Qualification rate", "won": "Win rate"}
# Fields of a profile that hold one of our options as a rule; what is none of them was typed.
_FIELDS = {
    "business_type": "Business type",
    "staff_size": "Staff size",
    "monthly_sales": "Monthly sales",
}
_TYPED_FIELDS = {"location": "Location", "company": "Company"}
_SESSION = {
    **{name: f"UTM {name.removeprefix('utm_')}" for name in UTM_FIELDS},
    "locale": "Language",
    "surface": "Where the chat ran",
    "landing_page": "Landing page",
}
_LEAD = {
    "source": "Source of the lead",
    "campaign": "Campaign",
    "stage": "Stage",
    "assigned_to": "Owner",
}


@dataclass(frozen=True)
class Dimension:
    """Something to divide by, under its key in the address and its name for people."""

    key: str
    label: str
    group: str


@dataclass(frozen=True)
class Segments:
    """The parts of a dimension, the largest first, each beside all the others."""

    dimension: Dimension
    measure: str
    rows: Sequence[tuple[str, Compared]]
    total: Share
    # Several options of one answer count in several segments.
    overlap: bool

    @property
    def tested(self) -> int:
        """How many segments were large enough to be compared."""
        return sum(one.standing != "too_few" for _, one in self.rows)

    @property
    def by_chance(self) -> float:
        """How many of them would lie outside their intervals by chance alone."""
        return by_chance(self.tested)


class SegmentFigures:
    """Reads sessions, answers and leads; writes nothing.

    `personal` tells whether the reader may see what was typed; for all others such words are one
    segment, and dimensions that hold nothing else do not exist.
    """

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def dimensions(self, *, personal: bool) -> list[Dimension]:
        """What there is to divide by."""
        fields = _FIELDS | (_TYPED_FIELDS if personal else {})
        made = [
            Dimension(f"answer:{question.id}", question.text, "Answers")
            for question in self._workflow().questions
            if personal or question.type.is_closed
        ]
        made += [Dimension(f"field:{key}", label, "Profile") for key, label in fields.items()]
        made += [Dimension(f"session:{key}", label, "Visit") for key, label in _SESSION.items()]
        made += [Dimension(f"lead:{key}", label, "Sale") for key, label in _LEAD.items()]
        if personal:
            keys = self._attribute_keys()
            made += [Dimension(f"attribute:{key}", key, "Attributes") for key in keys]
        return made

    def find(self, period: Period, key: str, measure: str, *, personal: bool) -> Segments:
        """How the parts of a dimension do in this measure."""
        (found,) = self.find_each([period], key, measure, personal=personal)
        return found

    def find_each(
        self, periods: Sequence[Period], key: str, measure: str, *, personal: bool
    ) -> list[Segments]:
        """The same for each of some periods, in one walk."""
        known = {one.key: one for one in self.dimensions(personal=personal)}
        if key not in known:
            raise invalid_field("by", "There is no such way to divide.")
        if measure not in MEASURES:
            raise invalid_field("measure", "There is no such measure.")
        kind, _, name = key.partition(":")
        found = []
        for rows in self._counts(periods, measure, kind, self._column(kind, name)):
            total = Share(sum(did for _, did, _ in rows), sum(count for count, _, _ in rows))
            shares = _most(self._labelled(rows, kind, personal=personal))
            overlap = sum(one.whole for one in shares.values()) > total.whole
            compared = list(compare(shares).items())
            found.append(Segments(known[key], measure, compared, total, overlap))
        return found

    def _counts(
        self, periods: Sequence[Period], measure: str, kind: str, part: ColumnElement[Any]
    ) -> list[list[Row]]:
        """Of each period how many count, and how many of them did it, by the part they are of."""
        if measure == "qualified":
            moment: ColumnElement[Any] = Conversation.started_at.expression
            did = IS_SQL
        else:
            moment, did = Lead.outcome_at.expression, Lead.outcome == str(Outcome.WON)
        inside = [lies_in(period, moment) for period in periods]
        columns = [count_if(one) for here in inside for one in (here, here & did)]
        statement = self._base(span_of(periods), measure, kind, part, *columns)
        rows = self.session.execute(statement.group_by(part)).all()
        return [
            [(row[place], row[place + 1], row[0]) for row in rows if row[place]]
            for place in range(1, 1 + len(columns), 2)
        ]

    def _base(self, period: Period, measure: str, kind: str, *columns: Any) -> Select[Any]:
        """A statement over all that count."""
        is_of_session = kind in ("session", "answer")
        if measure == "qualified" and is_of_session:
            return lone_sessions_of(self.session, period, *columns)
        if measure == "qualified":
            return sessions_of(period, *columns)
        ended = leads_of(Lead.outcome_at, period, *columns)
        if is_of_session:
            ended = ended.outerjoin_from(Lead, Conversation, Conversation.id == Lead.session_id)
        return ended

    def _column(self, kind: str, name: str) -> ColumnElement[Any]:
        if kind == "answer":
            found: ColumnElement[Any] = Conversation.journey[("answers", name, OPTIONS)].as_string()
        elif kind == "attribute":
            found = Lead.attributes[name].as_string()
        else:
            table: Any = Conversation if kind == "session" else Lead
            found = getattr(table, name).expression
        return found

    def _labelled(self, rows: Sequence[Row], kind: str, *, personal: bool) -> dict[str, Share]:
        options = self._options()
        found: dict[str, Share] = {}
        for count, did, value in rows:
            for label in self._labels(value, kind, options, personal=personal):
                before = found.get(label, Share(0, 0))
                found[label] = Share(before.part + did, before.whole + count)
        return found

    def _labels(
        self, value: Any, kind: str, options: frozenset[str], *, personal: bool
    ) -> Iterable[str]:
        if kind == "answer":
            return _answer_labels(value)
        if value is None or value == "":
            return (UNKNOWN,)
        text = str(value)
        may_see = personal or kind != "field" or text in options
        return (text[:200] if may_see else TYPED,)

    def _workflow(self) -> Any:
        return WorkflowService(self.session, self.resources).in_force().workflow

    def _options(self) -> frozenset[str]:
        questions = self._workflow().questions
        return frozenset(one.value for question in questions for one in question.options)

    def _attribute_keys(self) -> list[str]:
        """The attributes that leads of late have; all of them would be a walk through the table."""
        lately = (
            select(Lead.attributes)
            .where(Lead.deleted_at.is_(None))
            .order_by(Lead.created_at.desc(), Lead.id.desc())
            .limit(LEADS_READ_FOR_KEYS)
        )
        keys = {key for attributes in self.session.scalars(lately) for key in attributes or {}}
        # A path of SQLite cannot hold a quotation mark.
        return sorted(key for key in keys if '"' not in key)[:MOST_KEYS]


def _answer_labels(value: Any) -> Sequence[str]:
    """The options of an answer; an answer in free words has none."""
    if value is None:
        return (UNKNOWN,)
    chosen = json.loads(value) if isinstance(value, str) else value
    return [str(one) for one in chosen] or (TYPED,)


def _most(found: Mapping[str, Share]) -> dict[str, Share]:
    """The largest segments; the small ones behind them together."""
    ranked = sorted(found.items(), key=lambda one: (-one[1].whole, one[0]))
    shown = dict(ranked[:MOST_SHOWN])
    rest = [share for _, share in ranked[MOST_SHOWN:]]
    if rest:
        shown[OTHERS] = Share(sum(s.part for s in rest), sum(s.whole for s in rest))
    return shown

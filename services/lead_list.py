"""LeadList: the leads that a filter finds, page by page in a stable order."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from engine.vocabulary import ENGAGEMENT_ACTIONS, Action, FactKind, Tier
from errors import invalid_field
from lib.clock import day_range, iso
from lib.text import is_storable
from models import Activity, Event, Lead
from services.lead_scores import LeadScores, Queue
from services.lead_visibility import is_visible
from services.pipeline_stages import PipelineStages
from services.prediction_settings import PredictionSettings
from services.resources import Resources

# What a lead does itself, yet may be told of as an activity: on the phone, by another program.
LOGGED_SIGNALS = tuple(sorted(map(str, ENGAGEMENT_ACTIONS | {Action.DEMO_REQUESTED})))
# What sales did, counted beside the signals.
CRM_ACTIVITIES = "crm_activities"


@dataclass(frozen=True)
class Filter:
    """Which leads, in which order, and which page of them."""

    q: str | None = None
    classification: str | None = None
    tier: str | None = None
    stage: str | None = None
    source: str | None = None
    assigned_to: str | None = None
    campaign: str | None = None
    min_score: float | None = None
    from_: str | None = None
    to: str | None = None
    tz: str | None = None
    sort: str = "-score"
    limit: int = 50
    cursor: str | None = None


class LeadList:
    """Every lead that is not deleted, filtered, sorted and cut into pages."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def list_leads(self, wanted: Filter) -> dict[str, Any]:
        """A page of leads and the cursor of the next one (None on the last)."""
        queue = LeadScores(self.session, self.resources).queue()
        score = queue.column()
        key, descending = _sort_key(wanted.sort, score)
        statement = self._filtered(wanted, queue)
        if wanted.cursor:
            statement = statement.where(_after(wanted.cursor, wanted.sort, key, descending))
        order = (key.desc(), Lead.id.desc()) if descending else (key.asc(), Lead.id.asc())
        statement = statement.order_by(*order).limit(wanted.limit + 1)
        rows = self.session.execute(statement.add_columns(key, score)).all()
        page = rows[: wanted.limit]
        following = _cursor(wanted.sort, page[-1]) if len(rows) > wanted.limit else None
        counts = self.engagement([lead.id for lead, *_ in page])
        decided = PredictionSettings(self.session, self.resources).decided()
        views = [
            {
                **lead_row(lead, counts.get(lead.id, {}), score=number, tier=queue.tier(number)),
                "lane": decided.lane_of(lead.id),
            }
            for lead, _, number in page
        ]
        return {"leads": views, "next_cursor": following}

    def engagement(self, lead_ids: Sequence[int]) -> dict[int, dict[str, int]]:
        """How often each engagement signal came in, and what sales did, for a page of leads."""
        action = Event.measured["action"].as_string()
        rows = self.session.execute(
            select(Event.lead_id, action, func.count())
            .where(
                Event.lead_id.in_(lead_ids),
                Event.kind == FactKind.BEHAVIOR_REPORTED,
                action.in_([str(one) for one in ENGAGEMENT_ACTIONS]),
            )
            .group_by(Event.lead_id, action)
        )
        counts: dict[int, dict[str, int]] = {}
        for lead_id, name, count in (*rows, *self._logged(lead_ids)):
            if lead_id is not None:
                mine = counts.setdefault(lead_id, {})
                mine[name] = mine.get(name, 0) + count
        return counts

    def _logged(self, lead_ids: Sequence[int]) -> list[tuple[int, str, int]]:
        """Activities by lead: a signal under its own name, all others as what sales did."""
        rows = self.session.execute(
            select(Activity.lead_id, Activity.kind, func.count())
            .where(Activity.lead_id.in_(lead_ids))
            .group_by(Activity.lead_id, Activity.kind)
        )
        return [
            (lead_id, kind if kind in LOGGED_SIGNALS else CRM_ACTIVITIES, count)
            for lead_id, kind, count in rows
        ]

    def _filtered(self, wanted: Filter, queue: Queue) -> Select[Any]:
        statement = select(Lead).where(*is_visible())
        for column, value in (
            (Lead.lead_classification, wanted.classification),
            (Lead.source, wanted.source),
            (Lead.assigned_to, wanted.assigned_to),
            (Lead.campaign, wanted.campaign),
        ):
            if value is not None:
                statement = statement.where(column == value)
        if wanted.stage is not None:
            stages = PipelineStages(self.session, self.resources)
            statement = statement.where(stages.stands_in(wanted.stage))
        if wanted.min_score is not None:
            statement = statement.where(queue.column() >= wanted.min_score)
        if wanted.tier is not None:
            statement = statement.where(_of_tier(wanted.tier, queue))
        if wanted.q:
            texts = (Lead.name, Lead.email, Lead.company, Lead.phone)
            found = [column.icontains(wanted.q, autoescape=True) for column in texts]
            statement = statement.where(or_(*found))
        start, end = read_days(wanted.from_, wanted.to, wanted.tz)
        if start is not None:
            statement = statement.where(Lead.created_at >= start)
        if end is not None:
            statement = statement.where(Lead.created_at < end)
        return statement


def _of_tier(tier: str, queue: Queue) -> ColumnElement[bool]:
    score = queue.column()
    if tier == Tier.HOT:
        return score >= queue.hot
    if tier == Tier.WARM:
        return and_(score >= queue.warm, score < queue.hot)
    return score < queue.warm


def lead_row(lead: Lead, counts: Mapping[str, int], *, score: float, tier: Tier) -> dict[str, Any]:
    """A lead as a list shows it; its score is that of the profile that drives the queue."""
    return {
        "id": str(lead.id),
        "session_id": lead.session_id,
        "name": lead.name,
        "email": lead.email,
        "phone": lead.phone,
        "company": lead.company,
        "score": score,
        "lead_score": lead.lead_score,
        "score_category": str(tier),
        "classification": lead.lead_classification,
        "probability": lead.probability,
        "source": lead.source,
        "utm_source": lead.utm_source,
        "stage": lead.stage,
        "assigned_to": lead.assigned_to,
        "campaign": lead.campaign,
        "created_at": iso(lead.created_at),
        "updated_at": iso(lead.updated_at),
        "last_activity": iso(lead.last_activity_at),
        "engagement_summary": {
            "email_opens": counts.get(Action.EMAIL_OPEN, 0),
            "email_clicks": counts.get(Action.EMAIL_CLICK, 0),
            "website_visits": counts.get(Action.WEBSITE_VISIT, 0),
            "crm_activities": counts.get(CRM_ACTIVITIES, 0),
        },
    }


def read_days(
    from_: str | None, to: str | None, zone: str | None
) -> tuple[datetime | None, datetime | None]:
    """The bounds of a date filter in UTC; Invalid names the field that cannot be read."""
    for name, one, other in (("tz", None, None), ("from", from_, None), ("to", from_, to)):
        try:
            bounds = day_range(one, other, zone)
        except ValueError as error:
            raise invalid_field(name, str(error)) from None
    return bounds


def _sort_key(sort: str, score: ColumnElement[float]) -> tuple[ColumnElement[Any], bool]:
    """The column of a sort name, with a value where a lead has none, and the direction."""
    columns: dict[str, ColumnElement[Any]] = {
        "score": score,
        "probability": func.coalesce(Lead.probability, -1.0),
        "created_at": Lead.created_at.expression,
        "last_activity": Lead.last_activity_at.expression,
        "name": func.lower(func.coalesce(Lead.name, "")),
    }
    name = sort.removeprefix("-")
    if name not in columns:
        raise invalid_field("sort", f"Sort by one of {', '.join(columns)}, or -score and so on.")
    return columns[name], sort.startswith("-")


def _cursor(sort: str, row: Any) -> str:
    lead, value, _ = row
    plain = value.isoformat() if isinstance(value, datetime) else value
    text = json.dumps([sort, plain, lead.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _after(
    cursor: str, sort: str, key: ColumnElement[Any], descending: bool
) -> ColumnElement[bool]:
    """The condition of "behind this row" in the order of the list."""
    value, lead_id = _read_cursor(cursor, sort)
    if descending:
        return or_(key < value, and_(key == value, Lead.id < lead_id))
    return or_(key > value, and_(key == value, Lead.id > lead_id))


def _read_cursor(cursor: str, sort: str) -> tuple[Any, int]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        made_for, value, lead_id = json.loads(base64.urlsafe_b64decode(padded))
        if made_for != sort or not isinstance(lead_id, int) or isinstance(lead_id, bool):
            raise ValueError
        if sort.removeprefix("-") in ("created_at", "last_activity"):
            value = datetime.fromisoformat(value)
            if value.tzinfo is None:
                raise ValueError
        elif sort.endswith("name"):
            if not isinstance(value, str) or not is_storable(value):
                raise ValueError
        elif not isinstance(value, int | float) or not abs(value) < 2**63:
            raise ValueError
        if not -(2**63) <= lead_id < 2**63:
            raise ValueError
    except (ValueError, TypeError, binascii.Error, UnicodeError, RecursionError):
        raise invalid_field(
            "cursor", "This cursor is not one of ours, or was made for another order."
        ) from None
    return value, lead_id

"""LeadBook: the leads as sales works them: list, detail, enter, edit, delete."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, insert, or_, select, update
from sqlalchemy.orm import Session

import outbox
from engine.points import tier_for
from engine.vocabulary import ENGAGEMENT_ACTIONS, PROFILE_FIELDS, Action, FactKind, Tier
from errors import invalid_field, unknown_lead
from lib.clock import day_range, iso
from models import Event, Lead
from services.account_service import AccountService
from services.profile import profile_values, read_profile
from services.resources import Resources
from services.scoring_service import ScoringService, ledger_view
from services.session_store import SessionStore
from services.workflow_service import WorkflowService

# What a program may set on a lead beside its profile.
SALES_FIELDS = ("stage", "assigned_to", "campaign", "source", "utm_source")


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


class LeadBook:
    """Every lead that is not deleted, whether a conversation bore it or somebody entered it."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def list_leads(self, wanted: Filter) -> dict[str, Any]:
        """A page of leads and the cursor of the next one (None on the last)."""
        key, descending = _sort_key(wanted.sort)
        statement = self._filtered(wanted)
        if wanted.cursor:
            statement = statement.where(_after(wanted.cursor, wanted.sort, key, descending))
        order = (key.desc(), Lead.id.desc()) if descending else (key.asc(), Lead.id.asc())
        statement = statement.order_by(*order).limit(wanted.limit + 1)
        rows = self.session.execute(statement.add_columns(key)).all()
        page = rows[: wanted.limit]
        following = _cursor(wanted.sort, page[-1]) if len(rows) > wanted.limit else None
        counts = self._engagement([lead.id for lead, _ in page])
        hot, warm = self._tiers()
        views = [lead_row(lead, counts.get(lead.id, {}), hot=hot, warm=warm) for lead, _ in page]
        return {"leads": views, "next_cursor": following}

    def find_lead(self, lead_id: int) -> dict[str, Any]:
        """One lead with its score as a readable sum and everything that happened to it."""
        lead = self._get(lead_id)
        hot, warm = self._tiers()
        counts = self._engagement([lead.id]).get(lead.id, {})
        row = lead_row(lead, counts, hot=hot, warm=warm)
        facts = self._facts(lead)
        scoring = ScoringService(self.session, self.resources)
        ledger = scoring.find_ledger(lead.session_id) if lead.session_id else []
        return {
            **row,
            # No attribute of a visitor's takes the place of what we say.
            **{name: one for name, one in profile_values(lead).items() if name not in row},
            "attributes": dict(lead.attributes),
            "score_history": [],
            "ledger": [ledger_view(row) for row in ledger],
            "history": [_fact_view(fact) for fact in facts],
            "explanation": None,
            "engagement_level": _engagement_level(counts, facts),
            "follow_up_date": None,
            "is_snoozed": None,
            "interaction_count": None,
            "last_interaction_type": None,
            "possible_duplicates": [str(other) for other in self._duplicates(lead)],
        }

    def enter(self, data: Mapping[str, Any], *, actor: str) -> dict[str, Any]:
        """A lead that somebody met elsewhere: in the shop, on the phone, on a list."""
        change = self._read(data)
        if not any(change.columns.get(name) for name in ("name", "email", "phone", "company")):
            raise invalid_field("name", "A lead needs a name, an e-mail, a phone or a company.")
        now = self.resources.clock.now()
        sales = _sales_values(data)
        row = {
            "features_interested": [],
            "lead_score": 0,
            "lead_classification": "Unqualified",
            "created_at": now,
            "updated_at": now,
            "last_activity_at": now,
            **change.columns,
            **sales,
            "attributes": change.attributes,
            "source": sales.get("source") or sales.get("utm_source") or "manual",
        }
        lead_id = int(
            self.session.execute(insert(Lead).values(row).returning(Lead.id)).scalar_one()
        )
        measured = {"fields": change.fields, "source_kind": "manual", "contact": change.contact}
        self._record(FactKind.LEAD_CREATED, lead_id, now, measured, dict(data))
        self._audit(actor, "lead.created", lead_id, sorted(change.fields))
        return self.find_lead(lead_id)

    def edit(self, lead_id: int, data: Mapping[str, Any], *, actor: str) -> dict[str, Any]:
        """The lead with some fields changed; what a visitor answered stays in the log."""
        lead = self._get(lead_id)
        change, sales = self._read(data), _sales_values(data)
        new = {
            name: value
            for name, value in {**change.columns, **sales}.items()
            if getattr(lead, name) != value
        }
        merged = {**lead.attributes, **change.attributes}
        if merged != lead.attributes:
            new["attributes"] = merged
        if new:
            self._apply(lead, new, contact=change.contact, data=data)
            self._audit(actor, "lead.edited", lead_id, sorted(new))
            self.session.refresh(lead)
        return self.find_lead(lead_id)

    def delete(self, lead_id: int, *, actor: str) -> dict[str, Any]:
        """The lead out of every list, its conversation unknown; the log keeps its facts."""
        lead = self._get(lead_id)
        now = self.resources.clock.now()
        lead.deleted_at = now
        self._record(FactKind.LEAD_DELETED, lead.id, now, {}, None)
        self._audit(actor, "lead.deleted", lead_id, [])
        self.session.flush()
        return {"id": str(lead_id), "deleted": True}

    # Reading

    def _get(self, lead_id: int) -> Lead:
        lead = self.session.get(Lead, lead_id)
        if lead is None or lead.deleted_at is not None:
            raise unknown_lead()
        return lead

    def _filtered(self, wanted: Filter) -> Select[Any]:
        statement = select(Lead).where(Lead.deleted_at.is_(None))
        for column, value in (
            (Lead.lead_classification, wanted.classification),
            (Lead.stage, wanted.stage),
            (Lead.source, wanted.source),
            (Lead.assigned_to, wanted.assigned_to),
            (Lead.campaign, wanted.campaign),
        ):
            if value is not None:
                statement = statement.where(column == value)
        if wanted.min_score is not None:
            statement = statement.where(Lead.lead_score >= wanted.min_score)
        if wanted.tier is not None:
            statement = statement.where(self._of_tier(wanted.tier))
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

    def _of_tier(self, tier: str) -> ColumnElement[bool]:
        hot, warm = self._tiers()
        if tier == Tier.HOT:
            return Lead.lead_score >= hot
        if tier == Tier.WARM:
            return and_(Lead.lead_score >= warm, Lead.lead_score < hot)
        return Lead.lead_score < warm

    def _tiers(self) -> tuple[float, float]:
        workflow = WorkflowService(self.session, self.resources).in_force().workflow
        return self.resources.tiers(workflow)

    def _engagement(self, lead_ids: Sequence[int]) -> dict[int, dict[str, int]]:
        """How often each engagement signal came in, for a page of leads."""
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
        for lead_id, name, count in rows:
            if lead_id is not None:
                counts.setdefault(lead_id, {})[name] = count
        return counts

    def _facts(self, lead: Lead) -> Sequence[Event]:
        return self.session.scalars(
            select(Event).where(Event.lead_id == lead.id).order_by(Event.id)
        ).all()

    def _duplicates(self, lead: Lead) -> Sequence[int]:
        """Leads with the same address or number; only people decide whether they are one person."""
        same = []
        if lead.email_key:
            same.append(Lead.email_key == lead.email_key)
        if lead.phone_e164:
            same.append(Lead.phone_e164 == lead.phone_e164)
        if not same:
            return []
        return self.session.scalars(
            select(Lead.id)
            .where(or_(*same), Lead.id != lead.id, Lead.deleted_at.is_(None))
            .order_by(Lead.id)
            .limit(20)
        ).all()

    # Writing

    def _read(self, data: Mapping[str, Any]) -> Any:
        known = {name: data[name] for name in PROFILE_FIELDS if name in data}
        attributes = data.get("attributes") or {}
        workflow = WorkflowService(self.session, self.resources).in_force().workflow
        return read_profile(
            {**attributes, **known},
            region=workflow.default_region,
            allow_test_addresses=self.resources.settings.is_development,
        )

    def _apply(
        self, lead: Lead, new: Mapping[str, Any], *, contact: bool, data: Mapping[str, Any]
    ) -> None:
        """Write the change; on a session's lead as a fact of that session, so a contact counts."""
        now = self.resources.clock.now()
        measured = {
            "fields": sorted(name for name in new if name in (*PROFILE_FIELDS, *SALES_FIELDS)),
            "contact": contact,
            "by": "staff",
        }
        if lead.session_id is None:
            self._record(FactKind.LEAD_EDITED, lead.id, now, measured, dict(data))
            values = {**new, "updated_at": now, "last_activity_at": now}
            self.session.execute(update(Lead).where(Lead.id == lead.id).values(values))
            return
        store = SessionStore(self.session, self.resources)
        held = store.lock(lead.session_id)
        held.record(FactKind.PROFILE_UPDATED, now, measured, {"profile": dict(data)})
        store.save(held, lead=new)
        store.flush()

    def _record(
        self,
        kind: FactKind,
        lead_id: int,
        now: datetime,
        measured: Mapping[str, Any],
        profile: Mapping[str, Any] | None,
    ) -> None:
        personal = {"profile": profile} if profile else None
        outbox.record(
            self.session,
            outbox.NewFact(kind, now, measured=measured, personal=personal, lead_id=lead_id),
        )

    def _audit(self, actor: str, action: str, lead_id: int, fields: list[str]) -> None:
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, action, f"lead {lead_id}", {"fields": fields})


def lead_row(lead: Lead, counts: Mapping[str, int], *, hot: float, warm: float) -> dict[str, Any]:
    """A lead as a list shows it."""
    return {
        "id": str(lead.id),
        "session_id": lead.session_id,
        "name": lead.name,
        "email": lead.email,
        "phone": lead.phone,
        "company": lead.company,
        "score": lead.lead_score,
        "lead_score": lead.lead_score,
        "score_category": str(tier_for(lead.lead_score, hot=hot, warm=warm)),
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
            "crm_activities": 0,
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


def _sales_values(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in SALES_FIELDS if name in data}


def _sort_key(sort: str) -> tuple[ColumnElement[Any], bool]:
    """The column of a sort name, with a value where a lead has none, and the direction."""
    columns: dict[str, ColumnElement[Any]] = {
        "score": Lead.lead_score.expression,
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
    lead, value = row
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
        elif not isinstance(value, str if sort.endswith("name") else (int, float)):
            raise ValueError
        if not -(2**63) <= lead_id < 2**63:
            raise ValueError
    except (ValueError, TypeError, binascii.Error, UnicodeError, RecursionError):
        raise invalid_field(
            "cursor", "This cursor is not one of ours, or was made for another order."
        ) from None
    return value, lead_id


def _fact_view(fact: Event) -> dict[str, Any]:
    return {
        "kind": fact.kind,
        "occurred_at": iso(fact.occurred_at),
        "measured": dict(fact.measured),
        "workflow_version": fact.workflow_version,
    }


def _engagement_level(counts: Mapping[str, int], facts: Sequence[Event]) -> str:
    """How lively a lead is: by its signals and by what it did in the conversation."""
    answered = sum(1 for fact in facts if fact.kind == FactKind.ANSWER_RECORDED)
    clicked = sum(1 for fact in facts if fact.kind == FactKind.BEHAVIOR_REPORTED)
    liveliness = answered + clicked + sum(counts.values())
    if liveliness >= 8:
        return "high"
    return "medium" if liveliness >= 3 else "low"

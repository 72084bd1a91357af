"""LeadBook: one lead as sales works it: detail, enter, edit, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import PROFILE_FIELDS, FactKind
from errors import invalid_field, unknown_lead
from lib.clock import iso
from models import Event, Lead
from services.account_service import AccountService
from services.diary_service import DiaryService
from services.lead_family import LeadFamily
from services.lead_list import CRM_ACTIVITIES, LeadList, lead_row
from services.lead_scores import LeadScores
from services.lead_visibility import is_visible
from services.pipeline_service import COLUMNS, PipelineService
from services.prediction_service import PredictionService
from services.prediction_settings import PredictionSettings
from services.profile import profile_values, read_profile
from services.resources import Resources
from services.scoring_service import ScoringService, ledger_view
from services.session_store import SessionStore
from services.workflow_service import WorkflowService

# What a program may set on a lead beside its profile.
SALES_FIELDS = ("campaign", "source", "utm_source")
# Whose notes and words belong to the history that people read.
_TOLD = (FactKind.ACTIVITY_LOGGED, FactKind.FOLLOW_UP_SET)


class LeadBook:
    """Every lead that is not deleted, whether a conversation bore it or somebody entered it."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def find_lead(self, lead_id: int) -> dict[str, Any]:
        """One lead with its score as a readable sum and everything that happened to it."""
        lead = self._get(lead_id)
        leads = LeadList(self.session, self.resources)
        scores = LeadScores(self.session, self.resources)
        score = scores.in_queue(lead)
        counts = leads.engagement([lead.id]).get(lead.id, {})
        row = lead_row(lead, counts, score=score, tier=scores.queue().tier(score))
        facts = self._facts(lead)
        scoring = ScoringService(self.session, self.resources)
        ledger = scoring.find_ledger(lead.session_id) if lead.session_id else []
        return {
            **row,
            # No attribute of a visitor's takes the place of what we say.
            **{name: one for name, one in profile_values(lead).items() if name not in row},
            "attributes": dict(lead.attributes),
            "score_history": scores.history(lead.id),
            "profiles": scores.find(lead),
            "ledger": [ledger_view(row) for row in ledger],
            "history": [_fact_view(fact) for fact in facts],
            "lane": PredictionSettings(self.session, self.resources).decided().lane_of(lead.id),
            "explanation": PredictionService(self.session, self.resources).explanation(lead.id),
            "engagement_level": _engagement_level(counts, facts),
            **DiaryService(self.session, self.resources).find_diary(lead),
            "outcome": lead.outcome,
            "outcome_value": lead.outcome_value,
            "outcome_at": iso(lead.outcome_at) if lead.outcome_at else None,
            "staged_at": iso(lead.staged_at) if lead.staged_at else None,
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
        self._record(FactKind.LEAD_CREATED, lead_id, now, measured, _without_pipeline(data))
        self._audit(actor, "lead.created", lead_id, sorted(change.fields))
        PipelineService(self.session, self.resources).change(lead_id, data, actor=actor)
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
            self._apply(lead, new, contact=change.contact, data=_without_pipeline(data))
            self._audit(actor, "lead.edited", lead_id, sorted(new))
            self.session.refresh(lead)
        PipelineService(self.session, self.resources).change(lead_id, data, actor=actor)
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

    def restore(self, lead_id: int, *, actor: str) -> None:
        """A deleted lead as it was; NotFound for one that is there, or was merged or erased."""
        lead = self.session.scalar(
            select(Lead)
            .where(Lead.id == lead_id, Lead.deleted_at.is_not(None), Lead.merged_into.is_(None))
            .with_for_update()
        )
        if lead is None:
            raise unknown_lead()
        lead.deleted_at = None
        self._record(FactKind.LEAD_RESTORED, lead.id, self.resources.clock.now(), {}, None)
        self._audit(actor, "lead.restored", lead_id, [])
        self.session.flush()

    # Reading

    def _get(self, lead_id: int) -> Lead:
        lead = self.session.scalar(select(Lead).where(Lead.id == lead_id, *is_visible()))
        if lead is None:
            raise unknown_lead()
        return lead

    def _facts(self, lead: Lead) -> Sequence[Event]:
        return self.session.scalars(
            select(Event).where(LeadFamily(self.session).facts(lead.id)).order_by(Event.id)
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
            .where(or_(*same), Lead.id != lead.id, *is_visible())
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


def _sales_values(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in SALES_FIELDS if name in data}


def _without_pipeline(data: Mapping[str, Any]) -> dict[str, Any]:
    """What of an edit stands in its own fact; stage, owner and snooze have facts of theirs."""
    return {name: value for name, value in data.items() if name not in COLUMNS}


def _fact_view(fact: Event) -> dict[str, Any]:
    view = {
        "kind": fact.kind,
        "occurred_at": iso(fact.occurred_at),
        "measured": dict(fact.measured),
        "workflow_version": fact.workflow_version,
    }
    # What sales wrote is for sales to read; what a visitor typed stands among the answers.
    return {**view, **(fact.personal or {})} if fact.kind in _TOLD else view


def _engagement_level(counts: Mapping[str, int], facts: Sequence[Event]) -> str:
    """How lively a lead is: by its signals and by what it did in the conversation."""
    answered = sum(1 for fact in facts if fact.kind == FactKind.ANSWER_RECORDED)
    clicked = sum(1 for fact in facts if fact.kind == FactKind.BEHAVIOR_REPORTED)
    signals = sum(count for name, count in counts.items() if name != CRM_ACTIVITIES)
    liveliness = answered + clicked + signals
    if liveliness >= 8:
        return "high"
    return "medium" if liveliness >= 3 else "low"

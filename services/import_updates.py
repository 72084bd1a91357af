"""ImportUpdates: what the rows of an import say of leads that were known before."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import IMPORT_ACTOR, FactKind
from lib.clock import iso
from models import Event, Import, ImportRejection, ImportUpdate, Lead, PendingFact
from services.import_rows import WHOLE_ROW, Row
from services.lead_scores import LeadScores
from services.lead_visibility import is_visible
from services.pipeline_service import PipelineService
from services.resources import Resources
from services.session_store import SessionStore

AT_ONCE = 50
GONE = "The lead of this e-mail was deleted while the file was imported."


class ImportUpdates:
    """Kept while the file is read, written once it is published; each exactly once."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def keep(self, kept: Import, rows: Sequence[tuple[Row, int]]) -> None:
        """Remember what rows say of known leads, for when the import is published."""
        values = [
            {
                "import_id": kept.id,
                "row": row.number,
                "lead_id": lead_id,
                "email_key": row.email_key,
                "change": _plain(row),
            }
            for row, lead_id in rows
        ]
        if values:
            self.session.execute(insert(ImportUpdate), values)

    def apply(self, kept: Import, until: float) -> bool:
        """Write the next ones, up to a moment of the monotonic clock; whether that were all."""
        waiting = self.session.scalars(
            select(ImportUpdate)
            .where(ImportUpdate.import_id == kept.id)
            .order_by(ImportUpdate.row)
            .limit(AT_ONCE)
        ).all()
        written: list[int] = []
        for one in waiting:
            if self._apply(kept, one):
                written.append(one.lead_id)
            self.session.execute(
                delete(ImportUpdate).where(
                    ImportUpdate.import_id == kept.id, ImportUpdate.row == one.row
                )
            )
            if time.monotonic() > until:
                break
        self._settle(written, IMPORT_ACTOR + kept.id)
        more = select(ImportUpdate.row).where(ImportUpdate.import_id == kept.id).limit(1)
        return self.session.scalar(more) is None

    def _apply(self, kept: Import, told: ImportUpdate) -> bool:
        """Whether the lead without a conversation changed, whose scores are then ours to renew."""
        lead = self.session.scalar(select(Lead).where(Lead.id == told.lead_id, *is_visible()))
        if lead is None or lead.email_key != told.email_key:
            self._refuse(kept, told.row)
            return False
        actor = IMPORT_ACTOR + kept.id
        change = told.change
        if new := _news(lead, change):
            self._write(lead, new, change, actor)
        outcome = change["outcome"]
        if outcome is not None:
            at = datetime.fromisoformat(change["at"]) if change["at"] else None
            PipelineService(self.session, self.resources).record_outcome(
                lead.id, outcome, value=lead.outcome_value, occurred_at=at, actor=actor
            )
        pipeline = PipelineService(self.session, self.resources)
        pipeline.change(lead.id, change["pipeline"], actor=actor)
        return lead.session_id is None

    def _write(
        self, lead: Lead, new: Mapping[str, Any], change: Mapping[str, Any], actor: str
    ) -> None:
        """The change as a fact: of the conversation where there is one, so that points follow."""
        now = self.resources.clock.now()
        measured = {
            "fields": sorted(set(new) & set(change["columns"])),
            "contact": change["contact"],
            "by": "staff",
            "actor": actor,
        }
        personal = {"profile": change["said"]}
        if lead.session_id is not None:
            store = SessionStore(self.session, self.resources)
            held = store.lock(lead.session_id)
            held.record(FactKind.PROFILE_UPDATED, now, measured, personal)
            store.save(held, lead=new)
            store.flush()
            return
        fact = outbox.NewFact(FactKind.LEAD_EDITED, now, measured, personal, lead_id=lead.id)
        outbox.record(self.session, fact)
        self.session.execute(update(Lead).where(Lead.id == lead.id).values(updated_at=now, **new))

    def _settle(self, lead_ids: Sequence[int], actor: str) -> None:
        """Scores at once, and a word to nobody: a visitor's facts must not wait behind ours."""
        if not lead_ids:
            return
        self.session.flush()
        self.session.expire_all()
        LeadScores(self.session, self.resources).renew_many(lead_ids)
        rows = self.session.execute(
            select(Event.id, Event.measured)
            .join(PendingFact, PendingFact.event_id == Event.id)
            .where(Event.lead_id.in_(lead_ids), Event.session_id.is_(None))
        )
        ours = [number for number, measured in rows if measured.get("actor") == actor]
        outbox.all_heard(self.session, ours)

    def _refuse(self, kept: Import, row: int) -> None:
        kept.updated, kept.rejected = kept.updated - 1, kept.rejected + 1
        refused = {"import_id": kept.id, "row": row, "field": WHOLE_ROW, "sentence": GONE}
        self.session.execute(insert(ImportRejection), [refused])


def _plain(row: Row) -> dict[str, Any]:
    """A row as JSON keeps it until it is written."""
    sales = dict(row.sales)
    pipeline = {name: sales.pop(name) for name in ("assigned_to", "stage") if name in sales}
    return {
        "columns": {**row.profile.columns, **sales},
        "attributes": dict(row.attributes),
        "pipeline": pipeline,
        "contact": row.profile.contact,
        "outcome": row.outcome,
        "at": iso(row.occurred_at, "microseconds") if row.occurred_at else None,
        "said": dict(row.said),
    }


def _news(lead: Lead, change: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that really change; an attribute that the file has not stays as it is."""
    new = {name: value for name, value in change["columns"].items() if getattr(lead, name) != value}
    merged = {**lead.attributes, **change["attributes"]}
    if merged != lead.attributes:
        new["attributes"] = merged
    return new

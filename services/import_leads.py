"""What a row of an import becomes: the columns of a new lead, and the facts of its past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from engine.vocabulary import IMPORT_ACTOR, FactKind, StageKind
from lib.clock import iso
from models import Import
from outbox import NewFact
from services.import_rows import Around, Row

CAME_FROM = ("source", "utm_source", "campaign")


def lead_of(kept: Import, row: Row, around: Around) -> dict[str, Any]:
    """The columns of a new lead, all of them, so that many are written at once."""
    columns, sales = row.profile.columns, row.sales
    created_at = row.created_at or row.occurred_at or around.now
    ended_at = max(row.occurred_at or around.now, created_at) if row.outcome else None
    lead: dict[str, Any] = {
        name: columns.get(name)
        for name in (
            *("name", "email", "email_key", "phone", "phone_e164", "company"),
            *("business_type", "location", "staff_size", "monthly_sales"),
        )
    }
    return {
        **lead,
        "features_interested": columns.get("features_interested") or [],
        "attributes": dict(row.attributes),
        "lead_score": 0,
        "lead_classification": "Unqualified",
        "source": sales.get("source") or sales.get("utm_source") or "import",
        "utm_source": sales.get("utm_source"),
        "campaign": sales.get("campaign"),
        "assigned_to": sales.get("assigned_to"),
        "stage": _stage(row, around),
        "staged_at": ended_at,
        "outcome": row.outcome,
        "outcome_at": ended_at,
        "created_at": created_at,
        "updated_at": around.now,
        "last_activity_at": ended_at or created_at,
        "import_id": kept.id,
    }


def _stage(row: Row, around: Around) -> str | None:
    """The stage that the row names, unless its outcome says otherwise."""
    named = row.sales.get("stage")
    if row.outcome is None:
        return named
    stage = around.pipeline.find(named) if named else None
    if stage is not None and stage.kind == row.outcome:
        return stage.name
    return around.pipeline.first_of(StageKind(row.outcome)).name


def facts_of(
    kept: Import, row: Row, lead: Mapping[str, Any], lead_id: int, now: datetime
) -> Iterator[NewFact]:
    """That the lead came in, and how its sale ended if the file says it; at their own moments."""
    about = {"import": kept.id, "row": row.number, "actor": IMPORT_ACTOR + kept.id}
    created = {"fields": row.profile.fields, "source_kind": "import", **about}
    # Where a lead came from is known with it, as of who comes by the chat.
    came = {name: row.sales[name] for name in CAME_FROM if name in row.sales}
    said = {**came, **row.said}
    yield NewFact(
        FactKind.LEAD_CREATED,
        lead["created_at"],
        {**created, "contact": row.profile.contact},
        {"profile": said} if said else None,
        lead_id=lead_id,
        recorded_at=now,
    )
    if row.outcome is not None:
        ended = {"outcome": row.outcome, "value": None, "from": None, **about}
        yield NewFact(
            FactKind.OUTCOME_RECORDED,
            lead["outcome_at"],
            {**ended, "occurred_at": iso(lead["outcome_at"])},
            lead_id=lead_id,
            recorded_at=now,
        )

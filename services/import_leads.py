"""What a row of an import becomes: the columns of a new lead, and the facts of its past."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from database import Written, dumps
from engine.vocabulary import IMPORT_ACTOR, FactKind, StageKind
from lib.clock import iso
from models import Import
from services.import_rows import Around, Row

CREATED, ENDED = str(FactKind.LEAD_CREATED), str(FactKind.OUTCOME_RECORDED)
NO_LIST = Written("[]")
CAME_FROM = ("source", "utm_source", "campaign")


@dataclass(slots=True)
class NewLead:
    """A row as it is written if no lead of its e-mail is known: all but the numbers of the rows."""

    columns: dict[str, Any]
    facts: list[tuple[str, Written, Written | None, datetime]]
    seen: tuple[str | None, Mapping[str, Any]]


def _columns(kept: Import, row: Row, attributes: Written, around: Around) -> dict[str, Any]:
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
        "features_interested": columns.get("features_interested") or NO_LIST,
        "attributes": attributes,
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


class NewLeads:
    """Makes new leads of rows; what most of their facts say alike is written as JSON once."""

    def __init__(self, kept: Import, around: Around) -> None:
        self.kept = kept
        self.around = around
        self.about = {"import": kept.id, "actor": IMPORT_ACTOR + kept.id}
        self._alike: dict[Hashable, str] = {}

    def of(self, row: Row) -> NewLead:
        """A lead with its facts: that it came in, and how its sale ended if the file says it."""
        attributes = Written(dumps(row.attributes))
        columns = _columns(self.kept, row, attributes, self.around)
        said = self._said(row, attributes)
        facts = [(CREATED, self._created(row), said, columns["created_at"])]
        if row.outcome is not None:
            ended_at = columns["outcome_at"]
            facts.append((ENDED, self._ended(row, ended_at), None, ended_at))
        return NewLead(columns, facts, (columns["staff_size"], row.attributes))

    def _created(self, row: Row) -> Written:
        fields, contact = row.profile.fields, row.profile.contact
        key = (*fields, contact)
        if key not in self._alike:
            created = {"fields": fields, "source_kind": "import", "contact": contact}
            self._alike[key] = dumps({**created, **self.about})
        return _of_row(self._alike[key], row.number)

    def _ended(self, row: Row, at: datetime) -> Written:
        key = row.outcome, at
        if key not in self._alike:
            ended = {"outcome": row.outcome, "value": None, "from": None, "occurred_at": iso(at)}
            self._alike[key] = dumps({**ended, **self.about})
        return _of_row(self._alike[key], row.number)

    @staticmethod
    def _said(row: Row, attributes: Written) -> Written | None:
        """The profile as it was sent; where a lead came from is known with it, as of the chat."""
        said = {name: row.sales[name] for name in CAME_FROM if name in row.sales}
        said.update(row.known)
        if not row.attributes:
            return Written(f'{{"profile":{dumps(said)}}}') if said else None
        inner = f"{dumps(said)[1:-1]}," if said else ""
        return Written(f'{{"profile":{{{inner}"attributes":{attributes}}}}}')


def _of_row(measured: str, number: int) -> Written:
    return Written(f'{measured[:-1]},"row":{number}}}')

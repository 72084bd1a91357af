"""LeadExport: every lead of a view as CSV, JSON lines or vCards, streamed in its order."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from database import session_scope
from engine.vocabulary import PROFILE_FIELDS
from lib.clock import iso
from lib.csv_stream import csv_chunks
from models import Lead
from services.account_service import AccountService
from services.export_service import card_text
from services.lead_scores import LeadScores
from services.lead_table import LeadTable
from services.lead_view import LeadView
from services.lead_visibility import is_visible, see_only
from services.resources import Resources

AT_ONCE = 500
COLUMNS = (
    "id",
    *PROFILE_FIELDS,
    *("score", "score_category", "lead_score", "classification", "probability", "stage"),
    *("assigned_to", "campaign", "source", "utm_source", "outcome", "outcome_value"),
    *("created_at", "last_activity", "attributes"),
)


class Format(StrEnum):
    """What leads are written as."""

    # Cells that no spreadsheet takes for a formula; for people.
    SPREADSHEET = "csv"
    # Cells exactly as they are; for programs.
    EXACT = "csv_exact"
    LINES = "jsonl"
    CARDS = "vcard"


class LeadExport:
    """Finds and audits what goes out; it is read piece by piece after that, in units of its own."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def begin(
        self, view: LeadView, format_: Format, *, actor: str, ids: Sequence[int] | None = None
    ) -> array[int]:
        """The numbers of the leads that go out, in the view's order; the audit knows how many."""
        table = LeadTable(self.session, self.resources, reader=actor)
        chosen = table.ids(view) if ids is None else array("q", table.among(ids))
        detail = {"format": str(format_), "leads": len(chosen), "filters": sorted(view.filters)}
        AccountService(self.session, self.resources).audit(actor, "leads.exported", "leads", detail)
        return chosen


def stream(
    resources: Resources, ids: array[int], format_: Format, *, only_for: str | None
) -> Iterator[bytes]:
    """The leads of these numbers as text, a few hundred at a time; who is gone by now is left out.

    No transaction stays open while a slow reader takes a piece.
    """
    rows = _rows(resources, ids, only_for)
    if format_ in (Format.SPREADSHEET, Format.EXACT):
        spreadsheet = format_ == Format.SPREADSHEET
        told = (
            {**row, "features_interested": ", ".join(row["features_interested"])} for row, _ in rows
        )
        pieces = csv_chunks(told, COLUMNS, spreadsheet=spreadsheet, bom=spreadsheet)
    elif format_ == Format.LINES:
        pieces = (json.dumps(row, ensure_ascii=False) + "\n" for row, _ in rows)
    else:
        pieces = (card for _, card in rows)
    for piece in pieces:
        yield piece.encode()


def _rows(
    resources: Resources, ids: array[int], only_for: str | None
) -> Iterator[tuple[dict[str, Any], str]]:
    for start in range(0, len(ids), AT_ONCE):
        yield from _some(resources.engine, resources, ids[start : start + AT_ONCE], only_for)


def _some(
    engine: Engine, resources: Resources, ids: Sequence[int], only_for: str | None
) -> list[tuple[dict[str, Any], str]]:
    with session_scope(engine, read_only=True) as session:
        if only_for is not None:
            see_only(session, only_for)
        queue = LeadScores(session, resources).queue()
        found = session.execute(
            select(Lead, queue.column()).where(Lead.id.in_(ids), *is_visible())
        ).all()
        leads = {lead.id: (lead, score) for lead, score in found}
        said = []
        for one in ids:
            if one in leads:
                lead, score = leads[one]
                said.append((_record(lead, score, str(queue.tier(score))), _card(lead)))
        return said


def _record(lead: Lead, score: float, tier: str) -> dict[str, Any]:
    return {
        "id": str(lead.id),
        **{name: getattr(lead, name) for name in PROFILE_FIELDS},
        "features_interested": list(lead.features_interested or []),
        "score": score,
        "score_category": tier,
        "lead_score": lead.lead_score,
        "classification": lead.lead_classification,
        "probability": lead.probability,
        "stage": lead.stage,
        "assigned_to": lead.assigned_to,
        "campaign": lead.campaign,
        "source": lead.source,
        "utm_source": lead.utm_source,
        "outcome": lead.outcome,
        "outcome_value": lead.outcome_value,
        "created_at": iso(lead.created_at),
        "last_activity": iso(lead.last_activity_at),
        "attributes": dict(lead.attributes or {}),
    }


def _card(lead: Lead) -> str:
    return card_text(lead, lead.lead_classification, lead.lead_score)

"""ExportService: leads out as CSV, JSON lines, CRM shape, vCard; streamed."""

from __future__ import annotations

import json
from typing import Any

import vobject
from sqlalchemy.orm import Session

from lib.clock import iso
from lib.csv_stream import csv_chunks
from lib.text import strip_controls
from models import Lead
from services.lead_service import LeadService
from services.resources import Resources
from services.session_store import Held

# The keys of the CRM record, in the order that clients rely on.
CRM_KEYS = (
    *("name", "location", "business_type", "staff_size", "monthly_sales", "features_interested"),
    *("contact_info", "email", "phone", "lead_score", "lead_type", "utm_source"),
    *("session_start_time", "assigned_to"),
)


class ExportService:
    """One lead in the shape another program reads."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def crm_record(self, session_id: str) -> dict[str, Any]:
        """A session's lead as a CRM takes it; the keys and their order are the contract's."""
        held, lead = LeadService(self.session, self.resources).find_session_lead(session_id)
        return crm_record(held, lead)

    def as_csv(self, session_id: str) -> str:
        """The record as a table of one row, safe to open in a spreadsheet."""
        record = self.crm_record(session_id)
        record["features_interested"] = ", ".join(record["features_interested"])
        record["attributes"] = json.dumps(record["attributes"], ensure_ascii=False)
        return "".join(csv_chunks([record], list(record)))

    def as_vcard(self, session_id: str) -> str:
        """The person as a vCard 3.0, for an address book."""
        held, lead = LeadService(self.session, self.resources).find_session_lead(session_id)
        return vcard(held, lead)


def crm_record(held: Held, lead: Lead) -> dict[str, Any]:
    """The CRM record of a session and its lead; what is not known is None."""
    return {
        "name": lead.name,
        "location": lead.location,
        "business_type": lead.business_type,
        "staff_size": lead.staff_size,
        "monthly_sales": lead.monthly_sales,
        "features_interested": list(lead.features_interested or []),
        "contact_info": lead.phone or lead.email,
        "email": lead.email,
        "phone": lead.phone,
        "lead_score": held.score,
        "lead_type": held.classification,
        "utm_source": lead.utm_source,
        "session_start_time": iso(held.started_at, "seconds"),
        "assigned_to": lead.assigned_to or held.workflow.default_assignee,
        "classification": held.classification,
        "lead_classification": held.classification,
        "company": lead.company,
        "attributes": dict(lead.attributes),
        "probability": lead.probability,
        "explanation": None,
    }


def vcard(held: Held, lead: Lead) -> str:
    """A vCard of a session's lead."""
    return card_text(lead, held.classification, held.score)


def card_text(lead: Lead, classification: str, points: int) -> str:
    """A vCard of a lead; control characters in what a visitor typed cannot add lines to it."""
    card = vobject.vCard()
    name = _line(lead.name or lead.email or lead.phone or "Unknown")
    card.add("fn").value = name
    card.add("n").value = vobject.vcard.Name(given=name)
    for kind, value in (("email", lead.email), ("tel", lead.phone_e164 or lead.phone)):
        if value:
            card.add(kind).value = _line(value)
    if lead.company:
        card.add("org").value = [_line(lead.company)]
    if lead.location:
        card.add("adr").value = vobject.vcard.Address(city=_line(lead.location))
    card.add("note").value = f"Leadline: {classification}, {points} points"
    return str(card.serialize())


def _line(text: str) -> str:
    return strip_controls(text).strip()

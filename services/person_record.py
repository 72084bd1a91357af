"""PersonRecord: everything that is kept about a person, for who answers a request for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, inspect, or_, select
from sqlalchemy.orm import Session

from database import Base
from engine.vocabulary import FactKind
from errors import unknown_lead
from lib.clock import iso
from models import (
    Activity,
    Answer,
    Assignment,
    Consent,
    Conversation,
    Delivery,
    Event,
    FollowUp,
    Lead,
    LeadPrediction,
    LeadScore,
    ScorePoint,
    UserBehavior,
)
from services.resources import Resources

MOST_FOUND = 50
# Keys by which a browser is known are no word about a person; and what opens a door stays here.
_LEFT_OUT = frozenset({"journey", "lease", "idempotency_key"})


class PersonRecord:
    """Finds a person and reads all of their rows; deleted leads too, for they are kept as well."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def search(self, text: str) -> list[dict[str, Any]]:
        """Leads whose name, e-mail, phone, id or session is this, or holds it."""
        wanted = text.strip()
        if not wanted:
            return []
        texts = (Lead.name, Lead.email, Lead.phone, Lead.phone_e164, Lead.company)
        found = [column.icontains(wanted, autoescape=True) for column in texts]
        sessions = select(Conversation.lead_id).where(
            or_(Conversation.id == wanted, Conversation.public_ref == wanted)
        )
        found.append(Lead.id.in_(sessions))
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 16:
            found.append(Lead.id == int(wanted))
        rows = self.session.scalars(
            select(Lead).where(or_(*found)).order_by(Lead.created_at.desc()).limit(MOST_FOUND)
        )
        return [self._line(lead) for lead in rows]

    def get(self, lead_id: int) -> dict[str, Any]:
        """A person in short: who it is, and how much is kept of which kind."""
        lead = self._lead(lead_id)
        parts = {name: len(rows) for name, rows in self._parts(lead).items()}
        consents = self._rows(Consent, Consent.session_id.in_(self._sessions(lead_id)))
        return {
            **self._line(lead),
            "parts": parts,
            "consents": consents,
            "is_erased": lead.source == "erased",
            "sessions": [
                {"id": one.id, "public_ref": one.public_ref, "started_at": iso(one.started_at)}
                for one in self._talks(lead_id)
            ],
        }

    def whole(self, lead_id: int) -> dict[str, Any]:
        """Everything that is kept, part by part, as JSON can say it."""
        lead = self._lead(lead_id)
        return {
            "lead": _plain(lead),
            **self._parts(lead),
            "exported_at": iso(self.resources.clock.now()),
        }

    def rows(self, lead_id: int) -> Iterator[dict[str, str]]:
        """The same as rows of a table: part, number of the row in it, field, value."""
        for part, rows in self.whole(lead_id).items():
            if part == "exported_at":
                continue
            for number, row in enumerate([rows] if isinstance(rows, dict) else rows, start=1):
                for field, value in row.items():
                    if value not in (None, "", [], {}):
                        line = {"part": part, "row": str(number), "field": field}
                        yield {**line, "value": str(value)}

    def requests(self) -> list[dict[str, Any]]:
        """People who asked to be forgotten and are not yet."""
        asked = (
            select(Event.lead_id, func.min(Event.recorded_at))
            .where(Event.kind == FactKind.ERASURE_REQUESTED)
            .group_by(Event.lead_id)
            .order_by(func.min(Event.recorded_at))
        )
        rows = self.session.execute(asked.limit(MOST_FOUND * 4)).all()
        leads = {
            lead.id: lead
            for lead in self.session.scalars(
                select(Lead).where(
                    Lead.id.in_([lead_id for lead_id, _ in rows]), Lead.source != "erased"
                )
            )
        }
        return [
            {**self._line(leads[lead_id]), "asked_at": iso(at)}
            for lead_id, at in rows
            if lead_id in leads
        ]

    # Within

    def _lead(self, lead_id: int) -> Lead:
        lead = self.session.get(Lead, lead_id)
        if lead is None:
            raise unknown_lead()
        return lead

    def _line(self, lead: Lead) -> dict[str, Any]:
        return {
            "id": lead.id,
            "name": lead.name,
            "email": lead.email,
            "phone": lead.phone,
            "company": lead.company,
            "source": lead.source,
            "created_at": iso(lead.created_at),
            "is_deleted": lead.deleted_at is not None,
        }

    def _sessions(self, lead_id: int) -> Any:
        return select(Conversation.id).where(Conversation.lead_id == lead_id).scalar_subquery()

    def _talks(self, lead_id: int) -> Sequence[Conversation]:
        mine = select(Conversation).where(Conversation.lead_id == lead_id)
        return self.session.scalars(mine.order_by(Conversation.started_at)).all()

    def _parts(self, lead: Lead) -> dict[str, list[dict[str, Any]]]:
        sessions = [one.id for one in self._talks(lead.id)]
        visitors = [one.visitor_id for one in self._talks(lead.id) if one.visitor_id]
        of_lead = or_(Event.lead_id == lead.id, Event.session_id.in_(sessions))
        return {
            "sessions": self._rows(Conversation, Conversation.lead_id == lead.id),
            "answers": self._rows(Answer, Answer.session_id.in_(sessions)),
            "points": self._rows(UserBehavior, UserBehavior.session_id.in_(sessions)),
            "facts": self._rows(Event, of_lead),
            "consents": self._rows(Consent, Consent.session_id.in_(sessions)),
            "activities": self._rows(Activity, Activity.lead_id == lead.id),
            "follow_ups": self._rows(FollowUp, FollowUp.lead_id == lead.id),
            "scores": self._rows(LeadScore, LeadScore.lead_id == lead.id),
            "score_history": self._rows(ScorePoint, ScorePoint.lead_id == lead.id),
            "predictions": self._rows(LeadPrediction, LeadPrediction.lead_id == lead.id),
            "messages": self._rows(Delivery, Delivery.lead_id == lead.id),
            "experiments": self._rows(Assignment, Assignment.unit.in_([*sessions, *visitors])),
        }

    def _rows(self, table: type[Base], condition: Any) -> list[dict[str, Any]]:
        order = inspect(table).primary_key
        rows = self.session.scalars(select(table).where(condition).order_by(*order))
        return [_plain(row) for row in rows]


def _plain(row: Base) -> dict[str, Any]:
    """A row by its columns; moments in ISO 8601."""
    values = {name: getattr(row, name) for name in row.__table__.columns.keys()}
    return {
        name: iso(value) if isinstance(value, datetime) else value
        for name, value in values.items()
        if name not in _LEFT_OUT
    }

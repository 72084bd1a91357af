"""PrivacyService: consent and erasure; what is kept of whom is PersonRecord."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import delete, null, select, update
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import PROFILE_FIELDS, UTM_FIELDS, Action, FactKind
from errors import unknown_lead, unknown_session
from lib.crypto import sha256_hex
from models import (
    Activity,
    Answer,
    Assignment,
    Consent,
    Conversation,
    Conversion,
    Event,
    Exposure,
    FollowUp,
    Lead,
    LeadMerge,
    LeadPrediction,
    StoredReply,
    UnitAlias,
)
from services.account_service import AccountService
from services.diary_service import SHORT_FIELDS, WORD
from services.lead_family import LeadFamily
from services.lead_service import LeadService
from services.profile import profile_values
from services.question_service import QuestionService
from services.resources import Resources
from services.scoring_service import ScoringService
from services.session_store import Held
from services.suppressions import Suppressions


class PrivacyService:
    """Removes a person and no count."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def erase_lead(self, lead_id: int, *, actor: str) -> dict[str, Any]:
        """What was typed goes from every table, what was measured stays: a replay is unchanged."""
        lead = self.session.get(Lead, lead_id)
        if lead is None:
            raise unknown_lead()
        sessions = list(
            self.session.scalars(select(Conversation.id).where(Conversation.lead_id == lead_id))
        )
        for part in LeadFamily(self.session).members(lead_id):
            self._forget_part(part, sessions)
        now = self.resources.clock.now()
        fact = outbox.NewFact(FactKind.LEAD_ERASED, now, lead_id=lead_id)
        outbox.record(self.session, fact)
        outbox.cancel(self.session, lead_id, "The lead was erased.", now)
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, "lead.erased", f"lead {lead_id}", {"sessions": len(sessions)})
        self.session.flush()
        return {"id": str(lead_id), "erased": True}

    def _forget_part(self, lead_id: int, sessions: list[str]) -> None:
        """The lead, or one that was merged into it, and how they could be parted again."""
        lead = self.session.get(Lead, lead_id)
        if lead is not None:
            Suppressions(self.session, self.resources).add(lead.email_key, lead.phone_e164)
        self._blank_facts(lead_id, sessions)
        self._blank_rows(lead_id, sessions)
        mine = (LeadMerge.kept_id == lead_id) | (LeadMerge.merged_id == lead_id)
        self.session.execute(update(LeadMerge).where(mine).values(undo={}))

    def told(self, public_ref: str) -> dict[str, Any]:
        """What a visitor's own page shows: what they told us in one conversation.

        NotFound once it is erased or deleted.
        """
        held, lead = self._own(public_ref)
        questions = QuestionService(self.session, self.resources)
        return {
            "locale": held.locale,
            "name": held.workflow.name,
            "answers": [
                (one.question_text, None if one.skipped else one.answer_text)
                for one in questions.find_answers(held.id)
            ],
            "profile": {name: one for name, one in profile_values(lead).items() if one},
            "has_consented": self._last_word(held.id),
            "has_asked": self._has_asked(lead.id),
        }

    def withdraw(self, public_ref: str) -> None:
        """A visitor takes their consent back."""
        held, _ = self._own(public_ref)
        scoring = ScoringService(self.session, self.resources)
        scoring.record_behavior(held.id, str(Action.CONSENT_WITHDRAWN))

    def ask_for_erasure(self, public_ref: str) -> None:
        """A visitor asks to be forgotten; people see to it, for a link may fall into wrong hands.

        Asked again, it is the same wish.
        """
        _, lead = self._own(public_ref)
        if self._has_asked(lead.id):
            return
        now = self.resources.clock.now()
        fact = outbox.NewFact(FactKind.ERASURE_REQUESTED, now, lead_id=lead.id)
        outbox.record(self.session, fact)

    def _own(self, public_ref: str) -> tuple[Held, Lead]:
        session_id = self.session.scalar(
            select(Conversation.id).where(Conversation.public_ref == public_ref)
        )
        if session_id is None:
            raise unknown_session()
        held, lead = LeadService(self.session, self.resources).find_session_lead(session_id)
        # What was measured stays for the counts; the link of who was forgotten opens nothing.
        if lead.source == "erased":
            raise unknown_session()
        return held, lead

    def _has_asked(self, lead_id: int) -> bool:
        asked = (Event.lead_id == lead_id, Event.kind == FactKind.ERASURE_REQUESTED)
        return self.session.scalar(select(Event.id).where(*asked).limit(1)) is not None

    def _last_word(self, session_id: str) -> bool | None:
        """Whether the visitor agreed, by their last word; None if they said nothing."""
        return self.session.scalar(
            select(Consent.given)
            .where(Consent.session_id == session_id)
            .order_by(Consent.id.desc())
            .limit(1)
        )

    def has_consented(self, session_id: str) -> bool:
        """Whether the visitor's last word on being contacted was yes."""
        last = self.session.scalar(
            select(Consent.given)
            .where(Consent.session_id == session_id, Consent.purpose == "contact")
            .order_by(Consent.id.desc())
            .limit(1)
        )
        return bool(last)

    def _blank_facts(self, lead_id: int, sessions: list[str]) -> None:
        of_person = (Event.lead_id == lead_id) | Event.session_id.in_(sessions)
        statement = update(Event).where(of_person, Event.personal.is_not(None))
        self.session.execute(statement.values(personal=null()))

    def _blank_rows(self, lead_id: int, sessions: list[str]) -> None:
        """The derived rows."""
        blank: dict[str, Any] = dict.fromkeys(PROFILE_FIELDS)
        blank |= {"features_interested": [], "attributes": {}, "email_key": None}
        blank |= {"phone_e164": None, "utm_source": None, "source": "erased"}
        self.session.execute(update(Lead).where(Lead.id == lead_id).values(blank))
        self.forget_visitor(sessions)
        visit = dict.fromkeys((*UTM_FIELDS, "referrer", "landing_page", "visitor_id"))
        self.session.execute(
            update(Conversation).where(Conversation.id.in_(sessions)).values(visit)
        )
        typed = Answer.session_id.in_(sessions) & Answer.typed.is_(True)
        self.session.execute(update(Answer).where(typed).values(answer_text=None))
        self._forget_diary(lead_id)
        self._forget_replies(lead_id, sessions)
        # Reasons name what the person said.
        self.session.execute(delete(LeadPrediction).where(LeadPrediction.lead_id == lead_id))

    def _forget_diary(self, lead_id: int) -> None:
        """What sales wrote; kinds, moments and words of a list stay. Nobody is to follow up."""
        for row in self.session.scalars(select(Activity).where(Activity.lead_id == lead_id)):
            row.note = None
            for name in SHORT_FIELDS:
                if not WORD.fullmatch(getattr(row, name) or ""):
                    setattr(row, name, None)
        planned = update(FollowUp).where(FollowUp.lead_id == lead_id)
        self.session.execute(planned.values(note=None))
        waiting = planned.where(FollowUp.done_at.is_(None))
        self.session.execute(waiting.values(done_at=self.resources.clock.now()))

    def forget_visitor(self, sessions: list[str]) -> None:
        """The browser's id out of the experiments; the session's own id keeps arm and count."""
        mine = Conversation.id.in_(sessions)
        rows = self.session.execute(
            select(Conversation.id, Conversation.visitor_id).where(
                mine, Conversation.visitor_id.is_not(None)
            )
        ).all()
        for session_id, visitor_id in rows:
            elsewhere = Conversation.visitor_id == visitor_id
            if self.session.scalar(select(Conversation.id).where(elsewhere, ~mine).limit(1)):
                continue  # The same browser began another conversation, whose arm must stay.
            for table in (Assignment, Exposure, Conversion):
                known = select(table.experiment).where(table.unit == session_id)
                row = update(table).where(table.unit == visitor_id, table.experiment.not_in(known))
                self.session.execute(row.values(unit=session_id))
            self._forget_alias(str(visitor_id), session_id)

    def _forget_alias(self, visitor_id: str, session_id: str) -> None:
        """Nothing tells any more whose browser this was; the person's others keep their arm."""
        self.session.execute(delete(UnitAlias).where(UnitAlias.unit == visitor_id))
        others = update(UnitAlias).where(UnitAlias.canonical == visitor_id)
        self.session.execute(others.values(canonical=session_id))

    def _forget_replies(self, lead_id: int, sessions: list[str]) -> None:
        """Stored replies hold the person's words too: the sessions' own, and those to programs."""
        # A long id of a caller's own stands in a scope as its hash.
        scopes = [f"session:{one}" for name in sessions for one in (name, sha256_hex(name))]
        self.session.execute(delete(StoredReply).where(StoredReply.scope.in_(scopes)))
        to_programs = select(StoredReply).where(StoredReply.scope.startswith("key:"))
        for stored in self.session.scalars(to_programs):
            said = json.loads(stored.body)
            # What belongs to a lead names it so; a lead itself has it as its id.
            if isinstance(said, dict) and said.get("lead_id", said.get("id")) == str(lead_id):
                self.session.delete(stored)

"""RetentionService: what is kept for how long, and the guard before anything is taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, null, or_, select, tuple_, update
from sqlalchemy.orm import Session

from engine.vocabulary import DeliveryStatus
from lib.clock import iso
from models import Answer, AuditEntry, Conversation, Delivery, DeliveryAttempt, Event, Lead
from models import StoredReply
from services.account_service import AccountService
from services.job_service import JobService, Progress
from services.login_guard import LoginGuard
from services.one_time_links import OneTimeLinks
from services.privacy_service import PrivacyService
from services.request_service import KEPT_FOR as REPLIES_KEPT_FOR
from services.resources import Resources
from services.sign_in_service import SignInService

# Sessions that one unit of work looks at, and rows that one takes away.
LOOKED_AT, BLANKED, TAKEN = 500, 25, 500
# More than this share of all sessions at once is no ordinary day.
MOST_AT_ONCE = 0.2
# A clock may be this much before the one that wrote the newest fact.
TOLERANCE = timedelta(hours=1)
# After a longer break the clock may have jumped; if it says the same a day later, it was a break.
LONGEST_BREAK, BELIEVED_AFTER = timedelta(days=7), timedelta(hours=20)
ATTEMPTS_KEPT_FOR = timedelta(days=90)
RAN, STOPPED = "retention.ran", "retention.stopped"
JUMP = "jump"
WORDS = ("business_type", "location", "staff_size", "monthly_sales")


@dataclass(frozen=True)
class Problem:
    """Why nothing was taken away, for the program and for the operator."""

    code: str
    sentence: str


class RetentionService:
    """Takes what was typed out of old talks that led to no contact; counts and points stay."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def go_on(
        self,
        place: Mapping[str, Any],
        *,
        actor: str,
        force: bool = False,
        dry_run: bool = False,
    ) -> Progress:
        """One unit of work: first count, page by page; then the guard; then blank, page by page.

        `place` is that of the last unit's progress, {} in the beginning. A `dry_run` ends after
        the count and writes nothing; `force` passes the guard.
        """
        before = self._before(place)
        if place.get("phase") == "blank":
            return self._blank_page(place, before, actor)
        ids, last = self._page(before, str(place.get("after", "")), LOOKED_AT)
        found = int(place.get("found", 0)) + len(ids)
        counted = {"phase": "count", "before": iso(before, "microseconds"), "found": found}
        if last is not None:
            return Progress(0, None, {**counted, "after": last})
        return self._guarded(found, before, counted, actor=actor, force=force, dry_run=dry_run)

    def tidy(self) -> int:
        """Take away some of what nobody can ask for any more; how many rows."""
        now = self.resources.clock.now()
        gone = self._old_replies(now) + self._old_attempts(now)
        for owner in (JobService, LoginGuard, SignInService, OneTimeLinks):
            gone += owner(self.session, self.resources).forget_old(TAKEN)
        return gone

    def last_run(self) -> dict[str, Any] | None:
        """When it last ran or was stopped, and what came of it; None before the first time."""
        last = self._last_check()
        if last is None:
            return None
        return {
            "at": iso(last.recorded_at),
            "sessions": last.detail.get("sessions"),
            "blanked": last.detail.get("blanked", 0),
            "stopped": last.detail.get("reason"),
        }

    # Which

    def _before(self, place: Mapping[str, Any]) -> datetime:
        """Talks that have been silent since are old; the same moment in every unit of a run."""
        if "before" in place:
            return datetime.fromisoformat(place["before"])
        days = self.resources.settings.ANALYTICS_RETENTION_DAYS
        return self.resources.clock.now() - timedelta(days=days)

    def _page(self, before: datetime, after: str, most: int) -> tuple[list[str], str | None]:
        """Those of the next sessions that are to be blanked, and the last one that was looked at.

        A page is so many sessions of any kind, so that none costs more than the others.
        """
        looked_at = self.session.scalars(
            select(Conversation.id)
            .where(Conversation.id > after)
            .order_by(Conversation.id)
            .limit(most)
        ).all()
        if not looked_at:
            return [], None
        old = self.session.scalars(
            select(Conversation.id)
            .join(Lead, Lead.id == Conversation.lead_id)
            .where(
                Conversation.id > after,
                Conversation.id <= looked_at[-1],
                Conversation.last_activity_at < before,
                *_without_contact(),
                _has_words(),
            )
            .order_by(Conversation.id)
        )
        return list(old), looked_at[-1]

    # The guard

    def _guarded(
        self,
        found: int,
        before: datetime,
        counted: Mapping[str, Any],
        *,
        actor: str,
        force: bool,
        dry_run: bool,
    ) -> Progress:
        of = self.session.scalar(select(func.count()).select_from(Conversation)) or 0
        problem = None if force else self._problem(found, of)
        told = {"before": iso(before), "found": found, "sessions": of}
        said = {**told, "blanked": 0, "stopped": problem and problem.sentence}
        if dry_run:
            return Progress(0, found, counted, said)
        if problem is not None:
            self._audit(actor, STOPPED, {**told, "why": problem.code, "reason": problem.sentence})
            return Progress(0, found, counted, said)
        place = {**counted, "phase": "blank", "after": "", "sessions": of, "blanked": 0}
        return Progress(0, found, place)

    def _problem(self, found: int, of: int) -> Problem | None:
        """Why this is no ordinary day, if so."""
        if found == 0:
            return None
        now = self.resources.clock.now()
        newest = self.session.scalar(select(Event.recorded_at).order_by(Event.id.desc()).limit(1))
        if newest is not None and newest > now + TOLERANCE:
            return Problem("future", f"The newest fact is of {iso(newest)}: is the clock right?")
        checked = self._last_check()
        if checked is not None and checked.recorded_at > now + TOLERANCE:
            return Problem("future", f"It ran at {iso(checked.recorded_at)}: is the clock right?")
        if checked is not None and _is_doubtful(checked, now):
            return Problem(
                JUMP,
                f"It has not run for more than {LONGEST_BREAK.days} days: is the clock right?"
                " If so, the run of tomorrow will do it.",
            )
        if found > MOST_AT_ONCE * of:
            return Problem(
                "share",
                f"{found} of {of} sessions at once are more than {MOST_AT_ONCE:.0%}."
                " If that is right, run: flask --app main retention --force",
            )
        return None

    def _last_check(self) -> AuditEntry | None:
        return self.session.scalar(
            select(AuditEntry)
            .where(AuditEntry.action.in_((RAN, STOPPED)))
            .order_by(AuditEntry.id.desc())
            .limit(1)
        )

    def _audit(self, actor: str, action: str, detail: dict[str, Any]) -> None:
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, action, "sessions", detail)

    # Blanking

    def _blank_page(self, place: Mapping[str, Any], before: datetime, actor: str) -> Progress:
        found, blanked = int(place["found"]), int(place["blanked"])
        ids, last = self._page(before, str(place["after"]), LOOKED_AT)
        if len(ids) > BLANKED:
            ids = ids[:BLANKED]
            last = ids[-1]
        # Locked as a visitor's answer locks it; who comes back at this moment is no longer old.
        ids = list(
            self.session.scalars(
                select(Conversation.id)
                .where(Conversation.id.in_(ids), Conversation.last_activity_at < before)
                .order_by(Conversation.id)
                .with_for_update()
            )
        )
        self.blank(ids)
        blanked += len(ids)
        if last is not None:
            return Progress(blanked, found, {**place, "after": last, "blanked": blanked})
        told = {"before": iso(before), "sessions": place["sessions"], "blanked": blanked}
        self._audit(actor, RAN, told)
        return Progress(blanked, found, place, told)

    def blank(self, sessions: Sequence[str]) -> None:
        """What was typed in these sessions, and what tells a browser again; nothing measured."""
        if not sessions:
            return
        theirs = Event.session_id.in_(sessions)
        self.session.execute(
            update(Event).where(theirs, Event.personal.is_not(None)).values(personal=null())
        )
        self._blank_leads(sessions)
        typed = and_(Answer.session_id.in_(sessions), Answer.typed.is_(True))
        self.session.execute(update(Answer).where(typed).values(answer_text=None))
        PrivacyService(self.session, self.resources).forget_visitor(list(sessions))
        visit = dict.fromkeys(("visitor_id", "referrer", "landing_page"))
        self.session.execute(
            update(Conversation).where(Conversation.id.in_(sessions)).values(visit)
        )

    def _blank_leads(self, sessions: Sequence[str]) -> None:
        """Of what a lead is known by, only what was chosen from a list stays: it is a count."""
        rows = self.session.execute(
            select(Conversation.lead_id, Answer.answer_text, Answer.options)
            .join(Answer, Answer.session_id == Conversation.id)
            .where(Conversation.id.in_(sessions), Answer.typed.is_(False))
        )
        chosen: dict[int, set[str]] = {}
        for lead_id, text, options in rows:
            chosen.setdefault(lead_id, set()).update(filter(None, (text, *options)))
        leads = self.session.scalars(
            select(Lead)
            .join(Conversation, Conversation.lead_id == Lead.id)
            .where(Conversation.id.in_(sessions))
        )
        for lead in leads:
            _keep_chosen(lead, chosen.get(lead.id, set()))
        self.session.flush()

    # Tidying

    def _old_replies(self, now: datetime) -> int:
        key = tuple_(StoredReply.scope, StoredReply.key)
        old = (
            select(StoredReply.scope, StoredReply.key)
            .where(StoredReply.created_at < now - REPLIES_KEPT_FOR)
            .limit(TAKEN)
        )
        gone = delete(StoredReply).where(key.in_(old)).returning(StoredReply.key)
        return len(self.session.scalars(gone).all())

    def _old_attempts(self, now: datetime) -> int:
        old = (
            select(DeliveryAttempt.id)
            .join(Delivery, Delivery.id == DeliveryAttempt.delivery_id)
            .where(
                Delivery.status == DeliveryStatus.DELIVERED,
                DeliveryAttempt.finished_at < now - ATTEMPTS_KEPT_FOR,
            )
            .limit(TAKEN)
        )
        gone = delete(DeliveryAttempt).where(DeliveryAttempt.id.in_(old))
        return len(self.session.scalars(gone.returning(DeliveryAttempt.id)).all())


def _without_contact() -> Sequence[ColumnElement[bool]]:
    """A lead that nobody can write to or call, because it never said where."""
    return (
        Lead.email.is_(None),
        Lead.phone.is_(None),
        Conversation.journey["contact"].as_boolean().is_(False),
    )


def _has_words() -> ColumnElement[bool]:
    """Whether there is anything to blank, so that a session is blanked once."""
    personal = select(Event.id).where(
        Event.session_id == Conversation.id, Event.personal.is_not(None)
    )
    return or_(
        Conversation.visitor_id.is_not(None),
        Conversation.referrer.is_not(None),
        Conversation.landing_page.is_not(None),
        personal.exists(),
    )


def _is_doubtful(checked: AuditEntry, now: datetime) -> bool:
    """Whether the clock says that more time has passed than one would believe at once."""
    if now - checked.recorded_at > LONGEST_BREAK:
        return True
    doubted = checked.detail.get("why") == JUMP
    return doubted and now - checked.recorded_at < BELIEVED_AFTER


def _keep_chosen(lead: Lead, chosen: set[str]) -> None:
    lead.name = lead.company = lead.email_key = lead.phone_e164 = None
    for word in WORDS:
        if getattr(lead, word) not in chosen:
            setattr(lead, word, None)
    lead.features_interested = [one for one in lead.features_interested if one in chosen]
    lead.attributes = {
        name: value for name, value in lead.attributes.items() if _all_chosen(value, chosen)
    }


def _all_chosen(value: Any, chosen: set[str]) -> bool:
    parts = value if isinstance(value, list) else [value]
    return all(isinstance(part, str) and part in chosen for part in parts)

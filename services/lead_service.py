"""LeadService: a lead's birth, profile, summary, timeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.bots import is_crawler
from engine.conditions import holds_of_text
from engine.vocabulary import UTM_FIELDS, Action, FactKind, every_name
from engine.workflow import Workflow, fill_in
from errors import Conflict, NotFound, invalid_field, unknown_lead
from lib.clock import iso
from lib.ids import public_ref
from lib.ids import session_id as new_session_id
from lib.on_class import on_class
from lib.text import direction, is_storable
from models import Conversation, Lead
from services.lead_visibility import is_visible
from services.experiment_seats import ExperimentSeats
from services.prediction_service import PredictionService
from services.profile import masked_profile, profile_values, read_profile
from services.question_service import QuestionService, answer_view
from services.resources import Resources
from services.scoring_service import ScoringService, ledger_view
from services.session_store import Held, SessionStore, session_values
from services.workflow_service import WorkflowService


@dataclass(frozen=True)
class Visit:
    """How a visitor came: where from, in which language, with which program."""

    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    referrer: str | None = None
    landing_page: str | None = None
    locale: str | None = None
    visitor_id: str | None = None
    user_agent: str | None = None
    surface: str = "api"
    honeypot: str | None = None
    # The arms that a preview asks for, `name:arm`; such a visit is counted nowhere.
    leadline_force: str | None = None


class LeadService:
    """Leads that are born of conversations."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.store = SessionStore(session, resources)

    def start_session(
        self, visit: Visit, *, consent: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """A new conversation and its lead: the greeting, the first question, the variants."""
        held = self._open(new_session_id(), visit)
        tests = held.workflow.tests
        self.resources.metrics.sessions_started.inc()
        if consent and consent.get("given"):
            ScoringService(self.session, self.resources).record_behavior(
                held.id, Action.CONSENT_GIVEN, {"text_version": consent.get("text_version")}
            )
        return {
            "session_id": held.id,
            "message": "Session started successfully",
            "timestamp": iso(held.started_at),
            **greeting_view(held.workflow, held.locale),
            "first_question": QuestionService(self.session, self.resources).next_question(held),
            "variants": {
                **{name: arm.partition("~")[0] for name, arm in held.arms.items()},
                **{one.name: one.arm(held.arms.get(one.name)).name for one in tests},
            },
            "consent": consent_view(held.workflow, held.locale),
        }

    @on_class
    def create_lead(self, session_id: str, utm_source: str | None = None) -> dict[str, Any]:
        """The lead of the caller's own session id: a new one, or the one that is there."""
        if not isinstance(session_id, str) or not 1 <= len(session_id) <= 255:
            raise invalid_field("session_id", "A session id has 1 to 255 characters.")
        if not is_storable(session_id):
            raise invalid_field("session_id", "This text holds a character that cannot be stored.")
        try:
            held = self.store.read(session_id)
        except NotFound:
            if self.session.get(Conversation, session_id) is not None:
                raise Conflict("The lead of this id was deleted.", code="lead_deleted") from None
            held = self._open_once(session_id, Visit(utm_source=utm_source))
        return self._lead_view(self._lead(held))

    @on_class
    def update_profile(
        self, session_id: str, profile_data: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Keep what a visitor says of themselves; None for an unknown session."""
        try:
            return every_name(self.record_profile(session_id, profile_data))
        except NotFound:
            return None

    def record_profile(
        self,
        session_id: str,
        data: Mapping[str, Any],
        *,
        honeypot: str | None = None,
        full: bool = True,
    ) -> dict[str, Any]:
        """Keep profile values as they were sent; the first valid contact earns its points.

        Unless `full`, what was known before comes back masked: the id of a session only writes.
        """
        held = self.store.lock(session_id)
        change = read_profile(
            data,
            region=held.workflow.default_region,
            allow_test_addresses=self.resources.settings.is_development,
        )
        if held.closed_at is not None:
            raise Conflict("This conversation is closed.", code="session_closed")
        lead = self._lead(held)
        new = self._news(lead, change.columns, change.attributes)
        if honeypot:
            held.suspicion = held.suspicion or "honeypot"
        if new or (honeypot and held.suspicion == "honeypot"):
            measured = {
                "fields": [name for name in change.fields if name in new],
                "attributes": len(change.attributes),
                "contact": change.contact,
            }
            personal = {"profile": dict(data)}
            held.record(FactKind.PROFILE_UPDATED, self.resources.clock.now(), measured, personal)
            self.store.save(held, lead=new)
            self.store.flush()
            self.session.refresh(lead)
        profile = profile_values(lead)
        if not full:
            said = {**change.columns, **change.attributes}
            shown = {name: value for name, value in profile.items() if name in said}
            profile = {**masked_profile(profile, _options(held.workflow)), **shown}
        return {
            "session_id": held.id,
            "profile": profile,
            "score_change": held.score_change,
            "score": held.score_change,
            "lead_score": held.score,
            "classification": held.classification,
        }

    @on_class
    def get_lead_summary(self, session_id: str) -> dict[str, Any] | None:
        """Everything about a session's lead; None for an unknown session."""
        try:
            return every_name(self.find_summary(session_id, full=True))
        except NotFound:
            return None

    def find_summary(self, session_id: str, *, full: bool) -> dict[str, Any]:
        """Profile, behaviours, ledger and answers; without `full` nobody can tell who it is."""
        held = self.store.read(session_id)
        lead = self._lead(held)
        scoring = ScoringService(self.session, self.resources)
        answers = QuestionService(self.session, self.resources).find_answers(session_id)
        profile = profile_values(lead)
        if not full:
            profile = masked_profile(profile, _options(held.workflow))
        summary: dict[str, Any] = {
            "session_id": session_id,
            "lead_data": {
                **profile,
                "lead_score": held.score,
                "lead_type": held.classification,
                "classification": held.classification,
                "utm_source": lead.utm_source if full else None,
                "assigned_to": lead.assigned_to if full else None,
                "session_start_time": iso(held.started_at, "seconds"),
                "completed": held.completed_at is not None,
                "closed": held.closed_at is not None,
            },
            "lead_score": held.score,
            "classification": held.classification,
            "behaviors": scoring.find_behaviors(session_id),
            "ledger": [ledger_view(row) for row in scoring.find_ledger(session_id)],
            "answers": [answer_view(answer, full=full) for answer in answers],
            "variants": dict(held.arms),
            **PredictionService(self.session, self.resources).shown(lead.id, full=full),
        }
        return summary if full else {**summary, "masked": True}

    @on_class
    def get_all_leads(self) -> list[dict[str, Any]]:
        """Every lead as a plain dictionary, the newest first."""
        rows = self.session.scalars(select(Lead).where(*is_visible()).order_by(Lead.id.desc()))
        return [self._lead_view(lead) for lead in rows]

    def find_session_lead(self, session_id: str) -> tuple[Held, Lead]:
        """A session and its lead, for an export."""
        held = self.store.read(session_id)
        return held, self._lead(held)

    def _lead_view(self, lead: Lead) -> dict[str, Any]:
        return {
            "id": lead.id,
            "session_id": lead.session_id,
            **profile_values(lead),
            "lead_score": lead.lead_score,
            "lead_classification": lead.lead_classification,
            "lead_type": lead.lead_classification,
            "classification": lead.lead_classification,
            "utm_source": lead.utm_source,
            "created_at": iso(lead.created_at),
            "updated_at": iso(lead.updated_at),
        }

    def _lead(self, held: Held) -> Lead:
        self.store.flush()
        lead = self.session.get(Lead, held.lead_id, populate_existing=True)
        if lead is None:
            raise unknown_lead()
        return lead

    def _news(
        self, lead: Lead, columns: Mapping[str, Any], attributes: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The columns that really change."""
        new = {name: value for name, value in columns.items() if getattr(lead, name) != value}
        merged = {**lead.attributes, **attributes}
        if merged != lead.attributes:
            new["attributes"] = merged
        return new

    def _open_once(self, session_id: str, visit: Visit) -> Held:
        """A new session of an id that is not ours, or the one another script made meanwhile."""
        try:
            with self.session.begin_nested():
                return self._open(session_id, visit)
        except IntegrityError:
            return self.store.read(session_id)

    def _open(self, session_id: str, visit: Visit) -> Held:
        """The rows of a new lead and its session, and the fact that it began."""
        now = self.resources.clock.now()
        crawler = is_crawler(visit.user_agent)
        seats = ExperimentSeats(self.session, self.resources)
        seating = seats.take(session_id, vars(visit), now, takes_part=not crawler)
        version, arms = seating.version, seating.arms
        lead_id = self._insert_lead(session_id, visit, now)
        workflow = WorkflowService(self.session, self.resources).get(version, arms)
        suspicion = "crawler" if crawler else ("honeypot" if visit.honeypot else None)
        held = Held(
            id=session_id,
            lead_id=lead_id,
            visitor_id=visit.visitor_id,
            version=version,
            points_version=version,
            arms=arms,
            locale=visit.locale,
            surface=visit.surface,
            started_at=now,
            workflow=workflow,
            points=workflow,
            suspicion="preview" if seating.forced else suspicion,
        )
        measured = {"conditions": _utm_outcomes(workflow, visit), "exposed": sorted(arms)}
        held.record(FactKind.SESSION_STARTED, now, measured, _personal(visit))
        self._insert_session(held, visit, now)
        self.store.save(held)
        seats.expose(seating, session_id, now)
        return held

    def _insert_lead(self, session_id: str, visit: Visit, now: datetime) -> int:
        row: dict[str, Any] = {
            "session_id": session_id,
            "source": visit.utm_source or "direct",
            "utm_source": visit.utm_source,
            "features_interested": [],
            "attributes": {},
            "created_at": now,
            "updated_at": now,
            "last_activity_at": now,
            "lead_score": 0,
            "lead_classification": "Unqualified",
        }
        return int(self.session.execute(insert(Lead).values(row).returning(Lead.id)).scalar_one())

    def _insert_session(self, held: Held, visit: Visit, now: datetime) -> None:
        row = {
            "id": held.id,
            "public_ref": public_ref(),
            "lead_id": held.lead_id,
            "visitor_id": visit.visitor_id,
            "workflow_version": held.version,
            "points_version": held.points_version,
            "arms": dict(held.arms),
            "locale": visit.locale,
            "surface": visit.surface,
            **{name: getattr(visit, name) for name in UTM_FIELDS},
            "referrer": visit.referrer,
            "landing_page": visit.landing_page,
            "started_at": now,
            **session_values(held, now),
        }
        self.session.execute(insert(Conversation).values(row))


def greeting_view(workflow: Workflow, locale: str | None) -> dict[str, Any]:
    """The first words and their quick replies in a locale."""
    shown_in = workflow.best_locale(locale)
    replies = workflow.greeting.replies
    return {
        "greeting": fill_in(workflow.text("greeting", locale), {}),
        "greeting_replies": [workflow.label("replies", one, one, locale) for one in replies],
        "locale": shown_in,
        "dir": direction(shown_in),
    }


def consent_view(workflow: Workflow, locale: str | None) -> dict[str, Any] | None:
    """What is to be agreed to before personal data are asked for, if anything."""
    if workflow.consent is None:
        return None
    return {
        "text": workflow.text("consent", locale),
        "version": workflow.consent.version,
        "required": workflow.consent.required,
    }


def _options(workflow: Workflow) -> frozenset[str]:
    return frozenset(option.value for q in workflow.questions for option in q.options)


def _utm_outcomes(workflow: Workflow, visit: Visit) -> dict[str, bool]:
    """What the conditions on UTM values come to; the values stay in the personal half."""
    outcomes = {}
    for name in UTM_FIELDS:
        value = getattr(visit, name) or ""
        for leaf in workflow.leaves_on(f"utm:{name.removeprefix('utm_')}"):
            outcomes[leaf.key] = holds_of_text(leaf, value)
    return outcomes


def _personal(visit: Visit) -> dict[str, Any]:
    names = (*UTM_FIELDS, "referrer", "landing_page", "locale", "visitor_id", "user_agent")
    return {name: value for name in names if (value := getattr(visit, name))}

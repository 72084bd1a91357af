"""WorkflowPreview: a conversation under a draft, by the code that serves visitors, kept nowhere.

The page that shows it remembers what was done and sends all of it each time; here it is done in a
transaction that is taken back before anybody could see it. So a preview is right in every reply
and wrong in no count. Only the numbers of rows that it would have had are used up (PostgreSQL).
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

import errors
from engine.vocabulary import every_name
from lib.metrics import Metrics
from models import WorkflowVersion
from services.lead_service import LeadService, Visit
from services.question_service import QuestionService
from services.resources import Resources
from services.scoring_service import ScoringService
from services.session_store import SessionStore
from services.widget_service import WidgetService
from services.workflow_drafts import Draft

# The id of every previewed conversation, for the page that shows it.
SESSION = "preview"
MOST_CALLS = 300
# No workshop publishes so many; each preview takes one of them for a moment.
FIRST_VERSION = 1_000_000_000
# A program of this name takes part in no experiment.
NOBODY = "Leadline preview bot"


@dataclass(frozen=True)
class PreviewCall:
    """What the widget asked for: one of its endpoints, and what it sent along."""

    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class PreviewReply:
    """What it was answered."""

    status: int
    body: Mapping[str, Any]


class WorkflowPreview:
    """Plays a conversation and forgets it."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = replace(resources, workflows={}, metrics=_uncounted())

    def play(
        self, draft: Draft, calls: Sequence[PreviewCall], *, arms: str = "", locale: str = ""
    ) -> PreviewReply:
        """The reply to the last of these calls, after all that came before it.

        `arms` are the variants of the draft's own experiments to be shown, `name:arm,…`.
        """
        if draft.problems:
            raise errors.Conflict("A preview needs a draft without problems.")
        reply = PreviewReply(404, _said(errors.NotFound("There is nothing at this address.")))
        with self._taken_back():
            self._publish(draft)
            talk = _Talk(self.session, self.resources, arms, locale)
            for call in calls[-MOST_CALLS:]:
                reply = self._reply(talk, call)
        return reply

    def _reply(self, talk: _Talk, call: PreviewCall) -> PreviewReply:
        step = self.session.begin_nested()
        try:
            body = talk.answer(call)
            SessionStore(self.session, self.resources).flush()
        except errors.LeadlineError as error:
            step.rollback()
            return PreviewReply(_STATUSES.get(type(error), 422), _said(error))
        step.commit()
        return PreviewReply(200, {**body, "session_id": SESSION})

    def _publish(self, draft: Draft) -> None:
        now = self.resources.clock.now()
        row = {
            "version": FIRST_VERSION + secrets.randbelow(FIRST_VERSION),
            "source": "preview",
            "content_hash": "",
            "config": {"workflow": draft.workflow, "tests": draft.tests},
            "created_at": now,
            # Whatever else is in force, here it is this one.
            "published_at": now + timedelta(days=1),
        }
        self.session.execute(insert(WorkflowVersion).values(row))

    @contextmanager
    def _taken_back(self) -> Iterator[None]:
        """A time in which nothing that happens to the database lasts."""
        notes = dict(self.session.info)
        everything = self.session.begin_nested()
        try:
            yield
        finally:
            everything.rollback()
            self.session.info.clear()
            self.session.info.update(notes)
            self.session.expire_all()


class _Talk:
    """One previewed conversation, and what answers the widget's calls in it."""

    def __init__(self, session: Session, resources: Resources, arms: str, locale: str) -> None:
        self.leads = LeadService(session, resources)
        self.questions = QuestionService(session, resources)
        self.scoring = ScoringService(session, resources)
        self.widget = WidgetService(session, resources)
        self.arms = arms
        self.locale = locale
        self.id = ""

    def answer(self, call: PreviewCall) -> Mapping[str, Any]:
        """What the endpoint of this name replies; NotFound for an unknown one."""
        if call.name not in _ENDPOINTS:
            raise errors.NotFound("There is nothing at this address.")
        return _ENDPOINTS[call.name](self, call.body)

    def present(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """How the widget looks; once there is a conversation, all that it shows of it."""
        return self.widget.config(self.id if body.get("session_id") else None, self.locale or None)

    def start(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The conversation begins."""
        forced = {"leadline_force": self.arms} if self.arms else {"user_agent": NOBODY}
        visit = Visit(locale=self.locale or None, surface="widget", **forced)
        started = self.leads.start_session(visit)
        self.id = started["session_id"]
        return {**started, "visitor_token": SESSION}

    def keep_answer(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """An answer, or a skip."""
        answer, taken = body.get("answer_text"), body.get("time_taken")
        kept = self.questions.record_answer(
            self.id, body["question_id"], answer, time_taken=taken, skip=body["skip"]
        )
        return every_name(kept)

    def behave(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A click."""
        kept = self.scoring.record_behavior(self.id, body["action"], body.get("metadata"))
        return every_name({**kept, "score": kept["score_change"]})

    def introduce(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Who the visitor is."""
        return every_name(self.leads.record_profile(self.id, body["profile_data"]))

    def summarise(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """All that was said."""
        return every_name(self.leads.find_summary(self.id, full=True))


_ENDPOINTS: Mapping[str, Callable[[_Talk, Mapping[str, Any]], Mapping[str, Any]]] = {
    "widget/config": _Talk.present,
    "session/start": _Talk.start,
    "answer": _Talk.keep_answer,
    "behavior": _Talk.behave,
    "lead/profile": _Talk.introduce,
    "lead/summary": _Talk.summarise,
}
_STATUSES: Mapping[type[errors.LeadlineError], int] = {
    errors.Malformed: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
}


@functools.cache
def _uncounted() -> Metrics:
    """Counters of their own: a preview is nobody's visit."""
    return Metrics(prefix="leadline_preview")


def _said(error: errors.LeadlineError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": error.message, "fields": error.fields}}

"""QuestionService: the conversation; keeps an answer, gives the next question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.bots import quicker_than_reading
from engine.flow import (
    Accepted,
    Raw,
    Reading,
    Reask,
    Setting,
    is_open,
    open_questions,
    progress,
    read_answer,
    read_skip,
)
from engine.vocabulary import Action, FactKind, QuestionType
from engine.workflow import Question, Workflow, fill_in, has_variables
from errors import Conflict, invalid_field
from lib.clock import iso
from lib.on_class import on_class
from lib.text import direction, fold
from models import Answer, Event, Lead
from services.profile import contact_columns, profile_values
from services.resources import Resources
from services.session_store import Held, SessionStore
from services.workflow_service import WorkflowService

# Surfaces on which a person reads every question; a program may post a whole journey at once.
READ_BY_EYE = frozenset({"widget", "chat"})


class QuestionService:
    """Questions out, answers in."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.store = SessionStore(session, resources)

    @on_class
    def get_questions(self, session_id: str | None = None) -> list[dict[str, Any]]:
        """Every question; with a session, the open ones in its order and language."""
        return self.find_questions(session_id, named=True)

    def find_questions(self, session_id: str | None, *, named: bool) -> list[dict[str, Any]]:
        """What `get_questions` gives; unless `named`, no text says who the visitor is."""
        if session_id is None:
            workflow = WorkflowService(self.session, self.resources).in_force().workflow
            return [question_view(workflow, question, None) for question in workflow.questions]
        held = self.store.read(session_id)
        values = self._values(held) if named else {}
        return [
            question_view(held.workflow, question, held.locale, values)
            for question in open_questions(held.workflow, held.journey)
        ]

    @on_class
    def get_question_by_id(self, question_id: int | str) -> dict[str, Any] | None:
        """The question of an id or slug in the workflow in force; None when there is none."""
        if not isinstance(question_id, int | str):
            return None
        workflow = WorkflowService(self.session, self.resources).in_force().workflow
        question = workflow.find_question(question_id)
        return question_view(workflow, question, None) if question else None

    def record_answer(
        self,
        session_id: str,
        question_id: int | str,
        answer: Raw | None,
        *,
        time_taken: float | None = None,
        skip: bool = False,
        named: bool = True,
    ) -> dict[str, Any]:
        """Keep an answer, say what it earned and what comes next; or ask again, kindly.

        Unless `named`, the next question does not say who the visitor is.
        """
        held = self.store.lock(session_id)
        held.named = named
        question = held.workflow.find_question(question_id)
        if question is None:
            raise invalid_field("question_id", "There is no question of this id.")
        now = self.resources.clock.now()
        if not skip and self._is_greeting_reply(held, question, answer):
            return self._greeted(held, question, now)
        setting = Setting(held.locale, self.resources.settings.is_development)
        reading = self._read(held, question, answer, setting, skip=skip)
        if self._is_repeated(held, question, reading, skip=skip):
            return self._reply(held, question)
        self._refuse_if_closed(held, question)
        if isinstance(reading, Reask):
            return self._reask(held, question, reading, answer, now)
        self._keep(held, question, reading, time_taken, now, skip=skip)
        return self._reply(held, question)

    def next_question(self, held: Held) -> dict[str, Any] | None:
        """The open question of a session in its language, or None when all are done."""
        question_id = held.next_question_id()
        if question_id is None:
            return None
        question = held.workflow.by_id[question_id]
        text = held.workflow.question_text(question, held.locale)
        values = self._values(held) if held.named and has_variables(text) else {}
        return question_view(held.workflow, question, held.locale, values)

    # One answer

    def _read(
        self, held: Held, question: Question, answer: Raw | None, setting: Setting, *, skip: bool
    ) -> Reading:
        """The answer's meaning; a text sent again after "Did you mean …?" is believed."""
        if skip or answer is None:
            return read_skip(held.workflow, question, setting)
        reading = read_answer(held.workflow, question, answer, setting)
        choices = (QuestionType.CHOICE, QuestionType.MULTI_CHOICE)
        if isinstance(reading, Accepted) or question.type not in choices:
            return reading
        if not self._was_reasked(held, question, _folded(answer)):
            return reading
        believing = Setting(setting.locale, setting.allow_test_addresses, believed=True)
        return read_answer(held.workflow, question, answer, believing)

    def _was_reasked(self, held: Held, question: Question, text: str) -> bool:
        """Whether this text was sent to this question before, whatever was tried in between."""
        asked = self.session.scalars(
            select(Event.personal).where(
                Event.session_id == held.id, Event.kind == FactKind.ANSWER_REASKED
            )
        )
        before = {"question_id": question.id, "text": text}
        return any(half == before for half in asked)

    def _is_greeting_reply(self, held: Held, question: Question, answer: Raw | None) -> bool:
        """`Yes, go ahead` to the first question is a reply to the greeting, and no answer."""
        first = {1, held.workflow.questions[0].id}
        if not isinstance(answer, str) or question.id not in first or held.closed_at:
            return False
        if question.id in held.journey.answers:
            return False
        replies = held.workflow.greeting.replies
        labels = [held.workflow.label("replies", r, r, held.locale) for r in replies]
        wanted = fold(answer)
        if wanted in {fold(option.value) for option in question.options}:
            return False
        return wanted in {fold(text) for text in (*replies, *labels)}

    def _greeted(self, held: Held, question: Question, now: datetime) -> dict[str, Any]:
        click = (str(Action.REPLIED_TO_GREETING), "")
        if click not in held.journey.clicks:
            measured = {"action": Action.REPLIED_TO_GREETING, "subject": ""}
            held.record(FactKind.BEHAVIOR_REPORTED, now, measured)
            self.store.save(held)
        return self._reply(held, question)

    def _is_repeated(self, held: Held, question: Question, reading: Reading, *, skip: bool) -> bool:
        """Whether the very same answer stands already: then a retry changes nothing."""
        given = held.journey.answers.get(question.id)
        if given is None or isinstance(reading, Reask) or given.skipped != skip:
            return False
        if skip:
            return True
        stands = self.session.execute(
            select(Answer.answer_text).where(
                Answer.session_id == held.id, Answer.question_id == question.id
            )
        ).scalar()
        return stands == reading.text

    def _refuse_if_closed(self, held: Held, question: Question) -> None:
        if held.closed_at is not None:
            raise Conflict("This conversation is closed.", code="session_closed")
        if not is_open(held.workflow, held.journey, question):
            raise Conflict(
                "This question is not asked in this conversation.", code="question_not_open"
            )

    def _reask(
        self, held: Held, question: Question, reading: Reask, answer: Raw | None, now: datetime
    ) -> dict[str, Any]:
        measured = {"question_id": question.id, "suggestions": len(reading.suggestions)}
        personal = {"question_id": question.id, "text": _folded(answer)}
        held.record(FactKind.ANSWER_REASKED, now, measured, personal)
        self.store.save(held)
        reask = {"message": reading.message, "suggestions": list(reading.suggestions)}
        return {**self._reply(held, question), "accepted": False, "reask": reask}

    def _keep(
        self,
        held: Held,
        question: Question,
        accepted: Reading,
        time_taken: float | None,
        now: datetime,
        *,
        skip: bool,
    ) -> None:
        assert isinstance(accepted, Accepted)
        measured_seconds = held.seconds_since_shown(question.id, now)
        seconds = round(max(measured_seconds, time_taken or 0.0), 3)
        before = held.score
        measured = {
            "question_id": question.id,
            "options": list(accepted.options),
            "typed": accepted.typed,
            "length": accepted.length,
            "seconds": seconds,
            "skipped": skip,
            "contact": bool(accepted.email or accepted.phone),
            "conditions": dict(accepted.outcomes or {}),
        }
        personal = None if skip else {"text": accepted.text}
        held.record(FactKind.ANSWER_RECORDED, now, measured, personal)
        held.answered_at = now.timestamp()
        self._suspect(held, now)
        row = {
            "question_id": question.id,
            "question_text": held.workflow.question_text(question, held.locale),
            "answer_text": None if skip else accepted.text,
            "options": list(accepted.options),
            "typed": accepted.typed,
            "skipped": skip,
            "time_taken": seconds,
            "score_earned": held.score - before,
        }
        self.store.save(
            held,
            lead=self._lead_values(held, question, accepted, skip=skip),
            answer=row,
        )
        self.resources.metrics.answers_accepted.inc()

    def _lead_values(
        self, held: Held, question: Question, accepted: Accepted, *, skip: bool
    ) -> Mapping[str, Any]:
        """What the answer puts into the lead's profile."""
        if question.field is None:
            return {}
        value: Any = None if skip else accepted.value
        if question.field == "features_interested":
            value = value if isinstance(value, list) else ([value] if value else [])
        elif isinstance(value, list):
            value = ", ".join(value)
        columns = contact_columns(question.field, value, accepted.email, accepted.phone)
        if columns is not None:
            return columns
        attributes = self.session.scalar(select(Lead.attributes).where(Lead.id == held.lead_id))
        return {"attributes": {**(attributes or {}), question.field: value}}

    def _suspect(self, held: Held, now: datetime) -> None:
        """A whole journey faster than a person reads is kept, and left out of the analytics."""
        if held.suspicion or held.surface not in READ_BY_EYE or held.completed_at != now:
            return
        lengths = [
            len(held.workflow.by_id[question_id].text)
            for question_id, given in held.journey.answers.items()
            if not given.skipped and question_id in held.workflow.by_id
        ]
        if quicker_than_reading(lengths, (now - held.started_at).total_seconds()):
            held.suspicion = "too_quick"

    # Replies

    def _reply(self, held: Held, question: Question) -> dict[str, Any]:
        far = progress(held.workflow, held.journey)
        return {
            "session_id": held.id,
            "question_id": question.id,
            "accepted": True,
            "score_earned": held.score_change,
            "lead_score": held.score,
            "classification": held.classification,
            "next_question": self.next_question(held),
            "progress": {
                "answered": far.answered,
                "skipped": far.skipped,
                "total": far.total,
            },
            "completed": far.total > 0 and far.completed,
        }

    def _values(self, held: Held) -> Mapping[str, Any]:
        self.store.flush()
        lead = self.session.get(Lead, held.lead_id)
        return profile_values(lead) if lead else {}

    def find_answers(self, session_id: str) -> Sequence[Answer]:
        """The answers that stand in a session, in the order they were first given."""
        return self.session.scalars(
            select(Answer).where(Answer.session_id == session_id).order_by(Answer.id)
        ).all()


def question_view(
    workflow: Workflow,
    question: Question,
    locale: str | None,
    values: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A question as the wire shows it, in a locale, its variables filled in."""
    text = workflow.question_text(question, locale)
    labels = workflow.option_labels(question, locale)
    shown_in = workflow.best_locale(locale)
    return {
        "id": question.id,
        "slug": question.slug,
        "text": fill_in(text, values or {}) if has_variables(text) else text,
        "options": list(labels),
        "choices": [
            {"value": option.value, "label": label}
            for option, label in zip(question.options, labels, strict=True)
        ],
        "step": question.step,
        "type": str(question.type),
        "required": question.required,
        "field": question.field,
        "placeholder": workflow.small_line(question, "placeholder", locale),
        "help": workflow.small_line(question, "help", locale),
        "min": question.min,
        "max": question.max,
        "locale": shown_in,
        "dir": direction(shown_in),
    }


def answer_view(answer: Answer, *, full: bool) -> dict[str, Any]:
    """An answer as the wire shows it; what was typed only to those who may read it."""
    text = answer.answer_text if full or not answer.typed else None
    return {
        "question_id": answer.question_id,
        "question_text": answer.question_text,
        "answer_text": text,
        "answer": text,
        "options": list(answer.options),
        "skipped": answer.skipped,
        "revision": answer.revision,
        "time_taken": answer.time_taken,
        "score_earned": answer.score_earned,
        "created_at": iso(answer.created_at),
        "updated_at": iso(answer.updated_at),
    }


def _folded(answer: Raw | None) -> str:
    if answer is None:
        return ""
    return fold(answer if isinstance(answer, str) else ", ".join(answer))

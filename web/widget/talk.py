"""A visitor's conversation as its pages show it, and the order of those pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.vocabulary import Action, QuestionType
from engine.widget_words import page_words
from engine.workflow import Workflow
from services.lead_service import consent_view, greeting_view
from services.profile import profile_values
from services.session_store import Held
from services.widget_service import shown_words
from web.unit_of_work import services

GREETING = "/chat/greeting"
CONSENT = "/chat/consent"
PRODUCTS = "/chat/products"
CONTACT = "/chat/contact"
NEXT = "/chat/next"
SUMMARY = "/chat/summary"


@dataclass(frozen=True)
class Line:
    """One question, and what the visitor said to it."""

    question: Mapping[str, Any]
    is_open: bool
    skipped: bool = False
    answer: str = ""
    # What the form shows as given: options' values, or the text.
    given: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The page of this question."""
        return question_address(self.question["slug"])


@dataclass(frozen=True)
class Talk:
    """Where a conversation stands."""

    held: Held
    lang: str
    dir: str
    words: Mapping[str, str]
    greeting: str
    replies: tuple[str, ...]
    consent: Mapping[str, Any] | None
    consented: bool
    lines: tuple[Line, ...]
    profile: Mapping[str, Any]

    @property
    def closed(self) -> bool:
        """Whether the visitor confirmed the summary."""
        return self.held.closed_at is not None

    @property
    def name(self) -> str:
        """Who the visitor talks to."""
        return self.held.workflow.name or "Leadline"

    def line(self, slug: str) -> Line | None:
        """The open question of this slug."""
        return next((line for line in self.lines if line.question["slug"] == slug), None)

    def did(self, action: Action, subject: str = "") -> bool:
        """Whether the visitor did this before."""
        return (str(action), subject) in self.held.journey.clicks

    def path(self) -> list[str]:
        """The address of every step, in order."""
        workflow = self.held.workflow
        steps = [GREETING] + ([CONSENT] if self.consent else [])
        steps += [line.address for line in self.lines]
        steps += [PRODUCTS] if workflow.products else []
        steps += [CONTACT] if workflow.contact else []
        steps += [NEXT] if workflow.calls_to_action else []
        return [*steps, SUMMARY]

    def before(self, address: str) -> str | None:
        """The step before this one."""
        path = self.path()
        place = path.index(address) if address in path else 0
        return path[place - 1] if place else None

    def after(self, address: str) -> str:
        """The step after this one; questions that have their answer are passed over."""
        path = self.path()
        answered = {line.address for line in self.lines if not line.is_open}
        later = path[path.index(address) + 1 :] if address in path else path
        return next((step for step in later if step not in answered), SUMMARY)

    def resume(self) -> str:
        """Where the visitor left off."""
        answered = any(not line.is_open for line in self.lines)
        if self.closed:
            return SUMMARY
        if not answered and not self.did(Action.REPLIED_TO_GREETING):
            return GREETING
        if not answered and self.consent and not self.consented:
            return CONSENT
        waiting = next((line.address for line in self.lines if line.is_open), None)
        if waiting:
            return waiting
        known = self.held.journey.contact_known
        return self.after(CONTACT) if known and CONTACT in self.path() else self.after(CONSENT)


def question_address(slug: str) -> str:
    """The page of the question of this slug."""
    return f"/chat/questions/{slug}"


def words_of(workflow: Workflow, locale: str | None) -> dict[str, str]:
    """The small words of the pages: the widget's and their own, unless the workflow has others."""
    shown_in = workflow.best_locale(locale)
    words = {**page_words(shown_in), **shown_words(workflow, locale)}
    return {name: workflow.label("widget", name, word, locale) for name, word in words.items()}


def read_talk(session_id: str) -> Talk:
    """The conversation of this session; NotFound when it is gone."""
    ours = services()
    held, lead = ours.leads.find_session_lead(session_id)
    shown = greeting_view(held.workflow, held.locale)
    words = words_of(held.workflow, held.locale)
    answers = {answer.question_id: answer for answer in ours.questions.find_answers(session_id)}
    questions = ours.questions.get_questions(session_id)
    return Talk(
        held=held,
        lang=shown["locale"],
        dir=shown["dir"],
        words=words,
        greeting=shown["greeting"],
        replies=tuple(shown["greeting_replies"]),
        consent=consent_view(held.workflow, held.locale),
        consented=ours.privacy.has_consented(session_id),
        lines=tuple(_line(question, answers.get(question["id"]), words) for question in questions),
        profile=profile_values(lead),
    )


def _line(question: Mapping[str, Any], answer: Any, words: Mapping[str, str]) -> Line:
    if answer is None:
        return Line(question, is_open=True)
    if answer.skipped:
        return Line(question, is_open=False, skipped=True)
    text = answer.answer_text or ""
    kind = QuestionType(question["type"])
    if kind is QuestionType.CONSENT:
        return Line(question, is_open=False, answer=words.get(text, text), given=(text,))
    labels = {choice["value"]: choice["label"] for choice in question["choices"]}
    if kind is QuestionType.MULTI_CHOICE and text == ", ".join(answer.options):
        chosen = tuple(answer.options)
        shown = ", ".join(labels.get(one, one) for one in chosen)
        return Line(question, is_open=False, answer=shown, given=chosen)
    given = tuple(answer.options) if kind is QuestionType.MULTI_CHOICE else (text,)
    return Line(question, is_open=False, answer=labels.get(text, text), given=given)

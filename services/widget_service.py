"""WidgetService: what the widget shows before anybody spoke, and all of a session in one reply."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from engine.matching import calling_code
from engine.widget_words import widget_words
from engine.workflow import Proactive, Workflow
from services.catalog_service import CatalogService
from services.lead_service import consent_view, greeting_view
from services.question_service import QuestionService
from services.resources import Resources
from services.session_store import SessionStore
from services.workflow_service import WorkflowService


class WidgetService:
    """The widget's words, looks and rules."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def config(
        self, session_id: str | None = None, locale: str | None = None, *, named: bool = True
    ) -> dict[str, Any]:
        """How the widget presents itself; with a session, all that it shows of it, in one reply.

        One reply instead of five: on a phone each costs a visitor's time. Unless `named`, its
        texts do not say who the visitor is.
        """
        if session_id is None:
            pinned = WorkflowService(self.session, self.resources).in_force()
            return presentation(pinned.workflow, locale)
        held = SessionStore(self.session, self.resources).read(session_id)
        catalog = CatalogService(self.session, self.resources)
        questions = QuestionService(self.session, self.resources)
        return {
            **presentation(held.workflow, held.locale),
            "questions": questions.find_questions(session_id, named=named),
            "menu": catalog.product_menu(session_id, named=named),
            "calls": catalog.cta_options(session_id, named=named),
            "closing": catalog.closing(held, named=named),
        }


def presentation(workflow: Workflow, locale: str | None) -> dict[str, Any]:
    """The widget's words, looks and rules of a workflow in a locale."""
    look = workflow.widget
    contact = workflow.contact
    return {
        "widget": {
            "title": workflow.label("widget", "title", look.title or workflow.name, locale),
            "launcher": workflow.label("widget", "launcher", look.launcher, locale),
            "position": look.position,
            "theme": {"accent": look.accent, "scheme": look.scheme},
        },
        "words": shown_words(workflow, locale),
        "proactive": proactive_view(workflow.proactive),
        **greeting_view(workflow, locale),
        "consent": consent_view(workflow, locale),
        "contact": contact
        and {"text": workflow.text("contact", locale), "fields": list(contact.fields)},
        "country": {
            "region": workflow.default_region,
            "calling_code": calling_code(workflow.default_region),
        },
    }


def shown_words(workflow: Workflow, locale: str | None) -> dict[str, str]:
    """The widget's small words: ours, unless the workflow has its own."""
    shown_in = workflow.best_locale(locale)
    ours = widget_words(shown_in)
    if shown_in == workflow.default_locale:
        ours |= workflow.widget.words
    return {name: workflow.label("widget", name, word, locale) for name, word in ours.items()}


def proactive_view(rules: Proactive | None) -> dict[str, Any] | None:
    """When the widget opens by itself, as the wire shows it."""
    if rules is None:
        return None
    return {
        "after_seconds": rules.after_seconds,
        "scroll_percent": rules.scroll_percent,
        "exit_intent": rules.exit_intent,
        "url_pattern": rules.url_pattern,
        "cap_hours": rules.cap_hours,
    }

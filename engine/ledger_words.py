"""A line of the ledger in words: what earned the points, and what took them back."""

from __future__ import annotations

from engine.vocabulary import Action
from engine.workflow import Workflow
from lib.text import shorten

LONGEST_QUESTION = 80
_PLAIN = {
    Action.SESSION_OPENED: "Opened the chat",
    Action.REPLIED_TO_GREETING: "Replied to the greeting",
    Action.ANSWERED_ALL_QUESTIONS: "Answered every question",
    Action.SHARED_CONTACT: "Left an e-mail address or a phone number",
    Action.DEMO_REQUESTED: "Asked for a demo",
    Action.CONSENT_GIVEN: "Gave consent",
    Action.CONSENT_WITHDRAWN: "Took consent back",
    Action.CONFIRMED_SUMMARY: "Confirmed the summary",
    Action.EMAIL_OPEN: "Opened an e-mail",
    Action.EMAIL_CLICK: "Clicked in an e-mail",
    Action.EMAIL_REPLY: "Replied to an e-mail",
    Action.WEBSITE_VISIT: "Visited the website",
    Action.PRICING_REQUEST: "Asked for a price",
}
_OF_QUESTIONS = {
    Action.ANSWERED_QUESTION: "Answered",
    Action.QUICK_REPLY: "Answered quickly",
    Action.DETAILED_ANSWER: "Answered in detail",
}


def award_words(action: str, subject: str, points: int, generation: int, workflow: Workflow) -> str:
    """What a row of the ledger is for: an award, its reversal, or the difference of a worth."""
    words = action_words(action, subject, workflow)
    if points < 0:
        return f"Taken back: {words[:1].lower()}{words[1:]}"
    return f"{words} (again, or worth more now)" if generation else words


def action_words(action: str, subject: str, workflow: Workflow) -> str:
    """What somebody did, as people say it; a word that nobody knows stands as it is."""
    known = Action(action) if action in Action._value2member_map_ else None
    if known in _PLAIN:
        return _PLAIN[known]
    if known in _OF_QUESTIONS:
        return f"{_OF_QUESTIONS[known]} “{question_words(subject, workflow)}”"
    if known is Action.CLICKED_PRODUCT:
        names = {one.id: one.name for one in workflow.products}
        return f"Clicked the product {names[subject]}" if subject in names else "Clicked a product"
    if known is Action.CTA_CLICKED:
        labels = {one.id: one.label for one in workflow.calls_to_action}
        return f"Chose “{labels[subject]}”" if subject in labels else "Chose a call to action"
    return action.replace("_", " ").capitalize() or "Did something"


def question_words(subject: str | int, workflow: Workflow) -> str:
    """A question's text, short; its number where the workflow has none of it any more."""
    question = workflow.find_question(subject)
    return shorten(question.text, LONGEST_QUESTION) if question else f"question {subject}"

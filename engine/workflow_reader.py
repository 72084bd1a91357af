"""WORKFLOW_CONFIG into a Workflow, or every reason why a visitor would trip over it.

Each problem names its place (`questions[2].show_if`) and the remedy in one sentence, and all of
them are found in one reading, so that a marketer repairs a draft in one go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import phonenumbers

from engine.arms_reader import read_tests
from engine.plain_reading import Notes, Problem, first, is_number
from engine.question_reader import read_questions
from engine.vocabulary import DEFAULT_POINTS, PROFILE_FIELDS, Action, find_action
from engine.widget_reader import read_proactive, read_widget
from engine.workflow import (
    CallToAction,
    ConsentText,
    ContactStep,
    Greeting,
    Product,
    Workflow,
)
from engine.workflow_checks import check_whole
from engine.workflow_size import find_too_large
from lib.text import fold

MESSAGES = {
    "did_you_mean": "Did you mean one of these? If not, send it once more and I will keep it.",
    "not_an_option": "Please pick one of these. If none fits, send it again and I will keep it.",
    "required": "I need an answer to this one to help you.",
    "empty": "I did not catch that. Could you type it again?",
    "too_long": "That is more than I can keep. Could you say it in fewer words?",
    "email": "That is no e-mail address I can use. Could you check it? Example: name@example.com",
    "phone": "That is no phone number I can use. Could you check it? Example: +91 91234 56789",
    "number": "Please send a number.",
    "range": "Please send a number between {min} and {max}.",
    "date": "Please send a date such as 2026-03-31.",
    "rating": "Please pick a number from the scale.",
    "consent": "Please choose yes or no.",
    "pattern": "That does not have the form I expected. Could you check it?",
    "other": "Something else",
}
_TOP = {
    *("name", "default_locale", "default_region", "default_assignee", "greeting", "consent"),
    *("questions", "products", "product_text", "contact", "calls_to_action"),
    *("call_to_action_text", "closing", "scoring", "classification_thresholds", "tiers"),
    *("quick_reply_seconds", "detailed_answer_characters", "messages", "translations"),
    *("widget", "proactive"),
    # Older names
    *("greeting_message", "product_menu", "cta_options", "sql_threshold", "mql_threshold"),
    *("ACTIVE_TESTS", "active_tests"),
}
_THRESHOLDS = {
    *("sql", "mql", "SQL", "MQL", "sql_threshold", "mql_threshold"),
    *("unqualified", "Unqualified", "UNQUALIFIED"),
}
# The longest version of a consent text that the proof of consent can hold.
LONGEST_VERSION = 64
LARGEST_WORTH = 1000
CALL_ACTIONS = (Action.DEMO_REQUESTED, Action.CTA_CLICKED)


class WorkflowInvalid(ValueError):
    """A workflow that a visitor would trip over; `problems` holds every reason."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def read_workflow(config: Any, tests: Any = None) -> Workflow:
    """The Workflow of a WORKFLOW_CONFIG and its ACTIVE_TESTS; WorkflowInvalid if it cannot be."""
    if too_large := find_too_large(config, tests):
        raise WorkflowInvalid(too_large)
    notes = Notes()
    if not isinstance(config, Mapping):
        notes.refuse("WORKFLOW_CONFIG", "must be a dictionary.")
        raise WorkflowInvalid(notes.problems)
    raw = notes.copied(config, "")
    tests = notes.copied(tests, "ACTIVE_TESTS")
    workflow = _Reader(notes).workflow(raw, tests)
    if notes.problems:
        raise WorkflowInvalid(notes.problems)
    return workflow


class _Reader:
    """Reads the parts of one configuration, in the order of a conversation."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def workflow(self, config: dict[str, Any], tests: Any) -> Workflow:
        """The whole, with a default wherever a part could not be read."""
        self.notes.known(config, _TOP, "")
        products = self._products(first(config, "products", "product_menu"))
        questions = read_questions(self.notes, config.get("questions"), products)
        sql, mql = self._thresholds(config)
        hot, warm = self._tiers(config.get("tiers"))
        if tests is None:
            tests = first(config, "ACTIVE_TESTS", "active_tests")
        text, whole = self.notes.text, self.notes.whole
        workflow = Workflow(
            questions=questions or (),
            greeting=self._greeting(first(config, "greeting", "greeting_message")),
            scoring=self._scoring(config.get("scoring")),
            sql_threshold=sql,
            mql_threshold=mql,
            hot_threshold=hot,
            warm_threshold=warm,
            name=text(config, "name", ""),
            default_locale=self._default_locale(config),
            default_region=self._region(config),
            default_assignee=text(config, "default_assignee", "", longest=255) or None,
            quick_reply_seconds=self.notes.number(config, "quick_reply_seconds", 120, ""),
            detailed_answer_characters=whole(config, "detailed_answer_characters", 10, ""),
            consent=self._consent(config.get("consent")),
            products=products,
            product_text=text(config, "product_text", ""),
            contact=self._contact(config.get("contact")),
            calls_to_action=self._calls(first(config, "calls_to_action", "cta_options")),
            call_to_action_text=text(config, "call_to_action_text", ""),
            closing=text(config, "closing", ""),
            widget=read_widget(self.notes, config.get("widget")),
            proactive=read_proactive(self.notes, config.get("proactive")),
            messages=self._messages(config.get("messages")),
            translations=self._translations(config.get("translations")),
            tests=read_tests(self.notes, tests, questions) if questions else (),
        )
        # Of questions that could not all be read, the rest would be blamed wrongly.
        if questions:
            check_whole(self.notes, workflow)
        return workflow

    def _default_locale(self, config: Mapping[str, Any]) -> str:
        name = self.notes.text(config, "default_locale", "") or "en"
        return self.notes.locale(name, "default_locale") or "en"

    def _region(self, config: Mapping[str, Any]) -> str:
        region = (self.notes.text(config, "default_region", "") or "IN").upper()
        if region not in phonenumbers.SUPPORTED_REGIONS:
            self.notes.refuse("default_region", f"{region!r} is no country; use two letters: IN.")
        return region

    def _greeting(self, raw: Any) -> Greeting:
        if isinstance(raw, str):
            return Greeting(raw)
        part = self.notes.mapping(raw, "greeting", "with text and replies, or a text")
        self.notes.known(part, {"text", "replies"}, "greeting")
        text = self.notes.text(part, "text", "greeting")
        return Greeting(text, self.notes.texts(part, "replies", "greeting"))

    def _consent(self, raw: Any) -> ConsentText | None:
        part = self.notes.mapping(raw, "consent", "with text and version")
        if not part:
            return None
        self.notes.known(part, {"text", "version", "required"}, "consent")
        text = self.notes.text(part, "text", "consent")
        version = self.notes.text(part, "version", "consent", longest=LONGEST_VERSION)
        if not text.strip() or not version.strip():
            self.notes.refuse(
                "consent", "needs a text and a version, so that one can prove what was agreed."
            )
        return ConsentText(text, version, self.notes.flag(part, "required", True, "consent"))

    def _products(self, raw: Any) -> tuple[Product, ...]:
        products = []
        for index, one in enumerate(self.notes.listed(raw, "products")):
            place = f"products[{index}]"
            part = {"name": one} if isinstance(one, str) else one
            part = self.notes.mapping(part, place, "with a name, or a text")
            self.notes.known(part, {"id", "name", "label", "title", "description"}, place)
            identifier, name = self._named(part, ("name", "label", "title"), place)
            products.append(Product(identifier, name, self.notes.text(part, "description", place)))
        self.notes.unique(products, "products", "id", lambda product: product.id)
        self.notes.unique(products, "products", "name", lambda product: fold(product.name))
        return tuple(products)

    def _contact(self, raw: Any) -> ContactStep | None:
        part = self.notes.mapping(raw, "contact", "with text and fields")
        if not part:
            return None
        self.notes.known(part, {"text", "fields"}, "contact")
        fields = self.notes.texts(part, "fields", "contact") or ("name", "email", "phone")
        for name in fields:
            if name not in PROFILE_FIELDS:
                known = ", ".join(PROFILE_FIELDS)
                self.notes.refuse("contact.fields", f"{name!r} is not one of {known}.")
        self.notes.unique(fields, "contact.fields", "name", str)
        return ContactStep(self.notes.text(part, "text", "contact"), fields)

    def _calls(self, raw: Any) -> tuple[CallToAction, ...]:
        calls = []
        for index, one in enumerate(self.notes.listed(raw, "calls_to_action")):
            place = f"calls_to_action[{index}]"
            part = {"label": one} if isinstance(one, str) else one
            part = self.notes.mapping(part, place, "with a label, or a text")
            self.notes.known(part, {"id", "label", "text", "name", "action"}, place)
            identifier, label = self._named(part, ("label", "text", "name"), place)
            calls.append(CallToAction(identifier, label, self._call_action(part, label, place)))
        self.notes.unique(calls, "calls_to_action", "id", lambda call: call.id)
        self.notes.unique(calls, "calls_to_action", "label", lambda call: fold(call.label))
        return tuple(calls)

    def _call_action(self, raw: Mapping[str, Any], label: str, place: str) -> Action:
        word = raw.get("action")
        if word is None:
            return Action.DEMO_REQUESTED if "demo" in label.lower() else Action.CTA_CLICKED
        action = find_action(str(word))
        if action not in CALL_ACTIONS:
            self.notes.refuse(f"{place}.action", "must be demo_requested or cta_clicked.")
            return Action.CTA_CLICKED
        return action

    def _named(self, raw: Mapping[str, Any], names: tuple[str, ...], place: str) -> tuple[str, str]:
        """The id and the name of a product or call; the id is made of the name if none is given."""
        name, identifier = first(raw, *names), raw.get("id")
        if not isinstance(name, str) or not fold(name) or len(name) > 200:
            self.notes.refuse(place, "needs a name that a visitor can read, at most 200 long.")
            name = place
        if isinstance(identifier, bool) or not isinstance(identifier, (str, int, type(None))):
            self.notes.refuse(f"{place}.id", "must be a text.")
        written = str(name if identifier is None else identifier)
        slug = re.sub(r"[^a-z0-9]+", "_", written.lower()).strip("_")
        # A name without one Latin letter leaves nothing: its place is then its id.
        return slug[:64] or re.sub(r"[^a-z0-9]+", "_", place).strip("_"), name

    def _scoring(self, raw: Any) -> Mapping[Action, int]:
        points, named = dict(DEFAULT_POINTS), set()
        for word, worth in self.notes.mapping(raw, "scoring", "from actions to points").items():
            place, action = f"scoring.{word}", find_action(word)
            if action is None:
                known = ", ".join(DEFAULT_POINTS)
                self.notes.refuse(place, f"is no action; known are {known}.")
            elif not _is_whole(worth) or abs(worth) > LARGEST_WORTH:
                self.notes.refuse(
                    place, f"must be a whole number from -{LARGEST_WORTH} to {LARGEST_WORTH}."
                )
            elif action not in DEFAULT_POINTS and worth != 0:
                self.notes.refuse(place, "earns no points; leave it out or set it to 0.")
            elif action in named and points[action] != worth:
                # Older tables hold all of its names; only what differs leaves a doubt.
                self.notes.refuse(place, f"is another name of {action}; keep one of them.")
            else:
                named.add(action)
                points[action] = worth
        return points

    def _thresholds(self, config: Mapping[str, Any]) -> tuple[int, int]:
        place = "classification_thresholds"
        raw = self.notes.mapping(config.get(place), place, "with sql and mql")
        self.notes.known(raw, _THRESHOLDS, place)
        older = {name: config[name] for name in _THRESHOLDS if name in config}
        sql = first({**older, **raw}, "sql", "SQL", "sql_threshold", default=60)
        mql = first({**older, **raw}, "mql", "MQL", "mql_threshold", default=30)
        if not (_is_whole(sql) and _is_whole(mql) and 0 < mql < sql):
            self.notes.refuse(
                place, "needs whole numbers, 0 < mql < sql, for example mql 30 and sql 60."
            )
            return 60, 30
        return sql, mql

    def _tiers(self, raw: Any) -> tuple[float, float]:
        part = self.notes.mapping(raw, "tiers", "with hot and warm")
        self.notes.known(part, {"hot", "warm"}, "tiers")
        hot, warm = part.get("hot", 75), part.get("warm", 50)
        if not (is_number(hot) and is_number(warm) and 0 < warm < hot):
            self.notes.refuse("tiers", "needs 0 < warm < hot, for example warm 50 and hot 75.")
            return 75, 50
        return float(hot), float(warm)

    def _messages(self, raw: Any) -> Mapping[str, str]:
        part = self.notes.mapping(raw, "messages", "from names to texts")
        self.notes.known(part, set(MESSAGES), "messages")
        texts = {name: self.notes.text(part, name, "messages") for name in part}
        return {**MESSAGES, **{name: text for name, text in texts.items() if text.strip()}}

    def _translations(self, raw: Any) -> Mapping[str, Mapping[str, Any]]:
        """The texts of each locale, by the name that it is looked up by."""
        part = self.notes.by_locale(raw, "translations")
        return {
            locale: self.notes.mapping(texts, f"translations.{locale}", "of texts")
            for locale, texts in part.items()
        }


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)

"""What an arm of an experiment changes: a WORKFLOW_CONFIG as the arm's visitors meet it.

The change is made to the plain data and the whole is read again, so that what is tried on
visitors passes the same checks as what is published, and a winner can be published as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from engine.plain_reading import Notes, at, first
from engine.vocabulary import DEFAULT_POINTS, find_action
from engine.workflow import Question, Workflow
from engine.workflow_reader import WorkflowInvalid, read_workflow


class Kind(StrEnum):
    """What an experiment varies."""

    GREETING = "greeting"
    QUESTION_ORDER = "question_order"
    TEXT = "text"
    OPTIONS = "options"
    CALLS_TO_ACTION = "calls_to_action"
    WORKFLOW = "workflow"
    POINTS = "points"


# What an arm of each kind may say; an empty arm leaves everything as it is.
PARTS: dict[Kind, tuple[str, ...]] = {
    Kind.GREETING: ("greeting", "greeting_translations"),
    Kind.QUESTION_ORDER: ("order",),
    Kind.TEXT: ("texts", "translations"),
    Kind.OPTIONS: ("options",),
    Kind.CALLS_TO_ACTION: ("calls_to_action",),
    Kind.WORKFLOW: ("workflow_version",),
    Kind.POINTS: ("scoring", "classification_thresholds"),
}
# Kinds that change no word of the version that a visitor sees.
UNSHOWN = frozenset({Kind.WORKFLOW, Kind.POINTS})
# The texts that can be tried, and where the configuration keeps each. The words of consent are
# none of them: what was agreed to is proved by its version.
TEXTS: dict[str, tuple[str, ...]] = {
    "closing": ("closing",),
    "contact": ("contact", "text"),
    "products": ("product_text",),
    "calls_to_action": ("call_to_action_text",),
}
# Parts under the names of older configurations, which would stand beside the changed ones.
_OLDER = {
    "greeting": ("greeting_message",),
    "calls_to_action": ("cta_options",),
    "classification_thresholds": ("sql_threshold", "mql_threshold"),
}

Raw = dict[str, Any]


def shown(
    config: Mapping[str, Any], tests: Any, workflow: Workflow, change: Mapping[str, Any]
) -> Workflow:
    """The workflow as an arm shows it; WorkflowInvalid with every reason why it cannot be."""
    return read_workflow(changed(config, workflow, change), tests)


def changed(config: Mapping[str, Any], workflow: Workflow, change: Mapping[str, Any]) -> Raw:
    """The configuration with an arm's change in it; WorkflowInvalid if it cannot be made."""
    notes = Notes()
    raw = _patched(notes, config, workflow, change)
    if notes.problems:
        raise WorkflowInvalid(notes.problems)
    return raw


def _patched(
    notes: Notes, config: Mapping[str, Any], workflow: Workflow, change: Mapping[str, Any]
) -> Raw:
    raw: Raw = copy.deepcopy(dict(config))
    # By the names that texts are looked up by, however they were written.
    raw["translations"] = {
        locale: copy.deepcopy(dict(texts)) for locale, texts in workflow.translations.items()
    }
    for part, apply in _CHANGES.items():
        if part in change:
            for older in _OLDER.get(part, ()):
                raw.pop(older, None)
            apply(notes, raw, workflow, change)
    return raw


def _change_greeting(notes: Notes, raw: Raw, workflow: Workflow, change: Mapping[str, Any]) -> None:
    text = notes.text(change, "greeting", "")
    if not text.strip() and isinstance(change["greeting"], str):
        notes.refuse("greeting", "must not be empty.")
    translated = notes.by_locale(change.get("greeting_translations"), "greeting_translations")
    raw["greeting"] = {"text": text, "replies": list(workflow.greeting.replies)}
    _translate(raw, ("greeting",), text, translated, text == workflow.greeting.text)


def _change_order(notes: Notes, raw: Raw, workflow: Workflow, change: Mapping[str, Any]) -> None:
    named: list[Question] = []
    for name in notes.listed(change["order"], "order"):
        question = _question(notes, workflow, str(name), "order")
        if question in named:
            notes.refuse("order", f"names {name!r} twice; keep one.")
        elif question:
            named.append(question)
    places = {question.id: place for place, question in enumerate(workflow.questions)}
    first_ones = [raw["questions"][places[question.id]] for question in named]
    raw["questions"] = [*first_ones, *(one for one in raw["questions"] if one not in first_ones)]


def _change_texts(notes: Notes, raw: Raw, workflow: Workflow, change: Mapping[str, Any]) -> None:
    texts = notes.mapping(change["texts"], "texts", "from names to texts")
    translations = notes.by_locale(change.get("translations"), "translations")
    for name in texts:
        place, text = at("texts", name), notes.text(texts, name, "texts")
        if not text.strip():
            notes.refuse(place, "must not be empty.")
        said = {
            locale: one[name]
            for locale, one in translations.items()
            if isinstance(one, Mapping) and name in one
        }
        if name.startswith("questions."):
            question = _question(notes, workflow, name.partition(".")[2], place)
            if question:
                written = raw["questions"][workflow.questions.index(question)]
                written.pop("question", None)
                written["text"] = text
                path = ("questions", question.slug, "text")
                _translate(raw, path, text, said, text == question.text)
        elif name not in TEXTS or (name == "contact" and workflow.contact is None):
            known = ", ".join(TEXTS)
            notes.refuse(place, f"is no text to try; known are {known} and questions.<slug>.")
        else:
            _write(raw, TEXTS[name], text)
            _translate(raw, (name,), text, said, text == workflow.text(name, None))


def _change_options(notes: Notes, raw: Raw, workflow: Workflow, change: Mapping[str, Any]) -> None:
    lists = notes.mapping(change["options"], "options", "from questions to their options")
    for name, options in lists.items():
        question = _question(notes, workflow, name, at("options", name))
        if question is None:
            continue
        written = raw["questions"][workflow.questions.index(question)]
        written.pop("options_from", None)
        written["options"] = options
        values = _values(options)
        for texts in raw["translations"].values():
            labels = texts.get("questions", {}).get(question.slug, {}).get("options")
            if isinstance(labels, dict):
                for gone in set(labels) - values:
                    del labels[gone]


def _change_calls(notes: Notes, raw: Raw, workflow: Workflow, change: Mapping[str, Any]) -> None:
    raw["calls_to_action"] = change["calls_to_action"]
    try:
        bare = read_workflow({**raw, "translations": {}}, {})
    except WorkflowInvalid:
        # The whole is read again, and says what is wrong.
        return
    known = {call.id for call in bare.calls_to_action}
    for texts in raw["translations"].values():
        labels = texts.get("call_labels")
        if isinstance(labels, dict):
            texts["call_labels"] = {key: text for key, text in labels.items() if key in known}


def _change_scoring(notes: Notes, raw: Raw, workflow: Workflow, change: Mapping[str, Any]) -> None:
    points: Raw = {str(action): workflow.points_for(action) for action in DEFAULT_POINTS}
    for word, worth in notes.mapping(change["scoring"], "scoring", "from actions").items():
        points[str(find_action(word) or word)] = worth
    raw["scoring"] = points


def _change_thresholds(
    notes: Notes, raw: Raw, workflow: Workflow, change: Mapping[str, Any]
) -> None:
    part = "classification_thresholds"
    given = notes.mapping(change[part], part, "with sql and mql")
    now = {"sql": workflow.sql_threshold, "mql": workflow.mql_threshold}
    raw[part] = {name: first(given, name, name.upper(), default=now[name]) for name in now}


_CHANGES: dict[str, Callable[[Notes, Raw, Workflow, Mapping[str, Any]], None]] = {
    "greeting": _change_greeting,
    # Before the order: these find a question by its place.
    "texts": _change_texts,
    "options": _change_options,
    "calls_to_action": _change_calls,
    "scoring": _change_scoring,
    "classification_thresholds": _change_thresholds,
    "order": _change_order,
}


def _translate(
    raw: Raw, path: tuple[str, ...], text: str, translated: Mapping[str, Any], keeps: bool
) -> None:
    """A text in every locale, untranslated if need be: else arms would differ in one only."""
    for locale in {**raw["translations"], **translated}:
        texts = raw["translations"].setdefault(locale, {})
        if locale in translated or not keeps:
            _write(texts, path, translated.get(locale, text))


def _write(raw: Raw, path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        raw = raw.setdefault(step, {})
    raw[path[-1]] = value


def _question(notes: Notes, workflow: Workflow, name: str, place: str) -> Question | None:
    question = workflow.find_question(name)
    if question is None:
        notes.refuse(place, f"{name!r} is no question of this workflow; name one of its slugs.")
    return question


def _values(options: Any) -> set[str]:
    """The values of options as they were written, as far as they can be any."""
    listed = options if isinstance(options, list) else []
    found = [one.get("value") if isinstance(one, dict) else one for one in listed]
    return {value for value in found if isinstance(value, str)}

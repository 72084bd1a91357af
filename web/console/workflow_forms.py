"""The forms of the workflow editor, read into the shape in which a workflow is kept.

Nothing typed is refused here: what is no number stays the text that it is, so that the workflow's
own reader says what is wrong, beside the field, with the draft kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import errors
from engine.vocabulary import DEFAULT_POINTS, PROFILE_FIELDS
from engine.widget_words import WORDS
from engine.workflow_reader import MESSAGES
from engine.workflow_shape import Plain, identifier
from lib.text import fold, strip_all
from web.console import condition_form as tree
from web.console.typed import form, keyed_rows, number_of, rows, text

MOST_PARTS = 4
OWN, ALWAYS = "own", "always"


def read_part(part: str) -> Plain:
    """What the form of a part says."""
    return _PARTS[part]()


def read_question(number: int) -> Plain:
    """What the form of a question says."""
    said = {name: text(name) for name in ("slug", "text", "type", "placeholder", "help", "pattern")}
    numbers = {name: number_of(name) for name in ("step", "min", "max")}
    question: Plain = {"id": number, **said, **numbers}
    if "options_from" in form():
        question["options_from"] = "products"
    else:
        question["options"] = [_option(row) for row in rows("options") if row.get("value")]
    if "required" not in form():
        question["required"] = False
    question["show_if"] = read_condition()
    return {**_spoken(question), "field": text("field") or None}


def read_tree() -> tree.Row | None:
    """The rows of when a question is asked; None where they stand as text for developers."""
    when = text("when")
    if when == OWN:
        return None
    # "Always" keeps what is written below it on the page, and says nothing of it.
    return tree.typed_tree(keyed_rows("if"), when)


def read_condition() -> Any:
    """When the question is asked; None for always."""
    if text("when") == OWN:
        try:
            return strip_all(json.loads(text("own", lines=True) or "null"))
        except (ValueError, RecursionError):
            return text("own", lines=True)
    whole = read_tree() if text("when") in tree.GROUPS else None
    return tree.condition_of(whole) if whole else None


def condition_form(condition: Any, typed: tree.Row | None = None) -> tuple[str, tree.Row, str]:
    """How a condition stands in its form: always, a group's word or one's own; rows; the text."""
    if typed is not None:
        return text("when") if text("when") in tree.GROUPS else ALWAYS, typed, ""
    whole = tree.tree_of(condition)
    if whole is None:
        said = condition if isinstance(condition, str) else json.dumps(condition, indent=1)
        return OWN, tree.Row(word=tree.ALL), said
    return ALWAYS if condition is None else whole.word, whole, ""


def read_texts() -> Plain:
    """What the form of a language says: a text for each place that it names."""
    found: Plain = {}
    for row in rows("t", lines=True):
        path = _path(row.get("key", ""))
        if path and row.get("text"):
            inner = found
            for name in path[:-1]:
                inner = inner.setdefault(name, {})
                if not isinstance(inner, dict):
                    raise errors.Invalid("This form cannot be read; load the page again.")
            inner[path[-1]] = row["text"]
    return found


# The parts


def _beginning() -> Plain:
    top = ("name", "default_locale", "default_region", "default_assignee")
    replies = [
        {"value": row["value"], "was": row.get("was") or row["value"]}
        for row in rows("replies")
        if row.get("value")
    ]
    greeting = {"text": text("greeting.text", lines=True), "replies": replies}
    consent: Plain = {}
    if "consent" in form():
        consent = {
            "text": text("consent.text", lines=True),
            "version": text("consent.version"),
            "required": "consent.required" in form(),
        }
    return _spoken({**{name: text(name) for name in top}, "greeting": greeting, "consent": consent})


def _ending() -> Plain:
    contact: Plain = {}
    if "contact" in form():
        chosen = form().getlist("contact.fields")
        fields = [name for name in PROFILE_FIELDS if name in chosen]
        contact = {"text": text("contact.text", lines=True), "fields": fields}
    return _spoken(
        {
            "product_text": text("product_text", lines=True),
            "products": _identified("products", "name", ("description",)),
            "contact": contact,
            "call_to_action_text": text("call_to_action_text", lines=True),
            "calls_to_action": _identified("calls_to_action", "label", ("action",)),
            "closing": text("closing", lines=True),
        }
    )


def _points() -> Plain:
    return _spoken(
        {
            "scoring": _spoken({str(one): number_of(f"scoring.{one}") for one in DEFAULT_POINTS}),
            "quick_reply_seconds": number_of("quick_reply_seconds"),
            "detailed_answer_characters": number_of("detailed_answer_characters"),
            "classification_thresholds": _numbers("classification_thresholds", ("sql", "mql")),
            "tiers": _numbers("tiers", ("hot", "warm")),
        }
    )


def _widget() -> Plain:
    scheme, position = text("widget.theme.scheme"), text("widget.position")
    theme = {
        "accent": text("widget.theme.accent"),
        "scheme": "" if scheme == "auto" else scheme,
    }
    words = {name: text(f"widget.words.{name}") for name in WORDS["en"]}
    widget = {
        "title": text("widget.title"),
        "launcher": text("widget.launcher"),
        "position": "" if position == "end" else position,
        "theme": _spoken(theme),
        "words": _spoken(words),
    }
    messages = {name: text(f"messages.{name}", lines=True) for name in MESSAGES}
    return _spoken(
        {"widget": _spoken(widget), "proactive": _proactive(), "messages": _spoken(messages)}
    )


def _proactive() -> Plain:
    if "proactive" not in form():
        return {}
    said: Plain = _numbers("proactive", ("after_seconds", "scroll_percent", "cap_hours"))
    if "proactive.exit_intent" in form():
        said["exit_intent"] = True
    said["url_pattern"] = text("proactive.url_pattern")
    # Switched on, it must say when: the reader tells.
    return _spoken(said) or {"exit_intent": False}


_PARTS: Mapping[str, Callable[[], Plain]] = {
    "beginning": _beginning,
    "ending": _ending,
    "points": _points,
    "widget": _widget,
}


# Small things


def _numbers(part: str, names: Sequence[str]) -> Plain:
    return _spoken({name: number_of(f"{part}.{name}") for name in names})


def _identified(part: str, name: str, more: Sequence[str]) -> list[Plain]:
    found: list[Plain] = []
    for row in rows(part):
        if row.get(name):
            key = row.get("id") or _free_id(row[name], found, f"{part}[{len(found)}]")
            found.append(
                _spoken({"id": key, name: row[name], **{one: row.get(one) for one in more}})
            )
    return found


def _free_id(said: str, taken: Sequence[Plain], place: str) -> str:
    known = {one["id"] for one in taken}
    slug = identifier(said, place)
    return slug if slug not in known else identifier("", place)


def _option(row: Mapping[str, str]) -> Plain:
    value, other = row["value"], "other" in row
    words = [word.strip() for word in row.get("synonyms", "").split(",")]
    option: Plain = {"value": value, "synonyms": [word for word in words if word]}
    if other != (fold(value) == "other"):
        option["other"] = other
    return {**_spoken(option), "was": row.get("was") or value}


def _path(key: str) -> list[str]:
    try:
        found = strip_all(json.loads(key))
    except (ValueError, RecursionError):
        return []
    is_path = isinstance(found, list) and all(isinstance(one, str) for one in found)
    return found if is_path and 1 <= len(found) <= MOST_PARTS else []


def _spoken(part: Plain) -> Plain:
    """Without what says nothing."""
    return {name: one for name, one in part.items() if one not in (None, "", [], {})}

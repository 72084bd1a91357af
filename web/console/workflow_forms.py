"""The forms of the workflow editor, read into the shape in which a workflow is kept.

Nothing typed is refused here: what is no number stays the text that it is, so that the workflow's
own reader says what is wrong, beside the field, with the draft kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import request

import errors
from engine.conditions import LIST_OPS, NUMBER_OPS, PRESENCE_OPS
from engine.vocabulary import DEFAULT_POINTS, PROFILE_FIELDS
from engine.widget_words import WORDS
from engine.workflow_reader import MESSAGES
from engine.workflow_shape import Plain, identifier
from lib.text import fold, strip_all, strip_controls

ROW = re.compile(r"([a-z_]{1,20})-(\w{1,16})-([a-z_]{1,16})")
WHOLE = re.compile(r"-?[0-9]{1,15}")
BROKEN = re.compile(r"-?[0-9]{1,15}[.,][0-9]{1,9}")
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
    if "options_from" in request.form:
        question["options_from"] = "products"
    else:
        question["options"] = [_option(row) for row in rows("options") if row.get("value")]
    if "required" not in request.form:
        question["required"] = False
    question["show_if"] = read_condition()
    return {**_spoken(question), "field": text("field") or None}


def read_condition() -> Any:
    """When the question is asked; None for always."""
    when = text("when")
    if when == OWN:
        try:
            return strip_all(json.loads(text("own", lines=True) or "null"))
        except (ValueError, RecursionError):
            return text("own", lines=True)
    leaves = [_leaf(row) for row in rows("if") if row.get("subject")]
    if when not in ("all", "any") or not leaves:
        return None
    return leaves[0] if len(leaves) == 1 else {when: leaves}


def condition_form(condition: Any) -> tuple[str, list[Plain], str]:
    """How a condition stands in its form: always, all, any or one's own words; rows; the words."""
    if condition is None:
        return ALWAYS, [], ""
    word = next((one for one in ("all", "any") if _is_list_of_leaves(condition, one)), "all")
    leaves = condition[word] if isinstance(condition, dict) and word in condition else [condition]
    if not all(_is_leaf(leaf) for leaf in leaves):
        said = condition if isinstance(condition, str) else json.dumps(condition, indent=1)
        return OWN, [], said
    return word, [{**leaf, "value": _shown(leaf.get("value"))} for leaf in leaves], ""


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


def text(name: str, *, lines: bool = False) -> str:
    """A field's text without characters that nobody can see."""
    found = request.form.get(name, "").replace("\r\n", "\n")
    return strip_controls(found, keep_lines=lines).strip()


def whole(name: str, least: int = 0) -> int:
    """A whole number that our own page put into the form; Invalid if it is none."""
    found = request.form.get(name, "")
    if not WHOLE.fullmatch(found) or int(found) < least:
        raise errors.Invalid("This form cannot be read; load the page again.")
    return int(found)


def number_of(name: str) -> Any:
    """A field's number; what is none stays a text, and "" is nothing."""
    return _number(text(name))


def rows(name: str, *, lines: bool = False) -> list[dict[str, str]]:
    """The rows of a list in a form, in the order of the page."""
    found: dict[str, dict[str, str]] = {}
    for key in request.form:
        part = ROW.fullmatch(key)
        if part and part[1] == name:
            found.setdefault(part[2], {})[part[3]] = text(key, lines=lines)
    return list(found.values())


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
    if "consent" in request.form:
        consent = {
            "text": text("consent.text", lines=True),
            "version": text("consent.version"),
            "required": "consent.required" in request.form,
        }
    return _spoken({**{name: text(name) for name in top}, "greeting": greeting, "consent": consent})


def _ending() -> Plain:
    contact: Plain = {}
    if "contact" in request.form:
        chosen = request.form.getlist("contact.fields")
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
    if "proactive" not in request.form:
        return {}
    said: Plain = _numbers("proactive", ("after_seconds", "scroll_percent", "cap_hours"))
    if "proactive.exit_intent" in request.form:
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


def _leaf(row: Mapping[str, str]) -> Plain:
    op, value = row.get("op", ""), row.get("value", "")
    leaf: Plain = {"subject": row["subject"], "op": op}
    if op in PRESENCE_OPS:
        return leaf
    if op in LIST_OPS:
        return {**leaf, "value": [one.strip() for one in value.split(";") if one.strip()]}
    is_number = op in NUMBER_OPS or row["subject"] == "score"
    return {**leaf, "value": _number(value) if is_number else value}


def _is_list_of_leaves(condition: Any, word: str) -> bool:
    return isinstance(condition, dict) and isinstance(condition.get(word), list)


def _is_leaf(condition: Any) -> bool:
    return isinstance(condition, dict) and set(condition) <= {"subject", "op", "value"}


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return "" if value is None else str(value)


def _path(key: str) -> list[str]:
    try:
        found = strip_all(json.loads(key))
    except (ValueError, RecursionError):
        return []
    is_path = isinstance(found, list) and all(isinstance(one, str) for one in found)
    return found if is_path and 1 <= len(found) <= MOST_PARTS else []


def _number(said: str) -> Any:
    if WHOLE.fullmatch(said):
        return int(said)
    return float(said.replace(",", ".")) if BROKEN.fullmatch(said) else said


def _spoken(part: Plain) -> Plain:
    """Without what says nothing."""
    return {name: one for name, one in part.items() if one not in (None, "", [], {})}

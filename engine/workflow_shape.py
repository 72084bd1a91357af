"""A WORKFLOW_CONFIG in the one shape that forms edit: today's names, lists of dictionaries.

It says the same as the configuration it is made of. What has no place in that shape is left out,
after the reader has complained about it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from engine.plain_reading import Notes, first
from engine.question_reader import OLDER_SLUGS
from engine.vocabulary import PROFILE_FIELDS, QuestionType, find_action

Plain = dict[str, Any]

_SAME = (
    *("name", "default_locale", "default_region", "default_assignee"),
    *("product_text", "call_to_action_text", "closing"),
    *("quick_reply_seconds", "detailed_answer_characters"),
)
_ORDER = (
    *("name", "default_locale", "default_region", "default_assignee", "greeting", "consent"),
    *("questions", "product_text", "products", "contact", "call_to_action_text"),
    *("calls_to_action", "closing", "widget", "proactive", "scoring", "quick_reply_seconds"),
    *("detailed_answer_characters", "classification_thresholds", "tiers", "messages"),
    "translations",
)
_QUESTION = (
    *("id", "slug", "text", "type", "options", "options_from", "field", "required", "step"),
    *("show_if", "placeholder", "help", "pattern", "min", "max"),
)
_CONTACT_TYPES = {"email": QuestionType.EMAIL, "phone": QuestionType.PHONE}


def shaped(config: Any, tests: Any = None) -> tuple[Plain, Plain]:
    """The workflow and its ACTIVE_TESTS, whatever older names they came in."""
    raw = _plain(config)
    if tests is None:
        tests = first(raw, "ACTIVE_TESTS", "active_tests")
    made: Plain = {name: raw[name] for name in _SAME if raw.get(name) not in (None, "")}
    made |= _conversation(raw) | _rules(raw)
    return in_order(made), _plain(tests)


def in_order(config: Mapping[str, Any]) -> Plain:
    """The parts in the order of a conversation; those that are empty are left out."""
    return {name: config[name] for name in _ORDER if _says(config.get(name)) and config[name] != {}}


def next_number(configs: list[Mapping[str, Any]]) -> int:
    """The id of a new question: one that none of these workflows ever gave to another."""
    numbers = [
        one["id"]
        for config in configs
        for one in _dicts(config.get("questions"))
        if isinstance(one.get("id"), int)
    ]
    return max(numbers, default=0) + 1


def _conversation(raw: Plain) -> Plain:
    greeting = first(raw, "greeting", "greeting_message")
    contact, consent = _plain(raw.get("contact")), _plain(raw.get("consent"))
    said = {"text": greeting} if isinstance(greeting, str) else _plain(greeting)
    return {
        "greeting": _with_texts(said, "replies"),
        "consent": {"required": True, **consent} if consent else {},
        "questions": _questions(raw.get("questions")),
        "products": _named(
            first(raw, "products", "product_menu"), "products", "name", ("label", "title")
        ),
        "contact": _with_texts(contact, "fields"),
        "calls_to_action": _named(
            first(raw, "calls_to_action", "cta_options"),
            "calls_to_action",
            "label",
            ("text", "name"),
        ),
        "widget": _look(raw.get("widget")),
        "proactive": _plain(raw.get("proactive")),
    }


def _rules(raw: Plain) -> Plain:
    older: Plain = {name: raw[name] for name in ("sql_threshold", "mql_threshold") if name in raw}
    borders: Plain = {**older, **_plain(raw.get("classification_thresholds"))}
    found = {
        "sql": first(borders, "sql", "SQL", "sql_threshold"),
        "mql": first(borders, "mql", "MQL", "mql_threshold"),
    }
    scoring = {
        str(find_action(word) or word): worth for word, worth in _plain(raw.get("scoring")).items()
    }
    return {
        "scoring": scoring,
        "classification_thresholds": {k: v for k, v in found.items() if v is not None},
        "tiers": _plain(raw.get("tiers")),
        "messages": _plain(raw.get("messages")),
        "translations": {
            locale: _plain(one) for locale, one in _plain(raw.get("translations")).items()
        },
    }


def _questions(raw: Any) -> list[Plain]:
    given = _dicts(raw)
    older = not any({"slug", "key", "field"} & set(one) for one in given)
    made: list[Plain] = []
    taken: set[int] = set()
    for one in given:
        number = one.get("id")
        if not isinstance(number, int) or isinstance(number, bool) or number in taken:
            number = next_number([{"questions": [*given, *made]}])
        taken.add(number)
        made.append(_question({**one, "id": number}, older=older))
    return made


def _question(one: Plain, *, older: bool) -> Plain:
    number = one["id"]
    named = first(one, "slug", "key", "field")
    slug = (OLDER_SLUGS.get(number) if older else None) or f"question_{number}"
    slug = slug if named is None else named
    field = one.get("field", slug if slug in PROFILE_FIELDS else None)
    options = [_option(option) for option in _list(one.get("options"))]
    made = {
        **one,
        "slug": str(slug),
        "text": str(first(one, "text", "question", default="")),
        "field": field,
        "type": one.get("type") or _guessed(field, options, one.get("options_from")),
        "options": options,
    }
    if not options:
        del made["options"]
    if made.get("required") is True:
        # Which is what it means when nothing is said.
        del made["required"]
    return {name: made[name] for name in _QUESTION if name == "field" or _says(made.get(name))}


def _guessed(field: Any, options: list[Plain], source: Any) -> str:
    """The type that the reader takes a question for, if none is written."""
    if not options and source is None:
        return str(_CONTACT_TYPES.get(str(field), QuestionType.TEXT))
    several = field == "features_interested"
    return str(QuestionType.MULTI_CHOICE if several else QuestionType.CHOICE)


def _option(raw: Any) -> Plain:
    if not isinstance(raw, dict):
        return {"value": str(raw)}
    kept = {name: raw[name] for name in ("synonyms", "other") if name in raw}
    return {"value": str(raw.get("value", "")), **_with_texts(kept, "synonyms")}


def identifier(said: Any, place: str) -> str:
    """The id of a product or call, made of what is said, else of its place."""
    slug = re.sub(r"[^a-z0-9]+", "_", str(said).lower()).strip("_")
    return slug[:64] or re.sub(r"[^a-z0-9]+", "_", place).strip("_")


def _named(raw: Any, part: str, name: str, others: tuple[str, ...]) -> list[Plain]:
    made = []
    for index, one in enumerate(Notes().listed(raw, "")):
        given = one if isinstance(one, dict) else {name: str(one)}
        rest = {key: value for key, value in given.items() if key not in ("id", name, *others)}
        text = first(given, name, *others, default="")
        said = text if given.get("id") is None else given["id"]
        made.append({"id": identifier(said, f"{part}[{index}]"), name: text, **rest})
    return made


def _look(raw: Any) -> Plain:
    """The widget's look without what it looks like anyway."""
    widget, theme = _plain(raw), _plain(_plain(raw).get("theme"))
    if "words" in widget:
        widget["words"] = _plain(widget["words"])
    if widget.get("position") == "end":
        del widget["position"]
    if theme.get("scheme") == "auto":
        del theme["scheme"]
    kept = {key: one for key, one in widget.items() if key != "theme"}
    return {**kept, "theme": theme} if theme else kept


def _with_texts(part: Plain, name: str) -> Plain:
    """A part whose list of this name is one of texts."""
    return {**part, name: [str(one) for one in _list(part[name])]} if name in part else part


def _says(value: Any) -> bool:
    return value not in (None, "", [])


def _plain(raw: Any) -> Plain:
    """A dictionary of its own, so that no edit reaches back into what it was made of."""
    return dict(json.loads(json.dumps(raw))) if isinstance(raw, Mapping) else {}


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _dicts(raw: Any) -> list[Plain]:
    return [one for one in _list(raw) if isinstance(one, dict)]

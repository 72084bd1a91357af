"""What a lead has beside the usual fields, as rows of a form: changed, added, taken away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from engine.vocabulary import PROFILE_FIELDS, PROTECTED_FIELDS
from errors import Invalid
from lib.text import strip_controls
from services.profile import LONGEST_NAME, MOST_ATTRIBUTES
from web.console.frame import trouble

NAME, VALUE, NEW_NAME, NEW_VALUE = (
    *("attribute_name", "attribute_value"),
    *("new_attribute_name", "new_attribute_value"),
)
# So many empty rows stand ready; whoever needs more saves in between.
FREE = 3


@dataclass(frozen=True)
class Row:
    """One attribute as its row shows it, with the sentences about what is wrong."""

    name: str
    text: str
    is_new: bool = False
    wrong: tuple[str, ...] = ()


def rows(attributes: Mapping[str, Any]) -> list[Row]:
    """The rows of a lead; of a form that was refused, as they were typed."""
    found = trouble()
    known = {name: _text(value) for name, value in _ours(attributes).items()}
    known |= dict(zip(found.typed.get(NAME, ()), found.typed.get(VALUE, ()), strict=False))
    typed = (
        list(zip(found.typed.get(NEW_NAME, ()), found.typed.get(NEW_VALUE, ()), strict=False))
        or [("", "")] * FREE
    )
    shown = [Row(name, text) for name, text in known.items()]
    shown += [Row(name, text, is_new=True) for name, text in typed]
    return [
        Row(
            one.name,
            one.text,
            one.is_new,
            tuple(found.fields.get(one.name, ())) if one.name else (),
        )
        for one in shown
    ]


def changes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What a form makes of a lead's attributes: an emptied value is taken away.

    What stays as it was shown is not sent, so that a number or a list of another program keeps
    its kind.
    """
    known, sent, wrong = _ours(attributes), dict[str, Any](), dict[str, list[str]]()
    for name, text in _pairs(NAME, VALUE):
        if name in known and text != _text(known[name]):
            sent[name] = _value(text, known[name])
    for name, text in _pairs(NEW_NAME, NEW_VALUE):
        if not name and not text:
            continue
        if problem := _problem(name, text, {*known, *sent}):
            wrong[name] = [problem]
        sent[name] = text
    if len({*known, *sent}) > MOST_ATTRIBUTES:
        wrong[""] = [f"A lead has at most {MOST_ATTRIBUTES} attributes of its own."]
    if wrong:
        said = "Some of the attributes cannot be kept; nothing was changed."
        raise Invalid(" ".join([said, *wrong.pop("", [])]), fields=wrong)
    return sent


def _problem(name: str, text: str, known: set[str]) -> str | None:
    if not name or len(name) > LONGEST_NAME:
        return f"An attribute's name has 1 to {LONGEST_NAME} characters."
    if name in known:
        return "There is one of this name already."
    if name in PROFILE_FIELDS or name in PROTECTED_FIELDS:
        return "This name is taken: it means something else here."
    return None if text else "Say what it is."


def _ours(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those that people see: none that was taken away, none that hides behind a field."""
    return {
        name: attributes[name]
        for name in sorted(attributes)
        if attributes[name] is not None
        and name not in PROFILE_FIELDS
        and name not in PROTECTED_FIELDS
    }


def _pairs(name: str, value: str) -> list[tuple[str, str]]:
    names, values = request.form.getlist(name), request.form.getlist(value)
    return [(_plain(one), _plain(text)) for one, text in zip(names, values, strict=False)]


def _plain(typed: str) -> str:
    return strip_controls(typed).strip()


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(text: str, before: Any) -> Any:
    """The text as the kind of thing that stood there before, where it can be read so."""
    if not text:
        return None
    if isinstance(before, str):
        return text
    try:
        read = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    is_number = isinstance(before, (int, float)) and not isinstance(before, bool)
    kinds: Any = (int, float) if is_number else type(before)
    return read if isinstance(read, kinds) else text

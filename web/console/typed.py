"""What was typed: texts, numbers and rows of this request's form, or of a form inside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

from flask import g, request
from werkzeug.datastructures import MultiDict

import errors
from lib.text import strip_controls

ROW = re.compile(r"([a-z_]{1,20})-(\w{1,16})-([a-z_]{1,16})", re.ASCII)
WHOLE = re.compile(r"-?[0-9]{1,15}")
BROKEN = re.compile(r"-?[0-9]{1,15}[.,][0-9]{1,9}")
MOST_FIELDS = 5000

Said = MultiDict[str, str]


def form() -> Said:
    """The fields that were sent."""
    found: Said = g.get("typed_form", request.form)
    return found


@contextmanager
def form_of(text: str) -> Iterator[None]:
    """Within it `form()` is the one of this text, as a browser would have sent it."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise errors.Malformed("This form cannot be read.") from None
    g.typed_form = MultiDict(pairs)
    try:
        yield
    finally:
        del g.typed_form


def text(name: str, *, lines: bool = False) -> str:
    """A field's text without characters that nobody can see."""
    found = form().get(name, "").replace("\r\n", "\n")
    return strip_controls(found, keep_lines=lines).strip()


def whole(name: str, least: int = 0) -> int:
    """A whole number that our own page put into the form; Invalid if it is none."""
    found = form().get(name, "")
    if not WHOLE.fullmatch(found) or int(found) < least:
        raise errors.Invalid("This form cannot be read; load the page again.")
    return int(found)


def number_of(name: str) -> Any:
    """A field's number; what is none stays a text, and "" is nothing."""
    return as_number(text(name))


def as_number(said: str) -> Any:
    """The number that somebody typed; what is none stays the text that it is."""
    if WHOLE.fullmatch(said):
        return int(said)
    return float(said.replace(",", ".")) if BROKEN.fullmatch(said) else said


def rows(name: str, *, lines: bool = False) -> list[dict[str, str]]:
    """The rows of a list in a form, in the order of the page."""
    return list(keyed_rows(name, lines=lines).values())


def keyed_rows(name: str, *, lines: bool = False) -> dict[str, dict[str, str]]:
    """The same by the keys that the page gave them."""
    found: dict[str, dict[str, str]] = {}
    for key in form():
        part = ROW.fullmatch(key)
        if part and part[1] == name:
            found.setdefault(part[2], {})[part[3]] = text(key, lines=lines)
    return found

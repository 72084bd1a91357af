"""Whom an experiment is for, as rows of a form: what is known of a visitor, and what it must be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from errors import Invalid, invalid_field
from web.console.typed import text

Condition = dict[str, Any]
KNOWN: Mapping[str, str] = {
    "utm_source": "Source (utm_source)",
    "utm_medium": "Medium (utm_medium)",
    "utm_campaign": "Campaign (utm_campaign)",
    "utm_term": "Search word (utm_term)",
    "utm_content": "Advertisement (utm_content)",
    "path": "Page, without the website's name",
    "url": "Page, whole address",
    "referrer": "Page they came from",
    "language": "Language",
    "locale": "Language and country",
    "device": "Device",
    "returning": "Has been here before",
}
OPERATORS: Mapping[str, str] = {
    "in": "is one of",
    "not_in": "is none of",
    "contains": "contains",
    "not_contains": "does not contain",
    "begins": "begins with",
    "known": "is known",
    "unknown": "is not known",
}
EXAMPLES: Mapping[str, Sequence[str]] = {
    "utm_source": ("google_ads", "newsletter"),
    "path": ("/pricing",),
    "language": ("en", "hi"),
    "locale": ("en-IN", "pt-BR"),
    "device": ("mobile", "tablet", "desktop"),
    "returning": ("yes", "no"),
}
ALL, ANY = "all", "any"
ROWS = 3
_YES = {"yes": True, "no": False}
_LISTS = {"in": "$ini", "not_in": "$nini"}
_PATTERNS = {"contains": "$regexi", "not_contains": "$notRegexi", "begins": "$regexi"}


@dataclass(frozen=True)
class Ask:
    """One row: what is asked of a visitor."""

    name: str = ""
    op: str = "in"
    value: str = ""


@dataclass(frozen=True)
class Target:
    """The rows, and whether all of them must hold or one."""

    word: str = ALL
    rows: tuple[Ask, ...] = ()

    @property
    def with_room(self) -> tuple[Ask, ...]:
        """The rows and empty ones to write in."""
        return (*self.rows, *(Ask() for _ in range(max(2, ROWS - len(self.rows)))))


def typed_target(most: int = 40) -> Target:
    """The rows of the form."""
    rows = (
        Ask(text(f"who-{n}-name"), text(f"who-{n}-op"), text(f"who-{n}-value")) for n in range(most)
    )
    word = ANY if text("who") == ANY else ALL
    return Target(word, tuple(row for row in rows if row.name))


def targeting_of(target: Target) -> Condition:
    """The condition that rows say; Invalid names the row that says nothing."""
    parts = [{row.name: _asked(row)} for row in target.rows]
    if target.word == ANY and len(parts) > 1:
        return {"$or": parts}
    names = [row.name for row in target.rows]
    if len(set(names)) < len(names):
        return {"$and": parts}
    return {name: wanted for part in parts for name, wanted in part.items()}


def target_of(condition: Mapping[str, Any]) -> Target | None:
    """The rows of a stored condition; None for one that rows cannot say."""
    # A database may keep names in an order of its own.
    names = sorted(condition, key=lambda name: (*KNOWN, name).index(name))
    word, parts = ALL, [{name: condition[name]} for name in names]
    for logic, said in (("$or", ANY), ("$and", ALL)):
        if set(condition) == {logic}:
            word, parts = said, condition[logic]
    rows = [_row(part) for part in parts] if isinstance(parts, list) else [None]
    if None in rows:
        return None
    return Target(word, tuple(row for row in rows if row))


def in_words(condition: Mapping[str, Any]) -> str:
    """Whom a stored condition lets in; "" for everybody."""
    target = target_of(condition)
    if target is None:
        return "facts meet conditions that a developer wrote"
    lines = [f"{KNOWN[row.name].lower()} {OPERATORS[row.op]} {row.value}" for row in target.rows]
    return (" or " if target.word == ANY else " and ").join(line.strip() for line in lines)


def _asked(row: Ask) -> Any:
    if row.name not in KNOWN or row.op not in OPERATORS:
        raise invalid_field("targeting", "Choose what is asked of a visitor, and how.")
    if row.op in ("known", "unknown"):
        return {"$exists": row.op == "known"}
    said = [one.strip() for one in row.value.split(";") if one.strip()]
    if not said:
        raise invalid_field("targeting", f"{KNOWN[row.name]}: write what it must be.")
    if row.name == "returning":
        return _returning(said[0].lower(), row.op)
    if row.op in _LISTS:
        return {_LISTS[row.op]: said}
    start = "^" if row.op == "begins" else ""
    return {_PATTERNS[row.op]: start + re.escape(row.value.strip())}


def _returning(said: str, op: str) -> bool:
    if said not in _YES or op not in _LISTS:
        raise invalid_field("targeting", "Whether somebody has been here before is yes or no.")
    return _YES[said] == (op == "in")


def _row(part: Any) -> Ask | None:
    if not isinstance(part, Mapping) or len(part) != 1:
        return None
    ((name, wanted),) = part.items()
    if name not in KNOWN:
        return None
    for row in _readings(str(name), wanted):
        if _says(row, wanted):
            return row
    return _plain(str(name), wanted)


def _plain(name: str, wanted: Any) -> Ask | None:
    """A row for the shorter words of a program: a bare text, or a list with its case."""
    listed = wanted.get("$in") if isinstance(wanted, Mapping) and len(wanted) == 1 else None
    said = [wanted] if isinstance(wanted, str) else listed
    if not isinstance(said, list) or not all(_is_value(one) for one in said):
        return None
    return Ask(name, "in", "; ".join(said)) if said else None


def _is_value(one: Any) -> bool:
    return isinstance(one, str) and bool(one.strip()) and ";" not in one


def _readings(name: str, wanted: Any) -> list[Ask]:
    """The rows that may have said this."""
    if isinstance(wanted, bool):
        return [Ask(name, "in", "yes" if wanted else "no")]
    if not isinstance(wanted, Mapping) or len(wanted) != 1:
        return []
    ((operator, value),) = wanted.items()
    if operator == "$exists":
        return [Ask(name, "known" if value else "unknown")]
    if isinstance(value, list):
        return [Ask(name, op, "; ".join(map(str, value))) for op in _LISTS]
    bare = re.sub(r"\\(.)", r"\1", str(value), flags=re.DOTALL)
    return [Ask(name, op, bare.removeprefix("^")) for op in _PATTERNS] + [
        Ask(name, op, bare) for op in _PATTERNS
    ]


def _says(row: Ask, wanted: Any) -> bool:
    try:
        return bool(_asked(row) == wanted)
    except Invalid:
        return False

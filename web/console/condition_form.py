"""When a question is asked, as rows of a form: comparisons, and groups of them within groups.

A row is named by where it stands: `if-2-…` is the third of the whole, `if-2_0-…` the first within
it. So a form says the whole tree without a script, and a button that posts can change its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.conditions import LIST_OPS, NUMBER_OPS, PRESENCE_OPS
from engine.workflow_shape import Plain
from web.console.typed import as_number

ALL, ANY, NONE, NOT_ALL = "all", "any", "none", "not_all"
GROUPS: Mapping[str, str] = {
    ALL: "all of these are true",
    ANY: "one of these is true",
    NONE: "none of these is true",
    NOT_ALL: "not all of these are true",
}
DEEPEST = 3
MOST_ROWS = 50
_WORDS = {NONE: ANY, NOT_ALL: ALL}


@dataclass(frozen=True)
class Row:
    """A comparison, or (with a word of GROUPS) a group of rows; the whole has no key."""

    key: str = ""
    subject: str = ""
    op: str = "eq"
    value: str = ""
    word: str = ""
    rows: tuple[Row, ...] = ()

    @property
    def depth(self) -> int:
        """How many groups it stands in, the whole not counted."""
        return self.key.count("_") + 1 if self.key else 0

    @property
    def may_hold_groups(self) -> bool:
        """Whether one more group within it can still be read by people."""
        return self.depth < DEEPEST


def tree_of(condition: Any) -> Row | None:
    """A stored condition as rows; None for what is none, or is nested deeper than a form shows."""
    if condition is None:
        return Row(word=ALL)
    group = _as_group(condition)
    word, parts = group or (ALL, [condition])
    return _filled(Row(word=word), parts)


def typed_tree(rows: Mapping[str, Mapping[str, str]], word: str) -> Row:
    """The rows of a form by their keys, as a tree; rows of a group that is not there are left."""
    return _grown(Row(word=word if word in GROUPS else ALL), rows)


def condition_of(whole: Row) -> Any:
    """The condition that rows say, as it is stored; None for none. Empty rows say nothing."""
    said = [condition for _, condition in _said(whole)]
    if not said:
        return None
    if whole.word in _WORDS:
        return {"not": said[0] if len(said) == 1 else {_WORDS[whole.word]: said}}
    return said[0] if len(said) == 1 else {whole.word: said}


def places(whole: Row, place: str = "show_if") -> Iterator[tuple[str, str]]:
    """Where each row stands in the stored condition, the outermost first, with the row's key."""
    said = list(_said(whole))
    inside = f"{place}.not" if whole.word in _WORDS else place
    for index, (row, _) in enumerate(said):
        word = _WORDS.get(whole.word, whole.word)
        at = inside if len(said) == 1 else f"{inside}.{word}[{index}]"
        yield at, row.key
        if row.word:
            yield from places(row, at)


def row_of(place: str, keys: Mapping[str, str]) -> str:
    """The row, as `if-1_0`, in which a place of the stored condition is; "" for one elsewhere."""
    while place.startswith("show_if"):
        if place in keys:
            return f"if-{keys[place]}"
        place = place.rpartition(".")[0]
    return ""


def changed(whole: Row, what: str) -> Row:
    """The rows after a button: `add <key>`, `group <key>` or `remove <key>`."""
    verb, _, key = what.partition(" ")
    if verb == "remove":
        return _renumbered(_without(whole, key))
    if verb not in ("add", "group"):
        return whole
    new = Row(word=ANY, rows=(Row(), Row())) if verb == "group" else Row()
    return _renumbered(_with(whole, key, new))


def with_room(whole: Row) -> Row:
    """The rows, and an empty one where there is none to write in."""
    return whole if whole.rows else _renumbered(replace(whole, rows=(Row(),)))


def _as_group(condition: Any) -> tuple[str, list[Any]] | None:
    """The word and the parts of a condition that is a group; None for a comparison."""
    if not isinstance(condition, dict) or len(condition) != 1:
        return None
    for word in (ALL, ANY):
        if isinstance(condition.get(word), list):
            return word, condition[word]
    if "not" not in condition:
        return None
    inner = _as_group(condition["not"])
    if inner and inner[0] in (ALL, ANY):
        return (NONE if inner[0] == ANY else NOT_ALL), inner[1]
    return NONE, [condition["not"]]


def _filled(group: Row, parts: list[Any]) -> Row | None:
    rows = []
    for index, part in enumerate(parts):
        row = _row(part, f"{group.key}_{index}".lstrip("_"))
        if row is None or index >= MOST_ROWS:
            return None
        rows.append(row)
    return replace(group, rows=tuple(rows)) if rows else None


def _row(part: Any, key: str) -> Row | None:
    group = _as_group(part)
    if group:
        row = Row(key=key, word=group[0])
        return _filled(row, group[1]) if row.depth <= DEEPEST else None
    if not isinstance(part, dict) or not {"subject"} <= set(part) <= {"subject", "op", "value"}:
        return None
    subject, op = str(part.get("subject", "")), str(part.get("op", ""))
    return Row(key, subject, op, _shown(part.get("value")))


def _grown(group: Row, rows: Mapping[str, Mapping[str, str]]) -> Row:
    prefix = f"{group.key}_" if group.key else ""
    found = []
    for key, said in rows.items():
        if not key.startswith(prefix) or "_" in key.removeprefix(prefix):
            continue
        row = Row(key, said.get("subject", ""), said.get("op", "eq"), said.get("value", ""))
        if said.get("group") in GROUPS:
            row = Row(key, word=said["group"])
            row = _grown(row, rows) if row.depth <= DEEPEST else row
        found.append(row)
    return replace(group, rows=tuple(found[:MOST_ROWS]))


def _said(group: Row) -> Iterator[tuple[Row, Any]]:
    for row in group.rows:
        condition = condition_of(row) if row.word else _comparison(row)
        if condition is not None:
            yield row, condition


def _comparison(row: Row) -> Plain | None:
    if not row.subject:
        return None
    leaf: Plain = {"subject": row.subject, "op": row.op}
    if row.op in PRESENCE_OPS:
        return leaf
    if row.op in LIST_OPS:
        return {**leaf, "value": [one.strip() for one in row.value.split(";") if one.strip()]}
    is_number = row.op in NUMBER_OPS or row.subject == "score"
    return {**leaf, "value": as_number(row.value) if is_number else row.value}


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return "" if value is None else str(value)


def _without(group: Row, key: str) -> Row:
    kept = (row for row in group.rows if row.key != key)
    return replace(group, rows=tuple(_without(row, key) if row.word else row for row in kept))


def _with(group: Row, key: str, new: Row) -> Row:
    inner = tuple(_with(row, key, new) if row.word else row for row in group.rows)
    is_here = group.key == key and len(inner) < MOST_ROWS
    fits = not new.word or group.may_hold_groups
    return replace(group, rows=(*inner, new) if is_here and fits else inner)


def _renumbered(group: Row) -> Row:
    rows = []
    for index, row in enumerate(group.rows):
        numbered = replace(row, key=f"{group.key}_{index}".lstrip("_"))
        rows.append(_renumbered(numbered) if row.word else numbered)
    return replace(group, rows=tuple(rows))

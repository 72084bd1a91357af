"""When is a question asked: conditions on earlier answers, the score and the source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.journey import Given, Journey
from lib.text import fold as fold_text

NUMBER_OPS = frozenset({"gt", "gte", "lt", "lte"})
LIST_OPS = frozenset({"in", "not_in"})
TEXT_OPS = frozenset({"eq", "ne", "contains"})
PRESENCE_OPS = frozenset({"answered", "skipped"})
OPS = NUMBER_OPS | LIST_OPS | TEXT_OPS | PRESENCE_OPS

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "gt": lambda left, right: left > right,
    "gte": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "lte": lambda left, right: left <= right,
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison: `answer:<slug>`, `utm:<name>` or `score`, an operator and a value."""

    subject: str
    op: str
    value: Any = None

    @property
    def key(self) -> str:
        """The name under which a fact stores this comparison's outcome."""
        return f"{self.subject} {self.op} {json.dumps(self.value, ensure_ascii=False)}"


@dataclass(frozen=True, slots=True)
class Every:
    """True when all of its parts are."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """True when one of its parts is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when its part is not."""

    part: Condition


Condition = Leaf | Every | Some | Not


def leaves(condition: Condition | None) -> Iterator[Leaf]:
    """Every comparison inside a condition."""
    if condition is None:
        return
    if isinstance(condition, Leaf):
        yield condition
    elif isinstance(condition, Not):
        yield from leaves(condition.part)
    else:
        for part in condition.parts:
            yield from leaves(part)


def holds(
    condition: Condition,
    journey: Journey,
    question_ids: Mapping[str, int],
    is_closed: Mapping[str, bool],
) -> bool:
    """Whether a condition is true of a journey.

    `question_ids` and `is_closed` map a question's slug to its id and to whether its answers are
    options (read from the journey) or typed (then the outcome was stored with the answer).
    """
    if isinstance(condition, Every):
        return all(holds(part, journey, question_ids, is_closed) for part in condition.parts)
    if isinstance(condition, Some):
        return any(holds(part, journey, question_ids, is_closed) for part in condition.parts)
    if isinstance(condition, Not):
        return not holds(condition.part, journey, question_ids, is_closed)
    if condition.subject == "score":
        return _COMPARE[condition.op](journey.branching_score, float(condition.value))
    kind, _, name = condition.subject.partition(":")
    if kind == "utm":
        return journey.conditions.get(condition.key, False)
    given = journey.answers.get(question_ids[name])
    if condition.op == "answered":
        return given is not None and not given.skipped
    if condition.op == "skipped":
        return given is not None and given.skipped
    if given is None or given.skipped:
        return False
    if is_closed[name]:
        return _holds_of_options(condition, given)
    return journey.conditions.get(condition.key, False)


def _holds_of_options(leaf: Leaf, given: Given) -> bool:
    if leaf.op in NUMBER_OPS:
        return any(holds_of_text(leaf, option) for option in given.options)
    wanted = {fold_text(str(one)) for one in _as_list(leaf.value)}
    chosen = {fold_text(option) for option in given.options}
    if leaf.op in ("ne", "not_in"):
        return not (wanted & chosen)
    return bool(wanted & chosen)


def holds_of_text(leaf: Leaf, text: str) -> bool:
    """Whether a comparison is true of a typed text, number or date (dates compare as ISO text)."""
    left = fold_text(text)
    if leaf.op in LIST_OPS:
        inside = left in {fold_text(str(one)) for one in _as_list(leaf.value)}
        return inside if leaf.op == "in" else not inside
    right = fold_text(str(leaf.value))
    if leaf.op == "contains":
        return right in left
    numbers = _number(left), _number(right)
    if numbers[0] is not None and numbers[1] is not None:
        return _COMPARE[leaf.op](numbers[0], numbers[1])
    if leaf.op in ("eq", "ne"):
        return (left == right) == (leaf.op == "eq")
    return _compare_text(leaf.op, left, right)


def _compare_text(op: str, left: str, right: str) -> bool:
    order = (left > right) - (left < right)
    return _COMPARE[op](order, 0) if left and right else False


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]

"""When is a question asked: conditions on earlier answers, the score and the source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.journey import Given
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


def holds(condition: Condition, is_true: Callable[[Leaf], bool]) -> bool:
    """Whether a condition is true, given which of its comparisons are."""
    if isinstance(condition, Every):
        return all(holds(part, is_true) for part in condition.parts)
    if isinstance(condition, Some):
        return any(holds(part, is_true) for part in condition.parts)
    if isinstance(condition, Not):
        return not holds(condition.part, is_true)
    return is_true(condition)


def settled_key(leaf: Leaf, question_id: int) -> str:
    """The name under which a comparison of the score is kept once its question was answered."""
    return f"{leaf.key} for {question_id}"


def score_holds(leaf: Leaf, score: float) -> bool:
    """Whether a comparison is true of a score."""
    return _COMPARE[leaf.op](score, float(leaf.value))


def answer_holds(
    leaf: Leaf, given: Given | None, outcomes: Mapping[str, bool], *, is_closed: bool
) -> bool:
    """Whether a comparison is true of an answer.

    Options are read from the answer itself; of what was typed, the outcome was stored with it.
    """
    if leaf.op == "skipped":
        return given is not None and given.skipped
    if given is None or given.skipped:
        return False
    if leaf.op == "answered":
        return True
    return _holds_of_options(leaf, given) if is_closed else outcomes.get(leaf.key, False)


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
    if leaf.op in PRESENCE_OPS:
        return leaf.op == "answered"
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
    return _COMPARE[op]((left > right) - (left < right), 0)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]

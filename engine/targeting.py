"""Who an experiment is for: conditions over what is known of a visitor when they arrive.

The language is the condition syntax of GrowthBook's SDK specification (a subset of MongoDB's
queries), and its published vectors are our tests. It compares as JavaScript does, where
`"8" > 5` holds and nothing counts as zero.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache

Attributes = Mapping[str, object]
Groups = Mapping[str, Sequence[object]]

# A pattern is written by people and met by strangers' texts: both are kept short, because a
# regular expression may take time that grows steeply with them.
LONGEST_PATTERN = 200
LONGEST_SUBJECT = 500


def is_met(condition: Mapping[str, object], known: object, groups: Groups | None = None) -> bool:
    """Whether what is known of a visitor meets the condition; an empty condition always is."""
    return all(_part(name, wanted, known, groups or {}) for name, wanted in condition.items())


def _part(name: str, wanted: object, known: object, groups: Groups) -> bool:
    if name == "$or":
        return _some(wanted, known, groups)
    if name == "$nor":
        return not _some(wanted, known, groups)
    if name == "$and":
        return all(is_met(part, known, groups) for part in _conditions(wanted))
    if name == "$not":
        return not (isinstance(wanted, Mapping) and is_met(wanted, known, groups))
    return _value_meets(wanted, _at(known, name), groups)


def _some(wanted: object, known: object, groups: Groups) -> bool:
    parts = _conditions(wanted)
    return not parts or any(is_met(part, known, groups) for part in parts)


def _conditions(wanted: object) -> list[Mapping[str, object]]:
    return [part for part in _as_list(wanted) if isinstance(part, Mapping)]


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _at(known: object, path: str) -> object:
    """The value at a dotted path, None where there is none."""
    for step in path.split("."):
        if not isinstance(known, Mapping) or step not in known:
            return None
        known = known[step]
    return known


def _value_meets(wanted: object, value: object, groups: Groups, fold: bool = False) -> bool:
    if isinstance(wanted, Mapping) and _is_operators(wanted):
        return all(_holds(str(name), value, part, groups) for name, part in wanted.items())
    if isinstance(wanted, str):
        return _text(value, fold) == _text(wanted, fold)
    if isinstance(wanted, bool):
        return value is not None and bool(value) == wanted
    if isinstance(wanted, (int, float)):
        return _number(value) == wanted
    return _same(value, wanted)


def _is_operators(wanted: Mapping[object, object]) -> bool:
    return bool(wanted) and all(str(name).startswith("$") for name in wanted)


def _holds(name: str, value: object, wanted: object, groups: Groups) -> bool:
    """Whether one operator holds; a name that nobody knows never does."""
    if name in _PLAIN:
        return _PLAIN[name](value, wanted)
    if name in _GROUPED:
        return _GROUPED[name](value, wanted, groups)
    return False


def _same(left: object, right: object) -> bool:
    """Equal without any conversion: true is not one."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def _text(value: object, fold: bool = False) -> str:
    """The value as JavaScript writes it."""
    if value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, float) and value.is_integer():
        text = str(int(value))
    else:
        text = str(value)
    return text.lower() if fold else text


def _number(value: object) -> float:
    """The value as a number: nothing is zero, and a text that is no number compares with none."""
    if value is None or value == "":
        return 0.0
    if isinstance(value, (bool, int, float)):
        return float(value)
    try:
        return float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return math.nan


def _order(left: object, right: object) -> float:
    """Below, at or above zero as left is below, at or above right; NaN when they do not compare."""
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    return _number(left) - _number(right)


def padded_version(value: object) -> str:
    """A version as a text that sorts as versions do: 1.2.10 after 1.2.9, a beta before both."""
    text = _text(value) if isinstance(value, (str, int, float)) and value else "0"
    parts = re.split(r"[-.]", re.sub(r"^v|\+.*$", "", text))
    if len(parts) == 3:
        # A release sorts after its pre-releases: no letter is above the tilde.
        parts.append("~")
    return "-".join(part.rjust(5) if part.isascii() and part.isdigit() else part for part in parts)


def _versions(value: object, wanted: object) -> int:
    left, right = padded_version(value), padded_version(wanted)
    return (left > right) - (left < right)


def _is_in(value: object, wanted: Collection[object], fold: bool = False) -> bool:
    """Whether the value, or one element of it, is among those wanted."""
    mine = value if isinstance(value, (list, tuple)) else [value]
    if fold:
        mine = [_folded(one) for one in mine]
        wanted = [_folded(one) for one in wanted]
    return any(_same(one, other) for one in mine for other in wanted)


def _folded(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _in(value: object, wanted: object, fold: bool = False) -> bool:
    return isinstance(wanted, (list, tuple)) and _is_in(value, wanted, fold)


def _not_in(value: object, wanted: object, fold: bool = False) -> bool:
    return isinstance(wanted, (list, tuple)) and not _is_in(value, wanted, fold)


@lru_cache(maxsize=256)
def _pattern(text: str, flags: re.RegexFlag) -> re.Pattern[str] | None:
    """The pattern, None for one that is broken or too long."""
    try:
        return re.compile(text, flags) if len(text) <= LONGEST_PATTERN else None
    except re.error:
        return None


def _matches(value: object, wanted: object, flags: re.RegexFlag = re.NOFLAG) -> bool:
    pattern = _pattern(_text(wanted), flags)
    return bool(pattern and pattern.search(_text(value)[:LONGEST_SUBJECT]))


def _type(value: object) -> str:
    """What JavaScript calls the type of the value."""
    if value is None:
        return "null"
    for name, kinds in _TYPES.items():
        if isinstance(value, kinds):
            return name
    return "unknown"


def _all(value: object, wanted: object, groups: Groups, fold: bool = False) -> bool:
    if not isinstance(value, (list, tuple)):
        return False
    return all(
        any(_value_meets(part, one, groups, fold) for one in value) for part in _as_list(wanted)
    )


def _one_matches(value: object, wanted: object, groups: Groups) -> bool:
    if not isinstance(value, (list, tuple)) or not isinstance(wanted, Mapping):
        return False
    if _is_operators(wanted):
        return any(_value_meets(wanted, one, groups) for one in value)
    return any(is_met(wanted, one, groups) for one in value)


def _size(value: object, wanted: object, groups: Groups) -> bool:
    return isinstance(value, (list, tuple)) and _value_meets(wanted, len(value), groups)


# In this order: to Python a truth value is a whole number too.
_TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "number": (int, float),
    "string": (str,),
    "array": (list, tuple),
    "object": (Mapping,),
}

_PLAIN: dict[str, Callable[[object, object], bool]] = {
    "$eq": _same,
    "$ne": lambda value, wanted: not _same(value, wanted),
    "$lt": lambda value, wanted: _order(value, wanted) < 0,
    "$lte": lambda value, wanted: _order(value, wanted) <= 0,
    "$gt": lambda value, wanted: _order(value, wanted) > 0,
    "$gte": lambda value, wanted: _order(value, wanted) >= 0,
    "$veq": lambda value, wanted: _versions(value, wanted) == 0,
    "$vne": lambda value, wanted: _versions(value, wanted) != 0,
    "$vlt": lambda value, wanted: _versions(value, wanted) < 0,
    "$vlte": lambda value, wanted: _versions(value, wanted) <= 0,
    "$vgt": lambda value, wanted: _versions(value, wanted) > 0,
    "$vgte": lambda value, wanted: _versions(value, wanted) >= 0,
    "$exists": lambda value, wanted: (value is not None) == bool(wanted),
    "$in": _in,
    "$nin": _not_in,
    "$ini": lambda value, wanted: _in(value, wanted, fold=True),
    "$nini": lambda value, wanted: _not_in(value, wanted, fold=True),
    "$regex": _matches,
    "$regexi": lambda value, wanted: _matches(value, wanted, re.IGNORECASE),
    "$notRegex": lambda value, wanted: not _matches(value, wanted),
    "$notRegexi": lambda value, wanted: not _matches(value, wanted, re.IGNORECASE),
    "$type": lambda value, wanted: _type(value) == wanted,
}

_GROUPED: dict[str, Callable[[object, object, Groups], bool]] = {
    "$not": lambda value, wanted, groups: not _value_meets(wanted, value, groups),
    "$size": _size,
    "$all": _all,
    "$alli": lambda value, wanted, groups: _all(value, wanted, groups, fold=True),
    "$elemMatch": _one_matches,
    "$inGroup": lambda value, wanted, groups: _is_in(value, groups.get(str(wanted), ())),
    "$notInGroup": lambda value, wanted, groups: not _is_in(value, groups.get(str(wanted), ())),
}
# What a condition may name, for those who check one before it is started.
OPERATORS = frozenset(_PLAIN) | frozenset(_GROUPED)

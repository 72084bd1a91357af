"""What is known of a visitor when they arrive, and what an experiment's target may ask of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from engine.targeting import LONGEST_PATTERN, OPERATORS
from engine.vocabulary import UTM_FIELDS

ATTRIBUTES = (*UTM_FIELDS, "url", "path", "referrer", "locale", "language", "device", "returning")
_LOGIC = ("$or", "$nor", "$and", "$not")
_MOBILE = re.compile(r"iPhone|iPod|Android.+Mobile|Mobi", re.IGNORECASE)
# A repeated group can be made to run for minutes, and so can many repeats one after the other.
_RISKY = re.compile(r"\)\s*[*+{?]|\\[1-9]|\(\?[^:]")
_UNBOUNDED = re.compile(r"[*+]|\{[0-9]*,[0-9]*\}")
MOST_REPEATS = 2
_TABLET = re.compile(r"iPad|Tablet|Android(?!.*Mobile)", re.IGNORECASE)


def visitor_attributes(
    visit: Mapping[str, Any], user_agent: str | None = None
) -> dict[str, object]:
    """What a targeting condition may ask about a visit."""
    url = str(visit.get("landing_page") or "")
    locale = str(visit.get("locale") or "")
    known: dict[str, object] = {name: visit.get(name) for name in UTM_FIELDS}
    return {
        **known,
        "url": url,
        "path": _path(url),
        "referrer": visit.get("referrer"),
        "locale": locale or None,
        "language": locale.replace("_", "-").partition("-")[0].lower() or None,
        "device": None if user_agent is None else device_of(user_agent),
        "returning": False,
    }


def _path(url: str) -> str | None:
    try:
        return urlsplit(url).path or None
    except ValueError:
        return None


def device_of(user_agent: str | None) -> str:
    """What kind of device a program runs on, as far as its name tells."""
    said = user_agent or ""
    if _TABLET.search(said):
        return "tablet"
    return "mobile" if _MOBILE.search(said) else "desktop"


def names_of(targeting: Any) -> set[str]:
    """What a condition asks about a visitor."""
    if not isinstance(targeting, Mapping):
        return set()
    found: set[str] = set()
    for name, wanted in targeting.items():
        if name in _LOGIC:
            for part in wanted if isinstance(wanted, list) else [wanted]:
                found |= names_of(part)
        else:
            found.add(name)
    return found


def condition_problems(raw: Any) -> Iterable[str]:
    """What is wrong with a targeting condition, a sentence each."""
    if not isinstance(raw, Mapping):
        return ["A condition is an object from what is known of a visitor to what it must be."]
    problems: list[str] = []
    for name, wanted in raw.items():
        if name in _LOGIC:
            parts = [wanted] if name == "$not" else wanted
            for part in parts if isinstance(parts, list) else [parts]:
                problems.extend(condition_problems(part))
        elif name not in ATTRIBUTES:
            problems.append(
                f"{name!r} is not known of a visitor; known are {', '.join(ATTRIBUTES)}."
            )
        else:
            problems.extend(_operator_problems(wanted))
    return problems


def _operator_problems(wanted: Any) -> Iterable[str]:
    if not isinstance(wanted, Mapping):
        return
    for name, part in wanted.items():
        if name not in OPERATORS:
            yield f"{name!r} is no comparison; known are {', '.join(sorted(OPERATORS))}."
        elif name.lower().endswith(("regex", "regexi")) and not _is_pattern(part):
            yield f"{part!r} is no pattern of at most {LONGEST_PATTERN} characters."
        else:
            # Comparisons may hold others: those of each element, those that must not hold.
            for inner in part if isinstance(part, list) else [part]:
                yield from _operator_problems(inner)


def _is_pattern(text: Any) -> bool:
    """Whether a pattern can be read, and takes no time to speak of on a visitor's text."""
    if not isinstance(text, str) or len(text) > LONGEST_PATTERN or _RISKY.search(text):
        return False
    try:
        return bool(re.compile(text)) and len(_UNBOUNDED.findall(text)) <= MOST_REPEATS
    except re.error:
        return False

"""Plain data read part by part: each mistake is noted with its place and remedy, none is raised."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lib.text import LOCALE, LONGEST_LOCALE, locale_chain, strip_controls

DEEPEST = 20
# Beyond this a visitor could not type the number, and a database could not count with it.
LARGEST_NUMBER = 10**12
LONGEST_TEXT = 5000
MOST_PROBLEMS = 200


@dataclass(frozen=True)
class Problem:
    """One reason why a workflow cannot be used: where, and what to do about it."""

    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


class Notes:
    """The small readers of a configuration, and what they found wrong with it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, place: str, sentence: str) -> None:
        """Note a problem; more than anybody reads through are not kept."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(place, sentence))

    def copied(self, raw: Any, place: str, depth: int = 0) -> Any:
        """The data as JSON would hold them: what cannot be kept is noted and becomes None."""
        if raw is None or isinstance(raw, bool):
            return raw
        if isinstance(raw, str):
            return self._copied_text(str(raw), place)
        if isinstance(raw, (int, float)):
            if is_number(raw):
                return raw
            self.refuse(place, f"is no number to count with; use one up to {LARGEST_NUMBER}.")
            return None
        if not isinstance(raw, (Mapping, list, tuple)):
            kind = type(raw).__name__
            self.refuse(place, f"is a {kind}; use texts, numbers, True, False, [lists], {{…}}.")
            return None
        if depth >= DEEPEST:
            self.refuse(place, f"is nested more than {DEEPEST} deep; make it flatter.")
            return None
        if isinstance(raw, Mapping):
            return self._copied_mapping(raw, place, depth)
        return [self.copied(one, f"{place}[{i}]", depth + 1) for i, one in enumerate(raw)]

    def _copied_text(self, raw: str, place: str) -> str:
        text = strip_controls(raw, keep_lines=True)
        if text != raw:
            self.refuse(place, "holds an invisible control character; type the text again.")
        if len(text) > LONGEST_TEXT:
            self.refuse(place, f"is longer than {LONGEST_TEXT} characters; say it in fewer words.")
        return text

    def _copied_mapping(self, raw: Mapping[Any, Any], place: str, depth: int) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        for key, value in raw.items():
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                self.refuse(place, "has a key that is no text; put the key in quotes.")
                continue
            name = self._copied_text(str(key), place)
            if name in copy:
                self.refuse(at(place, name), "stands here twice; keep one.")
            copy[name] = self.copied(value, at(place, name), depth + 1)
        return copy

    def known(self, raw: Mapping[str, Any], known: set[str], place: str) -> None:
        """Refuse every key but these."""
        for key in raw:
            if key not in known:
                names = ", ".join(sorted(known))
                self.refuse(at(place, key), f"is not a known key; known here are {names}.")

    def unique(
        self, things: Sequence[Any], place: str, what: str, key: Callable[[Any], Any]
    ) -> None:
        """Refuse two things with the same key."""
        seen = set()
        for thing in things:
            if key(thing) in seen:
                self.refuse(place, f"two have the same {what} {key(thing)!r}; give each its own.")
            seen.add(key(thing))

    def text(self, raw: Mapping[str, Any], name: str, place: str, *, longest: int = 0) -> str:
        """A text, or an empty one where there is none."""
        value = raw.get(name)
        if value is not None and not isinstance(value, str):
            self.refuse(at(place, name), "must be a text.")
        text = value if isinstance(value, str) else ""
        if longest and len(text) > longest:
            self.refuse(at(place, name), f"has more than {longest} characters; shorten it.")
        return text

    def texts(self, raw: Mapping[str, Any], name: str, place: str) -> tuple[str, ...]:
        """A list of texts, none of them empty."""
        value = raw.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(_is_word(one) for one in value):
            self.refuse(at(place, name), "must be a list of texts, none of them empty.")
            return ()
        return tuple(value)

    def word(self, raw: Mapping[str, Any], name: str, known: tuple[str, ...], place: str) -> str:
        """One of a few words; the first where none is given."""
        value = raw.get(name, known[0])
        if value not in known:
            self.refuse(at(place, name), f"must be one of {', '.join(known)}.")
            return known[0]
        return str(value)

    def locale(self, name: str, place: str) -> str | None:
        """The locale as texts are looked up by it: `pt-BR`, however it was written."""
        if len(name) > LONGEST_LOCALE or not LOCALE.fullmatch(name):
            self.refuse(place, f"{name!r} is no locale; write it like hi or pt-BR.")
            return None
        return locale_chain(name, name)[0]

    def by_locale(self, raw: Any, place: str) -> dict[str, Any]:
        """A dictionary of something for each locale."""
        found: dict[str, Any] = {}
        for name, one in self.mapping(raw, place, "from locales to texts").items():
            locale = self.locale(name, f"{place}.{name}")
            if locale in found:
                self.refuse(f"{place}.{name}", f"is {locale} once more; put the two together.")
            elif locale:
                found[locale] = one
        return found

    def listed(self, raw: Any, place: str) -> list[Any]:
        """A list; a dictionary of things by id is read as one, too."""
        if raw is None:
            return []
        if isinstance(raw, dict):
            return [
                {"id": key, **(one if isinstance(one, dict) else {"name": one})}
                for key, one in raw.items()
            ]
        if not isinstance(raw, list):
            self.refuse(place, "must be a list.")
            return []
        return raw

    def mapping(self, raw: Any, place: str, what: str) -> dict[str, Any]:
        """A dictionary, empty where there is none."""
        if raw is not None and not isinstance(raw, dict):
            self.refuse(place, f"must be a dictionary {what}.")
        return raw if isinstance(raw, dict) else {}

    def flag(self, raw: Mapping[str, Any], name: str, default: bool, place: str) -> bool:
        """True or False."""
        value = raw.get(name, default)
        if not isinstance(value, bool):
            self.refuse(at(place, name), "must be True or False.")
        return bool(value)

    def number(self, raw: Mapping[str, Any], name: str, default: float, place: str) -> float:
        """A number that is not below 0."""
        value = self.optional_number(raw, name, place)
        if value is not None and value < 0:
            self.refuse(at(place, name), "must be a number, not below 0.")
        return default if value is None else value

    def optional_number(self, raw: Mapping[str, Any], name: str, place: str) -> float | None:
        """A number, or None where there is none."""
        value = raw.get(name)
        if value is not None and not is_number(value):
            self.refuse(at(place, name), "must be a number.")
            return None
        return None if value is None else float(value)

    def whole(self, raw: Mapping[str, Any], name: str, default: int, place: str) -> int:
        """A whole number that is not below 0."""
        value = self.number(raw, name, default, place)
        if value != int(value):
            self.refuse(at(place, name), "must be a whole number.")
        return int(value)


def at(place: str, name: str) -> str:
    """The place of a part inside another."""
    return f"{place}.{name}" if place else name


def first(raw: Mapping[str, Any], *names: str, default: Any = None) -> Any:
    """The value of the first of several names that is there."""
    return next((raw[name] for name in names if name in raw), default)


def is_number(value: Any) -> bool:
    """Whether this is a number that one can count with."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    # The order matters: a whole number of 400 digits is no float.
    return abs(value) <= LARGEST_NUMBER and math.isfinite(value)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())

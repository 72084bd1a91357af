"""How large a workflow may be: judged by counting, before anything else of it is read.

A file may come from anybody who may change a draft, and each part of it is compared with others:
what is refused here has cost no more than a walk over so many values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.plain_reading import DEEPEST, Problem, first

# Texts, numbers, lists and dictionaries together, and the letters of all texts.
MOST_VALUES = 50_000
MOST_LETTERS = 1_000_000
MOST_QUESTIONS = 200
MOST_OPTIONS = 100
# Of all questions together.
MOST_OPTIONS_IN_ALL = 3_000
MOST_SYNONYMS = 50
MOST_COMPARISONS = 100
MOST_PRODUCTS = 100
MOST_CALLS = 50
MOST_REPLIES = 20
MOST_TESTS = 20
MOST_LOCALES = 50
_INNER = ("all", "any", "not")


def find_too_large(config: Any, tests: Any = None) -> list[Problem]:
    """What of a WORKFLOW_CONFIG and its ACTIVE_TESTS is more than is read; mostly nothing."""
    if not isinstance(config, Mapping):
        return []
    whole = _whole(config, tests)
    return [whole] if whole else list(_parts(config, tests))


def _whole(config: Any, tests: Any) -> Problem | None:
    """Walks no further than it may go, so that nothing endless is walked to its end."""
    values = letters = 0
    left: list[tuple[Any, int]] = [(config, 0), (tests, 0)]
    while left:
        one, depth = left.pop()
        values += 1
        if depth > DEEPEST:
            # Refused as too deep by who reads it.
            continue
        if isinstance(one, Mapping):
            # Keys are texts as well; beyond the limit nobody looks at them.
            values += len(one)
            if values <= MOST_VALUES:
                letters += sum(len(key) for key in one if isinstance(key, str))
                left.extend((inner, depth + 1) for inner in one.values())
        elif isinstance(one, (list, tuple)):
            if values + len(one) <= MOST_VALUES:
                left.extend((inner, depth + 1) for inner in one)
            else:
                values += len(one)
        elif isinstance(one, str):
            letters += len(one)
        if values > MOST_VALUES:
            sentence = f"holds more than {MOST_VALUES:,} texts and numbers; take some out."
            return Problem("WORKFLOW_CONFIG", sentence)
        if letters > MOST_LETTERS:
            sentence = f"has texts of more than {MOST_LETTERS:,} letters together; shorten them."
            return Problem("WORKFLOW_CONFIG", sentence)
    return None


def _parts(config: Mapping[str, Any], tests: Any) -> Iterator[Problem]:
    greeting = first(config, "greeting", "greeting_message")
    replies = greeting.get("replies") if isinstance(greeting, Mapping) else None
    given = first(config, "ACTIVE_TESTS", "active_tests") if tests is None else tests
    questions = config.get("questions")
    lists = (
        ("questions", questions, MOST_QUESTIONS, "questions"),
        ("products", first(config, "products", "product_menu"), MOST_PRODUCTS, "products"),
        (
            "calls_to_action",
            first(config, "calls_to_action", "cta_options"),
            MOST_CALLS,
            "calls to action",
        ),
        ("greeting.replies", replies, MOST_REPLIES, "replies"),
        ("translations", config.get("translations"), MOST_LOCALES, "languages"),
        ("ACTIVE_TESTS", given, MOST_TESTS, "experiments"),
    )
    for place, part, most, what in lists:
        yield from _fewer(place, part, most, what)
    if isinstance(questions, (list, tuple)) and len(questions) <= MOST_QUESTIONS:
        asked = [(index, one) for index, one in enumerate(questions) if isinstance(one, Mapping)]
        for index, one in asked:
            yield from _question(one, f"questions[{index}]")
        products = first(config, "products", "product_menu")
        options = sum(_count(one, products) for _, one in asked)
        if options > MOST_OPTIONS_IN_ALL:
            sentence = (
                f"have {options:,} options together, at most {MOST_OPTIONS_IN_ALL:,} are read."
            )
            yield Problem("questions", sentence)


def _question(raw: Mapping[str, Any], place: str) -> Iterator[Problem]:
    options = raw.get("options")
    yield from _fewer(f"{place}.options", options, MOST_OPTIONS, "options")
    if isinstance(options, (list, tuple)) and len(options) <= MOST_OPTIONS:
        for index, option in enumerate(options):
            words = option.get("synonyms") if isinstance(option, Mapping) else None
            yield from _fewer(
                f"{place}.options[{index}].synonyms", words, MOST_SYNONYMS, "synonyms"
            )
    if _comparisons(raw.get("show_if")) > MOST_COMPARISONS:
        sentence = f"compares more than {MOST_COMPARISONS} things; use fewer conditions."
        yield Problem(f"{place}.show_if", sentence)


def _count(question: Mapping[str, Any], products: Any) -> int:
    """How many options a question has, written out or taken from the products."""
    given = products if question.get("options_from") == "products" else question.get("options")
    return len(given) if isinstance(given, (Mapping, list, tuple)) else 0


def _comparisons(condition: Any) -> int:
    """How many values a condition compares with, counted no further than matters."""
    count, left = 0, [condition]
    while left and count <= MOST_COMPARISONS:
        one = left.pop()
        if isinstance(one, (list, tuple)):
            left.extend(one)
        elif isinstance(one, Mapping):
            inner = [one[word] for word in _INNER if word in one]
            left.extend(inner)
            if not inner:
                value = one.get("value")
                count += len(value) if isinstance(value, (list, tuple)) else 1
    return count


def _fewer(place: str, part: Any, most: int, what: str) -> Iterator[Problem]:
    if isinstance(part, (Mapping, list, tuple)) and len(part) > most:
        yield Problem(place, f"are {len(part):,} {what}, at most {most} are read; use fewer.")

"""ACTIVE_TESTS in any of the shapes that older systems wrote, each variant made an arm."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.plain_reading import Notes, at, first, is_number
from engine.workflow import Arm, Question, Test

MOST_ARMS = 26
_NAME = re.compile(r"[\w.-]{1,64}")
# Keys of a test that stand beside its variants where those have no key of their own.
_BESIDE = ("weights", "enabled", "active", "name", "description")


def read_tests(notes: Notes, raw: Any, questions: tuple[Question, ...]) -> tuple[Test, ...]:
    """The experiments that are switched on."""
    tests = notes.mapping(raw, "ACTIVE_TESTS", "from a test's name to its variants")
    read = [_test(notes, name, one, questions) for name, one in tests.items()]
    return tuple(test for test in read if test)


def _test(notes: Notes, name: str, raw: Any, questions: tuple[Question, ...]) -> Test | None:
    place = f"ACTIVE_TESTS.{name}"
    if not _NAME.fullmatch(name):
        notes.refuse(place, "a test's name is letters, digits, _ . and -, at most 64.")
        return None
    around = raw if isinstance(raw, dict) else {}
    if not all(notes.flag(around, word, True, place) for word in ("enabled", "active")):
        return None
    variants = _variants(raw)
    if not 2 <= len(variants) <= MOST_ARMS:
        notes.refuse(place, f"needs 2 to {MOST_ARMS} variants, the first of them the control.")
        return None
    arms = [_arm(notes, name, arm, one, place, questions) for arm, one in variants.items()]
    return Test(name, _weighted(notes, arms, around.get("weights"), f"{place}.weights"))


def _variants(raw: Any) -> dict[str, Any]:
    """The variants by name; those of a list are called A, B, C …"""
    found = raw
    if isinstance(raw, dict):
        alone = {key: one for key, one in raw.items() if key not in _BESIDE}
        found = raw.get("variants", alone)
    if isinstance(found, list):
        return {chr(65 + index): one for index, one in enumerate(found[: MOST_ARMS + 1])}
    return found if isinstance(found, dict) else {}


def _arm(
    notes: Notes, test: str, name: str, raw: Any, place: str, questions: tuple[Question, ...]
) -> Arm:
    place = at(place, name)
    if not _NAME.fullmatch(name):
        notes.refuse(place, "a variant's name is letters, digits, _ . and -, at most 64.")
    config = _named(test, raw)
    if config is None:
        notes.refuse(place, "must be a greeting, an order of questions, or a dictionary.")
        return Arm(name, 1.0, {})
    weight = notes.number(config, "weight", 1.0, place)
    config.pop("weight", None)
    if "greeting" in config:
        config["greeting"] = notes.text(config, "greeting", place)
    if "greeting_translations" in config:
        place_of_texts = f"{place}.greeting_translations"
        config["greeting_translations"] = notes.by_locale(
            config["greeting_translations"], place_of_texts
        )
    if "order" in config:
        config["order"] = _order(notes, config["order"], f"{place}.order", questions)
    return Arm(name, weight, config)


def _named(test: str, raw: Any) -> dict[str, Any] | None:
    """What a variant changes, by the names of today; None if it can be nothing."""
    greets = "greet" in test.lower() or "welcome" in test.lower()
    if isinstance(raw, str):
        # A bare word is a greeting only where greetings are tried; elsewhere it is a colour, say.
        return {"greeting" if greets else "value": raw}
    if isinstance(raw, list):
        return {"order": raw}
    if not isinstance(raw, dict):
        return None
    config = dict(raw)
    greeting = first(config, "greeting", "greeting_message", *(("message", "text") * greets))
    if isinstance(greeting, dict):
        greeting = greeting.get("text")
    if greeting is not None:
        config["greeting"] = greeting
    order = first(config, "order", "question_order")
    if order is not None:
        config["order"] = order
    return config


def _order(notes: Notes, raw: Any, place: str, questions: tuple[Question, ...]) -> list[str]:
    """The slugs of an order that names questions by slug or by id."""
    if not isinstance(raw, list):
        notes.refuse(place, "must be a list of questions.")
        return []
    slugs = {str(question.id): question.slug for question in questions}
    slugs |= {question.slug: question.slug for question in questions}
    order = []
    for name in raw:
        slug = slugs.get(str(name))
        if slug is None:
            notes.refuse(place, f"{name!r} is no question of this workflow; name one of its slugs.")
        elif slug in order:
            notes.refuse(place, f"names {slug!r} twice; keep one.")
        else:
            order.append(slug)
    return order


def _weighted(notes: Notes, arms: list[Arm], raw: Any, place: str) -> tuple[Arm, ...]:
    """The arms with weights that add up to 1."""
    named: Mapping[str, Any] = notes.mapping(raw, place, "from variants to numbers")
    notes.known(named, {arm.name for arm in arms}, place)
    if named:
        weights = [notes.number(named, arm.name, 0.0, place) for arm in arms]
    else:
        weights = [arm.weight for arm in arms]
    total = sum(weights)
    if total <= 0 or not all(is_number(weight) and weight >= 0 for weight in weights):
        notes.refuse(place, "must be numbers not below 0, one of them above.")
        return tuple(arms)
    return tuple(
        Arm(arm.name, weight / total, arm.config) for arm, weight in zip(arms, weights, strict=True)
    )

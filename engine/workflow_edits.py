"""Changes to a workflow that somebody edits part by part; what names a changed thing follows it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.workflow_shape import Plain, in_order
from lib.crypto import sha256_hex

# What is edited on one page, by its name.
PARTS: Mapping[str, tuple[str, ...]] = {
    "beginning": (
        *("name", "default_locale", "default_region", "default_assignee"),
        *("greeting", "consent"),
    ),
    "ending": (
        *("product_text", "products", "contact", "call_to_action_text", "calls_to_action"),
        "closing",
    ),
    "points": (
        *("scoring", "quick_reply_seconds", "detailed_answer_characters"),
        *("classification_thresholds", "tiers"),
    ),
    "widget": ("widget", "proactive", "messages"),
}
QUESTIONS, LANGUAGES = "questions", "languages"


@dataclass(frozen=True)
class Edit:
    """A change of a draft: what it is of, that part as it stands, and the whole after it.

    `mark` tells how the part looked to who changed it; None where it does not matter.
    """

    what: str
    look: Callable[[Plain], Any]
    make: Callable[[Plain, Plain], tuple[Plain, Plain]]
    mark: str | None = None

    def is_late(self, workflow: Plain) -> bool:
        """Whether the part is no longer what its editor saw."""
        return self.mark is not None and self.mark != mark_of(self.look(workflow))


class Gone(LookupError):
    """The question or locale to be changed is no longer there."""


def mark_of(part: Any) -> str:
    """A short name of what a part says."""
    return sha256_hex(json.dumps(part, ensure_ascii=True))[:16]


def part_of_place(place: str) -> str:
    """The part of the editor in which a problem can be mended."""
    top = place.partition(".")[0].partition("[")[0]
    if top == "translations":
        return LANGUAGES
    return next((part for part, names in PARTS.items() if top in names), QUESTIONS)


def look_at(workflow: Plain, part: str) -> Plain:
    """A part as it stands."""
    return {name: workflow[name] for name in PARTS[part] if name in workflow}


def replace_part(part: str, fragment: Plain, mark: str | None = None) -> Edit:
    """A part in its new words; renamed quick replies keep their translations.

    Those of products and calls to action that are gone go with them.
    """

    def make(workflow: Plain, tests: Plain) -> tuple[Plain, Plain]:
        kept = {name: one for name, one in workflow.items() if name not in PARTS[part]}
        changed = {**kept, **_without_was(fragment)}
        replies = fragment.get("greeting", {}).get("replies", ())
        if part == "beginning":
            said = [one["value"] for one in replies]
            greeting = {**changed.get("greeting", {}), "replies": said}
            changed = renamed({**changed, "greeting": greeting}, ("replies",), _names(replies))
        if part == "ending":
            changed = _without_gone(changed)
        return in_order(changed), tests

    return Edit(part, lambda workflow: look_at(workflow, part), make, mark)


# Questions


def find_question(workflow: Plain, number: int) -> Plain:
    """The question of an id; Gone if there is none."""
    for one in workflow.get("questions", ()):
        if one["id"] == number:
            return copy.deepcopy(dict(one))
    raise Gone


def replace_question(number: int, fragment: Plain, mark: str | None = None) -> Edit:
    """A question in its new words.

    Translations, conditions, orders of experiments follow a renamed option or name in reports.
    """

    def make(workflow: Plain, tests: Plain) -> tuple[Plain, Plain]:
        before = find_question(workflow, number)
        after = _without_was(fragment)
        names = _names(fragment.get("options", ()))
        questions = [after if one["id"] == number else one for one in workflow["questions"]]
        changed = {**workflow, "questions": _followed(questions, before["slug"], after, names)}
        if not after.get("options_from"):
            changed = renamed(changed, ("questions", before["slug"], "options"), names)
        slugs = {one["slug"]: one["slug"] for one in workflow["questions"]}
        slugs[before["slug"]] = after["slug"]
        changed = renamed(changed, ("questions",), slugs)
        return in_order(changed), _ordered_anew(tests, slugs)

    return Edit(f"question {number}", lambda workflow: find_question(workflow, number), make, mark)


def add_question(question: Plain) -> Edit:
    """One more question, at the end."""

    def make(workflow: Plain, tests: Plain) -> tuple[Plain, Plain]:
        questions = [*workflow.get("questions", ()), question]
        return in_order({**workflow, "questions": questions}), tests

    return Edit("questions", lambda workflow: None, make)


def remove_question(number: int) -> Edit:
    """Without this question and what was only about it."""

    def make(workflow: Plain, tests: Plain) -> tuple[Plain, Plain]:
        find_question(workflow, number)
        questions = [one for one in workflow["questions"] if one["id"] != number]
        slugs = {one["slug"]: one["slug"] for one in questions}
        changed = renamed({**workflow, "questions": questions}, ("questions",), slugs)
        return in_order(changed), _ordered_anew(tests, slugs)

    return Edit("questions", lambda workflow: None, make)


def move_question(number: int, by: int) -> Edit:
    """A question earlier (below 0) or later."""

    def make(workflow: Plain, tests: Plain) -> tuple[Plain, Plain]:
        questions = list(workflow["questions"])
        place = questions.index(find_question(workflow, number))
        moved = questions.pop(place)
        questions.insert(max(0, place + by), moved)
        return in_order({**workflow, "questions": questions}), tests

    return Edit("questions", lambda workflow: None, make)


def order_questions(numbers: Sequence[int]) -> Edit:
    """The questions in this order; Gone if it names others than there are."""

    def make(workflow: Plain, tests: Plain) -> tuple[Plain, Plain]:
        by_number = {one["id"]: one for one in workflow["questions"]}
        if sorted(by_number) != sorted(numbers):
            raise Gone
        questions = [by_number[number] for number in numbers]
        return in_order({**workflow, "questions": questions}), tests

    return Edit("questions", lambda workflow: None, make)


def remove_test(name: str) -> Edit:
    """Without this experiment of ACTIVE_TESTS."""

    def make(workflow: Plain, tests: Plain) -> tuple[Plain, Plain]:
        return workflow, {key: one for key, one in tests.items() if key != name}

    return Edit("experiments", lambda workflow: None, make)


# Languages


def replace_locale(locale: str, texts: Plain, mark: str | None = None) -> Edit:
    """The texts of a locale, whole."""

    def make(workflow: Plain, tests: Plain) -> tuple[Plain, Plain]:
        known = workflow.get("translations", {})
        return in_order({**workflow, "translations": {**known, locale: texts}}), tests

    return Edit(f"language {locale}", lambda workflow: locale_of(workflow, locale), make, mark)


def locale_of(workflow: Plain, locale: str) -> Any:
    """The texts of a locale; None where there is no such."""
    return workflow.get("translations", {}).get(locale)


def remove_locale(locale: str) -> Edit:
    """Without this language."""

    def make(workflow: Plain, tests: Plain) -> tuple[Plain, Plain]:
        known = {k: v for k, v in workflow.get("translations", {}).items() if k != locale}
        return in_order({**workflow, "translations": known}), tests

    return Edit("languages", lambda workflow: None, make)


# What follows a new name


def _without_gone(workflow: Plain) -> Plain:
    """A workflow whose translations speak of no product or call to action that it lacks."""
    parts = {"product_names": "products", "product_descriptions": "products"}
    for texts, part in {**parts, "call_labels": "calls_to_action"}.items():
        known = {str(one.get("id")): str(one.get("id")) for one in workflow.get(part, ())}
        workflow = renamed(workflow, (texts,), known)
    return workflow


def _without_was(part: Any) -> Any:
    """A part as it is stored: forms tell besides what each row was called before."""
    if isinstance(part, dict):
        return {key: _without_was(one) for key, one in part.items() if key != "was"}
    if isinstance(part, list):
        return [_without_was(one) for one in part]
    return part


def _names(rows: Iterable[Any]) -> dict[str, str]:
    """From what rows were called to what they are called now."""
    return {
        str(one.get("was") or one.get("value")): str(one.get("value"))
        for one in rows
        if isinstance(one, dict)
    }


def renamed(workflow: Plain, path: Sequence[str], names: Mapping[str, str]) -> Plain:
    """A workflow whose translations have the texts at a path under their new keys.

    Those of what is gone are left out.
    """
    translations = {
        locale: _with_keys(texts, path, names)
        for locale, texts in workflow.get("translations", {}).items()
    }
    return {**workflow, "translations": translations}


def _with_keys(texts: Any, path: Sequence[str], names: Mapping[str, str]) -> Any:
    if not isinstance(texts, dict):
        return texts
    if path:
        if path[0] not in texts:
            return texts
        inner = _with_keys(texts[path[0]], path[1:], names)
        kept = {key: one for key, one in texts.items() if key != path[0]}
        return {**kept, path[0]: inner} if inner else kept
    return {names[key]: one for key, one in texts.items() if key in names}


def _followed(
    questions: Sequence[Plain], slug: str, after: Plain, names: Mapping[str, str]
) -> list[Plain]:
    """Questions whose conditions speak of a changed one by its new names."""
    subject, new = f"answer:{slug}", f"answer:{after['slug']}"

    def turned(condition: Any) -> Any:
        if isinstance(condition, list):
            return [turned(one) for one in condition]
        if not isinstance(condition, dict):
            return condition
        if condition.get("subject") != subject:
            return {key: turned(one) for key, one in condition.items()}
        return {**condition, "subject": new, **_values(condition, names)}

    return [
        {**one, "show_if": turned(one["show_if"])} if "show_if" in one else one for one in questions
    ]


def _values(condition: Plain, names: Mapping[str, str]) -> Plain:
    if "value" not in condition:
        return {}
    value = condition["value"]
    if isinstance(value, list):
        return {"value": [names.get(str(one), one) for one in value]}
    return {"value": names.get(str(value), value)}


def _ordered_anew(tests: Plain, slugs: Mapping[str, str]) -> Plain:
    """Experiments whose orders of questions name them as they are called now, and none besides."""

    def turned(part: Any, key: str = "") -> Any:
        if isinstance(part, dict):
            return {name: turned(one, name) for name, one in part.items()}
        if isinstance(part, list) and key in ("order", "question_order"):
            return [slugs.get(str(one), one) for one in part if _is_kept(one, slugs)]
        return part

    made: Plain = turned(tests)
    return made


def _is_kept(name: Any, slugs: Mapping[str, str]) -> bool:
    """Whether an order goes on naming this question: one by its number is left to its reader."""
    return not isinstance(name, str) or name.isdigit() or name in slugs

"""What differs between two workflows, and when a question is asked, in a marketer's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.vocabulary import DEFAULT_POINTS, Action
from engine.workflow_edits import LANGUAGES, QUESTIONS, part_of_place, renamed
from engine.workflow_shape import Plain
from lib.text import fold, shorten

ACTIONS: Mapping[str, str] = {
    str(Action.SESSION_OPENED): "Opened the conversation",
    str(Action.REPLIED_TO_GREETING): "Replied to the greeting",
    str(Action.ANSWERED_QUESTION): "Answered a question",
    str(Action.ANSWERED_ALL_QUESTIONS): "Answered all questions",
    str(Action.SHARED_CONTACT): "Left a good e-mail or phone",
    str(Action.CLICKED_PRODUCT): "Looked at a product",
    str(Action.DEMO_REQUESTED): "Asked for a demo",
    str(Action.CTA_CLICKED): "Took another call to action",
    str(Action.QUICK_REPLY): "Answered quickly",
    str(Action.DETAILED_ANSWER): "Answered in detail",
}
OPERATORS: Mapping[str, str] = {
    "eq": "is",
    "ne": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "contains": "contains",
    "gt": "is more than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "answered": "was answered",
    "skipped": "was skipped",
}
_LABELS: Mapping[str, str] = {
    "default_locale": "Language",
    "default_region": "Country of phone numbers",
    "default_assignee": "Who gets leads of nobody",
    "greeting.text": "Greeting",
    "greeting.replies": "Quick replies",
    "consent.text": "Consent",
    "consent.version": "Version of the consent",
    "consent.required": "Consent is required",
    "product_text": "Text above the products",
    "contact.text": "Text above the contact fields",
    "contact.fields": "Contact fields",
    "call_to_action_text": "Text above the calls to action",
    "closing": "Closing words",
    "quick_reply_seconds": "Seconds for a quick answer",
    "detailed_answer_characters": "Characters of a detailed answer",
    "classification_thresholds.sql": "Points for SQL",
    "classification_thresholds.mql": "Points for MQL",
    "tiers.hot": "Points for hot",
    "tiers.warm": "Points for warm",
    "widget.title": "Title of the widget",
    "widget.launcher": "Button that opens the widget",
    "widget.position": "Side of the page",
    "widget.theme.accent": "Colour",
    "widget.theme.scheme": "Light or dark",
    "proactive": "Opening by itself",
}
_ASPECTS: Mapping[str, str] = {
    "text": "text",
    "type": "type",
    "required": "must be answered",
    "help": "small line under it",
    "placeholder": "grey words in the field",
    "slug": "name in reports",
    "field": "field of the lead",
    "step": "step",
    "pattern": "form of the answer",
    "min": "least",
    "max": "most",
    "options_from": "options from",
}
_SPOKEN = {"questions", "products", "calls_to_action", "scoring", "translations"}
LONGEST = 120


@dataclass(frozen=True)
class Change:
    """One difference: the part of the workflow it is in, and a sentence."""

    part: str
    sentence: str


def differences(before: tuple[Plain, Plain], after: tuple[Plain, Plain]) -> list[Change]:
    """What was changed from one workflow (with its ACTIVE_TESTS) to another, both shaped."""
    (old, old_tests), (new, new_tests) = before, after
    return [
        *_leaves(_rest(old), _rest(new)),
        *(Change(QUESTIONS, one) for one in _questions(old, new)),
        *(Change("ending", one) for one in _things("Product", "name", old, new, "products")),
        *(
            Change("ending", one)
            for one in _things("Call to action", "label", old, new, "calls_to_action")
        ),
        *(Change("points", one) for one in _points(old, new)),
        *(Change(LANGUAGES, one) for one in _languages(old, new)),
        *(Change("experiments", one) for one in _tests(old_tests, new_tests)),
    ]


def condition_words(condition: Any, workflow: Plain) -> str:
    """When a question is asked, in words; "" for always."""
    if not isinstance(condition, dict) or not condition:
        return ""
    for word, joint in (("all", " and "), ("any", " or ")):
        if word in condition:
            parts = condition[word] if isinstance(condition[word], list) else []
            return joint.join(_nested(part, workflow) for part in parts)
    if "not" in condition:
        return f"not ({condition_words(condition['not'], workflow)})"
    value = condition.get("value")
    said = OPERATORS.get(str(condition.get("op")), str(condition.get("op")))
    shown = "" if value is None else " " + _value(value)
    return f"{_subject(str(condition.get('subject')), workflow)} {said}{shown}"


def _nested(part: Any, workflow: Plain) -> str:
    words = condition_words(part, workflow)
    return f"({words})" if isinstance(part, dict) and {"all", "any"} & set(part) else words


def _subject(subject: str, workflow: Plain) -> str:
    kind, _, name = subject.partition(":")
    if kind == "utm":
        return f"the visit's utm_{name}"
    if kind != "answer":
        return "the score so far"
    asked = (one for one in workflow.get("questions", ()) if one.get("slug") == name)
    return next((f"the answer to {_name(one)}" for one in asked), f"the answer to {name}")


def _questions(old: Plain, new: Plain) -> Iterator[str]:
    before = {one["id"]: one for one in old.get("questions", ())}
    after = {one["id"]: one for one in new.get("questions", ())}
    places = {number: place for place, number in enumerate(after, start=1)}
    for number, one in before.items():
        if number not in after:
            yield f"Question {_name(one)} removed"
    for number, one in after.items():
        if number not in before:
            yield f"Question {places[number]} {_name(one)} added"
            continue
        name = f"Question {places[number]} {_name(one)}"
        for said in _question(before[number], one, old, new):
            yield f"{name}: {said}"
    kept_before = [number for number in before if number in after]
    kept_after = [number for number in after if number in before]
    if kept_before != kept_after:
        texts = ", ".join(_name(after[number]) for number in kept_after)
        yield f"Questions are asked in another order: {texts}"


def _name(question: Plain) -> str:
    return _quoted(question.get("text") or question["slug"])


def _question(before: Plain, after: Plain, old: Plain, new: Plain) -> Iterator[str]:
    for aspect, label in _ASPECTS.items():
        # Nothing said about it means that a question must be answered.
        default = True if aspect == "required" else None
        was, now = before.get(aspect, default), after.get(aspect, default)
        if was != now:
            yield f"{label} {_from_to(was, now)}"
    if before.get("show_if") != after.get("show_if"):
        said = condition_words(before.get("show_if"), old) or "always"
        says = condition_words(after.get("show_if"), new) or "always"
        yield f"asked: {said} → {says}"
    yield from _options(before.get("options", []), after.get("options", []))


def _options(before: Sequence[Plain], after: Sequence[Plain]) -> Iterator[str]:
    was = {one["value"]: one for one in before}
    now = {one["value"]: one for one in after}
    names = _new_names(list(was), list(now))
    yield from (f"option {_quoted(a)} is now {_quoted(b)}" for a, b in names.items())
    gone = [value for value in was if value not in now and value not in names]
    come = [value for value in now if value not in was and value not in names.values()]
    yield from (f"option {_quoted(value)} removed" for value in gone)
    yield from (f"option {_quoted(value)} added" for value in come)
    kept = [value for value in now if value in was]
    for value in kept:
        if was[value].get("synonyms", []) != now[value].get("synonyms", []):
            words = ", ".join(now[value].get("synonyms", [])) or "none"
            yield f"other words for {_quoted(value)}: {shorten(words, LONGEST)}"
        if _takes_rest(was[value]) != _takes_rest(now[value]):
            takes = "takes" if _takes_rest(now[value]) else "no longer takes"
            yield f"option {_quoted(value)} {takes} whatever fits no other"
    if kept != [value for value in was if value in now]:
        yield "options in another order: " + ", ".join(_quoted(value) for value in now)


def _new_names(before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    """What has another name in the same place, where neither name stands elsewhere."""
    pairs = zip(before, after, strict=False)
    return {a: b for a, b in pairs if a not in after and b not in before}


def _takes_rest(option: Plain) -> bool:
    return bool(option.get("other", fold(str(option["value"])) == "other"))


def _things(what: str, name: str, old: Plain, new: Plain, part: str) -> Iterator[str]:
    def by_id(workflow: Plain) -> dict[str, Plain]:
        return {str(one.get("id") or one[name]): one for one in workflow.get(part, ())}

    before, after = by_id(old), by_id(new)
    yield from (
        f"{what} {_quoted(before[key][name])} removed" for key in before if key not in after
    )
    for key, one in after.items():
        if key not in before:
            yield f"{what} {_quoted(one[name])} added"
            continue
        for aspect in dict.fromkeys([*before[key], *one]):
            if before[key].get(aspect) != one.get(aspect):
                change = _from_to(before[key].get(aspect), one.get(aspect))
                yield f"{what} {_quoted(one[name])}: {aspect} {change}"
    kept = [key for key in after if key in before]
    if kept != [key for key in before if key in after]:
        yield f"{what}s in another order: " + ", ".join(_quoted(after[k][name]) for k in after)


def _points(old: Plain, new: Plain) -> Iterator[str]:
    before, after = old.get("scoring", {}), new.get("scoring", {})
    for action in dict.fromkeys([*map(str, DEFAULT_POINTS), *before, *after]):
        default = DEFAULT_POINTS.get(action, 0)
        was, now = before.get(action, default), after.get(action, default)
        if was != now:
            yield f"Points for “{ACTIONS.get(action, action)}” {was} → {now}"


def _languages(old: Plain, new: Plain) -> Iterator[str]:
    before = _followed(old, new).get("translations", {})
    after = new.get("translations", {})
    for locale in dict.fromkeys([*before, *after]):
        if locale not in after:
            yield f"Language {locale} removed"
        elif locale not in before:
            yield f"Language {locale} added"
        else:
            was, now = dict(_flat(before[locale])), dict(_flat(after[locale]))
            for path in dict.fromkeys([*was, *now]):
                if was.get(path) != now.get(path):
                    yield f"{locale}, {path}: {_from_to(was.get(path), now.get(path))}"


def _followed(old: Plain, new: Plain) -> Plain:
    """The older workflow, its translations under the names that things have in the newer one."""
    after = {one["id"]: one for one in new.get("questions", ())}
    slugs = {}
    for one in old.get("questions", ()):
        if one["id"] not in after:
            continue
        slugs[one["slug"]] = after[one["id"]]["slug"]
        values = [option["value"] for option in one.get("options", ())]
        others = [option["value"] for option in after[one["id"]].get("options", ())]
        if values and others:
            names = {value: value for value in values if value in others}
            names |= _new_names(values, others)
            old = renamed(old, ("questions", one["slug"], "options"), names)
    replies = [workflow.get("greeting", {}).get("replies", []) for workflow in (old, new)]
    kept = {reply: reply for reply in replies[0] if reply in replies[1]} | _new_names(*replies)
    return renamed(renamed(old, ("questions",), slugs), ("replies",), kept)


def _tests(old: Plain, new: Plain) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield f"Experiment {_quoted(name)} removed"
        elif name not in old:
            yield f"Experiment {_quoted(name)} added"
        elif list(_flat(old[name])) != list(_flat(new[name])):
            yield f"Experiment {_quoted(name)} changed"


def _rest(workflow: Plain) -> dict[str, Any]:
    kept = {name: one for name, one in workflow.items() if name not in _SPOKEN}
    return dict(_flat(kept))


def _leaves(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for path in dict.fromkeys([*before, *after]):
        if before.get(path) != after.get(path):
            label = _LABELS.get(path) or path.replace(".", ", ").replace("_", " ").capitalize()
            change = _from_to(before.get(path), after.get(path))
            yield Change(part_of_place(path), f"{label} {change}")


def _flat(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a part by the path that leads to it; a list is one value."""
    if not isinstance(part, dict):
        yield path, part
        return
    for name, one in part.items():
        yield from _flat(one, f"{path}.{name}" if path else name)


def _from_to(before: Any, after: Any) -> str:
    return f"{_value(before)} → {_value(after)}"


def _value(value: Any) -> str:
    if value in (None, "", []):
        return "(nothing)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, list):
        return shorten(", ".join(_quoted(str(one)) for one in value), LONGEST)
    return _quoted(str(value))


def _quoted(text: Any) -> str:
    return f"“{shorten(str(text), LONGEST)}”"

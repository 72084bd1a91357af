"""What only shows when the parts of a workflow are seen together: dead ends, wrong names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.conditions import (
    NUMBER_OPS,
    Condition,
    Every,
    Leaf,
    Not,
    answer_holds,
    leaves,
    score_holds,
)
from engine.flow import CONSENT_WORDS
from engine.journey import Given
from engine.plain_reading import Notes
from engine.vocabulary import PROFILE_FIELDS, Action, QuestionType
from engine.widget_words import WORDS
from engine.workflow import Question, Workflow
from lib.text import fold

# Beyond this many combinations of answers a question is taken to be reachable.
MOST_COMBINATIONS = 5000
# And beyond so many comparisons in all of them, every other one.
MOST_COMPARED = 100_000
_VARIABLE = re.compile(r"\{([^{}|]*)(?:\|[^{}]*)?\}")
_ONE_OF_FEW = (QuestionType.CHOICE, QuestionType.RATING, QuestionType.CONSENT)
_EITHER = frozenset({True, False})
_TEXTS = {"greeting", "closing", "contact", "consent", "products", "calls_to_action"}
_MAPS = {
    *("product_names", "product_descriptions", "call_labels"),
    *("replies", "messages", "widget"),
}
# Of these texts the visitor's profile is filled into the braces.
_FILLED = _TEXTS - {"consent"}


def check_whole(notes: Notes, workflow: Workflow) -> None:
    """Note what is wrong with a workflow each of whose parts is right."""
    before = len(notes.problems)
    _check_waiting(notes, workflow)
    if len(notes.problems) == before:
        _check_reachable(notes, workflow)
    _check_thresholds(notes, workflow)
    _check_texts(notes, workflow)
    _check_translations(notes, workflow)
    _check_replies(notes, workflow)


# Branching


def _check_waiting(notes: Notes, workflow: Workflow) -> None:
    """A question may wait only for what is asked earlier, in every order that is tried."""
    arranged = [
        workflow.arranged({test.name: arm.name}) for test in workflow.tests for arm in test.arms
    ]
    orders = [
        {question.slug: place for place, question in enumerate(one.questions)}
        for one in (workflow, *arranged)
    ]
    for index, question in enumerate(workflow.questions):
        for leaf in leaves(question.show_if):
            _check_leaf(notes, workflow, question, leaf, orders, f"questions[{index}].show_if")
    if all(question.show_if for question in workflow.questions):
        notes.refuse("questions", "every question waits for another; ask at least one always.")


def _check_leaf(
    notes: Notes,
    workflow: Workflow,
    question: Question,
    leaf: Leaf,
    orders: Iterable[Mapping[str, int]],
    place: str,
) -> None:
    kind, _, slug = leaf.subject.partition(":")
    if kind != "answer":
        return
    asked = workflow.by_slug.get(slug)
    if asked is None:
        notes.refuse(place, f"{slug!r} is no question; name one that stands before this one.")
    elif any(order[slug] >= order[question.slug] for order in orders):
        notes.refuse(place, f"waits for {slug!r}, which is asked later or is itself; move it up.")
    elif asked.type.is_closed and leaf.value is not None and leaf.op not in NUMBER_OPS:
        values = leaf.value if isinstance(leaf.value, list) else [leaf.value]
        known = {fold(option.value) for option in asked.options}
        names = ", ".join(option.value for option in asked.options)
        for value in values:
            if fold(str(value)) not in known:
                notes.refuse(place, f"{value!r} is no option of {slug!r}; use one of {names}.")


@dataclass
class _Patience:
    """How much may still be compared before questions are taken to be reachable."""

    left: int = MOST_COMPARED


def _check_reachable(notes: Notes, workflow: Workflow) -> None:
    patience = _Patience()
    for index, question in enumerate(workflow.questions):
        if question.show_if and not _can_be_asked(workflow, question, patience):
            notes.refuse(
                f"questions[{index}].show_if",
                "can never be true, so the question is never asked; change it or take it out.",
            )


def _can_be_asked(workflow: Workflow, question: Question, patience: _Patience) -> bool:
    """Whether some answers to the questions it waits for, directly or not, show a question."""
    awaited = _awaited(workflow, question)
    earlier = [q for q in workflow.questions if q.slug in awaited]
    choices = [_ways(q) for q in earlier]
    cost = 1 + sum(1 + len(list(leaves(q.show_if))) for q in (*earlier, question))
    combinations = itertools.islice(itertools.product(*choices), MOST_COMBINATIONS)
    count = 0
    for ways in combinations:
        count += 1
        patience.left -= cost
        if patience.left < 0:
            return True
        given = {q.slug: way for q, way in zip(earlier, ways, strict=True)}
        asked = [q for q in earlier if given[q.slug] is not None] + [question]
        if all(True in _outcomes(q.show_if, workflow, given) for q in asked):
            return True
    return count == MOST_COMBINATIONS


def _awaited(workflow: Workflow, question: Question) -> set[str]:
    """The slugs of the questions that a question waits for, directly or through others."""
    found: set[str] = set()
    left = [question]
    while left:
        for leaf in leaves(left.pop().show_if):
            asked = workflow.by_slug.get(leaf.subject.removeprefix("answer:"))
            if asked and asked.slug not in found:
                found.add(asked.slug)
                left.append(asked)
    return found


def _ways(question: Question) -> list[Given | None]:
    """How a question may stand: open, skipped, or answered in one way or another."""
    ways: list[Given | None] = [None] if question.required else [None, Given(skipped=True)]
    if question.type is QuestionType.CHOICE and not question.other:
        # A text of the visitor's own, believed the second time.
        ways.append(Given(typed=True))
    if question.type in _ONE_OF_FEW:
        return ways + [Given((option.value,)) for option in question.options]
    return ways + [Given(typed=True)]


def _outcomes(
    condition: Condition | None, workflow: Workflow, given: Mapping[str, Given | None]
) -> frozenset[bool]:
    """What a condition may come to; more than it really may, never less."""
    if condition is None:
        return frozenset({True})
    if isinstance(condition, Not):
        return frozenset(not one for one in _outcomes(condition.part, workflow, given))
    if isinstance(condition, Leaf):
        return _outcomes_of_leaf(condition, workflow, given)
    parts = [_outcomes(part, workflow, given) for part in condition.parts]
    combine = all if isinstance(condition, Every) else any
    # Each part may come to any of its outcomes: the extremes are met by taking the same everywhere.
    lowest = combine(min(part) for part in parts)
    return frozenset({lowest, combine(max(part) for part in parts)})


def _outcomes_of_leaf(
    leaf: Leaf, workflow: Workflow, given: Mapping[str, Given | None]
) -> frozenset[bool]:
    kind, _, slug = leaf.subject.partition(":")
    if kind == "score":
        least, most = score_bounds(workflow)
        probes = (least, most, leaf.value, leaf.value - 1, leaf.value + 1)
        return frozenset(score_holds(leaf, s) for s in probes if least <= s <= most)
    if kind == "utm":
        return _EITHER
    answer, asked = given[slug], workflow.by_slug[slug]
    exact = asked.type in _ONE_OF_FEW or answer is None or answer.skipped or leaf.value is None
    if not exact:
        return _EITHER
    return frozenset({answer_holds(leaf, answer, {}, is_closed=asked.type.is_closed)})


def score_bounds(workflow: Workflow) -> tuple[int, int]:
    """The lowest and the highest score that a session could come to."""
    questions = len(workflow.questions)
    counts = {
        Action.ANSWERED_QUESTION: questions,
        Action.QUICK_REPLY: questions,
        Action.DETAILED_ANSWER: questions,
        # One more each: a name that the workflow does not know counts as one unnamed thing.
        Action.CLICKED_PRODUCT: len(workflow.products) + 1,
        Action.CTA_CLICKED: len(workflow.calls_to_action) + 1,
    }
    worths = [worth * counts.get(action, 1) for action, worth in workflow.scoring.items()]
    return sum(min(0, worth) for worth in worths), sum(max(0, worth) for worth in worths)


def _check_thresholds(notes: Notes, workflow: Workflow) -> None:
    most = score_bounds(workflow)[1]
    if workflow.sql_threshold > most:
        notes.refuse(
            "classification_thresholds",
            f"nobody can ever have {workflow.sql_threshold} points, at most {most}; lower sql.",
        )


# Texts


def _check_texts(notes: Notes, workflow: Workflow) -> None:
    for name in _TEXTS:
        _check_text(notes, workflow, name, workflow.text(name, None), is_filled=name in _FILLED)
    for index, question in enumerate(workflow.questions):
        _check_text(notes, workflow, f"questions[{index}].text", question.text)
    for test in workflow.tests:
        for arm in test.arms:
            place = f"ACTIVE_TESTS.{test.name}.{arm.name}"
            _check_text(notes, workflow, f"{place}.greeting", arm.config.get("greeting", ""))
            for locale, text in arm.config.get("greeting_translations", {}).items():
                _check_text(notes, workflow, f"{place}.greeting_translations.{locale}", text)


def _check_text(
    notes: Notes, workflow: Workflow, place: str, text: Any, *, is_filled: bool = True
) -> None:
    if not isinstance(text, str):
        notes.refuse(place, "must be a text.")
        return
    fields = {question.field for question in workflow.questions if question.field}
    known = fields.union(PROFILE_FIELDS) if is_filled else set()
    for name in _VARIABLE.findall(text):
        if name not in known:
            notes.refuse(place, f"{{{name}}} is nothing we fill in here; use words instead.")
    if re.search("[{}]", _VARIABLE.sub("", text)):
        notes.refuse(place, "has a brace { or } without its other half; take it out.")


def _check_translations(notes: Notes, workflow: Workflow) -> None:
    for locale, texts in workflow.translations.items():
        place = f"translations.{locale}"
        notes.known(dict(texts), _TEXTS | _MAPS | {"questions"}, place)
        for name in sorted(_TEXTS & set(texts)):
            at = f"{place}.{name}"
            _check_text(notes, workflow, at, texts[name], is_filled=name in _FILLED)
        keys: dict[str, Iterable[str]] = {
            "product_names": (product.id for product in workflow.products),
            "product_descriptions": (product.id for product in workflow.products),
            "call_labels": (call.id for call in workflow.calls_to_action),
            "replies": workflow.greeting.replies,
            "messages": workflow.messages,
            "widget": ("title", *WORDS["en"]),
        }
        for name in sorted(_MAPS):
            _check_words(notes, texts.get(name), set(keys[name]), f"{place}.{name}")
        questions = notes.mapping(texts.get("questions"), f"{place}.questions", "by slug")
        for slug, translated in questions.items():
            _check_question(notes, workflow, f"{place}.questions.{slug}", slug, locale, translated)


def _check_words(notes: Notes, raw: Any, known: set[str], place: str) -> None:
    words = notes.mapping(raw, place, "of texts")
    notes.known(words, known, place)
    for name in words:
        notes.text(words, name, place)


def _check_question(
    notes: Notes, workflow: Workflow, place: str, slug: str, locale: str, translated: Any
) -> None:
    asked = workflow.by_slug.get(slug)
    if asked is None or not isinstance(translated, dict):
        notes.refuse(place, "is no question of this workflow, or no dictionary of its texts.")
        return
    notes.known(translated, {"text", "options", "help", "placeholder"}, place)
    _check_text(notes, workflow, f"{place}.text", translated.get("text", ""))
    for name in ("help", "placeholder"):
        notes.text(translated, name, place)
    values = {option.value for option in asked.options}
    _check_words(notes, translated.get("options"), values, f"{place}.options")
    words = [{fold(label) for label in w.labels} for w in workflow.options_words(asked, locale)]
    if "" in set().union(*words) or len(set().union(*words)) < sum(map(len, words)):
        notes.refuse(f"{place}.options", "give each option a word of its own to choose it by.")


def _check_replies(notes: Notes, workflow: Workflow) -> None:
    """A quick reply to the greeting must not be an answer to the question that comes first."""
    locales = (None, *workflow.translations)
    replies = {
        fold(workflow.label("replies", reply, reply, locale))
        for reply in workflow.greeting.replies
        for locale in locales
    } | {fold(reply) for reply in workflow.greeting.replies}
    for question in _first_questions(workflow):
        words = {
            fold(label) for locale in locales for label in workflow.option_labels(question, locale)
        }
        if question.type is QuestionType.CONSENT:
            words |= set(CONSENT_WORDS)
        for word in sorted(words & replies):
            notes.refuse("greeting.replies", f"{word!r} also answers {question.slug!r}; reword it.")


def _first_questions(workflow: Workflow) -> Iterator[Question]:
    arranged = [workflow.arranged({t.name: a.name}) for t in workflow.tests for a in t.arms]
    firsts = {1} | {one.questions[0].id for one in (workflow, *arranged)}
    return (question for question in workflow.questions if question.id in firsts)

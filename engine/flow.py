"""Which question comes next; is this answer valid."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from engine.conditions import (
    Leaf,
    answer_holds,
    holds,
    holds_of_text,
    leaves,
    score_holds,
    settled_key,
)
from engine.journey import Given, Journey
from engine.matching import Phone, match_option, parse_email, parse_phone, split_choices
from engine.vocabulary import QuestionType
from engine.workflow import Question, Workflow
from lib.text import fold

LONGEST_ANSWER = 2000
# A pattern that has to go back and forth takes long on a long text; a code or a name is short.
LONGEST_PATTERNED = 200
LONGEST_NUMBER = 40
_DATE_FORMS = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %B %Y", "%d %b %Y", "%B %d, %Y")
CONSENT_WORDS = {
    **dict.fromkeys(("y", "true", "1", "on", "i agree", "agree", "ok", "accept"), "yes"),
    **dict.fromkeys(("n", "false", "0", "off", "i do not agree", "disagree", "decline"), "no"),
}
Raw = str | Sequence[str]


@dataclass(frozen=True)
class Setting:
    """What reading an answer depends on beside the question."""

    locale: str | None = None
    allow_test_addresses: bool = False
    # The visitor sent this very text before and was asked; now it is believed.
    believed: bool = False


@dataclass(frozen=True)
class Accepted:
    """An answer that the question takes."""

    text: str
    options: tuple[str, ...] = ()
    typed: bool = False
    length: int = 0
    value: str | list[str] | None = None
    email: str | None = None
    phone: Phone | None = None
    outcomes: Mapping[str, bool] | None = None


@dataclass(frozen=True)
class Reask:
    """An answer that the question cannot take: what to say, and what may be meant."""

    message: str
    suggestions: tuple[str, ...] = ()


Reading = Accepted | Reask


def open_questions(workflow: Workflow, journey: Journey) -> tuple[Question, ...]:
    """The questions of this session, in order: those that branching does not hide.

    A question waits only for earlier ones, so one pass decides; the answer to a question that
    is hidden by now counts for none of those that wait for it.
    """
    shown: list[Question] = []
    answers: dict[str, Given] = {}
    for question in workflow.questions:
        if not _is_shown(workflow, journey, question, answers):
            continue
        shown.append(question)
        if question.id in journey.answers:
            answers[question.slug] = journey.answers[question.id]
    return tuple(shown)


def _is_shown(
    workflow: Workflow, journey: Journey, question: Question, answers: Mapping[str, Given]
) -> bool:
    def is_true(leaf: Leaf) -> bool:
        kind, _, name = leaf.subject.partition(":")
        if kind == "answer":
            closed = workflow.is_closed[name]
            return answer_holds(leaf, answers.get(name), journey.conditions, is_closed=closed)
        if kind == "utm":
            return journey.conditions.get(leaf.key, False)
        now = score_holds(leaf, journey.branching_score)
        return journey.conditions.get(settled_key(leaf, question.id), now)

    return question.show_if is None or holds(question.show_if, is_true)


def settled(workflow: Workflow, journey: Journey) -> Journey:
    """The journey with what the score opened kept open, once it was answered.

    Else the points of an answer could hide its own question, which would take them away again,
    which would show it again, and so on for ever.
    """
    outcomes = {
        settled_key(leaf, question.id): score_holds(leaf, journey.branching_score)
        for question in open_questions(workflow, journey)
        if question.id in journey.answers
        for leaf in leaves(question.show_if)
        if leaf.subject == "score"
    }
    if not outcomes:
        return journey
    return replace(journey, conditions={**outcomes, **journey.conditions})


def is_open(workflow: Workflow, journey: Journey, question: Question) -> bool:
    """Whether branching shows this question to this session."""
    return question in open_questions(workflow, journey)


def next_question(workflow: Workflow, journey: Journey) -> Question | None:
    """The first open question without an answer, or None when all are answered or skipped."""
    asked = open_questions(workflow, journey)
    return next((question for question in asked if question.id not in journey.answers), None)


@dataclass(frozen=True)
class Progress:
    """How far a visitor is: open questions answered, skipped, and all of them."""

    answered: int
    skipped: int
    total: int

    @property
    def completed(self) -> bool:
        """Whether every open question is answered or skipped."""
        return self.answered + self.skipped == self.total


def progress(workflow: Workflow, journey: Journey) -> Progress:
    """How far this journey is."""
    given = [journey.answers.get(question.id) for question in open_questions(workflow, journey)]
    return Progress(
        answered=sum(1 for one in given if one and not one.skipped),
        skipped=sum(1 for one in given if one and one.skipped),
        total=len(given),
    )


def answered_all(workflow: Workflow, journey: Journey) -> bool:
    """Whether every open question has an answer, none skipped."""
    far = progress(workflow, journey)
    return far.total > 0 and far.answered == far.total


def read_skip(workflow: Workflow, question: Question, setting: Setting) -> Reading:
    """A skip: accepted where the question is optional."""
    if question.required:
        return Reask(workflow.message("required", setting.locale))
    return Accepted(text="")


def read_answer(workflow: Workflow, question: Question, raw: Raw, setting: Setting) -> Reading:
    """What an answer means to its question, or the friendly words to ask again with."""
    reading = _READERS[question.type](workflow, question, raw, setting)
    if isinstance(reading, Reask) or question.type.is_closed:
        return reading
    text = _comparable(question, str(reading.value))
    asked = workflow.leaves_on(f"answer:{question.slug}")
    return replace(reading, outcomes={leaf.key: holds_of_text(leaf, text) for leaf in asked})


def _one_text(raw: Raw) -> str:
    """A list with one entry, or several, as the one text that a single-answer question takes."""
    parts = [raw] if isinstance(raw, str) else raw
    return ", ".join(part.strip() for part in parts if part.strip())


def _say(workflow: Workflow, name: str, setting: Setting) -> Reask:
    return Reask(workflow.message(name, setting.locale))


def _read_choice(workflow: Workflow, question: Question, raw: Raw, setting: Setting) -> Reading:
    text = _one_text(raw)
    if not fold(text):
        return _say(workflow, "empty", setting)
    if len(text) > LONGEST_ANSWER:
        return _say(workflow, "too_long", setting)
    match = match_option(text, workflow.options_words(question, setting.locale))
    if match.option_id is not None:
        value = match.option_id
        return Accepted(value, (value,), not match.exact, len(text), value)
    if setting.believed:
        other = (question.other.value,) if question.other else ()
        return Accepted(text, other, True, len(text), text)
    return _unsure(workflow, question, match.suggestions, setting)


def _unsure(
    workflow: Workflow, question: Question, suggestions: Sequence[str], setting: Setting
) -> Reask:
    """The question again, with what may be meant (all options when nothing is near)."""
    labels = dict(
        zip(
            (option.value for option in question.options),
            workflow.option_labels(question, setting.locale),
            strict=True,
        )
    )
    near = tuple(labels[value] for value in suggestions)
    name = "did_you_mean" if near else "not_an_option"
    return Reask(workflow.message(name, setting.locale), near or tuple(labels.values()))


def _read_choices(workflow: Workflow, question: Question, raw: Raw, setting: Setting) -> Reading:
    words = workflow.options_words(question, setting.locale)
    known = [label for one in words for label in one.labels]
    parts = split_choices(raw, known) if isinstance(raw, str) else [str(one) for one in raw]
    parts = [part.strip() for part in parts if fold(part)]
    if not parts:
        return _say(workflow, "empty", setting)
    if sum(map(len, parts)) > LONGEST_ANSWER:
        return _say(workflow, "too_long", setting)
    chosen: dict[str, None] = {}
    kept: dict[str, None] = {}
    typed: list[str] = []
    for part in parts:
        match = match_option(part, words)
        if match.option_id is None and not setting.believed:
            return _unsure(workflow, question, match.suggestions, setting)
        if not match.exact:
            typed.append(part)
        if match.option_id is not None:
            chosen[match.option_id] = None
        elif question.other:
            chosen[question.other.value] = None
        kept[match.option_id or part] = None
    texts = list(kept)
    return Accepted(", ".join(texts), tuple(chosen), bool(typed), len(", ".join(typed)), texts)


def _read_text(workflow: Workflow, question: Question, raw: Raw, setting: Setting) -> Reading:
    text = _one_text(raw)
    if not fold(text):
        return _say(workflow, "empty", setting)
    clicked = _labelled(workflow, question, text, setting) is not None
    patterned = question.pattern is not None and not clicked
    if len(text) > (LONGEST_PATTERNED if patterned else LONGEST_ANSWER):
        return _say(workflow, "too_long", setting)
    if question.pattern and patterned and not re.fullmatch(question.pattern, text):
        return _say(workflow, "pattern", setting)
    return Accepted(text, typed=not clicked, length=len(text), value=text)


def _labelled(workflow: Workflow, question: Question, text: str, setting: Setting) -> str | None:
    """The option whose value, or label in this locale, is the text."""
    wanted = fold(_plain_digits(text))
    for option in workflow.options_words(question, setting.locale):
        if wanted in {fold(label) for label in option.labels}:
            return option.id
    return None


def _read_email(workflow: Workflow, question: Question, raw: Raw, setting: Setting) -> Reading:
    text = _one_text(raw)
    email = parse_email(text, allow_test=setting.allow_test_addresses)
    if email is None:
        return _say(workflow, "email", setting)
    return Accepted(text, typed=True, length=len(text), value=text, email=email)


def _read_phone(workflow: Workflow, question: Question, raw: Raw, setting: Setting) -> Reading:
    text = _one_text(raw)
    phone = parse_phone(text, workflow.default_region)
    if phone is None:
        return _say(workflow, "phone", setting)
    return Accepted(text, typed=True, length=len(text), value=text, phone=phone)


def _read_number(workflow: Workflow, question: Question, raw: Raw, setting: Setting) -> Reading:
    text = _one_text(raw)
    number = _number(text)
    if number is None:
        return _say(workflow, "number", setting)
    low = question.min if question.min is not None else -math.inf
    high = question.max if question.max is not None else math.inf
    if not low <= number <= high:
        words = workflow.message("range", setting.locale)
        return Reask(words.replace("{min}", _plain(low)).replace("{max}", _plain(high)))
    return Accepted(text, typed=True, length=len(text), value=text)


def _read_date(workflow: Workflow, question: Question, raw: Raw, setting: Setting) -> Reading:
    text = _one_text(raw)
    day = _date(text)
    if day is None:
        return _say(workflow, "date", setting)
    return Accepted(day.isoformat(), typed=True, length=len(text), value=day.isoformat())


def _read_rating(workflow: Workflow, question: Question, raw: Raw, setting: Setting) -> Reading:
    value = _labelled(workflow, question, _one_text(raw), setting)
    if value is None:
        labels = workflow.option_labels(question, setting.locale)
        return Reask(workflow.message("rating", setting.locale), labels)
    return Accepted(value, (value,), value=value)


def _read_consent(workflow: Workflow, question: Question, raw: Raw, setting: Setting) -> Reading:
    text = _one_text(raw)
    value = _labelled(workflow, question, text, setting)
    if value is None and fold(text) in CONSENT_WORDS:
        value = CONSENT_WORDS[fold(text)]
    if value is None:
        labels = workflow.option_labels(question, setting.locale)
        return Reask(workflow.message("consent", setting.locale), labels)
    return Accepted(value, (value,), value=value)


_READERS: Mapping[QuestionType, Callable[[Workflow, Question, Raw, Setting], Reading]] = {
    QuestionType.CHOICE: _read_choice,
    QuestionType.MULTI_CHOICE: _read_choices,
    QuestionType.TEXT: _read_text,
    QuestionType.EMAIL: _read_email,
    QuestionType.PHONE: _read_phone,
    QuestionType.NUMBER: _read_number,
    QuestionType.DATE: _read_date,
    QuestionType.RATING: _read_rating,
    QuestionType.CONSENT: _read_consent,
}


def _number(text: str) -> float | None:
    """A number as people type it: with thousands commas, spaces or a currency sign."""
    if len(text) > LONGEST_NUMBER:
        return None
    bare = re.sub(r"[\s₹$€£]", "", fold(_plain_digits(text)))
    if re.fullmatch(r"[+-]?[0-9]{1,3}(,[0-9]{2,3})*,[0-9]{3}(\.[0-9]+)?", bare):
        bare = bare.replace(",", "")
    # One comma that parts no thousands is what half the world writes for the point.
    bare = bare.replace(",", ".")
    if not re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{1,9})?", bare):
        return None
    return float(bare)


def _date(text: str) -> date | None:
    if len(text) > LONGEST_NUMBER:
        return None
    for form in _DATE_FORMS:
        try:
            return datetime.strptime(_plain_digits(text), form).date()
        except ValueError:
            continue
    return None


def _plain_digits(text: str) -> str:
    """The text with the digits of any script as 0 to 9."""
    return "".join(
        str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in text
    )


def _comparable(question: Question, text: str) -> str:
    number = _number(text) if question.type is QuestionType.NUMBER else None
    return text if number is None else _plain(number)


def _plain(number: float) -> str:
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    return str(int(number)) if number == int(number) else str(number)

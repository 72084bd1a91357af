"""The questions of a WORKFLOW_CONFIG, one by one: their options, patterns and conditions."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

from engine.conditions import (
    LIST_OPS,
    NUMBER_OPS,
    OPS,
    PRESENCE_OPS,
    TEXT_OPS,
    Condition,
    Every,
    Leaf,
    Not,
    Some,
)
from engine.flow import LONGEST_PATTERNED
from engine.plain_reading import Notes, first, is_number
from engine.vocabulary import PROFILE_FIELDS, PROTECTED_FIELDS, UTM_FIELDS, QuestionType
from engine.workflow import Option, Product, Question
from engine.workflow_size import MOST_OPTIONS
from lib.text import fold

# Slugs of the questions of older configurations, which knew them by number only.
OLDER_SLUGS = {
    1: "business_type",
    2: "location",
    3: "staff_size",
    4: "monthly_sales",
    5: "features_interested",
}
LONGEST_OPTION = 200
LONGEST_PATTERN = 200
# How many ways a pattern may try on the longest text it is shown: some tens of milliseconds.
MOST_TRIES = 10_000_000
_QUESTION = {
    *("id", "slug", "key", "text", "question", "type", "options", "options_from", "field"),
    *("required", "step", "show_if", "placeholder", "help", "pattern", "min", "max"),
}
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CHOICES = (QuestionType.CHOICE, QuestionType.MULTI_CHOICE)
# A field that only a checked answer may fill.
_CHECKED = {"email": QuestionType.EMAIL, "phone": QuestionType.PHONE}
# A marketer's pattern runs on a visitor's text: a repeated group can be made to run for minutes.
_RISKY_PATTERN = re.compile(r"\)\s*[*+{?]|\\[1-9]|\(\?[^:]")
_ESCAPED = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_QUANTIFIER = re.compile(r"[*+?|]|\{([0-9]*)(,?)([0-9]*)\}")


def read_questions(
    notes: Notes, raw: Any, products: tuple[Product, ...]
) -> tuple[Question, ...] | None:
    """The questions; None if one of them could not be read at all."""
    if not isinstance(raw, list) or not raw:
        notes.refuse("questions", "must be a list with at least one question.")
        return None
    older = not any(isinstance(one, dict) and {"slug", "key", "field"} & set(one) for one in raw)
    questions = []
    for index, one in enumerate(raw):
        place = f"questions[{index}]"
        if not isinstance(one, dict):
            notes.refuse(place, "must be a dictionary with at least id and text.")
            continue
        question = _question(notes, one, place, products, older=older)
        if question:
            questions.append(question)
    with_field = [question for question in questions if question.field]
    notes.unique(questions, "questions", "id", lambda question: question.id)
    notes.unique(questions, "questions", "slug", lambda question: question.slug)
    notes.unique(with_field, "questions", "field", lambda question: question.field)
    return tuple(questions) if len(questions) == len(raw) else None


def _question(
    notes: Notes, raw: dict[str, Any], place: str, products: tuple[Product, ...], *, older: bool
) -> Question | None:
    notes.known(raw, _QUESTION, place)
    number, slug = _number(notes, raw, place), None
    if number is not None:
        slug = _slug(notes, raw, place, OLDER_SLUGS.get(number) if older else None, number)
    text = first(raw, "text", "question")
    if not isinstance(text, str) or not text.strip():
        notes.refuse(f"{place}.text", "must say what is asked.")
    options = _options(notes, raw, place, products)
    field = _field(notes, raw, place, slug)
    kind = _type(notes, raw.get("type"), place, field, options)
    if number is None or slug is None or kind is None:
        return None
    low, high = _range(notes, raw, place, kind)
    return Question(
        id=number,
        slug=slug,
        text=str(text),
        type=kind,
        options=_options_of_type(notes, kind, options, place, low, high),
        field=field,
        required=notes.flag(raw, "required", True, place),
        step=notes.whole(raw, "step", 1, place),
        show_if=_show_if(notes, raw, place),
        placeholder=notes.text(raw, "placeholder", place),
        help=notes.text(raw, "help", place),
        pattern=_pattern(notes, raw.get("pattern"), f"{place}.pattern", kind),
        min=low,
        max=high,
    )


def _number(notes: Notes, raw: Mapping[str, Any], place: str) -> int | None:
    number = raw.get("id")
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= 999_999:
        return number
    notes.refuse(f"{place}.id", "must be a whole number from 1 to 999999.")
    return None


def _slug(
    notes: Notes, raw: Mapping[str, Any], place: str, older: str | None, number: int
) -> str | None:
    slug = first(raw, "slug", "key", "field")
    if slug is None:
        return older or f"question_{number}"
    if isinstance(slug, str) and _SLUG.fullmatch(slug):
        return slug
    notes.refuse(f"{place}.slug", "must be small letters, digits and _ such as business_type.")
    return None


def _field(notes: Notes, raw: Mapping[str, Any], place: str, slug: str | None) -> str | None:
    name = raw.get("field", slug if slug in PROFILE_FIELDS else None)
    if name is None:
        return None
    if not isinstance(name, str) or not _SLUG.fullmatch(name) or name in PROTECTED_FIELDS:
        notes.refuse(f"{place}.field", f"{name!r} is no profile field; use one such as company.")
        return None
    return name


def _type(
    notes: Notes, raw: Any, place: str, field: str | None, options: tuple[Option, ...]
) -> QuestionType | None:
    needed = _CHECKED.get(field or "")
    if raw is None:
        if not options:
            return needed or QuestionType.TEXT
        kind = QuestionType.MULTI_CHOICE if field == "features_interested" else QuestionType.CHOICE
    else:
        word = str(raw).replace("-", "_").replace(" ", "_").lower()
        if word not in QuestionType._value2member_map_:
            known = ", ".join(QuestionType)
            notes.refuse(f"{place}.type", f"{raw!r} is no question type; use one of {known}.")
            return None
        kind = QuestionType(word)
    if needed and kind is not needed:
        notes.refuse(f"{place}.type", f"must be {needed}, since it fills the field {field}.")
    return kind


def _range(
    notes: Notes, raw: Mapping[str, Any], place: str, kind: QuestionType
) -> tuple[float | None, float | None]:
    low, high = notes.optional_number(raw, "min", place), notes.optional_number(raw, "max", place)
    if (low, high) == (None, None):
        return None, None
    if kind not in (QuestionType.NUMBER, QuestionType.RATING):
        notes.refuse(f"{place}.min", "min and max are for numbers and ratings; leave them out.")
    if low is not None and high is not None and low > high:
        notes.refuse(f"{place}.min", "is above max, so no answer fits; exchange the two.")
    return low, high


def _options_of_type(
    notes: Notes,
    kind: QuestionType,
    options: tuple[Option, ...],
    place: str,
    low: float | None,
    high: float | None,
) -> tuple[Option, ...]:
    """The options as the type needs them: a rating and a consent bring their own."""
    if kind in _CHOICES and len(options) < 2:
        notes.refuse(f"{place}.options", "a choice needs at least two options.")
    if kind is QuestionType.CONSENT:
        if options:
            notes.refuse(f"{place}.options", "a consent is yes or no; leave the options out.")
        return Option("yes"), Option("no")
    if kind is not QuestionType.RATING or options:
        return options
    lowest, highest = 1 if low is None else low, 5 if high is None else high
    if not (lowest == int(lowest) and highest == int(highest) and 1 <= highest - lowest < 11):
        notes.refuse(f"{place}.max", "a rating has 2 to 11 whole steps, such as min 1 and max 5.")
        return ()
    return tuple(Option(str(step)) for step in range(int(lowest), int(highest) + 1))


def _options(
    notes: Notes, raw: Mapping[str, Any], place: str, products: tuple[Product, ...]
) -> tuple[Option, ...]:
    source, given = raw.get("options_from"), raw.get("options")
    if source == "products":
        return tuple(Option(product.name, (product.id,)) for product in products)
    if source is not None:
        notes.refuse(f"{place}.options_from", "can only be products.")
    if given is not None and not isinstance(given, list):
        notes.refuse(f"{place}.options", "must be a list.")
        return ()
    read = [
        _option(notes, one, f"{place}.options[{index}]") for index, one in enumerate(given or ())
    ]
    options = tuple(option for option in read if option)
    notes.unique(options, f"{place}.options", "value", lambda option: fold(option.value))
    if sum(option.is_other for option in options) > 1:
        notes.refuse(f"{place}.options", "only one option can be the one for everything else.")
    size = sum(len(option.value) + 2 for option in options)
    if len(options) > MOST_OPTIONS or size > 2000:
        notes.refuse(
            f"{place}.options", f"are more than {MOST_OPTIONS} or too long together; use fewer."
        )
    return options


def _option(notes: Notes, raw: Any, place: str) -> Option | None:
    if isinstance(raw, (str, int)) and not isinstance(raw, bool):
        raw = {"value": str(raw)}
    if not isinstance(raw, dict):
        notes.refuse(place, "must be a text or a dictionary with a value.")
        return None
    notes.known(raw, {"value", "synonyms", "other"}, place)
    value = raw.get("value")
    # What looks empty could never be typed, and a very long text is never matched.
    if not isinstance(value, str) or not fold(value) or len(value) > LONGEST_OPTION:
        notes.refuse(
            f"{place}.value", f"must be the text of the option, at most {LONGEST_OPTION} long."
        )
        return None
    is_other = notes.flag(raw, "other", fold(value) == "other", place)
    return Option(value, notes.texts(raw, "synonyms", place), is_other)


def _pattern(notes: Notes, raw: Any, place: str, kind: QuestionType) -> str | None:
    if raw is None:
        return None
    if kind is not QuestionType.TEXT:
        notes.refuse(place, f"is for questions of type text, not {kind}; leave it out.")
    if not isinstance(raw, str) or len(raw) > LONGEST_PATTERN:
        notes.refuse(place, f"must be a regular expression of up to {LONGEST_PATTERN} characters.")
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(raw)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        notes.refuse(place, f"is no regular expression ({error}); try [A-Z]{{2}}[0-9]+.")
        return None
    if _RISKY_PATTERN.search(raw) or _tries(raw) > MOST_TRIES:
        notes.refuse(
            place,
            "repeats a group or too many parts, which a visitor could use to hold the server up;"
            " use a few plain classes such as [0-9]+.",
        )
        return None
    return raw


def _tries(pattern: str) -> int:
    """How many ways a pattern can be tried at worst, by what may be repeated or left out in it."""
    tries = 1
    for found in _QUANTIFIER.finditer(_ESCAPED.sub("x", pattern)):
        low, comma, high = found.groups()
        if found[0] in ("?", "|"):
            # Two ways, and after each of them what follows is tried again.
            tries *= 3
        elif found[0] in ("*", "+"):
            tries *= LONGEST_PATTERNED
        elif comma:
            most = min(int(high or LONGEST_PATTERNED), LONGEST_PATTERNED)
            tries *= max(1, most - int(low or 0) + 1)
    return tries


def _show_if(notes: Notes, raw: Mapping[str, Any], place: str) -> Condition | None:
    if raw.get("show_if") is None:
        return None
    return _condition(notes, raw["show_if"], f"{place}.show_if")


def _condition(notes: Notes, raw: Any, place: str) -> Condition | None:
    if not isinstance(raw, dict) or not raw:
        notes.refuse(place, 'must be a condition such as {"subject": "answer:staff_size", …}.')
        return None
    for word in ("all", "any"):
        if word in raw:
            return _group(notes, raw, word, place)
    if "not" in raw:
        notes.known(raw, {"not"}, place)
        part = _condition(notes, raw["not"], f"{place}.not")
        return Not(part) if part else None
    notes.known(raw, {"subject", "op", "value"}, place)
    return _leaf(notes, raw, place)


def _group(notes: Notes, raw: dict[str, Any], word: str, place: str) -> Condition | None:
    notes.known(raw, {word}, place)
    parts = raw[word]
    if not isinstance(parts, list) or not parts:
        notes.refuse(f"{place}.{word}", "must be a list of conditions, not empty.")
        return None
    read = [_condition(notes, part, f"{place}.{word}[{i}]") for i, part in enumerate(parts)]
    kept = tuple(part for part in read if part)
    if len(kept) < len(read):
        return None
    return Every(kept) if word == "all" else Some(kept)


def _leaf(notes: Notes, raw: Mapping[str, Any], place: str) -> Condition | None:
    subject, op, value = str(raw.get("subject")), str(raw.get("op")), raw.get("value")
    if op not in OPS:
        known = ", ".join(sorted(OPS))
        notes.refuse(f"{place}.op", f"{op!r} is no comparison; use one of {known}.")
        return None
    kind, _, name = subject.partition(":")
    if kind == "utm" and f"utm_{name}" in UTM_FIELDS:
        fits = op in TEXT_OPS | LIST_OPS
    elif subject == "score":
        fits = op in NUMBER_OPS | {"eq", "ne"} and is_number(value)
    elif kind == "answer" and name:
        fits = True
    else:
        notes.refuse(
            f"{place}.subject", "must be answer:<slug>, utm:source (or medium …), or score."
        )
        return None
    if not fits:
        notes.refuse(
            place,
            "points are compared with a number (is, more or less than), a source with a text"
            " (is, is one of, contains): change the comparison or the value.",
        )
        return None
    return _compared(notes, subject, op, value, place)


def _compared(notes: Notes, subject: str, op: str, value: Any, place: str) -> Condition | None:
    """The comparison, with a value that its operator can use."""
    if op in PRESENCE_OPS:
        return Leaf(subject, op)
    if op in LIST_OPS:
        scalars = isinstance(value, list) and all(isinstance(v, (str, int, float)) for v in value)
        if scalars and value:
            return Leaf(subject, op, value)
        notes.refuse(f"{place}.value", f"{op} needs a list of values.")
        return None
    if isinstance(value, (str, int, float)) and str(value).strip():
        return Leaf(subject, op, value)
    notes.refuse(f"{place}.value", f"{op} needs one text or number to compare with.")
    return None

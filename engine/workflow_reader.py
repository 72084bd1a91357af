"""WORKFLOW_CONFIG into a Workflow, or every reason why a visitor would trip over it.

Each problem names its place (`questions[2].show_if`) and the remedy in one sentence, and all of
them are found in one reading, so that a marketer repairs a draft in one go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.conditions import (
    LIST_OPS,
    NUMBER_OPS,
    OPS,
    PRESENCE_OPS,
    Condition,
    Every,
    Leaf,
    Not,
    Some,
    leaves,
)
from engine.vocabulary import (
    DEFAULT_POINTS,
    PROFILE_FIELDS,
    PROTECTED_FIELDS,
    UTM_FIELDS,
    Action,
    QuestionType,
    find_action,
)
from engine.workflow import (
    Arm,
    CallToAction,
    ConsentText,
    ContactStep,
    Greeting,
    Option,
    Proactive,
    Product,
    Question,
    Test,
    WidgetLook,
    Workflow,
)
from lib.text import fold

MESSAGES = {
    "did_you_mean": "Did you mean one of these? If not, send it once more and I will keep it.",
    "not_an_option": "Please pick one of these. If none fits, send it again and I will keep it.",
    "required": "I need an answer to this one to help you.",
    "empty": "I did not catch that. Could you type it again?",
    "too_long": "That is more than I can keep. Could you say it in fewer words?",
    "email": "That is no e-mail address I can use. Could you check it? Example: name@example.com",
    "phone": "That is no phone number I can use. Could you check it? Example: +91 91234 56789",
    "number": "Please send a number.",
    "range": "Please send a number between {min} and {max}.",
    "date": "Please send a date such as 2026-03-31.",
    "rating": "Please pick a number from the scale.",
    "consent": "Please choose yes or no.",
    "pattern": "That does not have the form I expected. Could you check it?",
    "other": "Something else",
}
# Slugs of the questions of older configurations, which knew them by number only.
OLDER_SLUGS = {
    1: "business_type",
    2: "location",
    3: "staff_size",
    4: "monthly_sales",
    5: "features_interested",
}
_TOP = {
    *("name", "default_locale", "default_region", "default_assignee", "greeting", "consent"),
    *("questions", "products", "product_text", "contact", "calls_to_action"),
    *("call_to_action_text", "closing", "scoring", "classification_thresholds", "tiers"),
    *("quick_reply_seconds", "detailed_answer_characters", "messages", "translations"),
    *("widget", "proactive"),
    # Older names
    *("greeting_message", "product_menu", "cta_options", "sql_threshold", "mql_threshold"),
    *("ACTIVE_TESTS", "active_tests"),
}
_QUESTION = {
    *("id", "slug", "key", "text", "question", "type", "options", "options_from", "field"),
    *("required", "step", "show_if", "placeholder", "help", "pattern", "min", "max"),
}
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,63}")
_VARIABLE = re.compile(r"\{([^{}|]*)(?:\|[^{}]*)?\}")
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_RATING = tuple(str(number) for number in range(1, 6))
# A marketer's pattern runs on a visitor's text: a repeated group can be made to run for minutes.
_RISKY_PATTERN = re.compile(r"\)\s*[*+{?]|\\[1-9]|\(\?[^:]")


@dataclass(frozen=True)
class Problem:
    """One reason why a workflow cannot be used: where, and what to do about it."""

    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


class WorkflowInvalid(ValueError):
    """A workflow that a visitor would trip over; `problems` holds every reason."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def read_workflow(config: Any, tests: Any = None) -> Workflow:
    """The Workflow of a WORKFLOW_CONFIG and its ACTIVE_TESTS; WorkflowInvalid if it cannot be."""
    reader = _Reader()
    workflow = reader.workflow(config, tests)
    if reader.problems:
        raise WorkflowInvalid(reader.problems)
    assert workflow is not None
    return workflow


class _Reader:
    """Reads one configuration and collects what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, place: str, sentence: str) -> None:
        self.problems.append(Problem(place, sentence))

    # The parts, in the order of a conversation

    def workflow(self, config: Any, tests: Any) -> Workflow | None:
        if not isinstance(config, Mapping):
            self.refuse("WORKFLOW_CONFIG", "must be a dictionary.")
            return None
        self._known(config, _TOP, "")
        products = self._products(_first(config, "products", "product_menu", default=()))
        questions = self._questions(config.get("questions"), products)
        sql, mql = self._thresholds(config)
        hot, warm = self._tiers(config.get("tiers", {}))
        if tests is None:
            tests = _first(config, "ACTIVE_TESTS", "active_tests", default={})
        if self.problems:
            return None
        workflow = Workflow(
            questions=questions,
            greeting=self._greeting(_first(config, "greeting", "greeting_message", default="")),
            scoring=self._scoring(config.get("scoring", {})),
            sql_threshold=sql,
            mql_threshold=mql,
            hot_threshold=hot,
            warm_threshold=warm,
            name=self._text(config, "name", ""),
            default_locale=self._text(config, "default_locale", "") or "en",
            default_region=(self._text(config, "default_region", "") or "IN").upper(),
            default_assignee=self._text(config, "default_assignee", "") or None,
            quick_reply_seconds=self._number(config, "quick_reply_seconds", 120),
            detailed_answer_characters=int(self._number(config, "detailed_answer_characters", 10)),
            consent=self._consent(config.get("consent")),
            products=products,
            product_text=self._text(config, "product_text", ""),
            contact=self._contact(config.get("contact")),
            calls_to_action=self._calls(
                _first(config, "calls_to_action", "cta_options", default=())
            ),
            call_to_action_text=self._text(config, "call_to_action_text", ""),
            closing=self._text(config, "closing", ""),
            widget=self._widget(self._mapping(config, "widget")),
            proactive=self._proactive(self._mapping(config, "proactive")),
            messages=self._messages(config.get("messages", {})),
            translations=self._mapping(config, "translations"),
            tests=self._tests(tests, questions),
        )
        self._check_branching(workflow)
        self._check_texts(workflow)
        self._check_translations(workflow)
        return workflow

    def _questions(self, raw: Any, products: tuple[Product, ...]) -> tuple[Question, ...]:
        if not isinstance(raw, Sequence) or isinstance(raw, str) or not raw:
            self.refuse("questions", "must be a list with at least one question.")
            return ()
        questions = []
        older = not any(
            isinstance(one, Mapping) and ({"slug", "key", "field"} & set(one)) for one in raw
        )
        for index, one in enumerate(raw):
            place = f"questions[{index}]"
            if not isinstance(one, Mapping):
                self.refuse(place, "must be a dictionary with at least id and text.")
                continue
            question = self._question(one, place, products, older=older)
            if question:
                questions.append(question)
        self._unique(questions, "questions", "id", lambda question: question.id)
        self._unique(questions, "questions", "slug", lambda question: question.slug)
        self._unique(
            [question for question in questions if question.field],
            "questions",
            "field",
            lambda question: question.field,
        )
        return tuple(questions)

    def _question(
        self, raw: Mapping[str, Any], place: str, products: tuple[Product, ...], *, older: bool
    ) -> Question | None:
        self._known(raw, _QUESTION, place)
        number = raw.get("id")
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 999_999:
            self.refuse(f"{place}.id", "must be a whole number from 1 to 999999.")
            return None
        slug = _first(raw, "slug", "key", "field", default=None)
        if slug is None:
            slug = OLDER_SLUGS.get(number) if older else None
        slug = slug or f"question_{number}"
        if not isinstance(slug, str) or not _SLUG.fullmatch(slug):
            self.refuse(
                f"{place}.slug", "must be small letters, digits and _ such as business_type."
            )
            return None
        text = _first(raw, "text", "question", default="")
        if not isinstance(text, str) or not text.strip():
            self.refuse(f"{place}.text", "must say what is asked.")
        options = self._options(raw, place, products)
        kind = self._type(raw.get("type"), place, slug, options)
        if kind is None:
            return None
        if kind in (QuestionType.CHOICE, QuestionType.MULTI_CHOICE) and len(options) < 2:
            self.refuse(f"{place}.options", "a choice needs at least two options.")
        if kind is QuestionType.RATING and not options:
            options = tuple(Option(value) for value in _RATING)
        return Question(
            id=number,
            slug=slug,
            text=str(text),
            type=kind,
            options=options,
            field=self._field(raw, place, slug),
            required=self._flag(raw, "required", True, place),
            step=int(self._number(raw, "step", 1, place)),
            show_if=(
                self._condition(raw["show_if"], f"{place}.show_if") if raw.get("show_if") else None
            ),
            placeholder=self._text(raw, "placeholder", place),
            help=self._text(raw, "help", place),
            pattern=self._pattern(raw.get("pattern"), place),
            min=self._optional_number(raw, "min", place),
            max=self._optional_number(raw, "max", place),
        )

    def _type(
        self, raw: Any, place: str, slug: str, options: tuple[Option, ...]
    ) -> QuestionType | None:
        if raw is None:
            if not options:
                return QuestionType.TEXT
            several = slug == "features_interested"
            return QuestionType.MULTI_CHOICE if several else QuestionType.CHOICE
        word = str(raw).replace("-", "_").lower()
        if word not in QuestionType._value2member_map_:
            known = ", ".join(QuestionType)
            self.refuse(f"{place}.type", f"{raw!r} is no question type; use one of {known}.")
            return None
        return QuestionType(word)

    def _options(
        self, raw: Mapping[str, Any], place: str, products: tuple[Product, ...]
    ) -> tuple[Option, ...]:
        if raw.get("options_from") == "products":
            return tuple(Option(product.name, (product.id,)) for product in products)
        given = raw.get("options") or ()
        if isinstance(given, str) or not isinstance(given, Sequence):
            self.refuse(f"{place}.options", "must be a list.")
            return ()
        options = []
        for index, one in enumerate(given):
            option = self._option(one, f"{place}.options[{index}]")
            if option:
                options.append(option)
        self._unique(options, f"{place}.options", "value", lambda option: fold(option.value))
        return tuple(options)

    def _option(self, raw: Any, place: str) -> Option | None:
        if isinstance(raw, (str, int)) and not isinstance(raw, bool) and str(raw).strip():
            return Option(str(raw), is_other=fold(str(raw)) == "other")
        if not isinstance(raw, Mapping):
            self.refuse(place, "must be a text or a dictionary with a value.")
            return None
        self._known(raw, {"value", "synonyms", "other"}, place)
        value, synonyms = raw.get("value"), raw.get("synonyms", ())
        if not isinstance(value, str) or not value.strip():
            self.refuse(f"{place}.value", "must be the text of the option.")
            return None
        if isinstance(synonyms, str) or not all(isinstance(one, str) for one in synonyms):
            self.refuse(f"{place}.synonyms", "must be a list of texts.")
            synonyms = ()
        is_other = bool(raw.get("other", fold(value) == "other"))
        return Option(value, tuple(synonyms), is_other)

    def _field(self, raw: Mapping[str, Any], place: str, slug: str) -> str | None:
        name = raw.get("field", slug if slug in PROFILE_FIELDS else None)
        if name is None:
            return None
        if not isinstance(name, str) or not _SLUG.fullmatch(name) or name in PROTECTED_FIELDS:
            self.refuse(f"{place}.field", f"{name!r} is no profile field; use one such as company.")
            return None
        return name

    def _pattern(self, raw: Any, place: str) -> str | None:
        if raw is None:
            return None
        try:
            re.compile(raw)
        except (re.error, TypeError) as error:
            self.refuse(
                f"{place}.pattern", f"is no regular expression ({error}); try [A-Z]{{2}}[0-9]+."
            )
            return None
        if len(raw) > 200 or _RISKY_PATTERN.search(raw):
            self.refuse(
                f"{place}.pattern",
                "repeats a group or is over 200 characters, which a visitor could use to hold the"
                " server up; use plain classes such as [0-9]+.",
            )
            return None
        return str(raw)

    def _condition(self, raw: Any, place: str) -> Condition | None:
        if not isinstance(raw, Mapping) or not raw:
            self.refuse(place, 'must be a condition such as {"subject": "answer:staff_size", …}.')
            return None
        for word, kind in (("all", Every), ("any", Some)):
            if word in raw:
                return self._group(raw, word, kind, place)
        if "not" in raw:
            self._known(raw, {"not"}, place)
            part = self._condition(raw["not"], f"{place}.not")
            return Not(part) if part else None
        self._known(raw, {"subject", "op", "value"}, place)
        return self._leaf(raw, place)

    def _group(self, raw: Mapping[str, Any], word: str, kind: type, place: str) -> Condition | None:
        self._known(raw, {word}, place)
        parts = raw[word]
        if not isinstance(parts, Sequence) or isinstance(parts, str) or not parts:
            self.refuse(f"{place}.{word}", "must be a list of conditions, not empty.")
            return None
        read = [self._condition(part, f"{place}.{word}[{i}]") for i, part in enumerate(parts)]
        return kind(tuple(part for part in read if part)) if all(read) else None

    def _leaf(self, raw: Mapping[str, Any], place: str) -> Condition | None:
        subject, op, value = raw.get("subject"), raw.get("op"), raw.get("value")
        if op not in OPS:
            self.refuse(
                f"{place}.op", f"{op!r} is no comparison; use one of {', '.join(sorted(OPS))}."
            )
            return None
        kind, _, name = str(subject).partition(":")
        utm = kind == "utm" and f"utm_{name}" in UTM_FIELDS
        if not (subject == "score" or utm or (kind == "answer" and name)):
            self.refuse(
                f"{place}.subject", "must be answer:<slug>, utm:source (or medium …), or score."
            )
            return None
        if subject == "score" and not (op in NUMBER_OPS | {"eq", "ne"} and _is_number(value)):
            self.refuse(place, "a score is compared with a number by gt, gte, lt, lte, eq or ne.")
            return None
        if op in LIST_OPS and (
            isinstance(value, str) or not isinstance(value, Sequence) or not value
        ):
            self.refuse(f"{place}.value", f"{op} needs a list of values.")
            return None
        if op not in PRESENCE_OPS and value is None:
            self.refuse(f"{place}.value", f"{op} needs a value to compare with.")
            return None
        return Leaf(str(subject), str(op), list(value or ()) if op in LIST_OPS else value)

    def _greeting(self, raw: Any) -> Greeting:
        if isinstance(raw, str):
            return Greeting(raw)
        if not isinstance(raw, Mapping):
            self.refuse("greeting", "must be a text, or a dictionary with text and replies.")
            return Greeting("")
        self._known(raw, {"text", "replies"}, "greeting")
        return Greeting(
            self._text(raw, "text", "greeting"), self._texts(raw, "replies", "greeting")
        )

    def _consent(self, raw: Any) -> ConsentText | None:
        if not raw:
            return None
        if not isinstance(raw, Mapping):
            self.refuse("consent", "must be a dictionary with text and version.")
            return None
        self._known(raw, {"text", "version", "required"}, "consent")
        text, version = self._text(raw, "text", "consent"), self._text(raw, "version", "consent")
        if not text or not version:
            self.refuse(
                "consent", "needs a text and a version, so that one can prove what was agreed."
            )
        return ConsentText(text, version, self._flag(raw, "required", True, "consent"))

    def _products(self, raw: Any) -> tuple[Product, ...]:
        products = []
        for index, one in enumerate(self._listed(raw, "products")):
            place = f"products[{index}]"
            if isinstance(one, str):
                one = {"name": one}
            if not isinstance(one, Mapping):
                self.refuse(place, "must be a text or a dictionary with a name.")
                continue
            self._known(one, {"id", "name", "label", "title", "description"}, place)
            name = str(_first(one, "name", "label", "title", default="") or "")
            identifier = self._identifier(one.get("id"), name, place)
            products.append(Product(identifier, name, self._text(one, "description", place)))
        self._unique(products, "products", "id", lambda product: product.id)
        return tuple(products)

    def _contact(self, raw: Any) -> ContactStep | None:
        if not raw:
            return None
        if not isinstance(raw, Mapping):
            self.refuse("contact", "must be a dictionary with text and fields.")
            return None
        self._known(raw, {"text", "fields"}, "contact")
        fields = self._texts(raw, "fields", "contact") or ("name", "email", "phone")
        for name in fields:
            if name not in PROFILE_FIELDS:
                self.refuse(
                    "contact.fields", f"{name!r} is not one of {', '.join(PROFILE_FIELDS)}."
                )
        return ContactStep(self._text(raw, "text", "contact"), fields)

    def _calls(self, raw: Any) -> tuple[CallToAction, ...]:
        calls = []
        for index, one in enumerate(self._listed(raw, "calls_to_action")):
            place = f"calls_to_action[{index}]"
            if isinstance(one, str):
                one = {"label": one}
            if not isinstance(one, Mapping):
                self.refuse(place, "must be a text or a dictionary with a label.")
                continue
            self._known(one, {"id", "label", "text", "name", "action"}, place)
            label = str(_first(one, "label", "text", "name", default="") or "")
            identifier = self._identifier(one.get("id"), label, place)
            calls.append(CallToAction(identifier, label, self._call_action(one, label, place)))
        self._unique(calls, "calls_to_action", "id", lambda call: call.id)
        return tuple(calls)

    def _call_action(self, raw: Mapping[str, Any], label: str, place: str) -> Action:
        word = raw.get("action")
        if word is None:
            return Action.DEMO_REQUESTED if "demo" in label.lower() else Action.CTA_CLICKED
        action = find_action(str(word))
        if action not in (Action.DEMO_REQUESTED, Action.CTA_CLICKED):
            self.refuse(f"{place}.action", "must be demo_requested or cta_clicked.")
            return Action.CTA_CLICKED
        return action

    def _widget(self, raw: Mapping[str, Any]) -> WidgetLook:
        self._known(raw, {"title", "launcher", "position", "theme"}, "widget")
        theme = raw.get("theme", {})
        if not isinstance(theme, Mapping):
            self.refuse("widget.theme", "must be a dictionary with accent and scheme.")
            theme = {}
        self._known(theme, {"accent", "scheme"}, "widget.theme")
        accent = self._text(theme, "accent", "widget.theme")
        if accent and not _COLOUR.fullmatch(accent):
            self.refuse("widget.theme.accent", "must be a colour such as #0b6b4f.")
        return WidgetLook(
            title=self._text(raw, "title", "widget"),
            launcher=self._text(raw, "launcher", "widget"),
            position=self._word(raw, "position", ("end", "start"), "widget"),
            accent=accent,
            scheme=self._word(theme, "scheme", ("auto", "light", "dark"), "widget.theme"),
        )

    def _proactive(self, raw: Mapping[str, Any]) -> Proactive | None:
        if not raw:
            return None
        place = "proactive"
        self._known(
            raw,
            {"after_seconds", "scroll_percent", "exit_intent", "url_pattern", "cap_hours"},
            place,
        )
        seconds = self._optional_number(raw, "after_seconds", place)
        percent = self._optional_number(raw, "scroll_percent", place)
        if seconds is not None and seconds < 0:
            self.refuse(f"{place}.after_seconds", "must not be below 0.")
        if percent is not None and not 1 <= percent <= 100:
            self.refuse(f"{place}.scroll_percent", "must be from 1 to 100.")
        at_exit = self._flag(raw, "exit_intent", False, place)
        if seconds is None and percent is None and not at_exit:
            self.refuse(place, "needs after_seconds, scroll_percent or exit_intent.")
        return Proactive(
            after_seconds=seconds,
            scroll_percent=percent,
            exit_intent=at_exit,
            url_pattern=self._text(raw, "url_pattern", place) or "*",
            cap_hours=self._number(raw, "cap_hours", 24, place),
        )

    def _scoring(self, raw: Any) -> Mapping[Action, int]:
        points = dict(DEFAULT_POINTS)
        if not isinstance(raw, Mapping):
            self.refuse("scoring", "must map actions to points.")
            return points
        for word, worth in raw.items():
            action = find_action(str(word))
            if action is None:
                known = ", ".join(DEFAULT_POINTS)
                self.refuse(f"scoring.{word}", f"is no action; known are {known}.")
            elif not isinstance(worth, int) or isinstance(worth, bool) or abs(worth) > 1000:
                self.refuse(f"scoring.{word}", "must be a whole number from -1000 to 1000.")
            elif action not in DEFAULT_POINTS and worth != 0:
                self.refuse(f"scoring.{word}", "earns no points; leave it out or set it to 0.")
            else:
                points[action] = worth
        return points

    def _thresholds(self, config: Mapping[str, Any]) -> tuple[int, int]:
        raw = config.get("classification_thresholds", {})
        if not isinstance(raw, Mapping):
            self.refuse("classification_thresholds", "must be a dictionary with sql and mql.")
            return 60, 30
        place = "classification_thresholds"
        self._known(
            raw,
            {"sql", "mql", "SQL", "MQL", "sql_threshold", "mql_threshold", "unqualified"},
            place,
        )
        both = {**config, **raw}
        sql = _first(both, "sql", "SQL", "sql_threshold", default=60)
        mql = _first(both, "mql", "MQL", "mql_threshold", default=30)
        if not (_is_number(sql) and _is_number(mql) and 0 < mql < sql):
            self.refuse(place, "needs 0 < mql < sql, for example mql 30 and sql 60.")
            return 60, 30
        return int(sql), int(mql)

    def _tiers(self, raw: Any) -> tuple[float, float]:
        if not isinstance(raw, Mapping):
            self.refuse("tiers", "must be a dictionary with hot and warm.")
            return 75, 50
        self._known(raw, {"hot", "warm"}, "tiers")
        hot, warm = raw.get("hot", 75), raw.get("warm", 50)
        if not (_is_number(hot) and _is_number(warm) and 0 < warm < hot):
            self.refuse("tiers", "needs 0 < warm < hot, for example warm 50 and hot 75.")
            return 75, 50
        return float(hot), float(warm)

    def _messages(self, raw: Any) -> Mapping[str, str]:
        if not isinstance(raw, Mapping):
            self.refuse("messages", "must map names to texts.")
            return MESSAGES
        self._known(raw, set(MESSAGES), "messages")
        return {**MESSAGES, **{name: str(text) for name, text in raw.items()}}

    def _tests(self, raw: Any, questions: tuple[Question, ...]) -> tuple[Test, ...]:
        if not isinstance(raw, Mapping):
            self.refuse("ACTIVE_TESTS", "must map test names to their variants.")
            return ()
        tests = [self._test(str(name), one, questions) for name, one in raw.items()]
        return tuple(test for test in tests if test)

    def _test(self, name: str, raw: Any, questions: tuple[Question, ...]) -> Test | None:
        place = f"ACTIVE_TESTS.{name}"
        if len(name) > 64 or not re.fullmatch(r"[\w.-]+", name):
            self.refuse(place, "a test's name is letters, digits, _ . and -, at most 64.")
            return None
        variants = raw.get("variants", raw) if isinstance(raw, Mapping) else None
        if isinstance(variants, Sequence) and not isinstance(variants, str):
            variants = {chr(65 + index): one for index, one in enumerate(variants)}
        if not isinstance(variants, Mapping) or len(variants) < 2:
            self.refuse(place, "needs at least two variants, the first of them the control.")
            return None
        arms = []
        for arm, content in variants.items():
            arms.append(self._arm(str(arm), content, f"{place}.{arm}", questions))
        weights = raw.get("weights", {}) if "variants" in raw else {}
        return Test(name, self._weighted(arms, weights, place))

    def _arm(self, name: str, raw: Any, place: str, questions: tuple[Question, ...]) -> Arm:
        if isinstance(raw, str):
            raw = {"greeting": raw}
        if isinstance(raw, Sequence):
            raw = {"order": list(raw)}
        if not isinstance(raw, Mapping):
            self.refuse(place, "must be a greeting, an order of questions, or a dictionary.")
            raw = {}
        config = {str(key): value for key, value in raw.items() if key != "weight"}
        for older in ("message", "greeting_message", "text"):
            if older in config and "greeting" not in config:
                config["greeting"] = config[older]
        if isinstance(config.get("greeting"), Mapping):
            config["greeting"] = config["greeting"].get("text", "")
        if "order" not in config and "question_order" in config:
            config["order"] = config["question_order"]
        self._check_order(config.get("order", ()), f"{place}.order", questions)
        return Arm(name, float(raw.get("weight", 1.0)), config)

    def _check_order(self, order: Any, place: str, questions: tuple[Question, ...]) -> None:
        names = {question.slug for question in questions} | {str(q.id) for q in questions}
        if isinstance(order, str) or not isinstance(order, Sequence):
            self.refuse(place, "must be a list of questions.")
            return
        for slug in order:
            if str(slug) not in names:
                self.refuse(place, f"{slug!r} is no question of this workflow.")
        if len({str(slug) for slug in order}) != len(order):
            self.refuse(place, "names a question twice.")

    def _weighted(self, arms: list[Arm], weights: Any, place: str) -> tuple[Arm, ...]:
        if isinstance(weights, Mapping) and weights:
            arms = [Arm(arm.name, float(weights.get(arm.name, 0)), arm.config) for arm in arms]
        total = sum(arm.weight for arm in arms)
        if total <= 0 or any(arm.weight < 0 for arm in arms):
            self.refuse(f"{place}.weights", "must be positive numbers.")
            return tuple(arms)
        return tuple(Arm(arm.name, arm.weight / total, arm.config) for arm in arms)

    # What only shows when the parts are seen together

    def _check_branching(self, workflow: Workflow) -> None:
        """Dead ends: a question that waits for one that comes later, or for what can never be."""
        orders = [workflow.questions] + [
            workflow.arranged({test.name: arm.name}).questions
            for test in workflow.tests
            for arm in test.arms
            if arm.config.get("order")
        ]
        for question in workflow.questions:
            place = f"questions[{workflow.questions.index(question)}].show_if"
            for leaf in leaves(question.show_if):
                self._check_leaf(workflow, question, leaf, orders, place)
        if workflow.questions and all(question.show_if for question in workflow.questions):
            self.refuse("questions", "every question waits for another; ask at least one always.")

    def _check_leaf(
        self,
        workflow: Workflow,
        question: Question,
        leaf: Leaf,
        orders: Iterable[Sequence[Question]],
        place: str,
    ) -> None:
        kind, _, slug = leaf.subject.partition(":")
        if kind != "answer":
            return
        asked = workflow.by_slug.get(slug)
        if asked is None:
            self.refuse(place, f"{slug!r} is no question; name one that stands before this one.")
            return
        for order in orders:
            if order.index(asked) >= order.index(question):
                self.refuse(
                    place, f"waits for {slug!r}, which is asked later or is itself; move it up."
                )
                return
        self._check_reachable(asked, leaf, place)

    def _check_reachable(self, asked: Question, leaf: Leaf, place: str) -> None:
        if not asked.options or leaf.op not in ("eq", "in", "contains"):
            return
        values = leaf.value if isinstance(leaf.value, list) else [leaf.value]
        known = {fold(option.value) for option in asked.options}
        missing = [value for value in values if fold(str(value)) not in known]
        if missing:
            self.refuse(
                place,
                f"{missing[0]!r} is no option of {asked.slug!r}, so the question is never asked;"
                f" use one of {', '.join(option.value for option in asked.options)}.",
            )

    def _check_texts(self, workflow: Workflow) -> None:
        known = set(PROFILE_FIELDS) | {q.field for q in workflow.questions if q.field}
        texts = {"greeting": workflow.greeting.text, "closing": workflow.closing}
        texts |= {f"questions[{i}].text": q.text for i, q in enumerate(workflow.questions)}
        texts["call_to_action_text"] = workflow.call_to_action_text
        texts["contact"] = workflow.contact.text if workflow.contact else ""
        for place, text in texts.items():
            for name in _VARIABLE.findall(text):
                if name not in known:
                    self.refuse(place, f"{{{name}}} is no profile field; use one such as {{name}}.")

    def _check_translations(self, workflow: Workflow) -> None:
        known = {
            *("greeting", "closing", "contact", "consent", "products", "calls_to_action"),
            *("questions", "product_names", "call_labels", "replies", "messages", "widget"),
        }
        for locale, texts in workflow.translations.items():
            place = f"translations.{locale}"
            if not isinstance(texts, Mapping):
                self.refuse(place, "must be a dictionary of texts.")
                continue
            self._known(texts, known, place)
            questions = texts.get("questions", {})
            for slug, question in questions.items() if isinstance(questions, Mapping) else ():
                self._check_translated_question(
                    workflow, f"{place}.questions.{slug}", slug, question
                )

    def _check_translated_question(
        self, workflow: Workflow, place: str, slug: str, translated: Any
    ) -> None:
        asked = workflow.by_slug.get(slug)
        if asked is None or not isinstance(translated, Mapping):
            self.refuse(place, "is no question of this workflow, or no dictionary of its texts.")
            return
        options = translated.get("options", {})
        values = {option.value for option in asked.options}
        if not isinstance(options, Mapping) or set(options) - values:
            self.refuse(f"{place}.options", "must map the question's own options to their words.")

    # Small readers

    def _known(self, raw: Mapping[str, Any], known: set[str], place: str) -> None:
        for key in raw:
            if key not in known:
                where = f"{place}.{key}" if place else str(key)
                self.refuse(
                    where, f"is not a known key; known here are {', '.join(sorted(known))}."
                )

    def _unique(
        self, things: Sequence[Any], place: str, what: str, key: Callable[[Any], Any]
    ) -> None:
        seen = set()
        for thing in things:
            if key(thing) in seen:
                self.refuse(place, f"two have the same {what} {key(thing)!r}; give each its own.")
            seen.add(key(thing))

    def _text(self, raw: Mapping[str, Any], name: str, place: str) -> str:
        value = raw.get(name)
        if value is not None and not isinstance(value, str):
            self.refuse(_at(place, name), "must be a text.")
        return value if isinstance(value, str) else ""

    def _word(self, raw: Mapping[str, Any], name: str, known: tuple[str, ...], place: str) -> str:
        """One of a few words; the first where none is given."""
        value = raw.get(name, known[0])
        if value not in known:
            self.refuse(_at(place, name), f"must be one of {', '.join(known)}.")
            return known[0]
        return str(value)

    def _texts(self, raw: Mapping[str, Any], name: str, place: str) -> tuple[str, ...]:
        value = raw.get(name) or ()
        if isinstance(value, str) or not all(isinstance(one, str) for one in value):
            self.refuse(_at(place, name), "must be a list of texts.")
            return ()
        return tuple(value)

    def _listed(self, raw: Any, place: str) -> Sequence[Any]:
        if isinstance(raw, Mapping):
            return [
                {"id": key, **(one if isinstance(one, Mapping) else {"name": one})}
                for key, one in raw.items()
            ]
        if isinstance(raw, str) or not isinstance(raw, Sequence):
            self.refuse(place, "must be a list.")
            return ()
        return raw

    def _mapping(self, raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        value = raw.get(name) or {}
        if not isinstance(value, Mapping):
            self.refuse(name, "must be a dictionary.")
            return {}
        return value

    def _flag(self, raw: Mapping[str, Any], name: str, default: bool, place: str) -> bool:
        value = raw.get(name, default)
        if not isinstance(value, bool):
            self.refuse(_at(place, name), "must be True or False.")
        return bool(value)

    def _number(self, raw: Mapping[str, Any], name: str, default: float, place: str = "") -> float:
        value = raw.get(name, default)
        if not _is_number(value) or value < 0:
            self.refuse(_at(place, name), "must be a number, not below 0.")
            return default
        return float(value)

    def _optional_number(self, raw: Mapping[str, Any], name: str, place: str) -> float | None:
        value = raw.get(name)
        if value is not None and not _is_number(value):
            self.refuse(_at(place, name), "must be a number.")
            return None
        return None if value is None else float(value)

    def _identifier(self, raw: Any, name: str, place: str) -> str:
        if raw is not None and not isinstance(raw, (str, int)):
            self.refuse(f"{place}.id", "must be a text.")
        if not name.strip():
            self.refuse(place, "needs a name that a visitor can read.")
        slug = re.sub(r"[^a-z0-9]+", "_", str(raw if raw is not None else name).lower()).strip("_")
        # A name without one Latin letter leaves nothing: its place is then its id.
        return slug[:64] or re.sub(r"[^a-z0-9]+", "_", place).strip("_")


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _first(raw: Mapping[str, Any], *names: str, default: Any) -> Any:
    """The value of the first of several names that is there."""
    return next((raw[name] for name in names if name in raw), default)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

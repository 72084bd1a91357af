"""The typed, frozen form of WORKFLOW_CONFIG; refuses what a visitor could trip over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from engine.conditions import Condition, Leaf, leaves
from engine.matching import OptionWords
from engine.vocabulary import Action, Classification, QuestionType
from lib.text import locale_chain


@dataclass(frozen=True)
class Option:
    """One answer a question offers: the value we keep, and other words for it."""

    value: str
    synonyms: tuple[str, ...] = ()
    is_other: bool = False


@dataclass(frozen=True)
class Question:
    """One question: what is asked, what may be answered, when it is asked at all."""

    id: int
    slug: str
    text: str
    type: QuestionType
    options: tuple[Option, ...] = ()
    field: str | None = None
    required: bool = True
    step: int = 1
    show_if: Condition | None = None
    placeholder: str = ""
    help: str = ""
    pattern: str | None = None
    min: float | None = None
    max: float | None = None

    @property
    def other(self) -> Option | None:
        """The option that takes whatever fits no other."""
        return next((option for option in self.options if option.is_other), None)


@dataclass(frozen=True)
class Greeting:
    """The first words, and the quick replies offered to them."""

    text: str
    replies: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConsentText:
    """What a visitor agrees to before personal data are asked for."""

    text: str
    version: str
    required: bool = True


@dataclass(frozen=True)
class Product:
    """One entry of the product menu."""

    id: str
    name: str
    description: str = ""


@dataclass(frozen=True)
class ContactStep:
    """How the visitor is asked for name, e-mail and phone."""

    text: str
    fields: tuple[str, ...] = ("name", "email", "phone")


@dataclass(frozen=True)
class CallToAction:
    """What a visitor may do at the end, and the action it counts as."""

    id: str
    label: str
    action: Action = Action.CTA_CLICKED


@dataclass(frozen=True)
class WidgetLook:
    """How the widget presents itself on a page; empty words and colours leave it its own."""

    title: str = ""
    launcher: str = ""
    position: str = "end"
    accent: str = ""
    scheme: str = "auto"
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Proactive:
    """When the widget opens by itself; whatever comes first opens it, once in `cap_hours`."""

    after_seconds: float | None = None
    scroll_percent: float | None = None
    exit_intent: bool = False
    url_pattern: str = "*"
    cap_hours: float = 24


@dataclass(frozen=True)
class Arm:
    """One arm of an experiment: its weight and what it changes."""

    name: str
    weight: float
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Test:
    """One experiment of ACTIVE_TESTS; the first arm is the control."""

    name: str
    arms: tuple[Arm, ...]

    @property
    def control(self) -> Arm:
        """The arm of everybody who is not in the experiment."""
        return self.arms[0]

    def arm(self, name: str | None) -> Arm:
        """The arm of this name; the control when it is gone or was never given."""
        return next((arm for arm in self.arms if arm.name == name), self.control)


@dataclass(frozen=True)
class Workflow:
    """What the bot asks and what an answer is worth."""

    questions: tuple[Question, ...]
    greeting: Greeting
    scoring: Mapping[Action, int]
    sql_threshold: int
    mql_threshold: int
    hot_threshold: float
    warm_threshold: float
    name: str = ""
    default_locale: str = "en"
    default_region: str = "IN"
    default_assignee: str | None = None
    quick_reply_seconds: float = 120
    detailed_answer_characters: int = 10
    consent: ConsentText | None = None
    products: tuple[Product, ...] = ()
    product_text: str = ""
    contact: ContactStep | None = None
    calls_to_action: tuple[CallToAction, ...] = ()
    call_to_action_text: str = ""
    closing: str = ""
    widget: WidgetLook = field(default_factory=WidgetLook)
    proactive: Proactive | None = None
    messages: Mapping[str, str] = field(default_factory=dict)
    translations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tests: tuple[Test, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[int, Question]:
        """Questions by id."""
        return {question.id: question for question in self.questions}

    @cached_property
    def by_slug(self) -> Mapping[str, Question]:
        """Questions by slug."""
        return {question.slug: question for question in self.questions}

    @cached_property
    def is_closed(self) -> Mapping[str, bool]:
        """Whether a slug's answers are options, for conditions."""
        return {question.slug: question.type.is_closed for question in self.questions}

    @cached_property
    def _leaves(self) -> Mapping[str, tuple[Leaf, ...]]:
        found: dict[str, dict[str, Leaf]] = {}
        for question in self.questions:
            for leaf in leaves(question.show_if):
                found.setdefault(leaf.subject, {})[leaf.key] = leaf
        return {subject: tuple(by_key.values()) for subject, by_key in found.items()}

    def leaves_on(self, subject: str) -> tuple[Leaf, ...]:
        """Every comparison on `answer:<slug>` or `utm:<name>`, whose outcome a fact stores."""
        return self._leaves.get(subject, ())

    def find_question(self, name: int | str) -> Question | None:
        """The question of an id, a numeric string or a slug."""
        if isinstance(name, int):
            return self.by_id.get(name)
        if name.isascii() and name.isdigit() and len(name) <= 9:
            return self.by_id.get(int(name))
        return self.by_slug.get(name)

    def find_product(self, name: str) -> Product | None:
        """The product of an id or name, in any case."""
        wanted = name.strip().casefold()
        return next(
            (p for p in self.products if wanted in (p.id.casefold(), p.name.casefold())), None
        )

    def find_call_to_action(self, name: str) -> CallToAction | None:
        """The call to action of an id or label, in any case."""
        wanted = name.strip().casefold()
        calls = self.calls_to_action
        return next((c for c in calls if wanted in (c.id.casefold(), c.label.casefold())), None)

    def find_test(self, name: str) -> Test | None:
        """The experiment of this name."""
        return next((test for test in self.tests if test.name == name), None)

    def points_for(self, action: str) -> int:
        """What one award of an action is worth here."""
        return self.scoring.get(Action(action), 0)

    def classify(self, score: float) -> Classification:
        """The class of a score."""
        if score >= self.sql_threshold:
            return Classification.SQL
        return Classification.MQL if score >= self.mql_threshold else Classification.UNQUALIFIED

    def arranged(self, arms: Mapping[str, str]) -> Workflow:
        """This workflow as the given arms show it: their greeting, their order of questions."""
        workflow = self
        for test in self.tests:
            config = test.arm(arms.get(test.name)).config
            if "greeting" in config:
                workflow = _greeted(workflow, config)
            if "order" in config:
                workflow = replace(workflow, questions=_ordered(workflow, config["order"]))
        return workflow

    def options_words(self, question: Question, locale: str | None) -> tuple[OptionWords, ...]:
        """What each option may be called in this locale, for matching a typed text."""
        labels = self.option_labels(question, locale)
        return tuple(
            OptionWords(option.value, tuple(dict.fromkeys((option.value, label))), option.synonyms)
            for option, label in zip(question.options, labels, strict=True)
        )

    def question_text(self, question: Question, locale: str | None) -> str:
        """The question in a locale, else in the default one."""
        return str(self._translated(locale, "questions", question.slug, "text") or question.text)

    def small_line(self, question: Question, name: str, locale: str | None) -> str:
        """The `help` or `placeholder` of a question in a locale."""
        translated = self._translated(locale, "questions", question.slug, name)
        return str(translated or getattr(question, name))

    def option_labels(self, question: Question, locale: str | None) -> tuple[str, ...]:
        """The options' labels in a locale, in order."""
        values = tuple(option.value for option in question.options)
        translated = self._translated(locale, "questions", question.slug, "options")
        if not isinstance(translated, Mapping):
            return values
        return tuple(str(translated.get(value, value)) for value in values)

    def text(self, name: str, locale: str | None) -> str:
        """The text of a part (greeting, closing, contact, consent, …) in a locale."""
        translated = self._translated(locale, name)
        if isinstance(translated, str):
            return translated
        return {
            "greeting": self.greeting.text,
            "closing": self.closing,
            "contact": self.contact.text if self.contact else "",
            "consent": self.consent.text if self.consent else "",
            "products": self.product_text,
            "calls_to_action": self.call_to_action_text,
        }[name]

    def label(self, part: str, key: str, default: str, locale: str | None) -> str:
        """The label of a product (`product_names`), call or reply in a locale."""
        return str(self._translated(locale, part, key) or default)

    def message(self, name: str, locale: str | None) -> str:
        """One of the bot's set phrases in a locale."""
        return str(self._translated(locale, "messages", name) or self.messages[name])

    def best_locale(self, wanted: str | None) -> str:
        """The locale that texts really come in, for `lang` and the direction of writing."""
        chain = locale_chain(wanted or "", self.default_locale)
        known = {*self.translations, self.default_locale}
        return next((locale for locale in chain if locale in known), self.default_locale)

    def _translated(self, locale: str | None, *path: str) -> Any:
        if not locale or not self.translations:
            return None
        for candidate in locale_chain(locale, self.default_locale):
            if candidate == self.default_locale:
                break
            found: Any = self.translations.get(candidate)
            for part in path:
                found = found.get(part) if isinstance(found, Mapping) else None
            if found:
                return found
        return None


def _greeted(workflow: Workflow, config: Mapping[str, Any]) -> Workflow:
    """The workflow with an arm's greeting, in every locale: else arms would differ in one only."""
    text, translated = config["greeting"], config.get("greeting_translations", {})
    if text == workflow.greeting.text:
        own = {
            locale: texts.get("greeting", text) for locale, texts in workflow.translations.items()
        }
        translated = {**own, **translated}
    translations = {
        locale: {**workflow.translations.get(locale, {}), "greeting": translated.get(locale, text)}
        for locale in {**workflow.translations, **translated}
    }
    greeting = replace(workflow.greeting, text=text)
    return replace(workflow, greeting=greeting, translations=translations)


def _ordered(workflow: Workflow, order: tuple[str, ...]) -> tuple[Question, ...]:
    """The questions a variant names first, the others after them in their own order."""
    named = [workflow.by_slug[slug] for slug in order]
    return (*named, *(question for question in workflow.questions if question not in named))


_VARIABLE = re.compile(r"\{([^{}|]*)(?:\|([^{}]*))?\}")


def fill_in(text: str, values: Mapping[str, Any]) -> str:
    """A text with its variables: `{name|friend}` is the visitor's name, or "friend" without one."""

    def word(found: re.Match[str]) -> str:
        value = values.get(found[1])
        if isinstance(value, (list, tuple)):
            value = ", ".join(map(str, value))
        return str(value) if value not in (None, "") else (found[2] or "")

    # A variable that is not known leaves a gap before the punctuation; nobody should see it.
    return re.sub(r"\s+([,.!?।])", r"\1", _VARIABLE.sub(word, text)).strip()


def has_variables(text: str) -> bool:
    """Whether a text speaks of the visitor, so that the lead must be read to show it."""
    return "{" in text

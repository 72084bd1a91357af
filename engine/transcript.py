"""A conversation as the visitor saw it, told again from its facts in the words of its workflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from engine.flow import Reask, Setting, read_answer
from engine.ledger_words import action_words
from engine.vocabulary import Action, FactKind
from engine.workflow import Question, Workflow, fill_in


class Speaker(StrEnum):
    """Who said a line; a note is what nobody said."""

    BOT = "bot"
    VISITOR = "visitor"
    NOTE = "note"


@dataclass(frozen=True)
class Said:
    """A fact of the session with what was typed, if that is still known."""

    seq: int
    kind: str
    measured: Mapping[str, Any]
    personal: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True)
class Line:
    """One line of a transcript. `text` is None where it was typed and may not be read."""

    speaker: Speaker
    text: str | None
    at: datetime
    options: tuple[str, ...] = ()
    seconds: float | None = None
    points: int = 0
    # The visitor answered otherwise later on; or this is that later answer.
    is_replaced: bool = False
    is_edit: bool = False
    is_chip: bool = False
    question_id: int | None = None


@dataclass
class _Talk:
    workflow: Workflow
    locale: str | None
    full: bool
    lines: list[Line] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set)

    def read(self, fact: Said, points: int) -> None:
        """Take one more fact in; its points stand at the last line of the visitor."""
        before = len(self.lines)
        tell = _TELL.get(fact.kind)
        if tell is not None:
            tell(self, fact)
        for place in range(len(self.lines) - 1, before - 1, -1):
            if self.lines[place].speaker is not Speaker.BOT or place == before:
                self.lines[place] = replace(self.lines[place], points=points)
                break

    def bot(self, text: str, at: datetime, **more: Any) -> None:
        """The bot says something, if it has words for it."""
        said = fill_in(text, self.values)
        if said:
            self.lines.append(Line(Speaker.BOT, said, at, **more))

    def part(self, name: str, at: datetime) -> None:
        """The words before a step of the conversation, once."""
        if name not in self.parts:
            self.parts.add(name)
            self.bot(self.workflow.text(name, self.locale), at)

    def chip(self, text: str, at: datetime) -> None:
        """The visitor pressed a button."""
        self.lines.append(Line(Speaker.VISITOR, text, at, is_chip=True))

    def note(self, text: str, at: datetime) -> None:
        """Something happened that nobody said."""
        self.lines.append(Line(Speaker.NOTE, text, at))

    def ask(self, question: Question | None, number: int, at: datetime) -> None:
        """The question, unless it stands there already as the last that was asked."""
        asked = [line for line in self.lines if line.speaker is Speaker.BOT]
        if asked and asked[-1].question_id == number:
            return
        if question is None:
            self.bot(f"Question {number}", at, question_id=number)
            return
        text = self.workflow.question_text(question, self.locale)
        labels = self.workflow.option_labels(question, self.locale)
        self.bot(text, at, options=tuple(labels), question_id=number)

    def typed(self, text: Any, at: datetime, **more: Any) -> None:
        """What the visitor typed, for who may read it."""
        shown = str(text) if self.full and text else None
        self.lines.append(Line(Speaker.VISITOR, shown, at, **more))


def transcript(
    facts: Iterable[Said],
    workflow: Workflow,
    locale: str | None,
    earned: Mapping[int, int],
    *,
    full: bool,
    open_question: int | None = None,
) -> Sequence[Line]:
    """The lines of a session; `earned` are the points of each fact, by its number in the session.

    Unless `full`, nothing that was typed is in them, and no text says who the visitor is.
    """
    talk = _Talk(workflow, locale, full)
    last = None
    for fact in sorted(facts, key=lambda one: one.seq):
        talk.read(fact, earned.get(fact.seq, 0))
        last = fact
    if last is not None and open_question is not None:
        talk.ask(workflow.by_id.get(open_question), open_question, last.at)
    return talk.lines


def _started(talk: _Talk, fact: Said) -> None:
    greeting = talk.workflow.greeting
    labels = tuple(
        talk.workflow.label("replies", one, one, talk.locale) for one in greeting.replies
    )
    talk.bot(talk.workflow.text("greeting", talk.locale), fact.at, options=labels)


def _answered(talk: _Talk, fact: Said) -> None:
    number = int(fact.measured.get("question_id", 0))
    question = talk.workflow.by_id.get(number)
    edited = _replace_former(talk, number)
    talk.ask(question, number, fact.at)
    more: dict[str, Any] = {
        "seconds": fact.measured.get("seconds"),
        "question_id": number,
        "is_edit": edited,
    }
    if fact.measured.get("skipped"):
        talk.lines.append(Line(Speaker.VISITOR, "Skipped", fact.at, is_chip=True, **more))
        return
    text = fact.personal.get("text")
    if fact.measured.get("typed") or not fact.measured.get("options"):
        talk.typed(text, fact.at, **more)
    else:
        chosen = ", ".join(_labels(talk, question, fact.measured["options"]))
        talk.lines.append(Line(Speaker.VISITOR, chosen, fact.at, is_chip=True, **more))
    if question is not None and question.field and talk.full:
        talk.values[question.field] = text


def _replace_former(talk: _Talk, number: int) -> bool:
    """Whether there was an answer before; it is marked as replaced."""
    found = False
    for place, line in enumerate(talk.lines):
        is_answer = line.speaker is Speaker.VISITOR and line.seconds is not None
        if is_answer and line.question_id == number:
            talk.lines[place] = replace(line, is_replaced=True)
            found = True
    return found


def _labels(talk: _Talk, question: Question | None, values: Iterable[Any]) -> list[str]:
    if question is None:
        return [str(value) for value in values]
    labels = talk.workflow.option_labels(question, talk.locale)
    known = {option.value: label for option, label in zip(question.options, labels, strict=True)}
    return [known.get(str(value), str(value)) for value in values]


def _reasked(talk: _Talk, fact: Said) -> None:
    number = int(fact.measured.get("question_id", 0))
    question = talk.workflow.by_id.get(number)
    talk.ask(question, number, fact.at)
    text = fact.personal.get("text")
    talk.typed(text, fact.at, question_id=number)
    again = _said_again(talk, question, text)
    talk.bot(again.message, fact.at, options=again.suggestions, question_id=number)


def _said_again(talk: _Talk, question: Question | None, text: Any) -> Reask:
    """What the bot replied, read anew from what was typed."""
    if question is not None and isinstance(text, str) and talk.full:
        found = read_answer(talk.workflow, question, text, Setting(talk.locale))
        if isinstance(found, Reask):
            return found
    return Reask("Asked again, kindly.")


def _behaved(talk: _Talk, fact: Said) -> None:
    action = str(fact.measured.get("action", ""))
    subject = str(fact.measured.get("subject", ""))
    words = action_words(action, subject, talk.workflow)
    if action == Action.CLICKED_PRODUCT:
        talk.part("products", fact.at)
    elif action in (Action.CTA_CLICKED, Action.DEMO_REQUESTED):
        talk.part("calls_to_action", fact.at)
    elif action in (Action.CONSENT_GIVEN, Action.CONSENT_WITHDRAWN):
        talk.part("consent", fact.at)
    elif action not in (Action.REPLIED_TO_GREETING, Action.CONFIRMED_SUMMARY):
        talk.note(words, fact.at)
        return
    talk.chip(words, fact.at)
    if action == Action.CONFIRMED_SUMMARY:
        talk.part("closing", fact.at)


def _profiled(talk: _Talk, fact: Said) -> None:
    if fact.measured.get("by") == "staff":
        return
    talk.part("contact", fact.at)
    said = fact.personal.get("profile")
    profile = said if isinstance(said, Mapping) else {}
    told = [f"{name.replace('_', ' ')}: {value}" for name, value in profile.items() if value]
    talk.typed("\n".join(told), fact.at)
    if talk.full:
        talk.values |= profile


def _closed(talk: _Talk, fact: Said) -> None:
    talk.note("Sales recorded an outcome; the conversation is closed.", fact.at)


def _rescored(talk: _Talk, fact: Said) -> None:
    talk.note(f"Re-scored under workflow version {fact.measured.get('version')}", fact.at)


_TELL: dict[str, Callable[[_Talk, Said], None]] = {
    FactKind.SESSION_STARTED: _started,
    FactKind.ANSWER_RECORDED: _answered,
    FactKind.ANSWER_REASKED: _reasked,
    FactKind.BEHAVIOR_REPORTED: _behaved,
    FactKind.PROFILE_UPDATED: _profiled,
    FactKind.OUTCOME_RECORDED: _closed,
    FactKind.SESSION_RESCORED: _rescored,
}

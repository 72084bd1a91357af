"""Leads by the words that they hold: name, address, number, company, and what was answered."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    union,
)
from sqlalchemy.orm import Session

from models import ANSWER_WORDS, BACKWARDS, LEAD_WORDS, WORD_BREAKS, Answer, Conversation, Lead

MOST_WORDS = 8
LONGEST_WORD = 64
# Besides those that our indexes part words at, what PostgreSQL's own reader parts them at.
BREAKS = WORD_BREAKS + "'\",;:"
_BREAK = re.compile(rf"[\s{re.escape(BREAKS)}]+")


def read_words(text: str) -> list[str]:
    """The words of a search, each to be found at the beginning of a word of the lead."""
    parts = (part[:LONGEST_WORD] for part in _BREAK.split(text.lower()))
    kept = [part for part in parts if any(letter.isalnum() for letter in part)]
    return list(dict.fromkeys(kept))[:MOST_WORDS]


def holds_words(session: Session, text: str) -> list[ColumnElement[bool]]:
    """The conditions that a lead holds every word of a text; none for a text without words.

    PostgreSQL finds them by the indexes over the words of leads and of answers; SQLite, where
    one shop's leads are few, reads through the tables.
    """
    find = _indexed if session.get_bind().dialect.name == "postgresql" else _read_through
    return [Lead.id.in_(find(word)) for word in read_words(text)]


def answer_holds(session: Session, text: str) -> list[ColumnElement[bool]]:
    """The conditions that an answer holds every word of a text."""
    if session.get_bind().dialect.name == "postgresql":
        return [_matches(ANSWER_WORDS, word) for word in read_words(text)]
    return [_begins(Answer.answer_text, word) for word in read_words(text)]


def _indexed(word: str) -> Any:
    leads = select(Lead.id).where(_matches(LEAD_WORDS, word, *_backwards(word)))
    return union(leads, _answered(_matches(ANSWER_WORDS, word))).subquery().select()


def _read_through(word: str) -> Any:
    texts = (Lead.name, Lead.email, Lead.phone, Lead.company)
    found = [_begins(column, word) for column in texts]
    if word.isdigit():
        found.append(Lead.phone_e164.contains(word, autoescape=True))
    leads = select(Lead.id).where(or_(*found))
    return union(leads, _answered(_begins(Answer.answer_text, word))).subquery().select()


def _answered(condition: ColumnElement[bool]) -> Select[int]:
    """The leads of conversations in which an answer is like that."""
    return (
        select(Conversation.lead_id)
        .join(Answer, Answer.session_id == Conversation.id)
        .where(condition)
    )


def _backwards(word: str) -> list[str]:
    """How a number that ends so is found: its index has it from behind, too."""
    return [BACKWARDS + word[::-1]] if word.isdecimal() else []


def _matches(words: str, *any_of: str) -> ColumnElement[bool]:
    """The expression of an index holds a word that begins like one of these.

    Quoted, none of them is an operator.
    """
    quoted = " | ".join(
        "'" + word.replace("\\", "\\\\").replace("'", "''") + "':*" for word in any_of
    )
    wanted = func.to_tsquery(
        literal_column("'simple'::regconfig"), bindparam(None, quoted, type_=Text, unique=True)
    )
    return literal_column(words).op("@@", is_comparison=True)(wanted)


def _begins(column: Any, word: str) -> ColumnElement[bool]:
    """A text holds a word that begins so, by reading it."""
    spaced: Any = column
    for mark in BREAKS:
        spaced = func.replace(spaced, mark, " ")
    found: ColumnElement[bool] = (" " + spaced).icontains(" " + word, autoescape=True)
    return found

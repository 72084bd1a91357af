"""FunnelFigures: how far conversations come, and at which question visitors leave."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from engine.periods import Period
from engine.rates import Share
from engine.vocabulary import Outcome
from models import Conversation, Lead
from services.figure_scope import (
    HAS_CONTACT,
    IS_COMPLETED,
    IS_SQL,
    count_if,
    sessions_of,
)
from services.resources import Resources
from services.workflow_service import WorkflowService

# Who did something so lately is not gone: they may be typing.
STILL_HERE = timedelta(minutes=30)
# Where the folded facts of a session say whether an answer was a skip; see `engine.journey`.
SKIPPED = 4


@dataclass(frozen=True)
class Step:
    """A stage of the way, and how many came to it."""

    name: str
    meaning: str
    count: int
    share: Share


@dataclass(frozen=True)
class QuestionRow:
    """What became of those who were asked a question."""

    question_id: int
    text: str
    reached: int
    answered: int
    skipped: int
    left: int
    here: int

    @property
    def drop_off(self) -> Share:
        """Left here, of those who reached here."""
        return Share(self.left, self.reached)


@dataclass(frozen=True)
class Funnel:
    """One version's way from the first word to the deal; of which versions there are sessions."""

    version: int | None
    versions: tuple[tuple[int, int], ...]
    steps: tuple[Step, ...]
    questions: tuple[QuestionRow, ...]


class FunnelFigures:
    """Reads sessions and answers; each version by itself, for its questions are its own.

    Branching asks a question of some only: reached are those who answered or skipped it and those
    who stand at it, so that nobody counts for a question that was never put to them.
    """

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self._workflows = WorkflowService(session, resources)

    def find(self, period: Period, version: int | None = None) -> Funnel:
        """The funnel of a version; that with the most sessions where none is named."""
        groups = self._groups(period, self._asked(period))
        versions: Counter[int] = Counter()
        for group in groups:
            versions[group["version"]] += group["opened"]
        if version not in versions:
            version = max(versions, key=lambda one: (versions[one], one), default=None)
        if version is None:
            return Funnel(None, (), (), ())
        mine = [group for group in groups if group["version"] == version]
        texts = {one.id: one.text for one in self._workflows.get(version).questions}
        every = tuple(sorted(versions.items(), reverse=True))
        return Funnel(version, every, _steps(mine), _questions(mine, texts))

    def _asked(self, period: Period) -> list[int]:
        """The questions of every version that sessions of the period may be pinned to.

        An experiment changes their texts, options and order, and asks no others.
        """
        versions = self.session.scalars(
            select(Conversation.workflow_version)
            .where(Conversation.started_at >= period.start, Conversation.started_at < period.end)
            .distinct()
        ).all()
        workflows = [self._workflows.get(version) for version in versions]
        return sorted({one.id for workflow in workflows for one in workflow.questions})

    def _groups(self, period: Period, questions: list[int]) -> list[dict[str, Any]]:
        """Everything in one walk over the sessions, by version and the question they stand at."""
        lately = self.resources.clock.now() - STILL_HERE
        is_here = (Conversation.last_activity_at >= lately) & Conversation.closed_at.is_(None)
        facts = {
            "began": Conversation.journey["answers"] != {},
            "completed": IS_COMPLETED,
            "contacts": HAS_CONTACT,
            "sql": IS_SQL,
            "won": Lead.outcome == str(Outcome.WON),
            "here": is_here,
            # Every answer says whether it was a skip; nothing says that there is no answer.
            **{f"skipped.{number}": _is_skipped(number) for number in questions},
        }
        key = (Conversation.workflow_version, Conversation.next_question_id)
        columns = [fact.label(f"n{place}") for place, fact in enumerate(facts.values())]
        # Keeps PostgreSQL from looking into the folded facts once for each count of a thing.
        narrow = sessions_of(period, *key, *columns).offset(0).subquery()
        there = dict(zip(facts, list(narrow.c)[len(key) :], strict=True))
        counts = {"opened": func.count()} | {name: count_if(one) for name, one in there.items()}
        counts |= {
            f"given.{number}": func.count(there[f"skipped.{number}"]) for number in questions
        }
        by = (narrow.c.workflow_version, narrow.c.next_question_id)
        labels = [count.label(f"n{place}") for place, count in enumerate(counts.values())]
        rows = self.session.execute(select(*by, *labels).group_by(*by))
        return [
            {"version": row[0], "standing": row[1], **dict(zip(counts, row[2:], strict=True))}
            for row in rows
        ]


def _is_skipped(question: int) -> ColumnElement[bool]:
    found: ColumnElement[bool] = Conversation.journey[
        ("answers", str(question), SKIPPED)
    ].as_boolean()
    return found


_STEPS = (
    ("opened", "Opened the chat", "sessions that began in these days"),
    ("began", "Answered something", "sessions with at least one answer"),
    ("completed", "Answered to the end", "every open question answered or skipped"),
    ("contacts", "Shared a contact", "a valid e-mail address or number is known"),
    ("sql", "Qualified (SQL)", "the points reach the SQL threshold"),
    ("won", "Won", "the sale ended with a deal, whenever"),
)


def _steps(groups: list[dict[str, Any]]) -> tuple[Step, ...]:
    opened = sum(group["opened"] for group in groups)
    counts = {key: sum(group[key] for group in groups) for key, _, _ in _STEPS}
    return tuple(
        Step(name, meaning, counts[key], Share(counts[key], opened))
        for key, name, meaning in _STEPS
    )


def _questions(groups: list[dict[str, Any]], texts: dict[int, str]) -> tuple[QuestionRow, ...]:
    standing = {group["standing"]: group for group in groups if group["standing"] is not None}
    rows = []
    for number, text in texts.items():
        given = sum(group.get(f"given.{number}", 0) for group in groups)
        skipped = sum(group.get(f"skipped.{number}", 0) for group in groups)
        stand = standing.get(number, {"opened": 0, "here": 0})
        left = stand["opened"] - stand["here"]
        reached = given + stand["opened"]
        answered = given - skipped
        rows.append(QuestionRow(number, text, reached, answered, skipped, left, stand["here"]))
    return tuple(rows)

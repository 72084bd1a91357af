"""The folded facts of one session: all that the rules read, and nothing that was typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.vocabulary import Action, FactKind

AwardKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened in a session, without the personal half."""

    seq: int
    kind: str
    measured: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as the rules see it: chosen options, or the size of what was typed."""

    options: tuple[str, ...] = ()
    typed: bool = False
    length: int = 0
    first_seconds: float | None = None
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger holds for one award: its points now, and the number of its last row."""

    points: int
    generation: int


@dataclass(frozen=True, slots=True)
class Journey:
    """Where a conversation stands."""

    opened: bool = False
    answers: Mapping[int, Given] = field(default_factory=dict)
    clicks: frozenset[AwardKey] = frozenset()
    contact_known: bool = False
    conditions: Mapping[str, bool] = field(default_factory=dict)
    awards: Mapping[AwardKey, Standing] = field(default_factory=dict)
    closed: bool = False

    @property
    def score(self) -> int:
        """The sum of the ledger."""
        return sum(standing.points for standing in self.awards.values())

    @property
    def branching_score(self) -> int:
        """The score that branching reads: without the award that itself depends on branching."""
        return sum(
            standing.points
            for (action, _), standing in self.awards.items()
            if action != Action.ANSWERED_ALL_QUESTIONS
        )


def fold(journey: Journey, fact: Fact) -> Journey:
    """The journey after one more fact; awards are left to `engine.points`."""
    change = _FOLDS.get(fact.kind)
    return change(journey, fact.measured) if change else journey


def _started(journey: Journey, measured: Mapping[str, Any]) -> Journey:
    return replace(
        journey, opened=True, conditions={**journey.conditions, **measured.get("conditions", {})}
    )


def _answered(journey: Journey, measured: Mapping[str, Any]) -> Journey:
    question_id = int(measured["question_id"])
    before = journey.answers.get(question_id)
    seconds = before.first_seconds if before else None
    if seconds is None and not measured.get("skipped"):
        seconds = float(measured["seconds"])
    given = Given(
        options=tuple(measured.get("options", ())),
        typed=bool(measured.get("typed")),
        length=int(measured.get("length", 0)),
        first_seconds=seconds,
        skipped=bool(measured.get("skipped")),
    )
    return replace(
        journey,
        answers={**journey.answers, question_id: given},
        conditions={**journey.conditions, **measured.get("conditions", {})},
        contact_known=journey.contact_known or bool(measured.get("contact")),
    )


def _behaved(journey: Journey, measured: Mapping[str, Any]) -> Journey:
    action = str(measured["action"])
    return replace(
        journey,
        clicks=journey.clicks | {(action, str(measured.get("subject", "")))},
        closed=journey.closed or action == Action.CONFIRMED_SUMMARY,
    )


def _profiled(journey: Journey, measured: Mapping[str, Any]) -> Journey:
    return replace(journey, contact_known=journey.contact_known or bool(measured.get("contact")))


def _ended(journey: Journey, _: Mapping[str, Any]) -> Journey:
    """Sales knows how it ended, so there is nothing left to talk about."""
    return replace(journey, closed=True)


_FOLDS: dict[str, Callable[[Journey, Mapping[str, Any]], Journey]] = {
    FactKind.SESSION_STARTED: _started,
    FactKind.ANSWER_RECORDED: _answered,
    FactKind.BEHAVIOR_REPORTED: _behaved,
    FactKind.PROFILE_UPDATED: _profiled,
    FactKind.OUTCOME_RECORDED: _ended,
}


def to_plain(journey: Journey) -> dict[str, Any]:
    """The journey as JSON, for the session's row."""
    return {
        "opened": journey.opened,
        "answers": {
            str(key): [
                list(given.options),
                given.typed,
                given.length,
                given.first_seconds,
                given.skipped,
            ]
            for key, given in journey.answers.items()
        },
        "clicks": sorted(list(click) for click in journey.clicks),
        "contact": journey.contact_known,
        "conditions": dict(journey.conditions),
        "awards": [
            [action, subject, standing.points, standing.generation]
            for (action, subject), standing in journey.awards.items()
        ],
        "closed": journey.closed,
    }


def from_plain(plain: Mapping[str, Any]) -> Journey:
    """The journey that `to_plain` wrote."""
    return Journey(
        opened=plain["opened"],
        answers={
            int(key): Given(tuple(options), typed, length, seconds, skipped)
            for key, (options, typed, length, seconds, skipped) in plain["answers"].items()
        },
        clicks=frozenset((action, subject) for action, subject in plain["clicks"]),
        contact_known=plain["contact"],
        conditions=plain["conditions"],
        awards={
            (action, subject): Standing(points, generation)
            for action, subject, points, generation in plain["awards"]
        },
        closed=plain["closed"],
    )

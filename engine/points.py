"""Facts to awards; awards to a score, a class, a tier; the named scoring profiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from engine.flow import answered_all, open_questions
from engine.journey import AwardKey, Fact, Journey, Standing, fold
from engine.vocabulary import Action, Tier
from engine.workflow import Workflow


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line of the ledger: an award, its reversal, or the difference of a changed worth."""

    action: str
    subject: str
    generation: int
    points: int
    event_seq: int


def step(
    journey: Journey, fact: Fact, workflow: Workflow, points: Workflow
) -> tuple[Journey, tuple[LedgerRow, ...]]:
    """The journey after a fact, and what the ledger gains by it.

    `workflow` is what the session is pinned to (already arranged for its arms), `points` the
    version whose points count; the two differ only after the session was re-scored.
    """
    after = fold(journey, fact)
    due = awards_due(after, workflow, points)
    rows = tuple(_differences(after.awards, due, fact.seq))
    if not rows:
        return after, rows
    awards = dict(after.awards)
    for row in rows:
        key = (row.action, row.subject)
        held = awards[key].points if key in awards else 0
        awards[key] = Standing(held + row.points, row.generation)
    return replace(after, awards=awards), rows


def awards_due(journey: Journey, workflow: Workflow, points: Workflow) -> Mapping[AwardKey, int]:
    """Every award a journey deserves, with its worth, by the table of points."""
    due: dict[AwardKey, int] = {}
    for action, subject in _deserved(journey, workflow):
        worth = points.points_for(action)
        if worth:
            due[(str(action), subject)] = worth
    return due


def _deserved(journey: Journey, workflow: Workflow) -> Iterator[AwardKey]:
    if journey.opened:
        yield Action.SESSION_OPENED, ""
    for question in open_questions(workflow, journey):
        given = journey.answers.get(question.id)
        if given is None or given.skipped:
            continue
        subject = str(question.id)
        yield Action.ANSWERED_QUESTION, subject
        if given.first_seconds is not None and given.first_seconds < workflow.quick_reply_seconds:
            yield Action.QUICK_REPLY, subject
        if given.typed and given.length > workflow.detailed_answer_characters:
            yield Action.DETAILED_ANSWER, subject
    if answered_all(workflow, journey):
        yield Action.ANSWERED_ALL_QUESTIONS, ""
    if journey.contact_known:
        yield Action.SHARED_CONTACT, ""
    yield from sorted(journey.clicks)


def _differences(
    held: Mapping[AwardKey, Standing], due: Mapping[AwardKey, int], seq: int
) -> Iterator[LedgerRow]:
    """The rows that bring the ledger from what it holds to what is due."""
    for key in sorted(due.keys() | held.keys()):
        standing = held.get(key)
        difference = due.get(key, 0) - (standing.points if standing else 0)
        if difference:
            generation = standing.generation + 1 if standing else 0
            yield LedgerRow(key[0], key[1], generation, difference, seq)


def row_metadata(row: LedgerRow) -> dict[str, int | str]:
    """What a ledger row is about, in workflow ids only."""
    if not row.subject:
        return {}
    if row.action in (Action.ANSWERED_QUESTION, Action.QUICK_REPLY, Action.DETAILED_ANSWER):
        return {"question_id": int(row.subject)}
    name = "product" if row.action == Action.CLICKED_PRODUCT else "cta"
    return {name: row.subject}


def tier_for(score: float, *, hot: float, warm: float) -> Tier:
    """How soon somebody should call, by a profile's two thresholds."""
    if score >= hot:
        return Tier.HOT
    return Tier.WARM if score >= warm else Tier.COLD

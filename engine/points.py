"""Facts to awards; awards to a score, a class, a tier; the named scoring profiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.flow import answered_all, open_questions, settled
from engine.journey import AwardKey, Fact, Journey, Standing, fold
from engine.vocabulary import SERVER_ACTIONS, Action, Tier
from engine.workflow import Workflow

_ALL = str(Action.ANSWERED_ALL_QUESTIONS)
_SINGLE = frozenset(map(str, Action)) - {_ALL}


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
    after = settled(workflow, fold(journey, fact))
    after, rows = _credited(after, _worth(_earned(after, workflow), points), _SINGLE, fact.seq)
    # Only now is the score known by which branching may open one more question.
    whole = [(_ALL, "")] if answered_all(workflow, after) else []
    after, last = _credited(after, _worth(whole, points), frozenset({_ALL}), fact.seq)
    return after, tuple(sorted((*rows, *last), key=lambda row: (row.action, row.subject)))


def _credited(
    journey: Journey, due: Mapping[AwardKey, int], among: frozenset[str], seq: int
) -> tuple[Journey, list[LedgerRow]]:
    """The journey with its awards of these actions brought to what is due, and the rows of it."""
    held = {key: standing for key, standing in journey.awards.items() if key[0] in among}
    rows = list(_differences(held, due, seq))
    changed = {
        (row.action, row.subject): Standing(
            (held[row.action, row.subject].points if row.generation else 0) + row.points,
            row.generation,
        )
        for row in rows
    }
    return replace(journey, awards={**journey.awards, **changed}) if rows else journey, rows


def _worth(earned: Iterable[AwardKey], points: Workflow) -> Mapping[AwardKey, int]:
    """Every award that is earned, with its worth, by the table of points."""
    worths = {(str(action), subject): points.points_for(action) for action, subject in earned}
    return {key: worth for key, worth in worths.items() if worth}


def _earned(journey: Journey, workflow: Workflow) -> Iterator[AwardKey]:
    """All but the award for everything answered."""
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
    if journey.contact_known:
        yield Action.SHARED_CONTACT, ""
    for action, subject in journey.clicks:
        if action not in SERVER_ACTIONS:
            yield _clicked(action, subject, workflow)


def _clicked(action: str, subject: str, workflow: Workflow) -> AwardKey:
    """What a click counts as here: a name that this workflow does not know is no name."""
    if action == Action.CLICKED_PRODUCT:
        known = any(product.id == subject for product in workflow.products)
        return action, subject if known else ""
    if action == Action.CTA_CLICKED:
        call = next((call for call in workflow.calls_to_action if call.id == subject), None)
        if call and call.action == action:
            return action, subject
        return (call.action if call else action), ""
    return action, ""


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

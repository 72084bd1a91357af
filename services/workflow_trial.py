"""WorkflowTrial: what a draft's points and thresholds would have made of past conversations.

Each conversation is played again from its facts, as `flask replay` does it: the questions stay
those that the visitor was asked, what an answer is worth is the draft's. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

import errors
from engine.journey import Fact
from engine.replay import Outcome, replay
from engine.vocabulary import Classification
from engine.workflow import Workflow
from engine.workflow_reader import read_workflow
from lib.clock import iso
from models import Conversation, Lead
from outbox import facts_of
from services.job_service import Progress
from services.lead_visibility import is_visible
from services.resources import Resources
from services.workflow_drafts import WorkflowDrafts
from services.workflow_service import WorkflowService

KIND = "workflow.try"
DAYS = (30, 90)
# Of the newest conversations; more would say the same.
MOST = 5_000
# So many are tried while the page is waited for; of more a job tells how far it is.
AT_ONCE = 500
IN_ONE_UNIT = 50
EXAMPLES, OF_EACH = 20, 8
_RANK = {str(c): place for place, c in enumerate(reversed(Classification))}


@dataclass
class Tally:
    """What came of the conversations that were tried so far."""

    sessions: int
    moves: dict[str, int]
    points: int
    examples: list[dict[str, Any]]

    @classmethod
    def empty(cls) -> Tally:
        """Before the first of them."""
        return cls(0, {}, 0, [])

    def plain(self) -> dict[str, Any]:
        """As a job keeps it."""
        return {
            "sessions": self.sessions,
            "moves": self.moves,
            "points": self.points,
            "examples": self.examples,
        }


@dataclass(frozen=True)
class Scope:
    """Which conversations are tried: how many there are, and whether only the newest of them."""

    days: int
    since: datetime
    found: int

    @property
    def tried(self) -> int:
        """How many of them are tried."""
        return min(self.found, MOST)


class WorkflowTrial:
    """Tries a draft on the past."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.workflows = WorkflowService(session, resources)

    def scope(self, days: int) -> Scope:
        """The conversations of the last days."""
        since = self.resources.clock.now() - timedelta(days=days)
        statement = select(func.count(Conversation.id)).join(Lead, Lead.id == Conversation.lead_id)
        found = self.session.scalar(statement.where(*_of_people(since))) or 0
        return Scope(days, since, found)

    def try_at_once(self, draft_id: int, days: int) -> dict[str, Any]:
        """The whole result; Conflict while the draft has problems."""
        draft = self._draft(draft_id)
        tally = Tally.empty()
        rows = self._rows(self.scope(days).since, None, AT_ONCE)
        for start in range(0, len(rows), IN_ONE_UNIT):
            self._tally(tally, rows[start : start + IN_ONE_UNIT], draft)
        return tally.plain()

    def go_on(self, payload: Mapping[str, Any], done: int, total: int | None) -> Progress:
        """One more step of the job that tries a draft; its result when it is through."""
        draft = self._draft(payload["draft"], payload["revision"])
        since = datetime.fromisoformat(payload["since"])
        tally = Tally(**payload["tally"]) if "tally" in payload else Tally.empty()
        total = min(self._count(since), MOST) if total is None else total
        last = payload.get("last")
        rows = self._rows(since, last, min(IN_ONE_UNIT, MOST - done))
        if not rows:
            return Progress(done, done, result=tally.plain())
        self._tally(tally, rows, draft)
        place = {"last": [iso(rows[-1].started_at), rows[-1].id], "tally": tally.plain()}
        return Progress(done + len(rows), max(total, done + len(rows)), place)

    def _count(self, since: datetime) -> int:
        statement = select(func.count(Conversation.id)).join(Lead, Lead.id == Conversation.lead_id)
        return self.session.scalar(statement.where(*_of_people(since))) or 0

    def _draft(self, draft_id: int, revision: int | None = None) -> Workflow:
        draft = WorkflowDrafts(self.session, self.resources).get(draft_id)
        if revision not in (None, draft.revision):
            raise errors.Conflict("The draft was changed while it was tried; try it again.")
        if draft.problems:
            raise errors.Conflict("Only a draft without problems can be tried.")
        return read_workflow(draft.workflow, draft.tests)

    def _rows(self, since: datetime, last: Sequence[str] | None, limit: int) -> Sequence[Any]:
        """The next conversations, the newest first."""
        conditions = list(_of_people(since))
        at, key = Conversation.started_at, Conversation.id
        if last is not None:
            then = datetime.fromisoformat(last[0])
            conditions.append((at < then) | ((at == then) & (key < last[1])))
        return self.session.execute(
            select(
                Conversation.id,
                Conversation.public_ref,
                Conversation.lead_id,
                Conversation.workflow_version,
                Conversation.arms,
                Conversation.score,
                Conversation.classification,
                Conversation.started_at,
            )
            .join(Lead, Lead.id == Conversation.lead_id)
            .where(*conditions)
            .order_by(at.desc(), key.desc())
            .limit(limit)
        ).all()

    def _tally(self, tally: Tally, rows: Sequence[Any], draft: Workflow) -> None:
        facts: dict[str, list[Fact]] = {}
        for key, seq, kind, measured in self.session.execute(facts_of([row.id for row in rows])):
            facts.setdefault(key, []).append(Fact(seq, kind, measured))
        for row in rows:
            mine = facts.get(row.id, [])
            after = self._played(row, mine, draft)
            tally.sessions += 1
            tally.points += after.score != row.score
            if str(after.classification) == row.classification:
                continue
            move = f"{row.classification}>{after.classification}"
            tally.moves[move] = tally.moves.get(move, 0) + 1
            # Examples of every direction, not of the most frequent alone.
            if len(tally.examples) < EXAMPLES and tally.moves[move] <= OF_EACH:
                tally.examples.append(self._example(row, mine, after, draft))

    def _played(self, row: Any, facts: Sequence[Fact], draft: Workflow) -> Outcome:
        asked = self.workflows.get(row.workflow_version, row.arms)
        return replay(facts, worth_as(asked, draft), lambda version: worth_as(asked, draft))

    def _example(
        self, row: Any, facts: Sequence[Fact], after: Outcome, draft: Workflow
    ) -> dict[str, Any]:
        asked = self.workflows.get(row.workflow_version, row.arms)
        before = replay(facts, asked, self.workflows.get)
        was, now = _by_action(before), _by_action(after)
        reasons = [
            [action, was.get(action, 0), now.get(action, 0)]
            for action in dict.fromkeys([*was, *now])
            if was.get(action, 0) != now.get(action, 0)
        ]
        return {
            "lead": row.lead_id,
            "talk": row.public_ref,
            "at": iso(row.started_at),
            "before": [row.score, row.classification],
            "after": [after.score, str(after.classification)],
            "reasons": reasons,
            "borders": [
                [asked.sql_threshold, draft.sql_threshold],
                [asked.mql_threshold, draft.mql_threshold],
            ],
        }


def worth_as(asked: Workflow, draft: Workflow) -> Workflow:
    """The questions of one workflow with the points, limits and thresholds of another."""
    return replace(
        asked,
        scoring=draft.scoring,
        sql_threshold=draft.sql_threshold,
        mql_threshold=draft.mql_threshold,
        quick_reply_seconds=draft.quick_reply_seconds,
        detailed_answer_characters=draft.detailed_answer_characters,
    )


def is_upwards(move: str) -> bool:
    """Whether `from>to` makes more of a lead."""
    before, _, after = move.partition(">")
    return _RANK[after] > _RANK[before]


def _of_people(since: datetime) -> tuple[Any, ...]:
    return (*is_visible(), Conversation.started_at >= since, Conversation.suspicion.is_(None))


def _by_action(outcome: Outcome) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in outcome.rows:
        found[row.action] = found.get(row.action, 0) + row.points
    return {action: points for action, points in found.items() if points}

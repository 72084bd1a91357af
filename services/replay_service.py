"""ReplayService: recomputes every ledger and score from the facts, and counts what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.journey import Fact
from engine.replay import Outcome, replay, state_hash
from models import Conversation, UserBehavior
from outbox import facts_of
from services.resources import Resources
from services.session_store import SessionStore
from services.workflow_service import WorkflowService

BATCH = 500


@dataclass
class Report:
    """What a replay found: how many sessions, which of them differ and in what, and the hash."""

    sessions: int = 0
    facts: int = 0
    differences: list[str] = field(default_factory=list)
    hash: str = ""


class ReplayService:
    """The proof that a score need not be believed; changes nothing."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def replay_all(self) -> Report:
        """Every session's facts replayed against its ledger, score, class and open question."""
        report, outcomes = Report(), {}
        for page in self._pages():
            for row, mine, outcome, differences in self._compare(page):
                outcomes[row.id] = outcome
                report.sessions += 1
                report.facts += len(mine)
                report.differences += differences
        report.hash = state_hash(outcomes)
        return report

    def check_page(self, after: str, limit: int) -> tuple[Report, str | None]:
        """The same for the next sessions after one, and the last of them (None: there are none).

        Beside visitors who answer meanwhile: what seems to differ is looked at again under the
        session's lock before it counts.
        """
        report = Report()
        page = self._page(after, limit)
        if not page:
            return report, None
        for row, mine, _, differences in self._compare(page):
            report.sessions += 1
            report.facts += len(mine)
            if differences:
                SessionStore(self.session, self.resources).lock(row.id)
                (again,) = self._page("", 1, only=row.id)
                ((*_, still),) = self._compare([again])
                report.differences += still
        return report, page[-1].id

    def _compare(
        self, page: Sequence[Any]
    ) -> Iterator[tuple[Any, Sequence[Fact], Outcome, list[str]]]:
        """Each session with its facts, what they come to, and what differs."""
        facts = self._facts([row.id for row in page])
        ledgers = self._ledgers([row.id for row in page])
        for row in page:
            mine = facts.get(row.id, [])
            outcome = self._replay(row, mine)
            yield row, mine, outcome, _differences(row, ledgers.get(row.id, []), outcome)

    def _replay(self, row: Any, facts: Sequence[Fact]) -> Outcome:
        workflows = WorkflowService(self.session, self.resources)
        pinned = workflows.get(row.workflow_version, row.arms)
        return replay(facts, pinned, workflows.get)

    def _pages(self) -> Iterator[Sequence[Any]]:
        last = ""
        while page := self._page(last, BATCH):
            yield page
            last = page[-1].id

    def _page(self, after: str, limit: int, *, only: str | None = None) -> Sequence[Any]:
        there = Conversation.id > after if only is None else Conversation.id == only
        return self.session.execute(
            select(
                Conversation.id,
                Conversation.workflow_version,
                Conversation.arms,
                Conversation.score,
                Conversation.classification,
                Conversation.next_question_id,
                Conversation.completed_at,
            )
            .where(there)
            .order_by(Conversation.id)
            .limit(limit)
        ).all()

    def _facts(self, sessions: Sequence[str]) -> dict[str, list[Fact]]:
        found: dict[str, list[Fact]] = {}
        for session_id, seq, kind, measured in self.session.execute(facts_of(sessions)):
            found.setdefault(session_id, []).append(Fact(seq, kind, measured))
        return found

    def _ledgers(self, sessions: Sequence[str]) -> dict[str, list[tuple[Any, ...]]]:
        rows = self.session.execute(
            select(
                UserBehavior.session_id,
                UserBehavior.event_seq,
                UserBehavior.behavior_type,
                UserBehavior.subject,
                UserBehavior.generation,
                UserBehavior.score_impact,
            ).where(UserBehavior.session_id.in_(sessions))
        )
        found: dict[str, list[tuple[Any, ...]]] = {}
        for session_id, *row in rows:
            found.setdefault(session_id, []).append(tuple(row))
        return found


def _differences(row: Any, ledger: Sequence[tuple[Any, ...]], outcome: Outcome) -> list[str]:
    """What of a session is not what its facts say, each in a sentence."""
    replayed = [(r.event_seq, r.action, r.subject, r.generation, r.points) for r in outcome.rows]
    pairs = (
        ("ledger", sorted(ledger), sorted(replayed)),
        ("sum of the ledger", sum(one[-1] for one in ledger), outcome.score),
        ("score", row.score, outcome.score),
        ("class", row.classification, str(outcome.classification)),
        ("open question", row.next_question_id, outcome.next_question_id),
    )
    return [
        f"{row.id}: {what} is {stored}, the facts say {said}"
        for what, stored, said in pairs
        if stored != said
    ]

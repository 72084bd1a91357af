"""What was acknowledged, compared with what the database holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, create_engine, text

from tests.crash.clients import Sent, Talk

# The fact that each kind of request leaves, exactly once.
FACT_OF = {
    "/api/session/start": "session.started",
    "/api/answer": "answer.recorded",
    "/api/behavior": "behavior.reported",
    "/api/lead/profile": "profile.updated",
}
Counts = dict[str, Counter[str]]


@dataclass
class Verdict:
    """What is wrong, each in a sentence; and how much there was to compare."""

    conversations: int = 0
    answers: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong_scores: list[str] = field(default_factory=list)

    @property
    def complaints(self) -> list[str]:
        """Everything that is wrong."""
        return [*self.lost, *self.doubled, *self.wrong_scores]


@dataclass
class _Kept:
    """What the database holds, by session."""

    sessions: dict[str, Any]
    ledger: dict[str, int]
    facts: Counts
    answers: dict[tuple[str, int], Any]


def compare(url: str, talks: Sequence[Talk]) -> Verdict:
    """The verdict on a database after all that its visitors did."""
    engine = create_engine(url)
    with engine.connect() as connection:
        kept = _read(connection)
    engine.dispose()
    verdict = Verdict(conversations=len(talks))
    for talk in talks:
        if talk.session_id:
            _compare_facts(verdict, talk, kept)
            _compare_answers(verdict, talk, kept)
            _compare_scores(verdict, talk, kept)
    known = {talk.session_id for talk in talks}
    unexplained = len(set(kept.sessions) - known) - sum(1 for t in talks if not t.session_id)
    if unexplained > 0:
        verdict.doubled.append(f"{unexplained} sessions were started that nobody knows of")
    return verdict


def _compare_facts(verdict: Verdict, talk: Talk, kept: _Kept) -> None:
    found = kept.facts.get(talk.session_id, Counter())
    done = Counter(_fact(one) for one in talk.sent if one.is_acknowledged)
    # What was sent and never acknowledged may have been done, or not.
    maybe = Counter(_fact(one) for one in talk.sent if not one.is_acknowledged)
    verdict.answers += sum(n for name, n in done.items() if name.startswith("answer"))
    for name in done | found:
        if found[name] < done[name]:
            verdict.lost.append(f"{talk.session_id}: {name}: {found[name]} of {done[name]}")
        if found[name] > done[name] + maybe[name]:
            verdict.doubled.append(f"{talk.session_id}: {name}: {found[name]} for {done[name]}")


def _compare_answers(verdict: Verdict, talk: Talk, kept: _Kept) -> None:
    """The row of each question holds the last answer, changed as often as it was given."""
    given: dict[int, list[Any]] = {}
    for one in talk.sent:
        if one.path == "/api/answer":
            given.setdefault(one.body["question_id"], []).append(one)
    for question_id, sent in given.items():
        row = kept.answers.get((talk.session_id, question_id))
        if not sent[-1].is_acknowledged:
            continue
        said = sent[-1].body["answer_text"]
        wanted = ", ".join(said) if isinstance(said, list) else said
        if row is None or row.answer_text != wanted:
            verdict.lost.append(f"{talk.session_id}: question {question_id} holds {row}")
        elif row.revision != len(sent):
            verdict.doubled.append(f"{talk.session_id}: question {question_id} holds {row}")


def _compare_scores(verdict: Verdict, talk: Talk, kept: _Kept) -> None:
    session = kept.sessions.get(talk.session_id)
    if session is None:
        verdict.lost.append(f"{talk.session_id}: the session is gone")
        return
    scores = {session.score, session.lead_score, kept.ledger.get(talk.session_id, 0)}
    last = talk.sent[-1]
    if talk.is_whole and "lead_score" in last.reply:
        scores.add(last.reply["lead_score"])
    numbered = sum(kept.facts.get(talk.session_id, Counter()).values())
    if len(scores) != 1 or session.facts != session.last_seq or numbered > session.facts:
        verdict.wrong_scores.append(f"{talk.session_id}: {scores}, facts {session.facts}")


def _fact(sent: Sent) -> str:
    name = FACT_OF[sent.path]
    return f"{name} {sent.body['question_id']}" if "question_id" in sent.body else name


def _read(connection: Connection) -> _Kept:
    sessions = connection.execute(
        text(
            "SELECT s.id, s.score, s.facts, l.lead_score,"
            " (SELECT max(e.seq) FROM events e WHERE e.session_id = s.id) AS last_seq"
            " FROM sessions s JOIN leads l ON l.id = s.lead_id"
        )
    )
    ledger = connection.execute(
        text("SELECT session_id, sum(score_impact) AS score FROM user_behaviors GROUP BY 1")
    )
    answers = connection.execute(
        text("SELECT session_id, question_id, answer_text, revision FROM answers")
    )
    return _Kept(
        {row.id: row for row in sessions},
        {row.session_id: int(row.score) for row in ledger},
        _facts(connection),
        {(row.session_id, row.question_id): row for row in answers},
    )


def _facts(connection: Connection) -> Counts:
    """How often each fact of a request stands in the log, answers by their question."""
    get = "->>" if connection.dialect.name == "postgresql" else "->"
    found: Counts = {}
    for row in connection.execute(
        text(
            f"SELECT session_id, kind, measured {get} 'question_id' AS question, count(*) AS n"
            " FROM events WHERE seq IS NOT NULL GROUP BY 1, 2, 3"
        )
    ):
        if row.kind in FACT_OF.values():
            name = f"{row.kind} {row.question}" if row.question is not None else row.kind
            found.setdefault(row.session_id, Counter())[name] += row.n
    return found

"""The judge itself: each kind of damage is noticed, and named as what it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.crash.clients import Talk, requests_of
from tests.crash.verdict import compare
from tests.shop import Shop, shop

DAMAGE = {
    "lost": (
        "DELETE FROM answers WHERE question_id = 2",
        "DROP TRIGGER events_no_delete; DELETE FROM events WHERE kind = 'profile.updated'",
        "UPDATE answers SET answer_text = 'Goa' WHERE question_id = 2",
    ),
    "doubled": (
        "INSERT INTO events (kind, session_id, seq, measured, occurred_at, recorded_at)"
        " SELECT kind, session_id, 99, measured, occurred_at, recorded_at FROM events"
        " WHERE kind = 'behavior.reported' LIMIT 1; UPDATE sessions SET facts = 99",
        "UPDATE answers SET revision = 7 WHERE question_id = 2",
    ),
    "wrong_scores": (
        "UPDATE sessions SET score = score + 1",
        "UPDATE leads SET lead_score = 0",
        "DROP TRIGGER user_behaviors_no_delete;"
        " DELETE FROM user_behaviors WHERE score_impact = 15",
    ),
}


def _talk(ours: Shop) -> Talk:
    """One conversation in which everything was acknowledged."""
    talk = Talk()
    for sent in requests_of(talk):
        reply = ours.app.test_client().post(sent.path, json=sent.body)
        sent.status, sent.reply = reply.status_code, reply.json
        talk.sent.append(sent)
    return talk


def _url(template: Path, folder: Path) -> str:
    file = folder / "leadline.db"
    file.write_bytes(template.read_bytes())
    return f"sqlite:///{file}"


def test_what_was_acknowledged_and_kept_is_no_complaint(
    sqlite_template: Path, tmp_path: Path
) -> None:
    url = _url(sqlite_template, tmp_path)
    with shop(url, tmp_path) as ours:
        verdict = compare(url, [_talk(ours), _talk(ours)])

    assert verdict.complaints == []
    assert (verdict.conversations, verdict.answers) == (2, 14)


@pytest.mark.parametrize(
    ("kind", "damage"), [(kind, one) for kind, all_of_it in DAMAGE.items() for one in all_of_it]
)
def test_damage_is_named(kind: str, damage: str, sqlite_template: Path, tmp_path: Path) -> None:
    url = _url(sqlite_template, tmp_path)
    with shop(url, tmp_path) as ours:
        talk = _talk(ours)
        with ours.resources.engine.begin() as connection:
            for statement in damage.split(";"):
                connection.execute(text(statement))
        verdict = compare(url, [talk])

    assert getattr(verdict, kind) != []
    assert len(verdict.complaints) == len(getattr(verdict, kind))


def test_a_session_that_nobody_knows_of_is_a_double(sqlite_template: Path, tmp_path: Path) -> None:
    url = _url(sqlite_template, tmp_path)
    with shop(url, tmp_path) as ours:
        talk = _talk(ours)
        ours.start()
        verdict = compare(url, [talk])

    assert len(verdict.doubled) == 1


def test_what_was_never_acknowledged_may_be_there_or_not(
    sqlite_template: Path, tmp_path: Path
) -> None:
    url = _url(sqlite_template, tmp_path)
    with shop(url, tmp_path) as ours:
        talk = _talk(ours)
        unheard = Talk([*talk.sent[:-1], replace(talk.sent[-1], status=0, reply={})])
        never = Talk([*talk.sent, replace(talk.sent[-1], status=0, reply={})])
        verdicts = [compare(url, [unheard]), compare(url, [never])]

    assert [one.complaints for one in verdicts] == [[], []]

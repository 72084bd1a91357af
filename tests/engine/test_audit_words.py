"""Tests of engine.audit_words: an audit log that one can read."""

from __future__ import annotations

import pytest

from engine.audit_words import KINDS, SENTENCES, prefixes_of, told

NAMES = {"person 5": "Ann", "sam@example.com": "Sam"}


@pytest.mark.parametrize(
    ("action", "subject", "detail", "sentence"),
    [
        ("workflow.published", "draft 3", {"version": 4}, "published workflow version 4"),
        ("person.invited", "person 5", {"role": "viewer"}, "invited Ann as viewer"),
        ("person.invited", "person 9", {"role": "viewer"}, "invited person 9 as viewer"),
        ("lead.assigned", "lead 7", {"from": None, "to": "sam@example.com"}, "gave lead 7 to Sam"),
        ("lead.assigned", "lead 7", {"to": None}, "gave lead 7 to nobody"),
        ("leads.stage", "leads", {"to": "Meeting", "changed": 0}, "moved 0 leads to Meeting"),
        ("leads.stage", "leads", {"to": "Meeting", "job": "j"}, "moved many leads to Meeting"),
        ("settings.changed", "pipeline", {}, "changed the stages of the board"),
        ("settings.changed", "colours", {}, "changed colours"),
        ("lead.staged", "lead 7", {}, "moved lead 7 to …"),
        ("moon.walked_on", "moon 1", {}, "moon walked on: moon 1"),
    ],
)
def test_an_entry_is_a_sentence(action, subject, detail, sentence) -> None:
    assert told(action, subject, detail, NAMES) == sentence
    assert told(action, subject, detail)


def test_every_sentence_is_of_exactly_one_kind() -> None:
    starts = [start for kind in KINDS for start in prefixes_of(kind)]

    assert len(starts) == len(set(starts))
    for action in SENTENCES:
        assert action.startswith(tuple(starts)), action
    assert prefixes_of("none") == ()

"""Tests of engine.vocabulary: what a key's scopes allow."""

from __future__ import annotations

import pytest

from engine.vocabulary import ModelKind, Scope, every_name, grants


@pytest.mark.parametrize(
    ("held", "needed", "allowed"),
    [
        ({"leads:read"}, Scope.LEADS_READ, True),
        ({"leads:write"}, Scope.LEADS_READ, True),
        ({"leads:read"}, Scope.LEADS_WRITE, False),
        ({"alerts:write"}, Scope.LEADS_READ, False),
        ({"leads:write"}, Scope.LEADS_EXPORT, False),
        ({"admin"}, Scope.LEADS_EXPORT, True),
        (set(), Scope.LEADS_READ, False),
    ],
)
def test_write_includes_read_of_its_kind_and_admin_everything(
    held: set[str], needed: Scope, allowed: bool
):
    assert grants(frozenset(held), needed) is allowed


def test_a_kind_of_model_says_which_package_it_lacks() -> None:
    assert ModelKind.BLEND.needs is None and "scikit-learn" in ModelKind.BLEND.advice
    assert "pip install lightgbm" in ModelKind.LIGHTGBM.advice
    assert "imbalanced-learn" in ModelKind.RANDOM_FOREST_SMOTE.advice
    assert [kind for kind in ModelKind if not kind.serves] == [ModelKind.RANDOM_FOREST_SMOTE]


def test_a_reply_stands_under_the_names_of_older_systems_too() -> None:
    said = {
        "classification": "SQL",
        "lead_data": {"classification": "SQL", "custom": {"action": "mine"}},
        "leads": [{"score_change": 5, "score_impact": 7}],
    }

    reply = every_name(said)

    assert reply["lead_type"] == reply["lead_classification"] == "SQL"
    assert reply["lead_data"]["lead_type"] == "SQL"
    # What a visitor named is theirs, and a name that is taken keeps its value.
    assert reply["lead_data"]["custom"] == {"action": "mine"}
    assert reply["leads"] == [{"score_change": 5, "score_impact": 7}]
    assert "lead_type" not in said
    assert every_name({"lead_data": None, "leads": None}) == {"lead_data": None, "leads": None}

"""The page of the model: what answers, how good it is, and who may change that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobs.tasks import Worker
from tests.console.office import Office, plain


@pytest.fixture
def taught(small: Office) -> Office:
    """An office with sixty outcomes that one can learn from."""
    for number in range(60):
        wins = number % 3 == 0
        lead = small.enter_lead(
            name=f"Lead {number}",
            email=f"lead{number}@example.com" if wins or number % 5 == 0 else None,
            source="fair" if wins else "list",
            staff_size="50+" if wins else "Just me",
        )
        small.clock.set(small.clock.now() + timedelta(minutes=7))
        with small.unit() as services:
            outcome = "won" if wins else "lost"
            services.pipeline.record_outcome(lead, outcome, actor="alice@example.com")
    return small


def _work(ours: Office) -> None:
    while Worker(ours.resources).work():
        pass


def test_without_outcomes_the_page_says_what_it_takes(small: Office) -> None:
    said = small.vera.text("/console/models")

    assert "No model yet" in said and "50 outcomes" in said
    assert "Train now" not in said and "Settings" not in said


def test_a_marketer_trains_reads_the_card_and_reckons_whom_to_call(taught: Office) -> None:
    mark = taught.mark
    assert "Learning" in plain(mark.post("/console/models/train", follow=True).text)
    _work(taught)
    listed = mark.get("/console/models").text
    assert "in service" in plain(listed)
    one = taught.ask(lambda services: services.predictions.store.list_cards())[-1]["id"]

    card = mark.text(f"/console/models/{one}", call_cost=5, deal_value=100, capacity=3)

    assert "20 won" in card and "Checksum" in card
    assert "Call leads from 5.0 % on" in card and "calls reach" in card


def test_settings_are_kept_and_bad_ones_named(small: Office) -> None:
    mark = small.mark

    good = {"model_kind": "boosting", "fair_chance_percent": "3"}
    assert mark.post("/console/models/settings", good).status_code == 303
    bad = mark.post("/console/models/settings", {**good, "fair_chance_percent": "80"})
    none = mark.post("/console/models/settings", {**good, "model_kind": "random_forest_smote"})

    assert bad.status_code == none.status_code == 422
    assert "Must be a number" in plain(bad.text)
    assert 'value="boosting" selected' in mark.get("/console/models").text


def test_who_only_looks_on_changes_nothing(small: Office) -> None:
    for visit in (small.vera, small.sam):
        assert visit.post("/console/models/train").status_code == 403
    assert small.sam.get("/console/models").status_code == 403
    assert small.mark.get("/console/models/mdl_none").status_code == 404

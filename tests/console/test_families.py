"""Whose facts are whose after two leads became one: the page, the model's rows, the choices."""

from __future__ import annotations

from typing import Any

import pytest

from engine.vocabulary import FactKind
from outbox import NewFact, record
from services import Services
from services.diary_service import NewActivity
from services.fair_chance import FairChance
from services.training_rows import TrainingRows
from tests.console.office import START, Office
from tests.console.visitors import talk

ALICE = "alice@example.com"


def merge(ours: Office, kept: int, other: int) -> int:
    with ours.unit() as services:
        return services.merges.merge(kept, other, {}, actor=ALICE)


def log(ours: Office, lead: int, kind: str = "call", **told: Any) -> None:
    with ours.unit() as services:
        services.diary.log_activity(lead, NewActivity(kind, **told), actor=ALICE)


def tell(services: Services, kind: FactKind, lead: int, measured: dict[str, Any]) -> None:
    record(services.session, NewFact(kind, START, measured, lead_id=lead))


def choose(ours: Office, lead: int) -> None:
    """What the relay does when it hears of a contact."""
    with ours.unit() as services:
        facts = services.stories.of(lead).facts
        FairChance(services.session, services.resources).on_facts(lead, facts)


def chosen(services: Services, *leads: int) -> list[int]:
    """How often each of these leads was chosen, those that became one with it among them."""
    told = [services.stories.of(lead).facts for lead in leads]
    return [sum(one.kind == FactKind.LEAD_CHOSEN for one in facts) for facts in told]


def row(services: Services, lead: int) -> dict[str, Any]:
    rows = TrainingRows(services.session, services.resources)
    return dict(rows.known([lead], lambda name: False)[0].row)


def test_each_lead_tells_its_own_story_before_during_and_after_a_merge(ours: Office) -> None:
    kept, other = talk(ours), talk(ours)
    log(ours, other, "note", note="From before")
    before = ours.ask(lambda s: [len(s.stories.of(one).facts) for one in (kept, other)])

    done = merge(ours, kept, other)
    assert "From before" in ours.alice.text(f"/console/leads/{kept}")
    told = ours.ask(lambda s: s.stories.of(kept))
    assert len(told.conversations) == 2
    log(ours, kept, "note", note="While one")

    with ours.unit() as services:
        services.merges.part(done, actor=ALICE)
    alone = ours.ask(lambda s: [s.stories.of(one) for one in (kept, other)])
    assert [len(one.conversations) for one in alone] == [1, 1]
    assert {fact.session_id for fact in alone[0].facts} == {alone[0].lead.session_id, None}
    assert {fact.session_id for fact in alone[1].facts} == {alone[1].lead.session_id, None}
    assert "From before" not in ours.alice.text(f"/console/leads/{kept}")
    assert "While one" in ours.alice.text(f"/console/leads/{kept}")
    assert len(alone[1].facts) >= before[1]


def test_a_past_moment_of_a_merged_lead_counts_both_conversations(ours: Office) -> None:
    kept, other = ours.enter_lead(name="Lena"), talk(ours)
    merge(ours, kept, other)

    def then(services: Services) -> Any:
        return services.moments.find(services.stories.of(kept), START)

    assert ours.ask(then).score == ours.ask(lambda s: s.stories.of(kept)).lead.lead_score > 0


def test_a_model_reads_the_whole_person(ours: Office) -> None:
    kept, other = ours.enter_lead(name="Lena"), talk(ours)
    log(ours, other, "call", duration=90)
    whole = ours.ask(lambda s: row(s, other))
    assert "answers" not in ours.ask(lambda s: row(s, kept))

    done = merge(ours, kept, other)
    known = ours.ask(lambda s: row(s, kept))
    assert (known["answers"], known["calls"]) == (whole["answers"], 1)

    with ours.unit() as services:
        services.merges.part(done, actor=ALICE)
    assert "answers" not in ours.ask(lambda s: row(s, kept))
    assert ours.ask(lambda s: row(s, other)) == whole


@pytest.mark.parametrize("is_first", [True, False])
def test_a_person_is_chosen_once_whichever_lead_it_was(ours: Office, is_first: bool) -> None:
    kept, other = ours.enter_lead(name="Lena"), ours.enter_lead(name="Lena K")
    worked = kept if is_first else other
    log(ours, worked)
    choose(ours, worked)
    done = merge(ours, kept, other)
    log(ours, kept)
    choose(ours, kept)
    assert ours.ask(lambda s: chosen(s, kept)) == [1]

    with ours.unit() as services:
        services.merges.part(done, actor=ALICE)
    log(ours, other)
    choose(ours, other)
    assert ours.ask(lambda s: chosen(s, other)) == [1]


def test_the_first_choice_weighs_for_the_whole_person(ours: Office) -> None:
    kept, other = ours.enter_lead(name="Lena"), ours.enter_lead(name="Lena K")
    with ours.unit() as services:
        for lead, propensity in ((other, 0.1), (kept, 1.0)):
            measured = {"by": "chance", "propensity": propensity}
            tell(services, FactKind.LEAD_CHOSEN, lead, measured)
    merge(ours, kept, other)

    def weights(services: Services) -> dict[int, float]:
        return TrainingRows(services.session, services.resources)._propensities([kept])

    assert ours.ask(weights) == {kept: 0.1}


def test_who_was_erased_teaches_nothing_as_a_part_either(ours: Office) -> None:
    kept, other = ours.enter_lead(name="Lena"), ours.enter_lead(name="Lena K")
    merge(ours, kept, other)
    with ours.unit() as services:
        tell(services, FactKind.LEAD_ERASED, other, {})

    strange = ours.ask(lambda s: TrainingRows(s.session, s.resources)._strange([kept]))

    assert strange == {kept}

"""The board: stages with their leads, moves with a second thought, the editor of stages."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from models import AuditEntry, Event, Lead
from services.board_service import NOBODY, BoardFilter, Lane
from tests.console.office import START, Office, plain

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{191*7}}'


def lanes(ours: Office, **wanted: Any) -> dict[str, Lane]:
    """The stages of the board by their names."""
    found = ours.ask(lambda services: services.board.lanes(BoardFilter(**wanted)))
    return {lane.stage.name: lane for lane in found}


def stage_of(ours: Office, lead: int) -> str | None:
    """Where a lead stands."""
    found = select(Lead.stage).where(Lead.id == lead)
    return ours.ask(lambda services: services.session.scalar(found))


def set_columns(ours: Office, lead: int, **columns: Any) -> None:
    """What happened to a lead in other ways."""
    with ours.unit() as services:
        services.session.execute(update(Lead).where(Lead.id == lead).values(**columns))


def audits(ours: Office) -> int:
    """How many entries the audit log has."""
    found = select(func.count()).select_from(AuditEntry)
    return int(ours.ask(lambda services: services.session.scalar(found)))


def test_every_stage_shows_its_leads_their_number_and_worth(ours: Office) -> None:
    for number, (stage, chance) in enumerate([(None, 0.5), ("Contacted", None), ("Meeting", 0.1)]):
        lead = ours.enter_lead(name=f"Lead {number}")
        set_columns(ours, lead, stage=stage, probability=chance)
    won, cheap = ours.enter_lead(name="Won"), ours.enter_lead(name="Cheap")
    with ours.unit() as services:
        for lead, value in ((won, 3000.0), (cheap, 1000.0)):
            services.pipeline.record_outcome(lead, "won", value=value, actor="x")

    found = lanes(ours)

    counts = {name: lane.count for name, lane in found.items()}
    assert list(counts.values()) == [1, 1, 1, 0, 2, 0]
    assert [lane.value for lane in found.values()] == [1000, None, 200, None, 4000, None]
    assert found["Uncontacted"].cards[0].name == "Lead 0"
    assert {card.value for card in found["Deal"].cards} == {3000, 1000}


def test_cards_tell_what_is_overdue_snoozed_or_stands_still(ours: Office) -> None:
    late, resting, still, fresh = (ours.enter_lead(name=name) for name in "ABCD")
    with ours.unit() as services:
        due = services.diary.set_follow_up(late, START - timedelta(hours=1), actor="x")
        services.diary.set_follow_up(fresh, START + timedelta(hours=1), actor="x")
        services.pipeline.snooze(resting, START + timedelta(days=2), actor="x")
    set_columns(ours, still, created_at=START - timedelta(days=2, hours=1))
    set_columns(ours, resting, created_at=START - timedelta(days=9))

    cards = {card.name: card for card in lanes(ours)["Uncontacted"].cards}

    assert cards["A"].is_overdue and not cards["D"].is_overdue
    assert cards["D"].due_at == START + timedelta(hours=1)
    assert cards["B"].snoozed_until and not cards["B"].is_stagnant
    assert cards["C"].is_stagnant and cards["C"].days_here == 2
    assert not cards["D"].is_stagnant
    with ours.unit() as services:
        services.diary.finish_follow_up(late, int(due["id"]), actor="x")
    assert not {card.name: card for card in lanes(ours)["Uncontacted"].cards}["A"].is_overdue


def test_the_board_can_be_narrowed_to_an_owner_or_a_campaign(ours: Office) -> None:
    ours.enter_lead(name="Hers", assigned_to="sue@example.com", campaign="Spring")
    ours.enter_lead(name="Free")

    def names(**wanted: Any) -> list[str | None]:
        return [card.name for card in lanes(ours, **wanted)["Uncontacted"].cards]

    assert names(owner="sue@example.com") == ["Hers"]
    assert names(owner=NOBODY) == ["Free"]
    assert names(campaign="Spring") == ["Hers"]
    assert len(names()) == 2
    page = ours.alice.text("/console/board", owner="sue@example.com")
    assert "Hers" in page and "Free" not in page


def test_sales_sees_its_own_leads_and_moves_no_other(ours: Office) -> None:
    ours.enter_lead(name="Mine", assigned_to="sam@example.com")
    hers = ours.enter_lead(name="Hers", assigned_to="sue@example.com")
    sam = ours.sam

    page = sam.text("/console/board")
    reply = sam.post(f"/console/board/{hers}/move", {"to": "Contacted"})

    assert "Mine" in page and "Hers" not in page and "sue@example.com" not in page
    assert reply.status_code == 404
    assert stage_of(ours, hers) is None


def test_a_move_is_kept_told_and_can_be_undone(ours: Office) -> None:
    lead = ours.enter_lead(name="Lena")
    sam, before = ours.sam, audits(ours)

    reply = sam.post(
        f"/console/board/{lead}/move", {"to": "Meeting", "expected": "Uncontacted"}, part=True
    )

    assert reply.status_code == 204
    assert "Lena: Uncontacted " in reply.headers["HX-Trigger"]
    assert stage_of(ours, lead) == "Meeting" and audits(ours) == before + 1
    undo = re.search(r'"undo": "([^"]+)"', reply.headers["HX-Trigger"])
    assert undo and sam.post(undo[1], follow=True).status_code == 200
    assert stage_of(ours, lead) == "Uncontacted" and audits(ours) == before + 2


def test_of_two_who_move_a_card_the_second_is_told(ours: Office) -> None:
    lead = ours.enter_lead(name="Lena")
    sam, sue = ours.sam, ours.sue
    form = {"to": "Contacted", "expected": "Uncontacted"}
    assert sam.post(f"/console/board/{lead}/move", form, part=True).status_code == 204

    late = sue.post(f"/console/board/{lead}/move", {**form, "to": "Meeting"}, part=True)
    won = sue.post(
        f"/console/board/{lead}/move",
        {"to": "Deal", "expected": "Uncontacted", "value": "5"},
        part=True,
    )

    assert late.status_code == won.status_code == 409
    assert "Somebody else has moved this lead to Contacted" in late.headers["HX-Trigger"]
    assert stage_of(ours, lead) == "Contacted"


def test_a_lead_that_is_won_keeps_what_it_is_worth_and_one_taken_back_is_open(
    ours: Office,
) -> None:
    lead = ours.enter_lead()
    alice = ours.alice
    moved = alice.post(f"/console/board/{lead}/move", {"to": "Deal", "value": "1250.5"})

    assert moved.status_code == 303
    row = select(Lead.stage, Lead.outcome, Lead.outcome_value).where(Lead.id == lead)
    assert ours.ask(lambda s: tuple(s.session.execute(row).one())) == ("Deal", "won", 1250.5)
    won = select(func.count()).where(Event.kind == "outcome.recorded", Event.lead_id == lead)
    assert ours.ask(lambda services: services.session.scalar(won)) == 1

    alice.post(f"/console/board/{lead}/move", {"to": "Meeting", "expected": "Deal"})
    assert ours.ask(lambda s: tuple(s.session.execute(row).one())) == ("Meeting", None, None)


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"to": "Limbo"}, 422),
        ({}, 422),
        ({"to": "Deal", "value": "-1"}, 422),
        ({"to": "Deal", "value": "NaN"}, 422),
        ({"to": "Deal", "value": "much"}, 422),
    ],
)
def test_a_move_that_cannot_be_changes_nothing(
    small: Office, form: dict[str, str], status: int
) -> None:
    lead = small.enter_lead()
    before = audits(small)

    reply = small.sam.post(f"/console/board/{lead}/move", form, part=True)

    assert reply.status_code == status
    assert stage_of(small, lead) is None and audits(small) == before


@pytest.mark.parametrize("number", ["0", "x", "99999999999999999999", "-1", "12345"])
def test_a_lead_that_is_not_there_is_not_moved(small: Office, number: str) -> None:
    reply = small.sam.post(f"/console/board/{number}/move", {"to": "Meeting"}, part=True)

    assert reply.status_code == 404


def test_who_has_the_board_open_is_answered_briefly_while_nothing_changes(small: Office) -> None:
    lead = small.enter_lead(name="Lena")
    sam = small.sam
    first = sam.get("/console/board/lanes")
    mark = {"If-None-Match": first.headers["ETag"]}

    same = sam.client.get("/console/board/lanes", headers=mark)
    small.alice.post(f"/console/board/{lead}/move", {"to": "Meeting"})
    other = sam.client.get("/console/board/lanes", headers=mark)

    assert "Lena" in first.text and "<html" not in first.text
    assert same.status_code == 304 and same.data == b""
    assert other.status_code == 200 and other.headers["ETag"] != first.headers["ETag"]


def test_a_long_stage_shows_fifty_leads_and_then_more(small: Office) -> None:
    with small.unit() as services:
        for number in range(53):
            services.book.enter({"name": f"Lead {number}"}, actor="x")
    sam = small.sam

    short = sam.get("/console/board").text
    long = sam.get("/console/board", more="Uncontacted").text

    assert short.count('class="deal"') == 50 and "More (3)" in plain(short)
    assert long.count('class="deal"') == 53 and "More (" not in plain(long)


def test_leads_in_a_stage_that_is_gone_can_still_be_seen_and_moved(small: Office) -> None:
    lead = small.enter_lead(name="Lost Lena")
    set_columns(small, lead, stage="Attic")
    page = small.sam.text("/console/board")

    reply = small.sam.post(
        f"/console/board/{lead}/move", {"to": "Meeting", "expected": "Attic"}, part=True
    )

    assert "Attic" in page and "Lost Lena" in page
    assert reply.status_code == 204 and stage_of(small, lead) == "Meeting"


def test_who_may_not_see_names_sees_letters_and_moves_nothing(small: Office) -> None:
    lead = small.enter_lead(name="Lena Lead", company="Secret Ltd", email="l@example.com")

    for person in (small.mark, small.vera):
        page = person.get("/console/board").text
        assert "Lena" not in page and "Secret" not in page and "L." in plain(page)
        assert "grip" not in page and "csrf_token" not in page.split('id="board"')[1]
        reply = person.post(f"/console/board/{lead}/move", {"to": "Meeting"}, part=True)
        assert reply.status_code == 403
    assert stage_of(small, lead) is None


def test_a_hostile_name_is_only_ever_words(small: Office) -> None:
    small.enter_lead(name=HOSTILE, company=HOSTILE, campaign=HOSTILE, assigned_to="sam@example.com")

    for path in ("/console/board", "/console/board/lanes"):
        text = small.alice.get(path).text
        assert "<script>alert" not in text and "<img src=x" not in text and "1337" not in text


def test_the_older_address_leads_to_the_board(small: Office) -> None:
    reply = small.app.test_client().get("/leads/kanban/")

    assert reply.status_code == 301 and reply.headers["Location"].endswith("/console/board")


def rows(*stages: tuple[str, str, str]) -> dict[str, str]:
    """The form of these stages: name, kind, limit."""
    form = {}
    for number, (name, kind, limit) in enumerate(stages, 1):
        form |= {f"name_{number}": name, f"kind_{number}": kind, f"limit_{number}": limit}
        form |= {f"place_{number}": str(number)}
    return form


NEW = rows(("New", "open", "3"), ("Demo", "open", ""), ("Won", "won", ""), ("Lost", "lost", ""))


def test_stages_are_renamed_added_ordered_and_limited(ours: Office) -> None:
    alice, before = ours.alice, audits(ours)

    reply = alice.post("/console/board/stages", {**NEW, "place_2": "0.5"})

    assert reply.status_code == 303 and audits(ours) == before + 1
    found = ours.ask(lambda services: services.pipeline.stages().stages)
    assert [(one.name, one.limit_days) for one in found[:2]] == [("Demo", None), ("New", 3)]
    assert "Demo" in alice.text("/console/board")


def test_a_stage_with_leads_is_not_taken_away_and_what_was_typed_stays(ours: Office) -> None:
    lead = ours.enter_lead()
    ours.alice.post(f"/console/board/{lead}/move", {"to": "Meeting"})

    reply = ours.alice.post("/console/board/stages", {**NEW, "name_2": "Workshop <b>"})

    assert reply.status_code == 409
    assert "In Meeting there are leads (1)" in plain(reply.text)
    assert 'value="Workshop &lt;b&gt;"' in reply.text
    assert stage_of(ours, lead) == "Meeting"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name_3": ""}, "needs a stage of the kind won"),
        ({"kind_1": "won"}, "first stage must be open"),
        ({"limit_1": "0"}, "limit 1"),
        ({"limit_1": "soon"}, "whole number of days"),
        ({"name_2": "new"}, "same name"),
        ({"gone_4": "on"}, "needs a stage of the kind lost"),
        ({"kind_1": "maybe"}, "kind 1"),
    ],
)
def test_stages_that_cannot_be_are_refused_with_a_sentence(
    small: Office, change: dict[str, str], sentence: str
) -> None:
    reply = small.alice.post("/console/board/stages", {**NEW, **change})

    assert reply.status_code == 422
    assert sentence in plain(reply.text)


def test_only_who_manages_leads_changes_stages(small: Office) -> None:
    for person in (small.mark, small.sam, small.vera):
        assert person.get("/console/board/stages").status_code == 403
        assert person.post("/console/board/stages", NEW).status_code == 403
        assert "board/stages" not in person.get("/console/board").text

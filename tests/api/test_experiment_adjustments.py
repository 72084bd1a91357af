"""An effect with and without capped values, and with what was known before taken out."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from models import Conversion
from tests.api.conftest import Caller
from tests.api.laboratory import fill, results, run, start


def test_what_returning_visitors_did_before_is_taken_out(plain: Caller) -> None:
    """Half of them clicked before, and just these convert: the score foretells all but the arm."""
    keen = {f"v{number}": number % 2 == 0 for number in range(24)}
    before = {}
    for visitor, is_keen in keen.items():
        before[visitor] = start(plain, visitor_id=visitor)["session_id"]
        if is_keen:
            plain.behave(before[visitor], "clicked_demo")
    plain.clock.advance(3600)
    run(plain)
    for visitor, is_keen in keen.items():
        session = start(plain, visitor_id=visitor)["session_id"]
        plain.clock.advance(1)
        if is_keen:
            plain.behave(session, "clicked_demo")
        else:
            # What the old conversation earns from now on may be the arm's doing.
            plain.answer(before[visitor], 1, "Retail Store", time_taken=30)
            plain.answer(before[visitor], 2, "Pune", time_taken=30)
    start(plain, visitor_id="new")
    plain.relay()
    plain.clock.advance(2 * 86_400)

    said = results(plain, adjustments=True)["adjustments"]
    assert said["returning"] == 24 and "score" in said["covariate"]
    (b,) = said["effects"]
    assert b["variance_left"] < 0.2, "all but chance was known before"
    assert abs(b["cuped"]["difference"]) < 0.1
    assert b["winsorised"] is None and said["cap"] is None


def test_without_anybody_who_was_here_before_there_is_nothing_to_take_out(lite: Caller) -> None:
    run(lite)
    fill(lite, {"A": 0.1, "B": 0.2}, 300)

    said = results(lite, adjustments=True)["adjustments"]
    assert said["covariate"] is None and said["returning"] == 0
    (b,) = said["effects"]
    assert b["cuped"] is None and b["raw"]["difference"] == pytest.approx(0.1)
    assert b["raw"]["interval"][0] < 0.1 < b["raw"]["interval"][1]


def test_one_giant_deal_is_shown_with_its_cap_and_without(plain: Caller) -> None:
    run(plain, metric="deal_value", window_days=1)
    fill(plain, {"A": 0.2, "B": 0.2}, 300, metric="deal_won")
    with plain.unit() as services:
        giant = update(Conversion).where(Conversion.unit.like("B7.%")).values(value=1_000_000)
        services.session.execute(giant)

    said = results(plain, adjustments=True)
    (b,) = said["adjustments"]["effects"]
    assert said["adjustments"]["cap"] == 100
    assert b["raw"]["difference"] == pytest.approx(999_900 / 300)
    assert b["winsorised"]["difference"] == 0 == said["effects"][0]["difference"]

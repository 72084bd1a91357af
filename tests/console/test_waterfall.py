"""The bars of a sum."""

from __future__ import annotations

import pytest

from web.console.waterfall import evidence_bars


def _explanation(*amounts: float) -> dict[str, object]:
    reasons = [
        {"text": f"Reason {at}", "label": f"R{at}", "evidence": one, "odds_ratio": 1.5}
        for at, one in enumerate(amounts)
    ]
    return {"base": {"evidence": -40.0}, "contributions": reasons}


@pytest.mark.parametrize("most", [None, 1, 3, 50])
def test_however_many_are_drawn_the_sum_is_the_same(most: int | None) -> None:
    amounts = [5.0, -12.0, 0.25, 8.0, -0.5, 3.0]

    bars = evidence_bars(_explanation(*amounts), full=True, most=most)

    assert bars[-1].after == pytest.approx(-40 + sum(amounts))
    assert sum(one.amount for one in bars) == pytest.approx(-40 + sum(amounts))
    assert bars[1].amount == -12


def test_the_weakest_are_one_bar_that_says_how_many_they_are() -> None:
    bars = evidence_bars(_explanation(5, 4, 1, -1, 0.5), full=False, most=2)

    assert [one.text for one in bars[1:]] == ["R0", "R1", "3 weaker reasons together"]


def test_a_single_weak_reason_keeps_its_name() -> None:
    bars = evidence_bars(_explanation(5, 4, 1), full=False, most=2)

    assert [one.text for one in bars[1:]] == ["R0", "R1", "R2"]

"""Outcomes ripen, worlds drift, contacts cost: labels, drift, value, scorecard and figures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from errors import Invalid
from ml import drift, evaluate, labels, scorecard, value
from ml.intervals import Bands, venn_abers
from tests.ml.conftest import Leads

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def case(lead: str, days: int, won: bool | None, after: int | None = 5, **more: Any) -> labels.Case:
    """A lead seen so many days ago and decided so many days later."""
    seen = NOW - timedelta(days=days)
    decided = None if won is None or after is None else seen + timedelta(days=after)
    return labels.Case(lead, seen, won, decided, **more)


def test_outcomes_are_learned_from_in_the_order_of_time() -> None:
    found = labels.ripe([case("b", 10, False), case("a", 30, True)], NOW)

    assert [it.lead for it in found.cases] == ["a", "b"]
    assert found.won.tolist() == [1, 0]


def test_the_future_and_what_came_before_are_left_out_with_a_sentence() -> None:
    found = labels.ripe([case("a", 1, True, 5), case("b", 9, True, -1), case("c", 9, True)], NOW)

    assert [it.lead for it in found.cases] == ["c"]
    assert found.left_out[0].startswith("1 outcomes lie in the future")
    assert "older than what is known" in found.left_out[1]


def test_a_silent_lead_is_lost_once_wins_would_have_come() -> None:
    wins = [case(f"w{number}", 100, True, 10) for number in range(20)]

    found = labels.ripe([*wins, case("old", 11, None), case("young", 9, None)], NOW)

    assert labels.patience(wins) == timedelta(days=10)
    assert [it.lead for it in found.cases if not it.won] == ["old"]
    assert "too young to count as lost" in found.left_out[0]


def test_a_repeated_lead_counts_once_with_its_last_outcome() -> None:
    found = labels.ripe([case("a", 30, False, 1), case("a", 30, True, 9)], NOW)

    assert found.won.tolist() == [1]
    assert "1 rows repeat a lead" in found.left_out[0]


def test_words_become_outcomes() -> None:
    assert labels.outcomes(["Won", "no", "1"], ["won", "1"]).tolist() == [1, 0, 1]
    with pytest.raises(Invalid, match="All 2 outcomes are lost"):
        labels.outcomes(["no", "no"], ["won"])


def test_the_fair_chance_lane_calls_everyone_sometimes() -> None:
    found = labels.propensities(np.arange(100.0), capacity=40, lane=0.1)

    assert found.sum() == pytest.approx(40)
    assert (found[-36:] == 1).all() and (found[:64] == pytest.approx(4 / 64))


def test_leads_that_were_seldom_called_speak_for_their_like() -> None:
    weights = labels.inverse_weights(np.array([1.0, 0.5, 0.001]))

    assert weights.mean() == pytest.approx(1)
    assert weights[1] / weights[0] == pytest.approx(2)
    assert weights[2] / weights[0] == pytest.approx(labels.HEAVIEST)
    with pytest.raises(Invalid, match="propensity"):
        labels.inverse_weights(np.array([0.0]))


def test_figures_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    won = rng.integers(0, 2, 500)
    logits = np.round(rng.normal(size=500) + won, 1)  # with ties
    weight = rng.random(500) + 0.1
    p = 1 / (1 + np.exp(-logits))

    ours = evaluate.measure(won, logits, weight).figures

    theirs = {
        "auc": metrics.roc_auc_score(won, p, sample_weight=weight),
        "pr_auc": metrics.average_precision_score(won, p, sample_weight=weight),
        "log_loss": metrics.log_loss(won, p, sample_weight=weight),
        "brier": metrics.brier_score_loss(won, p, sample_weight=weight),
    }
    for name, expected in theirs.items():
        assert ours[name].value == pytest.approx(expected, abs=1e-12)
        assert ours[name].low < expected < ours[name].high


def test_a_perfect_ranking_lifts_as_far_as_can_be() -> None:
    won = (np.arange(1000) < 50).astype(np.int64)

    figures = evaluate.measure(won, -np.arange(1000.0)).figures

    assert figures["precision_at_10"].value == 0.5
    assert figures["lift_at_10"].value == pytest.approx(10)
    assert figures["auc"].value == 1.0


def test_the_gate_refuses_what_is_not_calibrated() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, 3000)
    won = (rng.random(3000) < 1 / (1 + np.exp(-logits))).astype(np.int64)

    good = evaluate.gate(evaluate.Trial(won, logits, rules=np.zeros(3000)))
    off = evaluate.gate(evaluate.Trial(won, logits + 0.5, rules=np.zeros(3000)))

    assert good.promote
    assert not off.promote and "not calibrated" in off.reasons[-1]


def test_the_gate_keeps_the_model_in_service_until_there_is_a_better_one() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, 3000)
    won = (rng.random(3000) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    poorer = logits * 0.8

    worse = evaluate.gate(evaluate.Trial(won, poorer, incumbent=logits))
    better = evaluate.gate(evaluate.Trial(won, logits, incumbent=poorer))

    assert better.promote
    assert not worse.promote and "It is no better" in worse.reasons[1]


def test_hold_outs_are_stratified_and_judge_every_row() -> None:
    won = (np.arange(50) % 5 == 0).astype(np.int64)

    parts = list(evaluate.repeated(won, repeats=2))

    assert len(parts) == 10 and all(won[here].sum() == 2 for _, here in parts)


def test_drift_is_seen_and_an_intercept_repairs_it() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(-2, 1, 1000)
    won = (rng.random(1000) < 1 / (1 + np.exp(-(logits + 1)))).astype(np.int64)

    found = drift.calibration(won, logits)
    move = drift.intercept_update(won, logits)

    assert found.alarm and found.z > 3
    assert move == pytest.approx(1, abs=0.2)
    assert not drift.calibration(won, logits + move).alarm
    assert drift.next_step(found, []) == "intercept"


def test_the_limit_of_a_shift_knows_the_sample_size() -> None:
    rng = np.random.default_rng(3)
    before = rng.normal(size=5000)
    alarms = [drift.shift("x", before, rng.normal(size=200)).alarm for _ in range(200)]

    moved = drift.shift("x", before, rng.normal(0.7, 1, 200))

    assert np.mean(alarms) <= 0.04
    assert moved.alarm and moved.psi > moved.limit
    assert drift.shift("x", before, before[:200]).limit < 0.12
    assert drift.shift("x", before, before[:2000]).limit < 0.02


def test_columns_are_watched_and_the_worst_comes_first() -> None:
    rng = np.random.default_rng(4)
    before = np.column_stack([rng.normal(size=900), rng.integers(0, 3, 900)]).astype(float)
    after = before[:300].copy()
    after[:, 1] = 2.0
    after[::3, 0] = np.nan

    found = drift.shifts(["size", "kind"], [0, 3], before, after)

    assert [it.name for it in found] == ["kind", "size"] and all(it.alarm for it in found)
    state = drift.summary(drift.calibration(np.array([0, 1]), np.zeros(2)), found)
    assert state["next_step"] == "retrain"


def test_who_brings_more_than_the_contact_costs_is_contacted() -> None:
    p = np.array([0.05, 0.1, 0.3, 0.6])

    found = value.by_value(p, cost=10, value=100)

    assert (found.probability, found.contacted) == (0.1, 3)
    assert found.profit == pytest.approx(100 - 30)
    with pytest.raises(Invalid, match="costs 0 or more"):
        value.by_value(p, cost=1, value=0)


def test_forty_calls_reach_a_share_of_the_customers() -> None:
    found = value.by_capacity(np.array([0.1, 0.5, 0.2, 0.2]), contacts=1)

    assert found.share_of_wins == pytest.approx(0.5)
    assert found.share_contacted == 0.25
    assert value.by_capacity(np.array([0.1]), contacts=0).contacted == 0


def test_venn_abers_widens_where_there_is_little() -> None:
    rng = np.random.default_rng(5)
    widths = []
    for rows in (50, 2000):
        logits = rng.normal(size=rows)
        won = (rng.random(rows) < 1 / (1 + np.exp(-logits))).astype(np.int64)
        _, low, high = venn_abers(logits, won)
        assert (low <= high).all()
        widths.append(float(np.mean(high - low)))

    assert widths[0] > 3 * widths[1]


def test_the_wider_of_two_intervals_is_shown_and_holds_the_probability() -> None:
    bands = Bands(
        edges=np.array([0.0]),
        low=np.array([0.2, 0.7]),
        high=np.array([0.21, 0.99]),
        band_edges=np.array([0.0]),
        half_width=np.array([1.0, 0.1]),
    )
    logits = np.array([-1.0, 0.5])  # probabilities of 0.27 and 0.62

    around = bands.around(logits)

    assert around[0] == pytest.approx([1 / (1 + np.exp(2)), 0.5])  # the refits differ more
    assert around[1] == pytest.approx([1 / (1 + np.exp(-0.5)), 0.99])  # calibration knows less
    assert [bands.around_one(it) for it in logits] == [pytest.approx(it) for it in around]


def test_a_scorecard_gives_whole_points_that_rank_well(leads: Callable[..., Leads]) -> None:
    known = leads(1500)

    card = scorecard.learn(known.frame, known.won)
    totals = card.points(known.frame)

    assert all(isinstance(line.points, int) and line.points >= 0 for line in card.lines)
    assert 60 <= card.best <= 140 and totals.max() <= card.best
    assert metrics.roc_auc_score(known.won, totals) > 0.7
    friend = {line.when: line.points for line in card.lines if line.feature == "source"}
    assert friend["friend"] > friend["ads"]

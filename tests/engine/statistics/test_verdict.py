"""Tests of engine.statistics.verdict: the decision, and the sentence that a marketer reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.statistics.effects import ArmCounts, Effect, Goal, Measured, measure
from engine.statistics.power import Plan
from engine.statistics.ranking import Ranked
from engine.statistics.srm import SRM, Bend
from engine.statistics.verdict import (
    FOLLOWING,
    Decision,
    Setting,
    Verdict,
    bandit_sentence,
    decide,
    fishing_warning,
    plan_sentence,
    ranking_verdict,
    rounded,
)

LEADS = Goal("mql", "qualified leads")
SOUND = SRM(0.5, -3.0)
SETTING = Setting("A", SOUND)


def effect(
    low: float, high: float, *, arm: str = "B", decided: bool = True, base: float = 0.05
) -> Effect:
    """An effect whose interval is told; the rest follows from it."""
    return Effect(
        metric="mql",
        arm=arm,
        lift=(low + high) / 2 / base,
        lift_interval=(low / base, high / base),
        difference=(low + high) / 2,
        difference_interval=(low, high),
        p_always_valid=0.01,
        p_adjusted=0.01,
        p_fixed=0.01,
        level=0.05,
        decided=decided,
        exposed=10_000,
        more_visitors=2_245,
    )


def said(*effects: Effect, goal: Goal = LEADS, setting: Setting = SETTING) -> Verdict:
    return decide(goal, effects, setting)


def test_a_winner_is_told_in_leads_per_thousand_visitors() -> None:
    found = said(effect(0.002, 0.009))

    assert found == Verdict(
        Decision.WINNER,
        "B brings between +2 and +9 more qualified leads per 1,000 visitors; you may stop now.",
        "B",
        0,
    )


def test_too_early_says_how_many_more() -> None:
    found = said(effect(-0.02, 0.03, decided=False))

    assert found.decision == Decision.TOO_EARLY and found.more_visitors == 2_245
    assert found.sentence == "Too early: about 2,300 more visitors."


def test_too_rare_a_goal_is_not_waited_for() -> None:
    found = said(replace(effect(-0.02, 0.03, decided=False), more_visitors=None))

    assert found.sentence == "Too early, and too rare a goal to decide it: choose an earlier one."


def test_no_difference_is_an_answer() -> None:
    found = said(effect(-0.0031, 0.004, decided=False))

    assert found.decision == Decision.NO_DIFFERENCE
    assert found.sentence == "No difference larger than ±4 qualified leads per 1,000 visitors."


def test_a_loser_is_told_too() -> None:
    found = said(effect(-0.009, -0.002))

    assert (found.decision, found.arm) == (Decision.LOSER, "B")
    assert found.sentence == (
        "B brings between 2 and 9 fewer qualified leads per 1,000 visitors; you may stop now."
    )


def test_of_several_arms_the_best_one_wins_and_the_open_ones_are_waited_for() -> None:
    good, better = effect(0.002, 0.004), effect(0.003, 0.009, arm="C")
    still_open = effect(-0.02, 0.03, arm="D", decided=False)
    worse, alike = effect(-0.009, -0.002), effect(-0.002, 0.002, arm="D", decided=False)

    assert said(good, better, still_open).arm == "C"
    assert said(worse, still_open).decision == Decision.TOO_EARLY
    assert said(worse, alike).decision == Decision.NO_DIFFERENCE


def test_where_lower_is_better_fewer_wins() -> None:
    drop_offs = replace(LEADS, noun="drop-offs", higher_is_better=False)

    assert said(effect(-0.009, -0.002), goal=drop_offs).decision == Decision.WINNER
    assert said(effect(0.002, 0.009), goal=drop_offs).decision == Decision.LOSER


@pytest.mark.parametrize(
    ("low", "high", "numbers"),
    [
        (0.0021, 0.0094, "+2 and +9 more qualified leads per 1,000"),
        (0.00021, 0.00094, "+2 and +9 more qualified leads per 10,000"),
        (0.00002, 0.0009, "+2 and +90 more qualified leads per 100,000"),
        (1e-9, 0.000004, "+1 and +4 more qualified leads per 1,000,000"),
        (0.2, 1.5, "+200 and +1,500 more qualified leads per 1,000"),
    ],
)
def test_the_numbers_are_whole_ones(low: float, high: float, numbers: str) -> None:
    assert numbers in said(effect(low, high)).sentence


def test_values_are_told_per_visitor() -> None:
    deals = Goal("deal_value", "deal value", is_value=True)

    up, down = said(effect(0.4, 1.26), goal=deals), said(effect(-1.26, -0.4), goal=deals)
    alike = said(effect(-0.4, 0.3, decided=False, base=10), goal=deals)

    assert "between +0.40 and +1.26 more deal value per visitor;" in up.sentence
    assert "between 0.40 and 1.26 less deal value per visitor;" in down.sentence
    assert alike.sentence == "No difference larger than ±0.40 deal value per visitor."


def test_a_broken_split_locks_everything_and_says_where() -> None:
    bend = Bend("mobile", 0, 0.5, 0.5612, 1e-9)
    locked = Setting("A", SRM(0.0001, 3.0), bends=[bend])

    found = said(effect(0.002, 0.009), setting=locked)

    assert found.decision == Decision.LOCKED
    assert found.sentence == (
        "Visitors are not split as set, worst in mobile (56.1% instead of 50.0%): "
        "find out why before you believe any number."
    )
    alarmed = said(effect(0.002, 0.009), setting=Setting("A", SRM(0.01, 7.0)))
    assert alarmed.sentence.startswith("Visitors are not split as set: find out")


@pytest.mark.parametrize(
    ("waiting", "days", "sentence"),
    [
        (0, 14.0, "Nobody has seen this experiment yet."),
        (
            340,
            14.0,
            "Too early: 340 visitors are still within the 14 days that a conversion may take.",
        ),
        (1, 1.0, "Too early: 1 visitor is still within the 1 day that a conversion may take."),
    ],
)
def test_before_anybody_is_old_enough_one_waits(waiting: int, days: float, sentence: str) -> None:
    nobody = replace(effect(-1, 1, decided=False), exposed=0)

    found = said(nobody, setting=Setting("A", SOUND, waiting=waiting, window_days=days))

    assert (found.decision, found.sentence) == (Decision.WAITING, sentence)
    assert said(setting=Setting("A", SOUND)).decision == Decision.WAITING


def test_a_guardrail_that_is_harmed_stops_a_winner() -> None:
    contacts = Goal("contact_shared", "contacts shared")
    fine, harm = effect(-0.01, 0.01), effect(-0.03, -0.01)

    found = said(
        effect(0.002, 0.009),
        setting=Setting("A", SOUND, guardrails=[(contacts, fine), (contacts, harm)]),
    )

    assert (found.decision, found.arm) == (Decision.HARM, "B")
    assert found.sentence == (
        "B brings between 10 and 30 fewer contacts shared per 1,000 visitors; stop this arm."
    )


def test_a_planned_test_that_has_run_its_course_ends() -> None:
    planned = replace(LEADS, planned=10_000)
    over = replace(effect(-0.02, 0.03, decided=False), more_visitors=0)

    assert said(over, goal=planned).decision == Decision.NO_DIFFERENCE
    assert said(effect(-0.02, 0.03, decided=False), goal=planned).decision == Decision.TOO_EARLY


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "1"), (3.2, "4"), (10, "10"), (2_245, "2,300"), (29_688, "30,000"), (101, "110")],
)
def test_people_are_counted_in_two_digits(count: float, words: str) -> None:
    assert rounded(count) == words


def test_many_segments_come_with_a_warning() -> None:
    one, two = effect(0.1, 0.2), effect(-0.1, 0.2)

    assert fishing_warning({"mobile": one}) is None
    assert (fishing_warning({"mobile": one, "desktop": two}) or "").startswith(
        "You are looking at 2 segments:"
    )


def test_under_a_bandit_no_number_of_visitors_is_promised() -> None:
    unsure = effect(-0.02, 0.03, decided=False)

    found = said(unsure, setting=replace(SETTING, is_moving=True))

    assert found == Verdict(Decision.TOO_EARLY, FOLLOWING)


def test_a_bandit_says_what_it_earns_and_what_it_cannot_prove() -> None:
    assert bandit_sentence(LEADS, 31.4).startswith(
        "Moving the traffic has brought about 32 qualified leads more than an even split"
    )
    assert "about 32 qualified leads fewer than" in bandit_sentence(LEADS, -31.4)
    assert "no more qualified leads than" in bandit_sentence(LEADS, 0.2)
    assert "It proves less" in bandit_sentence(LEADS, 31.4)


@pytest.mark.parametrize(
    ("converted", "decision"),
    [(420, Decision.WINNER), (305, Decision.NO_DIFFERENCE), (200, Decision.LOSER)],
)
def test_from_counts_to_a_verdict(converted: int, decision: Decision) -> None:
    epoch = (ArmCounts("A", 0.5, 10_000, 300), ArmCounts("B", 0.5, 10_000, converted))
    goal = replace(LEADS, hoped=0.3)

    effects = measure([Measured(goal, (epoch,))], "A")["mql"]

    assert decide(goal, effects, SETTING).decision == decision


def test_a_plan_says_what_it_takes_or_what_would_do_instead() -> None:
    soon = Plan("contact_shared", 0.2, 1_680, 3_360, 12.3, 0.15, fits=True)
    late = Plan("deal_won", 0.01, 21_347, 42_693, 1_450.0, 0.85, fits=False)
    hopeless = replace(late, smallest_lift=None)

    assert plan_sentence("contact_shared", 0.2, soon, late, 56) == (
        "To find +20% contacts takes about 3,400 visitors, about 13 days at the present traffic."
    )
    assert plan_sentence("deal_won", 0.2, late, soon, 56) == (
        "To find +20% won deals takes about 43,000 visitors, about 4 years at the present traffic; "
        "contacts would do in about 13 days, if the same effect shows there."
    )
    assert plan_sentence("deal_won", 0.2, late, None, 56).endswith(
        "; +85% is what about 8 weeks can find, and no earlier goal would do."
    )
    assert "In mode bandit" in plan_sentence("deal_won", 0.2, hopeless, None, 56)
    assert plan_sentence("sql", 0.2, None, replace(soon, days=0.5), 56) == (
        "Nobody knows how long this takes: there were no qualified leads to reckon from; "
        "contacts would do in about 1 day, if the same effect shows there."
    )


def test_points_are_judged_by_the_pairs_they_put_in_order() -> None:
    better = Ranked(0.06, 1e-4, 0.001, (0.02, 0.10), True)
    worse = Ranked(-0.06, 1e-4, 0.001, (-0.10, -0.02), True)
    unsure = Ranked(0.01, 1e-4, 0.6, (-0.03, 0.05), False)

    assert ranking_verdict("won deals", 900, 90, {"B": better, "C": unsure}) == Verdict(
        Decision.WINNER,
        "Of 100 pairs of a visitor who came to won deals and one who did not, B puts between 2.0 "
        "and 10.0 more in the right order; you may stop now.",
        "B",
        0,
    )
    lost = ranking_verdict("won deals", 900, 90, {"B": worse})
    assert lost.decision == Decision.LOSER and "2.0 and 10.0 fewer" in lost.sentence
    assert ranking_verdict("won deals", 0, 0, {"B": unsure}).decision == Decision.WAITING
    assert ranking_verdict("won deals", 900, 7, {"B": unsure}).sentence == (
        "Too early: 7 won deals of 900 visitors; a comparison needs 20 of either kind."
    )
    assert (
        "at most 5.0 of 100 pairs" in ranking_verdict("won deals", 900, 90, {"B": unsure}).sentence
    )
    alike = Ranked(0.0, 0.0, 1.0, (0.0, 0.0), False)
    assert "at most 0.0" in ranking_verdict("won deals", 900, 90, {"B": alike}).sentence

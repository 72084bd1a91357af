"""From outcomes to a candidate: policy by wins, the gate, clear refusals, the same bits again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from errors import Invalid
from ml import benchmark, evaluate
from ml.features import Choice, Stage
from ml.registry import pack
from ml.train import candidate, label_for, train
from tests.ml.conftest import Leads

Make = Callable[..., Leads]


@pytest.mark.parametrize(
    ("rows", "wins", "label"),
    [
        (0, 0, "rules"),
        (49, 20, "rules"),
        (50, 9, "rules"),
        (50, 10, "early"),
        (50, 41, "rules"),
        (200, 39, "early"),
        (200, 40, "normal"),
    ],
)
def test_the_rarer_outcomes_decide_what_answers(rows: int, wins: int, label: str) -> None:
    won = (np.arange(rows) < wins).astype(np.int64)

    assert label_for(won) == label


def test_below_its_limits_the_points_answer_and_say_so(leads: Make) -> None:
    few = leads(30)

    model = train(few.frame, few.won)
    said = [model.explain({"points": points}) for points in (10, 90)]

    assert [it["label"] for it in said] == ["rules", "rules"]
    assert said[0]["method"] == "rules"
    assert said[0]["probability"] < said[1]["probability"]
    assert "a model needs 50 with 10 of each kind" in model.card["notes"][-1]


def test_without_any_outcome_there_is_still_a_cautious_answer() -> None:
    model = train({"points": []}, np.empty(0, dtype=np.int64))

    low, high = model.explain({"points": 25})["interval"]

    assert model.explain({"points": 25})["probability"] == pytest.approx(0.1, abs=0.001)
    assert low <= 0.05 and high >= 0.3


def test_an_interval_narrows_as_outcomes_accumulate(leads: Make) -> None:
    widths = []
    for rows in (60, 400, 3000):
        known = leads(rows)
        X = (model := train(known.frame, known.won)).encoding.matrix(leads(300, seed=8).frame)
        around = model.bands.around(model.logits(X))
        widths.append(float(np.mean(around[:, 1] - around[:, 0])))

    assert widths[0] > widths[1] > widths[2]


def test_the_same_leads_give_the_same_artifact(leads: Make) -> None:
    known = leads(120)

    first, second = (train(known.frame, known.won) for _ in range(2))

    assert first.card == second.card
    assert (first.tables.halves == second.tables.halves).all()
    assert (first.bands.half_width == second.bands.half_width).all()
    assert pack(first).card == pack(second).card


def test_a_candidate_that_learned_something_may_serve(leads: Make) -> None:
    known = leads(600)

    found = candidate(known.frame, known.won)

    assert found.verdict.promote, found.verdict.reasons
    assert set(found.reports) == {"out_of_fold", "newest"}
    figures = found.model.card["reports"]["newest"]["figures"]
    assert figures["auc"][1] <= figures["auc"][0] <= figures["auc"][2]
    assert found.model.card["verdict"]["promote"] is True


def test_data_without_signal_is_refused(leads: Make) -> None:
    for seed in range(3):
        known = leads(400, seed=seed, signal=0.0)

        found = candidate(known.frame, known.won)

        assert not found.verdict.promote
        assert any("there may be no signal" in reason for reason in found.verdict.reasons)


def test_a_worse_candidate_does_not_replace_the_model_in_service(leads: Make) -> None:
    known = leads(900)
    serving = train(known.frame, known.won)
    poorer = Choice(drop=frozenset({"website_visits"}))

    found = candidate(known.frame, known.won, poorer, incumbent=serving)

    assert not found.verdict.promote
    assert any("It is no better" in reason for reason in found.verdict.reasons)


def test_too_few_outcomes_are_no_candidate(leads: Make) -> None:
    few = leads(30)

    found = candidate(few.frame, few.won)

    assert not found.verdict.promote and found.model.label == "rules"


@pytest.mark.parametrize(
    ("won", "sentence"),
    [
        (np.ones(60, dtype=np.int64), "All 60 outcomes are won"),
        (np.zeros(60, dtype=np.int64), "All 60 outcomes are lost"),
        (np.full(60, 2), "won \\(1\\) or lost \\(0\\)"),
        (np.empty(0, dtype=np.int64), "no outcome to learn from"),
    ],
)
def test_outcomes_that_teach_nothing_are_refused_with_a_sentence(
    won: np.ndarray, sentence: str
) -> None:
    with pytest.raises(Invalid, match=sentence):
        candidate({"size": list(range(len(won)))}, won)


def test_where_no_column_is_left_the_points_answer(leads: Make) -> None:
    known = leads(200)

    model = train({"same": ["x"] * 200}, known.won)

    assert model.label == "rules"
    assert "No column but the points is left to learn from." in model.card["notes"]
    assert model.card["left_out"]["same"].startswith("it is the same")


def test_no_columns_and_only_points_are_no_trouble(leads: Make) -> None:
    known = leads(200)

    for frame in ({}, {"points": known.frame["points"]}):
        assert train(frame, known.won).explain({"points": 50})["label"] == "rules"
        assert not candidate(frame, known.won).verdict.promote


def test_odd_values_of_any_type_are_taken_as_they_come(leads: Make) -> None:
    odd = [None, "", b"x", 2.5, float("inf"), True, {"a": 1}, ["x"], {"s"}, object(), 10**400, "\0"]
    rng = np.random.default_rng(0)
    rows = range(120)
    frame = {f"c{n}": [odd[it] for it in rng.integers(0, len(odd), 120)] for n in range(4)}

    model = train({**frame, "as_of": ["2026-02-02" for _ in rows]}, rng.integers(0, 2, 120))

    for row in range(20):
        said = model.explain({name: values[row] for name, values in frame.items()})
        assert json.loads(json.dumps(said)) == said


def test_duplicates_and_odd_values_do_not_stop_the_training(leads: Make) -> None:
    known = leads(200)
    frame = {name: values * 2 for name, values in known.frame.items()}
    frame["amount"] = [float("inf"), "a lot", *frame["amount"][2:]]

    model = train(frame, np.tile(known.won, 2))

    assert model.label == "normal"
    assert "amount: 2 values" in model.card["notes"][0]


def test_the_stage_of_the_model_is_said_with_every_answer(leads: Make) -> None:
    known = leads(200)
    calls = (known.won * 200 + np.random.default_rng(0).integers(0, 300, 200)).tolist()
    frame = {**known.frame, "last_call_seconds": calls}

    before = train(frame, known.won)
    after = train(frame, known.won, Choice(stage=Stage.AFTER_CONTACT))
    record = {"last_call_seconds": 480, "source": "ads"}

    assert before.explain(record)["stage"] == "before_contact"
    assert "last_call_seconds" in before.card["left_out"]
    texts = [it["text"] for it in after.explain(record)["contributions"]]
    assert after.explain(record)["stage"] == "after_contact"
    assert any(text.startswith("Long last call") for text in texts)


def test_a_fact_that_no_feature_names_changes_nothing(leads: Make) -> None:
    known = leads(200)
    model = train(known.frame, known.won)
    record = {"website_visits": 3, "source": "ads"}

    later = {**record, "outcome": "won", "closed_at": "2026-02-01", "lead_score": 99}

    assert model.explain(later) == model.explain(record)


def test_weights_undo_that_some_were_likelier_to_be_seen(leads: Make) -> None:
    known = leads(600)
    seldom = np.where(np.arange(600) % 2 == 0, 3.0, 1.0)

    plain = candidate(known.frame, known.won).reports["out_of_fold"].figures["log_loss"]
    found = candidate(known.frame, known.won, weights=seldom).reports["weighted"]
    twice = evaluate.measure(np.repeat(known.won, 2), np.zeros(1200))

    assert found.figures["log_loss"].value != plain.value
    assert twice.figures["log_loss"].value == pytest.approx(np.log(2))


def test_a_moved_model_says_more_for_everyone(leads: Make) -> None:
    known = leads(300)
    model = train(known.frame, known.won)
    X = model.encoding.matrix(known.frame)

    moved = model.moved(0.5)

    assert np.allclose(moved.logits(X), model.logits(X) + 0.5)
    assert replace(moved, rate=model.rate).rate == model.rate < moved.rate


def test_the_public_figures_hold_on_a_sample(
    public: Callable[[str], benchmark.Dataset],
) -> None:
    data = public("shop")
    rows = np.random.default_rng(42).permutation(len(data.won))
    known, new = data.rows(rows[:2_000]), data.rows(rows[2_000:6_000])

    model = train(known.columns, known.won, benchmark.HONEST)
    report = evaluate.measure(new.won, model.logits(model.encoding.matrix(new.columns)))

    assert report.figures["auc"].value >= 0.91
    assert report.figures["log_loss"].value <= 0.26


@pytest.mark.nightly
def test_every_figure_of_the_benchmark_is_as_wanted(
    public: Callable[[str], benchmark.Dataset],
) -> None:
    bank, shop = public("bank"), public("shop")
    lines = [
        *benchmark.cross_validation(bank, auc=0.793, loss=0.289, ece=0.025, lift=4.2),
        *benchmark.cross_validation(shop, auc=0.930, loss=0.229),
        *benchmark.claim(bank),
        *benchmark.time_order(bank),
        *benchmark.small_data(bank),
        *benchmark.small_data(shop),
        *benchmark.canaries(bank, shop),
        *benchmark.no_signal(),
    ]

    assert [str(line) for line in lines if not line.good] == []

"""Reasons are exact: by brute force, by shap where shap is right, and on every row."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from errors import Invalid
from ml import explain, words
from ml.features import learn_encoding
from ml.pipeline import PARTS, Blend
from ml.predict import Model
from ml.tables import Tables, compile_blend
from ml.train import train
from tests.ml.conftest import Leads

EXACT = 1e-9


def blend_of(
    rows: int = 260, seed: int = 3, categorical: bool = True
) -> tuple[Blend, np.ndarray[Any, Any]]:
    """A blend of six columns: two categories, three numbers with gaps, points."""
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(0, 2, (rows, 6)), 1)
    X[:, 0] = rng.integers(0, 4, rows)
    X[:, 1] = X[:, 0] // 2 + rng.integers(0, 2, rows)  # goes together with the first
    X[:, 5] = rng.integers(0, 80, rows)
    if categorical:
        X[rng.random((rows, 6)) < 0.1] = np.nan
    z = np.nan_to_num(X)
    logit = z[:, 2] * (z[:, 0] > 1) + np.abs(z[:, 3]) - 1.5 + 0.02 * z[:, 5]
    y = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)
    flags = [categorical, categorical, False, False, False, False]
    points = [False] * 5 + [True]
    return Blend(flags, points).fit(X, y), X


def brute_force(value: Callable[[Any], Any], x: Any, background: Any, players: Any) -> Any:
    """Interventional Shapley values by their definition, over all coalitions of the players."""
    count = len(players)
    worth = {}
    for chosen in itertools.product([False, True], repeat=count):
        mixed = background.copy()
        for inside, columns in zip(chosen, players):
            if inside:
                mixed[:, columns] = x[columns]
        worth[chosen] = value(mixed).mean()
    found = np.zeros(count)
    for chosen, before in worth.items():
        size = sum(chosen)
        if size == count:
            continue
        share = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
        for player in range(count):
            if not chosen[player]:
                after = worth[(*chosen[:player], True, *chosen[player + 1 :])]
                found[player] += share * (after - before)
    return found


def test_reasons_are_the_shapley_values_over_all_coalitions() -> None:
    blend, X = blend_of()
    tables = compile_blend(blend, X)

    for row in (0, 17, 101):
        true = brute_force(blend.decision_function, X[row], X, [[k] for k in range(6)])

        assert np.abs(tables.contributions(X[row : row + 1])[0] - true).max() < EXACT
        assert np.abs(tables.of_one(X[row]) - true).max() < EXACT


def test_columns_of_one_feature_count_as_one_player() -> None:
    blend, X = blend_of()
    groups = [[0, 3], [1], [2, 4], [5]]
    columns = compile_blend(blend, X).contributions(X[5:6])[0]

    true = brute_force(blend.decision_function, X[5], X, groups)

    assert np.abs([columns[group].sum() for group in groups] - true).max() < EXACT


def only(blend: Blend, part: str) -> Blend:
    """The blend with one part alone."""
    blend.stack_ = np.array([0.0, *(float(name == part) for name in PARTS)])
    return blend


@pytest.mark.parametrize("part", ["plain", "splines"])
def test_linear_parts_agree_with_shap(part: str) -> None:
    shap = pytest.importorskip("shap")
    blend, X = blend_of()
    tables = compile_blend(only(blend, part), X)
    model = blend.parts_[part]
    design = model.columns_.transform(X[:, :5])

    masker = shap.maskers.Independent(design, max_samples=len(design))
    explainer = shap.LinearExplainer((model.model_[1:], model.model_[0]), masker)
    found = explainer.shap_values(design)

    ours = tables.contributions(X)
    for column in range(5):
        theirs = found[:, model.columns_.source_ == column].sum(axis=1)
        assert np.abs(ours[:, column] - theirs).max() < EXACT


def test_trees_agree_with_shap_where_shap_is_right() -> None:
    # Without native categories and without gaps; with them shap misses the model by whole logits.
    shap = pytest.importorskip("shap")
    blend, X = blend_of(rows=120, categorical=False)
    for (tree,) in blend.parts_["boosting"]._predictors:
        # shap adds in single precision; of such values its sums are exact all the same.
        tree.nodes["value"] = np.round(tree.nodes["value"] * 4096) / 4096
    tables = compile_blend(only(blend, "boosting"), X)

    # Left to itself shap takes 100 rows of the background.
    background = shap.maskers.Independent(X[:, :5], max_samples=len(X))
    explainer = shap.TreeExplainer(
        blend.parts_["boosting"], background, feature_perturbation="interventional"
    )
    found = explainer.shap_values(X[:, :5], check_additivity=True)

    assert np.abs(tables.contributions(X)[:, :5] - found).max() < EXACT


def test_reasons_add_up_on_every_row_and_for_values_never_seen(
    leads: Callable[..., Leads],
) -> None:
    known, new = leads(600), leads(500, seed=9)
    new.frame["source"][:3] = ["radio", "", "friend"]
    new.frame["amount"][:3] = [1e300, -1e9, float("inf")]
    encoding = learn_encoding(known.frame, known.won)
    X, Z = encoding.matrix(known.frame), encoding.matrix(new.frame)
    blend = Blend(encoding.categorical, encoding.points).fit(X, known.won)
    tables = compile_blend(blend, X)

    apart = tables.base + tables.contributions(Z).sum(axis=1) - blend.decision_function(Z)

    assert np.abs(apart).max() < EXACT
    assert tables.base == pytest.approx(blend.decision_function(X).mean(), abs=EXACT)


def test_a_reason_that_misses_the_model_is_refused() -> None:
    blend, X = blend_of()
    tables = compile_blend(blend, X)
    bent = tables.moved(0.01)

    explain.check_additive(tables, X, blend.decision_function(X))
    with pytest.raises(Invalid, match="miss the model"):
        explain.check_additive(bent, X, blend.decision_function(X))


def test_a_feature_that_is_not_used_gets_exactly_nothing() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    X[:, 1] = 7.0
    y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)
    tables = compile_blend(Blend().fit(X, y), X)

    assert (tables.contributions(X)[:, 1] == 0.0).all()
    assert tables.of_one(X[4])[1] == 0.0


@pytest.fixture(scope="module")
def model(leads: Callable[..., Leads]) -> Model:
    """A model of 600 leads."""
    known = leads(600)
    return train(known.frame, known.won).named("m_1")


RECORD = {"website_visits": 7, "source": "friend", "amount": 900.5, "points": 80}


def test_the_explanation_has_the_shape_of_the_wire(model: Model) -> None:
    said = model.explain(RECORD)

    assert {"method", "base", "contributions", "evidence", "probability"} <= set(said)
    assert said["method"] == "exact" and said["label"] == "normal" and said["model"] == "m_1"
    assert set(said["base"]) == {"evidence", "probability"}
    for one in said["contributions"]:
        keys = {"feature", "label", "value", "evidence", "odds_ratio", "text"}
        assert set(one) == keys
        assert one["odds_ratio"] == pytest.approx(2 ** (one["evidence"] / 20))
    low, high = said["interval"]
    assert 0 <= low <= said["probability"] <= high <= 1


def test_base_and_contributions_are_the_evidence(model: Model) -> None:
    said = model.explain(RECORD)

    total = said["base"]["evidence"] + sum(it["evidence"] for it in said["contributions"])
    odds = said["probability"] / (1 - said["probability"])

    assert total == pytest.approx(said["evidence"], abs=EXACT)
    assert 20 * math.log2(odds) == pytest.approx(said["evidence"], abs=EXACT)
    frame = {name: [value] for name, value in RECORD.items()}
    assert model.probabilities(frame)[0] == pytest.approx(said["probability"], abs=1e-12)


def test_reasons_read_as_sentences(model: Model) -> None:
    first = model.explain(RECORD)["contributions"][0]
    german = model.explain(RECORD, "de")["contributions"][0]
    arabic = model.explain(RECORD, "ar-EG")["contributions"][0]

    assert first["text"].startswith("Visits to the website: 7: strongly for, odds ×")
    assert german == first  # a language that we do not speak hears English
    assert "لصالحه بقوة" in arabic["text"]


def test_what_is_asked_of_a_demo_is_said_in_its_own_words() -> None:
    told = words.language("en")
    name = "behavior.demo_requested.count"

    assert words.statement(told, name, "x", 2, True) == "Asked for a demo"
    assert words.statement(told, name, "x", 0, False) == "Did not ask for a demo"
    assert words.reason(told, "Asked for a demo", 24.0, 2 ** (24 / 20)) == (
        "Asked for a demo: strongly for, odds ×2.3"
    )
    assert words.strength(told, 0.3) == "hardly matters"
    assert words.strength(told, -8) == "against"


def test_a_lead_of_whom_nothing_is_known_gets_the_base_rate_and_says_so(model: Model) -> None:
    said = model.explain({"favourite_colour": "green"})

    assert said["probability"] == pytest.approx(model.rate)
    assert said["contributions"] == []
    assert said["base"]["evidence"] == said["evidence"]
    assert said["note"].startswith("Nothing is known")
    assert model.probabilities({"source": [None]})[0] == pytest.approx(model.rate)


def test_the_strongest_reasons_of_many_are_those_of_each(
    model: Model, leads: Callable[..., Leads]
) -> None:
    new = leads(40, seed=5)
    X = model.encoding.matrix(new.frame)

    logits, features, evidence = model.strongest(X, 2)

    for row in range(40):
        record = {name: values[row] for name, values in new.frame.items()}
        said = model.explain(record)
        names = [model.encoding.features[it].name for it in features[row]]
        assert names == [it["feature"] for it in said["contributions"][:2]]
        assert evidence[row][0] == pytest.approx(said["contributions"][0]["evidence"])
        assert logits[row] == pytest.approx(said["evidence"] / explain.POINTS_PER_LOGIT)


def test_the_overview_names_what_matters_most_and_how(model: Model) -> None:
    seen = model.card["overview"]

    assert seen["features"][0]["feature"] == "website_visits"
    curve = [it["evidence"] for it in seen["features"][0]["dependence"] if it["value"] is not None]
    assert curve[0] < 0 < curve[-1]
    assert all(len(set(it["features"])) == 2 for it in seen["interactions"])


def test_tables_survive_as_plain_arrays() -> None:
    blend, X = blend_of()
    tables = compile_blend(blend, X)

    again = Tables.from_plain(tables.plain())

    assert (again.logits(X) == tables.logits(X)).all()

"""Estimators in place of the blend: exact reasons of theirs, and how they compare."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.vocabulary import ModelKind
from errors import Invalid
from ml import registry
from ml.boosted import Boosted
from ml.compare import compare
from ml.features import Choice, Floats, Ints
from ml.forest import Forest
from ml.train import candidate, train
from tests.ml.conftest import Leads

Make = Callable[..., Leads]

TREES = Choice(kind="boosting")


def table(rows: int = 600, columns: int = 6, seed: int = 0) -> tuple[Floats, Ints]:
    """Numbers with gaps, and outcomes that depend on some of them together."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns))
    X[rng.random(X.shape) < 0.1] = np.nan
    z = np.nan_to_num(X)
    chance = 1 / (1 + np.exp(-(z[:, 0] + z[:, 1] * z[:, 2] - z[:, 3])))
    return X, (rng.random(rows) < chance).astype(np.int64)


def test_the_arrays_say_what_the_trees_say_and_what_shap_says() -> None:
    shap = pytest.importorskip("shap")
    X, won = table()
    learner = Boosted().fit(X, won)

    forest = learner.compiled()

    assert np.abs(forest.logits(X) - learner.decision_function(X)).max() < 1e-12
    found = forest.contributions(X[:100])
    assert np.abs(forest.base + found.sum(axis=1) - forest.logits(X[:100])).max() < 1e-12
    theirs = shap.TreeExplainer(learner.model_, feature_perturbation="tree_path_dependent")
    wanted = learner.platt_[1] * theirs.shap_values(X[:100])
    assert np.abs(found - wanted).max() < 1e-9
    assert np.array_equal(forest.of_one(X[3]), found[3])


def test_reasons_are_those_of_all_coalitions() -> None:
    X, won = table(columns=5)
    forest = Boosted().fit(X, won).compiled()
    rows = np.vstack([X[:3], np.full(5, np.nan)])

    for row, found in zip(rows, forest.contributions(rows)):
        assert found == pytest.approx(by_coalitions(forest, row), abs=1e-9)


def by_coalitions(forest: Forest, row: Floats) -> list[float]:
    """Shapley values by their definition: over all orders in which columns become known."""
    met = forest._met(row[None, :])[0].astype(float)

    def value(known: tuple[int, ...]) -> float:
        through = np.where(np.isin(forest.column, known), met, forest.share)
        return float(forest.values @ through.prod(axis=1))

    out = []
    for column in range(5):
        others = [one for one in range(5) if one != column]
        total = 0.0
        for size in range(5):
            weight = math.factorial(size) * math.factorial(4 - size) / math.factorial(5)
            for known in itertools.combinations(others, size):
                total += weight * (value((*known, column)) - value(known))
        out.append(total)
    return out


def test_a_chosen_estimator_serves_by_the_same_rules(leads: Make) -> None:
    known = leads(600)
    found = candidate(known.frame, known.won, TREES)
    model = found.model

    packed = registry.pack(model)
    again = registry.unpack(packed.data, packed.sha256)

    assert model.card["kind"] == "boosting" and isinstance(again.tables, Forest)
    record = {name: values[0] for name, values in known.frame.items()}
    said, same = model.explain(record), again.explain(record)
    assert said == same
    parts = math.fsum(one["evidence"] for one in said["contributions"])
    assert abs(said["base"]["evidence"] + parts - said["evidence"]) < 1e-9
    assert again.probabilities({name: v[:1] for name, v in known.frame.items()})[0] == (
        pytest.approx(said["probability"], abs=1e-12)
    )
    assert found.reports["out_of_fold"].figures["auc"].value > 0.6
    assert model.moved(0.5).explain(record)["probability"] > said["probability"]


def test_kinds_stand_side_by_side_on_leads_they_have_not_seen(leads: Make) -> None:
    pytest.importorskip("imblearn")
    known = leads(300)

    said = compare(known.frame, known.won, Choice(), ["blend", "random_forest_smote"])

    by_kind = {one["kind"]: one for one in said["kinds"]}
    assert list(by_kind)[:2] == ["blend", "random_forest_smote"] and "base_rate" in by_kind
    loss = {name: one["figures"]["log_loss"][0] for name, one in by_kind.items()}
    assert loss["blend"] < loss["random_forest_smote"] and loss["blend"] < loss["base_rate"]
    assert said["rows"] == said["of"] == 300 and by_kind["blend"]["seconds"] > 0
    assert set(by_kind["base_rate"]["figures"]) == {"auc", "log_loss", "brier"}


def test_of_many_leads_some_are_compared(leads: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.compare.MOST_ROWS", 200)
    known = leads(700)

    said = compare(known.frame, known.won, Choice(), ["boosting"])

    assert (said["rows"], said["of"]) == (200, 700)


def test_a_kind_that_is_not_installed_is_refused_with_what_to_do(
    leads: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.boosted.find_spec", lambda name: None)
    known = leads(100)

    with pytest.raises(Invalid, match="pip install lightgbm"):
        train(known.frame, known.won, Choice(kind="lightgbm"))
    said: Any = compare(known.frame, known.won, Choice(), [*ModelKind])

    missing = {one["kind"]: one["note"] for one in said["kinds"] if not one["installed"]}
    assert set(missing) == {"lightgbm", "random_forest_smote"}
    assert "pip install imbalanced-learn" in missing["random_forest_smote"]


def test_the_trees_of_lightgbm_are_read_as_it_reads_them() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    assert lightgbm
    X, won = table()
    X[:, 5] = np.nan_to_num(X[:, 5])
    learner = Boosted("lightgbm").fit(X, won)
    X[0, 5] = np.nan

    forest = learner.compiled()

    assert np.abs(forest.logits(X) - learner.decision_function(X)).max() < 1e-9

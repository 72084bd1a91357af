"""The estimators obey scikit-learn, and the blend does what it promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from ml.boosted import Boosted
from ml.pipeline import AdditiveColumns, AdditiveLogistic, Blend, RulesPrior, shrunk_platt


def checks() -> list[Any]:
    """All of scikit-learn's checks for our estimators."""
    ours = (AdditiveColumns(knots=4), AdditiveLogistic(knots=4), Blend(folds=2), Boosted(folds=2))
    return [
        pytest.param(estimator, check, id=f"{type(estimator).__name__}-{name(check)}")
        for estimator in ours
        for estimator, check in estimator_checks_generator(estimator)
    ]


def name(check: Any) -> str:
    """The name of a check."""
    return str(getattr(check, "func", check).__name__)


@pytest.mark.parametrize(("estimator", "check"), checks())
def test_the_estimator_obeys_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


def sample(rows: int, wins: float, seed: int = 0) -> tuple[Any, Any]:
    """Rows with a number, a category and points."""
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [rng.normal(size=rows), rng.integers(0, 3, rows), rng.integers(0, 100, rows)]
    )
    logit = X[:, 0] + 0.03 * (X[:, 2] - 50) + np.log(wins / (1 - wins))
    return X.astype(float), (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)


FLAGS = [False, True, False]
POINTS = [False, False, True]


def test_the_same_data_gives_the_same_bits() -> None:
    X, y = sample(300, 0.3)

    first, second = (Blend(FLAGS, POINTS).fit(X, y) for _ in range(2))

    assert (first.decision_function(X) == second.decision_function(X)).all()
    assert (first.stack_ == second.stack_).all()


def test_points_lead_while_outcomes_are_few_and_fade_later() -> None:
    weights = []
    for rows in (60, 3000):
        X, y = sample(rows, 0.2)
        X[:, 2] = np.random.default_rng(5).integers(0, 100, rows)  # a table that knows nothing
        weights.append(Blend(FLAGS, POINTS).fit(X, y).stack_[4])

    assert weights[0] > 0.2 > 0.1 > abs(weights[1])


def test_the_blend_says_as_many_wins_as_there_are() -> None:
    X, y = sample(1500, 0.3)

    said = Blend(FLAGS, POINTS).fit(X, y).predict_proba(X)[:, 1]

    assert said.mean() == pytest.approx(y.mean(), abs=0.01)


def test_without_outcomes_points_mean_what_the_prior_says() -> None:
    intercept, slope = shrunk_platt(np.empty(0), np.empty(0, dtype=np.int64))

    prior = RulesPrior()
    assert 1 / (1 + np.exp(-(intercept + slope))) == pytest.approx(prior.rate, abs=1e-4)
    assert slope == pytest.approx(prior.slope, abs=1e-4)

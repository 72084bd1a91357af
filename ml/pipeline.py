"""The estimator: four views of a lead, blended on the logit scale; the blend is the calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
from scipy.interpolate import BSpline  # type: ignore[import-untyped]
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import expit  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator, TransformerMixin  # type: ignore[import-untyped]
from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.model_selection import StratifiedKFold  # type: ignore[import-untyped]
from sklearn.utils.validation import check_is_fitted, validate_data  # type: ignore[import-untyped]

from ml.two_classes import Floats, Ints, TwoClasses, one_thread

Flags = npt.NDArray[np.bool_]

PARTS = ("plain", "splines", "boosting", "rules")
# A marketer's table is written for 0 to 100 points; so a slope of 1 is "25 points, odds × e".
POINTS_UNIT = 25.0
DEGREE = 2
# How many rows are asked how far a refit moves them.
PROBES = 2_000


@dataclass(frozen=True)
class Size:
    """Settings that depend on how much there is to learn from."""

    spline_c: float
    knots: int
    trees: int
    leaves: int
    l2: float
    leaf_rows: int
    early_stopping: bool


def size_for(rows: int) -> Size:
    """The settings for so many rows: few and stiff at first, more as outcomes accumulate."""
    if rows < 1_000:
        return Size(0.1, 4, 100, 6, 20.0, max(5, min(20, rows // 20)), False)
    if rows < 5_000:
        return Size(0.1, 5, 150, 6, 20.0, 20, False)
    return Size(0.3, 6, 600, 8, 10.0, 20, True)


class AdditiveColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Columns for a linear model: a category's levels; numbers on the signed-log scale, or splines.

    Each column that it gives belongs to one column that it takes (`source_`): what a linear model
    makes of them stays a sum of functions of one column each.
    """

    def __init__(
        self, categorical: Sequence[bool] | Flags | None = None, knots: int | None = None
    ) -> None:
        self.categorical = categorical
        self.knots = knots

    def fit(self, X: Floats, y: Any = None) -> Self:
        """Learn the levels, the scale and the knots."""
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        flags = _flags(self.categorical, X.shape[1])
        self.columns_ = [
            _learn_levels(X[:, index]) if flags[index] else _learn_number(X[:, index], self.knots)
            for index in range(X.shape[1])
        ]
        widths = [self.columns_[index].width for index in range(X.shape[1])]
        self.source_ = np.repeat(np.arange(X.shape[1]), widths)
        return self

    def transform(self, X: Floats) -> Floats:
        """The columns for the linear model."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        parts = [column.apply(X[:, index]) for index, column in enumerate(self.columns_)]
        return np.hstack(parts) if parts else np.empty((len(X), 0))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


@dataclass(frozen=True)
class LevelColumns:
    """A category as one column a level, and one for what is missing if that occurred."""

    levels: tuple[float, ...]
    missing: bool

    @property
    def width(self) -> int:
        """How many columns it gives."""
        return len(self.levels) + self.missing

    def apply(self, values: Floats) -> Floats:
        """Ones where the value is the column's level."""
        columns = [values == level for level in self.levels]
        columns += [np.isnan(values)] if self.missing else []
        empty = np.empty((len(values), 0))
        return np.column_stack(columns).astype(np.float64) if columns else empty


@dataclass(frozen=True)
class NumberColumns:
    """A number on the signed-log scale, standardised; perhaps bent by splines; and if missing."""

    mean: float
    deviation: float
    knots: tuple[float, ...]
    typical: tuple[float, ...]
    missing: bool

    @property
    def width(self) -> int:
        """How many columns it gives."""
        return 1 + self.missing + (len(self.knots) + DEGREE - 1 if self.knots else 0)

    def apply(self, values: Floats) -> Floats:
        """The number, its splines, and whether it is missing."""
        absent = np.isnan(values)
        scaled = signed_log(np.where(absent, 0.0, values))
        scaled = np.where(absent, self.mean, scaled)
        columns = [((scaled - self.mean) / self.deviation)[:, None]]
        if self.knots:
            bent = spline_basis(self.knots, scaled)
            bent[absent] = self.typical
            columns.append(bent)
        if self.missing:
            columns.append(absent[:, None].astype(np.float64))
        return np.hstack(columns)


def spline_basis(knots: Sequence[float], scaled: Floats) -> Floats:
    """The splines of degree 2 over these knots; beyond them they stay as they are at the end."""
    padded = np.array([knots[0]] * DEGREE + list(knots) + [knots[-1]] * DEGREE)
    inside = np.clip(scaled, knots[0], knots[-1])
    return cast(Floats, BSpline.design_matrix(inside, padded, DEGREE).toarray())


def signed_log(values: Floats) -> Floats:
    """Large numbers drawn together, with their sign: amounts and counts have long tails."""
    return cast(Floats, np.sign(values) * np.log1p(np.abs(values)))


def _learn_levels(values: Floats) -> LevelColumns:
    known = values[~np.isnan(values)]
    return LevelColumns(tuple(np.unique(known).tolist()), len(known) < len(values))


def _learn_number(values: Floats, knots: int | None) -> NumberColumns:
    known = signed_log(values[~np.isnan(values)])
    missing = len(known) < len(values)
    if not len(known):
        return NumberColumns(0.0, 1.0, (), (), missing)
    places = _knots(known, knots) if knots is not None else ()
    typical = tuple(spline_basis(places, known).mean(axis=0).tolist()) if places else ()
    mean, deviation = float(known.mean()), float(known.std())
    if deviation <= 1e-9 * max(1.0, abs(mean)):
        # A constant is exactly its mean, so that no weight is learned from rounding.
        mean, deviation = float(known[0]), 1.0
    return NumberColumns(mean, deviation, places, typical, missing)


def _knots(known: Floats, count: int) -> tuple[float, ...]:
    """Knots at the quantiles; those that fall together count once, and fewer than 3 bend none."""
    unique = np.unique(np.quantile(known, np.linspace(0, 1, count)))
    apart = np.diff(unique, prepend=-np.inf) > 1e-6 * (unique[-1] - unique[0])
    return tuple(unique[apart].tolist()) if apart.sum() >= 3 else ()


def _flags(given: Sequence[bool] | Flags | None, columns: int) -> Flags:
    flags = np.zeros(columns, bool) if given is None else np.asarray(given, dtype=bool)
    if flags.shape != (columns,):
        raise ValueError(f"There are {columns} columns, but flags for {flags.size}.")
    return flags


class AdditiveLogistic(TwoClasses):
    """A ridge logistic regression on additive columns, plain or with splines."""

    def __init__(
        self,
        categorical: Sequence[bool] | Flags | None = None,
        knots: int | None = None,
        C: float = 0.3,
    ) -> None:
        self.categorical = categorical
        self.knots = knots
        self.C = C

    def _fit(self, X: Floats, won: Ints) -> None:
        self.columns_ = AdditiveColumns(self.categorical, self.knots).fit(X)
        self.model_ = _solve(self.columns_.transform(X), won, 1.0 / self.C)

    def _logit(self, X: Floats) -> Floats:
        return cast(Floats, self.columns_.transform(X) @ self.model_[1:] + self.model_[0])


class Blend(TwoClasses):
    """Plain and spline logistic regression, pairwise boosting and the points, stacked.

    The logits of the parts out of fold are stacked by a ridge logistic regression that is drawn
    towards a prior: models w / (w + 10) in equal parts, points 10 / (w + 10), where w is the number
    of the rarer outcomes. So the points lead while outcomes are few and fade as they accumulate,
    and the stacking is the calibration.
    """

    def __init__(
        self,
        categorical: Sequence[bool] | Flags | None = None,
        points: Sequence[bool] | Flags | None = None,
        folds: int = 5,
        fade: float = 10.0,
        shrinkage: float = 30.0,
        random_state: int = 42,
    ) -> None:
        self.categorical = categorical
        self.points = points
        self.folds = folds
        self.fade = fade
        self.shrinkage = shrinkage
        self.random_state = random_state

    def _fit(self, X: Floats, won: Ints) -> None:
        wins = int(min(won.sum(), len(won) - won.sum()))
        self.rate_ = float(won.mean())
        prior = _prior(wins, self.fade, bool(self._points(X).any()))
        folds = min(self.folds, wins)
        self.stack_ = np.concatenate([[0.0], prior])
        self.out_of_fold_ = self.refits_ = None
        chosen = np.linspace(0, len(won) - 1, min(len(won), PROBES)).astype(int)
        if folds >= 2:
            splitter = StratifiedKFold(folds, shuffle=True, random_state=self.random_state)
            logits = np.empty((len(won), len(PARTS)))
            fold_of = np.empty(len(won), dtype=np.int64)
            refits = []
            for number, (there, here) in enumerate(splitter.split(X, won)):
                fold_of[here] = number
                parts = self._parts(X[there], won[there], rows=len(won))
                logits[here] = self._logits(parts, X[here])
                refits.append(self._logits(parts, X[chosen]))
            self.stack_ = _stack(logits, won, prior, self.shrinkage)
            self.out_of_fold_ = _cross_stacked(logits, won, fold_of, prior, self.shrinkage)
            self.refits_ = np.column_stack([self._blended(it) for it in refits])
        self.parts_ = self._parts(X, won, rows=len(won))
        self.probes_ = self._blended(self._logits(self.parts_, X[chosen]))

    def _blended(self, logits: Floats) -> Floats:
        return cast(Floats, logits @ self.stack_[1:] + self.stack_[0])

    def _parts(self, X: Floats, won: Ints, rows: int) -> dict[str, Any]:
        """The four parts, learned from some rows; the settings are those for all of them."""
        size = size_for(rows)
        flags, points = self._flags(X), self._points(X)
        given = X[:, ~points]
        flags = flags[~points]
        return {
            "plain": AdditiveLogistic(flags, None, C=0.3).fit(given, won),
            "splines": AdditiveLogistic(flags, size.knots, C=size.spline_c).fit(given, won),
            "boosting": self._boosting(flags, size).fit(given, won) if given.shape[1] else None,
            "rules": shrunk_platt(total_points(X, points), won, _WEAK),
        }

    def _boosting(self, flags: Flags, size: Size) -> Any:
        return HistGradientBoostingClassifier(
            interaction_cst="pairwise",
            categorical_features=flags,
            learning_rate=0.05,
            max_iter=size.trees,
            max_leaf_nodes=size.leaves,
            l2_regularization=size.l2,
            max_features=0.5,
            max_bins=128,
            min_samples_leaf=size.leaf_rows,
            early_stopping=size.early_stopping,
            n_iter_no_change=20,
            random_state=self.random_state,
        )

    def _logits(self, parts: dict[str, Any], X: Floats) -> Floats:
        points = self._points(X)
        given = X[:, ~points]
        rules = parts["rules"]
        columns = [
            parts["plain"].decision_function(given),
            parts["splines"].decision_function(given),
            parts["boosting"].decision_function(given) if parts["boosting"] else np.zeros(len(X)),
            rules[0] + rules[1] * total_points(X, points),
        ]
        return np.column_stack(columns)

    def _points(self, X: Floats) -> Flags:
        return _flags(self.points, X.shape[1])

    def _flags(self, X: Floats) -> Flags:
        return _flags(self.categorical, X.shape[1])

    def part_logits(self, X: Floats) -> Floats:
        """What each part says, one column each in the order of PARTS."""
        X = self._checked(X)
        with one_thread():
            return self._logits(self.parts_, X)

    def _logit(self, X: Floats) -> Floats:
        return self._blended(self._logits(self.parts_, X))


def total_points(X: Floats, points: Flags) -> Floats:
    """The points of each row in units of 25; a missing award is none."""
    if not points.any():
        return np.zeros(len(X))
    return cast(Floats, np.nansum(X[:, points], axis=1) / POINTS_UNIT)


def platt(points: Floats, won: Ints) -> Floats:
    """Intercept and slope that turn points into a logit, with a weak pull of the slope to none."""
    return _solve(points[:, None], won, 1.0)


@dataclass(frozen=True)
class RulesPrior:
    """What the points are taken to mean before there are outcomes.

    One lead in ten wins, said as loudly as ten leads would; 25 points are odds × 1.6.
    """

    rate: float = 0.1
    leads: float = 10.0
    slope: float = 0.5
    slope_deviation: float = 0.5


# Inside the blend the rate needs no opinion, only the slope does.
_WEAK = RulesPrior(leads=0.0)


def shrunk_platt(points: Floats, won: Ints, prior: RulesPrior | None = None) -> Floats:
    """Intercept and slope for points where outcomes are too few to trust alone, or none at all."""
    prior = prior or RulesPrior()
    centre = float(points.mean()) if len(points) else 1.0
    precision = 1.0 / prior.slope_deviation**2

    def loss(weights: Floats) -> tuple[float, Floats]:
        z = weights[0] + weights[1] * (points - centre)
        value, slope = _log_loss(z, won)
        at_rate = float(expit(weights[0]))
        pull = weights[1] - prior.slope
        value += prior.leads * (np.logaddexp(0.0, weights[0]) - prior.rate * weights[0])
        value += 0.5 * precision * pull**2
        gradient = np.array([slope.sum(), slope @ (points - centre)])
        gradient += [prior.leads * (at_rate - prior.rate), precision * pull]
        return float(value), gradient

    start = np.array([np.log(prior.rate / (1 - prior.rate)), prior.slope])
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return np.array([found[0] - found[1] * centre, found[1]])


def _prior(wins: int, fade: float, has_points: bool) -> Floats:
    trust = wins / (wins + fade)
    return np.array([trust / 3] * 3 + [(1 - trust) if has_points else 0.0])


def _stack(logits: Floats, won: Ints, prior: Floats, shrinkage: float) -> Floats:
    """Intercept and weights of the parts: a ridge logistic regression drawn towards the prior."""
    scale = np.where(prior > 0, 1.0, 0.0)

    def loss(weights: Floats) -> tuple[float, Floats]:
        value, slope = _log_loss(weights[0] + logits @ weights[1:], won)
        pull = weights[1:] - prior
        value += 0.5 * shrinkage * float(pull @ pull)
        gradient = np.concatenate([[slope.sum()], logits.T @ slope + shrinkage * pull])
        gradient[1:] *= scale
        return value, gradient

    start = np.concatenate([[0.0], prior])
    options = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-8}
    return cast(Floats, minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x)


def _cross_stacked(
    logits: Floats, won: Ints, fold_of: Ints, prior: Floats, shrinkage: float
) -> Floats:
    """The blended logits of each fold by weights that did not see its outcomes.

    Weights learned on the very rows they are judged by would find a signal in pure noise.
    """
    out = np.empty(len(won))
    for number in range(int(fold_of.max()) + 1):
        here = fold_of == number
        weights = _stack(logits[~here], won[~here], prior, shrinkage)
        out[here] = logits[here] @ weights[1:] + weights[0]
    return out


def _log_loss(z: Floats, won: Ints) -> tuple[float, Floats]:
    """The summed log-loss of logits, and its slope in each."""
    return float(np.sum(np.logaddexp(0.0, z) - won * z)), cast(Floats, expit(z) - won)


def _solve(columns: Floats, won: Ints, ridge: float) -> Floats:
    """Intercept and weights of a ridge logistic regression; the intercept is not drawn to 0."""
    if not columns.shape[1]:
        rate = np.clip(won.mean(), 1e-6, 1 - 1e-6)
        return np.array([np.log(rate / (1 - rate))])
    model = LogisticRegression(C=1.0 / ridge, max_iter=1000, tol=1e-6)
    model.fit(columns, won)
    return np.concatenate([model.intercept_, model.coef_[0]])

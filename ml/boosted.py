"""Estimators that a workspace may choose in place of the blend, and those it is compared with."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any, cast

import numpy as np
from scipy.special import logit  # type: ignore[import-untyped]
from sklearn.ensemble import (  # type: ignore[import-untyped]
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.model_selection import StratifiedKFold  # type: ignore[import-untyped]
from sklearn.utils.validation import check_is_fitted  # type: ignore[import-untyped]

from engine.vocabulary import ModelKind
from ml.forest import Forest, leaves_of_histogram, leaves_of_lightgbm
from ml.pipeline import PROBES, Size, platt, size_for
from ml.two_classes import Floats, Ints, TwoClasses

LEAVES = 15
SURELY = 1e-6


def is_missing(kind: str) -> bool:
    """Whether an estimator of this kind needs a package that is not installed here."""
    needed = ModelKind(kind).needs
    return needed is not None and find_spec(needed[0]) is None


class Boosted(TwoClasses):
    """Unconstrained gradient boosting, calibrated by Platt on its logits out of fold.

    Categories are taken as the numbers of their levels: native ones have no exact explanation.
    """

    def __init__(self, kind: str = "boosting", folds: int = 5, random_state: int = 42) -> None:
        self.kind = kind
        self.folds = folds
        self.random_state = random_state

    def _fit(self, X: Floats, won: Ints) -> None:
        size = size_for(len(won))
        folds = min(self.folds, int(min(won.sum(), len(won) - won.sum())))
        chosen = np.linspace(0, len(won) - 1, min(len(won), PROBES)).astype(int)
        self.platt_ = np.array([0.0, 1.0])
        self.out_of_fold_ = self.refits_ = None
        if folds >= 2:
            splitter = StratifiedKFold(folds, shuffle=True, random_state=self.random_state)
            raw, fold_of = np.empty(len(won)), np.empty(len(won), dtype=np.int64)
            refits = []
            for number, (there, here) in enumerate(splitter.split(X, won)):
                model = self._learn(X[there], won[there], size)
                raw[here], fold_of[here] = self._raw(model, X[here]), number
                refits.append(self._raw(model, X[chosen]))
            self.platt_ = platt(raw, won)
            self.out_of_fold_ = _cross_calibrated(raw, won, fold_of)
            self.refits_ = np.column_stack([self._calibrated(it) for it in refits])
        self.model_ = self._learn(X, won, size)
        self.probes_ = self._calibrated(self._raw(self.model_, X[chosen]))

    def _learn(self, X: Floats, won: Ints, size: Size) -> Any:
        if self.kind == "lightgbm":
            return self._lightgbm(X, won, size)
        return HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=size.trees // 2,
            max_leaf_nodes=LEAVES,
            l2_regularization=size.l2,
            min_samples_leaf=size.leaf_rows,
            early_stopping=size.early_stopping,
            n_iter_no_change=20,
            random_state=self.random_state,
        ).fit(X, won)

    def _lightgbm(self, X: Floats, won: Ints, size: Size) -> Any:
        package = importlib.import_module("lightgbm")
        learner = package.LGBMClassifier(
            learning_rate=0.05,
            n_estimators=size.trees // 2,
            num_leaves=LEAVES,
            reg_lambda=size.l2,
            min_child_samples=size.leaf_rows,
            random_state=self.random_state,
            deterministic=True,
            force_row_wise=True,
            n_jobs=1,
            verbose=-1,
        )
        return learner.fit(X, won)

    def _raw(self, model: Any, X: Floats) -> Floats:
        if self.kind == "lightgbm":
            return cast(Floats, model.booster_.predict(X, raw_score=True, num_threads=1))
        return cast(Floats, model.decision_function(X))

    def _calibrated(self, raw: Floats) -> Floats:
        return cast(Floats, self.platt_[0] + self.platt_[1] * raw)

    def compiled(self) -> Forest:
        """The trees as plain arrays, calibrated."""
        check_is_fitted(self)
        if self.kind == "lightgbm":
            trees = self.model_.booster_.dump_model()["tree_info"]
            leaves = [leaf for tree in trees for leaf in leaves_of_lightgbm(tree)]
            start = 0.0
        else:
            made = (tree for step in self.model_._predictors for tree in step)
            leaves = [leaf for tree in made for leaf in leaves_of_histogram(tree.nodes)]
            start = float(np.ravel(self.model_._baseline_prediction)[0])
        intercept, slope = (float(it) for it in self.platt_)
        return Forest.of(
            leaves, columns=self.n_features_in_, start=intercept + slope * start, scale=slope
        )

    def _logit(self, X: Floats) -> Floats:
        return self._calibrated(self._raw(self.model_, X))


def _cross_calibrated(raw: Floats, won: Ints, fold_of: Ints) -> Floats:
    """The logits of each fold, calibrated by the outcomes of the others."""
    out = np.empty(len(won))
    for number in range(int(fold_of.max()) + 1):
        here = fold_of == number
        rule = platt(raw[~here], won[~here])
        out[here] = rule[0] + rule[1] * raw[here]
    return out


def smote_out_of_fold(X: Floats, won: Ints, *, folds: int = 5, seed: int = 42) -> Floats:
    """What a random forest on SMOTE says of each lead by a forest that did not see it, as logits.

    As the older portal did it; it spoils rank and calibration alike, and is here to be seen so.
    """
    sampling = importlib.import_module("imblearn.over_sampling")
    out = np.empty(len(won))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for there, here in splitter.split(X, won):
        mean, deviation = _scale(X[there])
        known, asked = (np.nan_to_num((it - mean) / deviation) for it in (X[there], X[here]))
        neighbours = min(5, int(min(won[there].sum(), len(there) - won[there].sum())) - 1)
        sampler = sampling.SMOTE(random_state=seed, k_neighbors=neighbours)
        more, labels = sampler.fit_resample(known, won[there])
        forest = RandomForestClassifier(n_estimators=200, random_state=seed, n_jobs=1)
        p = forest.fit(more, labels).predict_proba(asked)[:, 1]
        out[here] = logit(np.clip(p, SURELY, 1 - SURELY))
    return out


def _scale(X: Floats) -> tuple[Floats, Floats]:
    known = ~np.isnan(X)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, X, 0.0).sum(axis=0) / count
    deviation = np.sqrt((np.where(known, X - mean, 0.0) ** 2).sum(axis=0) / count)
    return mean, deviation + 1e-12

"""Which columns know too much: near-copies of the outcome, and what is learned only with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from ml.two_classes import one_thread

SEED = 42
NEAR_COPY = 0.97
# A single column that ranks as well as this, and lifts all the others together by that much more,
# is seldom honest: a call's duration (0.81), a basket's page value (0.86), a tag set on closing.
STRONG = 0.76
LIFTS = 0.05
MOST_ROWS = 12_000
BINS = 20

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def find(
    matrix: Floats,
    won: Ints,
    *,
    groups: Ints,
    categorical: npt.NDArray[np.bool_],
    names: Sequence[str],
    trusted: Sequence[bool],
) -> dict[str, str]:
    """The suspicious features by name, each with a sentence saying why."""
    if not len(names) or min(won.sum(), len(won) - won.sum()) < 10:
        return {}
    chosen = _sample(won)
    matrix, won = matrix[chosen], won[chosen]
    alone = {
        number: max(_ranking(matrix[:, column], won) for column in np.flatnonzero(groups == number))
        for number in range(len(names))
    }
    slack = _standard_error(won)
    copies = {n: auc for n, auc in alone.items() if auc - slack / 2 >= NEAR_COPY}
    strong = {
        number: auc
        for number, auc in alone.items()
        if number not in copies and not trusted[number] and auc - slack / 2 >= STRONG
    }
    found = {names[number]: _copy(auc) for number, auc in copies.items()}
    others = ~np.isin(groups, [*strong, *copies])
    base = _together(matrix[:, others], won, categorical[others]) if strong else 0.0
    for number, auc in strong.items():
        with_it = others | (groups == number)
        lifted = _together(matrix[:, with_it], won, categorical[with_it])
        if lifted - base >= max(LIFTS, 2 * slack if slack > LIFTS else 0.0):
            found[names[number]] = _too_good(auc, base, lifted)
    return found


def _copy(auc: float) -> str:
    return f"it is nearly a copy of the outcome (alone it ranks with AUC {auc:.2f})"


def _too_good(auc: float, base: float, lifted: float) -> str:
    return (
        f"it may be known only with the outcome: alone AUC {auc:.2f}, and it lifts all others "
        f"from {base:.2f} to {lifted:.2f}; keep it if it is known before"
    )


def _sample(won: Ints) -> Ints:
    if len(won) <= MOST_ROWS:
        return np.arange(len(won))
    return np.sort(np.random.default_rng(SEED).choice(len(won), MOST_ROWS, replace=False))


def _standard_error(won: Ints) -> float:
    """About the standard error of an AUC of 0.8 with so many outcomes of each kind."""
    wins = int(won.sum())
    return float(0.3 * np.sqrt(1 / wins + 1 / (len(won) - wins)))


def _ranking(values: Floats, won: Ints) -> float:
    """The AUC of one column alone: the share of wins per bin, learned on the other half."""
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    few = np.unique(values[~np.isnan(values)])
    if len(few) <= 3 * BINS:
        edges = few
    bins = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values))
    half = np.random.default_rng(SEED).permutation(len(won)) % 2
    score = np.zeros(len(won))
    for side in (0, 1):
        there = half != side
        count = np.bincount(bins[there], minlength=len(edges) + 2)
        wins = np.bincount(bins[there], weights=won[there], minlength=len(edges) + 2)
        rate = (wins + 5 * won.mean()) / (count + 5)
        score[half == side] = rate[bins[half == side]]
    return float(roc_auc_score(won, score))


def _together(matrix: Floats, won: Ints, categorical: npt.NDArray[np.bool_]) -> float:
    """The AUC of these columns in a small model, judged on the other half."""
    if not matrix.shape[1]:
        return 0.5
    half = np.random.default_rng(SEED).permutation(len(won)) % 2
    score = np.zeros(len(won))
    with one_thread():
        for side in (0, 1):
            _judge(matrix, won, categorical, half == side, score)
    aucs = [roc_auc_score(won[half == side], score[half == side]) for side in (0, 1)]
    return float(np.mean(aucs))


def _judge(
    matrix: Floats,
    won: Ints,
    categorical: npt.NDArray[np.bool_],
    here: npt.NDArray[np.bool_],
    score: Floats,
) -> None:
    """Write the scores of some rows by a model of the others."""
    model = HistGradientBoostingClassifier(
        categorical_features=categorical,
        max_iter=40,
        learning_rate=0.15,
        max_leaf_nodes=8,
        min_samples_leaf=max(5, min(20, len(won) // 50)),
        l2_regularization=10.0,
        early_stopping=False,
        random_state=SEED,
    )
    model.fit(matrix[~here], won[~here])
    score[here] = model.decision_function(matrix[here])

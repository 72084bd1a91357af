"""One estimator beside the others, on the same leads: what each says of who it has not seen."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from engine.vocabulary import ModelKind
from ml import evaluate
from ml.boosted import is_missing, smote_out_of_fold
from ml.features import Choice, Encoding, Floats, Frame, Ints, learn_encoding
from ml.labels import check_outcomes
from ml.train import estimator_of, rules_out_of_fold

# A forest on SMOTE learns for minutes where the blend takes seconds; so many leads tell enough.
MOST_ROWS = 10_000
# What a constant says of everybody has no order, so nothing that looks at the top means anything.
_WITHOUT_ORDER = ("auc", "log_loss", "brier")


def compare(frame: Frame, won: Ints, choice: Choice, kinds: Sequence[str]) -> dict[str, Any]:
    """The figures of each kind, each lead judged by a model that did not see it; as plain data.

    Of more leads than a comparison needs, every so many-th is taken.
    """
    leads = len(won)
    frame, won = _thinned(frame, won)
    check_outcomes(won)
    encoding = learn_encoding(frame, won, choice)
    X = encoding.matrix(frame, len(won))
    kinds_said = [_one(kind, encoding, X, won) for kind in kinds]
    return {
        "rows": len(won),
        "of": leads,
        "wins": int(won.sum()),
        "stage": str(encoding.stage),
        "kinds": [*kinds_said, *_known(encoding, X, won)],
    }


def _thinned(frame: Frame, won: Ints) -> tuple[Frame, Ints]:
    chosen = np.linspace(0, len(won) - 1, min(len(won), MOST_ROWS)).astype(int)
    return {name: [values[at] for at in chosen] for name, values in frame.items()}, won[chosen]


def _one(kind: str, encoding: Encoding, X: Floats, won: Ints) -> dict[str, Any]:
    if is_missing(kind):
        return {"kind": kind, "installed": False, "note": ModelKind(kind).advice}
    started = time.perf_counter()
    if kind == ModelKind.RANDOM_FOREST_SMOTE:
        logits = smote_out_of_fold(X, won)
    else:
        logits = cast(Floats, estimator_of(kind, encoding).fit(X, won).out_of_fold_)
    return {**_said(kind, won, logits), "seconds": round(time.perf_counter() - started, 2)}


def _known(encoding: Encoding, X: Floats, won: Ints) -> Iterator[dict[str, Any]]:
    """What needs no learning: the points, and the share of all leads that were won."""
    rules = rules_out_of_fold(X, won, encoding)
    if rules is not None:
        yield _said("points", won, rules)
    rate = float(won.mean())
    said = _said("base_rate", won, np.full(len(won), np.log(rate / (1 - rate))))
    figures = {name: said["figures"][name] for name in _WITHOUT_ORDER}
    yield {**said, "figures": figures, "curve": []}


def _said(kind: str, won: Ints, logits: Floats) -> dict[str, Any]:
    plain = evaluate.measure(won, logits, how="each lead by a model that did not see it").plain()
    return {"kind": kind, "installed": True, **plain}

"""A candidate from the outcomes so far: learned, explained exactly, judged; and its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import scipy  # type: ignore[import-untyped]
import sklearn  # type: ignore[import-untyped]
from scipy.special import expit  # type: ignore[import-untyped]
from sklearn.model_selection import StratifiedKFold  # type: ignore[import-untyped]

from errors import Invalid
from engine.vocabulary import ModelKind
from ml import evaluate, explain
from ml.boosted import Boosted, is_missing
from ml.features import Choice, Encoding, Frame, learn_encoding, points_only
from ml.forest import Forest
from ml.intervals import learn_bands
from ml.labels import check_outcomes
from ml.pipeline import PARTS, Blend, RulesPrior, platt, shrunk_platt, total_points
from ml.predict import Model
from ml.tables import Tables, compile_blend, compile_rules

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SEED = 42
FEWEST_OUTCOMES = 50
FEWEST_OF_A_KIND = 10
NORMAL_FROM = 40
# The newest window judges only when it holds so many of each kind.
FEWEST_TO_JUDGE = 10
OVERVIEW_ROWS = 5_000
# A free tree's reasons take longer than a look into a table.
FOREST_ROWS = 1_000
_WEIGHTED = "every lead, the unlikelier to be called the heavier (at most 20 fold)"
_NOTHING_LEFT = "No column but the points is left to learn from."


@dataclass(frozen=True)
class Candidate:
    """A model that wants to serve, what was measured of it, and whether it may."""

    model: Model
    verdict: evaluate.Verdict
    reports: Mapping[str, evaluate.Report] = field(default_factory=dict)


def label_for(won: Ints) -> str:
    """What answers with so many outcomes: the "rules", an "early" model, or a "normal" one."""
    fewer = int(min(won.sum(), len(won) - won.sum()))
    if len(won) < FEWEST_OUTCOMES or fewer < FEWEST_OF_A_KIND:
        return "rules"
    return "early" if fewer < NORMAL_FROM else "normal"


def train(frame: Frame, won: Ints, choice: Choice | None = None, *, seed: int = SEED) -> Model:
    """The best model that these outcomes allow: the blend, or the named fallback below its limits.

    `frame` holds one row a lead, as it was known at its moment, in the order of time.
    """
    choice = choice or Choice()
    won = _as_outcomes(won)
    label = label_for(won)
    if label == "rules":
        return train_rules(frame, won, choice)
    encoding = learn_encoding(frame, won, choice)
    if encoding.points.all():
        return train_rules(frame, won, choice, encoding=encoding)
    return _learned(encoding, encoding.matrix(frame, len(won)), won, label, seed, choice.kind)[0]


def train_rules(
    frame: Frame, won: Ints, choice: Choice, *, encoding: Encoding | None = None
) -> Model:
    """The fallback: the points, calibrated by the outcomes there are and a cautious prior."""
    told = () if encoding is None else (_NOTHING_LEFT,)
    left_out = {} if encoding is None else encoding.left_out
    encoding = replace(
        points_only(list(frame), choice.stage), notes=told or (_why_rules(won),), left_out=left_out
    )
    prior = RulesPrior()
    X = encoding.matrix(frame, len(won))
    points = total_points(X, encoding.points)
    weights = shrunk_platt(points, won, prior)
    tables = compile_rules(weights, encoding.points, X)
    logits = tables.logits(X)
    bands = learn_bands(logits, won, *_rules_probes(weights, points, prior))
    rate = float((won.sum() + prior.rate * prior.leads) / (len(won) + prior.leads))
    card = _card(encoding, won, "rules", {})
    return Model(encoding, tables, bands, "rules", rate, card)


def _rules_probes(
    weights: Floats, points: Floats, prior: RulesPrior
) -> tuple[Floats, None, Floats]:
    """The logits along the points, and how far each would move (Laplace's approximation)."""
    centre = float(points.mean()) if len(points) else 1.0
    rows = np.append(points, np.linspace(0, 4, 41)) - centre
    at_centre = weights[0] + weights[1] * centre
    shown = expit(at_centre + weights[1] * (points - centre))
    spread = shown * (1 - shown)
    design = np.column_stack([np.ones(len(points)), points - centre])
    precision = design.T @ (design * spread[:, None])
    rate = float(expit(at_centre))
    precision += np.diag([prior.leads * rate * (1 - rate), 1 / prior.slope_deviation**2])
    probes = np.column_stack([np.ones(len(rows)), rows])
    variance: Floats = np.einsum("ij,jk,ik->i", probes, np.linalg.inv(precision), probes)
    return at_centre + weights[1] * rows, None, variance


def _why_rules(won: Ints) -> str:
    wins = int(won.sum())
    return (
        f"There are {len(won):,} outcomes, {wins:,} won and {len(won) - wins:,} lost; a model "
        f"needs {FEWEST_OUTCOMES} with {FEWEST_OF_A_KIND} of each kind. "
        "Until then the points answer."
    )


def estimator_of(kind: str, encoding: Encoding, seed: int = SEED) -> Blend | Boosted:
    """What learns: the blend, or another that a person chose; Invalid where it is not installed."""
    if kind == ModelKind.BLEND:
        return Blend(encoding.categorical, encoding.points, random_state=seed)
    check_installed(kind)
    return Boosted(kind, random_state=seed)


def check_installed(kind: str) -> None:
    """Refuse a kind that this installation cannot learn, with what to do."""
    if is_missing(kind):
        raise Invalid(ModelKind(kind).advice, code="package_missing")


def _learned(
    encoding: Encoding, X: Floats, won: Ints, label: str, seed: int, kind: str
) -> tuple[Model, Blend | Boosted]:
    learner = estimator_of(kind, encoding, seed).fit(X, won)
    tables = _compiled(learner, X)
    shown = _thinned(X, OVERVIEW_ROWS if isinstance(tables, Tables) else FOREST_ROWS)
    checked = X if isinstance(tables, Tables) else shown
    explain.check_additive(tables, checked, learner.decision_function(checked))
    bands = learn_bands(
        cast(Floats, learner.out_of_fold_), won, learner.probes_, learner.refits_, None
    )
    extra = {
        "kind": kind,
        "weights": _weights(learner),
        "seed": seed,
        "table_bytes": _own_bytes(tables),
        "overview": explain.overview(encoding, tables, shown),
    }
    card = _card(encoding, won, label, extra)
    return Model(encoding, tables, bands, label, float(won.mean()), card), learner


def _compiled(learner: Blend | Boosted, X: Floats) -> Tables | Forest:
    return compile_blend(learner, X) if isinstance(learner, Blend) else learner.compiled()


def _weights(learner: Blend | Boosted) -> dict[str, float]:
    if isinstance(learner, Blend):
        return dict(zip(("intercept", *PARTS), learner.stack_))
    return dict(zip(("intercept", learner.kind), learner.platt_))


def _own_bytes(tables: Tables | Forest) -> int:
    if isinstance(tables, Forest):
        return tables.size
    return tables.pair_starts.nbytes + tables.halves.nbytes


def _thinned(X: Floats, rows: int) -> Floats:
    chosen: Floats = X[np.linspace(0, len(X) - 1, min(len(X), rows)).astype(int)]
    return chosen


def candidate(
    frame: Frame,
    won: Ints,
    choice: Choice | None = None,
    *,
    incumbent: Model | None = None,
    weights: Floats | None = None,
    seed: int = SEED,
) -> Candidate:
    """A model learned from everything, and the gate's verdict on how it would have done.

    The judge is the newest fifth of the leads, which a twin learned without; where that holds too
    few outcomes, every lead is judged by a twin that did not see it. `weights` undo that some
    leads were likelier to be called than others.
    """
    choice = choice or Choice()
    won = _as_outcomes(won)
    check_outcomes(won)
    label = label_for(won)
    if label == "rules":
        model = train_rules(frame, won, choice)
        return Candidate(model, evaluate.Verdict(False, (_why_rules(won),)))
    encoding = learn_encoding(frame, won, choice)
    if encoding.points.all():
        model = train_rules(frame, won, choice, encoding=encoding)
        return Candidate(model, evaluate.Verdict(False, (_NOTHING_LEFT,)))
    X = encoding.matrix(frame, len(won))
    model, blend = _learned(encoding, X, won, label, seed, choice.kind)
    everywhere = _out_of_fold(blend, encoding, X, won, label, weights)
    reports = {"out_of_fold": _report(everywhere, "every lead by models that did not see it")}
    # What was found to know too much stays out of the twin too.
    same = replace(choice, drop=choice.drop | set(encoding.left_out), detect_leaks=False)
    trial = _newest(frame, won, same, incumbent, label, weights, seed)
    if trial is not None:
        reports["newest"] = _report(trial, "the newest fifth, by a model of the older leads")
    if weights is not None:
        reports["weighted"] = evaluate.measure(won, everywhere.candidate, weights, how=_WEIGHTED)
    verdict = _verdict(everywhere, trial)
    card = {**model.card, "reports": {name: it.plain() for name, it in reports.items()}}
    card = {**card, "verdict": {"promote": verdict.promote, "reasons": list(verdict.reasons)}}
    return Candidate(replace(model, card=card), verdict, reports)


def _verdict(everywhere: evaluate.Trial, trial: evaluate.Trial | None) -> evaluate.Verdict:
    """Signal is asked of all outcomes; being better than what serves, of the newest."""
    whole = evaluate.gate(everywhere)
    if trial is None:
        return whole
    # A fifth of the leads seldom proves a gain by itself: there the gain must be, not be sure.
    newest = evaluate.gate(replace(trial, label="newest"))
    told = tuple(f"On the newest leads: {sentence}" for sentence in newest.reasons)
    return evaluate.Verdict(whole.promote and newest.promote, (*whole.reasons, *told))


def _out_of_fold(
    blend: Blend | Boosted,
    encoding: Encoding,
    X: Floats,
    won: Ints,
    label: str,
    weights: Floats | None,
) -> evaluate.Trial:
    return evaluate.Trial(
        won=won,
        candidate=cast(Floats, blend.out_of_fold_),
        rules=rules_out_of_fold(X, won, encoding),
        rate=float(won.mean()),
        label=label,
        weight=weights,
    )


def rules_out_of_fold(X: Floats, won: Ints, encoding: Encoding) -> Floats | None:
    """What the points say of each lead, calibrated by the others; None where there are none."""
    if not encoding.points.any():
        return None
    points = total_points(X, encoding.points)
    out = np.empty(len(won))
    splitter = StratifiedKFold(5, shuffle=True, random_state=SEED)
    for there, here in splitter.split(X, won):
        rule = platt(points[there], won[there])
        out[here] = rule[0] + rule[1] * points[here]
    return out


def _newest(
    frame: Frame,
    won: Ints,
    choice: Choice,
    incumbent: Model | None,
    label: str,
    weights: Floats | None,
    seed: int,
) -> evaluate.Trial | None:
    """The newest fifth of the leads, judged by a twin learned on the others."""
    old, new = evaluate.newest(len(won))
    enough = [min(won[rows].sum(), len(rows) - won[rows].sum()) for rows in (old, new)]
    if min(enough) < FEWEST_TO_JUDGE:
        return None
    before, after = _rows(frame, old), _rows(frame, new)
    encoding = learn_encoding(before, won[old], choice)
    if encoding.points.all():
        return None
    X, Z = encoding.matrix(before), encoding.matrix(after)
    twin = estimator_of(choice.kind, encoding, seed).fit(X, won[old])
    rules = None
    if encoding.points.any():
        rule = platt(total_points(X, encoding.points), won[old])
        rules = rule[0] + rule[1] * total_points(Z, encoding.points)
    return evaluate.Trial(
        won=won[new],
        candidate=twin.decision_function(Z),
        rules=rules,
        incumbent=None if incumbent is None else incumbent.logits(incumbent.encoding.matrix(after)),
        rate=float(won[old].mean()),
        label=label,
        weight=None if weights is None else weights[new],
    )


def _rows(frame: Frame, rows: Ints) -> dict[str, list[object]]:
    chosen = rows.tolist()
    return {name: [values[row] for row in chosen] for name, values in frame.items()}


def _report(trial: evaluate.Trial, how: str) -> evaluate.Report:
    return evaluate.measure(trial.won, trial.candidate, how=how)


def _as_outcomes(won: Ints) -> Ints:
    found = np.asarray(won)
    if found.ndim != 1:
        raise Invalid("Outcomes are one value a lead.")
    if found.dtype == bool:
        found = found.astype(np.int64)
    if found.size and not np.isin(found, (0, 1)).all():
        raise Invalid("An outcome is won (1) or lost (0); there are other values.")
    return found.astype(np.int64)


def _card(encoding: Encoding, won: Ints, label: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """What anyone may want to know of a model later, as plain data."""
    versions = {"numpy": np.__version__, "scipy": scipy.__version__}
    versions["scikit-learn"] = sklearn.__version__
    features = [
        {"name": it.name, "label": it.label, "kind": str(it.kind), "custom": it.custom}
        for it in encoding.features
    ]
    return {
        "label": label,
        "stage": str(encoding.stage),
        "rows": len(won),
        "wins": int(won.sum()),
        "features": features,
        "left_out": dict(encoding.left_out),
        "notes": list(encoding.notes),
        "versions": versions,
        **{name: _plain(value) for name, value in extra.items()},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value.item() if isinstance(value, np.generic) else value

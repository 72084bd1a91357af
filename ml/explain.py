"""The reasons of a probability: exact interventional Shapley values, as evidence and in words.

Evidence is 20 · log2(odds): 20 points double the odds. The base is the mean logit of the leads that
were learned from; base and contributions add up to the lead's evidence exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from errors import Invalid
from ml import words
from ml.features import Encoding, Feature, Kind
from ml.forest import Forest
from ml.tables import Tables

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Evidence points in one unit of logit.
POINTS_PER_LOGIT = 20.0 / math.log(2.0)
# Beyond this distance between a model and its reasons the reasons are refused.
MOST_APART = 1e-6
CURVE_POINTS = 21


@dataclass(frozen=True)
class Subject:
    """A lead to be explained: what it says, and what each part of that adds, in logits."""

    record: Mapping[str, object]
    base: float
    parts: Floats  # one a feature
    interval: tuple[float, float]
    known: bool


def check_additive(tables: Tables | Forest, X: Floats, logits: Floats) -> None:
    """Refuse an explanation that does not add up to the model's own answer on every row."""
    total = tables.base + tables.contributions(X).sum(axis=1)
    apart = float(np.max(np.abs(total - logits), initial=0.0))
    if not apart <= MOST_APART:
        raise Invalid(
            f"The reasons miss the model by {apart:.2g}; such a model is not published.",
            code="explanation_not_exact",
        )


def grouped(encoding: Encoding, columns: Floats) -> Floats:
    """The contributions of columns added up to the features that a person knows."""
    out = np.zeros((len(columns), len(encoding.features)))
    for index, group in enumerate(encoding.groups):
        out[:, group] += columns[:, index]
    return out


def explanation(
    encoding: Encoding,
    subject: Subject,
    *,
    label: str,
    model: str | None = None,
    locale: str | None = None,
) -> dict[str, Any]:
    """The explanation of a probability as it stands on the wire."""
    told = words.language(locale)
    evidence = [part * POINTS_PER_LOGIT for part in subject.parts.tolist()]
    base = subject.base * POINTS_PER_LOGIT
    order = sorted(range(len(evidence)), key=lambda it: -abs(evidence[it])) if subject.known else []
    contributions = [
        _contribution(encoding, encoding.features[it], subject.record, evidence[it], told)
        for it in order
    ]
    total = base + math.fsum(it["evidence"] for it in contributions)
    said = {
        "method": "rules" if label == "rules" else "exact",
        "base": {"evidence": base, "probability": _probability(base)},
        "contributions": contributions,
        "evidence": total,
        "probability": _probability(total),
        "interval": list(subject.interval),
        "model": model,
        "label": label,
        "stage": str(encoding.stage),
    }
    return said if subject.known else {**said, "note": told.nothing}


def _contribution(
    encoding: Encoding,
    feature: Feature,
    record: Mapping[str, object],
    evidence: float,
    told: words.Language,
) -> dict[str, Any]:
    value = plain_value(record.get(feature.name))
    much = encoding.much(feature, value) if feature.name in told.phrases else None
    odds = 2.0 ** (evidence / 20.0)
    said = words.statement(told, feature.name, feature.label, value, much)
    return {
        "feature": feature.name,
        "label": told.labels.get(feature.label, feature.label),
        "value": value,
        "evidence": evidence,
        "odds_ratio": odds,
        "text": words.reason(told, said, evidence, odds),
    }


def plain_value(value: object) -> Any:
    """A value as JSON can hold it; what is no finite number is nothing."""
    if type(value) is str:
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [str(item) for item in (sorted(value) if isinstance(value, set) else value)]
    return str(value)


def _probability(evidence: float) -> float:
    logit = evidence / POINTS_PER_LOGIT
    return 1.0 / (1.0 + math.exp(-logit)) if logit > -700 else 0.0


def overview(encoding: Encoding, tables: Tables | Forest, X: Floats) -> dict[str, Any]:
    """The global view: importance, dependence and interactions of the features, in evidence."""
    parts = grouped(encoding, tables.contributions(X)) * POINTS_PER_LOGIT
    importance = np.abs(parts).mean(axis=0) if len(X) else np.zeros(len(encoding.features))
    order = np.argsort(-importance, kind="stable").tolist()
    features = [
        {
            "feature": encoding.features[it].name,
            "label": encoding.features[it].label,
            "importance": float(importance[it]),
            "dependence": _dependence(encoding, it, X, parts[:, it]),
        }
        for it in order
    ]
    return {"features": features, "interactions": _interactions(encoding, tables, X)}


def _dependence(encoding: Encoding, number: int, X: Floats, part: Floats) -> list[dict[str, Any]]:
    """The mean contribution of a feature at its levels, or along its values."""
    feature = encoding.features[number]
    values = X[:, int(np.flatnonzero(encoding.groups == number)[0])]
    absent = np.isnan(values)
    if feature.kind is Kind.CATEGORY:
        found = [_point(level, part[values == code]) for code, level in enumerate(feature.levels)]
    else:
        known = values[~absent]
        places = np.linspace(0, 1, CURVE_POINTS)
        edges = np.unique(np.quantile(known, places)) if len(known) else known
        nearest = np.searchsorted(edges, values)
        found = [_point(float(it), part[nearest == at]) for at, it in enumerate(edges)]
    found += [_point(None, part[absent])] if absent.any() else []
    return [it for it in found if it["leads"]]


def _point(value: object, parts: Floats) -> dict[str, Any]:
    mean = float(parts.mean()) if len(parts) else 0.0
    return {"value": value, "evidence": mean, "leads": len(parts)}


def _interactions(encoding: Encoding, tables: Tables | Forest, X: Floats) -> list[dict[str, Any]]:
    """Pairs of features that say more together than apart, the strongest first."""
    groups = encoding.groups.tolist()
    found: dict[tuple[int, int], float] = {}
    for (i, j), size in (tables.pair_strength(X) if len(X) else {}).items():
        first, second = sorted((groups[i], groups[j]))
        if first != second:
            found[first, second] = found.get((first, second), 0.0) + size * POINTS_PER_LOGIT
    names = [feature.name for feature in encoding.features]
    ordered = sorted(found.items(), key=lambda it: -it[1])[:10]
    return [{"features": [names[i], names[j]], "strength": size} for (i, j), size in ordered]

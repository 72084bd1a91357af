"""Whole-number points learned from outcomes: a table that fits on one page, for people to use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.features import Choice, Encoding, Frame, Kind, learn_encoding
from ml.pipeline import AdditiveLogistic, LevelColumns

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# The best possible lead gets about so many points.
FULL = 100
BINS = 4


@dataclass(frozen=True)
class ScoreLine:
    """What one answer is worth."""

    feature: str
    label: str
    when: str
    points: int


@dataclass(frozen=True)
class Scorecard:
    """The lines of the table, and how a lead is scored by them."""

    lines: tuple[ScoreLine, ...]
    encoding: Encoding
    edges: tuple[tuple[float, ...], ...]
    worth: tuple[tuple[int, ...], ...]

    @property
    def best(self) -> int:
        """The points of the best lead there can be."""
        return sum(max(worth) for worth in self.worth)

    def points(self, frame: Frame) -> Ints:
        """The points of each lead."""
        cells = _cells(self.encoding, self.encoding.matrix(frame), self.edges)
        total = np.zeros(len(cells), dtype=np.int64)
        for index, worth in enumerate(self.worth):
            total += np.array(worth, dtype=np.int64)[cells[:, index].astype(int)]
        return total


def learn(frame: Frame, won: Ints, choice: Choice | None = None) -> Scorecard:
    """The table: numbers in quarters, a ridge logistic regression, rounded so the best has 100."""
    encoding = learn_encoding(frame, won, choice)
    X = encoding.matrix(frame)
    edges = tuple(_edges(encoding, X, index) for index in range(X.shape[1]))
    cells = _cells(encoding, X, edges)
    model = AdditiveLogistic([True] * X.shape[1], C=0.3).fit(cells, won)
    weights = []
    begin = 1
    for index, column in enumerate(model.columns_.columns_):
        assert isinstance(column, LevelColumns)
        own = np.zeros(_count(encoding, edges, index))
        own[[int(level) for level in column.levels]] = model.model_[begin : begin + column.width]
        weights.append(own - own.min())
        begin += column.width
    unit = FULL / max(sum(float(own.max()) for own in weights), 1e-9)
    worth = tuple(tuple(int(round(unit * it)) for it in own) for own in weights)
    return Scorecard(tuple(_lines(encoding, edges, worth)), encoding, edges, worth)


def _edges(encoding: Encoding, X: Floats, index: int) -> tuple[float, ...]:
    known = X[~np.isnan(X[:, index]), index]
    if encoding.columns[index].levels or not len(known):
        return ()
    return tuple(np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])).tolist())


def _count(encoding: Encoding, edges: tuple[tuple[float, ...], ...], index: int) -> int:
    """How many lines a column has; the last is for what is missing."""
    return (encoding.columns[index].levels or len(edges[index]) + 1) + 1


def _cells(encoding: Encoding, X: Floats, edges: tuple[tuple[float, ...], ...]) -> Floats:
    out = np.empty(X.shape)
    for index in range(X.shape[1]):
        levels = encoding.columns[index].levels
        found = X[:, index] if levels else np.searchsorted(np.array(edges[index]), X[:, index])
        out[:, index] = np.where(np.isnan(X[:, index]), _count(encoding, edges, index) - 1, found)
    return out


def _lines(
    encoding: Encoding, edges: tuple[tuple[float, ...], ...], worth: tuple[tuple[int, ...], ...]
) -> list[ScoreLine]:
    found = []
    for index, column in enumerate(encoding.columns):
        feature = encoding.features[column.feature]
        names = [*_names(feature.kind, column.item, feature.levels, edges[index]), "unknown"]
        if max(worth[index]) > 0:
            found += [
                ScoreLine(feature.name, feature.label, when, points)
                for when, points in zip(names, worth[index])
            ]
    return found


def _names(kind: Kind, item: str, levels: tuple[str, ...], edges: tuple[float, ...]) -> list[str]:
    if item:
        return [f"not {item}", item]
    if kind is Kind.CATEGORY:
        return list(levels)
    if not edges:
        return ["known"]
    between = [f"over {low:g} to {high:g}" for low, high in zip(edges, edges[1:])]
    return [f"up to {edges[0]:g}", *between, f"over {edges[-1]:g}"]

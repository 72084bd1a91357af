"""A trained model as it serves: a probability for a lead, how sure it is, and its reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ml.explain import POINTS_PER_LOGIT, Subject, explanation, grouped
from ml.features import Encoding, Frame, Records, frame_of
from ml.forest import Forest
from ml.intervals import Bands
from ml.tables import CHUNK, Tables

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Model:
    """All that a prediction needs, as plain arrays: no estimator, no training row."""

    encoding: Encoding
    tables: Tables | Forest
    bands: Bands
    label: str
    rate: float
    card: Mapping[str, Any]
    id: str | None = None

    def logits(self, X: Floats) -> Floats:
        """The logits of encoded leads; one of whom nothing is known gets the base rate."""
        return np.where(self._nothing_known(X), self._rate_logit, self.tables.logits(X))

    def probabilities(self, frame: Frame) -> Floats:
        """The probability of each lead."""
        return 1.0 / (1.0 + np.exp(-self.logits(self.encoding.matrix(frame))))

    def explain(self, record: Mapping[str, object], locale: str | None = None) -> dict[str, Any]:
        """The explanation of one lead, from what is known of it."""
        return self.explain_encoded(self.encoding.row(record), record, locale)

    def explain_encoded(
        self, row: Floats, record: Mapping[str, object], locale: str | None = None
    ) -> dict[str, Any]:
        """The explanation of one lead whose numbers are at hand."""
        known = self._is_known(row.tolist())
        columns = self.tables.of_one(row) if known else np.zeros(len(row))
        parts: Floats = np.zeros(len(self.encoding.features))
        parts += np.bincount(self._groups, columns, len(parts))
        base = self.tables.base if known else self._rate_logit
        low, high = self.bands.around_one(base + float(parts.sum()))
        subject = Subject(record, base, parts, (low, high), known)
        return explanation(self.encoding, subject, label=self.label, model=self.id, locale=locale)

    def explain_many(self, records: Records, locale: str | None = None) -> list[dict[str, Any]]:
        """The explanations of many leads, in order."""
        X = self.encoding.matrix(frame_of(records), len(records))
        return [self.explain_encoded(row, record, locale) for row, record in zip(X, records)]

    def strongest(self, X: Floats, count: int = 3) -> tuple[Floats, Ints, Floats]:
        """Of encoded leads: the logit, the features of the strongest reasons, their evidence."""
        count = min(count, len(self.encoding.features))
        logits = np.empty(len(X))
        features = np.empty((len(X), count), dtype=np.int64)
        evidence = np.empty((len(X), count))
        for begin in range(0, len(X), CHUNK):
            here = slice(begin, begin + CHUNK)
            parts = grouped(self.encoding, self.tables.contributions(X[here]))
            nothing = self._nothing_known(X[here])
            parts[nothing] = 0.0
            logits[here] = np.where(nothing, self._rate_logit, self.tables.base + parts.sum(axis=1))
            best = _largest(np.abs(parts), count)
            features[here] = best
            evidence[here] = np.take_along_axis(parts, best, axis=1) * POINTS_PER_LOGIT
        return logits, features, evidence

    def moved(self, logits: float) -> Model:
        """The model after an intercept update: the first answer to a world that has moved."""
        odds = self._rate_logit + logits
        return replace(self, tables=self.tables.moved(logits), rate=1.0 / (1.0 + math.exp(-odds)))

    def named(self, model_id: str) -> Model:
        """The model with the id it has in the registry."""
        return replace(self, id=model_id)

    def _is_known(self, row: list[float]) -> bool:
        return any(
            value == value and not (value == 0.0 and points)
            for value, points in zip(row, self._points_list)
        )

    def _nothing_known(self, X: Floats) -> Flags:
        points = self._points
        silent = np.isnan(X) | (points & (X == 0.0))
        return cast(Flags, silent.all(axis=1))

    @cached_property
    def _points(self) -> Flags:
        # Where points are all there is, none of them is a known thing: the fallback speaks.
        points = self.encoding.points
        return points if not points.all() else np.zeros(len(points), dtype=bool)

    @cached_property
    def _points_list(self) -> list[bool]:
        return [bool(it) for it in self._points]

    @cached_property
    def _groups(self) -> Ints:
        return self.encoding.groups

    @cached_property
    def _rate_logit(self) -> float:
        return math.log(self.rate / (1.0 - self.rate))


def _largest(sizes: Floats, count: int) -> Ints:
    """The columns of the largest values of each row, largest first."""
    left = sizes.copy()
    rows = np.arange(len(left))
    found = np.empty((len(left), count), dtype=np.int64)
    for place in range(count):
        found[:, place] = left.argmax(axis=1)
        left[rows, found[:, place]] = -1.0
    return found

"""A blend as look-up tables: its value and its exact reasons are sums of one look-up per table.

Every path of a pairwise tree asks for at most two columns, and the linear parts are sums over
columns; so the whole blend is a sum of functions of one column and tables of two. A pair's table is
stored with its one-column means moved to the single functions (weighted as the training rows are),
so that what is left has mean 0 along either column; the interventional Shapley value of both its
columns is then one half of the cell. Sums are exact: nothing is sampled.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy.interpolate import BSpline, PPoly  # type: ignore[import-untyped]

from ml.pipeline import (
    DEGREE,
    PARTS,
    POINTS_UNIT,
    AdditiveLogistic,
    Blend,
    LevelColumns,
    NumberColumns,
    signed_log,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

CHUNK = 50_000


@dataclass(frozen=True, eq=False)
class Tables:
    """A compiled model over the columns of an encoding.

    Column k has the cells starts[k] … starts[k + 1] of the flat arrays, the last for what is
    missing. In a cell the value is polynomial: p0 + u (p1 + u p2), u = position - origin.
    """

    base: float
    levels: Ints  # codes of a category; 0 for a number, -1 for points
    cuts: Floats
    cut_starts: Ints
    starts: Ints
    origin: Floats
    p0: Floats
    p1: Floats
    p2: Floats
    first: Ints  # the columns of each pair, and its half table, flat
    second: Ints
    pair_starts: Ints
    halves: Floats

    def plain(self) -> dict[str, Any]:
        """The tables as plain arrays, for an artifact."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Tables:
        """The tables from what `plain` gave."""
        return cls(**{name: data[name] for name in cls.__dataclass_fields__})

    def moved(self, logits: float) -> Tables:
        """The same tables with another intercept."""
        return Tables(**{**self.plain(), "base": self.base + logits})

    @property
    def columns(self) -> int:
        """How many columns a row has."""
        return len(self.levels)

    def contributions(self, X: Floats) -> Floats:
        """The exact Shapley value of each column of each row, in logits; they add to the base."""
        out = np.zeros(X.shape)
        for begin in range(0, len(X), CHUNK):
            part = X[begin : begin + CHUNK]
            out[begin : begin + CHUNK] = self._chunk(np.ascontiguousarray(part.T)).T
        return out

    def _chunk(self, columns: Floats) -> Floats:
        cells = np.empty(columns.shape, dtype=np.int64)
        out = np.empty(columns.shape)
        for index, values in enumerate(columns):
            cells[index] = self._cells(index, values)
            out[index] = self._single(index, values, cells[index])
        widths = np.diff(self.starts)
        for number, (i, j) in enumerate(zip(self.first, self.second)):
            table = self.halves[self.pair_starts[number] : self.pair_starts[number + 1]]
            half = table.take(cells[i] * widths[j] + cells[j])
            out[i] += half
            out[j] += half
        return out

    def _cells(self, index: int, values: Floats) -> Ints:
        absent = np.isnan(values)
        last = self.starts[index + 1] - self.starts[index] - 1
        if self.levels[index] > 0:
            codes = np.where(absent, last, values).astype(np.int64)
            return np.where((codes < 0) | (codes > last), last, codes)
        if self.levels[index] < 0:
            return np.where(absent, 1, 0)
        cuts = self.cuts[self.cut_starts[index] : self.cut_starts[index + 1]]
        return np.where(absent, last, np.searchsorted(cuts, values, side="left"))

    def _single(self, index: int, values: Floats, cells: Ints) -> Floats:
        where = cells + self.starts[index]
        if self.levels[index] > 0:
            return cast(Floats, self.p0.take(where))
        known = np.where(np.isnan(values), 0.0, values)
        u = (signed_log(known) if self.levels[index] == 0 else known) - self.origin.take(where)
        return cast(
            Floats, self.p0.take(where) + u * (self.p1.take(where) + u * self.p2.take(where))
        )

    def logits(self, X: Floats) -> Floats:
        """The value of the model."""
        return cast(Floats, self.base + self.contributions(X).sum(axis=1))

    def of_one(self, row: Floats) -> Floats:
        """The contributions of one row; what `contributions` gives, without its overhead."""
        cuts = self._cut_lists
        starts, p0, p1, p2, origin, levels = self._lists
        cells, out = [0] * len(row), [0.0] * len(row)
        for index, value in enumerate(row.tolist()):
            start, last = starts[index], starts[index + 1] - starts[index] - 1
            if value != value:
                cell, position = last, 0.0
            elif levels[index] > 0:
                cell, position = (int(value) if 0 <= value <= last else last), 0.0
            elif levels[index] < 0:
                cell, position = 0, value
            else:
                cell, position = bisect_left(cuts[index], value), _signed_log(value)
            cells[index], at = cell, start + cell
            u = position - origin[at]
            out[index] = p0[at] + u * (p1[at] + u * p2[at])
        found = np.array(out)
        if len(self.first):
            there = np.array(cells)
            half = self.halves.take(
                self.pair_starts[:-1] + there[self.first] * self._widths + there[self.second]
            )
            found += np.bincount(self.first, half, len(row))
            found += np.bincount(self.second, half, len(row))
        return found

    @cached_property
    def _widths(self) -> Ints:
        return cast(Ints, np.diff(self.starts)[self.second])

    @cached_property
    def _lists(self) -> tuple[list[Any], ...]:
        """The arrays as lists: reading one number from a list is much faster."""
        flat = (self.starts, self.p0, self.p1, self.p2, self.origin, self.levels)
        return tuple(array.tolist() for array in flat)

    @cached_property
    def _cut_lists(self) -> list[list[float]]:
        ends = zip(self.cut_starts[:-1], self.cut_starts[1:])
        return [self.cuts[a:b].tolist() for a, b in ends]

    def pair_strength(self, X: Floats) -> dict[tuple[int, int], float]:
        """How much each pair of columns moves the rows beyond what both do alone, in logits."""
        cells = np.column_stack([self._cells(k, X[:, k]) for k in range(self.columns)])
        widths = np.diff(self.starts)
        found = {}
        for number, (i, j) in enumerate(zip(self.first.tolist(), self.second.tolist())):
            table = self.halves[self.pair_starts[number] : self.pair_starts[number + 1]]
            half = table.take(cells[:, i] * widths[j] + cells[:, j])
            found[i, j] = float(2 * np.abs(half).mean())
        return found


def _signed_log(value: float) -> float:
    return math.copysign(math.log1p(abs(value)), value)


def compile_blend(blend: Blend, X: Floats) -> Tables:
    """The tables of a fitted blend, with its training rows as the background."""
    draft = _Draft(X, blend)
    weights = dict(zip(PARTS, blend.stack_[1:].tolist()))
    given = np.flatnonzero(~draft.points)
    draft.base += float(blend.stack_[0])
    for name in ("plain", "splines"):
        draft.add_additive(blend.parts_[name], given, weights[name])
    if blend.parts_["boosting"] is not None:
        draft.add_boosting(blend.parts_["boosting"], given, weights["boosting"])
    draft.add_points(blend.parts_["rules"], weights["rules"])
    return draft.finished()


def compile_rules(weights: Floats, points: Flags, X: Floats) -> Tables:
    """The tables of the fallback: points alone; without rows the usual lead has 25 points."""
    if not len(X):
        X = np.zeros((1, len(points)))
        X[0, np.argmax(points)] = POINTS_UNIT
    draft = _Draft(X, points=points)
    draft.add_points(weights, 1.0)
    return draft.finished()


class _Draft:
    """Tables in the making: singles by column and cell, pairs by their columns."""

    def __init__(
        self, X: Floats, blend: Blend | None = None, *, points: Flags | None = None
    ) -> None:
        self.X = X
        self.base = 0.0
        columns = X.shape[1]
        flags = np.zeros(columns, bool) if blend is None else blend._flags(X)
        self.points = blend._points(X) if blend is not None else cast(Flags, points)
        self.levels = np.zeros(columns, dtype=np.int64)
        for index in np.flatnonzero(flags):
            known = X[~np.isnan(X[:, index]), index]
            self.levels[index] = 1 + (int(known.max()) if len(known) else 0)
        self.levels[self.points] = -1
        self.cuts = [
            self._cuts_of(blend, index) if self.levels[index] == 0 else np.empty(0)
            for index in range(columns)
        ]
        self.cells = [self._cell_count(index) for index in range(columns)]
        self.poly = [np.zeros((count, 4)) for count in self.cells]  # origin, p0, p1, p2
        self.pairs: dict[tuple[int, int], Floats] = {}

    def _cell_count(self, index: int) -> int:
        if self.levels[index] < 0:
            return 2
        return int(self.levels[index] or len(self.cuts[index]) + 1) + 1

    def _cuts_of(self, blend: Blend | None, index: int) -> Floats:
        """All places where a function of this number bends or jumps."""
        if blend is None:
            return np.empty(0)
        own = int(np.flatnonzero(np.flatnonzero(~self.points) == index)[0])
        column = blend.parts_["splines"].columns_.columns_[own]
        knots = np.array(column.knots)
        places = [np.sign(knots) * np.expm1(np.abs(knots))]
        if blend.parts_["boosting"] is not None:
            places.append(_thresholds(blend.parts_["boosting"], own))
        return np.unique(np.concatenate(places))

    def add_additive(self, model: AdditiveLogistic, given: Ints, weight: float) -> None:
        """A logistic regression: one function of each column."""
        self.base += weight * float(model.model_[0])
        begin = 1
        for own, column in enumerate(model.columns_.columns_):
            slopes = weight * model.model_[begin : begin + column.width]
            begin += column.width
            index = int(given[own])
            if isinstance(column, LevelColumns):
                self._add_levels(index, column, slopes)
            else:
                self._add_number(index, column, slopes)

    def _add_levels(self, index: int, column: LevelColumns, slopes: Floats) -> None:
        codes = [int(level) for level in column.levels]
        codes += [self.cells[index] - 1] if column.missing else []
        self.poly[index][codes, 1] += slopes

    def _add_number(self, index: int, column: NumberColumns, slopes: Floats) -> None:
        table = self.poly[index]
        edges = signed_log(self.cuts[index])
        inner = (edges[:-1] + edges[1:]) / 2
        ends = (edges[:1] - 1.0, edges[-1:] + 1.0) if len(edges) else (np.zeros(1), np.empty(0))
        middles = np.concatenate([ends[0], inner, ends[1]])
        line = slopes[0] / column.deviation
        for cell, middle in enumerate(middles):
            origin, p0, p1, p2 = self._piece(column, slopes, float(middle))
            _add_piece(table[cell], origin, p0 + line * (origin - column.mean), p1 + line, p2)
        if column.knots:
            table[-1, 1] += float(np.dot(column.typical, slopes[1 : 1 + len(column.typical)]))
        if column.missing:
            table[-1, 1] += slopes[-1]

    @staticmethod
    def _piece(
        column: NumberColumns, slopes: Floats, middle: float
    ) -> tuple[float, float, float, float]:
        """The polynomial that the splines are around a place."""
        if not column.knots:
            return column.mean, 0.0, 0.0, 0.0
        knots = np.array(column.knots)
        padded = np.concatenate([[knots[0]] * DEGREE, knots, [knots[-1]] * DEGREE])
        spline = BSpline(padded, slopes[1 : 1 + len(column.typical)], DEGREE)
        if middle <= knots[0] or middle >= knots[-1]:
            edge = float(knots[0] if middle <= knots[0] else knots[-1])
            return edge, float(spline(edge)), 0.0, 0.0
        pieces = PPoly.from_spline(spline)
        at = int(np.searchsorted(pieces.x, middle, side="right")) - 1
        p2, p1, p0 = pieces.c[:, at]
        return float(pieces.x[at]), float(p0), float(p1), float(p2)

    def add_points(self, rule: Floats, weight: float) -> None:
        """The points: a straight line in each of their columns; a missing award is none."""
        self.base += weight * float(rule[0])
        for index in np.flatnonzero(self.points):
            self.poly[index][0, 2] += weight * float(rule[1]) / POINTS_UNIT

    def add_boosting(self, model: Any, given: Ints, weight: float) -> None:
        """Pairwise boosting: each leaf adds to a table of the one or two columns it asks for."""
        self.base += weight * float(np.ravel(model._baseline_prediction)[0])
        reader = _TreeReader(model, given, self)
        for (tree,) in model._predictors:
            for asked, value in reader.leaves(tree):
                self._add_leaf(asked, weight * value)

    def _add_leaf(self, asked: dict[int, Flags], value: float) -> None:
        if not asked:
            self.base += value
        elif len(asked) == 1:
            ((index, allowed),) = asked.items()
            self.poly[index][allowed, 1] += value
        else:
            i, j = sorted(asked)
            if (i, j) not in self.pairs:
                self.pairs[i, j] = np.zeros((self.cells[i], self.cells[j]))
            self.pairs[i, j] += value * np.outer(asked[i], asked[j])

    def finished(self) -> Tables:
        """The tables, centred on the background."""
        starts = np.concatenate([[0], np.cumsum(self.cells)]).astype(np.int64)
        lengths = [len(cuts) for cuts in self.cuts]
        raw = self._tables(starts, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), {})
        if not len(self.X):
            return raw
        cells = [raw._cells(index, self.X[:, index]) for index in range(raw.columns)]
        pairs = {key: self._centred(key, table, cells) for key, table in self.pairs.items()}
        for index in range(raw.columns):
            where = self.poly[index]
            centred = _Draft._mean(raw, where, index, self.X[:, index], cells[index])
            where[:, 1] -= centred
            self.base += centred
        return self._tables(raw.starts, raw.cut_starts, pairs)

    @staticmethod
    def _mean(raw: Tables, poly: Floats, index: int, values: Floats, cells: Ints) -> float:
        known = np.where(np.isnan(values), 0.0, values)
        scaled = signed_log(known) if raw.levels[index] == 0 else known
        at = poly[cells]
        u = np.where(raw.levels[index] > 0, 0.0, scaled - at[:, 0])
        return float(np.mean(at[:, 1] + u * (at[:, 2] + u * at[:, 3])))

    def _centred(self, key: tuple[int, int], table: Floats, cells: Sequence[Ints]) -> Floats:
        """Half of what a pair says beyond its columns alone; those means move to the singles."""
        i, j = key
        rows = len(self.X)
        share_i = np.bincount(cells[i], minlength=self.cells[i]) / rows
        share_j = np.bincount(cells[j], minlength=self.cells[j]) / rows
        mean_i, mean_j = table @ share_j, share_i @ table
        self.poly[i][:, 1] += mean_i
        self.poly[j][:, 1] += mean_j
        left = table - mean_i[:, None] - mean_j[None, :]
        joint = float(left[cells[i], cells[j]].mean())
        # The joint mean differs from the product of the margins where the columns go together.
        self.base += joint
        return (left - joint) / 2

    def _tables(
        self, starts: Ints, cut_starts: Ints, pairs: Mapping[tuple[int, int], Floats]
    ) -> Tables:
        poly = np.concatenate(self.poly) if self.poly else np.empty((0, 4))
        keys = sorted(pairs)
        sizes = [pairs[key].size for key in keys]
        return Tables(
            base=self.base,
            levels=self.levels,
            cuts=np.concatenate(self.cuts) if self.cuts else np.empty(0),
            cut_starts=cut_starts,
            starts=starts,
            origin=poly[:, 0].copy(),
            p0=poly[:, 1].copy(),
            p1=poly[:, 2].copy(),
            p2=poly[:, 3].copy(),
            first=np.array([key[0] for key in keys], dtype=np.int64),
            second=np.array([key[1] for key in keys], dtype=np.int64),
            pair_starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            halves=np.concatenate([pairs[key].ravel() for key in keys]) if keys else np.empty(0),
        )


def _add_piece(cell: Floats, origin: float, p0: float, p1: float, p2: float) -> None:
    """Add a polynomial to a cell, moving what is there to the new origin where it is bent."""
    if p2 != 0.0 or cell[3] == 0.0:
        cell[1] += cell[2] * (origin - cell[0])
        cell[0] = origin
    else:
        p0, origin = p0 + p1 * (cell[0] - origin), float(cell[0])
    cell[1:] += (p0, p1, p2)


def _thresholds(model: Any, own: int) -> Floats:
    """The thresholds at which the trees ask for a number."""
    feature = _order(model)
    found = [np.empty(0)]
    for (tree,) in model._predictors:
        inner = tree.nodes[(tree.nodes["is_leaf"] == 0) & (tree.nodes["is_categorical"] == 0)]
        found.append(inner["num_threshold"][feature[inner["feature_idx"]] == own])
    return np.unique(np.concatenate(found))


def _order(model: Any) -> Ints:
    """The column of each feature of the trees: scikit-learn puts the categories first."""
    if model._preprocessor is None:
        return np.arange(model.n_features_in_)
    flags = np.asarray(model.is_categorical_)
    return np.concatenate([np.flatnonzero(flags), np.flatnonzero(~flags)])


class _TreeReader:
    """Reads the leaves of a tree: which cells of which columns lead to each, and its value."""

    def __init__(self, model: Any, given: Ints, draft: _Draft) -> None:
        self.order = given[_order(model)]
        self.draft = draft
        self.codes: list[npt.NDArray[Any]] = []
        if model._preprocessor is not None:
            self.codes = model._preprocessor.named_transformers_["encoder"].categories_

    def leaves(self, tree: Any) -> list[tuple[dict[int, Flags], float]]:
        """Each leaf's cells by column, and its value."""
        found: list[tuple[dict[int, Flags], float]] = []
        open_nodes: list[tuple[int, dict[int, Flags]]] = [(0, {})]
        while open_nodes:
            number, asked = open_nodes.pop()
            node = tree.nodes[number]
            if node["is_leaf"]:
                found.append((asked, float(node["value"])))
                continue
            index = int(self.order[node["feature_idx"]])
            left = self._left(tree, node, index)
            before = asked.get(index)
            for child, side in ((node["left"], left), (node["right"], ~left)):
                both = side if before is None else side & before
                open_nodes.append((int(child), {**asked, index: both}))
        return found

    def _left(self, tree: Any, node: Any, index: int) -> Flags:
        """The cells of a column that go left at a node."""
        left = np.zeros(self.draft.cells[index], dtype=bool)
        missing = bool(node["missing_go_to_left"])
        left[-1] = missing
        if not node["is_categorical"]:
            cuts = self.draft.cuts[index]
            left[: int(np.searchsorted(cuts, node["num_threshold"])) + 1] = True
            left[-1] = missing
            return left
        left[:-1] = missing  # a level that this part never saw goes where the missing go
        bits = tree.raw_left_cat_bitsets[node["bitset_idx"]]
        for code, level in enumerate(self.codes[node["feature_idx"]]):
            if not np.isnan(level):
                left[int(level)] = bool(bits[code // 32] >> np.uint32(code % 32) & np.uint32(1))
        return left

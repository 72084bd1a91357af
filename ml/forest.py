"""A boosted forest as plain arrays: its value, and exact Shapley values of its paths.

A leaf gives its value to a row that meets all conditions of its path. Where a feature is not known,
a path goes on with the share of the training rows that did: the leaf is then a product over its
features, and the Shapley value of each is an integral of a polynomial, which a few Gauss–Legendre
points give exactly. No tree is walked, no estimator kept, nothing sampled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Condition:
    """What a path asks of one column, and which share of the training rows met it."""

    column: int
    low: float = -np.inf
    high: float = np.inf
    missing: bool = True
    share: float = 1.0

    def narrowed(self, *, low: float, high: float, missing: bool, share: float) -> Condition:
        """The condition with one more question of the same column."""
        return Condition(
            self.column,
            max(self.low, low),
            min(self.high, high),
            self.missing and missing,
            self.share * share,
        )


@dataclass(frozen=True)
class Leaf:
    """A leaf's value, and what its path asks of each column once."""

    value: float
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, eq=False)
class Forest:
    """The leaves of all trees; column -1 fills a path that is shorter than the longest."""

    base: float
    columns: int
    values: Floats
    column: Ints  # leaves × longest path
    low: Floats
    high: Floats
    missing: Flags
    share: Floats

    @classmethod
    def of(cls, leaves: Sequence[Leaf], *, columns: int, start: float, scale: float) -> Forest:
        """The forest of these leaves; its logit is start + scale × the sum of what they give."""
        longest = max((len(leaf.conditions) for leaf in leaves), default=0) or 1
        none = Condition(-1)
        rows = [(*leaf.conditions, *[none] * (longest - len(leaf.conditions))) for leaf in leaves]

        def table(name: str, kind: Any) -> Any:
            found = [[getattr(one, name) for one in row] for row in rows]
            return np.array(found, dtype=kind).reshape(len(rows), longest)

        values = scale * np.array([leaf.value for leaf in leaves], dtype=np.float64)
        share = table("share", np.float64)
        return cls(
            base=start + float(values @ share.prod(axis=1)),
            columns=columns,
            values=values,
            column=table("column", np.int64),
            low=table("low", np.float64),
            high=table("high", np.float64),
            missing=table("missing", bool),
            share=share,
        )

    def plain(self) -> dict[str, Any]:
        """The forest as plain arrays, for an artifact."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Forest:
        """The forest from what `plain` gave."""
        found = {name: data[name] for name in cls.__dataclass_fields__}
        return cls(**{**found, "base": float(data["base"]), "columns": int(data["columns"])})

    def moved(self, logits: float) -> Forest:
        """The same forest with another intercept."""
        return Forest(**{**self.plain(), "base": self.base + logits})

    def logits(self, X: Floats) -> Floats:
        """The value of the model."""
        out = np.full(len(X), self._start)
        columns = np.ascontiguousarray(X.T)
        absent = np.isnan(columns)
        # Leaf by leaf: a condition is one comparison of a whole column.
        for leaf, value in enumerate(self.values.tolist()):
            met = np.ones(len(X), dtype=bool)
            for place in np.flatnonzero(self.column[leaf] >= 0):
                column = self.column[leaf, place]
                known = columns[column]
                inside = (known > self.low[leaf, place]) & (known <= self.high[leaf, place])
                met &= inside | absent[column] if self.missing[leaf, place] else inside
            out[met] += value
        return out

    def contributions(self, X: Floats) -> Floats:
        """The exact Shapley value of each column of each row, in logits; they add to the base."""
        return np.vstack([np.empty((0, self.columns)), *map(self._shapley, self._parts(X))])

    def of_one(self, row: Floats) -> Floats:
        """The contributions of one row."""
        return cast(Floats, self._shapley(row[None, :])[0])

    def pair_strength(self, X: Floats) -> dict[tuple[int, int], float]:
        """No pair stands alone in a free tree, so none is told of."""
        return {}

    @property
    def size(self) -> int:
        """How many bytes its arrays take."""
        return sum(value.nbytes for value in self.plain().values() if hasattr(value, "nbytes"))

    def _parts(self, X: Floats) -> list[Floats]:
        return [X[at : at + ROWS_AT_ONCE] for at in range(0, len(X), ROWS_AT_ONCE)]

    def _met(self, X: Floats) -> Flags:
        """Whether each row meets each condition: rows × leaves × places of the path."""
        value = X[:, self.column]
        inside = (value > self.low) & (value <= self.high)
        return np.where(np.isnan(value), self.missing, inside) | (self.column < 0)

    def _shapley(self, X: Floats) -> Floats:
        met = self._met(X).astype(np.float64)
        points, weights = self._quadrature
        found = np.zeros_like(met)
        for point, weight in zip(points, weights):
            # Of a column that is known with this probability, what each condition lets through.
            through = self.share * (1 - point) + met * point
            found += weight * through.prod(axis=2, keepdims=True) / through
        found *= (met - self.share) * self.values[:, None]
        flat = self.column.ravel()
        real = flat >= 0
        out = np.empty((len(X), self.columns))
        for number, row in enumerate(found.reshape(len(X), -1)):
            out[number] = np.bincount(flat[real], row[real], self.columns)
        return out

    @cached_property
    def _start(self) -> float:
        return self.base - float(self.values @ self.share.prod(axis=1))

    @cached_property
    def _quadrature(self) -> tuple[list[float], list[float]]:
        """Points and weights on [0, 1], exact for the polynomials of the longest path."""
        nodes, weights = np.polynomial.legendre.leggauss(self.column.shape[1] // 2 + 1)
        return ((nodes + 1) / 2).tolist(), (weights / 2).tolist()


def leaves_of_histogram(nodes: Any) -> list[Leaf]:
    """The leaves of one tree of scikit-learn's histogram boosting, without native categories."""
    found: list[Leaf] = []

    def walk(number: int, asked: dict[int, Condition]) -> None:
        node = nodes[number]
        if node["is_leaf"]:
            found.append(Leaf(float(node["value"]), tuple(asked.values())))
            return
        column, cut = int(node["feature_idx"]), float(node["num_threshold"])
        goes_left, count = bool(node["missing_go_to_left"]), float(node["count"])
        for side, low, high, missing in (
            ("left", -np.inf, cut, goes_left),
            ("right", cut, np.inf, not goes_left),
        ):
            share = float(nodes[node[side]]["count"]) / count
            before = asked.get(column, Condition(column))
            now = before.narrowed(low=low, high=high, missing=missing, share=share)
            walk(int(node[side]), {**asked, column: now})

    walk(0, {})
    return found


def leaves_of_lightgbm(tree: Mapping[str, Any]) -> list[Leaf]:
    """The leaves of one tree of a LightGBM dump, without native categories."""
    found: list[Leaf] = []

    def count(node: Mapping[str, Any]) -> float:
        return float(node.get("internal_count", node.get("leaf_count", 0)))

    def walk(node: Mapping[str, Any], asked: dict[int, Condition]) -> None:
        if "split_feature" not in node:
            found.append(Leaf(float(node["leaf_value"]), tuple(asked.values())))
            return
        column, cut = int(node["split_feature"]), float(node["threshold"])
        # Where a column was never missing in training, LightGBM reads what is missing as 0.
        goes_left = node["default_left"] if node["missing_type"] == "NaN" else cut >= 0
        left, right = node["left_child"], node["right_child"]
        for child, low, high, missing in (
            (left, -np.inf, cut, goes_left),
            (right, cut, np.inf, not goes_left),
        ):
            before = asked.get(column, Condition(column))
            now = before.narrowed(
                low=low, high=high, missing=bool(missing), share=count(child) / count(node)
            )
            walk(child, {**asked, column: now})

    walk(tree["tree_structure"], {})
    return found

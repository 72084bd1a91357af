"""The hash over a million ids: even in every split, and independent between any two experiments."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

from engine.bucketing import fnv1a32, hash_value
from engine.statistics.distributions import Floats, chi_square_tail
from engine.statistics.simulations.checks import Check, Profile, at_least, at_most

KEYS = (*(f"exp-{number}" for number in range(12)), "greeting-test", "question-order", "cta", "x9")
PRIME = np.uint32(0x01000193)
Codes = npt.NDArray[np.uint32]


def buckets(profile: Profile) -> list[Check]:
    """Three kinds of ids under 16 seeds, 120 pairs of them; version 1 as the control."""
    count = profile.runs(1_000_000)
    places = {name: _all_places(ids, 2) for name, ids in _kinds(count)}
    wrong = _all_places(next(_kinds(min(count, 200_000)))[1], 1)
    even = [p for kind in places.values() for p in _uniformity(kind)]
    pairs = [p for kind in places.values() for p in _independence(kind)]
    wrong_pairs = _independence(wrong)
    differ = sum(_differences(name, count, kind) for name, kind in places.items())
    other = _differences("number", min(count, 200_000), wrong)
    # One in twenty of the upper half is lost, as when a redirect eats exposures.
    first = places["number"][0]
    kept = first[(first < 5000) | (np.arange(count) % 20 > 0)]
    return [
        Check(
            "hash: values that differ from the engine's own (control: v1)",
            float(differ),
            at_most(0),
            float(other),
            at_least(100),
        ),
        Check(
            f"hash v2, {count:,} ids: smallest p of an even split (control: 1 in 20 of one lost)",
            min(even),
            at_least(5e-4),
            _uniformity([kept])[0],
            at_most(1e-6),
        ),
        Check(
            "hash v2: pairs of experiments dependent at p < 1e-5 (control: v1)",
            float(sum(p < 1e-5 for p in pairs)),
            at_most(0),
            float(sum(p < 1e-5 for p in wrong_pairs)),
            at_least(30),
        ),
        Check(
            "hash v2: are the p-values of all pairs even (control: v1)",
            _evenness(pairs),
            at_least(0.001),
            _evenness(wrong_pairs),
            at_most(1e-6),
        ),
    ]


def _id(kind: str, number: int) -> str:
    """The id of this kind: a bare number, one with a prefix, or 32 hexadecimal digits."""
    if kind == "number":
        return str(number)
    if kind == "lead":
        return f"lead_{number:07d}"
    # Scattered by an odd factor, so that like numbers have unlike digits.
    return f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"


def _kinds(count: int) -> Iterator[tuple[str, Codes]]:
    """The ids of each kind as code units, one row each, zeros behind."""
    for kind in ("number", "lead", "token"):
        written = np.array([_id(kind, number) for number in range(count)])
        yield kind, written.view(np.uint32).reshape(count, -1)


def _fnv(codes: Codes, start: int | Codes) -> Codes:
    """FNV-1a over rows of code units; zeros, in front or behind, are no units."""
    values = np.broadcast_to(np.asarray(start, dtype=np.uint32), len(codes)).copy()
    for column in codes.T:
        goes_on = column > 0
        values[goes_on] = (values[goes_on] ^ column[goes_on]) * PRIME
    return values


def _decimal(values: Codes) -> Codes:
    """Numbers as their decimal digits, without leading zeros."""
    powers = 10 ** np.arange(9, -1, -1, dtype=np.uint64)
    wide = values.astype(np.uint64)[:, None]
    digits = (wide // powers % 10 + 48).astype(np.uint32)
    digits[(wide < powers) & (powers > 1)] = 0
    return digits


def _places(ids: Codes, key: str, version: int) -> npt.NDArray[np.int64]:
    """The bucket of every id: 10,000 of them, or 1,000 in version 1."""
    if version == 1:
        suffix = np.array([ord(letter) for letter in key], dtype=np.uint32)
        return (_fnv(np.tile(suffix, (len(ids), 1)), _fnv(ids, 0x811C9DC5)) % 1000).astype(np.int64)
    once = _fnv(ids, fnv1a32(key))
    return (_fnv(_decimal(once), 0x811C9DC5) % 10000).astype(np.int64)


def _all_places(ids: Codes, version: int) -> list[npt.NDArray[np.int64]]:
    return [_places(ids, key, version) for key in KEYS]


def _differences(kind: str, count: int, places: list[npt.NDArray[np.int64]]) -> int:
    """How many of a few hundred values the engine's own hash sees otherwise."""
    chosen = range(0, count, max(count // 40, 1))
    return sum(
        round((hash_value(key, _id(kind, number)) or 0.0) * 10000) != places[place][number]
        for place, key in enumerate(KEYS)
        for number in chosen
    )


def _uniformity(places: list[npt.NDArray[np.int64]]) -> list[float]:
    """The chi-square p-value of splits into 2, 5 and 100 arms, the first seed's in full."""
    return [
        _chi_square(np.bincount(places[0] * arms // 10000, minlength=arms).astype(np.float64))
        for arms in (2, 5, 100, 10000)
    ]


def _chi_square(counts: Floats) -> float:
    expected = counts.mean()
    return chi_square_tail(float(((counts - expected) ** 2 / expected).sum()), counts.size - 1)


def _independence(places: list[npt.NDArray[np.int64]]) -> list[float]:
    """The p-value of "one split says nothing about the other" for every pair of seeds."""
    top = 1000 if max(int(one.max()) for one in places) < 1000 else 10000
    halves = [one * 2 >= top for one in places]
    return [_cross(first, second) for first, second in combinations(halves, 2)]


def _cross(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """The chi-square p-value of a two by two table with its own margins."""
    n, a, b = first.size, int(first.sum()), int(second.sum())
    both = int((first & second).sum())
    expected = a * b / n
    spread = expected * (1 - a / n) * (1 - b / n)
    return chi_square_tail((both - expected) ** 2 / spread, 1)


def _evenness(p_values: list[float]) -> float:
    """The Kolmogorov-Smirnov p-value of "these are spread evenly over 0 to 1" (asymptotic)."""
    ordered, count = np.sort(p_values), len(p_values)
    above = np.arange(1, count + 1) / count - ordered
    below = ordered - np.arange(count) / count
    distance = max(float(above.max()), float(below.max())) * count**0.5
    steps = np.arange(1, 101)
    return min(1.0, float(2 * ((-1.0) ** (steps - 1) @ np.exp(-2 * steps**2 * distance**2))))

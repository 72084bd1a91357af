"""Visitor to variant: the same answer for the same seed and unit, on every machine, for ever.

The hashes and ranges are those of GrowthBook's SDK specification, and its vectors are our tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Range = tuple[float, float]
# More decimals than that are the noise of adding weights up.
FULL_WEIGHT = (0.99, 1.01)


@dataclass(frozen=True)
class ArmWeight:
    """An arm of an experiment and its share; shares need not add up to one."""

    arm: str
    weight: float


@dataclass(frozen=True)
class Chosen:
    """The arm a unit got, and how probable that was for a unit that takes part."""

    arm: str
    propensity: float


def fnv1a32(text: str) -> int:
    """The 32-bit FNV-1a hash over the UTF-16 code units, as JavaScript counts them."""
    value = 0x811C9DC5
    units = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("B")
    for low, high in zip(units[::2], units[1::2], strict=True):
        value = ((value ^ (low | high << 8)) * 0x01000193) & 0xFFFFFFFF
    return value


def hash_value(seed: str, unit: str, version: int = 2) -> float | None:
    """The unit's place in [0, 1) under this seed; None for a version nobody knows.

    Version 1 is here for the vectors only: under it experiments with like seeds depend on
    each other.
    """
    if version == 2:
        return fnv1a32(str(fnv1a32(seed + unit))) % 10000 / 10000
    if version == 1:
        return fnv1a32(unit + seed) % 1000 / 1000
    return None


def equal_weights(count: int) -> list[float]:
    """The weights of so many arms that share alike."""
    return [1 / count] * count if count > 0 else []


def bucket_ranges(
    count: int, coverage: float = 1.0, weights: Sequence[float] | None = None
) -> list[Range]:
    """Each arm's range of [0, 1): more coverage widens a range and never moves its start."""
    covered = min(max(coverage, 0.0), 1.0)
    shares = list(weights or ())
    if len(shares) != count or not FULL_WEIGHT[0] <= sum(shares) <= FULL_WEIGHT[1]:
        shares = equal_weights(count)
    ranges: list[Range] = []
    start = 0.0
    for share in shares:
        ranges.append((start, start + covered * share))
        start += share
    return ranges


def choose_variation(place: float, ranges: Sequence[Range]) -> int:
    """The index of the range that holds the place, -1 if none does."""
    for index, (start, end) in enumerate(ranges):
        if start <= place < end:
            return index
    return -1


def in_namespace(unit: str, namespace: tuple[str, float, float]) -> bool:
    """Whether the unit lies in this part of a namespace of experiments that exclude each other."""
    name, start, end = namespace
    # The specification keeps version 1 here.
    place = fnv1a32(unit + "__" + name) % 1000 / 1000
    return start <= place < end


def query_string_override(key: str, url: str, count: int) -> int | None:
    """The variation that a preview link asks for with `?<key>=<index>`, if there is such a one."""
    try:
        query = urlsplit(url).query
    except ValueError:
        return None
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name == key:
            known = value.isascii() and value.isdigit() and len(value) < 4
            return int(value) if known and int(value) < count else None
    return None


def choose_arm(
    seed: str, unit: str, arms: Sequence[ArmWeight], coverage: float = 1.0
) -> Chosen | None:
    """The unit's arm, or None if it stays outside the experiment.

    Whether it takes part and which arm it gets are two independent hashes, so that a small
    coverage still reaches every arm, and a raised one moves nobody.
    """
    shares = _shares(arms)
    if not shares or not _takes_part(seed, unit, coverage):
        return None
    place = fnv1a32(str(fnv1a32(seed + unit))) % 10000 / 10000
    ranges = bucket_ranges(len(shares), 1.0, [share for _, share in shares])
    index = choose_variation(place, ranges)
    # Shares such as three thirds may add up to a hair below one: -1 is then the last arm.
    arm, share = shares[index]
    return Chosen(arm, share)


def _takes_part(seed: str, unit: str, coverage: float) -> bool:
    return fnv1a32(str(fnv1a32("in:" + seed + unit))) % 10000 / 10000 < coverage


def _shares(arms: Sequence[ArmWeight]) -> list[tuple[str, float]]:
    """The arms that have a weight, with weights that add up to one."""
    if any(not math.isfinite(arm.weight) or arm.weight < 0 for arm in arms):
        raise ValueError("A weight must be a number, not below zero.")
    total = sum(arm.weight for arm in arms)
    return [(arm.arm, arm.weight / total) for arm in arms if arm.weight > 0]

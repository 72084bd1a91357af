"""Visitor to variant: the same answer for the same seed and unit, on every machine, for ever.

The hashes and ranges are those of GrowthBook's SDK specification, and its vectors are our tests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from engine.targeting import Groups, is_met

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


@dataclass(frozen=True)
class Filter:
    """Who is let through by a place of their own: an exclusion group, a holdout."""

    seed: str
    ranges: tuple[Range, ...]
    attribute: str = "id"
    version: int = 2


@dataclass(frozen=True)
class Prerequisite:
    """What the value of another flag must be: a condition over `{"value": …}`."""

    flag: str
    condition: Mapping[str, object]


@dataclass(frozen=True)
class Trial:
    """An experiment as the specification has it: its variations are numbered from zero.

    `forced` puts everybody who would take part on one variation. A variation's name in the
    stored documents is its entry in `names`, else its number.
    """

    key: str
    variations: int
    seed: str | None = None
    version: int = 1
    attribute: str = "id"
    fallback: str | None = None
    active: bool = True
    forced: int | None = None
    coverage: float = 1.0
    weights: tuple[float, ...] | None = None
    ranges: tuple[Range, ...] | None = None
    filters: tuple[Filter, ...] | None = None
    namespace: tuple[str, float, float] | None = None
    condition: Mapping[str, object] = field(default_factory=dict)
    prerequisites: tuple[Prerequisite, ...] = ()
    names: tuple[str, ...] = ()
    sticky: bool = False
    bucket_version: int = 0
    oldest_version: int = 0


@dataclass(frozen=True)
class Visit:
    """Who comes, from where, and what is set up around them.

    `stored` is what `remembered` gave earlier: variation names by `<key>__<version>`, under
    `<attribute>||<value>`.
    """

    attributes: Mapping[str, object]
    url: str = ""
    enabled: bool = True
    only_forced: bool = False
    forced: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, object] = field(default_factory=dict)
    groups: Groups = field(default_factory=dict)
    stored: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ran:
    """What a trial did with a visit: counted are those who take part by their hash."""

    variation: int
    takes_part: bool
    by_hash: bool
    attribute: str = "id"
    unit: str = ""
    place: float | None = None
    was_stored: bool = False


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


def lets_through(one: Filter, unit: str) -> bool:
    """Whether the unit's place under the filter's own seed lies in one of its ranges."""
    place = hash_value(one.seed, unit, one.version)
    return place is not None and choose_variation(place, one.ranges) >= 0


def run(trial: Trial, visit: Visit) -> Ran:
    """The variation of a trial that a visit gets; zero, the control, for whoever stays outside.

    In the order of the specification: previews, then the stored variation, then who is meant,
    then the hash, then what was forced on all.
    """
    attribute, unit = _unit(trial, visit)
    outside = Ran(0, False, False, attribute, unit)
    if trial.variations < 2 or not visit.enabled:
        return outside
    preview = query_string_override(trial.key, visit.url, trial.variations)
    if preview is None:
        preview = visit.forced.get(trial.key)
    if preview is not None:
        return _picked(outside, trial, preview)
    if not trial.active or not unit:
        return outside
    return _by_hash(trial, visit, outside)


def _by_hash(trial: Trial, visit: Visit, outside: Ran) -> Ran:
    stored = _stored_variation(trial, visit)
    if stored is None and not _is_meant(trial, visit, outside.unit):
        return outside
    place = hash_value(trial.seed or trial.key, outside.unit, trial.version)
    if place is None or _is_blocked(trial, visit):
        return outside
    shares = trial.ranges or bucket_ranges(trial.variations, trial.coverage, trial.weights)
    variation = choose_variation(place, shares) if stored is None else stored
    if variation < 0:
        return outside
    if trial.forced is not None:
        return _picked(outside, trial, trial.forced)
    if visit.only_forced:
        return outside
    return Ran(variation, True, True, outside.attribute, outside.unit, place, stored is not None)


def remembered(trial: Trial, visit: Visit, ran: Ran) -> dict[str, dict[str, str]]:
    """The stored documents after a visit, for the next one."""
    documents = {key: dict(names) for key, names in visit.stored.items()}
    if trial.sticky and ran.by_hash:
        names = documents.setdefault(f"{ran.attribute}||{ran.unit}", {})
        names[_version_key(trial, trial.bucket_version)] = _name(trial, ran.variation)
    return documents


def _unit(trial: Trial, visit: Visit) -> tuple[str, str]:
    """The attribute that is hashed and its value: the fallback's where the first is missing."""
    unit = _attribute(visit, trial.attribute)
    if not unit and trial.sticky and trial.fallback:
        return trial.fallback, _attribute(visit, trial.fallback)
    return trial.attribute, unit


def _attribute(visit: Visit, name: str) -> str:
    # The specification takes zero for a missing value, as JavaScript does.
    return str(visit.attributes.get(name) or "")


def _picked(outside: Ran, trial: Trial, variation: int) -> Ran:
    """A variation that somebody chose; one that does not exist leaves the visit outside."""
    if not 0 <= variation < trial.variations:
        return outside
    return Ran(variation, True, False, outside.attribute, outside.unit)


def _is_meant(trial: Trial, visit: Visit, unit: str) -> bool:
    if trial.filters is not None:
        units = [(one, _attribute(visit, one.attribute)) for one in trial.filters]
        if not all(value and lets_through(one, value) for one, value in units):
            return False
    elif trial.namespace is not None and not in_namespace(unit, trial.namespace):
        return False
    return is_met(trial.condition, visit.attributes, visit.groups) and all(
        is_met(one.condition, {"value": visit.flags.get(one.flag)}, visit.groups)
        for one in trial.prerequisites
    )


def _version_key(trial: Trial, version: int) -> str:
    return f"{trial.key}__{version}"


def _name(trial: Trial, variation: int) -> str:
    return trial.names[variation] if trial.names else str(variation)


def _stored_names(trial: Trial, visit: Visit) -> dict[str, str]:
    """What is stored for the visit; the hashed attribute's word goes before the fallback's."""
    names: dict[str, str] = {}
    for attribute in (trial.fallback, trial.attribute):
        if attribute and trial.sticky:
            key = f"{attribute}||{_attribute(visit, attribute)}"
            names.update(visit.stored.get(key, {}))
    return names


def _stored_variation(trial: Trial, visit: Visit) -> int | None:
    name = _stored_names(trial, visit).get(_version_key(trial, trial.bucket_version))
    known = [_name(trial, index) for index in range(trial.variations)]
    return known.index(name) if name in known else None


def _is_blocked(trial: Trial, visit: Visit) -> bool:
    """Whether the visitor was in a version of the trial that is too old to go on with."""
    names = _stored_names(trial, visit)
    return any(_version_key(trial, version) in names for version in range(trial.oldest_version))

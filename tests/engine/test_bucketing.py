"""Tests of engine.bucketing: GrowthBook's published vectors, its SDK, and our own promises."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import growthbook.core as sdk
import pytest

from engine.bucketing import (
    ArmWeight,
    Chosen,
    bucket_ranges,
    choose_arm,
    choose_variation,
    equal_weights,
    fnv1a32,
    hash_value,
    in_namespace,
    query_string_override,
)

VECTORS = Path(__file__).parents[2].parent / "shared" / "data" / "growthbook-cases.json"
HALVES = (ArmWeight("A", 1), ArmWeight("B", 1))


@pytest.fixture(scope="module")
def vectors() -> dict[str, list[Any]]:
    if not VECTORS.exists():
        pytest.skip("growthbook-cases.json is not beside this repository (../shared/data)")
    cases: dict[str, list[Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return cases


def test_the_hashes_are_the_published_ones(vectors: dict[str, list[Any]]) -> None:
    assert len(vectors["hash"]) == 15
    for seed, unit, version, expected in vectors["hash"]:
        assert hash_value(seed, unit, version) == expected


def test_the_ranges_are_the_published_ones(vectors: dict[str, list[Any]]) -> None:
    assert len(vectors["getBucketRange"]) == 13
    for name, (count, coverage, weights), expected in vectors["getBucketRange"]:
        ranges = bucket_ranges(count, coverage, weights)
        assert ranges == [pytest.approx(tuple(pair), abs=1e-9) for pair in expected], name


def test_the_variations_are_the_published_ones(vectors: dict[str, list[Any]]) -> None:
    assert len(vectors["chooseVariation"]) == 13
    for name, place, ranges, expected in vectors["chooseVariation"]:
        assert choose_variation(place, [tuple(pair) for pair in ranges]) == expected, name


def test_the_namespaces_are_the_published_ones(vectors: dict[str, list[Any]]) -> None:
    assert len(vectors["inNamespace"]) == 16
    for name, unit, namespace, expected in vectors["inNamespace"]:
        assert in_namespace(unit, tuple(namespace)) == expected, name


def test_equal_weights_are_the_published_ones(vectors: dict[str, list[Any]]) -> None:
    assert len(vectors["getEqualWeights"]) == 6
    for count, expected in vectors["getEqualWeights"]:
        assert equal_weights(count) == pytest.approx(expected, abs=1e-7)


def test_the_overrides_are_the_published_ones(vectors: dict[str, list[Any]]) -> None:
    assert len(vectors["getQueryStringOverride"]) == 16
    for name, key, url, count, expected in vectors["getQueryStringOverride"]:
        assert query_string_override(key, url, count) == expected, name


def test_20_000_random_configurations_agree_with_the_published_sdk() -> None:
    chance = random.Random(5)
    letters = "abcXYZ019-_: äöüßñ日本🎉👩‍🚀"

    for _ in range(20_000):
        seed = "".join(chance.choices(letters, k=chance.randint(0, 12)))
        unit = "".join(chance.choices(letters, k=chance.randint(0, 36)))
        count = chance.randint(1, 6)
        weights = [chance.random() for _ in range(count)]
        total = sum(weights) * chance.choice([1, 1, 1, 2])
        shares = chance.choice([None, [weight / total for weight in weights]])
        coverage = chance.choice([1.0, chance.random(), -0.5, 1.5])

        for version in (1, 2):
            assert hash_value(seed, unit, version) == sdk.gbhash(seed, unit, version)
        place = hash_value(seed, unit)
        assert place is not None
        ours = bucket_ranges(count, coverage, shares)
        theirs = sdk.getBucketRanges(count, coverage, shares)
        assert ours == [pytest.approx(pair, abs=1e-12) for pair in theirs]
        assert choose_variation(place, ours) == sdk.chooseVariation(place, theirs)
        namespace = (seed, coverage / 3, coverage)
        assert in_namespace(unit, namespace) == sdk.inNamespace(unit, namespace)
        if coverage == 1.0:
            arms = [ArmWeight(str(index), share) for index, share in enumerate(weights)]
            chosen = choose_arm(seed, unit, arms)
            exact = sdk.getBucketRanges(count, 1.0, [share / sum(weights) for share in weights])
            assert chosen is not None and int(chosen.arm) == sdk.chooseVariation(place, exact)


@pytest.mark.parametrize("version", [1, 2, 9])
def test_each_version_of_the_hash_agrees_with_the_published_sdk(version: int) -> None:
    for unit in ("a", "visitor-7", "b" * 40):
        assert hash_value("seed", unit, version) == sdk.gbhash("seed", unit, version)


def test_characters_outside_the_basic_plane_count_as_javascript_counts_them() -> None:
    # The two UTF-16 halves of U+1F389, hashed one after the other.
    value = 0x811C9DC5
    for unit in (0xD83C, 0xDF89):
        value = ((value ^ unit) * 0x01000193) & 0xFFFFFFFF

    assert fnv1a32("🎉") == value
    assert fnv1a32("\ud83c") != fnv1a32("\udf89")
    assert fnv1a32("") == 0x811C9DC5


@pytest.mark.parametrize(
    ("url", "asked"),
    [("https://x.example/?t=1", 1), ("/?t=%31", None), ("/?t=١", None), ("/?t=" + "0" * 9, None)]
    + [("https://[broken", None), ("/?t=", None), ("/?t=1&t=0", 1), ("/?xt=1", None)],
)
def test_an_override_is_a_small_plain_number(url: str, asked: int | None) -> None:
    assert query_string_override("t", url, 2) == asked


def test_an_arm_is_the_same_for_ever() -> None:
    # Written down when this was built: a change moves every visitor of every running experiment.
    chosen = [choose_arm("0123456789abcdef", f"visitor-{n}", HALVES) for n in range(8)]

    assert [one.arm for one in chosen if one] == list("BAABAAAB")


def test_shares_are_kept_and_told_as_propensities() -> None:
    arms = (ArmWeight("A", 70), ArmWeight("B", 20), ArmWeight("none", 0), ArmWeight("C", 10))
    chosen = [choose_arm("seed", f"v{n}", arms) for n in range(20_000)]

    counts = Counter(one for one in chosen)
    assert set(counts) == {Chosen("A", 0.7), Chosen("B", 0.2), Chosen("C", 0.1)}
    for one, count in counts.items():
        assert one is not None and abs(count / 20_000 - one.propensity) < 0.015


def test_more_coverage_moves_nobody() -> None:
    units = [f"v{n}" for n in range(5_000)]
    inside = {unit: choose_arm("s", unit, HALVES, 0.1) for unit in units}
    wider = {unit: choose_arm("s", unit, HALVES, 0.5) for unit in units}

    assert all(wider[unit] == chosen for unit, chosen in inside.items() if chosen)
    assert 400 < sum(chosen is not None for chosen in inside.values()) < 600
    assert 2_350 < sum(chosen is not None for chosen in wider.values()) < 2_650


def test_taking_part_says_nothing_about_the_arm() -> None:
    arms = [ArmWeight(str(n), 1) for n in range(10)]
    chosen = [choose_arm("s", f"v{n}", arms, 0.1) for n in range(20_000)]

    counts = Counter(one.arm for one in chosen if one)
    assert len(counts) == 10 and min(counts.values()) > 140 and max(counts.values()) < 260


def test_experiments_with_like_seeds_do_not_depend_on_each_other() -> None:
    pairs: Counter[tuple[str, str]] = Counter()
    for number in range(20_000):
        first = choose_arm("exp-1", f"v{number}", HALVES)
        second = choose_arm("exp-2", f"v{number}", HALVES)
        assert first and second
        pairs[first.arm, second.arm] += 1

    assert len(pairs) == 4 and min(pairs.values()) > 4_700 and max(pairs.values()) < 5_300


def test_shares_that_add_up_to_a_hair_below_one_still_reach_the_last_arm() -> None:
    arms = [ArmWeight(str(n), 0.1) for n in range(10)]

    assert all(choose_arm("s", f"v{n}", arms) for n in range(30_000))
    assert choose_variation(0.9999, bucket_ranges(3, 1.0, [0.3333, 0.3333, 0.3333])) == -1


def test_without_weight_or_coverage_nobody_takes_part() -> None:
    assert choose_arm("s", "v", []) is None
    assert choose_arm("s", "v", [ArmWeight("A", 0)]) is None
    assert all(choose_arm("s", f"v{n}", HALVES, 0.0) is None for n in range(1000))


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    with pytest.raises(ValueError):
        choose_arm("s", "v", [ArmWeight("A", 1), ArmWeight("B", weight)])

"""Tests of engine.bucketing: GrowthBook's published vectors, its SDK, and our own promises."""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from typing import Any

import growthbook.core as sdk
import pytest
from growthbook import Experiment, GrowthBook

from engine.bucketing import (
    ArmWeight,
    Chosen,
    Filter,
    Prerequisite,
    Ran,
    Trial,
    Visit,
    bucket_ranges,
    choose_arm,
    choose_variation,
    equal_weights,
    fnv1a32,
    hash_value,
    in_namespace,
    lets_through,
    query_string_override,
    remembered,
    run,
)
from tests.shared_data import shared_file

HALVES = (ArmWeight("A", 1), ArmWeight("B", 1))


@pytest.fixture(scope="module")
def vectors() -> dict[str, list[Any]]:
    path = shared_file("growthbook-cases.json")
    cases: dict[str, list[Any]] = json.loads(path.read_text(encoding="utf-8"))
    return cases


def trial_of(written: dict[str, Any]) -> Trial:
    """An experiment of the specification in our words."""
    ranges = written.get("ranges")
    filters = written.get("filters")
    return Trial(
        key=written["key"],
        variations=len(written["variations"]),
        seed=written.get("seed"),
        version=written.get("hashVersion", 1),
        attribute=written.get("hashAttribute", "id"),
        fallback=written.get("fallbackAttribute"),
        active=written.get("active", True),
        forced=written.get("force"),
        coverage=written.get("coverage", 1.0),
        weights=tuple(written["weights"]) if "weights" in written else None,
        ranges=ranges and tuple((start, end) for start, end in ranges),
        filters=filters and tuple(filter_of(one) for one in filters),
        namespace=tuple(written["namespace"]) if "namespace" in written else None,
        condition=written.get("condition", {}),
        prerequisites=tuple(
            Prerequisite(one["id"], one["condition"]) for one in written.get("parentConditions", [])
        ),
        names=tuple(one["key"] for one in written.get("meta", [])),
        sticky="stickyBuckets" in written and not written.get("disableStickyBucketing"),
        bucket_version=written.get("bucketVersion", 0),
        oldest_version=written.get("minBucketVersion", 0),
    )


def filter_of(written: dict[str, Any]) -> Filter:
    ranges = tuple((start, end) for start, end in written["ranges"])
    return Filter(written["seed"], ranges, written.get("attribute", "id"))


def visit_of(written: dict[str, Any], stored: dict[str, dict[str, str]] | None = None) -> Visit:
    """The context of the specification in our words."""
    return Visit(
        attributes=written.get("attributes", {}),
        url=written.get("url", ""),
        enabled=written.get("enabled", True),
        only_forced=written.get("qaMode", False),
        forced=written.get("forcedVariations", {}),
        flags={k: v["defaultValue"] for k, v in written.get("features", {}).items()},
        groups=written.get("savedGroups", {}),
        stored=stored or {},
    )


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


def test_the_runs_are_the_published_ones(vectors: dict[str, list[Any]]) -> None:
    assert len(vectors["run"]) == 73
    for name, context, experiment, value, takes_part, by_hash in vectors["run"]:
        ran = run(trial_of(experiment), visit_of(context))
        chosen = experiment["variations"][ran.variation]
        assert (chosen, ran.takes_part, ran.by_hash) == (value, takes_part, by_hash), name


def test_the_sticky_buckets_are_the_published_ones(vectors: dict[str, list[Any]]) -> None:
    assert len(vectors["stickyBucket"]) == 13
    for name, context, documents, feature, expected, after in vectors["stickyBucket"]:
        rule = context["features"][feature]["rules"][0]
        trial = trial_of({"key": feature, "stickyBuckets": True, **rule})
        known = context["attributes"]
        stored = {
            f"{one['attributeName']}||{one['attributeValue']}": one["assignments"]
            for one in documents
            if known.get(one["attributeName"]) == one["attributeValue"]
        }
        visit = visit_of({"attributes": known}, stored)

        ran = run(trial, visit)

        if expected is None:
            assert ran == Ran(0, False, False, ran.attribute, ran.unit), name
        else:
            assert ran.variation == expected["variationId"], name
            assert ran.was_stored == expected["stickyBucketUsed"], name
            assert (ran.attribute, ran.unit) == (
                expected["hashAttribute"],
                expected["hashValue"],
            ), name
            assert ran.place == expected["bucket"], name
        assert remembered(trial, visit, ran) == {
            key: document["assignments"] for key, document in after.items()
        }, name


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


def random_trial(chance: random.Random) -> dict[str, Any]:
    """An experiment as somebody might write it, with most parts left out."""

    def ranges(count: int) -> list[tuple[float, float]]:
        return [tuple(sorted((chance.random(), chance.random()))) for _ in range(count)]

    count = chance.randint(1, 5)
    weights = [chance.random() for _ in range(count)]
    parts: dict[str, Any] = {
        "seed": chance.choice(["", "s-ä", "🎉"]),
        "hashVersion": chance.choice([1, 2, 9]),
        "hashAttribute": chance.choice(["id", "company", "nobody"]),
        "active": chance.random() < 0.8,
        "force": chance.randint(-1, 5),
        "coverage": chance.random(),
        "weights": [weight / sum(weights) for weight in weights],
        "ranges": ranges(count),
        "filters": [
            {"seed": "f", "ranges": ranges(2), "attribute": name, "hashVersion": 2}
            for name in chance.choice([["id"], ["id", "company"], ["nobody"]])
        ],
        "namespace": ["pricing", *ranges(1)[0]],
        "condition": chance.choice(
            [{"browser": "firefox"}, {"age": {"$gt": 30}}, {"$or": [{"age": 8}, {"vip": True}]}]
        ),
    }
    kept = {name: part for name, part in parts.items() if chance.random() < 0.3}
    return {"key": f"trial-{chance.randint(0, 3)}", "variations": list(range(count)), **kept}


def random_context(chance: random.Random) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "id": chance.choice(["", f"v{chance.random()}", "ünïcode 👩‍🚀", chance.randint(0, 9)]),
        "company": f"c{chance.randint(0, 99)}",
        "browser": chance.choice(["firefox", "chrome"]),
        # No texts here: the published SDK compares "40" with 30 otherwise than its own vectors.
        "age": chance.choice([8, 31, 40]),
        "vip": chance.random() < 0.5,
    }
    context: dict[str, Any] = {"attributes": attributes}
    if chance.random() < 0.1:
        context["url"] = f"https://x.example/?trial-1={chance.randint(0, 6)}"
    if chance.random() < 0.1:
        context["forcedVariations"] = {"trial-2": chance.randint(0, 5)}
    return context | {"enabled": chance.random() < 0.95, "qaMode": chance.random() < 0.05}


def compare_runs(seed: int, count: int) -> int:
    """How many of so many random experiments and visitors our run and the SDK's see otherwise."""
    chance = random.Random(seed)
    differences = 0
    for _ in range(count):
        written, context = random_trial(chance), random_context(chance)
        theirs = GrowthBook(
            attributes=context["attributes"],
            url=context.get("url", ""),
            enabled=context["enabled"],
            qa_mode=context["qaMode"],
            forced_variations=context.get("forcedVariations", {}),
        ).run(Experiment(**written))
        ours = run(trial_of(written), visit_of(context))
        same = (ours.variation, ours.takes_part, ours.by_hash) == (
            theirs.variationId,
            theirs.inExperiment,
            theirs.hashUsed,
        )
        differences += not (same and ours.place == theirs.bucket)
    return differences


def test_random_experiments_run_as_in_the_published_sdk() -> None:
    assert compare_runs(5, 2_000) == 0


@pytest.mark.nightly
def test_20_000_random_experiments_run_as_in_the_published_sdk() -> None:
    assert compare_runs(6, 20_000) == 0


def test_a_stored_variation_outlives_new_weights_and_new_targeting() -> None:
    trial = Trial("t", 2, sticky=True, version=2)
    visit = Visit({"id": "v"})
    stored = remembered(trial, visit, run(trial, visit))
    first = run(trial, visit).variation

    other_way = tuple(float(index != first) for index in range(2))
    edited = dataclasses.replace(trial, weights=other_way, condition={"browser": "lynx"})

    assert run(edited, dataclasses.replace(visit, stored=stored)).variation == first
    assert run(edited, dataclasses.replace(visit, stored=stored)).was_stored
    assert not run(edited, visit).takes_part


def test_a_stored_name_that_no_variation_has_any_more_is_forgotten() -> None:
    visit = Visit({"id": "v"}, stored={"id||v": {"t__0": "gone"}})

    ran = run(Trial("t", 2, sticky=True, names=("a", "b")), visit)

    assert ran.takes_part and not ran.was_stored


def test_who_has_not_signed_in_is_known_by_what_stands_in_for_that() -> None:
    trial = Trial("t", 2, attribute="user", fallback="id", sticky=True)

    assert run(trial, Visit({"id": "v"})).unit == "v"
    assert run(trial, Visit({"id": "v", "user": "u"})).unit == "u"
    assert not run(dataclasses.replace(trial, sticky=False), Visit({"id": "v"})).takes_part


def test_without_stickiness_nothing_is_remembered() -> None:
    visit = Visit({"id": "v"})

    assert remembered(Trial("t", 2), visit, run(Trial("t", 2), visit)) == {}


def test_a_holdout_keeps_its_share_out_of_every_experiment() -> None:
    # 5 % of the visitors are kept out, the same ones whatever the experiment's own seed.
    holdout = Filter("holdout-seed", ((0.05, 1.0),))
    units = [f"v{number}" for number in range(10_000)]

    kept_out = {unit for unit in units if not lets_through(holdout, unit)}

    assert 420 < len(kept_out) < 580
    for seed in ("one", "two"):
        trial = Trial("t", 2, seed=seed, version=2, filters=(holdout,))
        outside = {unit for unit in units if not run(trial, Visit({"id": unit})).takes_part}
        assert outside == kept_out


def test_experiments_of_one_exclusion_group_share_nobody() -> None:
    first = Filter("group-seed", ((0.0, 0.5),))
    second = Filter("group-seed", ((0.5, 1.0),))

    for number in range(3_000):
        assert lets_through(first, f"v{number}") != lets_through(second, f"v{number}")


def test_a_filter_of_an_unknown_version_lets_nobody_through() -> None:
    assert not lets_through(Filter("s", ((0.0, 1.0),), version=9), "v")


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

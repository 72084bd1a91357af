"""Tests of engine.targeting: GrowthBook's published vectors, and what they leave open."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.targeting import (
    LONGEST_PATTERN,
    LONGEST_SUBJECT,
    OPERATORS,
    is_met,
    padded_version,
)
from tests.shared_data import shared_file

VISITOR: dict[str, Any] = {
    "utm": {"source": "google_ads", "campaign": "Diwali"},
    "locale": "en-IN",
    "returning": True,
    "visits": 3,
    "score": 12.0,
    "tags": ["retail", "mumbai"],
    "pages": [{"path": "/pricing", "seconds": 40}, {"path": "/", "seconds": 3}],
}


def test_the_conditions_are_the_published_ones() -> None:
    cases = json.loads(shared_file("growthbook-cases.json").read_text(encoding="utf-8"))

    assert len(cases["evalCondition"]) == 248
    for name, condition, known, expected, *groups in cases["evalCondition"]:
        assert is_met(condition, known, groups[0] if groups else None) == expected, name


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, True),
        ({"utm.source": "google_ads", "locale": {"$regex": "^en"}}, True),
        ({"utm.source": {"$ini": ["GOOGLE_ADS"]}, "returning": False}, False),
        ({"utm.campaign": {"$eq": "diwali"}}, False),
        ({"visits": {"$gte": 3, "$lt": 4}}, True),
        ({"visits": {"$gt": "many"}}, False),
        ({"visits": {"$lt": "many"}}, False),
        ({"visits": 3.0}, True),
        ({"visits": "3"}, True),
        ({"score": "12"}, True),
        ({"returning": "true"}, True),
        ({"returning": {"$eq": 1}}, False),
        ({"missing": {"$lt": 1}}, True),
        ({"missing": {"$exists": False}}, True),
        ({"missing": "null"}, True),
        ({"tags": {"$gt": 1}}, False),
        ({"tags": {"$all": ["retail"], "$size": 2}}, True),
        ({"tags": {"$alli": ["RETAIL", "Mumbai"]}}, True),
        ({"tags": {"$elemMatch": "retail"}}, False),
        ({"pages": {"$elemMatch": {"path": "/pricing", "seconds": {"$gt": 30}}}}, True),
        ({"pages": {"$elemMatch": {"path": "/", "seconds": {"$gt": 30}}}}, False),
        ({"locale": {"$notRegex": "^de", "$notRegexi": "^EN-us"}}, True),
        ({"locale": {"$notRegexi": "^EN-in"}}, False),
        ({"utm": {"source": "google_ads", "campaign": "Diwali"}}, True),
        ({"utm": {}}, False),
        ({"tags": ["retail", "mumbai"]}, True),
        ({"tags": {"$in": ["mumbai"], "$nin": ["delhi"], "$nini": ["DELHI"]}}, True),
        ({"tags": {"$size": {"$gt": 2}}}, False),
        ({"locale": {"$size": 5}}, False),
        ({"locale": {"$type": "string"}, "visits": {"$type": "number"}}, True),
        ({"$not": "no condition"}, True),
        ({"$or": "no list"}, True),
        ({"$nor": [{"visits": 1}, {"visits": 2}]}, True),
        ({"locale": {"$near": "en"}}, False),
    ],
)
def test_a_condition_over_a_visitor(condition: dict[str, Any], expected: bool) -> None:
    assert is_met(condition, VISITOR) is expected


def test_what_json_does_not_know_has_no_type() -> None:
    assert not is_met({"when": {"$type": "string"}}, {"when": object()})


def test_nothing_is_known_of_a_visitor_who_is_no_mapping() -> None:
    assert not is_met({"locale": "en"}, None)
    assert is_met({"locale": None}, "text")


@pytest.mark.parametrize(
    ("earlier", "later"),
    [("1.2.9", "1.2.10"), ("2.0.0-beta", "2.0.0"), ("v1.9", "v2.0"), ("1.0.0-alpha", "1.0.0-beta")],
)
def test_versions_sort_as_versions(earlier: str, later: str) -> None:
    assert padded_version(earlier) < padded_version(later)
    assert is_met({"app": {"$vgt": earlier, "$vne": earlier, "$vlte": later}}, {"app": later})


def test_a_version_that_is_none_counts_as_zero() -> None:
    assert padded_version(None) == padded_version("0") == padded_version("")
    assert padded_version(3) == padded_version("3")


def test_a_pattern_that_is_too_long_matches_nothing() -> None:
    assert is_met({"locale": {"$regex": "e" * LONGEST_PATTERN + "*"}}, {"locale": "e"}) is False
    assert is_met({"q": {"$regex": "z$"}}, {"q": "a" * LONGEST_SUBJECT + "z"}) is False


def test_every_operator_of_the_vectors_is_known() -> None:
    assert {"$eq", "$elemMatch", "$vgte", "$inGroup", "$notRegexi"} <= OPERATORS
    assert "$near" not in OPERATORS


@pytest.mark.parametrize("broken", ["(", "e" * (LONGEST_PATTERN + 1)])
def test_a_pattern_that_cannot_be_read_matches_nothing(broken: str) -> None:
    assert not is_met({"locale": {"$regex": broken}}, {"locale": broken})


def test_what_is_no_list_has_no_size_and_no_elements() -> None:
    for operator in ({"$size": 1}, {"$all": ["a"]}, {"$elemMatch": {"$eq": "a"}}):
        assert is_met({"tags": operator}, {"tags": ["a"]})
        assert not is_met({"tags": operator}, {"tags": "a"})
    assert is_met({"tags": {"$elemMatch": {"size": 3}}}, {"tags": [{"size": 3}]})
    assert not is_met({"tags": {"$elemMatch": "a"}}, {"tags": ["a"]})


def test_none_of_some_conditions_is_the_opposite_of_one_of_them() -> None:
    some = [{"locale": "en"}, {"locale": "hi"}]

    for locale, is_one in (("de", False), ("hi", True)):
        assert is_met({"$or": some}, {"locale": locale}) is is_one
        assert is_met({"$nor": some}, {"locale": locale}) is not is_one
        assert is_met({"$and": some}, {"locale": locale}) is False


def test_texts_become_numbers_as_in_javascript() -> None:
    assert is_met({"n": {"$gt": 5}}, {"n": "8"})
    assert not is_met({"n": {"$gt": 5}}, {"n": "many"})
    assert not is_met({"n": {"$gt": 5}}, {"n": ["8"]})


def test_nothing_counts_as_zero() -> None:
    for nothing in (None, ""):
        assert is_met({"n": {"$lt": 1}}, {"n": nothing}) and is_met({"n": 0}, {"n": nothing})


def test_the_type_of_nothing_is_null() -> None:
    assert is_met({"n": {"$type": "null"}}, {}) and is_met({"n": {"$type": "boolean"}}, {"n": True})


def test_two_texts_compare_as_texts() -> None:
    assert is_met({"a": {"$gt": "10"}}, {"a": "9"}) and not is_met({"a": {"$gt": 10}}, {"a": "9"})

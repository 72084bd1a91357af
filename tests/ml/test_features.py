"""Columns become features: kinds inferred, the useless named, the unseen and the missing taken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from errors import Invalid
from ml import benchmark
from ml.features import (
    OTHER,
    Choice,
    Encoding,
    Kind,
    Stage,
    frame_of,
    label_of,
    learn_encoding,
    points_only,
)

ROWS = 200
WON = np.arange(ROWS) % 3 == 0
CHOICE = Choice(detect_leaks=False)


def learned(choice: Choice = CHOICE, **columns: list[Any]) -> Encoding:
    """The encoding of these columns."""
    return learn_encoding(columns, WON.astype(np.int64), choice)


def cycle(*values: Any) -> list[Any]:
    """The values again and again, one for each row."""
    return [values[number % len(values)] for number in range(ROWS)]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (cycle(1, 2.5, 7), Kind.NUMBER),
        (cycle("1", "2.5", None), Kind.NUMBER),
        (cycle(True, False), Kind.CATEGORY),
        (cycle("red", "blue", ""), Kind.CATEGORY),
        (cycle(["a", "b"], ["a"], None), Kind.LIST),
        ([f"A long remark number {n} that nobody else has made" for n in range(ROWS)], Kind.TEXT),
    ],
)
def test_the_kind_of_a_custom_column_is_inferred(values: list[Any], kind: Kind) -> None:
    (feature,) = learned(thing=values).features

    assert feature.kind is kind and feature.custom


def test_a_date_counts_the_days_back_from_the_rows_moment() -> None:
    days = cycle("2026-01-01", "2026-01-11")
    encoding = learned(as_of=[date(2026, 1, 21)] * ROWS, renewed=days)

    assert encoding.features[0].kind is Kind.DATE
    assert encoding.row({"as_of": "2026-01-21T10:00:00Z", "renewed": "2026-01-01"}) == [20.0]
    assert "without the moment" in learned(renewed=days).left_out["renewed"]


def test_rare_values_are_pooled_and_unseen_ones_join_them() -> None:
    values = ["a"] * 100 + ["b"] * 80 + [f"rare {number}" for number in range(20)]
    encoding = learned(kind=values)

    assert encoding.features[0].levels == ("a", "b", OTHER)
    assert encoding.row({"kind": "never seen"})[0] == encoding.row({"kind": "rare 3"})[0] == 2.0


def test_an_unseen_value_is_missing_where_nothing_was_pooled() -> None:
    encoding = learned(kind=cycle("a", "b"))

    assert np.isnan(encoding.row({"kind": "c"})[0])
    assert np.isnan(encoding.row({})[0])


def test_ten_thousand_categories_keep_the_frequent_or_go() -> None:
    many = [f"c{number}" for number in range(10_000)]
    won = (np.arange(20_000) % 2).astype(np.int64)
    frame = {"some": many + ["x", "y"] * 5_000, "all": [it for it in many for _ in "ab"]}

    encoding = learn_encoding(frame, won, CHOICE)

    assert encoding.features[0].levels == ("x", "y", OTHER)
    assert "10,000 values" in encoding.left_out["all"]


def test_useless_columns_are_named_with_the_reason() -> None:
    left_out = learned(
        same=["x"] * ROWS,
        empty=[None] * ROWS,
        row_number=list(range(ROWS)),
        code=[f"k{number:04}" for number in range(ROWS)],
        lead_score=cycle(1, 2, 3),
        email=cycle("a@example.com", "b@example.com"),
        weekday=cycle("mon", "tue"),
        last_call_seconds=cycle(10, 20),
    ).left_out

    assert left_out["same"].startswith("it is the same in every row")
    assert left_out["empty"] == "it is empty"
    assert left_out["row_number"].startswith("it numbers the rows")
    assert left_out["code"].startswith("it names the rows")
    assert "outcome" in left_out["lead_score"]
    assert "who this is" in left_out["email"]
    assert "calendar" in left_out["weekday"]
    assert "after the first contact" in left_out["last_call_seconds"]


def test_infinities_and_mixed_values_count_as_missing_and_are_mentioned() -> None:
    encoding = learned(size=[*cycle(1.0, 2.0)[:-3], float("inf"), "many", float("nan")])

    assert "size: 2 values are no finite number" in encoding.notes[0]
    assert np.isnan(encoding.matrix({"size": [float("inf"), "many", None, 10**400]})).all()


def test_the_model_after_contact_may_know_of_calls() -> None:
    choice = Choice(stage=Stage.AFTER_CONTACT, detect_leaks=False)

    encoding = learned(choice, last_call_seconds=cycle(10, 20, 300))

    assert [it.name for it in encoding.features] == ["last_call_seconds"]
    assert encoding.stage is Stage.AFTER_CONTACT


def test_a_person_may_keep_or_drop_any_column() -> None:
    choice = Choice(keep=frozenset({"month"}), drop=frozenset({"size"}), detect_leaks=False)

    encoding = learned(choice, month=cycle("may", "june"), size=cycle(1, 2, 3))

    assert [it.name for it in encoding.features] == ["month"]
    assert encoding.left_out["size"] == "a person left it out"


def test_lists_become_a_count_and_their_frequent_items() -> None:
    encoding = learned(features_interested=cycle(["Billing", "QR"], ["QR"], []))

    assert [column.item for column in encoding.columns] == ["", "QR", "Billing"]
    assert encoding.row({"features_interested": ["QR", "New"]}).tolist() == [2.0, 1.0, 0.0]
    assert {column.feature for column in encoding.columns} == {0}


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(Invalid, match="one value for each of the 200 outcomes"):
        learned(size=[1, 2, 3])


def test_an_encoding_survives_as_plain_data() -> None:
    encoding = learned(size=cycle(1, 2, 3), kind=cycle("a", "b"), same=["x"] * ROWS)

    assert Encoding.from_plain(encoding.plain()) == encoding


def test_rows_become_columns_with_gaps() -> None:
    assert frame_of([{"a": 1}, {"b": 2}]) == {"a": [1, None], "b": [None, 2]}


def test_the_fallback_reads_points_alone() -> None:
    assert [it.name for it in points_only(["size", "points.demo"]).features] == ["points.demo"]
    assert [it.name for it in points_only([]).features] == ["points"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("answer.business_type", "Business type"),
        ("points.demo_requested", "Points: demo requested"),
        ("has_phone", "Has phone"),
        ("PageValues", "Page values"),
        ("utm_source", "Source"),
        ("answer.staff_size.seconds", "Seconds to answer “staff size”"),
        ("behavior.clicked_product.hours_since", "Hours since: clicked product"),
        ("activity.last_outcome", "What came of the last contact"),
    ],
)
def test_a_column_is_called_what_a_person_calls_it(name: str, label: str) -> None:
    assert label_of(name) == label


def test_a_copy_of_the_outcome_is_found_even_with_some_noise() -> None:
    paid = WON.copy()
    paid[17] = not paid[17]
    columns = {"paid": ["yes" if it else "no" for it in paid], "size": cycle(1, 2, 3, 5)}

    left_out = learned(Choice(), **columns).left_out

    assert set(left_out) == {"paid"}
    assert "nearly a copy of the outcome" in left_out["paid"]


def test_an_honest_strong_column_of_ours_stays() -> None:
    rng = np.random.default_rng(0)
    visits = (WON * 3 + rng.poisson(2, ROWS)).tolist()

    assert learned(Choice(), website_visits=visits).left_out == {}


def test_what_leaks_in_public_data_is_found_and_nothing_else(
    public: Callable[[str], benchmark.Dataset],
) -> None:
    for name, leak in (("bank", "duration"), ("shop", "PageValues")):
        whole = public(name)
        data = whole.rows(np.random.default_rng(1).permutation(len(whole.won))[:3_000])

        encoding = learn_encoding(data.columns, data.won, Choice(calendar=True))

        assert set(encoding.left_out) == {leak}
        assert "keep it if it is known before" in encoding.left_out[leak]

"""Conditions as rows of a form: every tree that fits comes back, a button changes one row."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from web.console.condition_form import (
    DEEPEST,
    Row,
    changed,
    condition_of,
    places,
    row_of,
    tree_of,
    typed_tree,
)

_LEAVES = some.one_of(
    some.fixed_dictionaries(
        {
            "subject": some.sampled_from(("answer:staff_size", "utm:source")),
            "op": some.sampled_from(("eq", "ne", "contains")),
            "value": some.sampled_from(("a", "2–5", "")),
        }
    ),
    some.fixed_dictionaries(
        {
            "subject": some.just("score"),
            "op": some.sampled_from(("gt", "lte", "eq")),
            "value": some.integers(-99, 99),
        }
    ),
    some.fixed_dictionaries(
        {
            "subject": some.just("answer:location"),
            "op": some.sampled_from(("in", "not_in")),
            "value": some.lists(some.sampled_from(("a", "b c")), min_size=1, max_size=3),
        }
    ),
    some.fixed_dictionaries(
        {"subject": some.just("answer:location"), "op": some.sampled_from(("answered", "skipped"))}
    ),
)


def _groups(inner: Any) -> Any:
    def group(word: str, parts: list[Any]) -> dict[str, Any]:
        return {word: parts}

    several = some.builds(
        group, some.sampled_from(("all", "any")), some.lists(inner, min_size=2, max_size=3)
    )
    return several | some.builds(lambda part: {"not": part}, several)


_SHALLOW = _LEAVES | _groups(_LEAVES | _groups(_LEAVES))


@given(_SHALLOW)
def test_a_condition_comes_back_from_its_form_as_it_was(condition: Any) -> None:
    whole = tree_of(condition)

    assert whole is not None
    assert condition_of(typed_tree(_fields(whole), whole.word)) == condition


@given(_SHALLOW)
def test_each_row_knows_its_place(condition: Any) -> None:
    whole = tree_of(condition)
    assert whole is not None

    for place, key in places(whole):
        said = _at(condition, place)
        row = _row(whole, key)
        if not row.word:
            assert (said["subject"], said["op"]) == (row.subject, row.op)


@pytest.mark.parametrize(
    "strange",
    ["text", 3, [], {}, {"all": []}, {"all": "x"}, {"subject": "score", "else": 1}, {"any": [3]}],
)
def test_what_is_no_condition_has_no_rows(strange: Any) -> None:
    assert tree_of(strange) is None


def test_a_condition_deeper_than_the_form_has_no_rows() -> None:
    leaf = {"subject": "score", "op": "gt", "value": 1}
    deep: Any = leaf
    for _ in range(DEEPEST + 1):
        deep = {"all": [deep, leaf]}
    assert tree_of(deep) is not None
    assert tree_of({"any": [deep, leaf]}) is None


def test_empty_rows_say_nothing() -> None:
    whole = typed_tree({"0": {"subject": ""}, "1": {"group": "any"}, "1_0": {"subject": ""}}, "all")

    assert condition_of(whole) is None
    assert len(whole.rows) == 2


def test_buttons_add_and_remove_rows_where_they_stand() -> None:
    whole = typed_tree({"0": {"subject": "score", "op": "gt", "value": "5"}}, "any")

    grouped = changed(whole, "group ")
    assert [row.key for row in grouped.rows] == ["0", "1"]
    assert [row.key for row in grouped.rows[1].rows] == ["1_0", "1_1"]
    more = changed(grouped, "add 1")
    assert [row.key for row in more.rows[1].rows] == ["1_0", "1_1", "1_2"]
    less = changed(more, "remove 0")
    assert [row.key for row in less.rows] == ["0"] and less.rows[0].word == "any"
    assert [row.key for row in less.rows[0].rows] == ["0_0", "0_1", "0_2"]
    assert changed(less, "nonsense 0") == less
    assert changed(less, "remove 7_7") == less


def test_groups_are_not_put_deeper_than_people_read() -> None:
    whole = Row(word="all")
    key = ""
    for _ in range(DEEPEST + 3):
        whole = changed(whole, f"group {key}")
        key = f"{key}_{len(_row(whole, key).rows) - 1}".lstrip("_")

    assert tree_of(condition_of(_filled(whole))) is not None


def test_a_sentence_finds_the_innermost_row() -> None:
    keys = {"show_if.all[1]": "1", "show_if.all[1].any[0]": "1_0"}

    assert row_of("show_if.all[1].any[0].value", keys) == "if-1_0"
    assert row_of("show_if.all[1].any", keys) == "if-1"
    assert row_of("show_if", keys) == ""
    assert row_of("options[1].value", keys) == ""


def _fields(group: Row) -> dict[str, dict[str, str]]:
    """What a browser would send of these rows."""
    found: dict[str, dict[str, str]] = {}
    for row in group.rows:
        if row.word:
            found[row.key] = {"group": row.word}
            found |= _fields(row)
        else:
            found[row.key] = {"subject": row.subject, "op": row.op, "value": row.value}
    return found


def _row(group: Row, key: str) -> Row:
    if group.key == key:
        return group
    inner = [one for one in group.rows if key == one.key or key.startswith(f"{one.key}_")]
    return _row(inner[0], key) if inner else group


def _filled(group: Row) -> Row:
    """The rows, with something said in each."""
    rows = tuple(
        _filled(row) if row.word else Row(row.key, "score", "gt", "1") for row in group.rows
    )
    return Row(group.key, word=group.word, rows=rows)


def _at(condition: Any, place: str) -> Any:
    for step in place.removeprefix("show_if").replace("[", ".").replace("]", "").split("."):
        if step:
            condition = condition[int(step)] if step.isdigit() else condition[step]
    return condition

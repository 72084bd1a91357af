"""What is known of a visitor, and which conditions over it can be put to work."""

from __future__ import annotations

from typing import Any

import pytest

from engine.targeting import LONGEST_PATTERN
from engine.visitors import ATTRIBUTES, condition_problems, device_of, visitor_attributes

VISIT = {"landing_page": "https://shop.example/a/b?c", "locale": "pt_BR", "utm_source": "news"}


def test_a_visit_is_told_by_all_its_attributes() -> None:
    known = visitor_attributes(VISIT, "Mozilla/5.0 (Linux; Android 14) Mobile")

    assert set(known) == set(ATTRIBUTES)
    assert (known["path"], known["language"], known["device"]) == ("/a/b", "pt", "mobile")
    assert (known["utm_source"], known["utm_medium"]) == ("news", None)


def test_what_nobody_told_is_not_known() -> None:
    known = visitor_attributes({})

    assert {known[name] for name in ("path", "locale", "language", "device")} == {None}
    assert visitor_attributes({"landing_page": "https://[broken"})["path"] is None


def test_a_program_without_a_sign_is_taken_for_a_desktop() -> None:
    assert device_of("curl/8.5") == device_of("") == "desktop"


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"device": "mobile"},
        {"locale": {"$in": ["hi", "en"]}, "$or": [{"path": {"$regex": "^/shop"}}, {}]},
        {"$not": {"language": {"$not": {"$eq": "de"}}}},
    ],
)
def test_a_good_condition_has_no_problems(condition: dict[str, Any]) -> None:
    assert list(condition_problems(condition)) == []


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("everybody", "is an object"),
        ({"$and": ["x"]}, "is an object"),
        ({"$or": {"shoe_size": 43}}, "'shoe_size' is not known"),
        ({"$not": {"shoe_size": 43}}, "'shoe_size' is not known"),
        ({"path": {"$like": "x"}}, "'$like' is no comparison"),
        ({"path": {"$not": {"$like": "x"}}}, "'$like' is no comparison"),
        ({"path": {"$all": [{"$like": "x"}]}}, "'$like' is no comparison"),
        ({"path": {"$regex": 7}}, "is no pattern"),
        ({"path": {"$regex": "("}}, "is no pattern"),
        ({"path": {"$notRegexi": "x" * (LONGEST_PATTERN + 1)}}, "is no pattern"),
        # What takes minutes on a text that a stranger may choose.
        ({"path": {"$regex": "(a+)+$"}}, "is no pattern"),
        ({"path": {"$regexi": "a*b*c*d"}}, "is no pattern"),
    ],
)
def test_a_condition_that_cannot_work_is_told_in_words(condition: Any, words: str) -> None:
    problems = list(condition_problems(condition))

    assert len(problems) == 1 and words in problems[0]

"""Tests of engine.matching: what is certain, what is asked again, and what is no contact."""

from __future__ import annotations

import time

import pytest

from engine.matching import Match, OptionWords, Phone, match_option, parse_email, parse_phone
from engine.matching import split_choices

BUSINESS = (
    OptionWords(
        "restaurant", ("Restaurant", "مطعم", "レストラン"), ("cafe", "coffee shop", "food")
    ),
    OptionWords("retail", ("Retail Store",), ("shop", "store", "retail")),
    OptionWords("service", ("Service Business",), ("salon", "services", "IT")),
    OptionWords("ecommerce", ("E-commerce",), ("online store", "online shop", "webshop")),
    OptionWords("other", ("Other",), ("something else",)),
)
STAFF = (
    OptionWords("1", ("Just me",), ("only me", "1", "solo")),
    OptionWords("2", ("2–5",)),
    OptionWords("6", ("6–20",)),
    OptionWords("21", ("21–50",)),
    OptionWords("50", ("50+",)),
)
SALES = (
    OptionWords("a", ("Under ₹50K",)),
    OptionWords("b", ("₹50K–₹2L",)),
    OptionWords("c", ("₹2L–₹10L",)),
    OptionWords("d", ("Over ₹10L",)),
)
ACTIONS = (OptionWords("demo", ("Book a demo",)), OptionWords("talk", ("Talk to sales",)))
RATING = tuple(OptionWords(str(n), (str(n),)) for n in range(1, 6))


@pytest.mark.parametrize(
    ("text", "options", "id_"),
    [("Restaurant", BUSINESS, "restaurant"), ("  retail  STORE ", BUSINESS, "retail")]
    + [("E–commerce", BUSINESS, "ecommerce"), ("مطعم", BUSINESS, "restaurant")]
    + [("2-5", STAFF, "2"), ("2–5", STAFF, "2"), ("２－５", STAFF, "2"), ("50+", STAFF, "50")]
    + [("₹50K-₹2L", SALES, "b"), ("Other", BUSINESS, "other"), ("3", RATING, "3")],
)
def test_a_label_is_exact(text: str, options: tuple[OptionWords, ...], id_: str) -> None:
    assert match_option(text, options) == Match(id_, exact=True)


@pytest.mark.parametrize(
    ("text", "options", "id_"),
    [("café".replace("é", "e"), BUSINESS, "restaurant"), ("Shop", BUSINESS, "retail")]
    + [("it", BUSINESS, "service"), ("something else", BUSINESS, "other"), ("solo", STAFF, "1")]
    # Slips of the finger, plurals, another spelling.
    + [("restraunt", BUSINESS, "restaurant"), ("Restaurants!", BUSINESS, "restaurant")]
    + [("resturant", BUSINESS, "restaurant"), ("retail stroe", BUSINESS, "retail")]
    + [("retial store", BUSINESS, "retail"), ("shops", BUSINESS, "retail")]
    + [("ecommerce", BUSINESS, "ecommerce"), ("e commerce", BUSINESS, "ecommerce")]
    + [("web shop", BUSINESS, "ecommerce"), ("E-comerce", BUSINESS, "ecommerce")]
    # Inside a sentence; the longer words explain the shorter.
    + [("I run a small restaurant", BUSINESS, "restaurant"), ("it is just me", STAFF, "1")]
    + [("we own a little restraunt in Pune", BUSINESS, "restaurant")]
    + [("a coffee shop", BUSINESS, "restaurant"), ("my online shop", BUSINESS, "ecommerce")]
    + [("I run 2 restaurants", BUSINESS, "restaurant"), ("a book a demo b", ACTIONS, "demo")]
    # Numbers in ranges, by counting.
    + [("3", STAFF, "2"), ("25", STAFF, "21"), ("51", STAFF, "50"), ("3-4", STAFF, "2")]
    + [("about 30 people", STAFF, "21"), ("We are 7.", STAFF, "6"), ("2 to 5", STAFF, "2")]
    + [("50 plus", STAFF, "50"), ("50k - 2l", SALES, "b"), ("Rs 50K-Rs 2L", SALES, "b")]
    + [("under 50k", SALES, "a"), ("1", STAFF, "1")],
)
def test_what_can_mean_only_one_option_is_certain_but_not_exact(
    text: str, options: tuple[OptionWords, ...], id_: str
) -> None:
    assert match_option(text, options) == Match(id_)


@pytest.mark.parametrize(
    ("text", "options", "first"),
    [("restore", BUSINESS, "retail"), ("stare", BUSINESS, "retail"), ("restorant", BUSINESS, None)]
    + [("not a restaurant", BUSINESS, "restaurant"), ("a restaurant?", BUSINESS, "restaurant")]
    + [("I don't have a shop", BUSINESS, "retail"), ("restaurant or shop", BUSINESS, None)]
    + [("restaurant and retail store", BUSINESS, None), ("on the other hand", BUSINESS, "other")]
    + [("serious business", BUSINESS, "service"), ("Book a deme", ACTIONS, "demo")]
    + [("50", STAFF, "21"), ("4-8", STAFF, "2"), ("since 2019", STAFF, "50"), ("2,5", STAFF, "2")]
    + [("3?", STAFF, "2"), ("50k", SALES, "b"), ("₹2L–₹1OL", SALES, "c"), ("5 or 6", STAFF, "2")]
    + [
        ("3 4", STAFF, "2"),
        ("-3", STAFF, "2"),
        ("3.5", STAFF, "2"),
        (".5", STAFF, "2"),
        ("restauran7", BUSINESS, "restaurant"),
        ("-3", RATING, None),
    ],
)
def test_what_may_mean_another_is_asked_again(
    text: str, options: tuple[OptionWords, ...], first: str | None
) -> None:
    match = match_option(text, options)

    assert match.option_id is None and not match.exact
    assert 1 <= len(match.suggestions) <= 3
    assert len(set(match.suggestions)) == len(match.suggestions)
    assert first in (None, match.suggestions[0])


def test_one_synonym_of_two_options_is_asked_again() -> None:
    options = (OptionWords("a", ("Apple",), ("fruit",)), OptionWords("b", ("Pear",), ("fruit",)))

    assert match_option("fruit", options) == Match(None, suggestions=("a", "b"))


@pytest.mark.parametrize(
    "text", ["", "   ", "\u200b", "asdf", "????", "👍", "12345678901234", "me"]
)
def test_what_is_near_nothing_has_no_suggestion(text: str) -> None:
    assert match_option(text, STAFF) == Match(None)


def test_digits_are_never_a_slip() -> None:
    years = (OptionWords("a", ("Windows 2019",)), OptionWords("b", ("Windows 2022 server",)))

    for text in ("windows 2018", "windows 209", "windows 2022", "windows 20199"):
        assert match_option(text, years).option_id is None
    assert match_option("windows 2019!", years) == Match("a")


def test_signs_that_change_a_number_count() -> None:
    options = (OptionWords("a", ("10%",)), OptionWords("b", ("<10",)))

    assert match_option("10", options).option_id is None
    assert match_option("10 %", options) == Match("a")


def test_a_long_text_is_asked_again_and_costs_little() -> None:
    long = "We have a restaurant " + "and it is very nice " * 20
    assert match_option(long, BUSINESS) == Match(None, suggestions=("restaurant",))

    many = tuple(OptionWords(str(n), (f"Option number {n}",), ("word",) * 8) for n in range(20))
    started = time.perf_counter()
    for text in ("a " * 150, "ab" * 150, "word " * 60, "x" * 100_000, "1-" * 150, "- " * 9_000):
        match_option(text, many)
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    ("raw", "labels", "choices"),
    [("Billing", (), ["Billing"]), ("Billing, QR Payments ", (), ["Billing", "QR Payments"])]
    + [('["Billing", "A, B"]', (), ["Billing", "A, B"]), ("[1, 2]", (), ["1", "2"])]
    + [("Billing,,billing , ", (), ["Billing"]), ("", (), []), (" , ", (), []), ("[]", (), [])]
    + [("Tax, and more, Billing", ("Tax, and more",), ["Tax, and more", "Billing"])]
    + [("Billing,tax,and more", ("Tax, and more",), ["Billing", "tax", "and more"])]
    + [("A, B, C", ("A, B", "A, B, C"), ["A, B, C"]), ("[not json", (), ["[not json"])]
    + [('[["a"]]', (), ['[["a"]]']), ("[true]", (), ["[true]"]), ('{"a": 1}', (), ['{"a": 1}'])]
    + [('["a\\u0000b\\ud800"]', (), ["ab"])],
)
def test_choices_are_taken_apart(raw: str, labels: tuple[str, ...], choices: list[str]) -> None:
    assert split_choices(raw, labels) == choices


def test_hostile_choices_are_cut_short() -> None:
    started = time.perf_counter()

    assert len(split_choices("[" * 100_000)[0]) == 4000
    assert len(split_choices(",".join(map(str, range(5_000))), ("a,b",) * 50)) == 100
    assert len(split_choices(str(list(range(900))))) == 100
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    ("text", "address"),
    [("john@example.com", "john@example.com"), (" J.Doe+x@Example.COM\n", "J.Doe+x@example.com")]
    + [("ü@münchen.de", "ü@münchen.de"), ("a@b.co.uk", "a@b.co.uk")],
)
def test_an_address_is_put_in_its_normal_form(text: str, address: str) -> None:
    assert parse_email(text, allow_test=False) == address


@pytest.mark.parametrize(
    "text",
    ["", "@", "john", "john@", "@example.com", "john@example", "a@b@c.de", "a b@example.com"]
    + ["a@localhost", "a@example..com", "a@[127.0.0.1]", "John <john@example.com>", "a@b.invalid"]
    + [
        "a@example.com\r\nBcc: x@y.de",
        "=?utf-8?q?x?=@example.com",
        '"a b"@example.com',
        "a@\ud800.de",
    ]
    + ["a" * 65 + "@example.com", "a@" + "b." * 130 + "com", "x" * 100_000, "a\x00@example.com"],
)
def test_what_cannot_be_an_address_is_none(text: str) -> None:
    assert parse_email(text, allow_test=True) is None


def test_addresses_for_tests_are_taken_only_when_allowed() -> None:
    assert parse_email("a@shop.test", allow_test=True) == "a@shop.test"
    assert parse_email("a@shop.test", allow_test=False) is None


def test_an_address_may_not_grow_past_the_limit() -> None:
    # In its normal form this letter is two.
    long = "\u0958" * 30 + "@" + ".".join(["x" * 60] * 3) + "." + "y" * 35 + ".de"
    assert len(long) <= 254

    assert parse_email(long, allow_test=False) is None


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [("9123456789", "IN", "+919123456789"), ("+91 91234-56789", None, "+919123456789")]
    + [
        ("(022) 2345-6789", "in", "+912223456789"),
        ("+1 (650) 253.0000 ext. 12", "IN", "+16502530000"),
    ]
    + [("0091 9123456789", "IN", "+919123456789"), ("030/23125 0", "DE", "+4930231250")]
    + [("٩١٢٣٤٥٦٧٨٩", "IN", "+919123456789"), ("（＋９１）9123456789", "US", "+919123456789")]
    # No plan knows these; they are kept.
    + [("1111111", "IN", None), ("123456789012345", "IN", None), ("9123456789", None, None)]
    + [("9123456789", "XX", None), ("5551234567", "US", None), ("(+)1234567", "IN", None)],
)
def test_a_number_is_kept_as_typed_beside_its_normal_form(
    text: str, region: str | None, e164: str | None
) -> None:
    assert parse_phone(f" {text}\n", region) == Phone(text, e164)


@pytest.mark.parametrize(
    "text",
    ["", " ", "123456", "1234567890123456", "abc", "1-800-FLOWERS", "+12+34567890", "9123456789;1"]
    + ["<9123456789>", "=9123456789", "9123456789 call me", "1e10000000", "9" * 100_000, "²²²²²²²²"]
    + ["(" * 40, "9123456789\x00", "+91\r\n9123456789\r\nX: y", "1234 ext 567890", "\ud800" * 9],
)
def test_what_cannot_be_a_number_is_none(text: str) -> None:
    assert parse_phone(text, "IN") is None


def test_hostile_contacts_cost_next_to_nothing() -> None:
    started = time.perf_counter()
    for piece in (" ", "1 ", "( ", "a@", "a.", "1x", "+"):
        for size in (20, 40, 200, 20_000):
            parse_phone(piece * size, "IN")
            parse_email(piece * size, allow_test=True)

    assert time.perf_counter() - started < 1

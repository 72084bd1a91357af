"""Quick ways to read addresses and numbers come to what the slow ones come to."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from engine import matching
from engine.matching import Phone, parse_email, parse_phone
from lib.text import fold

LETTERS = "abyzABYZ019._+-"
NAMES = st.text(LETTERS, max_size=66) | st.sampled_from(["Info", "POSTMASTER", "sales", "Www", ""])
HOUSES = st.lists(st.text("abzABZ09-", max_size=64), max_size=5).map(".".join)
ENDINGS = st.sampled_from(
    ["com", ".COM", ".test", ".co.in", ".local", ".xn--p1ai", ".xn--a", ".1", ".", "", ".invalid"]
)
NUMBERS = st.text("0123456789+ ()./-", max_size=42) | st.text("0189٠१+ ex#.²\t", max_size=20)


def slow_email(text: str, allow_test: bool) -> str | None:
    """What the library itself says of an address, with our own two limits."""
    if not 3 <= len(text.strip()) <= 254 or "=?" in text:
        return None
    try:
        found = validate_email(
            text.strip(), check_deliverability=False, test_environment=allow_test
        )
    except (EmailNotValidError, UnicodeError):
        return None
    return found.normalized if len(found.local_part.encode()) <= 64 else None


@given(NAMES, HOUSES, ENDINGS, st.booleans())
@example("a" * 64, "firm", ".com", False)
@example("a" * 65, "firm", ".com", False)
@example("Info", "Firm", ".COM", False)
@example("a..b", "firm", ".com", False)
@example("a", "xn--mnchen-3ya", ".de", False)
@example("x" * 60, ".".join(["a" * 60] * 3), ".com", False)
@example("y" * 64, ".".join(["a" * 60] * 3), ".comm", False)
@example("ann", "shop", ".test", True)
@example("ann", "shop", ".test", False)
def test_a_plain_address_reads_as_the_library_reads_it(
    name: str, house: str, ending: str, allow_test: bool
) -> None:
    text = f"{name}@{house}{ending}"

    assert parse_email(text, allow_test=allow_test) == slow_email(text, allow_test)
    # From the memory of domains as well as into it.
    assert parse_email(text, allow_test=allow_test) == slow_email(text, allow_test)


@given(NUMBERS)
@example("+91  98765   43210")
@example("098765-43210 ")
@example("1234567 ext 12")
def test_a_plain_number_reads_as_any_other(text: str) -> None:
    typed = text.strip()
    folded = fold("".join(map(matching._ascii_digit, typed)))
    is_odd = any(unicodedata.category(letter) in ("Cc", "No") for letter in typed)
    digits = sum(letter.isdigit() for letter in re.split("[ex#]", folded)[0])
    could_be = not is_odd and matching.PHONE.fullmatch(folded) and 7 <= digits <= 15
    could_be = could_be and bool(typed) and len(folded) <= 40

    phone = parse_phone(text, "IN")

    assert (phone is not None) == bool(could_be)
    if phone is not None:
        assert phone == matching.Phone(typed, matching._e164(re.split("[ex#]", folded)[0], "IN"))


def _as_the_library_reads(number: str) -> str | None:
    """A number that names its country, in E.164, by the library's own reader alone."""
    try:
        parsed = phonenumbers.parse(number, "IN")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _numbers_of_the_world() -> Iterator[str]:
    """Numbers of every country and kind, nearly right ones, and any digits behind every code."""
    dice = random.Random(20261121)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (0, 1, 3, 6):
            if example := phonenumbers.example_number_for_type(region, kind):
                number = phonenumbers.format_number(example, 1)
                yield number
                place = dice.randrange(1, len(number))
                yield f"{number[:place]}{dice.randrange(10)}{number[place + 1:]}"
    for code in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE):
        for _ in range(40):
            first, rest = dice.choice(("", "0", "1", "8", "9")), dice.randrange(10**9)
            yield f"+{code}{dice.choice(('', ' ', '-'))}{first}{rest >> dice.randrange(12)}"
    yield from (f"+{dice.randrange(10 ** dice.randrange(6, 16))}" for _ in range(2000))


def test_a_number_that_names_its_country_is_what_the_library_reads_in_it() -> None:
    numbers = [one for one in _numbers_of_the_world() if parse_phone(one, "IN") is not None]

    differ = [
        (one, found)
        for one in numbers
        if (found := parse_phone(one, "IN")) != Phone(one, _as_the_library_reads(one))
    ]

    assert differ == []
    assert sum(parse_phone(one, "IN") != Phone(one, None) for one in numbers) > 800
    assert len(numbers) > 10_000

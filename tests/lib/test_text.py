"""Tests of lib.text: comparing, masking, disarming, shortening, locales."""

from __future__ import annotations

import time

import pytest

from lib.text import direction, fold, locale_chain, mask_email, mask_name, mask_phone
from lib.text import shorten, spreadsheet_safe, strip_controls


@pytest.mark.parametrize(
    ("left", "right"),
    [("2–5", "2-5"), ("2—5", "2-5"), ("2−5", "2-5"), ("2‑5", "2-5"), ("２－５", "2-5")]
    + [("  Retail \t\n Store ", "retail store"), ("₹50K–₹2L", "₹50k-₹2l"), ("STRASSE", "straße")]
    + [("don’t", "don't"), ("“Other”", '"other"'), ("cafe\u0301", "CAFÉ"), ("ﬁne", "FINE")]
    + [("Just\u00a0me", "just me"), ("Just\u200b me\ufeff", "just me"), ("a\x00b", "a b")]
    + [("e\u2011commerce", "E-Commerce")],
)
def test_texts_that_look_alike_fold_alike(left: str, right: str) -> None:
    assert fold(left) == fold(right)


def test_folding_keeps_what_differs_and_is_done_once() -> None:
    assert fold("25") != fold("2–5") and fold("cafe") != fold("café") and fold("50+") == "50+"
    for text in ("ΐ", "İ", "2 – 5", "ẞ\u0345", "´", " \u3000x"):
        assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("email", "masked"),
    [
        ("john@example.com", "j***@e***.com"),
        ("a@b.co.uk", "a***@b***.uk"),
        ("a@localhost", "a***@l***"),
    ]
    + [("no address", "***"), ("", ""), ("@x.y", "***@x***.y"), ('"a@b"@c.de', '"***@c***.de')],
)
def test_an_address_shows_initials_only(email: str, masked: str) -> None:
    assert mask_email(email) == masked


@pytest.mark.parametrize(
    ("phone", "masked"),
    [("9123456789", "********89"), ("+91 91234-56789", "**********89"), ("1234", "****")]
    + [("12345", "***45"), ("none", ""), ("", "")],
)
def test_a_number_shows_its_last_two_digits_only(phone: str, masked: str) -> None:
    assert mask_phone(phone) == masked


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("John", "J."),
        ("  Zoë Smith", "Z."),
        ("'Ali", "A."),
        ("e\u0301ric", "é."),
        ("?!", "*"),
        ("", ""),
    ],
)
def test_a_name_shows_its_first_letter_only(name: str, masked: str) -> None:
    assert mask_name(name) == masked


def test_controls_go_and_emoji_and_direction_marks_stay() -> None:
    assert strip_controls("a\x00b\x1b[31mc\x7f\x9f\ud800d") == "ab[31mcd"
    assert strip_controls("a\r\nBcc: x\u2028y\tz") == "a  Bcc: x y z"
    assert strip_controls("a\r\nb\tc", keep_lines=True) == "a \nb\tc"
    assert strip_controls("👩‍🚀 \u202bשלום\u202c") == "👩‍🚀 \u202bשלום\u202c"


FORMULAS = [
    *("=1+1", "+1", "-1", "@SUM(1)", "|x", "%0a", "\t=1", "\r=1", "\n=1", "\tx", "\nx"),
    *("＝1+1", "＋1", "－1", "＠SUM", "｜x", "％x", "﹢1", "﹣1", "⁺1", "⁼1", "−1"),
    *(
        "  =1",
        "\u00a0=1",
        "\u3000=1",
        "'=1",
        '"=1',
        "“=1",
        "’=1",
        "\u200b=1",
        "\ufeff=1",
        "\u2060=1",
    ),
    *(
        "\u202e=1",
        "\u00ad=1",
        "\x00=1",
        " '\u200b\" =1",
        "\u115f=1",
        "\u3164=1",
        "\u2800=1",
        "\u034f=1",
    ),
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example","x")',
    "+919123456789",
]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_formula_is_disarmed_and_nothing_lost(cell: str) -> None:
    assert spreadsheet_safe(cell) == "'" + cell


@pytest.mark.parametrize(
    "cell",
    ["", "   ", "John", "2–5", "₹50K–₹2L", "50+", "a=1", "9123456789", "'quoted'", "'", "日本"],
)
def test_an_ordinary_cell_stays_as_it_is(cell: str) -> None:
    assert spreadsheet_safe(cell) == cell


def test_a_shortened_text_fits_and_cuts_no_letter_in_two() -> None:
    assert shorten("abc", 3) == "abc"
    assert shorten("abcd", 3) == "ab…"
    assert shorten("ab cd", 4) == "ab…"
    assert shorten("abcd", 1) == "…" and shorten("abcd", 0) == "" and shorten("", 0) == ""
    assert shorten("abe\u0301fgh", 4) == "ab…"
    assert shorten("a👩\u200d🚀bc", 3) == "a…" and shorten("a👍🏽bc", 3) == "a…"
    assert shorten("\u0301" * 9, 4) == "…"


@pytest.mark.parametrize(
    ("locale", "way"),
    [
        ("ar", "rtl"),
        ("he-IL", "rtl"),
        ("fa_IR", "rtl"),
        ("ur", "rtl"),
        ("en", "ltr"),
        ("pt-BR", "ltr"),
    ]
    + [
        ("ar-Latn", "ltr"),
        ("az-Arab-IR", "rtl"),
        ("pa-arab", "rtl"),
        ("junk!", "ltr"),
        ("", "ltr"),
    ],
)
def test_a_locale_has_a_direction(locale: str, way: str) -> None:
    assert direction(locale) == way


@pytest.mark.parametrize(
    ("locale", "chain"),
    [("pt-BR", ["pt-BR", "pt", "en"]), ("pt_br", ["pt-BR", "pt", "en"]), ("EN", ["en"])]
    + [("en-GB", ["en-GB", "en"]), ("zh_hant_tw", ["zh-Hant-TW", "zh-Hant", "zh", "en"])]
    + [("de-1996-CH", ["de-1996-CH", "de-1996", "de", "en"]), ("es-419", ["es-419", "es", "en"])]
    + [("en-US-u-ca-buddhist", ["en-US", "en"])]
    + [
        (junk, ["en"])
        for junk in ("", None, "x", "../etc", "en US", "e\u0301n", "en\n", "*", "a" * 99)
    ],
)
def test_a_translation_is_looked_for_from_near_to_far(locale: str | None, chain: list[str]) -> None:
    assert locale_chain(locale, "en") == chain


def test_the_default_has_a_parent_too_and_need_not_be_a_locale() -> None:
    assert locale_chain("fr", "en-GB") == ["fr", "en-GB", "en"]
    assert locale_chain(None, "default!") == ["default!"]


def test_hostile_lengths_cost_next_to_nothing() -> None:
    started = time.perf_counter()
    for text in (" " * 20_000, "'" * 20_000, "en-" * 20_000, "a@" * 20_000, "\u200b" * 20_000):
        for function in (fold, mask_email, mask_phone, mask_name, strip_controls, spreadsheet_safe):
            function(text)
        direction(text)
        locale_chain(text, "en")

    assert time.perf_counter() - started < 3

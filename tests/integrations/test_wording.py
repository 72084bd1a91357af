"""What a text loses before anybody is told of it, and where it is cut."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from integrations.channels import wording
from integrations.channels.base import Reason
from tests.integrations.alerts import ALERT
from tests.integrations.hostile import HOSTILE


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Jane\r\nBcc: x@y.example", "Jane Bcc: x@y.example"),
        ("Ja\x00ne\x1b[31m", "Jane[31m"),
        ("high \ud83d low", "high low"),
        ("invoice\u202efdp.exe\u202c", "invoicefdp.exe"),
        ("\u2066a\u2069", "a"),
        ("a\ufffe\U0001ffffb", "ab"),
        ("hidden\U000e0041\U000e0042", "hidden"),
        ("@\u200beveryone", "@everyone"),
        ("\u200b\u3164\u2800 \u00a0", ""),
        ("a" + "\u0301" * 90, "a" + "\u0301" * 4),
        ("  مرحبا   بالعالم ", "مرحبا بالعالم"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("e\u0301", "e\u0301"),
        (None, ""),
    ],
)
def test_a_line_loses_what_nobody_should_see(typed: str | None, shown: str) -> None:
    assert wording.plain(typed) == shown


def test_a_paragraph_keeps_its_lines_but_not_thousands_of_them() -> None:
    assert wording.paragraph("one\n\n\n  two  \r\nthree") == "one\ntwo\nthree"
    assert wording.paragraph("line\n" * 4000).count("\n") == wording.MOST_LINES - 1
    assert wording.paragraph("line\n" * 4000).endswith("\n…")


def test_ten_megabytes_are_cut_before_they_are_read() -> None:
    shown = wording.paragraph(HOSTILE["ten megabytes"])

    assert len(shown) == wording.LONGEST_TEXT
    assert shown.endswith("…")


def test_lengths_are_those_of_the_strictest_vendor() -> None:
    assert [wording.units(text) for text in ("a", "é", "€", "😀", "\ud83d")] == [1, 1, 1, 2, 1]


@given(st.text(), st.integers(0, 40))
@example("😀" * 50, 21)
@example("&" * 50, 21)
def test_a_text_fits_after_it_was_escaped_and_says_when_it_was_cut(text: str, room: int) -> None:
    shown = wording.fit(text, room, lambda part: part.replace("&", "&amp;"))

    assert wording.units(shown) <= room
    assert shown == text.replace("&", "&amp;") or shown.endswith("…") or shown == ""
    assert "&" not in shown.replace("&amp;", "")


def test_a_cut_uses_the_room_there_is() -> None:
    assert wording.fit("a" * 100, 10) == "a" * 9 + "…"
    assert wording.fit("😀" * 100, 10) == "😀" * 4 + "…"
    assert wording.fit("👍🏽" * 100, 8) == "👍🏽…"


def test_the_three_strongest_reasons_are_named_with_their_points() -> None:
    reasons = ["Asked for a demo +15", "Shared a contact +10", "Long since seen −7.5"]

    assert wording.reasons(ALERT) == reasons


@pytest.mark.parametrize("points", [float("nan"), float("inf"), -0.0, 1e300, 1 / 3])
def test_no_number_breaks_a_message(points: float) -> None:
    alert = replace(ALERT, score=points, reasons=(Reason("", points),))

    assert wording.standing(alert).endswith("points, SQL, hot")
    assert wording.reasons(alert)[0].startswith("Unnamed ")


def test_somebody_is_named_by_whatever_is_known() -> None:
    assert wording.who(ALERT) == "Jane Doe, Acme GmbH"
    assert wording.who(replace(ALERT, name="\u200b")) == "Acme GmbH"
    unnamed = replace(ALERT, name=None, company=" ")
    assert wording.who(unnamed) == "jane@acme.example"
    assert wording.who(replace(unnamed, email=None)) == "+49 30 901820"
    assert wording.who(replace(unnamed, email=None, phone=None)) == "Somebody without a name"


def test_what_is_not_known_has_no_line() -> None:
    bare = replace(
        ALERT, score=None, classification=None, tier="", reasons=(), email=None, phone="\n"
    )

    labels = [line.label for line in wording.lines(replace(bare, source=None))]

    assert labels == ["Message"]


@pytest.mark.parametrize(
    ("url", "is_link"),
    [
        ("https://crm.example.com/leads/7?a=b#c", True),
        ("http://10.0.0.8:5000/leads/7", True),
        ("http://localhost:5000/leads/7", False),
        ("http://[::1]:5000/", False),
        ("javascript:alert(1)", False),
        ("https://crm.example.com/a b", False),
        ("https://crm.example.com/\n", False),
        ("https://crm.example.com/ü", False),
        ("https://user@crm.example.com/", False),
        ("https://crm.example.com/" + "a" * 2000, False),
        ("", False),
        (None, False),
    ],
)
def test_only_an_address_that_every_vendor_takes_is_a_link(url: str | None, is_link: bool) -> None:
    alert = replace(ALERT, url=url)

    assert wording.link(alert) == (url if is_link else None)
    # What cannot be a link is still told.
    assert ("Lead" in [line.label for line in wording.lines(alert)]) == (not is_link and bool(url))

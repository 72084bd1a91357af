"""Amounts as people read them, and whose currency is which."""

from __future__ import annotations

import pytest

from engine.money import CURRENCIES, currency_of, money


@pytest.mark.parametrize(
    ("value", "currency", "digits", "said"),
    [
        (1250, "INR", 0, "₹1\u202f250"),
        (-3.5, "EUR", 2, "−€3.50"),
        (1e6, "CHF", 0, "CHF\u00a01\u202f000\u202f000"),
        (0, "USD", 0, "$0"),
    ],
)
def test_an_amount_in_words(value: float, currency: str, digits: int, said: str) -> None:
    assert money(value, currency, digits) == said


@pytest.mark.parametrize(
    ("region", "currency"),
    [("IN", "INR"), ("de", "EUR"), ("CH", "CHF"), ("GB", "GBP"), ("ZZ", "USD"), (None, "USD")],
)
def test_a_country_counts_in_its_money(region: str | None, currency: str) -> None:
    assert currency_of(region) == currency and currency in CURRENCIES

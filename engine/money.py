"""Amounts of money in words, and which currency a country counts in."""

from __future__ import annotations

from collections.abc import Mapping

CURRENCIES: Mapping[str, str] = {
    "AED": "UAE dirham",
    "ARS": "Argentine peso",
    "AUD": "Australian dollar",
    "BDT": "Bangladeshi taka",
    "BRL": "Brazilian real",
    "CAD": "Canadian dollar",
    "CHF": "Swiss franc",
    "CLP": "Chilean peso",
    "CNY": "Chinese yuan",
    "COP": "Colombian peso",
    "CZK": "Czech koruna",
    "DKK": "Danish krone",
    "EGP": "Egyptian pound",
    "EUR": "Euro",
    "GBP": "British pound",
    "GHS": "Ghanaian cedi",
    "HKD": "Hong Kong dollar",
    "HUF": "Hungarian forint",
    "IDR": "Indonesian rupiah",
    "ILS": "Israeli shekel",
    "INR": "Indian rupee",
    "JPY": "Japanese yen",
    "KES": "Kenyan shilling",
    "KRW": "South Korean won",
    "LKR": "Sri Lankan rupee",
    "MAD": "Moroccan dirham",
    "MXN": "Mexican peso",
    "MYR": "Malaysian ringgit",
    "NGN": "Nigerian naira",
    "NOK": "Norwegian krone",
    "NPR": "Nepalese rupee",
    "NZD": "New Zealand dollar",
    "PEN": "Peruvian sol",
    "PHP": "Philippine peso",
    "PKR": "Pakistani rupee",
    "PLN": "Polish zloty",
    "RON": "Romanian leu",
    "SAR": "Saudi riyal",
    "SEK": "Swedish krona",
    "SGD": "Singapore dollar",
    "THB": "Thai baht",
    "TRY": "Turkish lira",
    "TWD": "New Taiwan dollar",
    "UAH": "Ukrainian hryvnia",
    "USD": "US dollar",
    "VND": "Vietnamese dong",
    "ZAR": "South African rand",
}
# Signs that mean one currency only; the others are written with their letters.
_SIGNS = {"EUR": "€", "GBP": "£", "INR": "₹", "KRW": "₩", "NGN": "₦", "TRY": "₺", "UAH": "₴"}
_SIGNS |= {"USD": "$", "VND": "₫", "ILS": "₪", "PHP": "₱"}
_EURO = "AT BE CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK".split()
_OF_REGION = {code[:2]: code for code in CURRENCIES if code != "EUR"} | dict.fromkeys(_EURO, "EUR")


def currency_of(region: str | None) -> str:
    """The currency of a country of two letters, as far as we know it; else US dollars."""
    return _OF_REGION.get((region or "").upper(), "USD")


def money(value: float, currency: str, digits: int = 0) -> str:
    """An amount as people read it: "₹1 250", with thin spaces that do not break."""
    sign = _SIGNS.get(currency, f"{currency}\u00a0")
    text = f"{abs(value):,.{digits}f}".replace(",", "\u202f")
    return f"{'−' if value < 0 else ''}{sign}{text}"

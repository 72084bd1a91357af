"""Believable visitors for a demo: who comes, from where, how patient, and what becomes of them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Kolkata")
# Share of visits, how patient they are, how often they buy.
SOURCES: Mapping[str, tuple[float, float, float]] = {
    "google": (0.30, 0.93, 0.5),
    "facebook": (0.22, 0.87, -0.4),
    "instagram": (0.13, 0.86, -0.6),
    "referral": (0.09, 0.97, 1.3),
    "newsletter": (0.08, 0.955, 0.8),
    "linkedin": (0.06, 0.94, 0.7),
    "": (0.12, 0.91, 0.1),
}
MEDIUMS = {
    "google": "cpc",
    "facebook": "social",
    "instagram": "social",
    "linkedin": "social",
    "referral": "referral",
    "newsletter": "email",
}
CAMPAIGNS = {
    "google": ("Festive offers", "Brand search"),
    "facebook": ("Festive offers", "Shop owners"),
    "instagram": ("Shop owners",),
    "newsletter": ("November letter",),
    "linkedin": ("Chains and franchises",),
}
# Option, share, and what it says about a sale to come.
BUSINESSES = (
    ("Retail Store", 0.38, 0.4),
    ("Restaurant", 0.24, 0.2),
    ("Service Business", 0.16, -0.4),
    ("E-commerce", 0.14, 0.3),
    ("Other", 0.08, -0.8),
)
SIZES = (
    ("Just me", 0.26, -0.9),
    ("2–5", 0.36, 0.0),
    ("6–20", 0.23, 0.7),
    ("21–50", 0.10, 1.1),
    ("50+", 0.05, 0.9),
)
SALES = (
    ("Under ₹50K", 0.27, -0.8),
    ("₹50K–₹2L", 0.38, 0.0),
    ("₹2L–₹10L", 0.25, 0.6),
    ("Over ₹10L", 0.10, 1.0),
)
CITIES = (
    *("Mumbai", "Pune", "Delhi", "Bengaluru", "Hyderabad", "Chennai", "Ahmedabad", "Jaipur"),
    *("Andheri West, Mumbai", "Koramangala, Bengaluru", "Indore", "Kochi", "Nagpur", "Surat"),
)
PRODUCTS = ("Billing", "QR Payments", "Inventory", "Online Store", "Loyalty")
FIRST = (
    *("Aarav", "Ananya", "Arjun", "Diya", "Fatima", "Ishaan", "Kabir", "Kavya", "Lakshmi", "Meera"),
    *("Mohan", "Neha", "Nikhil", "Pooja", "Priya", "Rahul", "Ravi", "Riya", "Rohan", "Sana"),
    *("Sanjay", "Shreya", "Sunil", "Tara", "Varun", "Vikram", "Yusuf", "Zoya", "Aditi", "Dev"),
)
LAST = (
    *("Agarwal", "Bose", "Chopra", "Das", "Fernandes", "Gupta", "Iyer", "Jain", "Joshi", "Kapoor"),
    *("Khan", "Kulkarni", "Mehta", "Menon", "Nair", "Patel", "Rao", "Reddy", "Shah", "Sharma"),
    *("Singh", "Thomas", "Verma", "Yadav", "D'Souza", "Pillai", "Bhat", "Malhotra"),
)
SHOPS = ("Stores", "Traders", "Kitchen", "Mart", "Boutique", "Enterprises", "Foods", "& Sons")
PHONES = (
    "Mozilla/5.0 (Linux; Android 14; SM-A546E) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/129.0.0.0 Mobile Safari/537.36"
)
DESKS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/129.0.0.0 Safari/537.36"
)
# Visits by the hour of the day, from midnight on.
HOURS = (1, 1, 0, 0, 0, 1, 2, 4, 6, 9, 11, 12, 11, 9, 9, 10, 11, 12, 12, 13, 14, 12, 8, 4)


@dataclass(frozen=True)
class Visitor:
    """One visitor: how they came, what they would say, and how far they would go."""

    number: int
    starts_at: datetime
    source: str
    campaign: str | None
    user_agent: str
    locale: str
    # The chance of each next step; falls a little with every one.
    patience: float
    business: str
    size: str
    sales: str
    city: str
    products: tuple[str, ...]
    name: str
    email: str
    phone: str
    company: str
    # Whether they would buy, if somebody asked them well and soon (log-odds).
    leaning: float
    seed: int


def visitors(seed: int, until: datetime, *, days: int, count: int) -> Iterator[Visitor]:
    """So many visitors of the days before `until`, in the order of their coming.

    The same seed and moment give the same visitors; there are more of them by and by, fewer on
    Sundays, and none after `until`.
    """
    chance = random.Random(seed)
    moments = sorted(_moment(chance, until, days) for _ in range(count))
    for number, at in enumerate(moments):
        yield _visitor(chance, number, at)


def _moment(chance: random.Random, until: datetime, days: int) -> datetime:
    last = until.astimezone(ZONE).date()
    while True:
        # A shop that grows: the newest day sees twice the visitors of the oldest.
        back = min(chance.randrange(days), chance.randrange(days * 2))
        day: date = last - timedelta(days=back)
        if day.weekday() == 6 and chance.random() < 0.35:
            continue
        hour = chance.choices(range(24), weights=HOURS)[0]
        at = datetime.combine(
            day, time(hour, chance.randrange(60), chance.randrange(60)), tzinfo=ZONE
        )
        if at < until - timedelta(minutes=20):
            return at


def _visitor(chance: random.Random, number: int, at: datetime) -> Visitor:
    source = chance.choices(list(SOURCES), weights=[one[0] for one in SOURCES.values()])[0]
    _, patience, buys = SOURCES[source]
    business, size, sales = (_drawn(chance, table) for table in (BUSINESSES, SIZES, SALES))
    first, last = chance.choice(FIRST), chance.choice(LAST)
    mobile = chance.random() < 0.71
    wanted = tuple(chance.sample(PRODUCTS, chance.choices((1, 2, 3), (0.5, 0.35, 0.15))[0]))
    leaning = buys + business[2] + size[2] + sales[2] + chance.gauss(-1.0, 0.8)
    campaigns = CAMPAIGNS.get(source)
    return Visitor(
        number=number,
        starts_at=at,
        source=source,
        campaign=chance.choice(campaigns) if campaigns and chance.random() < 0.8 else None,
        user_agent=PHONES if mobile else DESKS,
        locale=chance.choices(("en-IN", "hi-IN", "en-GB"), (0.78, 0.16, 0.06))[0],
        patience=min(0.98, patience - 0.055 + 0.008 * leaning - (0.012 if mobile else 0.0)),
        business=business[0],
        size=size[0],
        sales=sales[0],
        city=chance.choice(CITIES),
        products=wanted,
        name=f"{first} {last}",
        # Example domains and numbers that nobody has.
        email=f"{first}.{last}{number}@example.com".lower().replace("'", ""),
        phone=f"+9199999{number:05d}",
        company=f"{last} {chance.choice(SHOPS)}",
        leaning=leaning,
        seed=chance.randrange(1 << 30),
    )


def would_buy(visitor: Visitor, *, hours_waited: float, asked_for_demo: bool) -> float:
    """The chance that this visitor becomes a customer, once somebody has worked on it."""
    late = -0.25 * math.log2(1 + max(0.0, hours_waited) / 4)
    evidence = visitor.leaning + late + (0.9 if asked_for_demo else 0.0)
    return 1 / (1 + math.exp(-evidence))


def _drawn(
    chance: random.Random, table: tuple[tuple[str, float, float], ...]
) -> tuple[str, float, float]:
    return chance.choices(table, weights=[one[1] for one in table])[0]

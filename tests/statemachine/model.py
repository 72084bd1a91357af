"""The rules of a conversation written down a second time, from the contract and not the code."""

from __future__ import annotations

from dataclasses import dataclass, field

ORDERS = {"A": (1, 2, 3, 4, 5), "B": (3, 1, 2, 4, 5)}
OPTIONAL = {2, 4, 5}
CHOICES = {
    1: ("Restaurant", "Retail Store", "Service Business", "E-commerce", "Other"),
    3: ("Just me", "2–5", "6–20", "21–50", "50+"),
    4: ("Under ₹50K", "₹50K–₹2L", "₹2L–₹10L", "Over ₹10L"),
    5: ("Billing", "QR Payments", "Inventory", "Online Store", "Loyalty"),
}
PRODUCTS = {"billing", "qr_payments", "inventory", "online_store", "loyalty"}
CALLS = {"book_demo", "talk_to_sales", "get_brochure"}
DEMO = {"clicked_demo", "demo_requested", "demo_request"}
SERVER_SIDE = {
    "session_opened",
    "answered_question",
    "answered_all_questions",
    "shared_contact",
    "quick_reply",
    "detailed_answer",
}
WORTH_NOTHING = {
    "consent_given",
    "consent_withdrawn",
    "email_open",
    "email_click",
    "email_reply",
    "website_visit",
    "pricing_request",
}


@dataclass
class Given:
    """What stands as the answer to one question."""

    # None once an erasure has taken what was typed.
    text: str | None
    typed: bool = False
    skipped: bool = False
    length: int = 0

    @property
    def is_detailed(self) -> bool:
        """Whether it was typed at some length; an erasure changes nothing of that."""
        return self.typed and self.length > 10


@dataclass
class Talk:
    """One conversation as the contract says it must stand."""

    id: str
    token: str
    order: tuple[int, ...]
    started: float
    shown: dict[int, float] = field(default_factory=dict)
    last_answer: float | None = None
    answers: dict[int, Given] = field(default_factory=dict)
    quick: dict[int, bool] = field(default_factory=dict)
    asked_again: set[tuple[int, str]] = field(default_factory=set)
    greeted: bool = False
    contact: bool = False
    products: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    demo: bool = False
    closed: bool = False
    deleted: bool = False

    def __post_init__(self) -> None:
        """The first question is shown with the start's reply."""
        self.show_next(self.started)

    @property
    def score(self) -> int:
        """The sum of the table of points."""
        real = [number for number, given in self.answers.items() if not given.skipped]
        total = 5 + 5 * self.greeted + 5 * len(real)
        total += 10 * (len(real) == len(self.order)) + 10 * self.contact
        total += 5 * sum(self.quick.get(number, False) for number in real)
        total += 5 * sum(self.answers[number].is_detailed for number in real)
        total += 5 * len(self.products) + 15 * len(self.calls) + 15 * self.demo
        return total

    @property
    def classification(self) -> str:
        """The class of that score."""
        if self.score >= 60:
            return "SQL"
        return "MQL" if self.score >= 30 else "Unqualified"

    @property
    def next_question(self) -> int | None:
        """The first question of this session's order that has neither an answer nor a skip."""
        return next((number for number in self.order if number not in self.answers), None)

    @property
    def answered(self) -> int:
        """How many questions have an answer."""
        return sum(1 for given in self.answers.values() if not given.skipped)

    @property
    def is_complete(self) -> bool:
        """Whether each question is answered or skipped."""
        return len(self.answers) == len(self.order)

    def show_next(self, now: float) -> None:
        """A reply shows the next question; only the first time counts for its clock."""
        following = self.next_question
        if following is not None:
            self.shown.setdefault(following, now)

    def answer(self, number: int, text: str, *, typed: bool, claimed: float, now: float) -> None:
        """Keep an answer in place of the one before; its first decides whether it was quick."""
        since = self.shown.get(number, self.last_answer)
        took = max(claimed, now - (self.started if since is None else since))
        self.quick.setdefault(number, took < 120)
        kept = text.strip()
        self.answers[number] = Given(kept, typed, length=len(kept) if typed else 0)
        self.last_answer = now
        self.show_next(now)

    def skip(self, number: int, now: float) -> None:
        """Keep that a question was passed over."""
        self.answers[number] = Given(None, skipped=True)
        self.last_answer = now
        self.show_next(now)

    def stands(self, number: int, text: str) -> bool:
        """Whether this very answer stands already, so that sending it again is a retry."""
        given = self.answers.get(number)
        return given is not None and not given.skipped and given.text == text.strip()

    def behave(self, action: str, name: str | None) -> None:
        """A behaviour, counted once per thing it is about."""
        if action == "replied_to_greeting":
            self.greeted = True
        elif action in DEMO or (action == "cta_clicked" and name == "book_demo"):
            self.demo = True
        elif action == "clicked_product":
            self.products.add(name if name in PRODUCTS else "")
        elif action == "cta_clicked":
            self.calls.add(name if name in CALLS else "")
        elif action == "confirmed_summary":
            self.closed = True

    def erase(self) -> None:
        """What was typed is gone; every count stays."""
        self.asked_again.clear()
        for given in self.answers.values():
            given.text = None if given.typed else given.text

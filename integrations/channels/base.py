"""What every channel takes and gives: Alert, Channel, Receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from lib.calendar_file import Entry


class AddressRefused(ValueError):
    """An address that a channel cannot use; its text is one sentence that says what to do."""


@dataclass(frozen=True)
class Reason:
    """One thing that speaks for a lead: in words, and its points."""

    text: str
    points: float


@dataclass(frozen=True)
class Alert:
    """What a receiver is told about one lead. Every text may come from a hostile visitor."""

    # The same for every attempt: receivers that know it take a repeat for what it is.
    id: str
    trigger: str
    # Our own words, e.g. "New SQL lead"; free of the visitor's.
    title: str
    occurred_at: datetime
    lead_id: int | None = None
    name: str | None = None
    company: str | None = None
    email: str | None = None
    phone: str | None = None
    score: float | None = None
    classification: str | None = None
    tier: str | None = None
    reasons: tuple[Reason, ...] = ()
    # Where the lead came from, e.g. "google_ads / cpc / spring".
    source: str | None = None
    # The lead's page in our console, made by us.
    url: str | None = None
    # More lines, label and text, e.g. a follow-up's note.
    details: tuple[tuple[str, str], ...] = ()
    # What machines read: the webhook's `data`.
    payload: Mapping[str, Any] = field(default_factory=dict)
    # What an invitation brings into the receiver's calendar, or takes out of it.
    entry: Entry | None = None
    # The alerts of a digest; then the fields above speak of the digest.
    items: tuple[Alert, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """A delivery that succeeded: the vendor's status and words, for the delivery log."""

    status: int | None = None
    reply: str = ""
    # Said in the log when it succeeded only in part, e.g. an address that was refused.
    note: str = ""


class Channel(Protocol):
    """One way to reach people or machines; built once a process, with what it needs."""

    @property
    def name(self) -> str:
        """Its name on the wire: email, slack, discord, teams, webhook, other."""

    @property
    def idempotent(self) -> bool:
        """Whether a receiver can tell a repeat from news: then what is unknown is just retried."""

    def check(self, address: str) -> str:
        """The address in its usual form; AddressRefused says why it cannot be one."""

    def mask(self, address: str) -> str:
        """The address as people may see it: enough to know it again, nothing that opens it."""

    def send(
        self,
        alert: Alert,
        address: str,
        *,
        secrets: tuple[str, ...] = (),
        progress: Mapping[str, Any] | None = None,
    ) -> Receipt:
        """Deliver one alert; raises one of `integrations.errors` when it did not succeed."""

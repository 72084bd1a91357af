"""An alert as an e-mail: plain text and HTML, in which a visitor's words are only ever words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import cast

from email_validator import EmailNotValidError, validate_email
from jinja2 import Environment, FileSystemLoader

from integrations.channels.base import Alert
from lib.calendar_file import CANCEL, REQUEST, Entry, write_calendar
from lib.text import BLANKS, fold, shorten, strip_controls

LONGEST_SUBJECT = 180
LONGEST_VALUE = 300
LONGEST_ADDRESS = 320
LONGEST_LABEL = 60
LONGEST_DETAIL = 1000
MOST_LINES = 30
MOST_ITEMS = 50
# Nothing but ASCII in lines of at most 76: no server on the way has to re-encode it, and what a
# signature covers stays as it is. The default policy would write 8-bit bodies.
HEADERS = HeaderRegistry()
SEVEN_BIT = SMTP.clone(cte_type="7bit", header_factory=HEADERS)


class _Subject(UniqueUnstructuredHeader):
    """A subject that keeps its spaces: the usual class loses some where it begins a new line."""

    def fold(self, *, policy: Policy) -> str:
        """The header as it is sent, in ASCII."""
        text = str(self)
        charset = "us-ascii" if text.isascii() else "utf-8"
        words = Header(text, charset=charset, header_name="Subject")
        return f"Subject: {words.encode(linesep=policy.linesep)}{policy.linesep}"


# typeshed does not know that the registry adds the base class itself.
HEADERS.map_to_type("subject", cast(type[BaseHeader], _Subject))

# What turns the direction of all that follows; plain marks of right-to-left texts may stay.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Mail programs make a link of what looks like one; a word joiner in it is not seen.
_LINK = re.compile(r"(?i)(?<=\w)(?=://)|(?<=\bwww)(?=\.)")
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Card:
    """One lead as the letter shows it: a heading, labelled lines, reasons and a link."""

    title: str
    lines: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]
    url: str


@dataclass(frozen=True)
class Envelope:
    """From whom, to whom and when a letter goes."""

    sender: str
    recipients: tuple[str, ...]
    message_id: str
    sent_at: datetime
    # The public address of this program; empty if it has none.
    app_url: str = ""


def compose(alert: Alert, envelope: Envelope) -> EmailMessage:
    """The alert as a message that is ready to be sent."""
    letter = EmailMessage(policy=SEVEN_BIT)
    letter["Subject"] = subject_of(alert)
    letter["From"] = sender_of(envelope.sender)
    letter["To"] = [address_of(recipient) for recipient in envelope.recipients]
    if reply_to := deliverable(alert.email):
        letter["Reply-To"] = address_of(reply_to)
    letter["Date"] = format_datetime(envelope.sent_at)
    letter["Message-ID"] = envelope.message_id
    # Robots shall not answer: neither with "I am on holiday" nor with a read receipt.
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Auto-Response-Suppress"] = "All"
    cards = cards_of(alert)
    left_out = max(len(alert.items) - MOST_ITEMS, 0)
    letter.set_content(_text(alert, cards, left_out, envelope.app_url))
    letter.add_alternative(_html(alert, cards, left_out, envelope.app_url), subtype="html")
    if alert.entry is not None:
        _add_invitation(letter, alert.entry, envelope)
    return letter


def _add_invitation(letter: EmailMessage, entry: Entry, envelope: Envelope) -> None:
    """The calendar twice: as a part that mail programs answer to, and as a file for the others.

    The organizer is our own sender, because programs trust an invitation only from its sender.
    """
    method = CANCEL if entry.is_cancelled else REQUEST
    written = write_calendar(
        [entry],
        method=method,
        organizer=parseaddr(envelope.sender)[1],
        attendee=envelope.recipients[0],
    )
    text, params = written.decode(), {"method": method}
    letter.add_alternative(text, subtype="calendar", charset="utf-8", params=params)
    letter.add_attachment(written, maintype="application", subtype="ics", filename="invite.ics")


def message_id(alert_id: str, address: str, domain: str) -> str:
    """The same for every attempt at one delivery, so that mail programs fold a repeat."""
    place = hashlib.sha256(f"{alert_id}\0{address}".encode("utf-8", "replace")).hexdigest()[:24]
    plain = re.sub(r"[^A-Za-z0-9-]", "", alert_id)[:64] or "alert"
    return f"<{plain}.{place}@{domain}>"


def subject_of(alert: Alert) -> str:
    """Our own words, then who it is about, as one harmless line."""
    names = [_words(alert.name), _words(alert.company)]
    who = ", ".join(shorten(name, 80) for name in names if name)
    return header_text(f"{alert.title}: {who}" if who else alert.title)


def header_text(text: str) -> str:
    """A text that can be nothing but a header's value.

    Python decodes `=?utf-8?q?…?=` in what it is given, line ends and all, and then writes those
    as further headers (CVE-2024-6923), so that sign is broken whatever version runs.
    """
    line = " ".join(_TURNS.sub("", strip_controls(text[:4000])).split())
    return shorten(re.sub(r"=(?=\?)", "= ", line), LONGEST_SUBJECT)


def deliverable(address: str | None, *, is_test: bool = False) -> str:
    """The address in ASCII if it is one that mail could reach; else nothing.

    `is_test` lets the reserved domain .test pass.
    """
    # `=?…?=` is a good name before the @ by all rules, and Python decodes it, as in `header_text`.
    if not address or len(address) > LONGEST_ADDRESS or "=?" in address:
        return ""
    try:
        found = validate_email(
            address,
            check_deliverability=False,
            # A domain has an ASCII form, a name before the @ has none, and many servers want it.
            allow_smtputf8=False,
            test_environment=is_test,
        )
    except EmailNotValidError:
        return ""
    return found.ascii_email or ""


def cards_of(alert: Alert) -> tuple[Card, ...]:
    """What the letter shows: the alert itself, or each alert of a digest."""
    return tuple(_card(item) for item in alert.items[:MOST_ITEMS] or (alert,))


def _card(alert: Alert) -> Card:
    pairs = [
        ("Name", _value(alert.name)),
        ("Company", _value(alert.company)),
        ("E-mail", deliverable(alert.email) or _value(alert.email)),
        ("Phone", _value(alert.phone)),
        ("Score", _score(alert)),
        ("Source", _value(alert.source)),
        *(
            (_value(label, LONGEST_LABEL) or "Note", _value(text, LONGEST_DETAIL))
            for label, text in alert.details
        ),
    ]
    reasons = [
        f"{words} {reason.points:+g}" for reason in alert.reasons if (words := _value(reason.text))
    ]
    return Card(
        title=_words(alert.title),
        lines=tuple((label, value) for label, value in pairs if value)[:MOST_LINES],
        reasons=tuple(reasons[:MOST_LINES]),
        url=_link(alert.url),
    )


def _score(alert: Alert) -> str:
    number = "" if alert.score is None else f"{alert.score:g}"
    words = [_words(alert.classification), _words(alert.tier)]
    return ", ".join(part for part in (number, *words) if part)


def _link(url: str | None) -> str:
    return url if url and url.startswith(("https://", "http://")) else ""


def _words(text: str | None, limit: int = LONGEST_VALUE) -> str:
    """One line of at most so many characters, without what is not seen and still acts."""
    # Cut first: a visitor may send megabytes, and nobody shall wait for them to be read.
    plain = _TURNS.sub("", strip_controls((text or "")[: 4 * limit]))
    return shorten(" ".join(plain.split()), limit) if set(fold(plain)) - BLANKS else ""


def _value(text: str | None, limit: int = LONGEST_VALUE) -> str:
    """A visitor's words, in which no mail program finds a link to click on."""
    return _LINK.sub("\u2060", _words(text, limit))


def _text(alert: Alert, cards: Sequence[Card], left_out: int, app_url: str) -> str:
    lines = [_words(alert.title), ""] if alert.items else []
    for card in cards:
        lines += [card.title, ""]
        lines += [f"{label}: {value}" for label, value in card.lines]
        if card.reasons:
            lines += ["", "Why:", *(f"  - {reason}" for reason in card.reasons)]
        lines += ["", card.url, ""] if card.url else [""]
    if left_out:
        lines += [f"And {left_out} more.", ""]
    return "\n".join([*lines, "-- ", _footer(app_url)]) + "\n"


def _html(alert: Alert, cards: Sequence[Card], left_out: int, app_url: str) -> str:
    return _TEMPLATES.get_template("email.html").render(
        title=_words(alert.title),
        is_digest=bool(alert.items),
        cards=cards,
        left_out=left_out,
        footer=_footer(app_url),
    )


def _footer(app_url: str) -> str:
    place = f" at {app_url}" if app_url else ""
    return f"Sent by Leadline{place}, because this address is to hear of such leads."


def address_of(address: str) -> Address:
    """A recipient as a header holds it."""
    return Address(addr_spec=address)


def sender_of(sender: str) -> Address:
    """From whom a letter comes: a name without tricks, and the bare address."""
    name, address = parseaddr(sender)
    return Address(header_text(name) or "Leadline", addr_spec=address)

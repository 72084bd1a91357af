"""The words of an alert for people: the same in every chat, made harmless, and cut to length.

What a channel's own markup makes of a text is the channel's to know; here a text only loses what
no reader can see and no vendor should get.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from integrations.channels.base import Alert
from lib.clock import iso
from lib.text import BLANKS, shorten, strip_controls

# No message shows more of one text, whatever was typed; the lead's page has it whole.
LONGEST_TEXT = 4_000
# In front of a text may stand much that is then taken out, but not without end.
LONGEST_READ = 8_000
# What is one of several on a line, so that the others still show beside it.
LONGEST_PART = 100
MOST_LINES = 12
# Letters of real languages carry up to four marks; a tower of them covers the lines around it.
MOST_MARKS = 4
STRONGEST = 3
LONGEST_LINK = 2_000
LINK = re.compile(r"https?://[\w-]+(\.[\w-]+)+(:\d+)?([/?#][!#$%&'()*+,\-./:;=?@\w~]*)?", re.ASCII)
SOMEBODY = "Somebody without a name"

# What changes the direction of the text after it, or is never seen. Joiners stay, for emoji and
# Persian; so do the marks of direction for one place, and the variants of a letter.
UNSEEN = re.compile(
    "[\u00ad\u180e\u200b\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)


@dataclass(frozen=True)
class Line:
    """A label of one line, and the text that belongs to it."""

    label: str
    text: str


def plain(text: str | None) -> str:
    """A text of one line, without anything unseen; empty if nothing of it would be seen."""
    return " ".join(paragraph(text).split())


def paragraph(text: str | None) -> str:
    """A text of a few lines, without anything unseen; empty if nothing of it would be seen."""
    rows: list[str] = []
    for row in (text or "")[:LONGEST_READ].splitlines():
        if shown := " ".join(strip_controls(UNSEEN.sub("", _without_towers(row))).split()):
            rows.append(shown)
        if len(rows) > MOST_LINES:
            rows[-2:] = ["…"]
            break
    whole = "\n".join(rows)
    return shorten(whole, LONGEST_TEXT) if any(map(_is_seen, whole)) else ""


def units(text: str) -> int:
    """The length of a text as the strictest vendor counts it: an emoji outside the BMP is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fit(text: str, room: int, escape: Callable[[str], str] = str) -> str:
    """As much of the text, escaped, as has room; the last character is … if something is gone."""
    if units(text) <= room and units(escape(text)) <= room:
        return escape(text)
    size = bisect_right(range(room + 1), room, key=lambda n: units(escape(shorten(text, n)))) - 1
    return escape(shorten(text, max(size, 0)))


def headline(alert: Alert) -> str:
    """What happened, and to whom if it is about one lead."""
    title = plain(alert.title) or "Alert"
    return title if alert.items else f"{title}: {who(alert)}"


def who(alert: Alert) -> str:
    """The lead's name and company, or whatever is known in their place."""
    known = [_short(alert.name), _short(alert.company)]
    if not any(known):
        known = [_short(alert.email) or _short(alert.phone)]
    return ", ".join(part for part in known if part) or SOMEBODY


def standing(alert: Alert) -> str:
    """The score, the class and the tier in a few words; empty when none is known."""
    score = "" if alert.score is None else f"{_number(alert.score)} points"
    parts = [score, plain(alert.classification), plain(alert.tier)]
    return ", ".join(part for part in parts if part)


def reasons(alert: Alert) -> list[str]:
    """The strongest reasons, each with its points: `Asked for a demo +15`."""
    strongest = sorted(alert.reasons, key=lambda reason: -abs(reason.points))[:STRONGEST]
    return [f"{_short(each.text) or 'Unnamed'} {_number(each.points, '+')}" for each in strongest]


def lines(alert: Alert) -> list[Line]:
    """Everything a person is told beside the headline, the most important first."""
    told = [
        Line("Score", standing(alert)),
        Line("Why", "\n".join(reasons(alert))),
        Line("E-mail", _short(alert.email)),
        Line("Phone", _short(alert.phone)),
        Line("Source", _short(alert.source)),
    ]
    told += [Line(_short(label) or "Detail", paragraph(text)) for label, text in alert.details]
    if not link(alert):
        told.append(Line("Lead", plain(alert.url)))
    return [line for line in told if line.text]


def small_print(alert: Alert) -> str:
    """What tells a repeat from news: the alert's id, which every attempt carries, and its time."""
    return f"{plain(alert.id)} · {iso(alert.occurred_at, 'minutes')}"


def link(alert: Alert) -> str | None:
    """The lead's page, if vendors will take its address as a link."""
    url = alert.url or ""
    # Discord refuses the whole message for a host without a dot, such as localhost.
    return url if len(url) <= LONGEST_LINK and LINK.fullmatch(url) else None


def more(left: int) -> str:
    """The sentence for what found no room."""
    return f"… and {left} more" if left > 0 else ""


def _short(text: str | None) -> str:
    return shorten(plain(text), LONGEST_PART)


def _number(value: float, sign: str = "") -> str:
    return format(value, f"{sign}.10g").replace("-", "−")


def _is_seen(letter: str) -> bool:
    if letter in BLANKS or not letter.isprintable():
        return False
    return not letter.isspace() and unicodedata.category(letter)[0] != "M"


def _without_towers(text: str) -> str:
    """The text with at most so many combining marks on one letter."""
    if text.isascii():
        return text
    kept: list[str] = []
    height = 0
    for letter in text:
        height = height + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        if height <= MOST_MARKS:
            kept.append(letter)
    return "".join(kept)

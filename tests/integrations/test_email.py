"""Alerts as e-mail: what arrives at a real server, and what becomes of each way to fail."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.channels.base import AddressRefused, Alert, Reason, Receipt
from integrations.channels.email import Email
from integrations.channels.letter import Envelope, compose, header_text, subject_of
from integrations.errors import ConnectionRefused, ItemRefused, OutcomeUnknown, TryLater
from integrations.smtp import SmtpSettings
from lib.clock import SettableClock
from tests.integrations.cases import NAMES, outcome_of
from tests.integrations.hostile import HOSTILE
from tests.integrations.mailbox import (
    HANG,
    PASSWORD,
    USER,
    MailServer,
    Papers,
    Script,
    Taken,
    make_papers,
)

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "email.json"
ALICE, BOB, CHARLIE = "alice@sales.example", "bob@sales.example", "charlie@sales.example"
HEADERS = [
    *("Subject", "From", "To", "Reply-To", "Date", "Message-ID", "Auto-Submitted"),
    *("X-Auto-Response-Suppress", "MIME-Version", "Content-Type"),
]
ALERT = Alert(
    id="al_0192ab",
    trigger="became_sql",
    title="New SQL lead",
    occurred_at=NOW,
    lead_id=7,
    name="Jane Doe",
    company="Müller & Söhne",
    email="jane@acme.example",
    phone="+49 30 1234567",
    score=72.5,
    classification="SQL",
    tier="warm",
    reasons=(Reason("Asked for a demo", 15), Reason("Left the page", -2.5)),
    source="google_ads / cpc / spring",
    url="https://leads.example.com/leads/7",
    details=(("Note", "Call before noon"),),
)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """The mail server's certificate."""
    return make_papers(tmp_path_factory.mktemp("papers"))


@contextmanager
def serving(script: Script | None = None, **options: Any) -> Iterator[MailServer]:
    server = MailServer(script, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def sink() -> Iterator[MailServer]:
    """A server that takes everything, without TLS and login."""
    with serving() as server:
        yield server


def plain_channel(server: MailServer, **changes: Any) -> Email:
    """The channel, connected to a server without TLS and login."""
    settings = SmtpSettings("127.0.0.1", server.port, sender=USER, require_tls=False)
    return Email(settings, SettableClock(NOW), "https://leads.example.com", **changes)


def secure_channel(server: MailServer, tls: ssl.SSLContext | None, **changes: Any) -> Email:
    """The channel, connected to a server that wants TLS and a login."""
    settings = SmtpSettings("localhost", server.port, USER, PASSWORD, f"Leadline <{USER}>")
    deadline = changes.pop("deadline", 15.0)
    return Email(replace(settings, **changes), SettableClock(NOW), deadline=deadline, tls=tls)


def arrived(server: MailServer) -> Taken:
    """The one letter that the server has."""
    (taken,) = server.taken
    return taken


# What arrives


def test_an_alert_arrives_as_text_and_html(sink: MailServer) -> None:
    receipt = plain_channel(sink).send(ALERT, f"{ALICE}, {BOB}")

    taken = arrived(sink)
    text = taken.letter.get_body(("plain",)).get_content()
    html = taken.letter.get_body(("html",)).get_content()
    assert receipt == Receipt(250, "Taken")
    assert (taken.sender, taken.recipients) == (USER, (ALICE, BOB))
    assert sorted(taken.header_names) == sorted(HEADERS)
    assert taken.letter["Subject"] == "New SQL lead: Jane Doe, Müller & Söhne"
    assert taken.letter["From"] == f"Leadline <{USER}>"
    assert taken.letter["Reply-To"] == "jane@acme.example"
    assert taken.letter["Date"] == "Sat, 21 Nov 2026 09:30:00 +0000"
    assert taken.letter["Auto-Submitted"] == "auto-generated"
    for words in (
        *("Jane Doe", "+49 30 1234567", "72.5, SQL, warm", "Asked for a demo +15"),
        *(
            "Left the page -2.5",
            "Call before noon",
            "google_ads",
            "https://leads.example.com/leads/7",
        ),
    ):
        assert words in text and words in html
    assert "Müller & Söhne" in text and "Müller &amp; Söhne" in html


def test_the_letter_is_seven_bit_in_short_lines_and_loads_nothing(sink: MailServer) -> None:
    plain_channel(sink).send(ALERT, ALICE)

    taken = arrived(sink)
    html = taken.letter.get_body(("html",)).get_content()
    assert taken.raw.isascii()
    assert max(map(len, taken.raw.split(b"\r\n"))) <= 998
    assert not any(mark in html for mark in ("src=", "url(", "@import", "<link", "<script"))
    assert "prefers-color-scheme: dark" in html


def test_short_lines_are_seven_bit_too() -> None:
    letter = compose(ALERT, Envelope(USER, (ALICE,), "<x@leadline.example>", NOW))

    assert letter.as_bytes().isascii()


def test_every_attempt_has_the_same_message_id_and_every_delivery_another(
    sink: MailServer,
) -> None:
    channel = plain_channel(sink)

    for alert, address in (
        (ALERT, ALICE),
        (ALERT, ALICE),
        (ALERT, BOB),
        (replace(ALERT, id="x"), ALICE),
    ):
        channel.send(alert, address)

    ids = [taken.letter["Message-ID"] for taken in sink.taken]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert all(name.endswith("@leadline.example>") for name in ids)


def test_a_digest_shows_each_lead_and_says_how_many_are_left_out(sink: MailServer) -> None:
    items = tuple(replace(ALERT, name=f"Lead {number:02}") for number in range(52))

    plain_channel(sink).send(replace(ALERT, title="52 leads", name=None, items=items), ALICE)

    text = arrived(sink).letter.get_body(("plain",)).get_content()
    assert "Lead 00" in text and "Lead 49" in text and "Lead 50" not in text
    assert "And 2 more." in text


def test_a_bare_alert_arrives_without_empty_lines_or_a_reply_address(sink: MailServer) -> None:
    plain_channel(sink).send(Alert("x", "test", "A test alert", NOW), ALICE)

    taken = arrived(sink)
    text = taken.letter.get_body(("plain",)).get_content()
    assert taken.letter["Reply-To"] is None
    assert taken.letter["Subject"] == "A test alert"
    assert "None" not in text and "Name" not in text and "Why" not in text


def test_a_line_with_one_dot_does_not_end_the_letter(sink: MailServer) -> None:
    plain_channel(sink).send(replace(ALERT, title="."), ALICE)

    text = arrived(sink).letter.get_body(("plain",)).get_content()
    assert text.startswith(".\r\n") and "Jane Doe" in text


# The visitor's words


INJECTIONS = {
    "crlf": "Acme\r\nBcc: victim@evil.example",
    "lf": "Acme\nBcc: victim@evil.example",
    "cr": "Acme\rBcc: victim@evil.example",
    "encoded crlf": "=?utf-8?q?Acme=0D=0ABcc=3A_victim=40evil.example?=",
    "encoded in base64": "=?utf-8?b?QWNtZQ0KQmNjOiB2aWN0aW1AZXZpbC5leGFtcGxl?=",
    "encoded after removal": "=\x00?utf-8?q?Acme=0D=0ABcc=3A_victim=40evil.example?\x00=",
    "other line ends": "Acme\u2028Bcc: victim@evil.example\x85Cc: victim@evil.example\x0bX: y",
    "surrogates and nul": "Acme\udc0d\udc0aBcc: victim@evil.example\x00\r\n\r\nbody",
    "a body": "Acme\r\n\r\n--boundary\r\nContent-Type: text/html\r\n\r\n<b>x</b>\r\n.\r\nQUIT",
    "an address": '"Acme\r\nBcc: x" <jane@acme.example>, victim@evil.example',
}
FIELDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "name": lambda text: {"name": text},
    "company": lambda text: {"company": text},
    "email": lambda text: {"email": text},
    "email's name": lambda text: {"email": f"{text}@acme.example"},
    "details": lambda text: {"details": ((text, text),)},
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("injection", INJECTIONS)
def test_no_field_adds_a_header_or_a_recipient(
    sink: MailServer, field: str, injection: str
) -> None:
    alert = replace(ALERT, **FIELDS[field](INJECTIONS[injection]))

    plain_channel(sink).send(alert, ALICE)

    taken = arrived(sink)
    assert set(taken.header_names) <= set(HEADERS)
    assert len(taken.header_names) == len(set(taken.header_names))
    assert taken.recipients == (ALICE,)
    assert taken.letter["To"] == ALICE
    assert "victim" not in str(taken.letter["Reply-To"])
    assert [part.get_content_type() for part in taken.letter.walk()] == [
        *("multipart/alternative", "text/plain", "text/html"),
    ]


@pytest.mark.parametrize("field", ["name", "title"])
@settings(deadline=None)
@given(text=st.text(st.characters(exclude_categories=()), max_size=300))
def test_no_text_at_all_adds_a_header(field: str, text: str) -> None:
    alert = replace(ALERT, **{field: text}, email=text)
    envelope = Envelope(USER, (ALICE,), "<x@leadline.example>", NOW)

    raw = compose(alert, envelope).as_bytes()

    names = Taken(USER, (), raw).header_names
    assert set(names) <= set(HEADERS) and len(names) == len(set(names))
    read = message_from_bytes(raw, policy=default)["Subject"]
    assert len(str(read)) <= 200
    assert str(read) == subject_of(alert)


def test_an_encoded_word_is_broken_and_stays_readable() -> None:
    assert header_text("=?utf-8?q?x?=") == "= ?utf-8?q?x?="


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(f"{tag} {sorted(name for name, _ in attrs)}")


def letter_with(text: str, *, everywhere: bool = True) -> tuple[str, str, str]:
    """Subject, text and HTML of a letter in which a visitor typed this everywhere, or twice."""
    fields = ("name", "company", "email", "phone", "source")
    alert = Alert("x", "test", "New SQL lead", NOW, name=text, details=(("Note", text),))
    if everywhere:
        alert = replace(ALERT, **dict.fromkeys(fields, text), details=((text, text),))
        alert = replace(alert, reasons=(Reason(text, 5),))
    letter = compose(alert, Envelope(USER, (ALICE,), "<x@leadline.example>", NOW))
    read = message_from_bytes(letter.as_bytes(), policy=default)
    text_part, html_part = read.get_body(("plain",)), read.get_body(("html",))
    assert text_part is not None and html_part is not None
    return str(read["Subject"]), text_part.get_content(), html_part.get_content()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_words_stay_words(name: str) -> None:
    _, _, html = letter_with(HOSTILE[name])
    _, _, harmless = letter_with("w")

    tags, expected = _Tags(), _Tags()
    tags.feed(html)
    expected.feed(harmless)
    # A text of which nothing is left has no row; no text brings a tag of its own.
    assert set(tags.seen) <= set(expected.seen)
    assert len(html) < 40_000


def test_hostile_words_look_as_they_did() -> None:
    """WRITE_GOLDEN=1 writes the file anew; read the difference before it is committed."""
    shown = {}
    for name, text in HOSTILE.items():
        subject, plain, html = letter_with(text, everywhere=False)
        rows = re.findall("<bdi>.*</bdi>", html)
        lines = [line for line in plain.split("\r\n") if line.startswith(("Name: ", "Note: "))]
        shown[name] = {"subject": subject, "text": lines, "html": rows}
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(shown, indent=1, ensure_ascii=True) + "\n")

    assert shown == json.loads(GOLDEN.read_text())


# Each way to fail


@dataclass(frozen=True)
class Case:
    """What a mail server says at one stage of the dialogue, and what that means."""

    name: str
    stage: str
    reply: str
    expect: str
    pause: bool = False


def load_cases() -> list[Any]:
    """The cases of `cases/email.json`; a dialogue has stages where HTTP has a status."""
    rows = json.loads((HERE / "cases" / "email.json").read_text("utf-8"))
    return [pytest.param(Case(**row), id=row["name"]) for row in rows]


@pytest.mark.parametrize("case", load_cases())
def test_each_answer_has_its_consequence(case: Case, papers: Papers) -> None:
    script = Script(**{case.stage: case.reply})
    # Before the letter, silence means the same wherever it falls; after it, the dialogue must
    # have come so far, on a busy machine too.
    silent = 2.0 if case.stage == "after_data" else 0.3
    deadline = silent if case.reply == HANG else 15.0
    with serving(script, tls=papers.server_side(), with_login=True) as server:
        channel = secure_channel(server, papers.client_side(), deadline=deadline)

        error = outcome_of(lambda: channel.send(ALERT, ALICE))

    assert (NAMES[type(error)] if error else "delivered") == case.expect, error
    assert getattr(error, "pause", False) is case.pause
    if error is not None and case.reply[:3].isdecimal():
        assert error.status == int(case.reply[:3])
        assert case.reply[4:] in error.reply
        assert PASSWORD not in error.reason + error.reply


def test_a_deadline_holds_against_a_server_that_drips() -> None:
    stop = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with closing(connection), suppress_broken():
            # A byte now and then keeps every single read alive.
            while not stop.wait(0.02):
                connection.sendall(b"2")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        settings = SmtpSettings(
            "127.0.0.1", listener.getsockname()[1], sender=USER, require_tls=False
        )
        try:
            with pytest.raises(TryLater, match="in time"):
                Email(settings, SettableClock(NOW), deadline=0.3).send(ALERT, ALICE)
        finally:
            stop.set()
            thread.join()


def test_a_server_that_never_stops_talking_is_left() -> None:
    def chatter(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with closing(connection), suppress_broken():
            while True:
                connection.sendall(b"220-and another thing\r\n" * 1000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=chatter, args=(listener,))
        thread.start()
        settings = SmtpSettings(
            "127.0.0.1", listener.getsockname()[1], sender=USER, require_tls=False
        )
        with pytest.raises(TryLater, match="broke"):
            Email(settings, SettableClock(NOW)).send(ALERT, ALICE)
        thread.join()


@contextmanager
def suppress_broken() -> Iterator[None]:
    try:
        yield
    except OSError:
        pass


def test_nobody_at_the_port_and_no_such_host_are_tried_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for host, words in (("127.0.0.1", "EMAIL_PORT"), ("no-such-host.invalid", "EMAIL_HOST")):
        settings = SmtpSettings(host, port, sender=USER)

        with pytest.raises(TryLater, match=words):
            Email(settings, SettableClock(NOW)).send(ALERT, ALICE)


# TLS and login


@pytest.mark.parametrize("user", [USER, ""])
def test_a_letter_goes_by_starttls_with_login_or_without(papers: Papers, user: str) -> None:
    with serving(tls=papers.server_side(), with_login=bool(user)) as server:
        secure_channel(server, papers.client_side(), user=user).send(ALERT, ALICE)

        assert arrived(server).recipients == (ALICE,)


def test_tls_from_the_first_byte_on_its_own_port(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tls=papers.server_side(), implicit=True) as server:
        monkeypatch.setattr("integrations.smtp.IMPLICIT_TLS_PORT", server.port)

        secure_channel(server, papers.client_side(), user="").send(ALERT, ALICE)

        assert arrived(server).recipients == (ALICE,)


def test_without_starttls_nothing_is_said_in_clear_text() -> None:
    with serving() as server:
        with pytest.raises(ConnectionRefused, match="STARTTLS"):
            secure_channel(server, None).send(ALERT, ALICE)

        assert not server.asked and not server.taken


@pytest.mark.parametrize("change", ["unknown authority", "wrong name"])
def test_a_certificate_that_is_not_good_stops_the_connection(
    tmp_path: Path, papers: Papers, change: str
) -> None:
    shown = make_papers(tmp_path, "elsewhere.example") if change == "wrong name" else papers
    trust = shown.client_side() if change == "wrong name" else None
    with serving(tls=shown.server_side(), with_login=True) as server:
        with pytest.raises(ConnectionRefused, match="certificate"):
            secure_channel(server, trust).send(ALERT, ALICE)

        assert not server.asked


def test_a_wrong_password_stops_the_connection_in_the_servers_words(papers: Papers) -> None:
    with serving(tls=papers.server_side(), with_login=True) as server:
        channel = secure_channel(server, papers.client_side(), password="wrong")

        with pytest.raises(ConnectionRefused) as caught:
            channel.send(ALERT, ALICE)

    assert caught.value.status == 535
    assert "Authentication credentials invalid" in caught.value.reason
    assert "wrong" not in caught.value.reason


def test_a_password_that_smtp_cannot_carry_is_said_so(papers: Papers) -> None:
    with serving(tls=papers.server_side(), with_login=True) as server:
        with pytest.raises(ConnectionRefused, match="ASCII"):
            secure_channel(server, papers.client_side(), password="пароль").send(ALERT, ALICE)


def test_a_server_without_login_is_not_told_the_password(sink: MailServer) -> None:
    settings = SmtpSettings("127.0.0.1", sink.port, USER, PASSWORD, USER, require_tls=False)

    with pytest.raises(ConnectionRefused, match="login"):
        Email(settings, SettableClock(NOW)).send(ALERT, ALICE)


def test_settings_do_not_show_the_password() -> None:
    assert PASSWORD not in repr(SmtpSettings("h", 587, USER, PASSWORD))


@pytest.mark.parametrize("sender", ["", "nobody", "a b@c.example"])
def test_a_sender_that_is_none_stops_before_the_network(sender: str) -> None:
    settings = SmtpSettings("127.0.0.1", 1, sender=sender, require_tls=False)

    with pytest.raises(ConnectionRefused, match="SENDER_EMAIL"):
        Email(settings, SettableClock(NOW)).send(ALERT, ALICE)


def test_a_letter_over_the_servers_size_is_not_offered() -> None:
    with serving(size=1000) as server:
        with pytest.raises(ItemRefused, match="at most 1000"):
            plain_channel(server).send(ALERT, ALICE)

        assert not server.asked


# Several recipients


def test_a_refused_recipient_is_noted_and_the_others_get_it() -> None:
    with serving(Script(people={BOB: "550 5.1.1 No such user"})) as server:
        receipt = plain_channel(server).send(ALERT, f"{ALICE}, {BOB}")

        assert arrived(server).recipients == (ALICE,)
    assert receipt.status == 250
    assert receipt.note == "Refused for good: b***@s***.example (550 5.1.1 No such user)"


def test_a_retry_asks_only_for_those_who_do_not_have_it() -> None:
    script = Script(people={BOB: "450 4.2.0 Greylisted", CHARLIE: "550 5.1.1 No such user"})
    with serving(script) as server:
        channel = plain_channel(server)
        with pytest.raises(TryLater) as caught:
            channel.send(ALERT, f"{ALICE}, {BOB}, {CHARLIE}")
        server.script.people = {}
        server.asked.clear()

        receipt = channel.send(
            ALERT,
            f"{ALICE}, {BOB}, {CHARLIE}",
            progress=json.loads(json.dumps(caught.value.progress)),
        )

        assert server.asked == [BOB]
        first, second = server.taken
    assert (first.recipients, second.recipients) == ((ALICE,), (BOB,))
    assert first.letter["Message-ID"] == second.letter["Message-ID"]
    assert ALICE not in str(caught.value.progress) and ALICE not in caught.value.reason
    assert receipt.note == "Refused for good: c***@s***.example"


def test_what_is_known_survives_an_attempt_that_fails_altogether() -> None:
    with serving(Script(people={BOB: "450 4.2.0 Greylisted"})) as server:
        with pytest.raises(TryLater) as first:
            plain_channel(server).send(ALERT, f"{ALICE}, {BOB}")
    with serving(Script(connect="421 Busy")) as server:
        with pytest.raises(TryLater) as second:
            plain_channel(server).send(ALERT, f"{ALICE}, {BOB}", progress=first.value.progress)

    assert second.value.progress == first.value.progress
    assert len(first.value.progress["sent"]) == 1


def test_nothing_is_sent_when_everybody_has_it(sink: MailServer) -> None:
    with serving(Script(people={BOB: "450 4.2.0 Greylisted"})) as server:
        with pytest.raises(TryLater) as first:
            plain_channel(server).send(ALERT, f"{ALICE}, {BOB}")

    assert plain_channel(sink).send(ALERT, ALICE, progress=first.value.progress) == Receipt()
    assert not sink.taken


def test_a_repeat_after_an_unknown_outcome_is_known_again() -> None:
    with serving(Script(after_data="drop")) as server:
        with pytest.raises(OutcomeUnknown):
            plain_channel(server).send(ALERT, ALICE)
        server.script.after_data = ""
        plain_channel(server).send(ALERT, ALICE)

        ids = {taken.letter["Message-ID"] for taken in server.taken}
    assert len(server.taken) == 2 and len(ids) == 1


@pytest.mark.parametrize("progress", [{"sent": "x"}, {"sent": [1, None]}, {"other": 1}, None])
def test_progress_that_is_none_of_ours_is_no_progress(sink: MailServer, progress: Any) -> None:
    assert plain_channel(sink).send(ALERT, ALICE, progress=progress).status == 250


# Addresses


def offline(**changes: Any) -> Email:
    return Email(SmtpSettings("127.0.0.1", 1), SettableClock(NOW), **changes)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("sales@example.com", "sales@example.com"),
        (" Anna.B@EXAMPLE.com ,bob@example.org,", "Anna.B@example.com, bob@example.org"),
        ("a@example.com,a@example.com", "a@example.com"),
        ("a@münchen.example", "a@xn--mnchen-3ya.example"),
    ],
)
def test_good_addresses_are_kept_in_their_usual_form(typed: str, kept: str) -> None:
    assert offline().check(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "",
            " , ",
            "sales",
            "a@b",
            "Sales <a@example.com>",
            "a@example.com\r\nBcc: b@example.com",
        ),
        *("a@example.com;b@example.com", "ü@example.com", "a@leads.test", "a@[127.0.0.1]"),
        *("=?utf-8?q?a?=@example.com", "x" * 300 + "@example.com", "a@example.com," * 5000),
        ",".join(f"a{number}@example.com" for number in range(21)),
    ],
)
def test_bad_addresses_are_refused_in_a_sentence(typed: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        offline().check(typed)

    assert str(caught.value).endswith(".") and len(str(caught.value)) < 250


def test_reserved_domains_are_good_in_tests_only() -> None:
    assert offline(is_test=True).check("a@leads.test") == "a@leads.test"


def test_addresses_are_masked_one_by_one() -> None:
    assert offline().mask(f"{ALICE}, {BOB}") == "a***@s***.example, b***@s***.example"


def test_a_repeat_is_known_by_its_receiver() -> None:
    assert offline().idempotent is True and offline().name == "email"

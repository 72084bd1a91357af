"""Alerts through Apprise: which addresses are let in, what arrives, and what a failure becomes."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from integrations.channels.base import AddressRefused, Alert, Reason
from integrations.channels.other import LONGEST_BODY, Other, body_of, reachable, words_of
from integrations.errors import ConnectionRefused, OutcomeUnknown, TryLater
from lib.clock import SettableClock
from tests.integrations.hostile import HOSTILE

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
TOKEN = "123456789:alphanum_secret_of_a_bot_AAAA"
TELEGRAM = f"tgram://{TOKEN}/987654321"
PUSHOVER = f"pover://{'u' * 30}@{'a' * 30}"
ALERT = Alert(
    id="al_1",
    trigger="became_sql",
    title="New SQL lead",
    occurred_at=NOW,
    name="Jane *Doe* <b>x</b> [click](https://evil.example)",
    company="@everyone & Söhne",
    score=72.5,
    classification="SQL",
    reasons=(Reason("Asked for a demo", 15),),
    url="https://leads.example.com/leads/7",
)


class Vendor(ThreadingHTTPServer):
    """A server that answers every request alike and keeps what it was sent."""

    def __init__(self, status: int, *, is_silent: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status = status
        self.is_silent = is_silent
        self.closing = threading.Event()
        self.bodies: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Vendor

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.bodies.append(body)
        if self.server.is_silent:
            self.server.closing.wait()
            return
        answer = b'{"ok": true, "status": 1}'
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing; the test's output is for its result."""


@contextmanager
def vendor(status: int = 200, *, is_silent: bool = False) -> Iterator[Vendor]:
    server = Vendor(status, is_silent=is_silent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def channel(*command: str, deadline: float = 20.0) -> Other:
    """The channel, with this command of Python's instead of its own process."""
    return Other(SettableClock(NOW), deadline, command=(sys.executable, *command))


def calling(server: Vendor, deadline: float = 20.0) -> Other:
    """The channel, whose plugins call this server."""
    return channel("-m", "tests.integrations.apprise_child", server.address, deadline=deadline)


# What arrives


def test_an_alert_arrives_through_a_real_plugin() -> None:
    with vendor() as server:
        receipt = calling(server).send(ALERT, TELEGRAM)

    sent = json.loads(server.bodies[0])
    assert receipt.reply == "Apprise: delivered"
    assert sent["chat_id"] == 987654321
    for words in (
        "New SQL lead",
        "72.5, SQL",
        "Asked for a demo +15",
        "https://leads.example.com/leads/7",
    ):
        assert words in sent["text"]


def test_words_of_a_visitor_stay_words_in_every_format() -> None:
    with vendor() as server:
        for address in (TELEGRAM, f"{TELEGRAM}?format=markdown", PUSHOVER):
            calling(server).send(ALERT, address)

    html, markdown = (json.loads(body) for body in server.bodies[:2])
    (plain,) = parse_qs(server.bodies[2])["message"]
    assert html["parse_mode"] == "HTML"
    assert "*Doe* &lt;b&gt;x&lt;/b&gt;" in html["text"] and "<b>x</b>" not in html["text"]
    assert markdown["parse_mode"].lower().startswith("markdown")
    assert "\\*Doe\\*" in markdown["text"] and "[click](" not in markdown["text"]
    assert "*Doe* <b>x</b>" in plain
    assert "@everyone" not in html["text"] + markdown["text"] + plain


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_one_bounded_plain_line(name: str) -> None:
    alert = Alert("x", "test", "A test", NOW, name=HOSTILE[name])

    body = body_of(alert)

    assert len(body) <= LONGEST_BODY
    assert len(body.splitlines()) <= 1
    assert not any(ping in body for ping in ("@everyone", "@here", "@channel", "<!", "<@", "<#"))


def test_an_address_of_mail_is_no_ping() -> None:
    assert words_of("jane@acme.example") == "jane@acme.example"


def test_a_digest_is_one_block_for_each_lead() -> None:
    items = (ALERT, Alert("y", "became_hot", "New hot lead", NOW, name="Bob"))

    blocks = body_of(Alert("z", "digest", "2 leads", NOW, items=items)).split("\n\n")

    assert [block.splitlines()[0] for block in blocks] == ["New SQL lead", "New hot lead"]


# Failures


@pytest.mark.parametrize("status", [400, 500])
def test_a_failure_is_an_unknown_outcome(status: int) -> None:
    with vendor(status) as server:
        with pytest.raises(OutcomeUnknown) as caught:
            calling(server).send(ALERT, TELEGRAM)

    assert server.bodies
    assert TOKEN not in caught.value.reason + caught.value.reply


@pytest.mark.nightly
def test_a_plugin_that_hangs_is_killed_at_the_deadline() -> None:
    with vendor(is_silent=True) as server:
        # Longer than Python and Apprise need to start on a busy machine.
        with pytest.raises(OutcomeUnknown):
            calling(server, deadline=10.0).send(ALERT, TELEGRAM)

    assert server.bodies


def test_a_process_that_hangs_before_it_began_sent_nothing() -> None:
    program = "import sys, threading; threading.Event().wait()"

    with pytest.raises(TryLater, match="nothing was sent"):
        channel("-c", program, deadline=0.3).send(ALERT, TELEGRAM)


def test_a_killed_process_is_gone(tmp_path: Path) -> None:
    alive = tmp_path / "pid"
    program = (
        f"import os, threading; open({str(alive)!r}, 'w').write(str(os.getpid()));"
        "print('started', flush=True); threading.Event().wait()"
    )

    with pytest.raises(OutcomeUnknown):
        channel("-c", program, deadline=2.0).send(ALERT, TELEGRAM)

    assert not Path(f"/proc/{alive.read_text()}").exists()


def test_a_program_that_does_not_start_is_tried_later() -> None:
    with pytest.raises(TryLater):
        channel("-c", "raise SystemExit(3)").send(ALERT, TELEGRAM)
    with pytest.raises(TryLater):
        Other(SettableClock(NOW), command=("/no/such/program",)).send(ALERT, TELEGRAM)


def test_an_address_that_slipped_in_stops_in_the_process_too() -> None:
    with vendor() as server:
        inside = f"json://127.0.0.1:{server.server_port}/"
        for address in (inside, "tgram://nonsense"):
            with pytest.raises(ConnectionRefused):
                calling(server).send(ALERT, address)

    assert not server.bodies


def test_the_process_sees_neither_the_address_nor_our_secrets_beside_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "a-secret-of-ours")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    seen = tmp_path / "seen"
    program = (
        "import json, os, sys; told = json.dumps([sys.argv, dict(os.environ)]);"
        f"open({str(seen)!r}, 'w').write(told); sys.stdin.read(); print('started delivered')"
    )

    channel("-c", program).send(ALERT, TELEGRAM)

    assert "a-secret-of-ours" not in seen.read_text()
    assert TOKEN not in seen.read_text()
    assert "PROXY" not in seen.read_text()


# Addresses


@pytest.mark.parametrize("address", [TELEGRAM, PUSHOVER, f" {TELEGRAM}\n"])
def test_public_services_are_let_in(address: str) -> None:
    assert Other(SettableClock(NOW)).check(address) == address.strip()


@pytest.mark.parametrize(
    "scheme",
    [
        # They call whatever host stands in the address.
        *("json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos", "apprise"),
        *("apprises", "ntfy", "ntfys", "gotify", "matrix", "mmost", "rocket", "hassio", "signal"),
        *("mqtt", "amqp", "irc", "xmpp", "smpp", "rsyslog", "workflows", "bark", "synology"),
        # They show it on this machine, or read a file of it, or let another place be chosen.
        *("syslog", "dbus", "qt", "kde", "glib", "gio", "gnome", "windows", "macosx", "blink1"),
        *("fcm", "vapid", "nostr", "bluesky", "bsky", "zulip", "kaleyra", "cliq", "aprs"),
        # They are ours, or none at all.
        *("slack", "discord", "http", "https", "file", "javascript", "nonsense"),
    ],
)
def test_every_other_scheme_is_refused_in_a_sentence(scheme: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        Other(SettableClock(NOW)).check(f"{scheme}://user:pass@127.0.0.1:8080/a-secret/x")

    assert str(caught.value).endswith(".")
    assert "a-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        *("", "tgram", "tgram://", "tgram:///", "tgram://nonsense/x", "://x", "tgram:/x"),
        *(f"{TELEGRAM}?verify=no", f"{TELEGRAM}/?template=/etc/passwd", f"{TELEGRAM}?a=b&Verify=0"),
        *(f"{TELEGRAM}?%76erify=no", "tgram://" + "x" * 3000, "json://x, tgram://y"),
    ],
)
def test_addresses_that_lack_or_hide_something_are_refused(address: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        Other(SettableClock(NOW)).check(address)

    assert TOKEN not in str(caught.value)


def test_the_services_people_ask_for_are_among_the_reachable() -> None:
    assert {"tgram", "gchat", "pover", "twilio", "line", "webex", "pbul"} <= reachable()
    assert len(reachable()) > 90


def test_only_the_scheme_of_an_address_is_shown() -> None:
    assert Other(SettableClock(NOW)).mask(TELEGRAM) == "tgram://…"
    assert Other(SettableClock(NOW)).mask("a-secret") == "…"


def test_a_repeat_is_not_known_by_its_receiver() -> None:
    assert Other(SettableClock(NOW)).idempotent is False

"""The door out meets servers that lie, dawdle, flood and hang up, over real sockets."""

from __future__ import annotations

import gzip
import itertools
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from integrations.errors import (
    ConnectionRefused,
    DeliveryError,
    ItemRefused,
    OutcomeUnknown,
    TryLater,
)
from integrations.http import HttpDoor, HttpReply, later_or_refused, retry_after
from tests.integrations.cases import NOW, Case, load, outcome_of
from tests.integrations.conftest import Answering
from tests.integrations.peers import Authority, Peer, answers, drips, floods, reset

LOOPBACK = ("127.0.0.0/8",)
NAME = "hooks.example.com"
OK = b"HTTP/1.1 200 OK\r\n"
SECRETS = ("secret-path", "secret-token", "secret-signature")
SIGNED = {"webhook-signature": "v1,secret-signature"}
DEADLINE = 0.3
# Where nothing hangs, a busy machine is no reason to fail.
PATIENCE = 30.0


def door(deadline: float = PATIENCE) -> HttpDoor:
    return HttpDoor(allowed_networks=LOOPBACK, deadline=deadline)


def knock(at: HttpDoor, address: str, body: bytes = b"{}") -> HttpReply:
    return at.post(address, body=body, headers=SIGNED)


# What an answer means


@pytest.mark.parametrize("case", load("http"))
def test_a_status_means_the_same_for_every_vendor(case: Case, answering: Answering) -> None:
    answering.says(case.status, case.headers, case.raw)

    def send() -> None:
        reply = knock(door(), answering.url)
        later_or_refused(reply, now=NOW, what="The vendor")

    error = case.holds_for(send)

    assert len(answering.requests) == 1
    if error is not None:
        assert error.status == case.status
        assert error.reason.startswith("The vendor") and str(case.status) in error.reason


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0", 0),
        (" 7 ", 7),
        ("0.5", 0.5),
        ("3.", 3),
        ("86401", 86400),
        ("9" * 5000, 86400),
        ("-5", None),
        ("1e3", None),
        ("inf", None),
        ("nan", None),
        ("1_0", None),
        ("٣", None),
        ("", None),
        ("Sat, 21 Nov 2026 09:30:10 GMT", 10),
        ("Sat, 21 Nov 2026 10:30:10 +0100", 10),
        ("Sat, 21 Nov 2026 09:30:10 -0000", 10),
        ("Saturday, 21-Nov-26 09:30:10 GMT", 10),
        ("Sat, 99 Nov 2026 09:30:10 GMT", None),
        ("Sat, 21 Nov 99999 09:30:10 GMT", None),
        ("Sat, 21 Nov 2026 09:30:10 +999999", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0),
    ],
)
def test_a_wait_is_read_or_it_is_none(written: str, seconds: float | None) -> None:
    found = retry_after({"Retry-After": written}, b'{"retry_after": 99}', NOW)

    assert (found.total_seconds() if found is not None else None) == seconds


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b'{"retry_after": 0.8, "global": true}', 0.8),
        (b'{"retry_after": "12"}', 12),
        (b'{"retry_after": NaN}', None),
        (b'{"retry_after": -1}', None),
        (b'{"retry_after": null}', None),
        (b'{"retry_after": [1]}', None),
        (b'{"retry_after": 1' + b"0" * 4000 + b"}", 86400),
        (b"[1]", None),
        (b"<html>", None),
        (b"\xff\xfe", None),
        (b"[" * 4096, None),
        (b"", None),
    ],
)
def test_a_wait_in_the_body_counts_where_no_header_says_one(
    body: bytes, seconds: float | None
) -> None:
    found = retry_after({}, body, NOW)

    assert (found.total_seconds() if found is not None else None) == seconds


def test_a_reply_is_text_and_json_whatever_came() -> None:
    odd = HttpReply(200, {}, b'{"a\xff": "\x00"}')

    assert odd.text == '{"a\ufffd": "\ufffd"}'
    assert odd.json() is None
    assert HttpReply(200, {}, b'{"a": 1}').json() == {"a": 1}


# What is sent


def test_the_receiver_gets_the_message_and_nothing_of_ours_beside_it(answering: Answering) -> None:
    answering.says(200, {"X-Seen": "Yes"}, "taken")

    reply = knock(door(), answering.url + "?a=b", body=b'{"name":"J\xc3\xbcrgen"}')

    heard = answering.last
    assert (reply.status, reply.headers["x-seen"], reply.body) == (200, "Yes", b"taken")
    assert heard.path == "/hook/T0/secret-path?a=b"
    assert heard.body == b'{"name":"J\xc3\xbcrgen"}'
    assert heard.headers == {
        "host": f"127.0.0.1:{answering.server.server_port}",
        "content-length": str(len(heard.body)),
        "user-agent": "Leadline",
        "accept-encoding": "identity",
        "connection": "close",
        "webhook-signature": "v1,secret-signature",
    }


def test_proxies_and_netrc_of_the_environment_count_for_nothing(
    answering: Answering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with Peer(answers(OK + b"\r\n")) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{proxy.port}")

        knock(door(), answering.url)

        assert proxy.connections == 0
    assert "authorization" not in answering.last.headers


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_only_its_host_is_told(
    status: int, answering: Answering
) -> None:
    with Peer(answers(OK + b"\r\n")) as canary:
        place = canary.url.replace("127.0.0.1", "localhost")
        answering.says(status, {"Location": place})

        reply = knock(door(), answering.url)
        error = outcome_of(lambda: later_or_refused(reply, now=NOW, what="It"))

        assert canary.connections == 0
    assert isinstance(error, ItemRefused)
    assert f"redirects to localhost ({status})" in error.reason
    assert not any(secret in error.reason for secret in SECRETS)


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("https://user:secret@Other.example/secret", "other.example"),
        ("//other.example/x", "other.example"),
        ("https://[2001:db8::1]:9/x", "2001:db8::1"),
        ("/path", "another path"),
        ("", "no place"),
        ("https://<!channel>/", "another place"),
        ("https://evil\x1b[31m.example/", "another place"),
        ("https://[", "another place"),
    ],
)
def test_a_redirect_names_a_host_or_none(location: str, named: str) -> None:
    reply = HttpReply(302, {"location": location}, b"")

    with pytest.raises(ItemRefused) as caught:
        later_or_refused(reply, now=NOW, what="It")

    assert caught.value.reason == f"It redirects to {named} (302); we follow none."


def test_the_body_of_a_redirect_is_not_read_to_its_end() -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Peer(floods(head, b"4\r\nmore\r\n")) as peer:
        assert knock(door(), peer.url).body == b"more" * 1024


# Floods


def test_of_a_gzip_bomb_only_the_first_raw_bytes_are_read() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)

    with Peer(answers(head, bomb)) as peer:
        assert knock(door(), peer.url).body == bomb[:4096]


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n", b"10\r\n0123456789abcdef\r\n"),
        (b"Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\n", b"0123456789abcdef"),
        (b"\r\n", b"0123456789abcdef"),
        (b"Content-Length: 99999999999999\r\n\r\n", b"0123456789abcdef"),
        (b"Content-Length: -1\r\n\r\n", b"0123456789abcdef"),
    ],
    ids=["chunks", "one huge chunk", "no length", "huge length", "negative length"],
)
def test_of_an_endless_body_the_beginning_is_read(head: bytes, part: bytes) -> None:
    with Peer(floods(OK + head, part)) as peer:
        assert knock(door(), peer.url).body == b"0123456789abcdef" * 256


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (OK, b"X-More: again\r\n"),
        (OK + b"X-Long: ", b"long " * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 ", b"OK" * 1000),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b"all that you can take" * 100),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-9\r\n", b"all that you can take" * 100),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 5000 + b"\r\na\r\n"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: again\r\n"),
        (b"", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ],
    ids=[
        *("headers", "one header", "continues", "status", "chunk of -1", "chunk of -9"),
        *("chunk marks", "trailers", "another protocol"),
    ],
)
def test_no_flood_is_heard_to_its_end(head: bytes, part: bytes) -> None:
    with Peer(floods(head, part)) as peer:
        with pytest.raises(OutcomeUnknown):
            knock(door(), peer.url)


# The deadline


def forever(part: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.repeat(part)


def silent(peer: Peer, side: socket.socket) -> None:
    peer.hear(side)
    peer.over.wait()


def deaf(peer: Peer, side: socket.socket) -> None:
    peer.over.wait()


@pytest.mark.parametrize(
    "play",
    [
        silent,
        drips(b"", forever(b"H")),
        drips(OK, forever(b"X: y\r\n")),
        drips(b"", forever(b"HTTP/1.1 100 Continue\r\n\r\n")),
        drips(OK + b"Content-Length: 6\r\n\r\n", lambda: itertools.cycle([b"s", *[b""] * 99])),
        drips(OK + b"\r\n", forever(b".")),
        drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", forever(b"1\r\n.\r\n")),
    ],
    ids=[
        *("nothing", "status", "headers", "continues", "six bytes", "no length", "chunks"),
    ],
)
def test_a_slow_answer_ends_at_the_deadline_with_an_unknown_outcome(
    play: Callable[[Peer, socket.socket], None],
) -> None:
    with Peer(play) as peer:
        with pytest.raises(OutcomeUnknown, match="in time"):
            knock(door(DEADLINE), peer.url)

    assert len(peer.requests) == 1


def test_who_does_not_listen_is_left_at_the_deadline() -> None:
    with Peer(deaf) as peer:
        with pytest.raises(OutcomeUnknown, match="in time"):
            knock(door(DEADLINE), peer.url, body=bytes(20_000_000))


def test_a_dripping_handshake_ends_at_the_deadline_and_nothing_was_sent() -> None:
    def play(peer: Peer, side: socket.socket) -> None:
        # A record's head that promises 16 KB, which then never come whole.
        side.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
        peer.drip(side, itertools.repeat(b"."))

    with Peer(play) as peer:
        with pytest.raises(TryLater, match="in time"):
            knock(door(DEADLINE), peer.url.replace("http:", "https:"))


def test_a_slow_name_server_is_left_at_the_deadline() -> None:
    over, answered = threading.Event(), list[str]()

    def resolve(host: str) -> list[str]:
        over.wait(PATIENCE)
        answered.append(host)
        return ["127.0.0.1"]

    slow = HttpDoor(allowed_networks=LOOPBACK, deadline=DEADLINE, resolve=resolve)

    with pytest.raises(TryLater, match="in time"):
        knock(slow, f"https://{NAME}/")
    assert slow.check(f"https://{NAME}/") == f"https://{NAME}/"
    assert answered == []
    over.set()


# Hanging up


def hangs_up(peer: Peer, side: socket.socket) -> None:
    peer.hear(side)


def resets(peer: Peer, side: socket.socket) -> None:
    peer.hear(side)
    reset(side)


def resets_in_the_body(peer: Peer, side: socket.socket) -> None:
    peer.hear(side)
    side.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab")
    reset(side)


@pytest.mark.parametrize(
    "play",
    [
        *(hangs_up, resets, resets_in_the_body),
        *(answers(b"HTTP/1.1 2"), answers(b"\x00\xff" * 50), answers(b"HTTP/1.1 abc OK\r\n\r\n")),
    ],
)
def test_without_a_proper_answer_the_outcome_is_unknown(
    play: Callable[[Peer, socket.socket], None],
) -> None:
    with Peer(play) as peer:
        with pytest.raises(OutcomeUnknown, match="no proper answer"):
            knock(door(), peer.url)

    assert len(peer.requests) == 1


def test_where_nobody_listens_nothing_was_sent() -> None:
    with Peer(hangs_up) as peer:
        address = peer.url

    with pytest.raises(TryLater, match="nothing was sent"):
        knock(door(), address)


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label"), None])
def test_a_name_that_cannot_be_found_is_tried_later(error: Exception | None) -> None:
    def resolve(host: str) -> list[str]:
        if error is not None:
            raise error
        return []

    with pytest.raises(TryLater, match="hooks.example.com could not be reached"):
        knock(HttpDoor(resolve=resolve), f"https://{NAME}/")


def test_the_next_address_is_tried_where_the_first_is_dead() -> None:
    with Peer(answers(OK + b"\r\n")) as peer:
        # Nobody listens on the other address of the loopback.
        both = HttpDoor(allowed_networks=LOOPBACK, resolve=lambda host: ["127.0.0.2", "127.0.0.1"])

        assert knock(both, f"http://{NAME}:{peer.port}/").status == 200


def test_an_address_that_never_answers_leaves_time_for_the_next() -> None:
    with Peer(answers(OK + b"\r\n")) as peer, socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.2", peer.port))
        full.listen(0)
        # Who comes after these is neither let in nor sent away.
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.2", peer.port))
        at = HttpDoor(
            allowed_networks=LOOPBACK,
            deadline=4 * DEADLINE,
            resolve=lambda host: ["127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.1"],
        )

        assert knock(at, f"http://{NAME}:{peer.port}/").status == 200


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.found(tmp_path_factory.mktemp("authority"), "Test authority")


def tls_door(trusted: Authority | None) -> HttpDoor:
    return HttpDoor(
        allowed_networks=LOOPBACK,
        deadline=PATIENCE,
        resolve=lambda host: ["127.0.0.1"],
        authorities=str(trusted.file) if trusted else None,
    )


def test_a_certificate_for_the_name_opens_the_door(authority: Authority) -> None:
    with Peer(answers(OK + b"\r\nhello"), authority.server_side(NAME)) as peer:
        reply = knock(tls_door(authority), f"https://{NAME}:{peer.port}/a")

        assert (reply.status, reply.body) == (200, b"hello")
        assert f"Host: {NAME}:{peer.port}\r\n".encode() in peer.requests[0]


@pytest.mark.parametrize(
    ("names", "days", "is_trusted", "said"),
    [
        (["other.example.com"], (-1, 1), True, "Hostname mismatch"),
        ([f"x.{NAME}", "*.hooks.example.com"], (-1, 1), True, "Hostname mismatch"),
        ([NAME], (-3, -1), True, "expired"),
        ([NAME], (1, 3), True, "not yet valid"),
        ([NAME], (-1, 1), False, "unable to get local issuer"),
    ],
    ids=["wrong name", "name below", "expired", "not yet valid", "unknown authority"],
)
def test_a_wrong_certificate_closes_the_connection_before_a_word(
    authority: Authority, names: list[str], days: tuple[int, int], is_trusted: bool, said: str
) -> None:
    with Peer(answers(OK + b"\r\n"), authority.server_side(*names, days=days)) as peer:
        trusting = tls_door(authority if is_trusted else None)
        with pytest.raises(ConnectionRefused, match=f"certificate of {NAME} is not valid.*{said}"):
            knock(trusting, f"https://{NAME}:{peer.port}/secret-path")

        assert peer.requests == []


def test_a_certificate_that_vouches_for_itself_is_refused(tmp_path: Path) -> None:
    mine, theirs = (Authority.found(tmp_path, NAME) for _ in range(2))

    with Peer(answers(OK + b"\r\n"), theirs.server_side(NAME)) as peer:
        with pytest.raises(ConnectionRefused, match="not valid"):
            knock(tls_door(mine), f"https://{NAME}:{peer.port}/")


def test_a_drip_inside_tls_ends_at_the_deadline(authority: Authority) -> None:
    play = drips(OK + b"\r\n", forever(b"."))
    with Peer(play, authority.server_side(NAME)) as peer:
        hurried = HttpDoor(
            allowed_networks=LOOPBACK,
            deadline=DEADLINE,
            resolve=lambda host: ["127.0.0.1"],
            authorities=str(authority.file),
        )

        with pytest.raises(OutcomeUnknown, match="in time"):
            knock(hurried, f"https://{NAME}:{peer.port}/")


def test_who_speaks_no_tls_is_tried_later(answering: Answering) -> None:
    with pytest.raises(TryLater, match="does not speak TLS"):
        knock(door(), answering.url.replace("http:", "https:"))

    assert answering.requests == []


# Secrets


def no_answer(peer: Peer, side: socket.socket) -> None:
    """Hang up at once."""


@pytest.mark.parametrize(
    ("play", "scheme", "networks"),
    [
        (resets, "http", LOOPBACK),
        (silent, "http", LOOPBACK),
        (no_answer, "https", LOOPBACK),
        (answers(b"nonsense"), "http", LOOPBACK),
        (answers(OK + b"no header\r\n\r\n"), "http", LOOPBACK),
        (answers(OK + b"\r\n"), "http", ()),
        (answers(OK + b"\r\n"), "https", ()),
        (answers(OK + b"\r\n"), "ftp", LOOPBACK),
        (None, "http", LOOPBACK),
    ],
)
def test_no_error_and_no_log_line_tells_the_address(
    play: Callable[[Peer, socket.socket], None] | None,
    scheme: str,
    networks: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    with Peer(play or hangs_up) as peer:
        address = peer.url.replace("http:", f"{scheme}:")
        if play is None:
            peer.__exit__()
        at = HttpDoor(allowed_networks=networks, deadline=DEADLINE)
        error = outcome_of(lambda: knock(at, address))

    told = caplog.text
    if error is not None:
        assert error.__cause__ is None and error.__context__ is None
        told += "".join(traceback.format_exception(error)) + error.reason + error.reply
        assert isinstance(error, DeliveryError)
    assert not any(secret in told for secret in SECRETS)

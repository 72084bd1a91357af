"""A request that breaks off on its way has no effect, wherever it is cut."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from tests.crash.stage import GUNICORN, ONE_PROCESS, Server, serving

BODY = json.dumps({"utm_source": "cut"}).encode()
HEAD = (
    b"POST /api/session/start HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Idempotency-Key: 0123456789abcdef0123456789abcdef\r\nContent-Type: application/json\r\n"
)
PLAIN = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKS = b"8\r\n" + BODY[:8] + b"\r\n%x\r\n" % (len(BODY) - 8) + BODY[8:] + b"\r\n0\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS
NO_CHUNK = CHUNKED.replace(b"8\r\n", b"zz\r\n", 1)


def _send(server: Server, data: bytes) -> bytes:
    """What comes back for these bytes, after which we have nothing more to say."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        reply = b""
        while more := connection.recv(65536):
            reply += more
        return reply


def _sessions(url: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = int(connection.scalar(text("SELECT count(*) FROM sessions")) or 0)
    engine.dispose()
    return found


@pytest.fixture(scope="module")
def one_process() -> Iterator[Server]:
    """`python main.py` on its own database."""
    with serving(ONE_PROCESS, "") as server:
        yield server


def _assert_no_effect(server: Server, url: str) -> None:
    # Of the chunked one all but the last line break is enough for some, and rightly.
    cut = [PLAIN[:length] for length in range(1, len(PLAIN))]
    cut += [CHUNKED[:length] for length in range(len(HEAD), len(CHUNKED) - 1)]
    statuses = {one: _send(server, one)[9:12] for one in (*cut, NO_CHUNK)}

    assert {one: s for one, s in statuses.items() if s.startswith((b"2", b"5"))} == {}
    assert _sessions(url) == 0
    for whole in (PLAIN, CHUNKED):
        assert _send(server, whole)[9:12] == b"201"
    assert _sessions(url) == 1


def test_a_cut_request_to_the_one_process_has_no_effect(one_process: Server) -> None:
    _assert_no_effect(one_process, one_process.file())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_cut_request_to_gunicorn_has_no_effect(database_url: str) -> None:
    with serving(GUNICORN, database_url) as server:
        _assert_no_effect(server, database_url)

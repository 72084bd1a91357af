"""What a server refuses by itself is refused in our words, and the connection stays of use."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.crash.stage import GUNICORN, ONE_PROCESS, Server, serving

GARBAGE = (
    b"GARBAGE\r\n\r\n",
    b"GET /api/leads HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /api/leads HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 200 + b"\r\n",
    b"GET /api/leads HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
)
# What gunicorn alone refuses before the application is asked.
STRICTER = (
    b"GET /api/leads?q=" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /api/leads HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
    b"GET /api/leads HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\x7fb\r\n\r\n",
    b"POST /api/answer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
)


@pytest.fixture(scope="module")
def gunicorn(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Gunicorn on a database that none of these requests reaches; its clock publishes there."""
    file = tmp_path_factory.mktemp("unreadable") / "leadline.db"
    file.write_bytes(sqlite_template.read_bytes())
    with serving(GUNICORN, f"sqlite:///{file}") as server:
        yield server


@pytest.fixture(scope="module")
def one_process() -> Iterator[Server]:
    """`python main.py`."""
    with serving(ONE_PROCESS, "") as server:
        yield server


def _said(server: Server, data: bytes) -> tuple[bytes, bytes]:
    """The head and the body of what comes back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(data)
        reply = b""
        try:
            while more := connection.recv(65536):
                reply += more
        except ConnectionResetError:
            pass  # It had said what it wanted to, and does not read the rest.
    head, _, body = reply.partition(b"\r\n\r\n")
    return head, body


def _assert_refused(server: Server, data: bytes) -> None:
    head, body = _said(server, data)

    error = json.loads(body)["error"]
    assert head.split(b"\r\n")[0].split()[1] == b"400"
    assert (error["code"], error["message"]) == (
        "malformed_request",
        "The request cannot be read.",
    )
    assert f"X-Request-Id: {error['request_id']}".encode() in head
    assert b"Content-Type: application/json" in head


@pytest.mark.parametrize("data", [*GARBAGE, *STRICTER], ids=range(8))
def test_gunicorn_refuses_in_our_words(gunicorn: Server, data: bytes) -> None:
    _assert_refused(gunicorn, data)


@pytest.mark.parametrize("data", GARBAGE, ids=range(4))
def test_the_one_process_refuses_in_our_words(one_process: Server, data: bytes) -> None:
    _assert_refused(one_process, data)


def test_an_address_of_some_length_reaches_the_application(gunicorn: Server) -> None:
    address = f"http://127.0.0.1:{gunicorn.port}/api/score/{'x' * 5000}"

    assert requests.get(address, timeout=10).json()["error"]["code"] == "unknown_session"


def test_a_connection_serves_on_after_a_body_that_was_too_large(gunicorn: Server) -> None:
    address = f"http://127.0.0.1:{gunicorn.port}/api/behavior"

    with requests.Session() as caller:
        for _ in range(5):
            refused = caller.post(address, data=b"x" * 300_000, timeout=10)
            again = caller.post(address, json={"session_id": "sess_123"}, timeout=10)

            assert (refused.status_code, again.status_code) == (413, 422)

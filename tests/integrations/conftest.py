"""What tests of integrations may ask for: a server on the loopback that says what it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest


@dataclass(frozen=True)
class Heard:
    """One request that a server on the loopback received; its headers' names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Answering:
    """A server that answers every POST as `says` told it, and keeps what it received.

    Reached by `HttpDoor(allowed_networks=("127.0.0.0/8",))` at `url`.
    """

    def __init__(self) -> None:
        self.requests: list[Heard] = []
        self.answer: tuple[int, Mapping[str, str], bytes] = (200, {}, b"")
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._side())
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/T0/secret-path"

    def says(
        self, status: int = 200, headers: Mapping[str, str] | None = None, body: str | bytes = b""
    ) -> None:
        """Answer from now on with this."""
        raw = body.encode() if isinstance(body, str) else body
        self.answer = (status, headers or {}, raw)

    @property
    def last(self) -> Heard:
        """The newest request."""
        return self.requests[-1]

    def _side(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Side(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.requests.append(Heard(self.path, headers, body))
                status, headers, raw = outer.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *said: Any) -> None:
                """Nothing: pytest's output is for failures."""

        return Side


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A scripted server on the loopback; says 200 until told otherwise."""
    one = Answering()
    # Asked often whether it shall end, so that no test waits for it.
    thread = Thread(target=one.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield one
    one.server.shutdown()
    one.server.server_close()
    thread.join()

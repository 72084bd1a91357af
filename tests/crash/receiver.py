"""A receiver of webhooks that honours their ids, verifies their signatures, and remembers."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import standardwebhooks

# What a message is about: where it was sent, its conversation, its trigger.
About = tuple[str, str, str]
# Seconds it takes over a message at most, so that a blow often meets one under way.
SLOWEST = 0.01


class Receiver:
    """Acts on each id once, as the specification asks of it; repeats are counted and ignored."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.posts = 0
        self.acted: dict[About, list[str]] = defaultdict(list)
        self.bodies: dict[str, bytes] = {}
        self.repeats: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.changed = threading.Condition()
        self.server = _Server(("127.0.0.1", 0), self._side())

    @property
    def count(self) -> int:
        """How many messages it has acted on."""
        return len(self.bodies)

    def address(self, path: str) -> str:
        """Where to send what belongs to one of its paths."""
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def wait_for(self, count: int, seconds: float) -> bool:
        """Whether it has acted on so many messages within that time."""
        with self.changed:
            return self.changed.wait_for(lambda: self.count >= count, seconds)

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """One whole request; the status that its sender is told."""
        with self.changed:
            self.posts += 1
        try:
            standardwebhooks.Webhook(self.secrets[path]).verify(body, dict(headers))
        except standardwebhooks.WebhookVerificationError as error:
            self.wrong.append(f"a signature is wrong: {error}")
            return 400
        self._act(path, headers["webhook-id"], body)
        return 200

    def _act(self, path: str, identity: str, body: bytes) -> None:
        with self.changed:
            if identity in self.bodies:
                self.repeats[identity] += 1
                if self.bodies[identity] != body:
                    self.wrong.append(f"{identity} came again with another body")
                return
            told = json.loads(body)["data"]
            self.bodies[identity] = body
            self.acted[path, told["session_id"], told["trigger"]].append(identity)
            self.changed.notify_all()

    def _side(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Side(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                with contextlib.suppress(ConnectionError):
                    body = self.rfile.read(length)
                    if len(body) == length:  # Else its sender was killed over it.
                        lowered = {name.lower(): text for name, text in self.headers.items()}
                        status = outer.take(self.path, lowered, body)
                        time.sleep(random.random() * SLOWEST)
                        self.send_response(status)
                        self.send_header("Content-Length", "0")
                        self.end_headers()

            def log_message(self, *said: Any) -> None:
                """Nothing."""

        return Side


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that was killed is no news here."""


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver until the block ends."""
    receiver = Receiver()
    serve = threading.Thread(target=receiver.server.serve_forever, args=(0.05,), daemon=True)
    serve.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
        serve.join()

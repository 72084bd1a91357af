"""A proxy between visitor and server that loses replies after the commit, and cuts requests."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections import Counter

FATES = ("pass", "lose the reply", "cut the reply", "cut the request")
WEIGHTS = (70, 15, 7, 8)
LONGEST = 65536


class Proxy:
    """Listens on a port of its own until the block ends; each request meets its fate by chance."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.fates: Counter[str] = Counter()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> Proxy:
        """Begins to listen."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Takes nobody any more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # A peer that is killed meanwhile is what we are here for.
        with client, contextlib.suppress(OSError):
            while request := _message(client):
                fate = random.choices(FATES, WEIGHTS)[0]
                self.fates[fate] += 1
                whole = self._ask(request, cut=fate == "cut the request")
                if fate in ("lose the reply", "cut the request"):
                    return
                if fate == "cut the reply" or not whole:
                    client.sendall(whole[: len(whole) // 2])
                    return
                client.sendall(whole)

    def _ask(self, request: bytes, *, cut: bool) -> bytes:
        """The server's whole reply, so what it did is committed; of a cut request nothing."""
        with socket.create_connection(("127.0.0.1", self.server_port)) as server:
            if cut:
                server.sendall(request[: random.randrange(len(request))])
                return b""
            server.sendall(request)
            return _message(server)


def _message(peer: socket.socket) -> bytes:
    """One HTTP message with its body; empty when the peer has gone."""
    data = b""
    while True:
        head, found, body = data.partition(b"\r\n\r\n")
        if found and len(body) >= _length(head):
            return data
        try:
            more = peer.recv(LONGEST)
        except OSError:
            return b""
        if not more:
            return b""
        data += more


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0

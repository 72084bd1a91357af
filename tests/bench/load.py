"""A load of many clients from one process: closed loop, or open loop at a fixed rate."""

from __future__ import annotations

import heapq
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

LONGEST_REPLY = 65536


@dataclass
class Measured:
    """What a load saw: the seconds each request took, and the statuses that were no success."""

    seconds: list[float] = field(default_factory=list)
    wall: float = 0.0
    failed: dict[int, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.seconds) / self.wall if self.wall else 0.0

    def percentile(self, share: float) -> float:
        """The milliseconds within which this share of the requests was answered."""
        if not self.seconds:
            return 0.0
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def request(method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
    """One HTTP request as bytes, ready to send on a connection that stays open."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    return (head + f"Content-Type: {kind}\r\n\r\n").encode() + body


class _Client:
    """One connection with at most one request under way."""

    def __init__(self, port: int, work: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.work = work
        self.since = 0.0
        self.reply = b""

    def send(self, since: float | None = None) -> bool:
        """Send the next request; False when there is none left."""
        following = next(self.work, None)
        if following is None:
            return False
        self.since = time.perf_counter() if since is None else since
        self.reply = b""
        self.socket.sendall(following)
        return True

    def receive(self) -> int | None:
        """The status, once the reply is whole."""
        data = self.socket.recv(LONGEST_REPLY)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.reply += data
        head, found, body = self.reply.partition(b"\r\n\r\n")
        if not found:
            return None
        lowered = head.lower()
        start = lowered.index(b"content-length:") + 15
        length = int(lowered[start:].split(b"\r\n", 1)[0])
        return int(head[9:12]) if len(body) >= length else None


def closed_loop(
    port: int,
    works: list[Iterator[bytes]],
    seconds: float,
    seen: Callable[[bytes], None] | None = None,
) -> Measured:
    """Every client sends its next request as soon as it has the reply to the last."""
    measured, waiting = Measured(), selectors.DefaultSelector()
    clients = [_Client(port, work) for work in works]
    began = time.perf_counter()
    end = began + seconds
    under_way = 0
    for client in clients:
        waiting.register(client.socket, selectors.EVENT_READ, client)
        under_way += client.send()
    while under_way:
        for key, _ in waiting.select():
            client = key.data
            status = client.receive()
            if status is None:
                continue
            under_way -= 1
            _note(measured, client, status, seen)
            if time.perf_counter() < end and client.send():
                under_way += 1
            else:
                waiting.unregister(client.socket)  # It is closed by the server while we wait.
    measured.wall = time.perf_counter() - began
    for client in clients:
        client.socket.close()
    return measured


def open_loop(port: int, works: list[Iterator[bytes]], seconds: float, rate: float) -> Measured:
    """Requests leave by the clock; one that must wait for a connection counts its waiting too."""
    measured, waiting = Measured(), selectors.DefaultSelector()
    # In turns: a connection that rests for seconds is closed by the server.
    idle = deque(_Client(port, work) for work in works)
    clients = list(idle)
    for client in clients:
        waiting.register(client.socket, selectors.EVENT_READ, client)
    began = time.perf_counter()
    total, sent, under_way = int(seconds * rate), 0, 0
    due: list[float] = []
    while sent < total or under_way or due:
        now = time.perf_counter()
        while sent < total and began + sent / rate <= now:
            heapq.heappush(due, began + sent / rate)
            sent += 1
        while due and idle:
            client = idle.popleft()
            if not client.send(heapq.heappop(due)):
                return measured
            under_way += 1
        pause = max(0.0, began + sent / rate - time.perf_counter()) if sent < total else None
        for key, _ in waiting.select(None if due else pause):
            status = key.data.receive()
            if status is not None:
                under_way -= 1
                _note(measured, key.data, status, None)
                idle.append(key.data)
    measured.wall = time.perf_counter() - began
    for client in clients:
        client.socket.close()
    return measured


def _note(
    measured: Measured, client: _Client, status: int, seen: Callable[[bytes], None] | None
) -> None:
    measured.seconds.append(time.perf_counter() - client.since)
    if not 200 <= status < 300:
        measured.failed[status] = measured.failed.get(status, 0) + 1
    if seen is not None:
        seen(client.reply)

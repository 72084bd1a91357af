"""A receiver of messages that costs next to nothing; `python -m tests.bench.receiver`.

It answers every POST with 200, notes when it came, and hands out its notes. The clock is one that
all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from tests.servers.watch import ROOT

TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Took:
    """One message: when it had come, and the conversation that it is about."""

    at: float
    session_id: str | None


class Receiver:
    """The receiver as its callers see it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"

    def notes(self) -> list[Took]:
        """What has come so far, in order."""
        with urllib.request.urlopen(f"{self.url}/notes", timeout=10) as reply:
            return [Took(*one) for one in json.load(reply)]

    def count(self) -> int:
        """How much has come so far."""
        with urllib.request.urlopen(f"{self.url}/count", timeout=10) as reply:
            return int(reply.read())

    def forget(self) -> None:
        """Begin anew."""
        urllib.request.urlopen(f"{self.url}/forget", timeout=10).read()


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver of its own process until the block ends."""
    words = [sys.executable, "-m", "tests.bench.receiver"]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield Receiver(int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


class _Notes:
    def __init__(self) -> None:
        self.taken: list[tuple[float, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lowered = head.lower()
                _, found, rest = lowered.partition(b"content-length:")
                body = await reader.readexactly(int(rest.split(b"\r\n")[0]) if found else 0)
                if head.startswith(b"POST"):
                    self.taken.append((time.monotonic(), body))
                    writer.write(TAKEN)
                else:
                    writer.write(self._told(head.split(b" ", 2)[1]))
                await writer.drain()
        writer.close()

    def _told(self, path: bytes) -> bytes:
        if path.endswith(b"/forget"):
            self.taken.clear()
        said: object = len(self.taken)
        if path.endswith(b"/notes"):
            said = [(at, json.loads(body).get("data", {}).get("session_id"))
                    for at, body in self.taken]  # fmt: skip
        text = json.dumps(said).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text


async def main() -> None:
    """Serve until whoever started this is gone."""
    notes = _Notes()
    server = await asyncio.start_server(notes.serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(main())
